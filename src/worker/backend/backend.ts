import type { Socket } from 'node:net'
import { Answer, ProtocolError, ResponseFollower } from '../../../protocol/index.js'
import type { ServerCounters } from '../../shared/counters.js'
import { InvariantError } from '../../shared/errors.js'
import type { Flavor, ProxyProtocol, ServerCompression, ServerId, ServerTls } from '../../shared/snapshot.js'
import type { KnownServer } from '../routing/known-server.js'
import { AppliedState } from '../state/session-state.js'
import { BackendCompression } from './backend-compression.js'
import { type BackendState, NEXT } from './backend-state.js'
import type { Compression } from './compressors.js'
import type { ConnectionProfile } from './connection-profile.js'

/** Where a backend connection leads, and as what it is counted. */
export interface BackendTarget {
  readonly id: ServerId
  readonly hostgroup: number
  readonly host: string
  /** 0: `host` is the path of a unix socket. */
  readonly port: number
  readonly tls: ServerTls
  readonly proxyProtocol: ProxyProtocol
  readonly compression: ServerCompression
  readonly flavor: Flavor
  /** With which statements its connections begin. */
  readonly initConnect: readonly string[]
  /** What this worker knows of the server, in whichever hostgroup it is. */
  readonly known: KnownServer
}

/** Told of what happens to a backend outside of an exchange. */
export interface BackendOwner {
  /** The state has changed (for the pool's lists and gauges). */
  backendMoved(backend: Backend, from: BackendState): void
  /** The connection has ended, whoever ended it. Exchanges in flight have been told before. */
  backendClosed(backend: Backend, reason: string): void
}

/**
 * One command in flight on a backend connection, and who takes its answer. A backend keeps its exchanges as a queue: the
 * answers come in the order of the commands, so several can be in flight.
 */
export interface Exchange {
  /**
   * Bytes of the answer, as the backend's follower has just described them (`backend.follower`): its `carry` and
   * `chunk[from, follower.plainEnd)` are plain; `event` is one of ResponseEvent. The chunk is only valid during the call.
   */
  received(chunk: Buffer, from: number, event: number, backend: Backend): void
  /** The whole answer has been received. */
  finished(backend: Backend): void
  /** It waited behind a command that takes long, and its answer goes to another exchange: it may be sent elsewhere. */
  displaced?(backend: Backend): void
  /** Its command takes long: those that waited behind it were displaced. */
  heldUp?(): void
  /** The connection ended before the whole answer was received. */
  lost(backend: Backend, reason: string): void
  /** One of the calls above threw: our mistake, which is to end this exchange's session and nothing else. */
  crashed(error: unknown): void
}

interface InFlight {
  exchange: Exchange
  answer: number
}

/** Where a connection lies that nobody uses. */
export interface RestingPlace {
  remove(backend: Backend): void
}

/** A prepared statement that is open on a connection's server. */
export interface OpenStatement {
  /** When it was used last, in uses of any statement of its connection. */
  usedAt: number
  /** Its index in the connection's list. */
  slot: number
  readonly mayBeClosed: boolean
  /** Closes it on the server, to be prepared again when it is needed. */
  close(): void
  /** The server does not have it any more. */
  forget(): void
}

/**
 * A logged-in connection to one server. Commands in flight form a queue; `follower` describes the answer of the first of
 * them. The chunks that exchanges get to see are views of a read buffer that is used again: see `keepChunk`.
 */
