import type { ServerCounters } from '../shared/counters.js'
import { ProxyError } from '../shared/errors.js'
import type { ServerId } from '../shared/snapshot.js'
import type { Backend, BackendOwner } from './backend.js'
import { BackendConnectError, connectBackend } from './backend-connect.js'
import type { BackendLogin } from './backend-login.js'
import { type BackendState, isOpen } from './backend-state.js'
import type { ConnectionProfile } from './connection-profile.js'
import { resetForOthers } from './connection-reset.js'
import { Keep } from './residue.js'
import { ServerPool, type Waiter } from './server-pool.js'
import { dropStatements } from './server-statements.js'
import type { Candidate } from './topology-view.js'

/** After a server refused a connection, others are preferred for so long. */
const AVOID_MS = 1_000
/** How often it is looked whether a session has left what it could still ask for long enough. */
const LOOK_AGAIN_MS = 20

/** Who has a connection, and hears when it is gone. */
export interface BackendHolder {
  backendGone(backend: Backend, reason: string): void
  /** An idle connection is given to another session. What is to be asked there before has to be asked now. */
  backendTaken(backend: Backend): void
}

/** What a pool needs to know of its worker. */
export interface PoolTerms {
  readonly now: () => number
  /** Connections that this worker may have to the server. */
  readonly share: (candidate: Candidate) => number
  /** How long an idle session may hold a connection for what it may still ask for there while others wait. */
  readonly diagnosticsHoldMs: () => number
  readonly suspect: (server: ServerId, reason: string) => void
}

/** For whom a connection is wanted. */
export interface Customer {
  readonly holder: BackendHolder
  readonly login: BackendLogin
  /** null: connections of this customer are nobody else's. */
  readonly profile: ConnectionProfile | null
  /** False once it has no more use for a connection: asked while it waits. */
  readonly isWanted: () => boolean
}

/**
 * The worker's connections to its servers. A session keeps a connection that it has used, but idle ones rest on a shelf,
 * from which any session with the same profile may take them: who comes back first finds all as it was, and nobody opens
 * a connection while one lies idle. `release` is the one place that decides what becomes of a connection whose session has
 * no more use for it; `take` the one that gives one to another session.
 */
export class Pool implements BackendOwner {
  readonly #servers = new Map<ServerId, ServerPool>()
  readonly #holders = new Map<Backend, BackendHolder>()
  readonly #terms: PoolTerms
  #looking: NodeJS.Timeout | null = null

  constructor(terms: PoolTerms) {
    this.#terms = terms
  }

  /** An idle connection that a session may have as it is or after its state has been brought over; null: there is none. */
  take(candidate: Candidate, profile: ConnectionProfile, holder: BackendHolder): Backend | null {
    const pool = this.#servers.get(candidate.entry.id)
    if (pool === undefined || pool.waiters.length > 0) return null
    const backend = pool.shelf(profile).best(this.#terms.now())
    if (backend === null) return null
    this.#give(backend, holder)
    return backend
  }

  /**
   * Waits for a connection, or opens one. Whoever waits is served in the order of coming.
   * @throws BackendConnectError when the server refused or could not be reached (it is then avoided for a second)
   * @throws ProxyError when the time is over while the server has all the connections it may have
   */
  async obtain(candidate: Candidate, customer: Customer, timeoutMs: number, waitMs: number): Promise<Backend> {
    const pool = this.#poolAt(candidate.entry.id)
    if (!this.#hasRoom(pool, candidate)) {
      const served = await this.#queue(pool, customer, candidate, waitMs)
      if (served !== null) return served
      pool.promised--
    }
    return this.#open(pool, candidate, customer, timeoutMs)
  }

  async #open(pool: ServerPool, candidate: Candidate, customer: Customer, timeoutMs: number): Promise<Backend> {
    pool.connecting++
    try {
      const backend = await connectBackend(candidate.target, customer.login, timeoutMs)
      this.adopt(candidate, backend, customer)
      return backend
    } catch (error) {
      pool.counters(candidate.entry.hostgroup).connErr++
      if (!(error instanceof BackendConnectError)) throw new BackendConnectError((error as Error).message, null)
      if (error.tryAnother) {
        candidate.avoidUntil = this.#terms.now() + AVOID_MS
        this.#terms.suspect(candidate.entry.id, error.message)
      }
      throw error
    } finally {
      pool.connecting--
      this.#serve(pool)
    }
  }

