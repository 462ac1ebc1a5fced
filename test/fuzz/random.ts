/** Bytes that mean something special somewhere. */
const SPECIAL = [0x00, 0x01, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]

/** Random numbers that depend on a text alone (FNV-1a, mulberry32), and what is made of them. */
export class Random {
  /** What the input was, in hexadecimal, for the message of a failure. */
  readonly notes: string[] = []
  #state: number

  constructor(seed: string) {
    let hash = 0x811c9dc5
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193)
    this.#state = hash >>> 0
  }

  /** From 0 up to 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  u32(): number {
    return this.below(2 ** 32)
  }

  pick<V>(from: readonly V[]): V {
    return from[this.below(from.length)] as V
  }

  noise(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = this.once(3) ? this.pick(SPECIAL) : this.below(256)
    return bytes
  }

  /** A copy with one to four changes: cut, a bit or a byte changed, bytes put in or left out. */
  mutate(bytes: Buffer): Buffer {
    let mutated = Buffer.from(bytes)
    for (let i = this.below(4); i >= 0; i--) {
      const at = this.below(mutated.length + 1)
      const kind = this.below(5)
      if (kind === 0) mutated = mutated.subarray(0, at)
      else if (kind === 1 && at < mutated.length) mutated[at] ^= 1 << this.below(8)
      else if (kind === 2 && at < mutated.length) mutated[at] = this.pick(SPECIAL)
      else if (kind === 3)
        mutated = Buffer.concat([mutated.subarray(0, at), this.noise(this.below(12)), mutated.subarray(at)])
      else mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + this.below(6))])
    }
    return mutated
  }

  /** Notes bytes of the input, and returns them. */
  note(bytes: Buffer): Buffer {
    this.notes.push(bytes.toString('hex'))
    return bytes
  }
}
