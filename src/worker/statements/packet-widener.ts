/**
 * Inserts bytes into a command of any length that passes through in pieces: the packets behind the place are cut anew,
 * since all of them but the last have 16 MiB - 1 bytes. What is in excess in one goes into the next one; no more than the
 * inserted bytes are held.
 */
export class PacketWidener {
  readonly #at: number
  readonly #insert: Buffer
  /** Bytes of the stream seen so far, up to the place. */
  #position = 0
  /** Header bytes of the incoming packet that have come. */
  #header = Buffer.alloc(HEADER)
  #headerLength = 0
  /** Payload bytes still to come of the incoming packet. */
  #remaining = 0
  #full = false
  /** Size of the outgoing packet's payload, and what of it is still to come. */
  #length = 0
  #room = 0
  /** Payload that waits for the next outgoing packet. */
  #spill: Buffer = EMPTY
  #sequence = 0
  #out: Buffer[] = []

  /**
   * @param at where the bytes go: an index into the stream, within its first packet and behind its header
   * @param insert at most 16 MiB - 2 bytes
   */
  constructor(at: number, insert: Buffer) {
    if (insert.length >= MAX_PAYLOAD) throw new RangeError('too much to be inserted')
    this.#at = at
    this.#insert = insert
  }

  /** Takes the next raw bytes of the stream, headers included, and returns those that go out instead. */
  push(bytes: Buffer): Buffer {
    let at = 0
    while (at < bytes.length) {
      if (this.#headerLength < HEADER) {
        this.#header[this.#headerLength++] = bytes[at++]
        this.#position++
        if (this.#headerLength === HEADER) this.#beginPacket()
        continue
      }
      const untilPlace = this.#at - this.#position
      const limit = untilPlace > 0 ? Math.min(this.#remaining, untilPlace) : this.#remaining
      const end = Math.min(bytes.length, at + limit)
      this.#payload(bytes.subarray(at, end))
      this.#position += end - at
      this.#remaining -= end - at
      at = end
      if (this.#position === this.#at) this.#payload(this.#insert)
      if (this.#remaining === 0) this.#endPacket()
    }
    const out = Buffer.concat(this.#out)
    this.#out = []
    return out
  }

  #beginPacket(): void {
    const length = this.#header.readUIntLE(0, 3)
    this.#remaining = length
    this.#full = length === MAX_PAYLOAD
    const first = this.#position === HEADER
    const extra = first ? this.#insert.length : this.#spill.length
    this.#open(Math.min(MAX_PAYLOAD, length + extra))
    const spill = this.#spill
    this.#spill = EMPTY
    this.#payload(spill)
    if (length === 0) this.#endPacket()
  }

  #open(length: number): void {
    const header = Buffer.alloc(HEADER)
    header.writeUIntLE(length, 0, 3)
    header[3] = this.#sequence++ & 0xff
    this.#out.push(header)
    this.#room = this.#length = length
  }

  #payload(bytes: Buffer): void {
    const fits = Math.min(bytes.length, this.#room)
    if (fits > 0) this.#out.push(bytes.subarray(0, fits))
    this.#room -= fits
    if (fits < bytes.length) this.#spill = Buffer.concat([this.#spill, bytes.subarray(fits)])
  }

  /** The last incoming packet may leave more than one going out: a full one is followed by another, be it empty. */
  #endPacket(): void {
    this.#headerLength = 0
    if (this.#full) return
    const last = this.#spill
    if (this.#length < MAX_PAYLOAD) return
    this.#open(last.length)
    this.#spill = EMPTY
    this.#payload(last)
  }
}

const HEADER = 4
const MAX_PAYLOAD = 0xffffff
const EMPTY: Buffer = Buffer.alloc(0)
