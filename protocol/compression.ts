import { Buffer } from 'node:buffer'
import { deflateSync, inflateSync } from 'node:zlib'
import { ProtocolError, ServerErrors } from './errors.js'
import { HeldBytes } from './held-bytes.js'

/**
 * The compressed protocol: after the login, the stream of packets travels in frames of their own. A frame's header is
 * 3 bytes of length, 1 byte of sequence and 3 bytes of length before compression; 0: the payload is stored as it is.
 * Frames know nothing of the borders of packets. Source: MySQL's source documentation, "Compression", and its
 * `sql-common/net_serv.cc`.
 */

/** MySQL's names (`protocol_compression_algorithms`). */
export type CompressionAlgorithm = 'zlib' | 'zstd'

/** Turns payloads of frames into shorter ones and back, at once. */
export interface Compressor {
  readonly algorithm: CompressionAlgorithm
  /** @param level of the algorithm's own scale: zlib 1 to 9, zstd 1 to 22 */
  compress(bytes: Uint8Array, level: number): Uint8Array
  /**
   * Throws when the result has another length than `size`, or the bytes are damaged. Takes no memory for more than
   * `size` bytes, whatever the bytes themselves claim.
   * @param size at least 1
   */
  decompress(bytes: Uint8Array, size: number): Uint8Array
}

/** Bytes of a frame's header. */
export const FRAME_HEADER_SIZE = 7

/** Payloads that are shorter are stored (`MIN_COMPRESS_LENGTH` in MySQL's `include/my_compress.h`). */
export const MIN_COMPRESS_LENGTH = 50

/**
 * zstd: MySQL's default (manual, --zstd-compression-level). zlib: servers use 6, which makes rows a tenth shorter than 3 and
 * takes two and a half times as long; here many connections share a processor.
 */
export const DEFAULT_COMPRESSION_LEVEL: Readonly<Record<CompressionAlgorithm, number>> = { zlib: 3, zstd: 3 }

/** Payload bytes of the frames made here: few enough that compressing one holds nobody up for long. */
const FRAME_PAYLOAD_MAX = 65_536

/** Below this a small window serves as well, and is set up in half the time. */
const SMALL_PAYLOAD = 4_096
const SMALL_WINDOW = { windowBits: 12, memLevel: 5 } as const
const INFLATE_CHUNK_MIN = 64
const INFLATE_CHUNK_MAX = 131_072

export const zlibCompressor: Compressor = {
  algorithm: 'zlib',
  compress: (bytes, level) =>
    deflateSync(bytes, bytes.length <= SMALL_PAYLOAD ? { level, ...SMALL_WINDOW } : { level }),
  decompress(bytes, size) {
    const chunkSize = Math.min(Math.max(size, INFLATE_CHUNK_MIN), INFLATE_CHUNK_MAX)
    const result = inflateSync(bytes, { chunkSize, maxOutputLength: size })
    if (result.length !== size) throw new RangeError(`${result.length} bytes instead of ${size}`)
    return result
  },
}

const EMPTY = Buffer.alloc(0)

/**
 * Chunks of a compressed stream to the bytes that it carries, one frame at a time, so that whoever reads it decides how
 * much is decompressed ahead: a chunk of some KiB can hold gigabytes. Memory grows with what was received; a frame that
 * is stored is passed on as it comes.
 */
export class CompressedFrameReader {
  /** Sequence number of the frame that the last bytes were of. */
  sequence = 0
  /** The last bytes were the first ones of their frame. */
  frameBegins = false

  readonly #compressor: Compressor
  #chunk: Buffer = EMPTY
  #position = 0
  /** Bytes of a header or of a compressed payload that was cut by the end of a chunk. */
  readonly #held = new HeldBytes()
  /** Payload bytes to come of the current frame; -1: its header is awaited. */
  #remaining = -1
  /** What the current frame's payload becomes, in bytes; 0: it is stored. */
  #size = 0
  /** Nothing of the current frame has been given out. */
  #fresh = false

  constructor(compressor: Compressor) {
    this.#compressor = compressor
  }

  /** Gives the next bytes of the stream. What `next` has not taken of the chunk before is kept. */
  push(chunk: Buffer): void {
    this.#chunk = this.unread === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#position), chunk])
    this.#position = 0
  }

  /** Bytes pushed and not yet looked at by `next`. */
  get unread(): number {
    return this.#chunk.length - this.#position
  }

