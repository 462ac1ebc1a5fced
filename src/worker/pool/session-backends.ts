import { Answer, Capability, Command, type ErrPacket, encodeCommand, encodeQuery } from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import type { BackendLogin } from '../backend/backend-login.js'
import { tellUncompressed } from '../backend/compressors.js'
import { type ConnectionProfile, profileOf } from '../backend/connection-profile.js'
import { resetConnection } from '../backend/connection-reset.js'
import { refusalText, sendInitConnect } from '../backend/init-connect.js'
import { runSetup } from '../backend/setup-exchange.js'
import type { WorkerContext } from '../context.js'
import type { Candidate } from '../routing/topology-view.js'
import { undoParseState } from '../state/parse-state.js'
import { Fit, fitOf, type SessionState, textDifference, variableDifference } from '../state/session-state.js'
import { TRACKING } from '../state/tracking.js'
import type { BackendHolder } from './pool-terms.js'

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

interface KnownProfile {
  readonly login: BackendLogin
  readonly collation: number
  readonly hasSchema: boolean
  readonly ignoresSpace: boolean
  readonly profile: ConnectionProfile
}

/**
 * The connections that a session has, one per server at most, and how they get the session's state. What it does not use
 * rests in the pool, where others may take it.
 */
export class SessionBackends {
  readonly #context: WorkerContext
  login: BackendLogin
  /** Its connections may be shared with sessions of the same account. */
  readonly #multiplex: boolean
  readonly #holder: BackendHolder
  readonly #state: SessionState
  /** Asked for with each statement. */
  #lastProfile: KnownProfile | null = null
  /** A query rule has said that the session's connections are its own. */
  exclusive = false
  /** Made with the first connection: an idle session that never asked anything has none. */
  #byServer: Map<ServerId, Backend> | null = null

  constructor(
    context: WorkerContext,
    login: BackendLogin,
    state: SessionState,
    holder: BackendHolder,
    multiplex: boolean,
  ) {
    this.#context = context
    this.login = login
    this.#multiplex = multiplex && login.withoutPassword !== true
    this.#state = state
    this.#holder = holder
  }

  /** Connections that are used from now on log in without CLIENT_IGNORE_SPACE. */
  leaveIgnoreSpace(): void {
    this.login = { ...this.login, capabilities: (this.login.capabilities & ~Capability.IGNORE_SPACE) >>> 0 }
  }

  get all(): Iterable<Backend> {
    return this.#byServer?.values() ?? []
  }

  has(backend: Backend): boolean {
    return this.#byServer?.get(backend.target.id) === backend
  }

  get size(): number {
    return this.#byServer?.size ?? 0
  }

  /**
   * The session's connection to a server for the next statement, or null. Follows the server into the hostgroup it is in now.
   * @param asksOfLast the statement asks for what the last one left: otherwise those who wait for the connection go first
   */
  get(candidate: Candidate, asksOfLast: boolean): Backend | null {
    const backend = this.#byServer?.get(candidate.entry.id)
    if (backend === undefined) return null
    if (backend.state === 'closing') {
      this.#byServer!.delete(candidate.entry.id)
      return null
    }
    if (this.#state.schema === '' && backend.applied.schema !== '' && backend.state === 'idle') {
      // The session's schema was dropped. No connection that has one can be without one again.
      this.#byServer!.delete(candidate.entry.id)
      this.#release(backend, false)
      return null
    }
    if (!asksOfLast && this.#context.pool.yieldsToWaiting(backend)) return null
    return backend.target === candidate.target || this.#follow(backend, candidate, asksOfLast) ? backend : null
  }

  /**
   * Takes a connection along to where its server is now.
   * @returns false when connections begin with something else there, and nothing that only this one has is needed: it has
   * been closed
   */
  #follow(backend: Backend, candidate: Candidate, asksOfLast: boolean): boolean {
    const { pool } = this.#context
    const moved = backend.target.hostgroup !== candidate.target.hostgroup
    const fits = moved ? pool.retarget(backend, candidate) : backend.aimAt(candidate.target)
    // What does not rest is held by something.
    if (fits || asksOfLast || backend.shelf === null) return true
    pool.close(backend)
    return false
  }

