import type { Socket } from 'node:net'
import {
  Command,
  CommandName,
  encodeErr,
  Frame,
  Framer,
  frame,
  ProtocolError,
  ServerErrors,
  type ServerLoginResult,
} from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import { roleOf } from './accounts.js'
import { AdminAuthentication, type AuthenticationOwner } from './authentication.js'
import type { ConnectionContext } from './connection-context.js'
import { AdminLogin, authenticationOptions, type LoggedIn } from './login.js'
import { addressOf } from './peer.js'
import { errPacket, okPacket } from './reply.js'
import { type AdminSession, newSession } from './session.js'
import { StatementStore } from './statement-store.js'
import { STATEMENT_LENGTH_MAX } from './tokens.js'
import { type CommandState, SILENT_COMMANDS, WIRE_COMMANDS } from './wire-commands.js'

/**
 * login: not yet known who it is; ready: a command may come; busy: one is being answered, nothing is read meanwhile;
 * changing: COM_CHANGE_USER has come, and the client's next packet for it is awaited.
 */
type State = 'login' | 'ready' | 'busy' | 'changing' | 'closed'

/** What the login has settled for as long as the client is connected. */
type Terms = Pick<ServerLoginResult, 'capabilities' | 'mariadbCapabilities' | 'tls' | 'scramble'>

const NEXT: Readonly<Record<State, readonly State[]>> = {
  login: ['ready', 'closed'],
  ready: ['busy', 'closed'],
  busy: ['ready', 'changing', 'closed'],
  changing: ['busy', 'closed'],
  closed: [],
}

/** Bytes of the longest statement, if every character took three. */
const PACKET_MAX = 3 * STATEMENT_LENGTH_MAX + 1024
/** As `@@wait_timeout` of this port says. */
const IDLE_TIMEOUT_MS = 28_800_000

/** One client of the admin port, from its connection to its end. */
export class AdminConnection implements AuthenticationOwner {
  private readonly id: number
  private readonly context: ConnectionContext
  private readonly framer = new Framer(PACKET_MAX)
  private socket: Socket
  private state: State = 'login'
  private command: CommandState | undefined
  private terms: Terms | undefined
  private change: AdminAuthentication | undefined

  constructor(socket: Socket, id: number, context: ConnectionContext) {
    this.socket = socket
    this.id = id
    this.context = context
  }

  start(): void {
    new AdminLogin(this.socket, this.id, this.context, (result) => {
      if (result === null || this.state === 'closed') this.close()
      else this.serve(result)
    }).start()
  }

  /** Ends the connection at once; a second call does nothing. */
  close(): void {
    if (this.state === 'closed') return
    this.move('closed')
    if (!this.socket.writableEnded) this.socket.destroy()
    this.context.closed(this)
  }

  private serve({ socket, login, sequence, rest }: LoggedIn): void {
    this.socket = socket
    const { capabilities, mariadbCapabilities, tls, scramble } = login
    this.terms = { capabilities, mariadbCapabilities, tls, scramble }
    this.command = {
      session: this.sessionOf(login.username, login.response.database),
      capabilities,
      statements: new StatementStore(),
      executor: this.context.executor,
      guard: this.context.guard,
      log: this.context.log,
    }
    socket.setTimeout(IDLE_TIMEOUT_MS, () => this.close())
    socket.on('error', () => this.close())
    socket.on('close', () => this.close())
    socket.on('data', (chunk: Buffer) => this.take(chunk))
    this.move('ready')
    socket.write(okPacket(sequence, capabilities))
    if (rest.length > 0) this.take(rest)
  }

  private sessionOf(user: string, database: string | undefined): AdminSession {
    return newSession(user, roleOf(user, this.context.accounts()), addressOf(this.socket), this.id, database)
  }

  private take(chunk: Buffer): void {
    this.framer.push(chunk)
    this.next()
  }

