import { connect, type Socket } from 'node:net'
import {
  Answer,
  Capability,
  ClientLogin,
  type ClientLoginAction,
  decodeErr,
  Frame,
  Framer,
  ResponseEvent,
  ResponseFollower,
} from '../../protocol/index.js'
import { QUIT_PACKET } from './packets.js'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Credentials {
  readonly user: string
  readonly password: string
  readonly database?: string | undefined
}

/** What the owner of a connection is told. */
export interface ConnectionOwner {
  /** The whole answer to the last `send` is there; `errno` tells whether it was an error. */
  onAnswer(connection: LoadConnection): void
  /** The connection is gone without `quit`, or could not be made. */
  onLost(error: Error): void
}

const CAPABILITIES =
  Capability.LONG_PASSWORD |
  Capability.LONG_FLAG |
  Capability.TRANSACTIONS |
  Capability.MULTI_STATEMENTS |
  Capability.MULTI_RESULTS |
  Capability.PS_MULTI_RESULTS |
  Capability.DEPRECATE_EOF
const UTF8MB4_GENERAL_CI = 45

/**
 * All connections of a process read into the same memory: what was read is looked at before the next socket is read, and
 * what has to be kept is copied by the framer and the follower.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

/** One connection that sends one command at a time and sees where the answer ends. No row is decoded. */
export class LoadConnection {
  readonly socket: Socket
  /** errno of the last answer, 0 without error; `error` then says it in words. */
  errno = 0
  error = ''
  /** From the last COM_STMT_PREPARE. */
  statementId = 0
  bytesReceived = 0

  readonly #owner: ConnectionOwner
  readonly #follower = new ResponseFollower()
  /** Until the login is done. */
  #framer: Framer | null = new Framer()
  #login: ClientLogin
  #onLoggedIn: (connection: LoadConnection) => void
  #capabilities = 0
  #isQuitting = false
  #isPaused = false

  /** Begins to connect; `onLoggedIn` is called when the first command can be sent. */
  constructor(
    address: Address,
    credentials: Credentials,
    owner: ConnectionOwner,
    onLoggedIn: (connection: LoadConnection) => void,
  ) {
    const { user, password, database } = credentials
    this.#owner = owner
    this.#onLoggedIn = onLoggedIn
    this.#login = new ClientLogin({
      username: user,
      password,
      database,
      capabilities: CAPABILITIES,
      collation: UTF8MB4_GENERAL_CI,
      tls: 'off',
      allowRsaPublicKeyRetrieval: true,
    })
    const onread = { buffer: READ_BUFFER, callback: (length: number) => this.#onBytes(length) }
    this.socket = connect({ host: address.host, port: address.port, noDelay: true, onread })
    this.socket.on('error', (error) => this.#lost(error))
    this.socket.on('close', () => this.#lost(new Error('the connection was closed by the other side')))
  }

  /** Sends a complete packet whose answer is one of `Answer`. One at a time. */
  send(packet: Buffer, answer: number = Answer.results): void {
    this.errno = 0
    this.#follower.begin(answer, this.#capabilities)
    this.socket.write(packet)
  }

  /** Says good-bye and closes; the owner hears no more of it. */
  quit(): void {
    this.#isQuitting = true
    this.socket.end(QUIT_PACKET)
  }

  /** Closes at once. */
  destroy(): void {
    this.#isQuitting = true
    this.socket.destroy()
  }

  /** Stops reading after the chunk that is being looked at, as a slow client does. */
  pause(): void {
    this.#isPaused = true
    this.socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.socket.resume()
  }

  #onBytes(length: number): boolean {
    this.bytesReceived += length
    try {
      if (this.#framer === null) this.#follow(length)
      else this.#loginBytes(this.#framer, length)
    } catch (error) {
      this.#lost(error as Error)
      this.socket.destroy()
    }
    return !this.#isPaused
  }

  #follow(length: number): void {
    const follower = this.#follower
    let at = 0
    for (;;) {
      const event = follower.consume(READ_BUFFER, at, length)
      at = follower.next
      if (event === ResponseEvent.end) {
        this.#owner.onAnswer(this)
        return
      }
      if (event === ResponseEvent.more) return
      if (event === ResponseEvent.error) {
        const { errno, message } = decodeErr(follower.edge.subarray(follower.edgeStart, follower.edgeEnd))
        this.errno = errno
        this.error = message
      } else if (event === ResponseEvent.prepared) {
        this.statementId = follower.statementId
      }
    }
  }

  #loginBytes(framer: Framer, length: number): void {
    // A copy, since the framer may keep the chunk until its next call.
    framer.push(Buffer.from(READ_BUFFER.subarray(0, length)))
    while (framer.next() === Frame.packet) {
      for (const action of this.#login.packet(framer.buffer.subarray(framer.start, framer.end), framer.sequence)) {
        this.#perform(action)
      }
    }
  }

  #perform(action: ClientLoginAction): void {
    if (action.type === 'send') this.socket.write(action.packet)
    if (action.type === 'fail') throw new Error(`login failed: ${action.err.message} (${action.err.errno})`)
    if (action.type === 'done') {
      this.#capabilities = action.capabilities
      this.#framer = null
      this.#onLoggedIn(this)
    }
  }

  #lost(error: Error): void {
    if (this.#isQuitting) return
    this.#isQuitting = true
    this.#owner.onLost(error)
  }
}
