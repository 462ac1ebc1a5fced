import { connectionCaps, evenShare } from '../../shared/connection-shares.js'
import type { FromWorker, ServerShares, ServerUses } from '../../shared/ipc.js'
import type { ServerId, Snapshot } from '../../shared/snapshot.js'
import type { Candidate } from '../routing/topology-view.js'
import type { Pool } from './pool.js'
import type { ServerPool } from './server-pool.js'

/** That statements wait is told at most so often. */
const TELL_MS = 100
/** A connection that was used within this time is not lent, unless others have less than their fair part. */
const RECENT_MS = 250
/** How often it is looked whether connections that are more than the share are idle or gone. */
const LOOK_AGAIN_MS = 20

/**
 * How many connections this worker may have to each server: its part of what all workers may have together, as the control
 * plane divides it by need (`control/share-book.ts`). Without a control plane it stays at what it was told last.
 */
export class ConnectionShares {
  readonly #number: number
  readonly #now: () => number
  readonly #pool: () => Pool
  readonly #send: (message: FromWorker) => void
  #caps = new Map<ServerId, number>()
  #workers = 1
  #depthMax = 1
  #sequence = 0
  #shares: ServerShares = {}
  #toldAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | null = null
  #looking: NodeJS.Timeout | null = null

  /** @param number of the worker, from 1 @param now monotonic ms */
  constructor(number: number, now: () => number, pool: () => Pool, send: (message: FromWorker) => void) {
    this.#number = number
    this.#now = now
    this.#pool = pool
    this.#send = send
  }

  configure(snapshot: Pick<Snapshot, 'servers' | 'workers' | 'limits'>): void {
    this.#caps = connectionCaps(snapshot)
    this.#workers = snapshot.workers
    this.#depthMax = snapshot.limits.pipelineDepth
  }

  /** Connections to a server, whatever the hostgroup. */
  of(id: ServerId): number {
    const cap = this.#caps.get(id) ?? 0
    return Math.min(cap, this.#shares[id] ?? evenShare(cap, this.#workers, this.#number))
  }

  /** The same as a member of a hostgroup, whose limit may be lower than the server's in another one. */
  in({ entry: { id, maxConnections } }: Candidate): number {
    const [share, cap] = [this.of(id), this.#caps.get(id) ?? 0]
    if (maxConnections >= cap) return share
    return Math.min(share, Math.max(1, Math.floor((share * maxConnections) / cap)))
  }

  /** The control plane says how it is from now on, and hears what there is. */
  take(sequence: number, shares: ServerShares): void {
    this.#sequence = sequence
    this.#shares = shares
    this.#pool().sharesChanged()
    this.tell()
    this.#watch()
  }

  /** There is no room for a connection that is wanted. */
  isShort(id: ServerId): void {
    // Nobody has more.
    if (this.#timer !== null || this.of(id) >= (this.#caps.get(id) ?? 0)) return
    const due = this.#toldAt + TELL_MS - this.#now()
    this.#timer = setTimeout(() => this.tell(), Math.max(0, due))
  }

  /** Tells what this worker has of each server. */
  tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const now = this.#now()
    this.#toldAt = now
    const uses: Record<ServerId, ServerUses[ServerId]> = {}
    for (const server of this.#pool().servers) {
      const waiting = server.waiters.length + this.#crowded(server) - Math.max(0, this.of(server.id) - server.size)
      const used = server.all - server.idleSince(now - RECENT_MS)
      uses[server.id] = { open: server.all, used, waiting: Math.max(0, waiting) }
    }
    this.#send({ type: 'server-use', sequence: this.#sequence, uses })
  }

  /** Commands that are in flight on connections with more than there should be on one: they wait, too. */
  #crowded({ backends }: ServerPool): number {
    let crowded = 0
    for (const { depth } of backends) crowded += Math.max(0, depth - this.#depthMax)
    return crowded
  }

  /** While there are more connections than the share, others wait for them to be gone. */
  #watch(): void {
    let last = this.#excess()
    if (last === 0 || this.#looking !== null) return
    this.#looking = setInterval(() => {
      this.#pool().sharesChanged()
      const excess = this.#excess()
      if (excess !== last) this.tell()
      last = excess
      if (excess > 0) return
      clearInterval(this.#looking!)
      this.#looking = null
    }, LOOK_AGAIN_MS)
    this.#looking.unref()
  }

  #excess(): number {
    let excess = 0
    for (const server of this.#pool().servers) excess += this.#excessOf(server)
    return excess
  }

  #excessOf({ id, all }: ServerPool): number {
    return Math.max(0, all - this.of(id))
  }
}
