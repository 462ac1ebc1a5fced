import { Buffer } from 'node:buffer'

const EMPTY = Buffer.alloc(0)
const FIRST_ALLOCATION = 4_096

/** Copies of bytes that belong together and come in several chunks. Memory grows with what has come, not with what is wanted. */
export class HeldBytes {
  /** The first `length` bytes are those held. */
  bytes: Buffer = EMPTY
  length = 0

  /**
   * Copies from `chunk[from, ...)` until `wanted` bytes are held in all, or the chunk is at its end.
   * @returns how many bytes were copied
   */
  add(chunk: Buffer, from: number, wanted: number): number {
    const taken = Math.min(wanted - this.length, chunk.length - from)
    const needed = this.length + taken
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.min(wanted, Math.max(needed, 2 * this.bytes.length, FIRST_ALLOCATION)))
      this.bytes.copy(grown, 0, 0, this.length)
      this.bytes = grown
    }
    chunk.copy(this.bytes, this.length, from, from + taken)
    this.length = needed
    return taken
  }

  /** Gives away what is held, and holds nothing any more. */
  take(): Buffer {
    const { bytes, length } = this
    this.bytes = EMPTY
    this.length = 0
    return bytes.length === length ? bytes : bytes.subarray(0, length)
  }
}
