import type { Backend } from '../backend/backend.js'
import { Keep } from '../state/residue.js'

/**
 * Idle connections of one server that can stand in for each other. Those whose session has ended come first, the one that
 * was used last before all others; then those that a session would like to find again, the session that has been away for
 * longest first. What a session has left there decides how readily one is given away (see `Keep`).
 */
export class Shelf {
  /** Nobody's. */
  readonly #free: Backend[] = []
  /** Somebody's, by `Keep`, in the order in which they came to rest. */
  readonly #resting: readonly Set<Backend>[] = [new Set(), new Set(), new Set()]

  get size(): number {
    return this.#free.length + this.#resting[0].size + this.#resting[1].size + this.#resting[2].size
  }

  putFree(backend: Backend): void {
    this.#free.push(backend)
    backend.shelf = this
    backend.keep = Keep.nothing
  }

  /** @param keep what its session may still ask for there */
  putResting(backend: Backend, keep: number): void {
    this.#resting[keep].add(backend)
    backend.shelf = this
    backend.keep = keep
  }

  remove(backend: Backend): void {
    backend.shelf = null
    if (this.#resting[backend.keep].delete(backend)) return
    const at = this.#free.lastIndexOf(backend)
    if (at >= 0) this.#free.splice(at, 1)
  }

  /**
   * The connection that is to be given to another session next, which stays where it is; null: there is none to give.
   * @param now monotonic ms: what must not be given away before a time is left alone
   */
  best(now: number): Backend | null {
    for (let i = this.#free.length - 1; i >= 0; i--) if (canBeGiven(this.#free[i], now)) return this.#free[i]
    return oldest(this.#resting[Keep.nothing], now, canBeGiven) ?? oldest(this.#resting[Keep.insertId], now, canBeGiven)
  }

  /** One whose session may still ask for what nothing else can tell, and has not done so for `heldMs`. */
  overdue(now: number, heldMs: number): Backend | null {
    const backend = oldest(this.#resting[Keep.diagnostics], now, canBeClosed)
    return backend !== null && now - backend.restedAt >= heldMs ? backend : null
  }

  /**
   * The one that is to be closed first where one has to be, or null.
   * @param heldMs see `overdue`
   */
  coldest(now: number, heldMs: number): Backend | null {
    for (const backend of this.#free) if (canBeClosed(backend, now)) return backend
    return (
      oldest(this.#resting[Keep.nothing], now, canBeClosed) ??
      oldest(this.#resting[Keep.insertId], now, canBeClosed) ??
      this.overdue(now, heldMs)
    )
  }

  *[Symbol.iterator](): Iterator<Backend> {
    yield* this.#free
    for (const resting of this.#resting) yield* resting
  }
}

function oldest(resting: ReadonlySet<Backend>, now: number, may: typeof canBeGiven): Backend | null {
  for (const backend of resting) if (may(backend, now)) return backend
  return null
}

function canBeClosed({ keepUntil }: Backend, now: number): boolean {
  return keepUntil <= now
}

function canBeGiven(backend: Backend, now: number): boolean {
  return !backend.outdated && canBeClosed(backend, now)
}