  /** Takes over a connection that has just been opened, or that a client has logged in to itself. */
  adopt(candidate: Candidate, backend: Backend, { profile, holder }: Pick<Customer, 'profile' | 'holder'>): void {
    const pool = this.#poolAt(candidate.entry.id)
    const counters = pool.counters(candidate.entry.hostgroup)
    counters.connOk++
    pool.backends.add(backend)
    this.#holders.set(backend, holder)
    backend.owner = this
    backend.profile = profile
    backend.openedAt = this.#terms.now()
    backend.accounting = counters
    this.#used(counters)
  }

  /** A session has no use for its connection at the moment, and another one may have it. */
  rest(backend: Backend, keep: number): void {
    const { profile } = backend
    if (profile === null || backend.shelf !== null || backend.state !== 'idle') return
    const pool = this.#poolOf(backend)
    this.#unused(backend.accounting!)
    backend.restedAt = this.#terms.now()
    pool.shelf(profile).putResting(backend, keep)
    if (pool.waiters.length > 0) this.#serve(pool)
  }

  /** Its session uses a connection again that lay on the shelf. */
  wake(backend: Backend): void {
    if (backend.shelf === null) return
    backend.shelf.remove(backend)
    this.#used(backend.accounting!)
  }

  /** The session has run something elsewhere: what it left here cannot be asked for any more. */
  lower(backend: Backend): void {
    const { shelf, keep } = backend
    if (shelf === null || keep !== Keep.diagnostics) return
    shelf.remove(backend)
    shelf.putResting(backend, Keep.insertId)
    const pool = this.#poolOf(backend)
    if (pool.waiters.length > 0) this.#serve(pool)
  }

  /**
   * A session needs a connection no more.
   * @param dirty it has left what others must not find: the connection is reset first
   */
  release(backend: Backend, dirty: boolean): void {
    this.#holders.delete(backend)
    if (backend.depth > 0) return backend.destroy('its session has ended')
    if (backend.state !== 'idle') return backend.quit()
    const { profile } = backend
    if (profile === null || backend.applied.untracked) return backend.quit()
    if (dirty) resetForOthers(backend, () => this.#free(backend))
    else this.#free(backend)
  }

  /** Nobody's from now on. */
  #free(backend: Backend): void {
    if (backend.state !== 'idle') return
    this.wake(backend)
    this.#unused(backend.accounting!)
    backend.restedAt = this.#terms.now()
    const pool = this.#poolOf(backend)
    pool.shelf(backend.profile!).putFree(backend)
    if (pool.waiters.length > 0) this.#serve(pool)
  }

