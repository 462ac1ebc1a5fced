import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'mysql2/promise'
import { messageOf, SandboxError } from '../errors.js'
import { freePorts, isFree } from '../ports.js'
import { isAlive, isStopped, type ProcessRef, signalProcess, waitForExit } from '../proc.js'
import type { SandboxServer, ServerState, StartServerOptions } from '../types.js'
import { ACCOUNTS } from './accounts.js'
import { launchServer, logTail } from './launch.js'
import { serverArguments, withOwnOptions } from './options.js'
import { asRoot, eventually } from './sql.js'
import type { ClusterState, ServerRecord } from './state.js'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
const KILL_TIMEOUT_MS = 10_000
const PORT_ATTEMPTS = 5

/** What a server needs of the cluster it belongs to. */
export interface ServerContext {
  readonly state: ClusterState
  save(): void
  /** Called when a server answers again after {@link SandboxServer.start}. */
  onStarted(server: Server): Promise<void>
}

/** One server of a cluster. All it knows is in its record, so that any process can take it over from the state file. */
export class Server implements SandboxServer {
  readonly host = '127.0.0.1'
  readonly record: ServerRecord
  readonly #context: ServerContext

  constructor(record: ServerRecord, context: ServerContext) {
    this.record = record
    this.#context = context
  }

  get name() {
    return this.record.name
  }
  get role() {
    return this.record.role
  }
  get port() {
    return this.record.port
  }
  get socket() {
    return this.record.socket
  }
  get serverId() {
    return this.record.serverId
  }
  get pid() {
    return this.record.process?.pid ?? 0
  }
  get #dir() {
    return join(this.#context.state.dir, this.name)
  }
  get datadir() {
    return join(this.#dir, 'data')
  }
  get errorLog() {
    return join(this.#dir, 'error.log')
  }

  state(): ServerState {
    const process = this.record.process
    if (process === undefined || !isAlive(process)) return 'stopped'
    return isStopped(process) ? 'paused' : 'running'
  }

  root(): ConnectionOptions {
    return { host: this.host, port: this.port, ...ACCOUNTS.root }
  }

  async start({ readOnly = this.role === 'replica' }: StartServerOptions = {}): Promise<void> {
    if (this.state() !== 'stopped') return
    await this.#launchAndWait(readOnly)
    await this.#context.onStarted(this)
  }

  /** The first start: if somebody has taken the port in the meantime, on another one. */
  async startFirst(signal?: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#launchAndWait(false, signal)
      } catch (error) {
        signal?.throwIfAborted()
        const isPortTaken = !(await isFree(this.port)) || /bind on tcp\/ip port/i.test(messageOf(error))
        if (!isPortTaken || attempt === PORT_ATTEMPTS) throw error
        this.record.port = (await freePorts(1))[0]!
      }
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM', limitMs = STOP_TIMEOUT_MS): Promise<void> {
    const process = this.record.process
    if (process === undefined) return
    signalProcess(process, signal)
    signalProcess(process, 'SIGCONT') // a paused one has to run to see the signal
    if (await waitForExit(process, limitMs)) return
    await this.kill()
  }

  async kill(): Promise<void> {
    const process = this.record.process
    if (process === undefined) return
    signalProcess(process, 'SIGKILL')
    if (await waitForExit(process, KILL_TIMEOUT_MS)) return
    throw new SandboxError(`${this.name} (process ${process.pid}) does not end`)
  }

  pause(): void {
    if (this.record.process !== undefined) signalProcess(this.record.process, 'SIGSTOP')
  }

  resume(): void {
    if (this.record.process !== undefined) signalProcess(this.record.process, 'SIGCONT')
  }

  async #launchAndWait(readOnly: boolean, signal?: AbortSignal): Promise<void> {
    const { state } = this.#context
    const filesDir = join(this.#dir, 'files')
    mkdirSync(filesDir, { recursive: true })
    const { role, serverId, port, socket } = this.record
    const { datadir, errorLog } = this
    const { semiSync } = state
    const settings = { role, serverId, port, socket, datadir, errorLog, filesDir, readOnly, semiSync }
    const args = withOwnOptions(serverArguments(state.engine, settings), state.serverOptions)
    const process = await launchServer(state.binaries.launch, state.dir, errorLog, args)
    this.record.process = process
    this.#context.save()
    await this.#waitUntilReady(process, signal)
  }

  async #waitUntilReady(process: ProcessRef, signal?: AbortSignal): Promise<void> {
    const isReady = async () => {
      if (!isAlive(process)) throw new SandboxError(`${this.name} does not start: ${logTail(this.errorLog)}`)
      if (!existsSync(this.socket)) return false
      return asRoot(this.socket, async (connection) => {
        const [rows] = await connection.query('SELECT @@server_id AS id')
        return (rows as { id: number }[])[0]?.id === this.serverId
      }).catch(() => false)
    }
    if (await eventually(isReady, START_TIMEOUT_MS, signal)) return
    throw new SandboxError(`${this.name} does not answer after ${START_TIMEOUT_MS / 1000} s: ${logTail(this.errorLog)}`)
  }
}