  /** Takes the next packet that is there, if none is being answered. */
  private next(): void {
    if (this.state !== 'ready' && this.state !== 'changing') return
    const found = this.framer.next()
    if (found === Frame.more) return
    if (found !== Frame.packet) return this.refuse(packetTooLarge())
    // A copy: the chunk that it lies in may be gone before the answer is there.
    const payload = Buffer.from(this.framer.buffer.subarray(this.framer.start, this.framer.end))
    const { sequence } = this.framer
    this.move('busy')
    this.socket.pause()
    void this.respond(payload, sequence).then(() => {
      if (this.state === 'closed') return
      this.socket.resume()
      this.next()
    })
  }

  /** Answers one packet and leaves the connection ready, changing or closed. */
  private async respond(payload: Buffer, sequence: number): Promise<void> {
    try {
      if (this.change !== undefined) this.changing((change) => change.packet(payload, sequence))
      else if (sequence !== 0 || payload.length === 0) this.refuse(outOfOrder())
      else if (payload[0] === Command.QUIT) this.close()
      else if (payload[0] === Command.CHANGE_USER) this.beginChange(payload)
      else await this.answer(payload)
    } catch (error) {
      this.context.log.error({ err: error }, 'an admin connection failed')
      this.close()
    }
  }

  private async answer(payload: Buffer): Promise<void> {
    const state = this.command as CommandState
    const handler = WIRE_COMMANDS.get(payload[0])
    let packets: Uint8Array | null
    try {
      if (handler === undefined) throw unknownCommand(payload[0])
      packets = await handler(state, payload)
    } catch (error) {
      packets = SILENT_COMMANDS.has(payload[0]) ? null : errPacket(1, error, this.context.log)
    }
    if (this.state === 'closed') return
    if (packets !== null) this.socket.write(packets)
    this.move('ready')
  }

  /** A login without greeting and TLS: those are the session's. */
  private beginChange(payload: Buffer): void {
    const { scramble, ...changeUser } = this.terms as Terms
    const options = { ...authenticationOptions(this.socket, this.id), scramble, changeUser }
    this.change = new AdminAuthentication(this.context, addressOf(this.socket), options, this)
    this.changing((change) => change.changeUser(payload, 0))
  }

  private changing(step: (change: AdminAuthentication) => void): void {
    step(this.change as AdminAuthentication)
    if (this.change?.over === false) this.move('changing')
  }

  send(packet: Buffer): void {
    this.socket.write(packet)
  }

  startTls(): void {
    throw new Error('a change of user has no TLS of its own')
  }

  authenticated({ username, response, capabilities }: ServerLoginResult, sequence: number): void {
    const state = this.command as CommandState
    this.change = undefined
    state.session = this.sessionOf(username, response.database)
    state.statements.clear()
    this.socket.write(okPacket(sequence, capabilities))
    this.move('ready')
  }

  refused(packet: Buffer): void {
    this.change = undefined
    this.end(packet)
  }

  /** Tells what is wrong and ends the connection. */
  private refuse(error: unknown): void {
    this.end(errPacket(1, error, this.context.log))
  }

  private end(packet: Buffer): void {
    this.socket.end(packet)
    this.socket.destroySoon()
    this.close()
  }

  private move(to: State): void {
    if (!NEXT[this.state].includes(to)) throw new Error(`an admin connection cannot go from ${this.state} to ${to}`)
    this.state = to
  }
}

/** Answers a connection that is one too many, before any greeting. */
export function refuseConnection(socket: Socket): void {
  socket.on('error', () => {})
  const message = 'Too many connections'
  socket.end(frame(encodeErr({ ...ServerErrors.CON_COUNT_ERROR, message }, 0), 0))
  socket.destroySoon()
}

function unknownCommand(code: number): ProxyError {
  const { errno, sqlState } = ServerErrors.UNKNOWN_COM_ERROR
  const name = CommandName[code] ?? `command ${code}`
  return new ProxyError('admin-unknown-command', errno, sqlState, `sluice: ${name} is not served on the admin port`)
}

function packetTooLarge(): ProtocolError {
  const message = `sluice: Got a packet bigger than 'max_allowed_packet' bytes; expected ${PACKET_MAX} at most`
  return new ProtocolError('packet-too-large', message, ServerErrors.NET_PACKET_TOO_LARGE)
}

function outOfOrder(): ProtocolError {
  return new ProtocolError('out-of-order', 'Got packets out of order', ServerErrors.NET_PACKETS_OUT_OF_ORDER)
}
