import type { Origin, Ruling, Scope, TextSource } from '../../rules/index.js'
import type { ClientAddress } from '../client/client-address.js'
import type { WorkerContext } from '../context.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionText } from '../session/session-text.js'
import type { SessionState } from '../state/session-state.js'
import { PREPARED_TEXT_AT, type SharedStatement } from '../statements/shared-statement.js'
import { readText } from './rule-text.js'

type RuleContext = Pick<WorkerContext, 'rules'>

/** Where a session comes from; its schema is a matter of its state. */
export type SessionOrigin = Omit<Origin, 'schemaname'>

export function originOf(username: string, { host, endpoints }: ClientAddress): SessionOrigin {
  const { destinationAddress = '', destinationPort = 0 } = endpoints ?? {}
  return { username, clientAddr: host, proxyAddr: destinationAddress, proxyPort: destinationPort }
}

/** Asks the query rules what they say of a session's statements. Counts nothing. */
export class SessionRules {
  readonly #context: RuleContext
  readonly #state: SessionState
  readonly #origin: SessionOrigin
  /** The flag with which its next statements begin (`next_query_flagIN`). */
  flagIN = 0
  #scope: Scope | null = null
  /** For which `#scope` was found. */
  #set: unknown = null
  #schema = ''

  constructor(context: RuleContext, state: SessionState, origin: SessionOrigin) {
    this.#context = context
    this.#state = state
    this.#origin = origin
  }

  /** What they say of a text in hand; null: nothing. */
  ofText(command: CommandInHand, text: SessionText, flagIN = this.flagIN): Ruling | null {
    const start = text.textStart(command)
    if (start < 0) return null
    const digest = this.#context.rules.asksForDigest ? text.digestOf(command, null) : null
    return this.#currentScope().rule(digest, source.of(command.buffer, start, command.end, command.streamed), flagIN)
  }

  /** What they say of an execution. The text is what its client has prepared: what was rewritten is not again. */
  ofStatement(command: CommandInHand, shared: SharedStatement, text: SessionText): Ruling | null {
    const scope = this.#currentScope()
    const { flagIN } = this
    const { ruled } = shared
    if (ruled !== null && ruled.scope === scope && ruled.flagIN === flagIN) return ruled.ruling
    const digest = this.#context.rules.asksForDigest ? text.digestOf(command, shared) : null
    const { clientText, packet, complete } = shared
    if (clientText === null) source.of(packet, PREPARED_TEXT_AT, packet.length, !complete)
    else source.of(clientText, 0, clientText.length, false)
    const ruling = scope.rule(digest, source, flagIN)
    shared.ruled = { scope, flagIN, ruling }
    return ruling
  }

  reset(): void {
    this.flagIN = 0
  }

  #currentScope(): Scope {
    const { rules } = this.#context
    const { schema } = this.#state
    if (this.#scope === null || this.#set !== rules || this.#schema !== schema) {
      this.#scope = rules.scope({ ...this.#origin, schemaname: schema })
      this.#set = rules
      this.#schema = schema
    }
    return this.#scope
  }
}

/** The text of whichever statement is asked about: one object for all. */
class BytesSource implements TextSource {
  cut = false
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0

  of(buffer: Buffer, start: number, end: number, cut: boolean): this {
    this.#buffer = buffer
    this.#start = start
    this.#end = end
    this.cut = cut
    return this
  }

  read(): string {
    return readText(this.#buffer, this.#start, this.#end)
  }
}

const source = new BytesSource()
