import { connect, type Socket } from 'node:net'
import {
  Capability,
  ClientLogin,
  type ClientLoginAction,
  type ClientLoginResult,
  type ClientRelayAction,
  Command,
  type ErrPacket,
  encodeCommand,
  encodeProxyHeader,
  encodeQuery,
  Frame,
  Framer,
} from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { noTlsOffered, tlsWanted } from '../../shared/server-tls.js'
import { TRACKING } from '../state/tracking.js'
import { Backend, type BackendTarget } from './backend.js'
import type { BackendLogin } from './backend-login.js'
import { startBackendTls } from './backend-tls.js'
import { type Compression, compressionFlag, compressionFor } from './compressors.js'
import { MUST_CHANGE_PASSWORD, refusalText, sendInitConnect } from './init-connect.js'
import { SetupExchange } from './setup-exchange.js'

/** A connection to a server could not be made. */
export class BackendConnectError extends Error {
  /** The server's own ERR, when it answered with one. */
  readonly err: ErrPacket | null

  constructor(message: string, err: ErrPacket | null) {
    super(message)
    this.name = 'BackendConnectError'
    this.err = err
  }

  /** Another server may do: this one is down, full, shutting down or not for us, rather than refusing this account. */
  get tryAnother(): boolean {
    return this.mayPass || NOT_FOR_US_ERRORS.has(this.err!.errno)
  }

  /** It may be otherwise in a moment. */
  get mayPass(): boolean {
    return this.err === null || BUSY_ERRORS.has(this.err.errno)
  }
}

/** A server does not execute what connections to it are to begin with. */
export class InitConnectError extends BackendConnectError {
  constructor(text: string, { errno, sqlState }: ErrPacket) {
    super(text, { errno, sqlState, message: `sluice: ${text}` })
    this.name = 'InitConnectError'
  }

  /** Nothing is wrong with the account; it is as if the server were out of reach. */
  override get tryAnother(): boolean {
    return true
  }
}

/** Too many connections, shutdown, user's connection limits, offline mode. */
const BUSY_ERRORS = new Set([1040, 1053, 1203, 1226, 3032])
/** Host blocked or not allowed, TLS required. */
const NOT_FOR_US_ERRORS = new Set([1129, 1130, 3159])

/** Read buffers: small at first, large once a server fills it. */
const READ_BUFFER_SMALL = 16_384
const READ_BUFFER_LARGE = 65_536

/**
 * Connects to a server, logs in and switches session tracking on.
 * @param timeoutMs for all of it
 * @throws BackendConnectError
 */
export async function connectBackend(target: BackendTarget, login: BackendLogin, timeoutMs: number): Promise<Backend> {
  const compression = target.compression === 'off' ? null : await compressionFor(target.compression)
  const deadline = monotonicMs() + timeoutMs
  const backend = await new ConnectAttempt(target, login, compression).run(timeoutMs)
  switchTrackingOn(backend)
  if (target.initConnect.length > 0) await begin(backend, Math.max(1, deadline - monotonicMs()))
  return backend
}

/** Waits until the statements of `init_connect` have been executed. */
function begin(backend: Backend, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error: BackendConnectError): void => {
      clearTimeout(timer)
      reject(error)
      backend.destroy(error.message)
    }
    const timer = setTimeout(
      () =>
        end(new BackendConnectError(`${backend.target.id}: no answer to init_connect within ${timeoutMs} ms`, null)),
      timeoutMs,
    )
    sendInitConnect(
      backend,
      (refusal) => end(new InitConnectError(refusalText(backend, refusal), refusal)),
      (reason) => end(new BackendConnectError(`${backend.target.id}: ${reason}`, null)),
    )
    // Answers come in order: this one is the last.
    backend.begin(
      new SetupExchange(
        () => {
          clearTimeout(timer)
          resolve()
        },
        () => {},
      ),
    )
    backend.write(encodeCommand(Command.PING))
  })
}

/**
 * Does not wait for the answer: it comes before those of the commands that follow, and goes out together with the first
 * of them, which saves a new session a round trip. A connection whose server refuses is ended, and its command with it.
 */
export function switchTrackingOn(backend: Backend): void {
  const refused = ({ error }: SetupExchange): void => {
    if (error === null || (backend.capabilities & Capability.SESSION_TRACK) === 0) return
    // Before anything else the client has to set a new password: what that leads to is told to it by the server.
    if (error.errno === MUST_CHANGE_PASSWORD) {
      backend.applied.untracked = true
      return
    }
    backend.destroy(`session tracking was refused: ${error.message}`)
  }
  backend.begin(new SetupExchange(refused, () => {}))
  backend.writeSoon(encodeQuery(TRACKING[backend.target.flavor], backend.capabilities))
}

