import { newServerCounters, type ServerCounters } from '../shared/counters.js'
import { ProxyError } from '../shared/errors.js'
import type { ServerId } from '../shared/snapshot.js'
import type { Backend, BackendOwner } from './backend.js'
import { BackendConnectError, connectBackend } from './backend-connect.js'
import type { BackendLogin } from './backend-login.js'
import { type BackendState, isOpen } from './backend-state.js'
import type { Candidate } from './topology-view.js'

/** After a server refused a connection, others are preferred for so long. */
const AVOID_MS = 1_000

interface ServerPool {
  readonly counters: ServerCounters
  readonly backends: Set<Backend>
  connecting: number
}

/** Who holds a connection, and hears when it is gone. */
export interface BackendHolder {
  backendGone(backend: Backend, reason: string): void
}

/**
 * The worker's backend connections, by server and hostgroup. In this issue each belongs to one session from its first to
 * its last statement; `release` is the one place that decides what becomes of a connection its session needs no more.
 */
export class Pool implements BackendOwner {
  readonly #pools = new Map<string, ServerPool>()
  readonly #holders = new Map<Backend, BackendHolder>()
  readonly #suspect: (server: ServerId, reason: string) => void
  /** Limit per server for this worker. */
  #share: (candidate: Candidate) => number

  constructor(suspect: (server: ServerId, reason: string) => void, share: (candidate: Candidate) => number) {
    this.#suspect = suspect
    this.#share = share
  }

  /**
   * Opens a connection for a session.
   * @throws BackendConnectError when the server refused or could not be reached (it is then avoided for a second)
   * @throws ProxyError when the server has all the connections it may have
   */
  async open(
    candidate: Candidate,
    login: BackendLogin,
    holder: BackendHolder,
    timeoutMs: number,
    now: number,
  ): Promise<Backend> {
    const pool = this.#poolAt(candidate.entry.hostgroup, candidate.entry.id)
    if (pool.backends.size + pool.connecting >= this.#share(candidate)) {
      throw new ProxyError(
        'server-full',
        1040,
        '08004',
        `sluice: ${candidate.entry.id} has all connections it may have`,
      )
    }
    pool.connecting++
    try {
      const backend = await connectBackend(candidate.target, login, timeoutMs)
      this.adopt(candidate, backend, holder)
      return backend
    } catch (error) {
      pool.counters.connErr++
      if (!(error instanceof BackendConnectError)) throw new BackendConnectError((error as Error).message, null)
      if (error.tryAnother) {
        candidate.avoidUntil = now + AVOID_MS
        this.#suspect(candidate.entry.id, error.message)
      }
      throw error
    } finally {
      pool.connecting--
    }
  }

  /** Takes over a connection that a client has logged in to itself. */
  adopt(candidate: Candidate, backend: Backend, holder: BackendHolder): void {
    const pool = this.#poolAt(candidate.entry.hostgroup, candidate.entry.id)
    pool.counters.connOk++
    pool.backends.add(backend)
    this.#holders.set(backend, holder)
    backend.owner = this
    backend.accounting = pool.counters
    this.#count(pool)
  }

  /** A session needs a connection no more. What it left on it is not for others, so it is closed. */
  release(backend: Backend): void {
    this.#holders.delete(backend)
    if (backend.depth > 0) backend.destroy('its session has ended')
    else backend.quit()
  }

  /** A connection is used for its server's place in another hostgroup from now on (the server's role has changed). */
  retarget(backend: Backend, candidate: Candidate): void {
    const [from, to] = [this.#poolOf(backend), this.#poolAt(candidate.entry.hostgroup, candidate.entry.id)]
    this.#countBytes(from, backend)
    backend.target = candidate.target
    backend.accounting = to.counters
    from.backends.delete(backend)
    to.backends.add(backend)
    this.#count(from)
    this.#count(to)
  }

  /** Ends all connections to a server: it is out of use, or known to be dead while its connections hang. */
  closeServer(id: ServerId, reason: string): void {
    for (const pool of this.#pools.values()) {
      if (pool.counters.server !== id) continue
      for (const backend of [...pool.backends]) backend.destroy(reason)
    }
  }

  backendMoved(backend: Backend, _from: BackendState): void {
    if (isOpen(backend.state)) return
    const pool = this.#poolOf(backend)
    pool.backends.delete(backend)
    this.#count(pool)
  }

  backendClosed(backend: Backend, reason: string): void {
    const holder = this.#holders.get(backend)
    this.#holders.delete(backend)
    this.#countBytes(this.#poolOf(backend), backend)
    if (holder === undefined) return
    if (!backend.endedOnPurpose) this.#suspect(backend.target.id, reason)
    holder.backendGone(backend, reason)
  }

  /** Counters of all servers, up to date. */
  report(): ServerCounters[] {
    for (const pool of this.#pools.values()) {
      for (const backend of pool.backends) this.#countBytes(pool, backend)
    }
    return [...this.#pools.values()].map(({ counters }) => counters)
  }

  #countBytes({ counters }: ServerPool, backend: Backend): void {
    counters.bytesSent += backend.bytesSent
    counters.bytesReceived += backend.bytesReceived
    backend.bytesSent = backend.bytesReceived = 0
  }

  #count({ counters, backends }: ServerPool): void {
    counters.connUsed = backends.size
    counters.maxConnUsed = Math.max(counters.maxConnUsed, backends.size)
  }

  #poolOf(backend: Backend): ServerPool {
    return this.#poolAt(backend.target.hostgroup, backend.target.id)
  }

  #poolAt(hostgroup: number, id: ServerId): ServerPool {
    const key = keyOf(hostgroup, id)
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = { counters: newServerCounters(id, hostgroup), backends: new Set(), connecting: 0 }
      this.#pools.set(key, pool)
    }
    return pool
  }
}

function keyOf(hostgroup: number, id: ServerId): string {
  return `${hostgroup} ${id}`
}
