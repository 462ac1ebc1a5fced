import {
  Classifier,
  type ClassifyOptions,
  Effect,
  EMPTY_CATALOGUE,
  parseSet,
  type SetAssignment,
  StatementKind,
  splitStatements,
} from '../../sql/index.js'
import type { ConfigDocument, ConfigPath } from './config-file.js'

/** Texts are read as by a server without a special sql_mode: `init_connect` may not bring one that reads them otherwise. */
const OPTIONS: ClassifyOptions = {
  flavor: 'mysql',
  ansiQuotes: false,
  noBackslashEscapes: false,
  truncated: false,
  schema: '',
  catalogue: EMPTY_CATALOGUE,
}

const classifier = new Classifier()

/** The statements of an `init_connect`. Fails where one would change what Sluice itself keeps in order on connections. */
export function readInitConnect(text: string, path: ConfigPath, document: ConfigDocument): string[] {
  const statements = splitStatements(text, OPTIONS)
  if (statements === null)
    document.fail(path, 'expected statements with a semicolon between them, got an open quote or comment')
  for (const statement of statements) {
    const problem = problemOf(statement)
    if (problem !== null) document.fail(path, `${problem}, got ${JSON.stringify(statement)}`)
  }
  return statements
}

const ALLOWED: ReadonlySet<number> = new Set([
  StatementKind.read,
  StatementKind.do,
  StatementKind.write,
  StatementKind.call,
  StatementKind.primaryRead,
])

const HOLDS_CONNECTION = Effect.advisoryLock | Effect.temporaryTable

/** What was expected instead of a statement; null: it is right. */
function problemOf(statement: string): string | null {
  const buffer = Buffer.from(statement)
  const { kind, effects } = classifier.classify(buffer, 0, buffer.length, OPTIONS)
  if (kind === StatementKind.set || kind === StatementKind.setTransaction) return problemOfSet(buffer, statement)
  if (!ALLOWED.has(kind)) return 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'
  return (effects & HOLDS_CONNECTION) === 0 ? null : 'expected nothing that holds a lock or a temporary table'
}

function problemOfSet(buffer: Buffer, statement: string): string | null {
  if (/^SET\s+ROLE\b/i.test(statement)) return null
  const assignments = parseSet(buffer, 0, buffer.length, OPTIONS)
  if (assignments === null) return 'expected a SET of variables or ROLE'
  for (const one of assignments) {
    const problem = problemOfAssignment(one)
    if (problem !== null) return problem
  }
  return null
}

/** Variables by which Sluice knows what a session is about, and why they are not to be set behind its back. */
const OWN: readonly (readonly [RegExp, string])[] = [
  [/^(names|character set|character_set_\w+|collation_connection)$/, 'the character set is the client’s own'],
  [/^autocommit$/, 'autocommit is the session’s own'],
  [/^session_track_\w+$/, 'Sluice has to be told of all that changes'],
  [/^sql_auto_is_null$/, 'Sluice reads statements by it'],
]

/** Parts of sql_mode that change how a text is read, and names that stand for them. */
const READS_OTHERWISE = /\b(ANSI|ANSI_QUOTES|NO_BACKSLASH_ESCAPES|IGNORE_SPACE|DB2|MAXDB|MSSQL|ORACLE|POSTGRESQL)\b/i

function problemOfAssignment({ scope, name, valueText, literal }: SetAssignment): string | null {
  if (scope === 'user_variable') return null
  if (scope === 'next_transaction') return 'expected what holds for longer than one transaction'
  if (scope !== 'session') return 'expected variables of the session, not of the server'
  const own = OWN.find(([names]) => names.test(name))
  if (own !== undefined) return `expected no ${name} (${own[1]})`
  if (name !== 'sql_mode' || (literal && !READS_OTHERWISE.test(valueText))) return null
  return 'expected a literal sql_mode without ANSI_QUOTES, NO_BACKSLASH_ESCAPES and IGNORE_SPACE'
}