/**
 * Sees whether a server lets an account in, and leaves again.
 * @throws BackendConnectError
 */
export async function tryLogin(target: BackendTarget, login: BackendLogin, timeoutMs: number): Promise<void> {
  const backend = await new ConnectAttempt(uncompressed(target), login, null).run(timeoutMs)
  backend.quit()
}

/** A login in which somebody else answers the server's questions. */
export class RelayedLogin {
  readonly #attempt: ConnectAttempt

  constructor(target: BackendTarget, login: BackendLogin, ask: (question: ClientRelayAction) => void) {
    this.#attempt = new ConnectAttempt(uncompressed(target), login, null, ask)
  }

  /** @throws BackendConnectError */
  async run(timeoutMs: number): Promise<Backend> {
    const deadline = monotonicMs() + timeoutMs
    const backend = await this.#attempt.run(timeoutMs)
    switchTrackingOn(backend)
    if (backend.target.initConnect.length > 0) await begin(backend, Math.max(1, deadline - monotonicMs()))
    return backend
  }

  answer(payload: Buffer): void {
    this.#attempt.answer(payload)
  }

  /** @param reason what `run` rejects with */
  abandon(reason = 'given up'): void {
    this.#attempt.abandon(reason)
  }
}

/** Whether an error is not the server's, but what a client finds wrong (errmsg.h: 2000 to 2999): no server sends these. */
function isOurs({ errno }: ErrPacket): boolean {
  return errno >= 2000 && errno < 3000
}

/** ER_NOT_SUPPORTED_AUTH_MODE, for accounts by whose plugin Sluice cannot log in. */
function notSupported({ message }: ErrPacket): ErrPacket {
  return { errno: 1251, sqlState: '08004', message: `sluice: ${message}` }
}

/** Where few bytes go, or the login has begun before the compressor could be loaded. */
function uncompressed(target: BackendTarget): BackendTarget {
  return { ...target, compression: 'off' }
}

class ConnectAttempt {
  readonly #target: BackendTarget
  readonly #wanted: BackendLogin
  readonly #ask: ((question: ClientRelayAction) => void) | null
  readonly #compression: Compression | null
  readonly #login: ClientLogin
  readonly #framer = new Framer(READ_BUFFER_LARGE)
  #socket: Socket
  #backend: Backend | null = null
  #finish: (result: Backend | BackendConnectError) => void = () => {}