  /**
   * The next bytes that the stream carries (none: an empty frame), or null: more has to be pushed first. They may be a
   * view of the chunk.
   * Throws ProtocolError when a frame does not hold what its header says.
   */
  next(): Buffer | null {
    if (this.#remaining < 0 && !this.#readHeader()) return null
    const bytes = this.#size === 0 ? this.#takeStored() : this.#takeCompressed()
    if (bytes === null) return null
    this.frameBegins = this.#fresh
    this.#fresh = false
    return bytes
  }

  #readHeader(): boolean {
    const header = this.#gather(FRAME_HEADER_SIZE)
    if (header === null) return false
    this.#remaining = header.readUIntLE(0, 3)
    this.sequence = header[3]
    this.#size = header.readUIntLE(4, 3)
    this.#fresh = true
    return true
  }

  #takeStored(): Buffer | null {
    const take = Math.min(this.#remaining, this.unread)
    if (take === 0 && this.#remaining > 0) {
      this.#release()
      return null
    }
    const bytes = this.#chunk.subarray(this.#position, this.#position + take)
    this.#position += take
    this.#remaining -= take
    if (this.#remaining === 0) this.#remaining = -1
    return bytes
  }

  #takeCompressed(): Buffer | null {
    const payload = this.#gather(this.#remaining)
    if (payload === null) return null
    this.#remaining = -1
    try {
      const { buffer, byteOffset, byteLength } = this.#compressor.decompress(payload, this.#size)
      return Buffer.from(buffer, byteOffset, byteLength)
    } catch (error) {
      const problem = `a compressed packet is not what its header says: ${(error as Error).message}`
      throw new ProtocolError('bad-compression', problem, ServerErrors.NET_UNCOMPRESS_ERROR)
    }
  }

  /** `wanted` bytes in one piece; null as long as they have not come. */
  #gather(wanted: number): Buffer | null {
    if (this.#held.length === 0 && this.unread >= wanted) {
      const bytes = this.#chunk.subarray(this.#position, this.#position + wanted)
      this.#position += wanted
      return bytes
    }
    this.#position += this.#held.add(this.#chunk, this.#position, wanted)
    if (this.#held.length === wanted) return this.#held.take()
    this.#release()
    return null
  }

  /** Lets the chunk go, so that an idle connection keeps no memory alive. */
  #release(): void {
    this.#chunk = EMPTY
    this.#position = 0
  }
}

/** Bytes to frames. */
export class CompressedFrameWriter {
  /** Of the next frame, 0 to 255. Each command begins at 0, and its answer goes on where the command ended. */
  sequence = 0
  readonly #compressor: Compressor
  readonly #level: number

  constructor(compressor: Compressor, level = DEFAULT_COMPRESSION_LEVEL[compressor.algorithm]) {
    this.#compressor = compressor
    this.#level = level
  }

  /** The frames that carry these bytes, in memory of their own. */
  encode(bytes: Buffer): Buffer {
    if (bytes.length <= FRAME_PAYLOAD_MAX) return this.#frame(bytes)
    const frames: Buffer[] = []
    for (let at = 0; at < bytes.length; at += FRAME_PAYLOAD_MAX) {
      frames.push(this.#frame(bytes.subarray(at, Math.min(at + FRAME_PAYLOAD_MAX, bytes.length))))
    }
    return Buffer.concat(frames)
  }

  #frame(bytes: Buffer): Buffer {
    let payload: Uint8Array = bytes
    let size = 0
    if (bytes.length >= MIN_COMPRESS_LENGTH) {
      const compressed = this.#compressor.compress(bytes, this.#level)
      if (compressed.length < bytes.length) {
        payload = compressed
        size = bytes.length
      }
    }
    const frame = Buffer.allocUnsafe(FRAME_HEADER_SIZE + payload.length)
    frame.writeUIntLE(payload.length, 0, 3)
    frame[3] = this.sequence
    frame.writeUIntLE(size, 4, 3)
    frame.set(payload, FRAME_HEADER_SIZE)
    this.sequence = (this.sequence + 1) & 0xff
    return frame
  }
}

/** Finds the headers of packets in a stream that is cut anywhere, without looking at what is between them. */
export class PacketWalker {
  #length = 0
  #headerBytes = 0
  #remaining = 0

  /** Whether the stream stands between two packets. The parts of a payload of 16 MB and more are packets, too. */
  get atBoundary(): boolean {
    return this.#remaining === 0 && this.#headerBytes === 0
  }

  /**
   * Where in `bytes`, from `from` on, the sequence number of the next packet is; -1: not in here. To be called with the
   * place behind the one found until there is none: the stream goes on with the next `bytes`.
   */
  find(bytes: Buffer, from: number): number {
    let at = from + this.#remaining
    if (at > bytes.length) {
      this.#remaining = at - bytes.length
      return -1
    }
    this.#remaining = 0
    while (at < bytes.length) {
      if (this.#headerBytes === LENGTH_BYTES) {
        this.#remaining = this.#length
        this.#length = 0
        this.#headerBytes = 0
        return at
      }
      this.#length |= bytes[at++] << (8 * this.#headerBytes++)
    }
    return -1
  }
}

const LENGTH_BYTES = 3
