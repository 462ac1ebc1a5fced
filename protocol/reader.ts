import { Buffer } from 'node:buffer'
import { ProtocolError } from './errors.js'

/** First byte that stands for NULL where a length-encoded string may be NULL. */
const NULL_MARKER = 0xfb

/**
 * A cursor over one payload, which lies between `start` and `end` of a buffer. It never reads outside of these
 * bounds: where too little is left it throws `ProtocolError('truncated')`. One instance can be used again and again
 * with `reset`. Byte strings come as views of the buffer, not as copies.
 */
export class PacketReader {
  buffer: Buffer
  /** Index of the next byte to read. */
  position: number
  /** Index of the first byte that no longer belongs to the payload. */
  end: number
  /** The range that `lenencRange` found last. */
  rangeStart = 0
  rangeEnd = 0

  constructor(buffer: Buffer = Buffer.alloc(0), start = 0, end = buffer.length) {
    this.buffer = buffer
    this.position = start
    this.end = end
    this.reset(buffer, start, end)
  }

  /** Starts over with another payload. Throws RangeError when the bounds do not lie in the buffer. */
  reset(buffer: Buffer, start = 0, end = buffer.length): this {
    if (start < 0 || end < start || end > buffer.length) throw new RangeError('bounds outside of the buffer')
    this.buffer = buffer
    this.position = start
    this.end = end
    return this
  }

  /** Number of bytes that are left. */
  get remaining(): number {
    return this.end - this.position
  }

  /** The next byte, without moving on; -1 at the end. */
  peek(): number {
    return this.position < this.end ? this.buffer[this.position] : -1
  }

  skip(length: number): void {
    this.#advance(length)
  }

  u8(): number {
    return this.buffer[this.#advance(1)]
  }

  u16(): number {
    return this.buffer.readUInt16LE(this.#advance(2))
  }

  u24(): number {
    return this.buffer.readUIntLE(this.#advance(3), 3)
  }

  u32(): number {
    return this.buffer.readUInt32LE(this.#advance(4))
  }

  /** 64 bits, unsigned: a number up to 2^53 - 1, a bigint above. */
  u64(): number | bigint {
    const at = this.#advance(8)
    const high = this.buffer.readUInt32LE(at + 4)
    if (high < 0x200000) return high * 0x1_0000_0000 + this.buffer.readUInt32LE(at)
    return this.buffer.readBigUInt64LE(at)
  }

  /** Length-encoded integer; as `u64`, the result is a bigint only above 2^53 - 1. */
  lenenc(): number | bigint {
    const first = this.u8()
    if (first < NULL_MARKER) return first
    if (first === 0xfc) return this.u16()
    if (first === 0xfd) return this.u24()
    if (first === 0xfe) return this.u64()
    throw new ProtocolError('malformed', 'not a length-encoded integer')
  }

  /** Length-encoded integer that must be a plain number, such as a count; bigger ones are malformed. */
  lenencNumber(): number {
    const value = this.lenenc()
    if (typeof value === 'bigint') throw new ProtocolError('malformed', 'a length is out of range')
    return value
  }

  /** Moves over a length-encoded string and leaves its bounds in `rangeStart` and `rangeEnd`. */
  lenencRange(): void {
    const length = this.lenencNumber()
    this.rangeStart = this.#advance(length)
    this.rangeEnd = this.position
  }

  /** Length-encoded string as a view. */
  lenencBytes(): Buffer {
    this.lenencRange()
    return this.buffer.subarray(this.rangeStart, this.rangeEnd)
  }

  /** Length-encoded string as a view, or null where the NULL marker stands. */
  lenencBytesOrNull(): Buffer | null {
    if (this.peek() !== NULL_MARKER) return this.lenencBytes()
    this.position++
    return null
  }

  lenencString(): string {
    this.lenencRange()
    return this.buffer.toString('utf8', this.rangeStart, this.rangeEnd)
  }

  /** Bytes up to a zero, which is skipped. A string without its zero is truncated. */
  nulBytes(): Buffer {
    const left = this.buffer.subarray(this.position, this.end)
    const zero = left.indexOf(0)
    if (zero < 0) throw new ProtocolError('truncated', 'a string has no end')
    this.position += zero + 1
    return left.subarray(0, zero)
  }

  nulString(): string {
    return this.nulBytes().toString('utf8')
  }

  /** As `nulBytes`, but the end of the payload also ends the string: some clients leave the last zero out. */
  nulBytesOrRest(): Buffer {
    return this.buffer.subarray(this.position, this.end).includes(0) ? this.nulBytes() : this.rest()
  }

  bytes(length: number): Buffer {
    const at = this.#advance(length)
    return this.buffer.subarray(at, at + length)
  }

  /** All bytes that are left, as a view. */
  rest(): Buffer {
    return this.bytes(this.remaining)
  }

  /** Takes `length` bytes and returns the index of the first. */
  #advance(length: number): number {
    const at = this.position
    if (length > this.end - at) {
      throw new ProtocolError('truncated', `${length} bytes wanted, ${this.end - at} left`)
    }
    this.position = at + length
    return at
  }
}
