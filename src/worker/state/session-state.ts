import { ONE_CONNECTION_VARIABLES } from '../../sql/index.js'

/**
 * Session state that has to be the same on every connection a session uses: the current schema, system variables and
 * literal user variables. The session holds what is wanted; each connection holds what it has; `difference` is the
 * statement that turns the one into the other. What is wanted comes from the server's own session tracking
 * (`session_track_system_variables=*`), so that values set in any way - expressions, procedures - are right.
 */

/** Variables that belong to one connection or one statement, or to Sluice itself, and are never carried over. */
const NOT_CARRIED: ReadonlySet<string> = new Set([
  ...ONE_CONNECTION_VARIABLES,
  'error_count',
  'external_user',
  'in_transaction',
  'last_gtid',
  'proxy_user',
  'session_track_gtids',
  'session_track_system_variables',
  'statement_id',
  // The server reports the old value for DEFAULT; see learnAssignments.
  'timestamp',
  'warning_count',
])

export function isCarried(name: string): boolean {
  return !NOT_CARRIED.has(name)
}

/** What SET NAMES sets. */
export const CHARSET_VARIABLES = [
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'collation_connection',
]

/** Each of them sets the other one too: which was set last decides both, so that one of them is noted at most. */
const OTHER_OF_CONNECTION: ReadonlyMap<string, string> = new Map([
  ['character_set_connection', 'collation_connection'],
  ['collation_connection', 'character_set_connection'],
])

/** The setting of the first sets the second one as well (both manuals, `max_join_size`), which is to be sent behind it. */
const DECIDES: ReadonlyMap<string, string> = new Map([['max_join_size', 'sql_big_selects']])

function note(variables: Map<string, string>, name: string, sql: string): void {
  const other = OTHER_OF_CONNECTION.get(name) ?? DECIDES.get(name)
  if (other !== undefined) variables.delete(other)
  variables.set(name, sql)
}

/** Numbers are sent as numbers: a quoted one is refused by numeric variables (1232). */
const NUMBER = /^-?\d+(\.\d+)?$/
/** Text variables whose values may look like numbers. */
const TEXT_VARIABLES = new Set(['time_zone', 'default_collation_for_utf8mb4', 'lc_time_names', 'lc_messages'])

/** Variables that name a storage engine. */
const ENGINE_VARIABLES = new Set(['default_storage_engine', 'default_tmp_storage_engine', 'enforce_storage_engine'])
const WORD = /^[a-z]\w*$/i

/** The value of a system variable as SQL, from the text that session tracking gave. */
export function variableLiteral(name: string, value: string): string {
  if (NUMBER.test(value) && !TEXT_VARIABLES.has(name)) return value
  if (value === '' && name === 'character_set_results') return 'NULL'
  // MariaDB takes the bytes of a literal as they are, which under character_set_connection = ucs2 are no engine's name.
  if (ENGINE_VARIABLES.has(name) && WORD.test(value)) return value
  // No backslash in any value that a server reports for a variable but in sql paths; doubled quotes work in every sql_mode.
  return `'${value.replaceAll("'", "''")}'`
}

/** A user variable as it was set. */
export interface UserValue {
  /** SQL; its bytes, each as the character of that code: they are in the client's character set. */
  readonly sql: string
  /** How the text has to be read (`readingOf`) to mean what it meant; empty: it reads alike everywhere. */
  readonly reading: string
}

/** utf8mb4_general_ci, which every server knows. */
const UTF8MB4 = 45

/** What a session wants. */
export class SessionState {
  schema: string
  /** With which collation (id) connections log in: the client's own at first. */
  collation: number
  /** Goes up with each change. */
  version = 0
  /** System variables by name, as SQL; null until one is set, since most idle sessions never do. */
  variables: Map<string, string> | null = null
  /** What was last set by SET NAMES, as SQL; null: nothing. Variables are set after it. */
  names: string | null = null
  /** User variables by lower-case name without the @. */
  userVariables: Map<string, UserValue> | null = null
  /** The version for which the readings of user variables were looked at last. */
  readingsOf = 0
  /** What COM_SET_OPTION said of sending several statements at once; null: it was not used. */
  multiStatements: boolean | null = null

