import { Frame, Framer, ProtocolError, ServerErrors } from '../../../protocol/index.js'
import type { ClientSocket } from '../client/client-socket.js'
import type { WorkerContext } from '../context.js'
import type { Execution } from '../execution/execution.js'
import type { SessionPhase } from './session-phase.js'

/** What the client's bytes mean to its session. Which of these may come is told by the session's phase. */
export interface IncomingListener {
  readonly phase: SessionPhase
  /** Takes what is streamed. */
  readonly execution: Execution
  /** A command, its payload in `buffer[start, end)`; `streamed`: its beginning, the rest comes in pieces. */
  command(buffer: Buffer, start: number, end: number, streamed: boolean): void
  /** The streamed command was whole with the last piece. */
  commandUploaded(): void
  /** The local file was whole with the last piece. */
  infileUploaded(): void
  /** The rest of a command that was answered before it was whole has come. */
  discarded(): void
  /** Whether a packet of the client's is awaited in a change of user. */
  readonly awaitsLoginPacket: boolean
  loginPacket(payload: Buffer, sequence: number): void
  /** A packet is larger than max_allowed_packet. */
  tooLarge(): void
  /** The client broke the protocol, or something here failed. */
  blame(error: unknown): void
}

/** Commands, or pieces of one, that are taken of one client before others have their turn. */
const COMMANDS_PER_TURN = 256

/**
 * The incoming side of a session: cuts the client's bytes into what the session's phase is waiting for, and stops reading
 * from a client that sends more than can be dealt with now.
 */
export class SessionIncoming {
  readonly #context: WorkerContext
  readonly #client: ClientSocket
  readonly #listener: IncomingListener
  readonly #framer: Framer
  #paused = false
  #awaitsClient = false

  constructor(context: WorkerContext, client: ClientSocket, listener: IncomingListener) {
    this.#context = context
    this.#client = client
    this.#listener = listener
    this.#framer = new Framer(context.view.snapshot.limits.maxBufferedCommand)
  }

  /** Begins to read. `rest` has come behind the login's last packet. */
  listen(rest: Buffer): void {
    const broken = (error: ProtocolError): void => this.#listener.blame(error)
    this.#client.listen({ received: this.#received, broken }, rest)
  }

  /** Sequence number of an answer to the packet that came last. */
  get answerSequence(): number {
    return (this.#framer.sequence + 1) & 0xff
  }

  /** A command is over, or a file is wanted: what follows may have come already, and the client may have been paused before. */
  goOn(): void {
    if (this.#framer.unread > 0) queueMicrotask(this.advance)
    else this.#resume()
  }

  readonly #received = (chunk: Buffer): void => {
    this.#framer.push(chunk)
    this.advance()
  }

  /** Takes what has come, as far as the session's phase lets it. To be called when the phase lets it take more. */
  readonly advance = (): void => {
    try {
      for (let left = COMMANDS_PER_TURN; this.#takeOne(); left--) if (left === 1) return this.#goOnLater()
    } catch (error) {
      this.#listener.blame(error)
    }
  }

  /** @returns false when there is nothing more to be taken for now */
  #takeOne(): boolean {
    switch (this.#listener.phase) {
      case 'ready':
        return this.#takeCommand()
      case 'uploading':
        return this.#takePiece()
      case 'infile':
        return this.#takeInfile()
      case 'discarding':
        return this.#discardPiece()
      case 'changing':
        return this.#takeLoginPacket()
      case 'closed':
        return false
      default:
        return this.#notNow()
    }
  }

  #takeCommand(): boolean {
    if (this.#client.congested) return this.#waitForClient()
    const found = this.#framer.next()
    if (found === Frame.more) return this.#needMore()
    const { buffer, start, end, sequence } = this.#framer
    this.#client.commandTaken(buffer, start)
    if (sequence !== 0 && !this.#client.compressed)
      throw new ProtocolError('out-of-order', 'Got packets out of order', ServerErrors.NET_PACKETS_OUT_OF_ORDER)
    if (end === start) throw new ProtocolError('malformed', 'Malformed packet: a command of no bytes')
    const size = found === Frame.large ? this.#framer.announced : end - start
    if (this.#isTooLarge(size)) return false
    this.#listener.command(buffer, start, end, found === Frame.large && !this.#framer.last)
    return true
  }

  #takePiece(): boolean {
    if (this.#framer.next() === Frame.more) return this.#needMore()
    const { buffer, start, end, last, announced } = this.#framer
    if (this.#isTooLarge(announced)) return false
    const roomLeft = this.#listener.execution.upload(buffer.subarray(start, end))
    if (last) this.#listener.commandUploaded()
    return last || roomLeft || this.#waitForServer()
  }

  #takeInfile(): boolean {
    const found = this.#framer.next()
    if (found === Frame.more) return this.#needMore()
    const { buffer, start, end } = this.#framer
    const headerIncluded = found === Frame.piece ? start : start - 4
    const roomLeft = this.#listener.execution.upload(buffer.subarray(headerIncluded, end))
    const last = found === Frame.packet && end === start
    if (last) this.#listener.infileUploaded()
    return last || roomLeft || this.#waitForServer()
  }

  #discardPiece(): boolean {
    if (this.#framer.next() === Frame.more) return this.#needMore()
    if (this.#framer.last) this.#listener.discarded()
    return true
  }

  #takeLoginPacket(): boolean {
    if (!this.#listener.awaitsLoginPacket) return this.#notNow()
    const found = this.#framer.next()
    if (found === Frame.more) return this.#needMore()
    if (found !== Frame.packet) throw new ProtocolError('malformed', 'a packet of the login is too large')
    const { buffer, start, end, sequence } = this.#framer
    this.#listener.loginPacket(buffer.subarray(start, end), sequence)
    return true
  }

  #isTooLarge(size: number): boolean {
    if (size <= this.#context.view.snapshot.limits.maxAllowedPacket) return false
    this.#listener.tooLarge()
    return true
  }

  // Reasons to take nothing; all return false. --------------------------------------------------------------------------

  #needMore(): false {
    this.#resume()
    return false
  }

  /** A client that sends ahead is read from again when its turn comes. */
  #notNow(): false {
    if (this.#framer.unread > 0) this.#pause()
    return false
  }

  /** A chunk may hold thousands of commands that no server is needed for: other clients have their turn between them. */
  #goOnLater(): void {
    this.#notNow()
    setImmediate(this.advance)
  }

  /** A client that does not read its answers gets no more of them, however much it asks. */
  #waitForClient(): false {
    this.#pause()
    if (this.#awaitsClient) return false
    this.#awaitsClient = true
    this.#client.onDrain(() => {
      this.#awaitsClient = false
      this.advance()
    })
    return false
  }

  #waitForServer(): false {
    this.#pause()
    this.#listener.execution.onUploadDrain(() => {
      this.#resume()
      this.advance()
    })
    return false
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#client.pause()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#client.resume()
  }
}
