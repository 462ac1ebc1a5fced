import type { CacheWrites, CacheWritten, FromWorker } from '../../shared/ipc.js'
import type { OthersWay, WayToOthers } from '../announcements.js'

/** A write waits no longer than this for the other workers to know of it. */
const ANNOUNCE_MS = 200

/** The way to the other workers, which have to know of each write before it is sent. */
export interface CachePeers {
  /** Whether there are others, and the way to them is open. */
  readonly state: WayToOthers
  /** Whether all has come that others have announced. */
  readonly hearsAll: boolean
  /** Resolves when all others know that writes have to be told from now on; false: that could not be made sure. */
  begin(): Promise<boolean>
  /** The same of one write. @param write a number that no other write of this worker has */
  announce(write: number, tables: readonly string[] | null): Promise<boolean>
  ended(write: number, lost: boolean): void
}

interface Batch {
  readonly writes: [number, readonly string[] | null][]
  readonly sent: Promise<boolean>
  readonly settle: (known: boolean) => void
}

/**
 * Leads through the control plane. One announcement is on its way at a time; writes that begin meanwhile go together with the
 * next, so that many of them cost few messages. Ends of writes go together once per turn of the event loop.
 */
export class CacheChannel implements CachePeers {
  readonly #send: (message: FromWorker) => void
  readonly #way: OthersWay
  #last = 0
  /** On its way, with the number of its request. */
  #current: { readonly request: number; readonly batch: Batch } | null = null
  #next: Batch | null = null
  #ended: CacheWritten[] = []

  constructor(send: (message: FromWorker) => void, way: OthersWay) {
    this.#send = send
    this.#way = way
  }

  get state(): WayToOthers {
    return this.#way.state
  }

  get hearsAll(): boolean {
    return this.#way.hearsAll
  }

  begin(): Promise<boolean> {
    return this.#join().sent
  }

  announce(write: number, tables: readonly string[] | null): Promise<boolean> {
    const batch = this.#join([write, tables])
    return batch.sent
  }

  /** The announcement that leaves next, which is now where none is on its way. */
  #join(write?: [number, readonly string[] | null]): Batch {
    this.#next ??= newBatch()
    const batch = this.#next
    if (write !== undefined) batch.writes.push(write)
    if (this.#current === null) this.#leave()
    return batch
  }

  #leave(): void {
    const batch = this.#next
    this.#next = null
    if (batch === null) return
    const request = ++this.#last
    const timer = setTimeout(() => this.#settle(request, false), ANNOUNCE_MS)
    void batch.sent.then(() => clearTimeout(timer))
    this.#current = { request, batch }
    this.#send({ type: 'cache-announce', request, writes: batch.writes satisfies CacheWrites })
  }

  /** All others have said that they know. */
  acknowledged(request: number): void {
    this.#settle(request, true)
  }

  #settle(request: number, known: boolean): void {
    if (this.#current?.request !== request) return
    const { batch } = this.#current
    this.#current = null
    if (!known) this.#way.wentUnheard()
    batch.settle(known)
    this.#leave()
  }

  ended(write: number, lost: boolean): void {
    const unsent = this.#next?.writes.findIndex(([number]) => number === write) ?? -1
    if (unsent >= 0) {
      this.#next!.writes.splice(unsent, 1)
      return
    }
    if (this.#ended.length === 0) setImmediate(() => this.#tellEnds())
    this.#ended.push([write, lost])
  }

  #tellEnds(): void {
    const writes = this.#ended
    this.#ended = []
    this.#send({ type: 'cache-written', writes })
  }
}

function newBatch(): Batch {
  let settle: (known: boolean) => void = () => {}
  const sent = new Promise<boolean>((resolve) => {
    settle = resolve
  })
  return { writes: [], sent, settle }
}
