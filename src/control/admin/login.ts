import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  Capability,
  encodeErr,
  Frame,
  Framer,
  frame,
  ServerErrors,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginResult,
} from '../../../protocol/index.js'
import { SLUICE_VERSION } from '../../shared/version.js'
import { FAILED_LOGINS_MAX, findAccount, throttleKey } from './accounts.js'
import type { ConnectionContext } from './connection-context.js'
import { addressOf, isLocal } from './peer.js'
import { STATUS_FLAGS, UTF8MB4_GENERAL_CI } from './result-packets.js'

/** A login that succeeded: the socket (by now perhaps TLS) and what was agreed on. */
export interface LoggedIn {
  readonly socket: Socket
  readonly login: ServerLoginResult
  /** Sequence number of the OK that the client waits for. */
  readonly sequence: number
  /** Bytes that came behind the login's last packet. */
  readonly rest: Buffer
}

/** Drivers choose their statements by this number; the suffix is for people. It is not what `SELECT version()` says. */
const GREETING_VERSION = `8.0.11-sluice-${SLUICE_VERSION}`

const OFFERED =
  Capability.LONG_PASSWORD |
  Capability.FOUND_ROWS |
  Capability.LONG_FLAG |
  Capability.CONNECT_WITH_DB |
  Capability.IGNORE_SPACE |
  Capability.INTERACTIVE |
  Capability.TRANSACTIONS |
  Capability.CONNECT_ATTRS |
  Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA |
  Capability.DEPRECATE_EOF

/** Larger than any handshake response with its attributes (64 KiB) may be. */
const LOGIN_PACKET_MAX = 131_072
const HANDSHAKE_TIMEOUT_MS = 10_000

/** Drives the protocol library's login machine over a socket. `done` is called once, with null when there is no login. */
export class AdminLogin {
  private readonly context: ConnectionContext
  private readonly done: (result: LoggedIn | null) => void
  private readonly machine: ServerLogin
  private readonly framer = new Framer(LOGIN_PACKET_MAX)
  private readonly timer: NodeJS.Timeout
  private readonly address: string
  private socket: Socket
  private username = ''
  private waitMs = 0

  constructor(
    socket: Socket,
    connectionId: number,
    context: ConnectionContext,
    done: (result: LoggedIn | null) => void,
  ) {
    this.socket = socket
    this.context = context
    this.done = done
    this.address = addressOf(socket)
    this.machine = new ServerLogin({
      serverVersion: GREETING_VERSION,
      connectionId,
      capabilities: OFFERED,
      collation: UTF8MB4_GENERAL_CI,
      status: STATUS_FLAGS,
      tls: { available: context.tls() !== null, required: false },
      secureTransport: socket.remoteAddress === undefined,
      clientHost: this.address,
      findAccount: (username) => this.accountOf(username),
      rsaKeyPair: context.rsaKeyPair,
    })
    this.timer = setTimeout(() => this.end(null), HANDSHAKE_TIMEOUT_MS)
  }

  start(): void {
    this.listen()
    this.perform(this.machine.start())
  }

  private accountOf(username: string) {
    this.username = username
    this.waitMs = this.context.throttle.waitOf(throttleKey(this.address, username), performance.now())
    if (this.waitMs > 0) return null
    return findAccount(this.context.users, username, isLocal(this.socket.remoteAddress))
  }

  private readonly onData = (chunk: Buffer): void => {
    this.framer.push(chunk)
    for (let found = this.framer.next(); found !== Frame.more; found = this.framer.next()) {
      if (found !== Frame.packet) return this.end(null)
      const payload = this.framer.buffer.subarray(this.framer.start, this.framer.end)
      if (!this.perform(this.machine.packet(payload, this.framer.sequence))) return
    }
  }

  private readonly onGone = (): void => this.end(null)

  /** @returns false when this object is to read no further */
  private perform(actions: readonly ServerLoginAction[]): boolean {
    for (const action of actions) {
      switch (action.type) {
        case 'send':
          this.socket.write(action.packet)
          break
        case 'startTls':
          this.startTls()
          return false
        case 'done':
          this.succeed(action.login, action.sequence)
          return false
        case 'fail':
          this.fail(action.packet, action.reason)
          return false
        case 'verify':
          throw new Error('admin accounts are judged here')
      }
    }
    return true
  }

  private startTls(): void {
    const plain = this.socket
    this.unlisten()
    const rest = this.framer.takeUnread()
    // Flowing without a listener would throw away what is put back.
    plain.pause()
    if (rest.length > 0) plain.unshift(rest)
    const secureContext = this.context.tls() ?? undefined
    this.socket = new TLSSocket(plain, { isServer: true, secureContext })
    this.listen()
    this.socket.once('secure', () => this.perform(this.machine.tlsEstablished()))
  }

  private succeed(login: ServerLoginResult, sequence: number): void {
    this.context.throttle.succeeded(throttleKey(this.address, this.username))
    this.end({ socket: this.socket, login, sequence, rest: this.framer.takeUnread() })
  }

  private fail(packet: Buffer, reason: string): void {
    this.context.log.warn({ client: this.address, user: this.username, reason }, 'admin login refused')
    if (reason === 'access-denied' && this.waitMs === 0) {
      this.context.throttle.failed(throttleKey(this.address, this.username), performance.now(), FAILED_LOGINS_MAX)
    }
    const sequence = packet[3]
    this.socket.end(this.waitMs > 0 ? frame(encodeErr(tooManyFailures(this.username, this.waitMs)), sequence) : packet)
    this.end(null)
  }

  private end(result: LoggedIn | null): void {
    clearTimeout(this.timer)
    this.unlisten()
    this.socket.on('error', () => {})
    if (result === null) {
      if (this.socket.writableEnded) this.socket.destroySoon()
      else this.socket.destroy()
    }
    this.done(result)
  }

  private listen(): void {
    this.socket.on('data', this.onData).on('error', this.onGone).on('close', this.onGone)
  }

  private unlisten(): void {
    this.socket.off('data', this.onData).off('error', this.onGone).off('close', this.onGone)
  }
}

function tooManyFailures(username: string, waitMs: number) {
  const seconds = Math.ceil(waitMs / 1000)
  return {
    ...ServerErrors.HOST_IS_BLOCKED,
    message: `sluice: too many failed logins of '${username}' from this address; expected none for ${seconds} s`,
  }
}
