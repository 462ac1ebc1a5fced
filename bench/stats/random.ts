/**
 * Seeded random numbers (xorshift32, Marsaglia 2003): the same seed gives the same load, the same data and the same order
 * of rounds. Good enough to spread keys, not for secrets.
 */
export class Random {
  #state: number

  /** Every seed is allowed; neighbouring seeds give unrelated sequences. */
  constructor(seed: number) {
    // xorshift never leaves 0, and small seeds begin alike: a multiplication scatters them (Knuth's 2654435761).
    this.#state = Math.imul(seed + 1, 2_654_435_761) | 1
    for (let round = 0; round < 8; round++) this.next()
  }

  /** 32 bits, unsigned. */
  next(): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return state >>> 0
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit)
  }

  /** A whole number from `first` to `last`. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1)
  }

  /** A copy in random order (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const kept = shuffled[last]
      shuffled[last] = shuffled[other]
      shuffled[other] = kept
    }
    return shuffled
  }

  /** Groups of digits as in sysbench's tables: `83868641912-28773972837-...`. */
  digitGroups(groups: number, size = 11): string {
    let text = ''
    for (let group = 0; group < groups; group++) {
      if (group > 0) text += '-'
      for (let digit = 0; digit < size; digit++) text += this.below(10)
    }
    return text
  }
}
