import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Backend } from '../backend/backend.js'
import type { Compression } from '../backend/compressors.js'
import { ClientCompression, type CompressedClientReader } from './client-compression.js'

/**
 * The client's side of a session: writes to the client's socket, and says when the client is too slow. Memory that a
 * backend reads into again is handed on without a copy where the system takes it at once.
 */
export class ClientSocket {
  socket: Socket
  /** TLS keeps a reference to what it is given until it is encrypted, so borrowed memory is copied for it. */
  readonly encrypted: boolean
  /** Agreed on with the client; what it sends is compressed from the end of its login on. */
  readonly #agreed: Compression | null
  /** What reads is compressed, and what is written from `compress` on. */
  #reading: ClientCompression | null = null
  #writing: ClientCompression | null = null
  /** Bytes that were given to the socket, that wait in it, and of these in the write that is under way. */
  readonly #looked = { given: 0, waiting: 0, underWay: 0 }
  #stalledLooks = 0

  constructor(socket: Socket, encrypted: boolean, compression: Compression | null = null) {
    this.socket = socket
    this.encrypted = encrypted
    this.#agreed = compression
  }

  /** Begins to read. `rest` has come behind the login's last packet. */
  listen(reader: CompressedClientReader, rest: Buffer): void {
    if (this.#agreed !== null) this.#reading = new ClientCompression(this.socket, this.#agreed, reader)
    const received = this.#reading?.received ?? reader.received
    this.socket.on('data', received)
    if (rest.length > 0) received(rest)
  }

  /** The login's OK was the last thing that is not compressed. */
  compress(): void {
    this.#writing = this.#reading
  }

  get compressed(): boolean {
    return this.#agreed !== null
  }

  /** 0: nothing is compressed. */
  get compressionLevel(): number {
    return this.#agreed?.level ?? 0
  }

  /** With what the client's connection is encrypted, in OpenSSL's words; null: it is not. */
  get cipher(): { readonly name: string; readonly protocol: string } | null {
    if (!(this.socket instanceof TLSSocket)) return null
    return { name: this.socket.getCipher().name, protocol: this.socket.getProtocol() ?? '' }
  }

  /**
   * The session takes a command, whose payload begins at `start`: what is written next answers it. Inside of compression
   * servers do not look at the sequence numbers of packets; outside they do.
   */
  commandTaken(packet: Buffer, start: number): void {
    if (this.#reading === null) return
    this.#reading.commandTaken()
    packet[start - 1] = 0
  }

  pause(): void {
    this.socket.pause()
    this.#reading?.pause()
  }

  resume(): void {
    this.socket.resume()
    this.#reading?.resume()
  }

  /** Ends the connection after what has been written; later events of it mean nothing any more. */
  end(): void {
    this.#reading?.end()
    this.socket.removeAllListeners('data')
    if (this.socket.destroyed) return
    this.socket.on('error', () => {})
    this.socket.destroySoon()
  }

  write(bytes: Buffer): void {
    if (this.#writing !== null) return this.#writing.write(bytes)
    this.socket.write(bytes)
  }

  /** Writes what answers no command, such as a goodbye. */
  writeUnasked(bytes: Buffer): void {
    if (this.#writing !== null) return this.#writing.writeUnasked(bytes)
    this.socket.write(bytes)
  }

  /** Writes memory that belongs to the backend's read buffer. */
  writeBorrowed(chunk: Buffer, start: number, end: number, lender: Backend): void {
    const view = chunk.subarray(start, end)
    if (this.#writing !== null) return this.#writing.write(Buffer.from(view))
    if (this.encrypted || this.socket.writableLength > 0) {
      this.socket.write(Buffer.from(view))
      return
    }
    this.socket.write(view)
    if (this.socket.writableLength > 0) lender.keepChunk()
  }

  /** Whether bytes wait that the system has not taken: the client reads more slowly than the server sends. */
  get congested(): boolean {
    return this.socket.writableLength > CONGESTED_BYTES
  }

  /**
   * To be called in equal intervals.
   * @returns in how many of them, one after the other, the client has taken nothing of what waits for it
   */
  lookForStall(): number {
    const { bytesWritten: given, writableLength: waiting } = this.socket
    const underWay = underWayOn(this.socket)
    const before = this.#looked
    // What the client takes makes room for as much; and of one long write it takes a part at a time.
    const isStalled = given === before.given && waiting === before.waiting && underWay === before.underWay
    this.#stalledLooks = waiting > 0 && isStalled ? this.#stalledLooks + 1 : 0
    Object.assign(before, { given, waiting, underWay })
    return this.#stalledLooks
  }

  onDrain(callback: () => void): void {
    this.socket.once('drain', callback)
  }

  /** Several writes of one turn leave as one. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.socket.uncork()
  }
}

/** With more than this waiting for a client, its server is no longer read from. */
const CONGESTED_BYTES = 65_536

/** Of the write that is under way, what the system has not taken yet: as `net.Socket` itself looks for its timeouts. */
function underWayOn(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null }
  return handle?.writeQueueSize ?? 0
}
