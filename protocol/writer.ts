import { Buffer } from 'node:buffer'
import { HEADER_SIZE, MAX_PAYLOAD } from './constants.js'

/** A byte buffer that grows. Numbers are little endian. */
export class PayloadWriter {
  protected buffer: Buffer
  protected length = 0

  constructor(initialSize = 256) {
    this.buffer = Buffer.allocUnsafe(initialSize)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.length
  }

  u8(value: number): this {
    const at = this.reserve(1)
    this.buffer[at] = value
    return this
  }

  u16(value: number): this {
    const at = this.reserve(2)
    this.buffer.writeUInt16LE(value, at)
    return this
  }

  u24(value: number): this {
    const at = this.reserve(3)
    this.buffer.writeUIntLE(value, at, 3)
    return this
  }

  u32(value: number): this {
    const at = this.reserve(4)
    this.buffer.writeUInt32LE(value, at)
    return this
  }

  u64(value: number | bigint): this {
    const at = this.reserve(8)
    this.buffer.writeBigUInt64LE(BigInt(value), at)
    return this
  }

  /** Length-encoded integer in its shortest form. */
  lenenc(value: number | bigint): this {
    if (value < 0xfb) return this.u8(Number(value))
    if (value <= 0xffff) return this.u8(0xfc).u16(Number(value))
    if (value <= 0xffffff) return this.u8(0xfd).u24(Number(value))
    return this.u8(0xfe).u64(value)
  }

  lenencBytes(bytes: Uint8Array): this {
    return this.lenenc(bytes.length).bytes(bytes)
  }

  lenencString(text: string): this {
    return this.lenenc(Buffer.byteLength(text)).string(text)
  }

  nulString(text: string): this {
    return this.string(text).u8(0)
  }

  bytes(bytes: Uint8Array): this {
    const at = this.reserve(bytes.length)
    this.buffer.set(bytes, at)
    return this
  }

  /** UTF-8 without length or end mark. */
  string(text: string): this {
    const size = Buffer.byteLength(text)
    const at = this.reserve(size)
    this.buffer.write(text, at, size, 'utf8')
    return this
  }

  zeros(count: number): this {
    const at = this.reserve(count)
    this.buffer.fill(0, at, at + count)
    return this
  }

  /** A copy of everything written; the writer is empty afterwards and keeps its memory. */
  take(): Buffer {
    const copy = Buffer.from(this.buffer.subarray(0, this.length))
    this.length = 0
    return copy
  }

  /** Makes room for `count` bytes and returns the index of the first; `buffer` may be another one afterwards. */
  protected reserve(count: number): number {
    const at = this.length
    const wanted = at + count
    if (wanted > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(wanted, this.buffer.length * 2))
      this.buffer.copy(grown, 0, 0, at)
      this.buffer = grown
    }
    this.length = wanted
    return at
  }
}

/**
 * Writes whole packets: `begin`, the payload, `end`, and so on, then `take`. Payloads of 16 MB - 1 and more are split
 * as the protocol wants it, a closing empty packet included.
 */
export class PacketWriter extends PayloadWriter {
  /** Sequence number of the next packet, 0 to 255. */
  sequence: number
  #payloadStart = -1

  constructor(sequence = 0, initialSize = 256) {
    super(initialSize)
    this.sequence = sequence & 0xff
  }

  begin(): this {
    if (this.#payloadStart >= 0) throw new Error('the packet before is not ended')
    this.#payloadStart = this.reserve(HEADER_SIZE) + HEADER_SIZE
    return this
  }

  end(): this {
    if (this.#payloadStart < 0) throw new Error('no packet is begun')
    const start = this.#payloadStart
    const size = this.length - start
    this.#payloadStart = -1
    this.#makeRoomForContinuations(start, size)
    let at = start - HEADER_SIZE
    let left = size
    for (;;) {
      const part = Math.min(left, MAX_PAYLOAD)
      this.buffer.writeUIntLE(part, at, 3)
      this.buffer[at + 3] = this.sequence
      this.sequence = (this.sequence + 1) & 0xff
      if (part < MAX_PAYLOAD) return this
      at += HEADER_SIZE + part
      left -= part
    }
  }

  /** One whole packet. */
  packet(payload: Uint8Array): this {
    return this.begin().bytes(payload).end()
  }

  /** Moves the parts of a long payload apart, last part first, so that a header fits before each. */
  #makeRoomForContinuations(start: number, size: number): void {
    const continuations = Math.floor(size / MAX_PAYLOAD)
    if (continuations === 0) return
    this.reserve(continuations * HEADER_SIZE)
    for (let part = continuations; part > 0; part--) {
      const from = start + part * MAX_PAYLOAD
      const to = Math.min(from + MAX_PAYLOAD, start + size)
      this.buffer.copyWithin(from + part * HEADER_SIZE, from, to)
    }
  }
}

/** One payload as a complete packet, or several when it is long. */
export function frame(payload: Uint8Array, sequence: number): Buffer {
  if (payload.length >= MAX_PAYLOAD) return new PacketWriter(sequence, payload.length + 64).packet(payload).take()
  const packet = Buffer.allocUnsafe(HEADER_SIZE + payload.length)
  packet.writeUIntLE(payload.length, 0, 3)
  packet[3] = sequence & 0xff
  packet.set(payload, HEADER_SIZE)
  return packet
}
