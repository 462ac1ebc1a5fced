import type { LRUCache } from 'lru-cache'
import { boundedCache } from '../../shared/bounded-cache.js'
import type { CausalPosition } from '../../shared/ipc.js'
import type { Flavor } from '../../shared/snapshot.js'
import type { WayToOthers } from '../announcements.js'
import { Watermark } from './watermark.js'

/** A key under which other workers are writing. */
interface Held {
  writers: number
  /** Monotonic ms: a worker that died does not end its writes. */
  until: number
}

/** Tells the other workers; `announce` resolves when all of them know, or false when that could not be made sure. */
export interface CausalPeers {
  /** Whether there are others, and the way to them is open. */
  readonly state: WayToOthers
  /** Whether all has come that others have announced. */
  readonly hearsAll: boolean
  announce(key: string): Promise<boolean>
  /** @param position null: nothing was written */
  publish(key: string, position: CausalPosition | null): void
}

/**
 * What was written and seen under causal keys, as this worker knows it. A write under a key is announced to the other
 * workers before it is executed, so that they read under the key from the primary until its position is published to them.
 *
 * Keys are forgotten by age and number, the guarantee is not: of all that is forgotten the latest moment is kept, and a key
 * that is not known asks for what was committed by then. That is also what a worker begins with: it asks for all that was
 * committed before it was there. Replicas pass that moment soon.
 */
export class CausalKeys {
  readonly #peers: CausalPeers
  #positions: LRUCache<string, Watermark>
  readonly #held = new Map<string, Held>()
  #ttlMs: number
  #forgottenAt: number

  /** @param startedAt monotonic ms */
  constructor(peers: CausalPeers, startedAt: number, max: number, ttlMs: number) {
    this.#peers = peers
    this.#forgottenAt = startedAt
    this.#ttlMs = ttlMs
    this.#positions = this.#newCache(max, ttlMs)
  }

  configure(max: number, ttlMs: number): void {
    if (max === this.#positions.maxSize && ttlMs === this.#ttlMs) return
    for (const mark of this.#positions.values()) this.#forget(mark)
    this.#ttlMs = ttlMs
    this.#positions = this.#newCache(max, ttlMs)
  }

  /** Replicas have come or gone: where others have read meanwhile, and what they have seen there, is not known. */
  replicasChanged(now: number): void {
    for (const mark of this.#positions.values()) this.#forget(mark)
    this.#positions.clear()
    this.#forgottenAt = Math.max(this.#forgottenAt, now)
  }

  get size(): number {
    return this.#positions.size
  }

  /** What a read under the key needs. */
  at(key: string): Watermark {
    const known = this.#positions.get(key)
    if (known !== undefined) return known
    const fresh = new Watermark()
    fresh.lastWriteAt = this.#forgottenAt
    this.#positions.set(key, fresh)
    return fresh
  }

  /** Whether reads under the key have to go to the primary, since others write under it, or may without this worker's knowing. */
  isHeld(key: string, now: number): boolean {
    if (!this.#peers.hearsAll) return true
    if (this.#held.size === 0) return false
    const held = this.#held.get(key)
    if (held === undefined) return false
    if (held.until > now) return true
    this.#held.delete(key)
    return false
  }

  /** Whether a write under a key has to be announced before it is executed. */
  get announces(): boolean {
    return this.#peers.state === 'connected'
  }

  announce(key: string): Promise<boolean> {
    return this.#peers.announce(key)
  }

  /** A write under a key is over. @param position null: it has written nothing */
  written(key: string, position: CausalPosition | null, flavor: Flavor): void {
    if (position !== null) this.#take(key, position, flavor)
    if (this.#peers.state === 'connected') this.#peers.publish(key, position)
  }

  // What other workers say. ----------------------------------------------------------------------------------------------

  announced(key: string, now: number): void {
    const held = this.#held.get(key)
    const until = now + this.#ttlMs
    if (held === undefined) this.#held.set(key, { writers: 1, until })
    else {
      held.writers = held.until > now ? held.writers + 1 : 1
      held.until = until
    }
  }

  published(key: string, position: CausalPosition | null, flavor: Flavor): void {
    if (position !== null) this.#take(key, position, flavor)
    const held = this.#held.get(key)
    if (held !== undefined && --held.writers <= 0) this.#held.delete(key)
  }

  #take(key: string, { at, gtids }: CausalPosition, flavor: Flavor): void {
    const mark = this.at(key)
    mark.wrote(at, gtids, flavor)
    this.#positions.set(key, mark)
  }

  #newCache(max: number, ttl: number): LRUCache<string, Watermark> {
    return boundedCache<string, Watermark>(max, {
      ttl,
      dispose: (mark, _key, reason) => {
        if (reason !== 'set') this.#forget(mark)
      },
    })
  }

  #forget(mark: Watermark): void {
    this.#forgottenAt = Math.max(this.#forgottenAt, mark.lastWriteAt, mark.seenAt)
  }
}
