import { decodeErr, decodeOk, type ErrPacket, type OkPacket, ResponseEvent } from '../../../protocol/index.js'
import type { Backend, Exchange } from './backend.js'

/** A command of Sluice's own whose answer the client does not see. */
export class SetupExchange implements Exchange {
  /** The ERR that answered it, or null. */
  error: ErrPacket | null = null
  /** Session state of its OK. */
  readonly oks: OkPacket[] = []
  /** From the OK of COM_STMT_PREPARE. */
  statementId = 0
  /** From the same answer: `ResponseFollower.metadataDigest` of the columns; 0 when there are none. */
  metadata = 0
  readonly #done: (exchange: SetupExchange) => void
  readonly #lost: (reason: string) => void

  constructor(done: (exchange: SetupExchange) => void, lost: (reason: string) => void) {
    this.#done = done
    this.#lost = lost
  }

  received(_chunk: Buffer, _from: number, event: number, backend: Backend): void {
    const { edge, edgeStart, edgeEnd, statementId } = backend.follower
    if (event === ResponseEvent.error) this.error = decodeErr(edge.subarray(edgeStart, edgeEnd))
    if (event === ResponseEvent.sessionState)
      this.oks.push(decodeOk(edge.subarray(edgeStart, edgeEnd), backend.capabilities))
    if (event === ResponseEvent.prepared) this.statementId = statementId
  }

  finished({ follower }: Backend): void {
    if (follower.columnCount > 0) this.metadata = follower.metadataDigest
    this.#done(this)
  }

  lost(_backend: Backend, reason: string): void {
    this.#lost(reason)
  }

  crashed(error: unknown): void {
    this.#lost(String(error))
  }
}

/** Runs one command of Sluice's own. Rejects when the connection is lost; an ERR is a value. */
export function runSetup(backend: Backend, packet: Buffer, answer?: number): Promise<SetupExchange> {
  return new Promise((resolve, reject) => {
    const exchange = new SetupExchange(resolve, (reason) => reject(new Error(reason)))
    backend.begin(exchange, answer)
    backend.write(packet)
  })
}
