import { Answer, Capability, Command, type ErrPacket, encodeCommand, encodeQuery } from '../../protocol/index.js'
import { monotonicMs } from '../shared/clock.js'
import { ProxyError } from '../shared/errors.js'
import type { ServerId } from '../shared/snapshot.js'
import type { Backend } from './backend.js'
import type { BackendLogin } from './backend-login.js'
import { tellUncompressed } from './compressors.js'
import type { WorkerContext } from './context.js'
import type { BackendHolder } from './pool.js'
import { type SessionState, variableDifference } from './session-state.js'
import { runSetup } from './setup-exchange.js'
import type { Candidate } from './topology-view.js'
import { TRACKING } from './tracking.js'

/** A server would not take over the session's state; another one may. */
export class SyncError extends Error {
  readonly err: ErrPacket

  constructor(server: ServerId, err: ErrPacket) {
    super(`${server} refused the session's state: ${err.message}`)
    this.name = 'SyncError'
    this.err = err
  }
}

function passwordUnknown(username: string): ProxyError {
  const message = `sluice: the password of '${username}' is known to its client alone, which has to connect again`
  return new ProxyError('password-unknown', 1045, '28000', message)
}

/** The connections that a session has, one per server at most, and how they get the session's state. */
export class SessionBackends {
  readonly #context: WorkerContext
  login: BackendLogin
  readonly #holder: BackendHolder
  readonly #state: SessionState
  /** Made with the first connection: an idle session that never asked anything has none. */
  #byServer: Map<ServerId, Backend> | null = null

  constructor(context: WorkerContext, login: BackendLogin, state: SessionState, holder: BackendHolder) {
    this.#context = context
    this.login = login
    this.#state = state
    this.#holder = holder
  }

  /** Connections that are opened from now on log in without CLIENT_IGNORE_SPACE. */
  leaveIgnoreSpace(): void {
    this.login = { ...this.login, capabilities: (this.login.capabilities & ~Capability.IGNORE_SPACE) >>> 0 }
  }

  get all(): Iterable<Backend> {
    return this.#byServer?.values() ?? []
  }

  get size(): number {
    return this.#byServer?.size ?? 0
  }

  /** The session's connection to a server, or null. Follows the server into the hostgroup it is in now. */
  get(candidate: Candidate): Backend | null {
    const backend = this.#byServer?.get(candidate.entry.id)
    if (backend === undefined) return null
    if (backend.target !== candidate.target) {
      if (backend.target.hostgroup !== candidate.target.hostgroup) this.#context.pool.retarget(backend, candidate)
      else backend.target = candidate.target
    }
    return backend
  }

  /** A connection for statements that concern the session only: the writer's, else any. */
  own(writerHostgroup: number): Backend | null {
    let any: Backend | null = null
    for (const backend of this.all) {
      if (backend.target.hostgroup === writerHostgroup) return backend
      any = backend
    }
    return any
  }

  /** Opens a connection to a server; the schema and collation of the session are set with the login. */
  async open(candidate: Candidate, timeoutMs: number): Promise<Backend> {
    if (this.login.withoutPassword === true) throw passwordUnknown(this.login.username)
    const login = { ...this.login, database: this.#state.schema, collation: this.#state.collation }
    const backend = await this.#context.pool.open(candidate, login, this.#holder, timeoutMs, monotonicMs())
    if (backend.lacksCompression) tellUncompressed(backend.target, this.#context.log)
    this.#byServer ??= new Map()
    this.#byServer.set(candidate.entry.id, backend)
    return backend
  }

  /** Takes over a connection that the client has logged in to itself. */
  adopt(candidate: Candidate, backend: Backend): void {
    this.#context.pool.adopt(candidate, backend, this.#holder)
    this.#byServer = new Map([[candidate.entry.id, backend]])
  }

  /** Whether a connection has all of the session's state. */
  isCurrent(backend: Backend): boolean {
    return backend.applied.version === this.#state.version && !backend.applied.untracked
  }

  /** Sends the difference between what the connection has and what the session wants, or what `wanted` says. */
  async sync(backend: Backend, wanted: SessionState = this.#state): Promise<void> {
    const { applied } = backend
    backend.move('syncing')
    if (applied.untracked) await this.#trackAgain(backend)
    if (wanted.schema !== applied.schema && wanted.schema !== '') {
      await this.#apply(backend, encodeCommand(Command.INIT_DB, Buffer.from(wanted.schema)))
    }
    const difference = variableDifference(wanted, applied)
    if (difference !== null) await this.#apply(backend, encodeQuery(difference, backend.capabilities))
    applied.take(wanted)
    backend.move('idle')
  }

  /** An account whose password has expired may do nothing but change it. */
  async #trackAgain(backend: Backend): Promise<void> {
    const { error } = await runSetup(backend, encodeQuery(TRACKING[backend.target.flavor], backend.capabilities))
    backend.applied.untracked = error !== null
  }

  async #apply(backend: Backend, packet: Buffer): Promise<void> {
    const { error } = await runSetup(backend, packet, Answer.results)
    if (error === null) return
    backend.move('idle')
    throw new SyncError(backend.target.id, error)
  }

  /** Notes that a connection is gone. */
  forget(backend: Backend): void {
    if (this.#byServer?.get(backend.target.id) === backend) this.#byServer.delete(backend.target.id)
  }

  /** Lets all connections go. */
  releaseAll(): void {
    const backends = [...this.all]
    this.#byServer = null
    for (const backend of backends) this.#context.pool.release(backend)
  }
}
