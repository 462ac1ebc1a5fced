import type { Socket } from 'node:net'
import type { Backend } from './backend.js'

/**
 * The client's side of a session: writes to the client's socket, and says when the client is too slow. Memory that a
 * backend reads into again is handed on without a copy where the system takes it at once.
 */
export class ClientSocket {
  socket: Socket
  /** TLS keeps a reference to what it is given until it is encrypted, so borrowed memory is copied for it. */
  readonly encrypted: boolean

  constructor(socket: Socket, encrypted: boolean) {
    this.socket = socket
    this.encrypted = encrypted
  }

  /** Ends the connection after what has been written; later events of it mean nothing any more. */
  end(): void {
    this.socket.removeAllListeners('data')
    if (this.socket.destroyed) return
    this.socket.on('error', () => {})
    this.socket.destroySoon()
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  /** Writes memory that belongs to the backend's read buffer. */
  writeBorrowed(chunk: Buffer, start: number, end: number, lender: Backend): void {
    const view = chunk.subarray(start, end)
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
