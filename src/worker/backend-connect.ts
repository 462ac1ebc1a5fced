import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import {
  Capability,
  ClientLogin,
  type ClientLoginAction,
  type ClientLoginResult,
  type ErrPacket,
  encodeQuery,
  Frame,
  Framer,
} from '../../protocol/index.js'
import { Backend, type BackendTarget } from './backend.js'
import { SetupExchange } from './setup-exchange.js'
import { TRACKING } from './tracking.js'

/** As whom, and with which capabilities, a session's backend connections log in. */
export interface BackendLogin {
  readonly username: string
  readonly password: string
  readonly database: string
  /** Collation id from the client's own handshake. */
  readonly collation: number
  /** CLIENT_* flags that the client negotiated and that mean something to the server. */
  readonly capabilities: number
  readonly mariadbCapabilities: number
  /** Raw connection attributes block, or undefined. */
  readonly attributes: Buffer | undefined
}

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
    return this.err === null || BUSY_ERRORS.has(this.err.errno)
  }
}

/** Too many connections, shutdown, host blocked or not allowed, user's connection limits. */
const BUSY_ERRORS = new Set([1040, 1053, 1129, 1130, 1203, 1226, 3032, 3159])

/** Read buffers: small at first, large once a server fills it. */
const READ_BUFFER_SMALL = 16_384
const READ_BUFFER_LARGE = 65_536

/**
 * Connects to a server, logs in and switches session tracking on.
 * @param timeoutMs for all of it
 * @throws BackendConnectError
 */
export async function connectBackend(target: BackendTarget, login: BackendLogin, timeoutMs: number): Promise<Backend> {
  const backend = await new ConnectAttempt(target, login).run(timeoutMs)
  switchTrackingOn(backend)
  return backend
}

/**
 * Does not wait for the answer: it comes before those of the commands that follow, and goes out together with the first
 * of them, which saves a new session a round trip. A connection whose server refuses is ended, and its command with it.
 */
function switchTrackingOn(backend: Backend): void {
  const refused = ({ error }: SetupExchange): void => {
    if (error === null || (backend.capabilities & Capability.SESSION_TRACK) === 0) return
    backend.destroy(`session tracking was refused: ${error.message}`)
  }
  backend.begin(new SetupExchange(refused, () => {}))
  backend.writeSoon(encodeQuery(TRACKING[backend.target.flavor], backend.capabilities))
}

class ConnectAttempt {
  readonly #target: BackendTarget
  readonly #wanted: BackendLogin
  readonly #login: ClientLogin
  readonly #framer = new Framer(READ_BUFFER_LARGE)
  #socket: Socket
  #backend: Backend | null = null
  #finish: (result: Backend | BackendConnectError) => void = () => {}

  constructor(target: BackendTarget, wanted: BackendLogin) {
    this.#target = target
    this.#wanted = wanted
    this.#login = new ClientLogin({
      username: wanted.username,
      password: wanted.password,
      database: wanted.database === '' ? undefined : wanted.database,
      capabilities: (wanted.capabilities | Capability.SESSION_TRACK) >>> 0,
      mariadbCapabilities: wanted.mariadbCapabilities,
      collation: wanted.collation,
      attributes: wanted.attributes,
      tls: target.useSsl ? 'required' : 'off',
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

  #connect(): Socket {
    const { host, port } = this.#target
    // Plain connections read into memory that is used again; TLS has buffers of its own.
    const onread = this.#target.useSsl ? undefined : new ReadBuffer((chunk, length) => this.#received(chunk, length))
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
      else if (action.type === 'fail') this.#fail(action.err.message, action.err)
      else if (action.type === 'done') this.#succeed(action)
    }
  }

  #startTls(): void {
    const plain = this.#socket
    plain.removeListener('data', this.#onData)
    const socket = tlsConnect({ socket: plain, rejectUnauthorized: false }, () =>
      this.#perform(this.#login.tlsEstablished()),
    )
    socket.on('data', this.#onData)
    socket.on('error', (error) => this.#fail(error.message, null))
    this.#socket = socket
  }

  #succeed(result: ClientLoginResult): void {
    const needed = this.#wanted.capabilities & WIRE_CAPABILITIES
    if ((result.capabilities & needed) >>> 0 !== needed >>> 0) {
      return this.#fail('it does not offer what the client negotiated', null)
    }
    const backend = new Backend(this.#socket, this.#target, {
      capabilities: result.capabilities,
      mariadbCapabilities: result.mariadbCapabilities,
      threadId: result.greeting.connectionId,
    })
    backend.applied.schema = this.#wanted.database
    this.#backend = backend
    this.#finish(backend)
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