  #give(backend: Backend, holder: BackendHolder): void {
    this.wake(backend)
    const before = this.#holders.get(backend)
    this.#holders.set(backend, holder)
    before?.backendTaken(backend)
  }

  // Room, and waiting for it. --------------------------------------------------------------------------------------------

  /** Whether another connection may be opened; makes room by closing one that is idle and of no use to this customer. */
  #hasRoom(pool: ServerPool, candidate: Candidate): boolean {
    if (pool.waiters.length > 0) return false
    return pool.size < this.#terms.share(candidate) || this.#makeRoom(pool)
  }

  #makeRoom(pool: ServerPool): boolean {
    let coldest: Backend | null = null
    for (const shelf of pool.shelves) {
      const one = shelf.coldest()
      if (one !== null && (coldest === null || one.restedAt < coldest.restedAt)) coldest = one
    }
    coldest?.quit()
    return coldest !== null
  }

  #queue(
    pool: ServerPool,
    { profile, holder, isWanted }: Customer,
    candidate: Candidate,
    waitMs: number,
  ): Promise<Backend | null> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        profile,
        holder,
        isWanted,
        serve: (backend) => {
          clearTimeout(timer)
          resolve(backend)
        },
        giveUp: () => {
          clearTimeout(timer)
          pool.waiters.splice(pool.waiters.indexOf(waiter), 1)
          reject(serverFull(candidate))
        },
      }
      const timer = setTimeout(() => waiter.giveUp(), waitMs)
      pool.waiters.push(waiter)
      pool.share = this.#terms.share(candidate)
      this.#lookAgainWhile(pool)
    })
  }

  /** Gives what there is to those who wait for it, first come, first served. */
  #serve(pool: ServerPool): void {
    // Closing one to make room comes back here.
    if (pool.serving) return
    pool.serving = true
    while (pool.waiters.length > 0) {
      const [{ profile, holder, serve }] = pool.waiters
      const backend = profile === null ? null : this.#idleFor(pool, profile)
      if (backend === null && pool.size >= pool.share && !this.#makeRoom(pool)) break
      pool.waiters.shift()
      if (backend === null) pool.promised++
      else this.#give(backend, holder)
      serve(backend)
    }
    pool.serving = false
  }

  #idleFor(pool: ServerPool, profile: ConnectionProfile): Backend | null {
    const shelf = pool.shelf(profile)
    const now = this.#terms.now()
    return shelf.best(now) ?? shelf.overdue(now, this.#terms.diagnosticsHoldMs())
  }

  /** Time alone can make a connection free for those who wait, and those who wait can be killed. */
  #lookAgainWhile(pool: ServerPool): void {
    if (this.#looking !== null) return
    this.#looking = setInterval(() => {
      let waiting = false
      for (const one of this.#servers.values()) {
        for (const waiter of [...one.waiters]) if (!waiter.isWanted()) waiter.giveUp()
        this.#serve(one)
        waiting ||= one.waiters.length > 0
      }
      if (waiting) return
      clearInterval(this.#looking!)
      this.#looking = null
    }, LOOK_AGAIN_MS)
    this.#serve(pool)
  }

  // What becomes of connections and servers. -----------------------------------------------------------------------------

  /** A connection is used for its server's place in another hostgroup from now on (the server's role has changed). */
  retarget(backend: Backend, candidate: Candidate): void {
    const [before, after] = [backend.accounting!, this.#poolOf(backend).counters(candidate.entry.hostgroup)]
    countBytes(backend)
    backend.target = candidate.target
    backend.accounting = after
    if (backend.shelf !== null) return
    this.#unused(before)
    this.#used(after)
  }

  /** Ends all connections to a server: it is out of use, or known to be dead while its connections hang. */
  closeServer(id: ServerId, reason: string): void {
    for (const backend of [...(this.#servers.get(id)?.backends ?? [])]) backend.destroy(reason)
  }

  backendMoved(backend: Backend, _from: BackendState): void {
    if (isOpen(backend.state)) return
    const pool = this.#poolOf(backend)
    if (!pool.backends.delete(backend)) return
    if (backend.shelf === null) this.#unused(backend.accounting!)
    else backend.shelf.remove(backend)
    if (pool.waiters.length > 0) this.#serve(pool)
  }

  backendClosed(backend: Backend, reason: string): void {
    const holder = this.#holders.get(backend)
    this.#holders.delete(backend)
    countBytes(backend)
    dropStatements(backend)
    if (holder === undefined) return
    if (!backend.endedOnPurpose) this.#terms.suspect(backend.target.id, reason)
    holder.backendGone(backend, reason)
  }

  /** Counters of all servers, up to date. */
  report(): ServerCounters[] {
    const all: ServerCounters[] = []
    for (const pool of this.#servers.values()) {
      for (const counters of pool.allCounters) {
        counters.connFree = 0
        all.push(counters)
      }
      for (const backend of pool.backends) {
        countBytes(backend)
        if (backend.shelf !== null) backend.accounting!.connFree++
      }
    }
    return all
  }

  /** Connections of each server, for what looks after idle ones. */
  get servers(): Iterable<ServerPool> {
    return this.#servers.values()
  }

  #used(counters: ServerCounters): void {
    counters.connUsed++
    counters.maxConnUsed = Math.max(counters.maxConnUsed, counters.connUsed)
  }

  #unused(counters: ServerCounters): void {
    counters.connUsed--
  }

  #poolOf(backend: Backend): ServerPool {
    return this.#poolAt(backend.target.id)
  }

  #poolAt(id: ServerId): ServerPool {
    let pool = this.#servers.get(id)
    if (pool === undefined) {
      pool = new ServerPool(id)
      this.#servers.set(id, pool)
    }
    return pool
  }
}

function countBytes(backend: Backend): void {
  const counters = backend.accounting!
  counters.bytesSent += backend.bytesSent
  counters.bytesReceived += backend.bytesReceived
  backend.bytesSent = backend.bytesReceived = 0
}

function serverFull({ entry }: Candidate): ProxyError {
  return new ProxyError('server-full', 1040, '08004', `sluice: ${entry.id} has all connections it may have`)
}
