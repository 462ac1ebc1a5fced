import { LRUCache } from 'lru-cache'
import type { LearnedDigest } from '../shared/counters.js'
import { type Digest, Digester, digestHex, digestText, type LexicalOptions } from '../sql/index.js'
import type { CommandInHand } from './command.js'
import type { StatementText } from './statement-text.js'
import type { PreparedStatement } from './statements.js'

/** Applications have far fewer statements that only seem to read. */
const DIGESTS_MAX = 1_000
/** What is shown of a statement, in characters. */
const TEXT_LENGTH_MAX = 1_000
/** Where the text begins in a COM_STMT_PREPARE packet. */
const PREPARED_TEXT_AT = 5

/** ER_OPTION_PREVENTS_STATEMENT (read_only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE. */
const READ_ONLY_ERRORS: ReadonlySet<number> = new Set([1290, 1792, 1836])

export function isReadOnlyRefusal(errno: number): boolean {
  return READ_ONLY_ERRORS.has(errno)
}

interface Learned {
  readonly text: string
  readonly error: string
  readonly firstSeen: number
  lastSeen: number
  count: number
}

/**
 * Statements that were taken for reads and that a replica has refused as writes, by their digest: they go to the primary
 * from then on. A digest is made of a read only while anything is learned.
 */
export class LearnedWrites {
  readonly #digests = new LRUCache<string, Learned>({ max: DIGESTS_MAX })
  readonly #digester = new Digester()
  /** Valid until the next one is made. */
  #last: Digest | null = null

  get size(): number {
    return this.#digests.size
  }

  /** Whether the command's statement is one of them; counts it as seen. */
  has(command: CommandInHand, statement: PreparedStatement | null, text: StatementText): boolean {
    const learned = this.#digests.get(this.#digestOf(command, statement, text))
    if (learned === undefined) return false
    learned.lastSeen = Date.now()
    learned.count++
    return true
  }

  /** The same without counting. */
  knows(command: CommandInHand, statement: PreparedStatement | null, text: StatementText): boolean {
    return this.#digests.peek(this.#digestOf(command, statement, text)) !== undefined
  }

  learn(command: CommandInHand, statement: PreparedStatement | null, text: StatementText, error: string): void {
    const digest = this.#digestOf(command, statement, text)
    if (digest === '') return
    const shown = this.#last === null ? '' : digestText(this.#last).slice(0, TEXT_LENGTH_MAX)
    const now = Date.now()
    const before = this.#digests.get(digest)
    this.#digests.set(digest, {
      text: shown,
      error,
      firstSeen: before?.firstSeen ?? now,
      lastSeen: now,
      count: (before?.count ?? 0) + 1,
    })
  }

  /** What is reported to the control plane. */
  report(): LearnedDigest[] {
    return [...this.#digests.entries()].map(([digest, learned]) => ({ digest, ...learned }))
  }

  /** Empty where the command has no text. */
  #digestOf(command: CommandInHand, statement: PreparedStatement | null, text: StatementText): string {
    const { options } = text
    if (statement !== null) {
      const { packet } = statement.shared
      return this.#digest(packet, PREPARED_TEXT_AT, packet.length, options)
    }
    const start = text.textStart(command)
    return start < 0 ? '' : this.#digest(command.buffer, start, command.end, options)
  }

  #digest(buffer: Buffer, start: number, end: number, options: LexicalOptions): string {
    this.#last = this.#digester.digest(buffer, start, end, options)
    return digestHex(this.#last)
  }
}
