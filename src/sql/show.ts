import { type Analysis, Stop } from './analysis.js'
import { K } from './keywords.js'
import { Effect, StatementKind } from './kinds.js'

/**
 * SHOW of the schema, or of what all servers of a topology share: a replica's answer is as good. Not so with definitions (those of
 * CREATE TABLE ... SELECT are replicated in other words, events are disabled on replicas), with times and with statistics.
 */
const SCHEMA_WORDS: ReadonlySet<number> = new Set([
  K.columns,
  K.fields,
  K.tables,
  K.databases,
  K.schemas,
  K.character,
  K.charset,
  K.char,
  K.collation,
  K.privileges,
  K.grants,
  K.authors,
  K.contributors,
  K.parse_tree,
])

/** What the statement before left on its connection. */
const DIAGNOSTIC_WORDS: ReadonlySet<number> = new Set([K.warnings, K.errors, K.count, K.profile, K.profiles])

const MODIFIERS: ReadonlySet<number> = new Set([K.full, K.extended, K.global, K.session, K.local])

/** SHOW, whose keyword is the scanner's current token. */
export function showStatement(analysis: Analysis): number {
  let word = analysis.nextKeyword()
  let isGlobal = false
  while (MODIFIERS.has(word)) {
    isGlobal ||= word === K.global
    word = analysis.nextKeyword()
  }
  if (analysis.atEnd()) return analysis.giveUp()
  analysis.scan(Stop.statement)
  if (SCHEMA_WORDS.has(word)) return analysis.readKind(StatementKind.read)
  // The counters of a session are those of its connection, and tell of the statement before.
  const asksConnection = DIAGNOSTIC_WORDS.has(word) || (word === K.status && !isGlobal)
  if (!asksConnection) return analysis.readKind(StatementKind.show)
  analysis.effects |= Effect.readsDiagnostics
  return analysis.readKind(StatementKind.diagnostics)
}
