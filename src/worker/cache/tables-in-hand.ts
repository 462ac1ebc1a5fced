import type { TablesIn } from '../../sql/index.js'
import { type WithSql, wholeSqlInHand } from '../session/sql-in-hand.js'
import type { SessionState } from '../state/session-state.js'
import type { Statements } from '../statements/statements.js'

/** A command in hand whose text may name tables. */
export interface NamingTables extends WithSql {
  readonly statements: Statements
  readonly state: SessionState
}

/** The tables of the command in hand as its server will read them; null: they cannot be told. @param tablesIn which of them */
export function tablesInHand(inHand: NamingTables, tablesIn: TablesIn): readonly string[] | null {
  const { statement, statements, state, text } = inHand
  const sql = wholeSqlInHand(inHand)
  if (sql === null) return null
  const { options } = text
  if (statement === null) return tablesIn(sql.buffer, sql.start, sql.end, options)
  const { parseState } = statement.shared
  // Read with other quotes it could name other tables.
  if (statements.parseState(state).key !== parseState.key) return null
  return tablesIn(sql.buffer, sql.start, sql.end, { ...options, schema: parseState.schema })
}
