import {
  type ColumnDefinition,
  decodeTextRow,
  encodeQuery,
  Frame,
  Framer,
  ResponseEvent,
  ResultSetDecoder,
} from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { Backend, Exchange } from './backend.js'

/** The rows of a question of Sluice's own. */
export interface ServerAnswer {
  readonly columns: readonly ColumnDefinition[]
  /** Bytes as the server sent them; null: NULL. */
  readonly rows: readonly (readonly (Buffer | null)[])[]
}

/** Far above what is ever asked for. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/** Collects an answer whose rows are to be read here. */
class QuestionExchange implements Exchange {
  readonly #parts: Buffer[] = []
  #bytes = 0
  readonly #done: (answer: Buffer) => void
  readonly #failed: (error: Error) => void

  constructor(done: (answer: Buffer) => void, failed: (error: Error) => void) {
    this.#done = done
    this.#failed = failed
  }

  received(chunk: Buffer, from: number, event: number, { follower }: Backend): void {
    if (follower.carry !== null) this.#keep(follower.carry)
    if (follower.plainEnd > from) this.#keep(chunk.subarray(from, follower.plainEnd))
    // An edge packet of an event is not part of the plain range; its header stands before it.
    const hasEdge = event !== ResponseEvent.more && event !== ResponseEvent.end
    if (hasEdge) this.#keep(follower.edge.subarray(follower.edgeStart - 4, follower.edgeEnd))
  }

  finished(): void {
    if (this.#bytes > ANSWER_BYTES_MAX) this.#failed(new Error('the answer to a question of Sluice is too long'))
    else this.#done(Buffer.concat(this.#parts))
  }

  lost(_backend: Backend, reason: string): void {
    this.#failed(new Error(reason))
  }

  crashed(error: unknown): void {
    this.#failed(error as Error)
  }

  #keep(bytes: Buffer): void {
    this.#bytes += bytes.length
    if (this.#bytes <= ANSWER_BYTES_MAX) this.#parts.push(Buffer.from(bytes))
  }
}

/**
 * Asks a server something on a session's connection that the client does not see.
 * @throws ProxyError with the server's ERR
 * @throws Error when the connection is lost
 */
export async function askServer(backend: Backend, sql: string): Promise<ServerAnswer> {
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    backend.begin(new QuestionExchange(resolve, reject))
    backend.write(encodeQuery(sql, backend.capabilities))
  })
  const framer = new Framer(ANSWER_BYTES_MAX - 2)
  const decoder = new ResultSetDecoder(backend.capabilities, backend.mariadbCapabilities)
  let columns: readonly ColumnDefinition[] = []
  const rows: (Buffer | null)[][] = []
  framer.push(bytes)
  while (framer.next() === Frame.packet) {
    const event = decoder.payload(framer.buffer.subarray(framer.start, framer.end))
    if (event?.type === 'columns') columns = event.columns
    else if (event?.type === 'row') rows.push(decodeTextRow(event.payload, columns.length))
    else if (event?.type === 'err')
      throw new ProxyError('question-refused', event.err.errno, event.err.sqlState, event.err.message)
  }
  return { columns, rows }
}
