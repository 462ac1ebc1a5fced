import { K } from './keywords.js'
import { Effect, StatementKind } from './kinds.js'

/** Names under which statements are counted: those of ProxySQL's stats_mysql_commands_counters. */
export const VERBS = [
  'UNKNOWN',
  'ALTER_TABLE',
  'ALTER_VIEW',
  'ANALYZE_TABLE',
  'BEGIN',
  'CALL',
  'CHANGE_MASTER',
  'COMMIT',
  'CREATE_DATABASE',
  'CREATE_INDEX',
  'CREATE_TABLE',
  'CREATE_TEMPORARY',
  'CREATE_TRIGGER',
  'CREATE_USER',
  'CREATE_VIEW',
  'DEALLOCATE',
  'DELETE',
  'DESCRIBE',
  'DROP_DATABASE',
  'DROP_INDEX',
  'DROP_TABLE',
  'DROP_TRIGGER',
  'DROP_USER',
  'DROP_VIEW',
  'EXECUTE',
  'EXPLAIN',
  'FLUSH',
  'GRANT',
  'INSERT',
  'KILL',
  'LOAD',
  'LOCK_TABLE',
  'OPTIMIZE',
  'PREPARE',
  'PURGE',
  'RELEASE_SAVEPOINT',
  'RENAME_TABLE',
  'REPLACE',
  'RESET_MASTER',
  'RESET_SLAVE',
  'REVOKE',
  'ROLLBACK',
  'ROLLBACK_SAVEPOINT',
  'SAVEPOINT',
  'SELECT',
  'SELECT_FOR_UPDATE',
  'SET',
  'SHOW',
  'SHOW_TABLE_STATUS',
  'START_TRANSACTION',
  'TRUNCATE_TABLE',
  'UNLOCK_TABLES',
  'UPDATE',
  'USE',
] as const
export type VerbName = (typeof VERBS)[number]

const numberOf = (name: VerbName): number => VERBS.indexOf(name)
const UNKNOWN = numberOf('UNKNOWN')
const SELECT = numberOf('SELECT')
const SELECT_FOR_UPDATE = numberOf('SELECT_FOR_UPDATE')

/** Verbs that the first keyword tells alone. */
const BY_KEYWORD = new Uint8Array(512)
const ALONE: readonly (readonly [keyword: number, verb: VerbName])[] = [
  [K.begin, 'BEGIN'],
  [K.call, 'CALL'],
  [K.commit, 'COMMIT'],
  [K.deallocate, 'DEALLOCATE'],
  [K.delete, 'DELETE'],
  [K.desc, 'DESCRIBE'],
  [K.describe, 'DESCRIBE'],
  [K.execute, 'EXECUTE'],
  [K.explain, 'EXPLAIN'],
  [K.flush, 'FLUSH'],
  [K.grant, 'GRANT'],
  [K.insert, 'INSERT'],
  [K.kill, 'KILL'],
  [K.load, 'LOAD'],
  [K.lock, 'LOCK_TABLE'],
  [K.optimize, 'OPTIMIZE'],
  [K.prepare, 'PREPARE'],
  [K.purge, 'PURGE'],
  [K.release, 'RELEASE_SAVEPOINT'],
  [K.replace, 'REPLACE'],
  [K.revoke, 'REVOKE'],
  [K.savepoint, 'SAVEPOINT'],
  [K.select, 'SELECT'],
  [K.set, 'SET'],
  [K.truncate, 'TRUNCATE_TABLE'],
  [K.unlock, 'UNLOCK_TABLES'],
  [K.update, 'UPDATE'],
  [K.use, 'USE'],
]
for (const [keyword, verb] of ALONE) BY_KEYWORD[keyword] = numberOf(verb)

