import { Command } from '../../../protocol/index.js'
import { Effect, StatementKind, tablesWritten } from '../../sql/index.js'
import { type CommandInHand, isExecute } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import type { SessionState } from '../state/session-state.js'
import type { PreparedStatement, Statements } from '../statements/statements.js'
import type { ResultCache } from './result-cache.js'
import type { TableMark } from './table-marks.js'
import { tablesInHand } from './tables-in-hand.js'

/** What is known of a command that may write. */
export interface Writing {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly statements: Statements
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly text: SessionText
}

interface InFlight {
  readonly write: number
  readonly marks: readonly TableMark[]
  /** Tables of the statement alone, without those of the transaction that it ends; null: it could be any. */
  readonly tables: readonly string[] | null
  /** The other workers have been told. */
  readonly told: boolean
}

/** Commits what was written before. */
const COMMITTING_EFFECTS = Effect.implicitCommit | Effect.setsAutocommit1
/** What commits, or does anything at all. */
const COMMITTING_KINDS: ReadonlySet<number> = new Set([
  StatementKind.begin,
  StatementKind.beginReadOnly,
  StatementKind.commit,
  StatementKind.rollback,
  StatementKind.xa,
  StatementKind.lockTables,
  StatementKind.unlockTables,
])
/** Begin or end a transaction, and write nothing themselves. */
const WRITES_NOTHING: ReadonlySet<number> = new Set([
  StatementKind.begin,
  StatementKind.beginReadOnly,
  StatementKind.commit,
  StatementKind.rollback,
  StatementKind.savepoint,
  StatementKind.set,
])

let lastWrite = 0

/**
 * Tells the result cache, and through it the other workers, what a session writes: from before a statement is sent to its
 * answer, and once more for all of its tables when a transaction is committed, since that is when others get to see it.
 */
export class SessionWrites {
  readonly #cache: ResultCache
  #inFlight: InFlight | null = null
  /** Written in the transaction that is open; null in its place: it could be anything. */
  #uncommitted: Set<string> | null = new Set()
  /** The session has been seen outside of a transaction since writes are noted: what is open was seen from its beginning. */
  #followed = false

  constructor(cache: ResultCache) {
    this.#cache = cache
  }

  /** Whether a command has to be noted: it may write, or commit what was written. */
  concerns({ command, facts }: Writing): boolean {
    if (!this.#cache.notesWrites || (command.code !== Command.QUERY && !isExecute(command.code))) return false
    return command.mayWrite || (facts.inTransaction && (command.effects & COMMITTING_EFFECTS) !== 0)
  }

  /**
   * A write is about to be sent.
   * @returns resolves when it may be: false, when not all other workers may know of it; null: at once
   */
  begin(writing: Writing): Promise<boolean> | null {
    if (this.#inFlight !== null) return null
    const { command, facts } = writing
    if (!facts.inTransaction) this.#nothingUncommitted()
    const tables = this.#tablesOf(writing)
    const commits = COMMITTING_KINDS.has(command.kind) || (command.effects & COMMITTING_EFFECTS) !== 0
    const all = commits ? this.#withUncommitted(tables) : tables
    return this.#begin(tables, all)
  }

  #begin(tables: readonly string[] | null, all: readonly string[] | null): Promise<boolean> | null {
    if (all !== null && all.length === 0) {
      this.#inFlight = { write: 0, marks: NONE, tables, told: false }
      return null
    }
    const told = this.#cache.peers.state === 'connected'
    const write = told ? ++lastWrite : 0
    this.#inFlight = { write, marks: this.#cache.began(all), tables, told }
    return told ? this.#cache.peers.announce(write, all) : null
  }

  /** Whether a write is in flight. */
  get hasBegun(): boolean {
    return this.#inFlight !== null
  }

  /** The answer has come, after which the session is in a transaction or not. */
  answered({ inTransaction }: SessionFacts): void {
    // It was sent before writes were to be noted.
    if (this.#inFlight === null) void this.#begin(null, null)
    const { tables } = this.#inFlight!
    this.end(false)
    if (!inTransaction) this.#nothingUncommitted()
    else if (tables === null) this.#uncommitted = null
    else for (const table of tables) this.#uncommitted?.add(table)
  }

  /** @param lost it was sent, and may come about without our hearing of it */
  end(lost: boolean): void {
    const ending = this.#inFlight
    if (ending === null) return
    this.#inFlight = null
    this.#cache.ended(ending.marks, lost)
    if (ending.told) this.#cache.peers.ended(ending.write, lost)
  }

  #nothingUncommitted(): void {
    this.#followed = true
    if (this.#uncommitted === null || this.#uncommitted.size > 0) this.#uncommitted = new Set()
  }

  #withUncommitted(tables: readonly string[] | null): readonly string[] | null {
    if (tables === null || this.#uncommitted === null || !this.#followed) return null
    return [...new Set([...tables, ...this.#uncommitted])]
  }

  /** Tables of the command itself; null: it could be any. */
  #tablesOf(writing: Writing): readonly string[] | null {
    const { kind, effects } = writing.command
    if (WRITES_NOTHING.has(kind) && (effects & Effect.unknownFunction) === 0) return []
    return this.#cache.tellsTables ? writtenBy(writing) : null
  }
}

const NONE: readonly TableMark[] = []

/** What the text tells. */
function writtenBy(writing: Writing): readonly string[] | null {
  const { kind, perStatement } = writing.command
  if (kind === StatementKind.multi || perStatement) return null
  return tablesInHand(writing, tablesWritten)
}