  constructor(schema: string, collation = UTF8MB4) {
    this.schema = schema
    this.collation = collation
  }

  /** Milliseconds for which the session said that it may be idle (`SET wait_timeout`); infinite where it said nothing. */
  get waitTimeoutMs(): number {
    const seconds = Number(this.variables?.get('wait_timeout') ?? Number.NaN)
    return Number.isNaN(seconds) ? Number.POSITIVE_INFINITY : seconds * 1000
  }

  /** @param value as session tracking gives it */
  setVariable(name: string, value: string): boolean {
    if (!isCarried(name)) return false
    this.setVariableSql(name, variableLiteral(name, value))
    return true
  }

  setVariableSql(name: string, sql: string): void {
    this.variables ??= new Map()
    note(this.variables, name, sql)
    this.version++
  }

  /** @param sql what stood behind NAMES: it sets variables of which the server does not report all */
  setNames(sql: string): void {
    this.names = sql
    for (const name of CHARSET_VARIABLES) this.variables?.delete(name)
    this.version++
  }

  setUserVariable(name: string, value: UserValue): void {
    this.userVariables ??= new Map()
    this.userVariables.set(name, value)
    this.version++
  }

  setMultiStatements(on: boolean): void {
    this.multiStatements = on
    this.version++
  }

  /**
   * Forgets variables; the schema stays, as with COM_RESET_CONNECTION.
   * @param collation with which connections log in from now on
   */
  reset(collation: number): void {
    this.collation = collation
    this.variables = null
    this.names = null
    this.userVariables = null
    this.multiStatements = null
    this.version++
  }

  setSchema(schema: string): void {
    if (schema === this.schema) return
    this.schema = schema
    this.version++
  }
}

/** What a connection has. */
export class AppliedState {
  schema = ''
  /** The state that was applied last, and its version; null: none yet, or it has to be applied again. */
  #of: SessionState | null = null
  #version = -1
  names: string | null = null
  readonly variables = new Map<string, string>()
  readonly userVariables = new Map<string, UserValue>()
  /** Variables that init_connect has set, as SQL: a new session has these there, and not the servers' own. */
  readonly initial = new Map<string, string>()
  /** COM_SET_OPTION: whether several statements may be sent at once; null: as it was logged in with. */
  multiStatements: boolean | null = null

  /** The server refused to tell of changes: it is asked again before the next command. */
  untracked = false
  /** Something was left on the connection that has no name here: before another session gets it, it has to be reset. */
  tainted = false

  /** Whether the connection has all that the session wants. */
  isCurrent(wanted: SessionState): boolean {
    return this.#of === wanted && this.#version === wanted.version
  }

  /** What the session wants now is what the connection has: it was told of a change by the connection itself. */
  noteCurrent(wanted: SessionState): void {
    this.#of = wanted
    this.#version = wanted.version
  }

  /** What the session wants has to be compared, and applied again. */
  noteStale(): void {
    this.#of = null
  }

  setVariableSql(name: string, sql: string): void {
    note(this.variables, name, sql)
  }

  /** What SET NAMES has set takes the place of the single variables. */
  setNames(sql: string): void {
    this.names = sql
    for (const name of CHARSET_VARIABLES) this.variables.delete(name)
  }

  /** The names of the login hold again. */
  forgetNames(): void {
    this.names = null
    for (const name of CHARSET_VARIABLES) this.variables.delete(name)
  }

  /** COM_RESET_CONNECTION has been sent; the schema stays. */
  reset(): void {
    this.#of = null
    this.names = null
    this.variables.clear()
    this.userVariables.clear()
    this.initial.clear()
    this.multiStatements = null
    this.tainted = false
  }

  /** Takes over all of `wanted`, after its difference has been applied. */
  take(wanted: SessionState): void {
    this.schema = wanted.schema
    if (wanted.names !== null && wanted.names !== this.names) this.setNames(wanted.names)
    this.multiStatements = wanted.multiStatements
    if (wanted.variables !== null) for (const [name, sql] of wanted.variables) this.setVariableSql(name, sql)
    for (const [name, value] of wanted.userVariables ?? []) this.userVariables.set(name, value)
    this.noteCurrent(wanted)
  }
}

