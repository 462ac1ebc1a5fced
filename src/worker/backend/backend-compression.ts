import { CompressedFrameReader, CompressedFrameWriter, PacketWalker, ProtocolError } from '../../../protocol/index.js'
import type { Compression } from './compressors.js'

/**
 * What has passed of one command and its answer. Frames are numbered from 0 with each command, and the answer goes on
 * where the command ended. The packets inside are to have the numbers that they have without compression.
 */
interface Conversation {
  started: boolean
  framesSent: number
  framesReceived: number
  packetsSent: number
  packetsReceived: number
}

/**
 * The compressed connection to a server. Servers number the packets inside of frames anew after each flush
 * (`net_flush` in `sql-common/net_serv.cc`), in the middle of an answer with several results for instance; here they get
 * the numbers that clients without compression count on. Each frame is given on before the next one is decompressed.
 */
export class BackendCompression {
  readonly #reader: CompressedFrameReader
  readonly #writer: CompressedFrameWriter
  readonly #receive: (bytes: Buffer) => void
  readonly #sent = new PacketWalker()
  readonly #received = new PacketWalker()
  /** Of the commands in flight that have an answer. */
  readonly #answers: Conversation[] = []
  /** The command that is being written. */
  #current = newConversation()
  #paused = false
  #delivering = false

  /** @param receive takes what the server sends, a frame at a time; the memory is only lent */
  constructor({ compressor, level }: Compression, receive: (bytes: Buffer) => void) {
    this.#reader = new CompressedFrameReader(compressor)
    this.#writer = new CompressedFrameWriter(compressor, level)
    this.#receive = receive
  }

  /** The command that is written next has an answer. */
  begin(): void {
    this.#answers.push(newConversation())
  }

  /** The frames of a command, or of its first part. */
  command(bytes: Buffer): Buffer {
    const last = this.#answers.at(-1)
    this.#current = last !== undefined && !last.started ? last : newConversation()
    return this.more(bytes)
  }

  /** The frames of what follows of the command that was written last. */
  more(bytes: Buffer): Buffer {
    const talk = this.#current
    talk.started = true
    for (let at = this.#sent.find(bytes, 0); at >= 0; at = this.#sent.find(bytes, at + 1)) talk.packetsSent++
    const first = talk.framesSent + talk.framesReceived
    this.#writer.sequence = first & 0xff
    const frames = this.#writer.encode(bytes)
    talk.framesSent += (this.#writer.sequence - first) & 0xff
    return frames
  }

  /**
   * Takes bytes of the server.
   * @returns false when some of the chunk is left until `resume`: its memory must not be used again
   */
  received(chunk: Buffer): boolean {
    this.#reader.push(chunk)
    this.#deliver()
    return this.#reader.unread === 0
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    if (this.#reader.unread > 0) this.#deliver()
  }

  /** The answer to the first command in flight has ended. */
  answerEnded(): void {
    this.#answers.shift()
  }

  #deliver(): void {
    if (this.#delivering) return
    this.#delivering = true
    try {
      while (!this.#paused) {
        const bytes = this.#reader.next()
        if (bytes === null) return
        const talk = this.#answers.at(0)
        if (talk !== undefined) this.#follow(bytes, talk)
        if (bytes.length > 0) this.#receive(bytes)
      }
    } finally {
      this.#delivering = false
    }
  }

  #follow(bytes: Buffer, talk: Conversation): void {
    if (this.#reader.frameBegins) {
      const expected = (talk.framesSent + talk.framesReceived) & 0xff
      // A server that refuses the rest of a command does not know how much of it is on its way.
      const refusal = this.#received.atBoundary && bytes[ERROR_AT] === 0xff
      if (this.#reader.sequence !== expected && !refusal) {
        throw new ProtocolError('out-of-order', `frame ${this.#reader.sequence} instead of ${expected}`)
      }
      talk.framesReceived++
    }
    for (let at = this.#received.find(bytes, 0); at >= 0; at = this.#received.find(bytes, at + 1)) {
      bytes[at] = (talk.packetsSent + talk.packetsReceived) & 0xff
      talk.packetsReceived++
    }
  }
}

/** Where an ERR packet at the beginning of a frame says that it is one. */
const ERROR_AT = 4

function newConversation(): Conversation {
  return { started: false, framesSent: 0, framesReceived: 0, packetsSent: 0, packetsReceived: 0 }
}
