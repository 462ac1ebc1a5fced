import { SandboxError } from '../errors.js'
import { processesWithArgument, signalProcess, waitForExit } from '../proc.js'
import { removeFolder } from '../remove.js'
import type { Accounts, Cluster, SandboxServer } from '../types.js'
import { ACCOUNTS } from './accounts.js'
import { type ReplicationDialect, replicationDialect } from './replication.js'
import { Server, type ServerContext } from './server.js'
import { asRoot, eventually, firstRow, runStatements } from './sql.js'
import { type ClusterState, writeState } from './state.js'
import type { Watchdog } from './watchdog.js'

const CATCH_UP_TIMEOUT_MS = 30_000
const THREADS_TIMEOUT_MS = 20_000

/** MySQL waits some seconds for connected replicas before it stops. Nothing of it is kept, so it need not. */
const DOWN_GRACE_MS = 2_000

/** A cluster as its state file describes it, whichever process started it. */
export class SandboxCluster implements Cluster, ServerContext {
  readonly state: ClusterState
  readonly servers: readonly Server[]
  readonly accounts: Accounts = ACCOUNTS
  #watchdog: Watchdog | undefined
  #isDown = false

  constructor(state: ClusterState, watchdog?: Watchdog) {
    this.state = state
    this.servers = state.servers.map((record) => new Server(record, this))
    this.#watchdog = watchdog
  }