export class Backend {
  target: BackendTarget
  /** Where what happens on this connection is counted. */
  accounting: ServerCounters | null = null
  readonly follower = new ResponseFollower()
  /** Negotiated CLIENT_* flags, and MariaDB's extended ones. */
  readonly capabilities: number
  readonly mariadbCapabilities: number
  /** Connection id on the server, for KILL. */
  readonly threadId: number
  /** The statements that it has begun with, and begins with again after a reset. */
  initConnect: readonly string[] = []
  /** Session state that this connection is known to have. */
  readonly applied = new AppliedState()
  /** Prepared statements that its server has, in no order. */
  readonly statements: OpenStatement[] = []
  statementUses = 0
  /** Of the first command in flight, where several may be: monotonic ms since when its answer is waited for. */
  headSince = 0
  /** With so many answers of its server (`KnownServer.answered`) all are there that were in flight elsewhere when it came to be the first. */
  headMark = 0
  /** One of those behind it was sent elsewhere, to see whether the server answers. */
  headProbed = false
  /** That one was answered, be it by another server. */
  headOvertaken = false
  /** Statements with a cursor, or with parameters sent ahead: the connection is their session's. */
  heldStatements = 0
  owner: BackendOwner | null = null
  /** Collation id that it has logged in with. */
  collation = 0
  /** To a MariaDB CLIENT_IGNORE_SPACE still means something on it. */
  ignoresSpace = false
  /** With which others it can stand in for; null: it is its session's alone. */
  profile: ConnectionProfile | null = null
  /** Where it lies while nobody uses it; null: it is in use. */
  shelf: RestingPlace | null = null
  /** One of `Keep`: what its session may still ask for on it. */
  keep = 0
  /** Monotonic ms. */
  openedAt = 0
  /**
   * MariaDB: an answer has left warnings or an error, which statements without a table keep (`mysql_execute_command`); nothing has
   * been done on purpose since to clear them.
   */
  leftDiagnostics = false
  /** It is for no other session: accounts have been changed since it logged in, or it has what a reset would not undo. */
  outdated = false
  /** `KnownServer.globalsSet` when the connection took its variables from the global ones last. */
  globalsSeen = 0
  restedAt = 0
  /** Until then it is not given to others: a KILL of what its session runs may be on its way. */
  keepUntil = 0
  /** Prepared statements that any session can use, by what they share. */
  readonly shared = new Map<object, OpenStatement>()
  /** Closed for its session's sake: that says nothing of its server. */
  endedOnPurpose = false
  /** A KILL QUERY that names it is on its way and could hit any statement; null: none. */
  killing: Promise<unknown> | null = null
  bytesSent = 0
  bytesReceived = 0
  /** What is written waits for `uncork`. */
  corked = false

  #state: BackendState = 'idle'
  readonly #socket: Socket
  #queue: InFlight[] = []
  #chunkKept = false
  /** Packets without an answer that wait for the command in flight to be over. */
  #between: Buffer[] = NONE
  /** null: the connection is not compressed, as nearly all. */
  #compression: BackendCompression | null = null

