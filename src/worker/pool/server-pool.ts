import { newServerCounters, type ServerCounters } from '../../shared/counters.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import type { BackendConnectError } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { ConnectionProfile } from '../backend/connection-profile.js'
import type { Candidate } from '../routing/topology-view.js'
import { Keep } from '../state/residue.js'
import type { BackendHolder } from './pool-terms.js'
import { Shelf } from './shelf.js'

/** That a connection may be opened: a probe, on whose outcome others wait (see CircuitBreaker), or one of many. */
export type Permit = 'plain' | 'probe'

/** Waits for a connection, or for leave to open one. */
export interface Waiter {
  readonly profile: ConnectionProfile | null
  readonly holder: BackendHolder
  readonly candidate: Candidate
  /** False once whoever waits has no more use for a connection. */
  readonly isWanted: () => boolean
  readonly giveUp: () => void
  readonly serve: (served: Backend | Permit) => void
}

/** The worker's connections to one server, whatever hostgroups it is in, and who waits for one. */
export class ServerPool {
  readonly id: ServerId
  readonly backends = new Set<Backend>()
  /** Connections that are being opened, or that somebody has leave to open. */
  opening = 0
  /** Connections that have been said goodbye to, while the server may still have them; monotonic ms when that was. */
  readonly closing = new Map<Backend, number>()
  /** Pinged while they were idle and not answered yet, and how often they were looked at since. */
  readonly pinged = new Map<Backend, number>()
  readonly waiters: Waiter[] = []
  /** Waiters are being served. */
  serving = false
  /** Why the last connection could not be opened; null: it could. */
  lastError: BackendConnectError | null = null
  /** With which logins the connections of a profile are opened. */
  readonly logins = new Map<ConnectionProfile, BackendLogin>()
  readonly #shelves = new Map<ConnectionProfile, Shelf>()
  readonly #counters = new Map<number, ServerCounters>()

  constructor(id: ServerId) {
    this.id = id
  }

  /** Connections that exist or are about to. */
  get size(): number {
    return this.backends.size + this.opening
  }

  /** Connections that the server may see. */
  get all(): number {
    return this.size + this.closing.size
  }

  shelf(profile: ConnectionProfile): Shelf {
    let shelf = this.#shelves.get(profile)
    if (shelf === undefined) {
      shelf = new Shelf()
      this.#shelves.set(profile, shelf)
    }
    return shelf
  }

  get shelves(): Iterable<Shelf> {
    return this.#shelves.values()
  }

  /** Idle connections. */
  get idle(): number {
    let idle = 0
    for (const shelf of this.#shelves.values()) idle += shelf.size
    return idle
  }

  /** Connections that nobody has used since a moment (monotonic ms). */
  idleSince(moment: number): number {
    let idle = 0
    for (const shelf of this.#shelves.values()) for (const { restedAt } of shelf) if (restedAt <= moment) idle++
    return idle
  }

  /** The idle connection that is worth least, whatever its profile; null: none may be closed. @param heldMs see `Shelf.coldest` */
  coldest(now: number, heldMs: number): Backend | null {
    let coldest: Backend | null = null
    for (const shelf of this.#shelves.values()) {
      const one = shelf.coldest(now, heldMs)
      if (one === null) continue
      if (coldest === null || one.keep < coldest.keep) coldest = one
      else if (one.keep === coldest.keep && one.restedAt < coldest.restedAt) coldest = one
    }
    return coldest
  }

  /** An idle connection, whatever its profile, on which nobody will ask for anything that was left there; null: there is none. */
  spare(now: number): Backend | null {
    for (const shelf of this.#shelves.values()) {
      const one = shelf.best(now)
      if (one !== null && one.keep === Keep.nothing && one.state === 'idle' && one.killing === null) return one
    }
    return null
  }

  /** Those who wait are to look for another server. */
  sendAway(): void {
    for (const waiter of [...this.waiters]) waiter.giveUp()
  }

  /** Forgets profiles that no connection has any more. */
  forgetUnused(): void {
    const used = new Set<ConnectionProfile | null>()
    for (const { profile } of this.backends) used.add(profile)
    for (const [profile, shelf] of this.#shelves) if (shelf.size === 0) this.#shelves.delete(profile)
    for (const profile of this.logins.keys()) if (!used.has(profile)) this.logins.delete(profile)
  }

  /** What is counted of the server as a member of a hostgroup. */
  counters(hostgroup: number): ServerCounters {
    let counters = this.#counters.get(hostgroup)
    if (counters === undefined) {
      counters = newServerCounters(this.id, hostgroup)
      this.#counters.set(hostgroup, counters)
    }
    return counters
  }

  get allCounters(): Iterable<ServerCounters> {
    return this.#counters.values()
  }
}
