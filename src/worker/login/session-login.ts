import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  AuthPlugin,
  Capability,
  type ErrPacket,
  encodeErr,
  Frame,
  Framer,
  frame,
  isSslRequest,
  MariadbCapability,
  ProtocolError,
} from '../../../protocol/index.js'
import { requiresTls } from '../../shared/client-tls.js'
import { ProxyError } from '../../shared/errors.js'
import type { Flavor } from '../../shared/snapshot.js'
import {
  agreedAlgorithm,
  COMPRESSION_FLAGS,
  type Compression,
  compressionFlag,
  compressionFor,
} from '../backend/compressors.js'
import { addressOf, type ClientAddress } from '../client/client-address.js'
import { Opening } from '../client/opening.js'
import { certificateProblem, startClientTls } from '../client/tls-context.js'
import type { WorkerContext } from '../context.js'
import { errPacket } from '../session/answers.js'
import { initialStatus } from '../session/session-facts.js'
import { type Authenticated, Authentication, type AuthenticationOwner } from './authentication.js'

/** A login that succeeded: the socket (by now perhaps TLS) and what was agreed on. */
export interface LoggedIn extends Authenticated {
  readonly socket: Socket
  readonly place: ClientAddress
  /** null: the connection is not compressed. */
  readonly compression: Compression | null
  /** Bytes that came behind the login's last packet. */
  readonly rest: Buffer
}

/** Larger than any handshake response with its attributes (64 KiB) may be. */
const LOGIN_PACKET_LIMIT = 131_072

/**
 * Logs a client in: greeting, TLS, authentication, within the handshake timeout; what it waits for servers is not counted.
 * @param done called at most once; without it the connection has been answered and closed
 */
export function logIn(
  socket: Socket,
  connectionId: number,
  context: WorkerContext,
  done: (result: LoggedIn) => void,
): void {
  new LoginDriver(socket, connectionId, context, done).start()
}

class LoginDriver implements AuthenticationOwner {
  readonly #context: WorkerContext
  readonly #authentication: Authentication
  readonly #framer = new Framer(LOGIN_PACKET_LIMIT)
  readonly #done: (result: LoggedIn) => void
  readonly #timer: NodeJS.Timeout
  /** What may still say that the client is elsewhere; null once the login has begun. */
  #opening: Opening | null
  #place: ClientAddress
  /** What the client's next packet is answered with, whatever it says. */
  #refusal: ProxyError | null = null
  #socket: Socket
  /** The login is over, or TLS has taken the socket: nothing more is to be read here. */
  #reading = true

  constructor(socket: Socket, connectionId: number, context: WorkerContext, done: (result: LoggedIn) => void) {
    this.#socket = socket
    this.#context = context
    this.#done = done
    this.#place = addressOf(socket)
    this.#opening = new Opening(this.#place, context.trustsProxyHeader(socket.remoteAddress))
    const { greeting, tls, limits } = context.view.snapshot
    const options = {
      serverVersion: greeting.serverVersion,
      connectionId,
      capabilities: greeting.capabilities & this.#offered(),
      mariadbCapabilities: greeting.mariadbCapabilities & MARIADB_OFFERED,
      collation: greeting.collation,
      status: initialStatus(greeting),
      tls: { available: tls !== null, required: tls !== null && requiresTls(tls.mode) },
      // Behind a unix socket over which a load balancer may come the client can be anywhere.
      secureTransport: this.#place.local && !this.#opening.mayChange,
      defaultPlugin: defaultPlugin(greeting.flavor),
    }
    this.#authentication = new Authentication(context, () => this.#place, options, this)
    this.#timer = setTimeout(() => this.#timeIsUp(), limits.handshakeTimeoutMs)
  }

  start(): void {
    this.#listen()
    if (this.#opening?.mayChange === false) this.#addressKnown()
    if (this.#refusal !== null) return this.#refuse(this.#refusal, 0)
    this.#authentication.start()
  }

  #listen(): void {
    this.#socket.on('data', this.#onData)
    this.#socket.on('error', this.#onGone)
    this.#socket.on('close', this.#onGone)
  }

  /** A client that waits for the servers, which has a limit of its own, is not late itself. */
  #timeIsUp(): void {
    if (this.#authentication.waiting) this.#timer.refresh()
    else this.#abort('handshake timeout')
  }

  #unlisten(): void {
    this.#socket.removeListener('data', this.#onData)
    this.#socket.removeListener('error', this.#onGone)
    this.#socket.removeListener('close', this.#onGone)
  }

  readonly #onGone = (): void => this.#abort('the client closed the connection')

  readonly #onData = (chunk: Buffer): void => {
    // What one chunk of the client leads to leaves as one: the end of the login is two packets, or three.
    const socket = this.#socket
    const bytes = this.#opening === null ? chunk : this.#takeOpening(chunk, this.#opening)
    if (bytes === null) return
    socket.cork()
    this.#framer.push(bytes)
    this.#advance()
    socket.uncork()
    // Nothing is to be sent before the answer; what is all the same is kept only as long as it is little.
    if (this.#framer.unread > LOGIN_PACKET_LIMIT) this.#abort('too much was sent before the login was over')
  }