/** Verbs that need the words behind the first keyword, in upper case and with one blank between them. */
const BY_WORDS: ReadonlyMap<number, (rest: string) => VerbName> = new Map([
  [K.alter, (rest) => (/^(ONLINE |OFFLINE |IGNORE )?TABLE\b/.test(rest) ? 'ALTER_TABLE' : viewOr('ALTER_VIEW', rest))],
  [K.analyze, (rest) => (/^(\w+ )?TABLES?\b/.test(rest) ? 'ANALYZE_TABLE' : 'UNKNOWN')],
  [K.change, (rest) => (/^(MASTER|REPLICATION SOURCE)\b/.test(rest) ? 'CHANGE_MASTER' : 'UNKNOWN')],
  [K.create, created],
  [K.drop, (rest) => dropped(rest)],
  [K.rename, (rest) => (/^TABLES?\b/.test(rest) ? 'RENAME_TABLE' : 'UNKNOWN')],
  [K.reset, (rest) => resetOf(rest)],
  [K.rollback, (rest) => (/^(WORK )?TO\b/.test(rest) ? 'ROLLBACK_SAVEPOINT' : 'ROLLBACK')],
  [K.show, (rest) => (/^TABLE STATUS\b/.test(rest) ? 'SHOW_TABLE_STATUS' : 'SHOW')],
  [K.start, (rest) => (/^TRANSACTION\b/.test(rest) ? 'START_TRANSACTION' : 'UNKNOWN')],
])

/** What decides stands within so many bytes behind the first keyword. */
const WORDS_LENGTH_MAX = 200

/**
 * The number in `VERBS` of a statement whose first keyword is `buffer[from, to)`.
 * @param keyword its number; 0: none
 */
export function verbOf(
  keyword: number,
  kind: number,
  effects: number,
  buffer: Uint8Array,
  to: number,
  end: number,
): number {
  const verb = BY_KEYWORD[keyword] as number
  if (verb !== UNKNOWN) return verb === SELECT && (effects & Effect.lockingRead) !== 0 ? SELECT_FOR_UPDATE : verb
  const byWords = BY_WORDS.get(keyword)
  if (byWords !== undefined) return numberOf(byWords(wordsBehind(buffer, to, end)))
  // WITH ..., (SELECT ...), TABLE, VALUES.
  return kind === StatementKind.read || kind === StatementKind.primaryRead ? SELECT : UNKNOWN
}

function wordsBehind(buffer: Uint8Array, from: number, end: number): string {
  const bytes = buffer.subarray(from, Math.min(end, from + WORDS_LENGTH_MAX))
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  return text
    .replace(/\/\*.*?\*\//gs, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .toUpperCase()
}

const BEFORE_OBJECT =
  /^(OR REPLACE |UNIQUE |FULLTEXT |SPATIAL |ALGORITHM ?= ?\w+ |DEFINER ?= ?\S+ |SQL SECURITY \w+ |AGGREGATE )*/
const CREATED: Readonly<Record<string, VerbName>> = {
  DATABASE: 'CREATE_DATABASE',
  SCHEMA: 'CREATE_DATABASE',
  INDEX: 'CREATE_INDEX',
  TABLE: 'CREATE_TABLE',
  TEMPORARY: 'CREATE_TEMPORARY',
  TRIGGER: 'CREATE_TRIGGER',
  USER: 'CREATE_USER',
  VIEW: 'CREATE_VIEW',
}
const DROPPED: Readonly<Record<string, VerbName>> = {
  DATABASE: 'DROP_DATABASE',
  SCHEMA: 'DROP_DATABASE',
  INDEX: 'DROP_INDEX',
  TABLE: 'DROP_TABLE',
  TABLES: 'DROP_TABLE',
  TRIGGER: 'DROP_TRIGGER',
  USER: 'DROP_USER',
  VIEW: 'DROP_VIEW',
}

function created(rest: string): VerbName {
  return CREATED[objectIn(rest.replace(BEFORE_OBJECT, ''))] ?? 'UNKNOWN'
}

function dropped(rest: string): VerbName {
  return DROPPED[objectIn(rest.replace(/^TEMPORARY /, ''))] ?? 'UNKNOWN'
}

function resetOf(rest: string): VerbName {
  if (/^(MASTER|BINARY LOGS)\b/.test(rest)) return 'RESET_MASTER'
  return /^(SLAVE|REPLICA)\b/.test(rest) ? 'RESET_SLAVE' : 'UNKNOWN'
}

function viewOr(verb: VerbName, rest: string): VerbName {
  return objectIn(rest.replace(BEFORE_OBJECT, '')) === 'VIEW' ? verb : 'UNKNOWN'
}

function objectIn(rest: string): string {
  return /^\w*/.exec(rest)?.[0] ?? ''
}
