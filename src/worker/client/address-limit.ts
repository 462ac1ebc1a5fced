import type { AddressCounts } from '../../shared/ipc.js'

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
  /** Of these the others believe that there are connections. */
  readonly #told = new Set<string>()
  readonly #tell: (counts: AddressCounts) => void
  #timer: NodeJS.Timeout | null = null
  #isTold = false

  /** @param tell passes on the counts that have changed */
  constructor(tell: (counts: AddressCounts) => void) {
    this.#tell = tell
  }

  /** Whether counts are told: with a limit, and other workers to share it with. Nobody needs them otherwise. */
  tellOthers(told: boolean): void {
    if (told === this.#isTold) return
    this.#isTold = told
    if (!told) return this.#changed.clear()
    for (const address of [...this.#own.keys(), ...this.#told]) this.#note(address)
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
    if (!this.#isTold) return
    this.#changed.add(address)
    this.#schedule()
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      const counts: Record<string, number> = {}
      for (const address of this.#changed) {
        const count = this.#own.get(address) ?? 0
        counts[address] = count
        if (count > 0) this.#told.add(address)
        else this.#told.delete(address)
      }
      this.#changed.clear()
      if (this.#isTold) this.#tell(counts)
    }, TELL_MS)
  }
}