  /** An idle connection to a server that nobody needs at the moment; it may have to get the session's state. */
  take(candidate: Candidate): Backend | null {
    const profile = this.#profile(candidate, this.#state.collation, this.#state.schema)
    if (profile === null) return null
    const backend = this.#context.pool.take(candidate, profile, this.#holder)
    if (backend === null) return null
    this.#context.counters.backendConnectionsShared++
    this.#attach(candidate, backend)
    return backend
  }

  /** A connection that takes reads of several sessions, or null. */
  lane(candidate: Candidate, depthMax: number, now: number): Backend | null {
    const profile = this.#profile(candidate, this.#state.collation, this.#state.schema)
    if (profile === null) return null
    // The session's own idle connection is as good as any other.
    const own = this.#byServer?.get(candidate.entry.id)
    if (own !== undefined && own.shelf !== null) this.#context.pool.lower(own)
    return this.#context.lanes.find(candidate, profile, this.#state, depthMax, now)
  }

  #attach(candidate: Candidate, backend: Backend): void {
    this.#byServer ??= new Map()
    this.#byServer.set(candidate.entry.id, backend)
    if (backend.target !== candidate.target) this.#context.pool.retarget(backend, candidate)
    if (!backend.applied.untracked && fitOf(this.#state, backend.applied) === Fit.same) {
      backend.applied.noteCurrent(this.#state)
    } else backend.applied.noteStale()
  }

  /** With which connections to a server this session's can stand in for each other; null: with none. */
  #profile(
    { target }: Pick<Candidate, 'target'>,
    collation: number,
    schema: string,
    ignoresSpace = (this.login.capabilities & Capability.IGNORE_SPACE) !== 0,
  ): ConnectionProfile | null {
    const { multiplexing, exclusiveHostgroups } = this.#context.view.snapshot
    // A server that is told the client's address is told it once, when the connection begins.
    if (!this.#multiplex || this.exclusive || !multiplexing || target.proxyProtocol !== 'off') return null
    if (exclusiveHostgroups.includes(target.hostgroup)) return null
    const hasSchema = schema !== ''
    const known = this.#lastProfile
    if (
      known !== null &&
      known.login === this.login &&
      known.collation === collation &&
      known.hasSchema === hasSchema &&
      known.ignoresSpace === ignoresSpace
    ) {
      return known.profile
    }
    const profile = profileOf(this.login, collation, hasSchema, ignoresSpace)
    this.#lastProfile = { login: this.login, collation, hasSchema, ignoresSpace, profile }
    return profile
  }

  /**
   * Lets others have a connection until the session comes back to it.
   * @param keep one of `Keep`: what the session may still ask for there
   */
  rest(backend: Backend, keep: number): void {
    if (backend.shelf !== null) return
    backend.profile = this.#profile(backend, backend.collation, backend.applied.schema, backend.ignoresSpace)
    this.#context.pool.rest(backend, keep)
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

  /**
   * Opens a connection to a server, or waits for one; the schema and collation of the session are set with the login.
   * @param timeoutMs for connecting and logging in
   * @param waitMs for a connection while the server has all that it may have
   * @param isWanted false once nobody has use for it: asked while it waits
   */
  async obtain(candidate: Candidate, timeoutMs: number, waitMs: number, isWanted: () => boolean): Promise<Backend> {
    if (this.login.withoutPassword === true) throw passwordUnknown(this.login.username)
    const { collation, schema } = this.#state
    const login = { ...this.login, database: schema, collation }
    const profile = this.#profile(candidate, collation, schema)
    const customer = { holder: this.#holder, login, profile, isWanted }
    const backend = await this.#context.pool.obtain(candidate, customer, timeoutMs, waitMs)
    if (backend.lacksCompression) tellUncompressed(backend.target, this.#context.log)
    if (backend.state !== 'closed') this.#attach(candidate, backend)
    return backend
  }

  /** Takes over a connection that the client has logged in to itself. */
  adopt(candidate: Candidate, backend: Backend): void {
    this.#context.pool.adopt(candidate, backend, { profile: null, holder: this.#holder })
    this.#byServer = new Map([[candidate.entry.id, backend]])
  }

  /** Whether a connection has all of the session's state. */
  isCurrent(backend: Backend): boolean {
    return backend.applied.isCurrent(this.#state) && !backend.applied.untracked
  }

  /** Sends the difference between what the connection has and what the session wants, or what `wanted` says. */
  async sync(backend: Backend, wanted: SessionState = this.#state): Promise<void> {
    const { applied } = backend
    backend.move('syncing')
    if (fitOf(wanted, applied) === Fit.needsReset && wanted === this.#state) {
      this.#context.counters.backendConnectionsReset++
      resetConnection(backend)
    }
    if (applied.untracked) await this.#trackAgain(backend)
    if (wanted.schema !== applied.schema && wanted.schema !== '') {
      await this.#apply(backend, encodeCommand(Command.INIT_DB, Buffer.from(wanted.schema)))
    }
    if (wanted.multiStatements !== null && wanted.multiStatements !== applied.multiStatements) {
      await this.#apply(backend, encodeCommand(Command.SET_OPTION, Buffer.of(wanted.multiStatements ? 0 : 1, 0)))
    }
    const difference = variableDifference(wanted, applied)
    if (difference !== null) await this.#apply(backend, encodeQuery(difference, backend.capabilities))
    const texts = textDifference(wanted, applied)
    if (texts !== null) await this.#apply(backend, encodeQuery(texts, backend.capabilities))
    applied.take(wanted)
    backend.move('idle')
  }

  /** Takes back what a connection was given to prepare a text as it was read once. */
  async undoParseState(backend: Backend): Promise<void> {
    const undo = undoParseState(this.#state, backend.applied, backend.collation)
    if (undo === null) return
    backend.move('syncing')
    await this.#apply(backend, encodeQuery(undo, backend.capabilities))
    backend.move('idle')
  }

  /** An account whose password has expired may do nothing but change it. */
  async #trackAgain(backend: Backend): Promise<void> {
    const { error } = await runSetup(backend, encodeQuery(TRACKING[backend.target.flavor], backend.capabilities))
    backend.applied.untracked = error !== null
    if (error === null) sendInitConnect(backend, (refusal) => backend.destroy(refusalText(backend, refusal)))
  }

  async #apply(backend: Backend, packet: Buffer): Promise<void> {
    const { error } = await runSetup(backend, packet, Answer.results)
    if (error === null) return
    backend.move('idle')
    throw new SyncError(backend.target.id, error)
  }

  /** Notes that a connection is gone, or another session's. */
  forget(backend: Backend): void {
    if (this.has(backend)) this.#byServer!.delete(backend.target.id)
  }

  /**
   * Lets all connections go.
   * @param isDirty whether the session has left something on one of them that others must not find
   */
  releaseAll(isDirty: (backend: Backend) => boolean): void {
    this.releaseOthers(null, isDirty)
  }

  /** Lets all connections go but one. */
  releaseOthers(kept: Backend | null, isDirty: (backend: Backend) => boolean): void {
    const backends = [...this.all].filter((backend) => backend !== kept)
    this.#byServer = kept === null ? null : new Map([[kept.target.id, kept]])
    for (const backend of backends) this.#release(backend, isDirty(backend))
  }

  #release(backend: Backend, dirty: boolean): void {
    backend.profile = this.#profile(backend, backend.collation, backend.applied.schema, backend.ignoresSpace)
    this.#context.pool.release(backend, dirty)
  }
}
