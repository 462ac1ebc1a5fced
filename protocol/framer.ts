import { HeldBytes } from './held-bytes.js'

/**
 * Cuts a byte stream into MySQL packets: 3 bytes payload length (little endian), 1 byte sequence number, payload
 * (MySQL source documentation, "Protocol Basics: MySQL Packets"). A payload of 16 MiB - 1 continues in the next packet.
 *
 * States, by what is known of the packet at the read position:
 *
 *   between packets --header and payload in the chunk--> packet            (a view; nothing is copied)
 *   between packets --cut by the end of the chunk------> gathering         (the part is copied, it grows as bytes come)
 *   gathering       --whole-------------------------> packet
 *   either          --longer than bufferLimit-------> large, then pieces   (never held whole)
 *
 * No allocation for a packet that lies whole in its chunk.
 */

/** What `Framer.next()` found. */
export const Frame = {
  /** Nothing more can be told before the next `push`. */
  more: 0,
  /** A whole packet: its payload is `buffer[start, end)`. */
  packet: 1,
  /** The beginning of a payload longer than `bufferLimit`: `buffer[start - 4, end)` is its header and first bytes. */
  large: 2,
  /** More raw bytes (headers included) of that payload: `buffer[start, end)`; `last` tells whether it ends with them. */
  piece: 3,
} as const

const HEADER = 4
const MAX_PAYLOAD = 0xffffff
/** How much of a large payload is shown with `Frame.large`: enough to tell what statement it is. */
export const LARGE_PREFIX_BYTES = 16_384
const EMPTY = Buffer.alloc(0)

export class Framer {
  /** Where the current packet or piece lies. Valid until the next call of `next` or `push`. */
  buffer: Buffer = EMPTY
  start = 0
  end = 0
  /** Sequence number of the current packet. */
  sequence = 0
  /** After `Frame.large` or `Frame.piece`: these bytes are the last of their payload. */
  last = false
  /** After `Frame.large` or `Frame.piece`: payload bytes announced so far, over all packets of the payload. */
  announced = 0

  /** Longest payload that is held whole, in bytes; at most 16 MiB - 2. It may be changed between packets. */
  bufferLimit: number

  #chunk: Buffer = EMPTY
  #position = 0
  /** Bytes of a packet (with header) that was cut by the end of a chunk. */
  readonly #held = new HeldBytes()
  /** Bytes still to come of the current packet of a large payload; -1: not inside of one. */
  #largeRemaining = -1
  /** The current packet of a large payload is full, so that another one follows. */
  #largeContinues = false

  constructor(bufferLimit = 1 << 20) {
    if (!(bufferLimit > 0 && bufferLimit < MAX_PAYLOAD)) throw new RangeError('bufferLimit must be from 1 to 16777214')
    this.bufferLimit = bufferLimit
  }

  /** Gives the next bytes of the stream. What was pushed before should have been taken by `next`; if not, it is kept. */
  push(chunk: Buffer): void {
    this.#chunk = this.unread === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#position), chunk])
    this.#position = 0
  }

  /** Bytes pushed and not yet taken by `next`. */
  get unread(): number {
    return this.#chunk.length - this.#position
  }

  /** Whether the stream stands between two payloads, with nothing unread. */
  get atBoundary(): boolean {
    return this.unread === 0 && this.#held.length === 0 && this.#largeRemaining < 0
  }

  /** Takes all bytes that were pushed and not looked at yet (for a TLS upgrade). Only valid between packets. */
  takeUnread(): Buffer {
    if (this.#held.length > 0 || this.#largeRemaining >= 0) {
      const held = Buffer.concat([this.#held.take(), this.#chunk.subarray(this.#position)])
      this.#release()
      return held
    }
    const rest = this.#chunk.subarray(this.#position)
    this.#release()
    return rest
  }

  /** Finds what comes next; one of `Frame`. */
  next(): number {
    if (this.#largeRemaining >= 0) return this.#nextPiece()
    if (this.#held.length > 0) return this.#gather()
    const available = this.#chunk.length - this.#position
    if (available >= HEADER) {
      const chunk = this.#chunk
      const position = this.#position
      const length = chunk[position] | (chunk[position + 1] << 8) | (chunk[position + 2] << 16)
      if (available >= HEADER + length && length <= this.bufferLimit) {
        this.buffer = chunk
        this.sequence = chunk[position + 3]
        this.start = position + HEADER
        this.end = this.#position = position + HEADER + length
        return Frame.packet
      }
    } else if (available === 0) {
      this.#release()
      return Frame.more
    }
    return this.#gather()
  }

  /** Collects a packet that no single chunk holds. */
  #gather(): number {
    if (this.#held.length < HEADER && !this.#hold(HEADER)) return Frame.more
    const { bytes } = this.#held
    const length = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16)
    this.sequence = bytes[3]
    const large = length > this.bufferLimit
    const wanted = HEADER + (large ? Math.min(length, LARGE_PREFIX_BYTES) : length)
    if (!this.#hold(wanted)) return Frame.more
    this.buffer = this.#held.take()
    this.start = HEADER
    this.end = wanted
    if (!large) return Frame.packet
    this.announced = length
    this.#largeRemaining = length - (wanted - HEADER)
    this.#largeContinues = length === MAX_PAYLOAD
    this.#noteLast()
    return Frame.large
  }

  /** Copies from the chunk until `wanted` bytes are held; false as long as they have not come. */
  #hold(wanted: number): boolean {
    this.#position += this.#held.add(this.#chunk, this.#position, wanted)
    if (this.#held.length === wanted) return true
    this.#release()
    return false
  }

  /** Passes on the bytes of a large payload as they come: up to the end of its packet, then the next header. */
  #nextPiece(): number {
    if (this.#largeRemaining === 0) {
      if (!this.#hold(HEADER)) return Frame.more
      const header = this.#held.take()
      const length = header[0] | (header[1] << 8) | (header[2] << 16)
      this.buffer = header
      this.sequence = header[3]
      this.start = 0
      this.end = HEADER
      this.announced += length
      this.#largeContinues = length === MAX_PAYLOAD
      this.#largeRemaining = length
      this.#noteLast()
      return Frame.piece
    }
    const take = Math.min(this.#largeRemaining, this.unread)
    if (take === 0) {
      this.#release()
      return Frame.more
    }
    this.buffer = this.#chunk
    this.start = this.#position
    this.end = this.#position += take
    this.#largeRemaining -= take
    this.#noteLast()
    return Frame.piece
  }

  #noteLast(): void {
    this.last = this.#largeRemaining === 0 && !this.#largeContinues
    if (this.last) this.#largeRemaining = -1
  }

  /** Lets the chunk go, so that an idle connection keeps no memory alive. */
  #release(): void {
    this.#chunk = EMPTY
    this.#position = 0
  }
}
