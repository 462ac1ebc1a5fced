import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  type Account,
  AuthPlugin,
  Capability,
  Frame,
  Framer,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginResult,
} from '../../protocol/index.js'
import type { UserEntry } from '../shared/snapshot.js'
import type { WorkerContext } from './context.js'

/** A login that succeeded: the socket (by now perhaps TLS) and what was agreed on. */
export interface LoggedIn {
  readonly socket: Socket
  readonly login: ServerLoginResult
  readonly user: UserEntry
  /** Sequence number of the OK or ERR that the client waits for. */
  readonly sequence: number
  /** Bytes that came behind the login's last packet. */
  readonly rest: Buffer
}

/** Larger than any handshake response with its attributes (64 KiB) may be. */
const LOGIN_PACKET_LIMIT = 131_072

/**
 * Logs a client in: greeting, TLS, authentication, within the handshake timeout.
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

class LoginDriver {
  readonly #context: WorkerContext
  readonly #machine: ServerLogin
  readonly #framer = new Framer(LOGIN_PACKET_LIMIT)
  readonly #done: (result: LoggedIn) => void
  readonly #timer: NodeJS.Timeout
  readonly #host: string
  #socket: Socket
  #user: UserEntry | null = null

  constructor(socket: Socket, connectionId: number, context: WorkerContext, done: (result: LoggedIn) => void) {
    this.#socket = socket
    this.#context = context
    this.#done = done
    this.#host = clientHost(socket)
    const { greeting, tls, limits } = context.view.snapshot
    this.#machine = new ServerLogin({
      serverVersion: greeting.serverVersion,
      connectionId,
      capabilities: greeting.capabilities & OFFERED,
      mariadbCapabilities: 0,
      collation: greeting.collation,
      status: 0x0002,
      tls: { available: tls !== null, required: false },
      secureTransport: socket.remoteAddress === undefined,
      defaultPlugin: greeting.flavor === 'mariadb' ? AuthPlugin.NATIVE : AuthPlugin.CACHING_SHA2,
      clientHost: this.#host,
      findAccount: (username) => this.#findAccount(username),
      rsaKeyPair: context.rsaKeyPair,
    })
    this.#timer = setTimeout(() => this.#abort('handshake timeout'), limits.handshakeTimeoutMs)
  }

  start(): void {
    this.#listen()
    this.#perform(this.#machine.start())
  }

  #findAccount(username: string): Account | null {
    const user = this.#context.findUser(username)
    this.#user = user
    if (user === null) return null
    return {
      name: username,
      secret: user.password === '' ? { kind: 'none' } : { kind: 'clear', password: user.password },
    }
  }

  #listen(): void {
    this.#socket.on('data', this.#onData)
    this.#socket.on('error', this.#onGone)
    this.#socket.on('close', this.#onGone)
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
    socket.cork()
    this.#framer.push(chunk)
    while (this.#step()) {}
    socket.uncork()
  }

  /** Takes one packet. @returns false when there is none, or this driver is to read no further. */
  #step(): boolean {
    const found = this.#framer.next()
    if (found === Frame.more) return false
    if (found !== Frame.packet) {
      this.#abort('a packet of the login is too large')
      return false
    }
    const payload = this.#framer.buffer.subarray(this.#framer.start, this.#framer.end)
    return this.#perform(this.#machine.packet(payload, this.#framer.sequence))
  }

  /** @returns false when this driver is to read no further. */
  #perform(actions: ServerLoginAction[]): boolean {
    for (const action of actions) {
      switch (action.type) {
        case 'send':
          this.#socket.write(action.packet)
          break
        case 'startTls':
          this.#startTls()
          return false
        case 'done':
          this.#succeed(action.login, action.sequence)
          return false
        case 'fail':
          this.#context.counters.accessDenied++
          this.#context.log.info({ client: this.#host, reason: action.reason }, `login refused: ${action.err.message}`)
          this.#socket.end(action.packet)
          this.#abort(action.reason)
          return false
        case 'verify':
          throw new Error('accounts are judged by the configuration, not by a server')
      }
    }
    return true
  }

  #startTls(): void {
    const secureContext = this.#context.serverTls()
    const plain = this.#socket
    this.#unlisten()
    const rest = this.#framer.takeUnread()
    // A flowing socket would throw away what is put back; TLS reads from the socket's handle and starts it again itself.
    plain.pause()
    if (rest.length > 0) plain.unshift(rest)
    const socket = new TLSSocket(plain, { isServer: true, secureContext: secureContext! })
    this.#socket = socket
    this.#listen()
    socket.once('secure', () => this.#perform(this.#machine.tlsEstablished()))
  }

  #succeed(login: ServerLoginResult, sequence: number): void {
    clearTimeout(this.#timer)
    this.#unlisten()
    const rest = this.#framer.takeUnread()
    this.#done({ socket: this.#socket, login, user: this.#user!, sequence, rest })
  }

  #abort(reason: string): void {
    clearTimeout(this.#timer)
    this.#unlisten()
    this.#socket.on('error', () => {})
    this.#context.clientAborted(this.#host, reason)
    if (this.#socket.writableEnded) this.#socket.destroySoon()
    else this.#socket.destroy()
  }
}

/** The address as MySQL names it in its messages: `localhost` for a unix socket. */
export function clientHost(socket: Socket): string {
  const address = socket.remoteAddress
  if (address === undefined) return 'localhost'
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/** What Sluice offers of what its servers have; compression and local files have their place in the greeting later. */
const OFFERED = ~(
  Capability.COMPRESS |
  Capability.ZSTD_COMPRESSION_ALGORITHM |
  Capability.MULTI_FACTOR_AUTHENTICATION |
  Capability.SSL
)