  /** @param ask takes the server's questions, where the client itself answers them */
  constructor(
    target: BackendTarget,
    wanted: BackendLogin,
    compression: Compression | null,
    ask: ((question: ClientRelayAction) => void) | null = null,
  ) {
    this.#target = target
    this.#wanted = wanted
    this.#ask = ask
    this.#compression = compression
    this.#login = new ClientLogin({
      username: wanted.username,
      password: wanted.password,
      nativeStage1: wanted.nativeStage1,
      relay: ask !== null,
      database: wanted.database === '' ? undefined : wanted.database,
      capabilities: (wanted.capabilities | Capability.SESSION_TRACK | compressionFlag(target.compression)) >>> 0,
      mariadbCapabilities: wanted.mariadbCapabilities,
      collation: wanted.collation,
      attributes: wanted.attributes,
      tls: tlsWanted(target.tls, target.port),
      secureTransport: target.port === 0,
      allowRsaPublicKeyRetrieval: true,
    })
    this.#socket = this.#connect()
  }

  run(timeoutMs: number): Promise<Backend> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(`no login within ${timeoutMs} ms`, null), timeoutMs)
      this.#finish = (result) => {
        this.#finish = () => {}
        clearTimeout(timer)
        if (result instanceof Backend) return resolve(result)
        this.#socket.destroy()
        reject(result)
      }
    })
  }

  /** What the client says to the server's question. */
  answer(payload: Buffer): void {
    this.#perform(this.#login.relayed(payload))
  }

  abandon(reason: string): void {
    this.#fail(reason, null)
  }

  #connect(): Socket {
    const { host, port, tls, proxyProtocol } = this.#target
    // Plain connections read into memory that is used again; TLS has buffers of its own.
    const isPlain = tlsWanted(tls, port) === 'off'
    const onread = isPlain ? new ReadBuffer((chunk, length) => this.#received(chunk, length)) : undefined
    const place = port === 0 ? { path: host } : { host, port }
    const socket = connect({
      ...place,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      ...(onread && { onread }),
    })
    onread?.attach(() => this.#backend)
    if (onread === undefined) socket.on('data', this.#onData)
    socket.on('error', (error) => this.#fail(error.message, null))
    socket.on('close', () => this.#fail('the server closed the connection', null))
    if (proxyProtocol !== 'off') {
      socket.write(encodeProxyHeader(proxyProtocol === 'v1' ? 1 : 2, this.#wanted.client ?? null))
    }
    return socket
  }

  readonly #onData = (chunk: Buffer): void => this.#received(chunk, chunk.length)

  #received(chunk: Buffer, length: number): void {
    if (this.#backend !== null) return this.#backend.receive(chunk, length)
    this.#framer.push(Buffer.from(chunk.subarray(0, length)))
    while (this.#backend === null) {
      const found = this.#framer.next()
      if (found === Frame.more) return
      if (found !== Frame.packet) return this.#fail('a packet of the login is too large', null)
      this.#perform(
        this.#login.packet(this.#framer.buffer.subarray(this.#framer.start, this.#framer.end), this.#framer.sequence),
      )
    }
  }

  #perform(actions: ClientLoginAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') this.#socket.write(action.packet)
      else if (action.type === 'startTls') this.#startTls()
      else if (action.type === 'fail') this.#refused(action)
      else if (action.type === 'relay') this.#ask?.(action)
      else this.#succeed(action)
    }
  }

  #refused({ err, reason }: Extract<ClientLoginAction, { type: 'fail' }>): void {
    if (reason !== 'tls-not-offered') return this.#fail(err.message, isOurs(err) ? notSupported(err) : err)
    this.#failTls(noTlsOffered(this.#target.id, this.#target.tls.mode))
  }

  #startTls(): void {
    const plain = this.#socket
    plain.removeListener('data', this.#onData)
    // Whoever sits between could have put them there, to be taken for what the server says under TLS.
    if (this.#framer.unread > 0) return this.#failTls(`tls: ${this.#target.id} sent more than its greeting before TLS`)
    this.#socket = startBackendTls(
      plain,
      this.#target,
      () => this.#perform(this.#login.tlsEstablished()),
      (problem) => this.#failTls(problem),
    )
    this.#socket.on('data', this.#onData)
  }

  #succeed(result: ClientLoginResult): void {
    const needed = this.#wanted.capabilities & WIRE_CAPABILITIES
    const neededOfMariadb = this.#wanted.mariadbCapabilities & ~result.mariadbCapabilities
    if ((result.capabilities & needed) >>> 0 !== needed >>> 0 || neededOfMariadb !== 0) {
      return this.#fail('it does not offer what the client negotiated', null)
    }
    const backend = new Backend(this.#socket, this.#target, {
      capabilities: result.capabilities,
      mariadbCapabilities: result.mariadbCapabilities,
      threadId: result.greeting.connectionId,
    })
    if (this.#compression !== null && (result.capabilities & compressionFlag(this.#target.compression)) !== 0) {
      backend.compress(this.#compression)
    }
    backend.applied.schema = this.#wanted.database
    backend.collation = this.#wanted.collation
    backend.ignoresSpace = (result.capabilities & Capability.IGNORE_SPACE) !== 0
    this.#backend = backend
    this.#finish(backend)
  }

  /** @param problem names the server */
  #failTls(problem: string): void {
    this.#finish(new BackendConnectError(problem, null))
  }

  #fail(message: string, err: ErrPacket | null): void {
    this.#finish(new BackendConnectError(err?.message ?? `${this.#target.id}: ${message}`, err))
  }
}

/** Flags that change what answers look like: a server without them cannot stand in for one with them. */
const WIRE_CAPABILITIES =
  Capability.DEPRECATE_EOF |
  Capability.QUERY_ATTRIBUTES |
  Capability.OPTIONAL_RESULTSET_METADATA |
  Capability.MULTI_STATEMENTS |
  Capability.MULTI_RESULTS |
  Capability.PS_MULTI_RESULTS

/** The `onread` option of a socket: one buffer per connection, replaced when somebody keeps what is in it. */
class ReadBuffer {
  #buffer = Buffer.allocUnsafeSlow(READ_BUFFER_SMALL)
  #filled = false
  #backend: () => Backend | null = () => null
  readonly buffer = (): Buffer => this.#next()
  readonly callback: (length: number, chunk: Uint8Array) => boolean

  constructor(receive: (chunk: Buffer, length: number) => void) {
    this.callback = (length, chunk) => {
      this.#filled = length === chunk.length
      receive(this.#buffer, length)
      return true
    }
  }

  attach(backend: () => Backend | null): void {
    this.#backend = backend
  }

  #next(): Buffer {
    const kept = this.#backend()?.takeChunkKept() ?? false
    const size = this.#filled ? READ_BUFFER_LARGE : this.#buffer.length
    if (kept || size > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(size)
    return this.#buffer
  }
}
