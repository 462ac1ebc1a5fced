import { newServerCounters, type ServerCounters } from '../shared/counters.js'
import type { ServerId } from '../shared/snapshot.js'
import type { Backend } from './backend.js'
import type { ConnectionProfile } from './connection-profile.js'
import type { BackendHolder } from './pool.js'
import { Shelf } from './shelf.js'

/** Waits for a connection, or for room to open one. */
export interface Waiter {
  readonly profile: ConnectionProfile | null
  readonly holder: BackendHolder
  /** False once whoever waits has no more use for a connection. */
  readonly isWanted: () => boolean
  readonly giveUp: () => void
  /** @param backend null: there is room for another one */
  readonly serve: (backend: Backend | null) => void
}

/** The worker's connections to one server, whatever hostgroups it is in, and who waits for one. */
export class ServerPool {
  readonly id: ServerId
  readonly backends = new Set<Backend>()
  connecting = 0
  /** Rooms that have been promised to waiters which have not come for them yet. */
  promised = 0
  readonly waiters: Waiter[] = []
  /** Waiters are being served. */
  serving = false
  /** Connections that this worker may have, as of the last waiter. */
  share = 1
  readonly #shelves = new Map<ConnectionProfile, Shelf>()
  readonly #counters = new Map<number, ServerCounters>()

  constructor(id: ServerId) {
    this.id = id
  }

  /** Connections that exist or are about to. */
  get size(): number {
    return this.backends.size + this.connecting + this.promised
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

  forgetEmptyShelves(): void {
    for (const [profile, shelf] of this.#shelves) if (shelf.size === 0) this.#shelves.delete(profile)
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
