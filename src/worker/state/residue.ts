import { Effect, StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import type { CommandInHand } from '../session/command.js'

/** LAST_INSERT_ID() of a session: a value; `unknown`: only its connection can tell; a promise: it is being asked. */
export type LastInsertId = string | 'unknown' | Promise<string>

/** Whether what a session's last statement left on its connection can be had elsewhere. */
export const Keep = {
  /** Yes: it can be set up again on any connection. */
  nothing: 0,
  /** Yes, once LAST_INSERT_ID() has been asked for. */
  insertId: 1,
  /** No: warnings, an error, or a count that nothing but the statement itself could bring about. */
  diagnostics: 2,
} as const

/**
 * What a session's last statement left behind for its next to ask for: warnings, ROW_COUNT(), FOUND_ROWS(), and
 * LAST_INSERT_ID(), which lasts longer. As long as the session has the connection, it is asked for there. When the
 * connection has become another session's, it is set up again on the one that the question goes to.
 */
export class Residue {
  /** -1 after a result set, else the rows that were affected (manual, "ROW_COUNT()"). */
  #rowCount = 0
  #foundRows = 0
  #reproducible = true
  lastInsertId: LastInsertId = '0'
  /** The connection that knows LAST_INSERT_ID(): it was changed or set there; null: none does. */
  insertIdOn: Backend | null = null

  /** Takes what the whole answer to a command tells. */
  learn({ kind, effects }: CommandInHand, backend: Backend): void {
    const { errno, warnings, affectedRows, lastInsertId, rows } = backend.follower
    // Who looks at diagnostics leaves them as they are.
    if (!this.#reproducible && errno === 0 && (effects & Effect.readsDiagnostics) !== 0) return
    const isRead = kind === StatementKind.read || kind === StatementKind.primaryRead
    if (lastInsertId !== 0 || mayChangeInsertId(kind, effects)) {
      this.lastInsertId = 'unknown'
      this.insertIdOn = backend
    }
    this.#rowCount = isRead || errno !== 0 ? -1 : affectedRows
    this.#foundRows = rows <= ROWS_MAX ? rows : 0
    this.#reproducible =
      errno === 0 &&
      warnings === 0 &&
      (isRead || affectedRows <= 1) &&
      !OPAQUE_KINDS.has(kind) &&
      (effects & Effect.sqlCalcFoundRows) === 0 &&
      rows <= ROWS_MAX
  }

  /** As after a read that a server has answered with so many rows. */
  answeredFromCache(rows: number): void {
    this.#rowCount = -1
    this.#foundRows = rows <= ROWS_MAX ? rows : 0
    this.#reproducible = rows <= ROWS_MAX
  }

  /**
   * What would be lost if a connection became another session's: one of `Keep`.
   * @param isLast the last statement ran there
   */
  keepOn(backend: Backend, isLast: boolean): number {
    if (isLast && !this.#reproducible) return Keep.diagnostics
    return this.insertIdOn === backend && this.lastInsertId === 'unknown' ? Keep.insertId : Keep.nothing
  }

  /**
   * A connection is not the session's any more.
   * @param insertId what LAST_INSERT_ID() is from now on if it was known there; null: what is known of it holds
   */
  forgetOn(backend: Backend, insertId: LastInsertId | null): void {
    if (this.insertIdOn !== backend) return
    this.insertIdOn = null
    if (insertId !== null) this.lastInsertId = insertId
  }

  /** As after a login. */
  reset(): void {
    this.#rowCount = 0
    this.#foundRows = 0
    this.#reproducible = true
    this.lastInsertId = '0'
    this.insertIdOn = null
  }

  /**
   * A statement that leaves the same behind, for a connection that has run something else since. What cannot be brought
   * about (after a time without another command) is as if the last statement had done nothing. It reads a table each time:
   * without one MariaDB keeps the warnings and errors of what ran there before (`mysql_execute_command`).
   */
  get reproduction(): string {
    if (this.#rowCount === 0 || this.#rowCount > 1) return CLEARS_DIAGNOSTICS
    if (this.#rowCount === 1) return `SELECT 1 FROM ${tableOf(1)} INTO @sluice_row`
    return `SELECT 1 FROM ${tableOf(this.#foundRows)}`
  }
}

/**
 * Whether LAST_INSERT_ID() may be another one after a statement though its OK says nothing of it, or may be asked for by
 * what the text does not show. Its connection has to know it.
 */
export function mayChangeInsertId(kind: number, effects: number): boolean {
  return OPAQUE_KINDS.has(kind) || (effects & SETS_INSERT_ID) !== 0
}

const OPAQUE_KINDS: ReadonlySet<number> = new Set([
  StatementKind.call,
  StatementKind.multi,
  StatementKind.unknown,
  StatementKind.execute,
])
const SETS_INSERT_ID = Effect.setsLastInsertId | Effect.unknownFunction

/** More rows than this are not worth to be made again. */
const ROWS_MAX = 100_000

/** A table of so many rows (JSON_TABLE: MySQL 8.0.4, MariaDB 10.6). */
function tableOf(count: number): string {
  const json = count < 2 ? `'[${count === 1 ? '0' : ''}]'` : `CONCAT('[0', REPEAT(',0', ${count - 1}), ']')`
  return `JSON_TABLE(${json}, '$[*]' COLUMNS (n INT PATH '$')) AS sluice`
}

/** Leaves nothing behind, and nothing of what was there before. */
export const CLEARS_DIAGNOSTICS = `DO (SELECT COUNT(*) FROM ${tableOf(0)})`
