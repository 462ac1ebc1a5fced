import type { CountsByName } from '../../shared/ipc.js'

/** Counts towards other workers are told at most so often. */
const TELL_MS = 50
/** Less room than this below a limit, and each change is told at once: the next connection may be one too many. */
const NEAR = 64

/**
 * Client connections over all workers by a name that has a limit, as an address or an account: this worker's own, and those
 * of the others as they told last. Kernels spread connections unevenly, so a fixed share for each worker would refuse
 * clients that are within the limit. Within the moment that news takes (about a millisecond near the limit), each worker
 * may let in some more than the limit.
 */
export class ClientCounts {
  readonly #own = new Map<string, number>()
  readonly #others = new Map<string, number>()
  readonly #changed = new Set<string>()
  /** Of these the others believe that there are connections. */
  readonly #told = new Set<string>()
  readonly #limitOf: (name: string) => number
  readonly #tell: (counts: CountsByName) => void
  #timer: NodeJS.Timeout | null = null
  #immediate: NodeJS.Immediate | null = null
  #isShared = false

  /**
   * @param limitOf connections that a name may have over all workers; 0: any number
   * @param tell passes on the counts that have changed
   */
  constructor(limitOf: (name: string) => number, tell: (counts: CountsByName) => void) {
    this.#limitOf = limitOf
    this.#tell = tell
  }

  /**
   * To be called when limits have changed.
   * @param isShared whether there are other workers. Only they need what has a limit, and nobody all else.
   */
  configure(isShared: boolean): void {
    this.#isShared = isShared
    for (const name of [...this.#own.keys(), ...this.#told]) {
      if (this.#isTold(name) !== this.#told.has(name)) this.#note(name)
    }
  }

  /** Connections over all workers, as far as this one knows. */
  count(name: string): number {
    return this.own(name) + (this.#others.get(name) ?? 0)
  }

  /** This worker's. */
  own(name: string): number {
    return this.#own.get(name) ?? 0
  }

  /** This worker's, by name. */
  entries(): Iterable<[name: string, count: number]> {
    return this.#own.entries()
  }

  /** Whether one more would be too many. */
  isFull(name: string): boolean {
    const limit = this.#limitOf(name)
    return limit > 0 && this.count(name) >= limit
  }

  /** Whether there is one too many. */
  isOver(name: string): boolean {
    const limit = this.#limitOf(name)
    return limit > 0 && this.count(name) > limit
  }

  enter(name: string): void {
    this.#own.set(name, this.own(name) + 1)
    this.#note(name)
  }

  leave(name: string): void {
    const left = this.own(name) - 1
    if (left > 0) this.#own.set(name, left)
    else this.#own.delete(name)
    this.#note(name)
  }

  /** What the other workers have, for the names that have changed. */
  learn(others: CountsByName): void {
    for (const [name, count] of Object.entries(others)) {
      if (count > 0) this.#others.set(name, count)
      else this.#others.delete(name)
    }
  }

  /** Nobody tells of the others any more: what was known of them would be true for ever. */
  forgetOthers(): void {
    this.#others.clear()
  }

  #isTold(name: string): boolean {
    return this.#isShared && this.#limitOf(name) > 0
  }

  #note(name: string): void {
    if (!this.#isTold(name) && !this.#told.has(name)) return
    this.#changed.add(name)
    if (this.#immediate !== null) return
    if (this.count(name) > this.#limitOf(name) - NEAR) this.#immediate = setImmediate(() => this.#tellChanged())
    else this.#timer ??= setTimeout(() => this.#tellChanged(), TELL_MS)
  }

  #tellChanged(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#immediate = null
    const counts = [...this.#changed].map((name) => [name, this.#isTold(name) ? this.own(name) : 0] as const)
    for (const [name, count] of counts) {
      if (count > 0) this.#told.add(name)
      else this.#told.delete(name)
    }
    this.#changed.clear()
    this.#tell(Object.fromEntries(counts))
  }
}
