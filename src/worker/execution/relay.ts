import {
  decodeErr,
  decodeOk,
  type ErrPacket,
  encodeErr,
  encodeOk,
  frame,
  type OkPacket,
  ResponseEvent,
} from '../../../protocol/index.js'
import type { Backend, Exchange } from '../backend/backend.js'
import type { Capture } from '../cache/result-capture.js'

/** Where an answer goes: the client's socket (client-socket.ts), as a rule. */
export interface AnswerSink {
  readonly congested: boolean
  write(bytes: Buffer): void
  /** Memory that belongs to the lender's read buffer. */
  writeBorrowed(chunk: Buffer, start: number, end: number, lender: Backend): void
  onDrain(callback: () => void): void
}

/** What a relay tells the session of an answer. */
export interface RelayListener {
  /** Session state in an OK packet; returns what of it the client gets to see. */
  relayedOk(ok: OkPacket, backend: Backend): OkPacket
  /** An ERR before anything else of the answer was passed on. Returns true to keep it from the client (it will be dealt with). */
  refused(errno: number, message: string, backend: Backend): boolean
  /** An ERR that the client gets to see; returns what it is told instead, or null for the server's own words. */
  reworded(err: ErrPacket, backend: Backend): ErrPacket | null
  /** The answer whose ERR was kept from the client is over, and its connection lives. */
  keptFromClient(backend: Backend): void
  /** The OK of COM_STMT_PREPARE, whose statement id may be changed in place. */
  prepared(packet: Buffer, idAt: number, backend: Backend): void
  /** The server asks the client for a file. */
  infileRequested(backend: Backend): void
  answered(backend: Backend): void
  /** The command waits for too long behind another session's on the same connection: its answer will not come. */
  displaced(backend: Backend): void
  /** The command takes so long that others were taken away from behind it. */
  heldUp(): void
  /** The connection was lost; `started`: the client has part of the answer. */
  answerLost(backend: Backend, reason: string): void
  crashed(error: unknown): void
}

/**
 * Passes the answer to one command on to the client, chunk by chunk. Only edge packets that carry session state are
 * encoded anew, since the client may not have asked for it.
 */
export class Relay implements Exchange {
  readonly #client: AnswerSink
  readonly #listener: RelayListener
  /** The client's negotiated CLIENT_* flags. */
  readonly #capabilities: number
  /** Bytes of the answer have gone to the client. */
  started = false
  /** The end of the answer is kept until `giveEnd`: others have to know first what it tells. */
  holdsEnd = false
  readonly #end: Buffer[] = []
  /** What comes now is the end, and is kept. */
  #atEnd = false
  /** Takes a copy of the answer; null, as nearly always: nobody does. */
  capture: Capture | null = null
  /** The connection that is paused until the client has taken what was written. */
  #paused: Backend | null = null
  /** The ERR of this answer was kept from the client. */
  #swallowed = false
  /** The client has an answer already: of this one only what it says of the session's state counts. */
  #muted = false

  constructor(client: AnswerSink, capabilities: number, listener: RelayListener) {
    this.#client = client
    this.#capabilities = capabilities
    this.#listener = listener
  }

  /** The client reads more slowly than it is sent to: its next answer would keep the server waiting. */
  get congested(): boolean {
    return this.#client.congested
  }

