import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  Answer,
  Capability,
  ClientLogin,
  type ClientLoginOptions,
  type ClientLoginResult,
  Command,
  CompressedFrameReader,
  CompressedFrameWriter,
  type Compressor,
  encodeCommand,
  encodeQuery,
  Frame,
  Framer,
  frame,
  ResponseEvent,
  ResponseFollower,
} from '../../protocol/index.js'

export interface RawClientOptions extends Partial<ClientLoginOptions> {
  readonly port: number
  readonly username?: string
  readonly password?: string
  /** To be used when the login has negotiated it; `capabilities` say which. */
  readonly compressor?: Compressor
}

/** What nearly every client negotiates; add to it what the test is about. */
export const PLAIN_CAPABILITIES =
  Capability.LONG_PASSWORD |
  Capability.LONG_FLAG |
  Capability.TRANSACTIONS |
  Capability.LOCAL_FILES |
  Capability.MULTI_RESULTS |
  Capability.PS_MULTI_RESULTS

/** No answer of a test takes so long. */
const ANSWER_MS = 20_000

/** A client without a driver in between: sends commands as bytes and returns the bytes of their whole answers. */
export class RawClient {
  readonly login: ClientLoginResult
  readonly #socket: Socket
  readonly #compressed: CompressedConversation | null
  readonly #follower = new ResponseFollower()
  #waiting: { take: (chunk: Buffer) => void; fail: (error: Error) => void } | null = null
  #ended: Error | null = null

  private constructor(socket: Socket, login: ClientLoginResult, compressor: Compressor | undefined) {
    this.#socket = socket
    this.login = login
    this.#compressed = compressor === undefined ? null : new CompressedConversation(compressor)
    socket.on('data', (chunk) => {
      try {
        if (this.#waiting === null) throw new Error('bytes that answer no command')
        for (const bytes of this.#compressed?.received(chunk) ?? [chunk]) this.#waiting?.take(bytes)
      } catch (error) {
        this.#end(new Error(`${(error as Error).message}: ${chunk.toString('latin1')}`))
      }
    })
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('the connection was closed')))
  }

  /** Logs in as the sandbox's `app` unless told otherwise. Rejects with `errno message` when it is refused. */
  static async connect({ port, compressor, ...options }: RawClientOptions): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket, await logIn(socket, options), compressor)
  }

  /** The negotiated CLIENT_* flags. */
  get capabilities(): number {
    return this.login.capabilities
  }

  /** For what no client should do: bytes that are no packets, reading slowly, leaving without a word. */
  get socket(): Socket {
    return this.#socket
  }

  /** Facts of the last answer. */
  get facts(): Readonly<ResponseFollower> {
    return this.#follower
  }

  /** COM_QUERY. `file` is sent where the server asks for a local file. */
  query(sql: string | Buffer, file?: Buffer): Promise<Buffer> {
    return this.send(encodeQuery(sql, this.capabilities), Answer.results, file)
  }

  /** Any command whose answer begins as that of a query does. */
  command(code: number, payload?: Uint8Array, answer: number = Answer.results): Promise<Buffer> {
    return this.send(encodeCommand(code, payload), answer)
  }

  /**
   * Sends whole packets and returns the whole answer, headers included.
   * @param answer one of `Answer`
   */
  async send(packets: Buffer, answer: number = Answer.results, file: Buffer = Buffer.alloc(0)): Promise<Buffer> {
    const [only] = await this.#exchange(packets, 1, [answer], file)
    return only
  }

  /**
   * Sends several commands in one segment and returns their answers in order, each `Answer.results` unless told. `file` is
   * sent where the server asks for a local file.
   */
  pipeline(commands: readonly Buffer[], answers: readonly number[] = [], file = Buffer.alloc(0)): Promise<Buffer[]> {
    return this.#exchange(Buffer.concat(commands), commands.length, answers, file)
  }

  #exchange(packets: Buffer, count: number, kinds: readonly number[], file: Buffer): Promise<Buffer[]> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    const follower = this.#follower
    const answers: Buffer[] = []
    const begin = (): void =>
      follower.begin(kinds[answers.length] ?? Answer.results, this.capabilities, this.login.mariadbCapabilities)
    let parts: Buffer[] = []
    begin()
    const limit = setTimeout(() => this.#end(new Error(`no whole answer within ${ANSWER_MS} ms`)), ANSWER_MS)
    const whole = new Promise<Buffer[]>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        for (let at = 0; at < chunk.length; at = follower.next) {
          if (follower.ended) return this.#end(new Error('bytes behind the end of an answer'))
          const event = follower.consume(chunk, at, chunk.length)
          parts.push(chunk.subarray(at, follower.next))
          if (event === ResponseEvent.localInfile) this.#sendFile(file)
          if (!follower.ended) continue
          answers.push(Buffer.concat(parts))
          parts = []
          if (answers.length < count) begin()
        }
        if (answers.length < count) return
        this.#waiting = null
        resolve(answers)
      }
      this.#waiting = { take, fail: reject }
      this.#socket.write(this.#compressed?.command(packets) ?? packets)
    })
    return whole.finally(() => clearTimeout(limit))
  }

  /** Sends packets that have no answer. */
  tell(packets: Buffer): void {
    this.#socket.write(this.#compressed?.command(packets) ?? packets)
  }

  async close(): Promise<void> {
    if (this.#ended !== null) return
    this.#waiting = { take: () => {}, fail: () => {} }
    const closed = once(this.#socket, 'close')
    const quit = encodeCommand(Command.QUIT)
    this.#socket.end(this.#compressed?.command(quit) ?? quit)
    await closed
  }

  #sendFile(file: Buffer): void {
    const { edgeSequence } = this.#follower
    const packets = file.length === 0 ? [] : [frame(file, edgeSequence + 1)]
    const whole = Buffer.concat([...packets, frame(Buffer.alloc(0), edgeSequence + 1 + packets.length)])
    this.#socket.write(this.#compressed?.more(whole) ?? whole)
    this.#follower.infileSent()
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#socket.destroy()
    this.#waiting?.fail(error)
    this.#waiting = null
  }
}

