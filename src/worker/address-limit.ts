import type { AddressCounts } from '../shared/ipc.js'

/** Counts towards other workers are told at most so often. */
const TELL_MS = 50

/**
 * Connections by client address over all workers: this worker's own, and those of the others as they told last. Kernels
 * spread connections unevenly, so a fixed share for each worker would refuse clients that are within the limit. Within
 * the moment that news takes, each worker may let in some more than the limit.
 */
export class AddressLimit {
  readonly #own = new Map<string, number>()
  readonly #others = new Map<string, number>()
  readonly #changed = new Set<string>()
  readonly #tell: (counts: AddressCounts) => void
  #timer: NodeJS.Timeout | null = null
  #isTold = false

  /** @param tell passes on the counts that have changed */
  constructor(tell: (counts: AddressCounts) => void) {
    this.#tell = tell
  }

  /** With a limit, and other workers to share it with, counts are told; without one nobody needs them. */
  set isTold(told: boolean) {
    if (told && !this.#isTold) for (const address of this.#own.keys()) this.#note(address)
    this.#isTold = told
    if (told) this.#schedule()
  }

  /** Connections from an address, as far as this worker knows. */
  count(address: string): number {
    return (this.#own.get(address) ?? 0) + (this.#others.get(address) ?? 0)
  }

  enter(address: string): void {
    this.#own.set(address, (this.#own.get(address) ?? 0) + 1)
    this.#note(address)
  }

  leave(address: string): void {
    const left = (this.#own.get(address) ?? 1) - 1
    if (left > 0) this.#own.set(address, left)
    else this.#own.delete(address)
    this.#note(address)
  }

  /** What the other workers have, for the addresses that have changed. */
  learn(others: AddressCounts): void {
    for (const [address, count] of Object.entries(others)) {
      if (count > 0) this.#others.set(address, count)
      else this.#others.delete(address)
    }
  }

  /** Nobody tells of the others any more: what was known of them would be true for ever. */
  forgetOthers(): void {
    this.#others.clear()
  }

  #note(address: string): void {
    this.#changed.add(address)
    if (this.#isTold) this.#schedule()
    else this.#changed.clear()
  }

  #schedule(): void {
    if (this.#timer !== null || this.#changed.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      const counts = Object.fromEntries([...this.#changed].map((address) => [address, this.#own.get(address) ?? 0]))
      this.#changed.clear()
      this.#tell(counts)
    }, TELL_MS)
  }
}