/** How what a connection has compares to what a session wants of it. */
export const Fit = {
  same: 0,
  /** A difference has to be applied. */
  differs: 1,
  /** The connection has something that the session must not see, and that no value could undo. */
  needsReset: 2,
} as const

/**
 * Compares what a connection has from other sessions to what this session wants. A variable that only the others have set
 * is not set back one by one: what its value would be in a new session is known to the server alone.
 */
export function fitOf(wanted: SessionState, applied: AppliedState): number {
  if (applied.tainted) return Fit.needsReset
  // SET NAMES takes their place.
  const replaced = wanted.names !== null && wanted.names !== applied.names ? CHARSET_VARIABLES : []
  const more =
    (applied.names !== null && wanted.names === null) ||
    (applied.multiStatements !== null && wanted.multiStatements === null) ||
    hasMore(applied.variables, wanted.variables, replaced) ||
    hasMore(applied.userVariables, wanted.userVariables, [])
  if (more) return Fit.needsReset
  const same =
    applied.schema === wanted.schema &&
    applied.names === wanted.names &&
    applied.multiStatements === wanted.multiStatements &&
    isWithin(wanted.variables, applied.variables) &&
    hasValues(applied.userVariables, wanted.userVariables)
  return same ? Fit.same : Fit.differs
}

function hasMore(
  applied: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, unknown> | null,
  replaced: readonly string[],
): boolean {
  for (const name of applied.keys()) {
    if (wanted?.has(name) === true || replaced.includes(name)) continue
    const other = OTHER_OF_CONNECTION.get(name)
    if (other === undefined || wanted?.has(other) !== true) return true
  }
  return false
}

function isWithin(wanted: ReadonlyMap<string, string> | null, applied: ReadonlyMap<string, string>): boolean {
  if (wanted === null) return true
  for (const [name, sql] of wanted) if (applied.get(name) !== sql) return false
  return true
}

function hasValues(applied: ReadonlyMap<string, UserValue>, wanted: ReadonlyMap<string, UserValue> | null): boolean {
  if (wanted === null) return true
  for (const [name, value] of wanted) if (!isSame(applied.get(name), value)) return false
  return true
}

function isSame(one: UserValue | undefined, other: UserValue): boolean {
  return one === other || (one?.sql === other.sql && one.reading === other.reading)
}

/**
 * The SET statement that brings a connection's variables to what is wanted, or null when they are; but for user variables
 * whose texts are to be read as the session reads texts: `textDifference`.
 */
export function variableDifference(wanted: SessionState, applied: AppliedState): string | null {
  const assignments: string[] = []
  const namesDiffer = wanted.names !== null && wanted.names !== applied.names
  if (namesDiffer) {
    assignments.push(`NAMES ${wanted.names}`)
    for (const name of CHARSET_VARIABLES) applied.variables.delete(name)
  }
  let decided: string | undefined
  for (const [name, sql] of wanted.variables ?? []) {
    if (applied.variables.get(name) === sql && name !== decided) continue
    assignments.push(`SESSION ${name} = ${sql}`)
    decided = DECIDES.get(name) ?? decided
  }
  for (const [name, value] of wanted.userVariables ?? []) {
    if (value.reading === '' && !isSame(applied.userVariables.get(name), value)) {
      assignments.push(`${userVariable(name)} = ${value.sql}`)
    }
  }
  return assignments.length === 0 ? null : `SET ${assignments.join(', ')}`
}

/**
 * The SET statement, in the client's character set, for user variables that a connection lacks; null: there are none. It is
 * for a connection that has all of `variableDifference`: a server reads the whole of a statement before it executes any of it.
 */
export function textDifference(wanted: SessionState, applied: AppliedState): Buffer | null {
  const assignments: string[] = []
  for (const [name, value] of wanted.userVariables ?? []) {
    if (value.reading === '' || isSame(applied.userVariables.get(name), value)) continue
    assignments.push(`${Buffer.from(userVariable(name)).toString('latin1')} = ${value.sql}`)
  }
  return assignments.length === 0 ? null : Buffer.from(`SET ${assignments.join(', ')}`, 'latin1')
}

/** A user variable in a statement. @param name without the @ */
export function userVariable(name: string): string {
  return `@\`${name.replaceAll('`', '``')}\``
}