  /** To be called when a command is put in flight on a connection. */
  begin(backend: Backend, capture: Capture | null = null, holdsEnd = false): void {
    this.started = false
    this.holdsEnd = holdsEnd
    this.#atEnd = false
    this.capture = capture
    this.#swallowed = false
    this.#muted = false
    // A client that sends on and on without reading is answered when it has read.
    if (this.#client.congested) this.#waitForClient(backend)
  }

  /** To be called when a command is put in flight whose answer the client has already. */
  beginMuted(): void {
    this.started = false
    this.holdsEnd = false
    this.#atEnd = false
    this.capture = null
    this.#swallowed = false
    this.#muted = true
  }

  /** The client gets the end of the answer. */
  giveEnd(): void {
    for (const bytes of this.#end.splice(0)) this.#client.write(bytes)
  }

  /** Nothing more is passed on: the connection goes on without this client. */
  letGo(): void {
    if (this.#paused !== null) this.#resume()
  }

  received(chunk: Buffer, from: number, event: number, backend: Backend): void {
    const follower = backend.follower
    if (this.#muted) return this.#receivedMuted(event, backend)
    this.#atEnd = this.holdsEnd && follower.ended
    if (follower.carry !== null) this.#write(follower.carry)
    if (follower.plainEnd > from && this.#atEnd) this.#write(chunk.subarray(from, follower.plainEnd))
    else if (follower.plainEnd > from) {
      this.started = true
      this.#client.writeBorrowed(chunk, from, follower.plainEnd, backend)
      if (this.capture !== null) this.capture.take(chunk, from, follower.plainEnd)
    }
    if (event !== ResponseEvent.more && event !== ResponseEvent.end) this.#edge(event, backend)
    if (this.#client.congested) this.#waitForClient(backend)
  }

  #receivedMuted(event: number, backend: Backend): void {
    const { edge, edgeStart, edgeEnd } = backend.follower
    if (event !== ResponseEvent.sessionState) return
    this.#listener.relayedOk(decodeOk(edge.subarray(edgeStart, edgeEnd), backend.capabilities), backend)
  }

  finished(backend: Backend): void {
    // Nothing more of this answer comes: the connection may be another session's before the client has read it.
    if (this.#paused !== null) this.#resume()
    if (this.#swallowed) this.#listener.keptFromClient(backend)
    else this.#listener.answered(backend)
  }

  displaced(backend: Backend): void {
    this.#listener.displaced(backend)
  }

  heldUp(): void {
    this.#listener.heldUp()
  }

  lost(backend: Backend, reason: string): void {
    this.#listener.answerLost(backend, reason)
  }

  crashed(error: unknown): void {
    this.#listener.crashed(error)
  }

  #edge(event: number, backend: Backend): void {
    const { edge, edgeStart, edgeEnd, edgeSequence } = backend.follower
    // What says more than that the rows are over is no answer for others.
    this.capture?.drop()
    switch (event) {
      case ResponseEvent.sessionState: {
        const ok = this.#listener.relayedOk(decodeOk(edge.subarray(edgeStart, edgeEnd), backend.capabilities), backend)
        this.#write(frame(encodeOk(ok, this.#capabilities, edge[edgeStart]), edgeSequence))
        return
      }
      case ResponseEvent.error: {
        const err = decodeErr(edge.subarray(edgeStart, edgeEnd))
        if (!this.started) {
          this.#swallowed = this.#listener.refused(err.errno, err.message, backend)
          if (this.#swallowed) return
        }
        const other = this.#listener.reworded(err, backend)
        if (other === null) break
        this.#write(frame(encodeErr(other, this.#capabilities), edgeSequence))
        return
      }
      case ResponseEvent.prepared:
        this.#listener.prepared(edge, edgeStart + 1, backend)
        break
      case ResponseEvent.stateFlag:
        // Sluice's own tracking has set it; what the client itself would have been told comes with an OK.
        edge[edgeStart + EOF_STATUS_AT + 1] &= ~(SESSION_STATE_CHANGED >> 8)
        break
      case ResponseEvent.localInfile:
        this.#listener.infileRequested(backend)
        break
      default:
    }
    // The edge is preceded by its own header, in the chunk as well as in the follower's memory; both are used again.
    this.#write(Buffer.from(edge.subarray(edgeStart - 4, edgeEnd)))
  }

  #write(bytes: Buffer): void {
    this.started = true
    // Chunks and what the follower holds back are memory that is used again.
    if (this.#atEnd) this.#end.push(Buffer.from(bytes))
    else this.#client.write(bytes)
    if (this.capture !== null) this.capture.take(bytes, 0, bytes.length)
  }

  /** A chunk with many small results comes here more than once: one wait is enough. */
  #waitForClient(backend: Backend): void {
    if (backend.state === 'closed' || this.#paused !== null) return
    this.#paused = backend
    backend.pause()
    this.#client.onDrain(() => {
      if (this.#paused === backend) this.#resume()
    })
  }

  #resume(): void {
    const backend = this.#paused!
    this.#paused = null
    backend.resume()
  }
}

/** Status flags in an EOF packet: behind its header and the number of warnings. */
const EOF_STATUS_AT = 3
const SESSION_STATE_CHANGED = 0x4000