  /** Takes packets as long as the client's word is awaited. */
  #advance(): void {
    while (this.#reading && !this.#authentication.waiting) {
      const found = this.#framer.next()
      if (found === Frame.more) return
      if (found !== Frame.packet) return this.#abort('a packet of the login is too large')
      const payload = this.#framer.buffer.subarray(this.#framer.start, this.#framer.end)
      // A client that goes on under TLS would not understand an answer before it.
      if (this.#refusal !== null && !isSslRequest(payload)) {
        return this.#refuse(this.#refusal, (this.#framer.sequence + 1) & 0xff)
      }
      this.#authentication.packet(payload, this.#framer.sequence)
    }
  }

  // What is looked at before anybody's name. ---------------------------------------------------------------------------

  /** @returns what belongs to the login; null: more has to come, or it is over */
  #takeOpening(chunk: Buffer, opening: Opening): Buffer | null {
    try {
      const bytes = opening.take(chunk)
      if (bytes === null) return null
      this.#opening = null
      this.#place = opening.client
      if (opening.mayChange) this.#addressKnown()
      return bytes
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#context.counters.protocolErrors++
      this.#context.log.warn({ client: this.#place.host }, error.message)
      // The client itself has not spoken yet: its first packet has the number 1.
      this.#socket.end(errPacket(2, error, Capability.PROTOCOL_41))
      this.#abort(error.code)
      return null
    }
  }

  #addressKnown(): void {
    this.#refusal = this.#context.enterAddress(this.#socket, this.#place)
  }

  #judgeCertificate(socket: TLSSocket): void {
    const problem = certificateProblem(socket)
    if (problem === null) return
    const message = `sluice: Access denied: a client certificate signed by tls.ca is needed (${problem})`
    this.#refusal ??= new ProxyError('client-certificate', 1045, '28000', message)
  }

  /** @param sequence 0: instead of the greeting, when nothing has been agreed on and the error has no SQLSTATE */
  #refuse(error: ProxyError, sequence: number): void {
    this.#context.countError(error.code)
    this.#context.log.info({ client: this.#place.host, reason: error.code }, `login refused: ${error.message}`)
    this.#socket.end(errPacket(sequence, error, sequence === 0 ? 0 : Capability.PROTOCOL_41))
    this.#abort(error.code)
  }

  // What the authentication wants. -------------------------------------------------------------------------------------

  send(packet: Buffer): void {
    this.#socket.write(packet)
  }

  startTls(): void {
    const tls = this.#context.serverTls()
    if (tls === null) return this.#abort('TLS was switched off meanwhile')
    const plain = this.#socket
    this.#unlisten()
    const rest = this.#framer.takeUnread()
    // A flowing socket would throw away what is put back; TLS reads from the socket's handle and starts it again itself.
    plain.pause()
    if (rest.length > 0) plain.unshift(rest)
    const socket = startClientTls(plain, tls)
    this.#socket = socket
    this.#listen()
    socket.once('secure', () => {
      if (tls.asksForCertificate) this.#judgeCertificate(socket)
      this.#authentication.tlsEstablished()
    })
  }

  authenticated(result: Authenticated): void {
    const algorithm = agreedAlgorithm(result.login.capabilities)
    if (algorithm !== null) {
      // What comes meanwhile waits.
      this.#reading = false
      compressionFor(algorithm, result.login.response.zstdLevel).then(
        (compression) => this.#succeed(result, compression),
        (error: unknown) => this.crashed(error),
      )
    } else if (this.#context.view.snapshot.compressionAlgorithms.includes('uncompressed')) this.#succeed(result, null)
    else this.refused(frame(encodeErr(NOT_COMPRESSED), result.sequence), NOT_COMPRESSED, 'not compressed')
  }

  #succeed(result: Authenticated, compression: Compression | null): void {
    if (this.#socket.destroyed) return
    this.#end()
    const rest = this.#framer.takeUnread()
    this.#done({ ...result, socket: this.#socket, place: this.#place, compression, rest })
  }

  /** Flags of the algorithms that clients may use. */
  #offered(): number {
    const offered = OFFERED | this.#compressions()
    return this.#context.view.snapshot.localInfile ? offered : offered & ~Capability.LOCAL_FILES
  }

  #compressions(): number {
    return this.#context.view.snapshot.compressionAlgorithms.reduce((flags, name) => flags | compressionFlag(name), 0)
  }

  refused(packet: Buffer, err: ErrPacket, reason: string): void {
    this.#context.counters.accessDenied++
    this.#context.log.info({ client: this.#place.host, reason }, `login refused: ${err.message}`)
    this.#socket.end(packet)
    this.#abort(reason)
  }

  crashed(error: unknown): void {
    this.#context.counters.invariantErrors++
    this.#context.log.error({ client: this.#place.host, err: error }, 'a login ends by an error in Sluice')
    this.#abort('internal error')
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#reading = false
    this.#unlisten()
  }

  #abort(reason: string): void {
    this.#end()
    this.#authentication.abandon()
    this.#socket.on('error', () => {})
    this.#context.clientAborted(this.#place.host, reason)
    if (this.#socket.writableEnded) this.#socket.destroySoon()
    else this.#socket.destroy()
  }
}

/** What a server of this flavor names in its greeting. */
export function defaultPlugin(flavor: Flavor): string {
  return flavor === 'mariadb' ? AuthPlugin.NATIVE : AuthPlugin.CACHING_SHA2
}

/** What a client is told that is to compress and does not (ER_WRONG_COMPRESSION_ALGORITHM_CLIENT). */
const NOT_COMPRESSED: ErrPacket = {
  errno: 3922,
  sqlState: 'HY000',
  message: "Invalid compression algorithm 'uncompressed'.",
}

/** What Sluice offers of what its servers have, whatever the configuration says. */
const OFFERED = ~(COMPRESSION_FLAGS | Capability.MULTI_FACTOR_AUTHENTICATION | Capability.SSL)

/** All that servers have but COM_MULTI, which none does any more. */
const MARIADB_OFFERED = ~MariadbCapability.COM_MULTI