  constructor(
    socket: Socket,
    target: BackendTarget,
    negotiated: { capabilities: number; mariadbCapabilities: number; threadId: number },
  ) {
    this.#socket = socket
    this.target = target
    this.capabilities = negotiated.capabilities
    this.mariadbCapabilities = negotiated.mariadbCapabilities
    this.threadId = negotiated.threadId
    socket.on('error', (error: Error) => this.#lost(error.message))
    socket.on('close', () => this.#closed())
  }

  get state(): BackendState {
    return this.#state
  }

  /** Commands in flight. */
  get depth(): number {
    return this.#queue.length
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? ''
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  /**
   * Uses the connection as one of this target from now on.
   * @returns false when such connections begin with other statements: it has to be reset before its next use
   */
  aimAt(target: BackendTarget): boolean {
    this.target = target
    if (sameTexts(this.initConnect, target.initConnect)) return true
    this.applied.tainted = true
    return false
  }

  /** The one place where the state changes. */
  move(to: BackendState): void {
    const from = this.#state
    if (from === to) return
    if (!NEXT[from].includes(to)) throw new InvariantError(`backend ${this.target.id}: ${from} -> ${to}`)
    this.#state = to
    this.owner?.backendMoved(this, from)
    if (to === 'idle' && this.#between.length > 0) this.#writeWaiting()
  }

  /** To be called before anything is written: the login was the last thing that is not compressed. */
  compress(compression: Compression): void {
    this.#compression = new BackendCompression(compression, (bytes) => this.#take(bytes, bytes.length))
  }

  /** Its server has not offered the compression that it is configured with. */
  get lacksCompression(): boolean {
    return this.#compression === null && this.target.compression !== 'off'
  }

  /** Puts a command in flight whose bytes `write` sends; answers are taken in the order of these calls. */
  begin(exchange: Exchange, answer: number = Answer.results): void {
    this.#queue.push({ exchange, answer })
    if (this.#compression !== null) this.#compression.begin()
    if (this.#queue.length === 1) this.follower.begin(answer, this.capabilities, this.mariadbCapabilities)
  }

  /**
   * Writes a command, or the first part of one. Bytes are counted before they are compressed.
   * @returns false when the socket's buffer is full: wait for `onDrain` before writing more.
   */
  write(bytes: Buffer): boolean {
    this.bytesSent += bytes.length
    this.#socket.write(this.#compression === null ? bytes : this.#compression.command(bytes))
    return this.#socket.writableLength < this.#socket.writableHighWaterMark
  }

  /** Writes what follows of the command that was written last, or of the file that the server has asked for. */
  writeMore(bytes: Buffer): boolean {
    if (this.#compression === null) return this.write(bytes)
    this.bytesSent += bytes.length
    this.#socket.write(this.#compression.more(bytes))
    return this.#socket.writableLength < this.#socket.writableHighWaterMark
  }

  /** Writes together with what else is written in this turn of the event loop. */
  writeSoon(bytes: Buffer): void {
    this.#socket.cork()
    this.write(bytes)
    setImmediate(() => this.#socket.uncork())
  }

  /** What is written from now on leaves together, with `uncork`. */
  cork(): void {
    this.corked = true
    this.#socket.cork()
  }

  uncork(): void {
    this.corked = false
    this.#socket.uncork()
  }

  /** Who takes the answer that comes next; undefined: nothing is in flight. */
  get head(): Exchange | undefined {
    return this.#queue[0]?.exchange
  }

  /** Gives the answers of commands that wait behind the first one in flight to another exchange. @param most of them */
  displaceWaiting(to: Exchange, most = Number.POSITIVE_INFINITY): void {
    const waiting = this.#queue.slice(1).filter(({ exchange }) => exchange.displaced !== undefined)
    for (const one of waiting.slice(0, most)) {
      const { exchange } = one
      one.exchange = to
      exchange.displaced!(this)
    }
  }

  /** Whether all answers that are awaited go to this exchange. */
  isFor(exchange: Exchange): boolean {
    return this.#queue.every((one) => one.exchange === exchange)
  }

  /** Gives the answer of one exchange's command to another one. */
  replace(exchange: Exchange, by: Exchange): void {
    for (const one of this.#queue) if (one.exchange === exchange) one.exchange = by
  }

  /** Writes a packet that has no answer, now or after the command in flight, of which more may have to be written. */
  writeBetween(packet: Buffer): void {
    if (this.#state === 'idle') return this.writeSoon(packet)
    if (this.#between === NONE) this.#between = []
    this.#between.push(packet)
  }

  #writeWaiting(): void {
    const packets = this.#between
    this.#between = NONE
    for (const packet of packets) this.writeSoon(packet)
  }

  /** Calls back once when everything written has been taken by the system. */
  onDrain(callback: () => void): void {
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', callback)
    else process.nextTick(callback)
  }

  pause(): void {
    this.#socket.pause()
    this.#compression?.pause()
  }

  /** Nothing is read from it until `resume`. */
  get isPaused(): boolean {
    return this.#socket.isPaused()
  }

  resume(): void {
    this.#socket.resume()
    if (this.#compression !== null) this.#receiveCompressed(() => this.#compression!.resume())
  }

  /**
   * To be called by an exchange that still needs the memory of the chunk it was given after its call has returned:
   * the connection reads into other memory from then on.
   */
  keepChunk(): void {
    this.#chunkKept = true
  }

  /** Asked by the reader after each chunk; resets the mark. */
  takeChunkKept(): boolean {
    const kept = this.#chunkKept
    this.#chunkKept = false
    return kept
  }

  /** Bytes from the server: `chunk[0, length)`. */
  receive(chunk: Buffer, length: number): void {
    if (this.#compression === null) return this.#take(chunk, length)
    this.#receiveCompressed(() => {
      if (!this.#compression!.received(chunk.subarray(0, length))) this.keepChunk()
    })
  }

  /** Runs what may find that the server's frames are wrong. */
  #receiveCompressed(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.destroy(`the server broke the protocol: ${(error as Error).message}`)
    }
  }

  #take(chunk: Buffer, length: number): void {
    this.bytesReceived += length
    let at = 0
    while (at < length && this.#state !== 'closed') {
      const head = this.#queue[0]
      if (head === undefined) return this.#unsolicited(chunk, at, length)
      const from = at
      let event: number
      try {
        event = this.follower.consume(chunk, at, length)
      } catch (error) {
        return this.destroy(`the server broke the protocol: ${(error as Error).message}`)
      }
      at = this.follower.next
      try {
        head.exchange.received(chunk, from, event, this)
        if (this.follower.ended && this.#state !== ('closed' as BackendState)) this.#finishHead(head)
      } catch (error) {
        if (error instanceof ProtocolError) return this.destroy(`the server broke the protocol: ${error.message}`)
        head.exchange.crashed(error)
        return this.destroy('its session ended by an error in Sluice')
      }
    }
  }

  #finishHead(head: InFlight): void {
    this.#queue.shift()
    this.#compression?.answerEnded()
    const next = this.#queue[0]
    const { warnings, errno } = this.follower
    if ((warnings > 0 || errno !== 0) && this.target.flavor === 'mariadb') this.leftDiagnostics = true
    // The follower's facts are read in finished(): it is only then prepared for the next answer.
    head.exchange.finished(this)
    if (next !== undefined) this.follower.begin(next.answer, this.capabilities, this.mariadbCapabilities)
  }

  /** A server says goodbye (shutdown, wait_timeout, KILL) with an ERR that answers no command. */
  #unsolicited(chunk: Buffer, at: number, length: number): void {
    const isError = length - at > 13 && chunk[at + 4] === 0xff
    const text = isError ? chunk.toString('utf8', at + 13, length) : 'bytes that answer no command'
    this.destroy(`the server ended the connection: ${text}`)
  }

  /** Ends the connection politely: COM_QUIT. Only sensible without commands in flight. */
  quit(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return
    this.move('closing')
    this.#socket.end(this.#compression === null ? QUIT : this.#compression.command(QUIT))
  }

  /** Ends the connection at once; exchanges in flight are told. */
  destroy(reason: string): void {
    this.#lost(reason)
    this.#socket.destroy()
  }

  /** What has come before the end is an answer all the same, though its client may be slow. */
  #closed(): void {
    if (this.#compression !== null) this.#receiveCompressed(() => this.#compression!.resume())
    this.#lost('the server closed the connection')
  }

  #lost(reason: string): void {
    if (this.#state === 'closed') return
    this.move('closed')
    const queue = this.#queue
    this.#queue = []
    for (const { exchange } of queue) {
      try {
        exchange.lost(this, reason)
      } catch (error) {
        exchange.crashed(error)
      }
    }
    this.owner?.backendClosed(this, reason)
  }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, index) => text === b[index]))
}

const NONE: Buffer[] = []
/** COM_QUIT as a packet. */
const QUIT = Buffer.from([1, 0, 0, 0, 1])