  get engine() {
    return this.state.engine
  }
  get version() {
    return this.state.binaries.version
  }
  get dir() {
    return this.state.dir
  }
  get binaries() {
    return this.state.binaries
  }
  get primary(): Server {
    return this.servers.find((server) => server.role === 'primary')!
  }
  get replicas(): readonly Server[] {
    return this.servers.filter((server) => server.role === 'replica')
  }
  get #byCoordinates(): boolean {
    return this.state.byCoordinates === true
  }
  get #dialect(): ReplicationDialect {
    return replicationDialect(this.engine, this.#byCoordinates)
  }

  save(): void {
    if (!this.#isDown) writeState(this.state)
  }

  async execute<T = Record<string, unknown>[]>(server: SandboxServer, sql: string, params?: unknown[]): Promise<T> {
    return asRoot(server.socket, async (connection) => (await connection.query(sql, params))[0] as T)
  }

  async waitForReplicas(timeoutMs = CATCH_UP_TIMEOUT_MS): Promise<void> {
    const running = this.replicas.filter((replica) => replica.state() === 'running')
    await this.#waitForPosition(this.primary, running, timeoutMs)
  }

  async promote(replica: SandboxServer): Promise<void> {
    const next = this.#own(replica)
    const previous = this.primary
    if (next === previous) return
    // Coordinates of one log say nothing of another: who is behind, or down, could not be told from where to go on.
    if (this.#byCoordinates) await this.#allHave(previous)
    if (next.state() !== 'running') throw new SandboxError(`${next.name} cannot be promoted: it is ${next.state()}`)
    if (previous.state() === 'running') {
      await runStatements(previous.socket, [this.#dialect.readOnly(true)])
      await this.#waitForPosition(previous, [next], CATCH_UP_TIMEOUT_MS)
    }
    previous.record.role = 'replica'
    next.record.role = 'primary'
    this.save()
    const { stop, detach, readOnly } = this.#dialect
    await runStatements(next.socket, [stop, detach, ...this.#semiSyncSource(true)])
    const followers = this.replicas.filter((server) => server.state() === 'running')
    const follow = () => Promise.all(followers.map((server) => this.follow(server)))
    if (this.#byCoordinates) await follow()
    await runStatements(next.socket, [readOnly(false)])
    if (!this.#byCoordinates) await follow()
  }

  async #allHave(source: Server): Promise<void> {
    const down = this.servers.find((server) => server.state() !== 'running')
    if (down !== undefined)
      throw new SandboxError(`by coordinates nobody can be promoted while ${down.name} is ${down.state()}`)
    await runStatements(source.socket, [this.#dialect.readOnly(true)])
    await this.waitForReplicas()
  }

  async setReplicaDelay(replica: SandboxServer, seconds: number): Promise<void> {
    const { stop, delay, start } = this.#dialect
    await runStatements(replica.socket, [stop, delay(seconds), start])
    await this.#waitForThreads(this.#own(replica))
  }

  async stopReplication(replica: SandboxServer): Promise<void> {
    await runStatements(replica.socket, [this.#dialect.stop])
  }

  async startReplication(replica: SandboxServer): Promise<void> {
    await runStatements(replica.socket, [this.#dialect.start])
    await this.#waitForThreads(this.#own(replica))
  }

  /** Makes a running server replicate from the current primary, read-only, and waits until its threads run. */
  async follow(server: Server, signal?: AbortSignal): Promise<void> {
    const { stop, attach, start, readOnly } = this.#dialect
    const semiSync = this.#semiSyncSource(false)
    const from = attach(this.primary.port, this.#byCoordinates ? await this.#positionOf(this.primary) : '')
    await runStatements(server.socket, [readOnly(true), ...semiSync, stop, ...from, start])
    await this.#waitForThreads(server, signal)
  }

  /** A replica that was down while the primary changed is pointed at the new one. */
  async onStarted(server: Server): Promise<void> {
    if (server.role !== 'replica') return
    const row = await firstRow(server.socket, this.#dialect.status)
    const port = Number(row?.['Source_Port'] ?? row?.['Master_Port'] ?? 0)
    if (port !== this.primary.port && this.primary.state() === 'running') await this.follow(server)
  }

  async down(): Promise<void> {
    if (this.#isDown) return
    this.#isDown = true
    await Promise.all(this.servers.map((server) => server.stop('SIGTERM', DOWN_GRACE_MS)))
    // What is left belongs to a start that was cut short: it is not in the records yet.
    for (const process of processesWithArgument(`--datadir=${this.dir}/`)) {
      signalProcess(process, 'SIGKILL')
      await waitForExit(process, 10_000)
    }
    await removeFolder(this.dir)
    if (this.state.socketDir !== undefined) await removeFolder(this.state.socketDir)
    this.release()
  }

  /** From now on the servers outlive this process. */
  release(): void {
    this.#watchdog?.release()
    this.#watchdog = undefined
  }

  #semiSyncSource(isOn: boolean): string[] {
    return this.state.semiSync ? [this.#dialect.semiSyncSource(isOn)] : []
  }

  #own(server: SandboxServer): Server {
    const own = this.servers.find(({ name }) => name === server.name)
    if (own === undefined) throw new SandboxError(`${server.name} is not part of this cluster`)
    return own
  }

  async #waitForPosition(source: Server, replicas: readonly Server[], timeoutMs: number): Promise<void> {
    const position = await this.#positionOf(source)
    const { sql, params } = this.#dialect.wait(position, timeoutMs / 1000)
    await Promise.all(
      replicas.map(async (replica) => {
        const row = await firstRow(replica.socket, sql, params)
        if (Number(row?.['reached']) === 1) return
        const threads = await this.#threads(replica)
        const why = threads?.lastError || (threads?.isApplying ? 'it is behind' : 'its replication does not run')
        throw new SandboxError(`${replica.name} has not caught up with ${source.name} after ${timeoutMs} ms: ${why}`)
      }),
    )
  }

  async #positionOf(source: Server): Promise<string> {
    return String((await firstRow(source.socket, this.#dialect.position))?.['position'] ?? '')
  }

  async #waitForThreads(server: Server, signal?: AbortSignal): Promise<void> {
    const isRunning = async () => {
      const threads = await this.#threads(server)
      return threads?.isReceiving === true && threads.isApplying
    }
    if (await eventually(isRunning, THREADS_TIMEOUT_MS, signal)) return
    const error = (await this.#threads(server))?.lastError || 'its threads do not start'
    throw new SandboxError(`${server.name} does not replicate from ${this.primary.name}: ${error}`)
  }

  async #threads(server: Server) {
    const row = await firstRow(server.socket, this.#dialect.status)
    return row === undefined ? undefined : this.#dialect.readStatus(row)
  }
}
