import type { ServerCounters } from '../../shared/counters.js'
import { ProxyError } from '../../shared/errors.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { Backend, BackendOwner } from '../backend/backend.js'
import { BackendConnectError, InitConnectError } from '../backend/backend-connect.js'
import { type BackendState, isOpen } from '../backend/backend-state.js'
import type { ConnectionProfile } from '../backend/connection-profile.js'
import { resetForOthers } from '../backend/connection-reset.js'
import { dropStatements } from '../backend/drop-statements.js'
import type { Candidate } from '../routing/topology-view.js'
import { Keep } from '../state/residue.js'
import { OpeningThrottle } from './opening-throttle.js'
import type { BackendHolder, Customer, Opening, PoolTerms } from './pool-terms.js'
import { type Permit, ServerPool, type Waiter } from './server-pool.js'

/** Has a connection for a moment, and expects nothing of it afterwards. */
const NOBODY: BackendHolder = { backendGone: () => {}, backendTaken: () => {} }

/** How often it is looked whether a session has left what it could still ask for long enough. */
const LOOK_AGAIN_MS = 20

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
  readonly #throttle: OpeningThrottle
  #looking: NodeJS.Timeout | null = null
  /** How often accounts have been changed. */
  #accountChanges = 0

  constructor(terms: PoolTerms) {
    this.#terms = terms
    this.#throttle = new OpeningThrottle(terms.openingsPerSecond)
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

  /** What `take` would give, left where it is. */
  idle(candidate: Candidate, profile: ConnectionProfile): Backend | null {
    const pool = this.#servers.get(candidate.entry.id)
    return pool === undefined || pool.waiters.length > 0 ? null : pool.shelf(profile).best(this.#terms.now())
  }

  /**
   * An idle connection for a question of Sluice's own that leaves nothing behind, whoever's account it has logged in as; null: there is
   * none. It is to be released.
   */
  borrow({ entry }: Candidate): Backend | null {
    const pool = this.#servers.get(entry.id)
    if (pool === undefined || pool.waiters.length > 0) return null
    const backend = pool.spare(this.#terms.now())
    if (backend !== null) this.#give(backend, NOBODY)
    return backend
  }

  /** How many wait for a connection to a server. */
  waitingAt(id: ServerId): number {
    return this.#servers.get(id)?.waiters.length ?? 0
  }

  /** Whether this worker may open no more connections to a server. */
  isFull(candidate: Candidate): boolean {
    const pool = this.#servers.get(candidate.entry.id)
    if (pool === undefined || pool.all < this.#terms.share(candidate)) return false
    this.#terms.isShort(pool.id)
    return true
  }

  /**
   * Waits for a connection, or opens one. Whoever waits is served in the order of coming.
   * @throws BackendConnectError when the server refused or could not be reached (see CircuitBreaker)
   * @throws ProxyError when the time is over while the server has all the connections it may have
   */
  async obtain(candidate: Candidate, customer: Customer, timeoutMs: number, waitMs: number): Promise<Backend> {
    const pool = this.#poolAt(candidate.entry.id)
    const permit = pool.waiters.length > 0 ? null : this.#permit(pool, candidate, false)
    const served = permit ?? (await this.#queue(pool, customer, candidate, waitMs))
    if (typeof served !== 'string') return served
    const backend = await this.#open(pool, candidate, customer, timeoutMs, served)
    this.#holders.set(backend, customer.holder)
    return backend
  }

  /** Opens a connection that nobody has asked for yet; does nothing where none may be opened. */
  async warm(candidate: Candidate, customer: Opening, timeoutMs: number): Promise<void> {
    const pool = this.#poolAt(candidate.entry.id)
    if (pool.waiters.length > 0 || pool.all >= this.#terms.share(candidate)) return
    const permit = this.#permit(pool, candidate, false)
    if (permit !== null) this.#free(await this.#open(pool, candidate, customer, timeoutMs, permit))
  }

  async #open(
    pool: ServerPool,
    candidate: Candidate,
    { login, profile }: Opening,
    timeoutMs: number,
    permit: Permit,
  ): Promise<Backend> {
    const { breaker, globalsSet } = candidate.target.known
    const changes = this.#accountChanges
    try {
      const backend = await this.#terms.connect(candidate.target, login, timeoutMs)
      breaker.answered()
      pool.lastError = null
      if (profile !== null) pool.logins.set(profile, login)
      this.#takeIn(candidate, backend, profile)
      // What was changed while it logged in may have come too late for it.
      backend.globalsSeen = globalsSet
      backend.outdated = changes !== this.#accountChanges
      return backend
    } catch (thrown) {
      const error =
        thrown instanceof BackendConnectError ? thrown : new BackendConnectError((thrown as Error).message, null)
      pool.counters(candidate.entry.hostgroup).connErr++
      if (error.tryAnother) this.#failed(pool, candidate, error, permit)
      else breaker.answered()
      throw error
    } finally {
      pool.opening--
      this.#serve(pool)
    }
  }

  #failed(pool: ServerPool, { entry, target }: Candidate, error: BackendConnectError, permit: Permit): void {
    const { breaker } = target.known
    breaker.failed(this.#terms.now(), Math.random(), permit === 'probe')
    // A server that refuses init_connect is well.
    if (!(error instanceof InitConnectError)) this.#terms.suspect(entry.id, error.message)
    else if (pool.lastError?.message !== error.message) this.#terms.initRefused(entry.id, error.message)
    pool.lastError = error
    // Those who wait may find another server.
    if (breaker.state === 'open' && pool.backends.size === 0) pool.sendAway()
  }

  /** Takes over a connection that a client has logged in to itself. */
  adopt(candidate: Candidate, backend: Backend, { profile, holder }: Pick<Customer, 'profile' | 'holder'>): void {
    this.#takeIn(candidate, backend, profile)
    this.#holders.set(backend, holder)
  }

  #takeIn(candidate: Candidate, backend: Backend, profile: ConnectionProfile | null): void {
    const pool = this.#poolAt(candidate.entry.id)
    const counters = pool.counters(candidate.entry.hostgroup)
    counters.connOk++
    pool.backends.add(backend)
    backend.owner = this
    backend.profile = profile
    backend.openedAt = this.#terms.now()
    backend.globalsSeen = candidate.target.known.globalsSet
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
    const { shelf, keep, profile } = backend
    if (shelf === null || profile === null || keep !== Keep.diagnostics) return
    const pool = this.#poolOf(backend)
    shelf.remove(backend)
    pool.shelf(profile).putResting(backend, Keep.insertId)
    if (pool.waiters.length > 0) this.#serve(pool)
  }

  /**
   * A session is about to run something on its resting connection that asks nothing of what its last statement left there.
   * @returns true when that was all that kept it from others who wait, and one of them has it now
   */
  yieldsToWaiting(backend: Backend): boolean {
    if (backend.shelf === null || backend.keep !== Keep.diagnostics) return false
    if (this.#poolOf(backend).waiters.length === 0) return false
    const holder = this.#holders.get(backend)
    this.lower(backend)
    return this.#holders.get(backend) !== holder
  }

  /**
   * A session needs a connection no more.
   * @param dirty it has left what others must not find: the connection is reset first
   */
  release(backend: Backend, dirty: boolean): void {
    this.#holders.delete(backend)
    if (backend.state !== 'idle') return backend.depth > 0 ? backend.destroy('its session has ended') : backend.quit()
    const { profile } = backend
    if (profile === null || backend.applied.untracked || backend.outdated) return backend.quit()
    this.wake(backend)
    if (dirty) resetForOthers(backend, () => this.#free(backend))
    else this.#free(backend)
  }

  /** Closes an idle connection that is one too many, or has to make room. */
  close(backend: Backend): void {
    const holder = this.#holders.get(backend)
    this.#holders.delete(backend)
    holder?.backendTaken(backend)
    backend.quit()
  }

  /** Nobody's from now on. */
  #free(backend: Backend): void {
    if (backend.state !== 'idle') return
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
    // A new session would start with the global variables as they are now.
    if (before !== holder && backend.globalsSeen !== backend.target.known.globalsSet) backend.applied.tainted = true
    before?.backendTaken(backend)
  }

  // Room, and waiting for it. --------------------------------------------------------------------------------------------

  /**
   * Allows one connection to be opened; null: none may be now. Where there is no room one that is idle is closed, and
   * when the server has ended that those who wait are served.
   * @param pressing somebody waits: for as long as `diagnosticsHoldMs` says, if need be
   */
  #permit(pool: ServerPool, candidate: Candidate, pressing: boolean): Permit | null {
    const now = this.#terms.now()
    const { hostgroup } = candidate.entry
    const { breaker } = candidate.target.known
    if (!breaker.mayOpen(now) || !this.#throttle.mayOpen(hostgroup, now)) return null
    if (pool.all >= this.#terms.share(candidate)) {
      const isComing = pool.closing.size > 0 && pool.closing.size >= pool.waiters.length
      if (!isComing && !this.#makeRoom(pool, now, pressing)) this.#terms.isShort(pool.id)
      return null
    }
    this.#throttle.opened(hostgroup, now)
    pool.opening++
    return breaker.tried() ? 'probe' : 'plain'
  }

  #makeRoom(pool: ServerPool, now: number, pressing: boolean): boolean {
    const coldest = pool.coldest(now, pressing ? this.#terms.diagnosticsHoldMs() : Number.POSITIVE_INFINITY)
    if (coldest !== null) this.close(coldest)
    return coldest !== null
  }

  #queue(
    pool: ServerPool,
    { profile, holder, isWanted }: Customer,
    candidate: Candidate,
    waitMs: number,
  ): Promise<Backend | Permit> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        profile,
        holder,
        candidate,
        isWanted,
        serve: (served) => {
          clearTimeout(timer)
          resolve(served)
        },
        giveUp: () => {
          clearTimeout(timer)
          pool.waiters.splice(pool.waiters.indexOf(waiter), 1)
          const { state } = candidate.target.known.breaker
          reject(state === 'closed' || pool.lastError === null ? serverFull(candidate) : pool.lastError)
        },
      }
      const timer = setTimeout(() => waiter.giveUp(), waitMs)
      pool.waiters.push(waiter)
      this.#lookAgainWhile(pool)
    })
  }

  /** Gives what there is to those who wait for it, first come, first served. */
  #serve(pool: ServerPool): void {
    // Closing one to make room comes back here.
    if (pool.serving) return
    pool.serving = true
    this.#shrink(pool)
    while (pool.waiters.length > 0) {
      const [{ profile, holder, candidate, serve }] = pool.waiters
      const backend = profile === null ? null : this.#idleFor(pool, profile)
      const served = backend ?? this.#permit(pool, candidate, true)
      if (served === null) break
      pool.waiters.shift()
      if (backend !== null) this.#give(backend, holder)
      serve(served)
    }
    pool.serving = false
  }

  /** Closes what is idle of the connections that are more than the share: whoever waits here is not to keep them from others. */
  #shrink(pool: ServerPool): void {
    for (let excess = pool.size - this.#terms.shareOf(pool.id); excess > 0; excess--) {
      if (!this.#makeRoom(pool, this.#terms.now(), true)) return
    }
  }

  /** Accounts have been changed: no other session gets a connection that has logged in before. */
  accountsChanged(): void {
    this.#accountChanges++
    for (const server of this.#servers.values()) {
      for (const backend of [...server.backends]) {
        backend.outdated = true
        if (backend.shelf !== null && !this.#holders.has(backend)) this.close(backend)
      }
    }
  }

  /** This worker may have more or fewer connections from now on. */
  sharesChanged(): void {
    for (const pool of this.#servers.values()) this.#serve(pool)
  }

  #idleFor(pool: ServerPool, profile: ConnectionProfile): Backend | null {
    const shelf = pool.shelf(profile)
    const now = this.#terms.now()
    const best = shelf.best(now)
    if (best !== null) return best
    const overdue = shelf.overdue(now, this.#terms.diagnosticsHoldMs())
    return overdue?.outdated === true ? null : overdue
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

  /**
   * A connection is used for its server's place in another hostgroup from now on (the server's role has changed).
   * @returns see `Backend.aimAt`
   */
  retarget(backend: Backend, candidate: Candidate): boolean {
    const [before, after] = [backend.accounting!, this.#poolOf(backend).counters(candidate.entry.hostgroup)]
    countBytes(backend)
    const fits = backend.aimAt(candidate.target)
    backend.accounting = after
    if (backend.shelf !== null) return fits
    this.#unused(before)
    this.#used(after)
    return fits
  }

  /** Ends all connections to a server: it is out of use, or known to be dead while its connections hang. */
  closeServer(id: ServerId, reason: string): void {
    const pool = this.#servers.get(id)
    if (pool === undefined) return
    pool.sendAway()
    for (const backend of [...pool.backends, ...pool.closing.keys()]) backend.destroy(reason)
  }

  backendMoved(backend: Backend, _from: BackendState): void {
    if (isOpen(backend.state)) return
    const pool = this.#poolOf(backend)
    if (backend.state === 'closing') pool.closing.set(backend, this.#terms.now())
    else pool.closing.delete(backend)
    if (pool.backends.delete(backend)) {
      if (backend.shelf === null) this.#unused(backend.accounting!)
      else backend.shelf.remove(backend)
    }
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
  /** All connections that are open. */
  *connections(): Generator<Backend> {
    for (const pool of this.#servers.values()) yield* pool.backends
  }

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

  /** Connections of a server, also where there are none yet. */
  server(id: ServerId): ServerPool {
    return this.#poolAt(id)
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
