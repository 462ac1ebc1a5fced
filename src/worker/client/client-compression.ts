import type { Socket } from 'node:net'
import {
  CompressedFrameReader,
  CompressedFrameWriter,
  PacketWalker,
  ProtocolError,
  ServerErrors,
} from '../../../protocol/index.js'
import type { Compression } from '../backend/compressors.js'

/** What is written in one turn is compressed together, in frames of up to this size. */
const TURN_BYTES_MAX = 65_536

/** Who takes what a client sends. */
export interface CompressedClientReader {
  readonly received: (bytes: Buffer) => void
  /** The client broke the protocol; nothing more of it is read. */
  readonly broken: (error: ProtocolError) => void
}

/**
 * The compressed connection of a client. Frames are numbered by conversation: a command begins at 0, and either side goes
 * on where the other one ended. They are decompressed one by one while the session reads, so that a client that sends
 * ahead, or a few bytes that become many, take no more memory than one frame.
 */
export class ClientCompression {
  readonly #socket: Socket
  readonly #reader: CompressedFrameReader
  readonly #writer: CompressedFrameWriter
  /** Tells whether what has come ends between two packets: only there may a command begin. */
  readonly #walker = new PacketWalker()
  readonly #session: CompressedClientReader
  /** Sequence number of the next frame that goes on with the conversation. */
  #expected = 0
  /** The client has sent the beginning of a command that the session has not taken yet. */
  #ahead = false
  #paused = false
  #delivering = false
  #ended = false
  #pending: Buffer[] = []
  #pendingBytes = 0
  #flushSoon = false

  constructor(socket: Socket, { compressor, level }: Compression, session: CompressedClientReader) {
    this.#socket = socket
    this.#reader = new CompressedFrameReader(compressor)
    this.#writer = new CompressedFrameWriter(compressor, level)
    this.#session = session
  }

  // What the client sends. ---------------------------------------------------------------------------------------------

  readonly received = (chunk: Buffer): void => {
    this.#reader.push(chunk)
    this.#deliver()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    // Not at once: this is called from the middle of what takes the bytes.
    if (this.#reader.unread > 0 && !this.#delivering) queueMicrotask(this.#deliver)
  }

  /** The session takes a command: what is written from now on answers it. */
  commandTaken(): void {
    if (!this.#ahead) return
    this.flush()
    this.#ahead = false
    this.#writer.sequence = this.#expected
  }

  readonly #deliver = (): void => {
    if (this.#delivering || this.#ended) return
    this.#delivering = true
    try {
      while (!this.#paused && !this.#ended) {
        const bytes = this.#reader.next()
        if (bytes === null) break
        if (this.#reader.frameBegins) this.#take(this.#reader.sequence)
        for (let at = this.#walker.find(bytes, 0); at >= 0; at = this.#walker.find(bytes, at + 1)) {}
        if (bytes.length > 0) this.#session.received(bytes)
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#ended = true
      this.#session.broken(error)
    } finally {
      this.#delivering = false
    }
  }

  /** A server reads a command only when it has answered the one before; here it may have come earlier. */
  #take(sequence: number): void {
    if (sequence === 0 && sequence !== this.#expected && this.#walker.atBoundary) this.#ahead = true
    else if (sequence !== this.#expected) {
      const message = 'Got packets out of order'
      throw new ProtocolError('out-of-order', message, ServerErrors.NET_PACKETS_OUT_OF_ORDER)
    }
    this.#expected = (sequence + 1) & 0xff
    if (!this.#ahead) this.#writer.sequence = this.#expected
  }

  // What the client gets. ----------------------------------------------------------------------------------------------

  /** Leaves with what else is written in this turn. `bytes` must not change afterwards. */
  write(bytes: Buffer): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes >= TURN_BYTES_MAX) return this.flush()
    if (this.#flushSoon) return
    this.#flushSoon = true
    queueMicrotask(this.#flushNow)
  }

  /** Writes what answers no command: a goodbye. */
  writeUnasked(bytes: Buffer): void {
    this.flush()
    this.#writer.sequence = 0
    this.write(bytes)
  }

  readonly #flushNow = (): void => {
    this.#flushSoon = false
    this.flush()
  }

  flush(): void {
    if (this.#pendingBytes === 0) return
    const bytes = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending, this.#pendingBytes)
    this.#pending = []
    this.#pendingBytes = 0
    if (this.#socket.destroyed) return
    this.#socket.write(this.#writer.encode(bytes))
    if (!this.#ahead) this.#expected = this.#writer.sequence
  }

  /** Takes nothing more of the client; what was written still leaves. */
  end(): void {
    this.#ended = true
    this.flush()
  }
}
