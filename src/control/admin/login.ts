import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Capability, Frame, Framer, type ServerLoginResult } from '../../../protocol/index.js'
import { SLUICE_VERSION } from '../../shared/version.js'
import { AdminAuthentication, type AuthenticationOptions, type AuthenticationOwner } from './authentication.js'
import type { ConnectionContext } from './connection-context.js'
import { addressOf } from './peer.js'
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

/** What every authentication on this port has in common. */
export function authenticationOptions(socket: Socket, connectionId: number): AuthenticationOptions {
  return {
    serverVersion: GREETING_VERSION,
    connectionId,
    capabilities: OFFERED,
    collation: UTF8MB4_GENERAL_CI,
    status: STATUS_FLAGS,
    tls: { available: false, required: false },
    secureTransport: socket.remoteAddress === undefined,
  }
}

/** The login of one connection. `done` is called once, with null when there is no login. */
export class AdminLogin implements AuthenticationOwner {
  private readonly context: ConnectionContext
  private readonly done: (result: LoggedIn | null) => void
  private readonly authentication: AdminAuthentication
  private readonly framer = new Framer(LOGIN_PACKET_MAX)
  private readonly timer: NodeJS.Timeout
  private socket: Socket

  constructor(
    socket: Socket,
    connectionId: number,
    context: ConnectionContext,
    done: (result: LoggedIn | null) => void,
  ) {
    this.socket = socket
    this.context = context
    this.done = done
    const tls = context.tls()
    const options = {
      ...authenticationOptions(socket, connectionId),
      tls: { available: tls !== null, required: tls?.required === true },
    }
    this.authentication = new AdminAuthentication(context, addressOf(socket), options, this)
    this.timer = setTimeout(() => this.end(null), HANDSHAKE_TIMEOUT_MS)
  }

  start(): void {
    this.listen()
    this.authentication.start()
  }

  private readonly onData = (chunk: Buffer): void => {
    this.framer.push(chunk)
    while (!this.authentication.over) {
      const found = this.framer.next()
      if (found === Frame.more) return
      if (found !== Frame.packet) return this.end(null)
      const payload = this.framer.buffer.subarray(this.framer.start, this.framer.end)
      this.authentication.packet(payload, this.framer.sequence)
    }
  }

  private readonly onGone = (): void => this.end(null)

  send(packet: Buffer): void {
    this.socket.write(packet)
  }

  startTls(): void {
    const secureContext = this.context.tls()?.context
    // It was switched off meanwhile.
    if (secureContext === undefined) return this.end(null)
    const plain = this.socket
    this.unlisten()
    const rest = this.framer.takeUnread()
    // Flowing without a listener would throw away what is put back.
    plain.pause()
    if (rest.length > 0) plain.unshift(rest)
    this.socket = new TLSSocket(plain, { isServer: true, secureContext })
    this.listen()
    this.socket.once('secure', () => this.authentication.tlsEstablished())
  }

  authenticated(login: ServerLoginResult, sequence: number): void {
    this.end({ socket: this.socket, login, sequence, rest: this.framer.takeUnread() })
  }

  refused(packet: Buffer): void {
    this.socket.end(packet)
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