/** Frames of a compressed connection, as strict with their numbers as MySQL's client library. */
class CompressedConversation {
  readonly #reader: CompressedFrameReader
  readonly #writer: CompressedFrameWriter

  constructor(compressor: Compressor) {
    this.#reader = new CompressedFrameReader(compressor)
    this.#writer = new CompressedFrameWriter(compressor)
  }

  command(bytes: Buffer): Buffer {
    this.#writer.sequence = 0
    return this.#writer.encode(bytes)
  }

  more(bytes: Buffer): Buffer {
    return this.#writer.encode(bytes)
  }

  received(chunk: Buffer): Buffer[] {
    this.#reader.push(chunk)
    const parts: Buffer[] = []
    for (let bytes = this.#reader.next(); bytes !== null; bytes = this.#reader.next()) {
      const { sequence, frameBegins } = this.#reader
      if (frameBegins && sequence !== this.#writer.sequence) {
        throw new Error(`frame ${sequence} instead of ${this.#writer.sequence}`)
      }
      if (frameBegins) this.#writer.sequence = (sequence + 1) & 0xff
      parts.push(bytes)
    }
    return parts
  }
}

/** Cuts an answer into the payloads of its packets (none of 16 MB or more). */
export function payloads(answer: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < answer.length; ) {
    const end = at + 4 + answer.readUIntLE(at, 3)
    found.push(answer.subarray(at + 4, end))
    at = end
  }
  return found
}

function logIn(socket: Socket, options: Partial<ClientLoginOptions>): Promise<ClientLoginResult> {
  const login = new ClientLogin({
    username: 'app',
    password: 'app',
    capabilities: PLAIN_CAPABILITIES,
    collation: 45,
    tls: 'off',
    allowRsaPublicKeyRetrieval: true,
    ...options,
  })
  const framer = new Framer()
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('the connection was closed'))
    const onData = (chunk: Buffer): void => {
      framer.push(chunk)
      while (framer.next() === Frame.packet) {
        for (const action of login.packet(framer.buffer.subarray(framer.start, framer.end), framer.sequence)) {
          if (action.type === 'send') socket.write(action.packet)
          else if (action.type === 'fail') reject(new Error(`${action.err.errno} ${action.err.message}`))
          else if (action.type === 'done') {
            socket.off('data', onData)
            socket.off('close', onClose)
            resolve(action)
          }
        }
      }
    }
    socket.on('data', onData)
    socket.on('error', reject)
    socket.on('close', onClose)
  })
}
