import { collationById } from '../../../protocol/index.js'
import { type AppliedState, CHARSET_VARIABLES, SessionState } from './session-state.js'

/**
 * Session variables that decide what a prepared statement's text means when it is prepared, not when it is executed.
 * Those that begin or end something when they are set (autocommit) must never be here.
 */
const PARSE_VARIABLES = ['sql_mode', 'default_collation_for_utf8mb4', 'sql_auto_is_null']

/**
 * The part of a session's state that a statement's text was prepared with. A server on which it is prepared later must
 * read it the same way, even if the session has moved to another schema or sql_mode since.
 */
export interface ParseState {
  readonly schema: string
  readonly collation: number
  readonly names: string | null
  /** As SQL, by name. */
  readonly variables: readonly (readonly [name: string, sql: string])[]
  /** Equal for equal states. */
  readonly key: string
}

type Parsing = Pick<SessionState, 'schema' | 'collation' | 'names' | 'variables'>

export function parseStateOf({ schema, collation, names, variables: all }: Parsing): ParseState {
  const variables: [string, string][] = []
  for (const name of [...PARSE_VARIABLES, ...CHARSET_VARIABLES]) {
    const sql = all?.get(name)
    if (sql !== undefined) variables.push([name, sql])
  }
  const key = JSON.stringify([schema, collation, names, variables])
  return { schema, collation, names, variables, key }
}

/** How a session reads the literals of its texts: equal where these mean the same. */
export function readingOf({ collation, names, variables }: SessionState): string {
  return parseStateOf({ schema: '', collation, names, variables }).key
}

/** Names of the user variables whose texts were read in another way than the session reads texts now. */
export function textsReadOtherwise(state: SessionState): string[] {
  const { userVariables, version } = state
  if (userVariables === null || state.readingsOf === version) return []
  state.readingsOf = version
  const texts = [...userVariables].filter(([, { reading }]) => reading !== '')
  if (texts.length === 0) return []
  const now = readingOf(state)
  return texts.filter(([, { reading }]) => reading !== now).map(([name]) => name)
}

/** Whether the setting of this session variable may change how texts are read. */
export function decidesReading(name: string): boolean {
  return PARSE_VARIABLES.includes(name) || CHARSET_VARIABLES.includes(name)
}

/** What a connection has to be given for its server to read a text as under `parse`. */
export function stateForParsing(
  parse: ParseState,
  { applied, ignoresSpace }: { readonly applied: AppliedState; readonly ignoresSpace: boolean },
): SessionState {
  // Without a schema a text names all of its tables in full, and no connection can be without one again.
  const wanted = new SessionState(parse.schema === '' ? applied.schema : parse.schema, parse.collation)
  const charsetsSet = applied.names !== null || CHARSET_VARIABLES.some((name) => applied.variables.has(name))
  wanted.names = parse.names ?? (charsetsSet ? namesOfLogin(parse.collation) : null)
  wanted.variables = new Map(parse.variables)
  for (const name of PARSE_VARIABLES) {
    if (wanted.variables?.has(name) === true || !applied.variables.has(name)) continue
    const ofLogin = name === 'sql_mode' && ignoresSpace ? SQL_MODE_OF_LOGIN : 'DEFAULT'
    wanted.setVariableSql(name, applied.initial.get(name) ?? ofLogin)
  }
  return wanted
}

/** Whether single character sets were set on a connection that are not wanted of it. */
export function hasOtherCharsets(applied: AppliedState, wanted: SessionState): boolean {
  return CHARSET_VARIABLES.some((name) => applied.variables.has(name) && wanted.variables?.has(name) !== true)
}

/** CLIENT_IGNORE_SPACE is a part of it (both servers). */
const SQL_MODE_OF_LOGIN = "CONCAT(@@GLOBAL.sql_mode, ',IGNORE_SPACE')"

/**
 * The statement that takes back what a connection was given for the sake of a text, and what is none of the session's;
 * null: there is nothing.
 * @param collation of the connection's login
 */
export function undoParseState(wanted: SessionState, applied: AppliedState, collation: number): string | null {
  const extra = [...applied.variables.keys()].filter((name) => wanted.variables?.has(name) !== true)
  const charsets = extra.some((name) => CHARSET_VARIABLES.includes(name))
  const parts: string[] = []
  if (charsets || (applied.names !== null && wanted.names === null)) {
    const names = wanted.names ?? namesOfLogin(collation)
    if (names !== null) parts.push(`NAMES ${names}`)
    if (wanted.names !== null) applied.setNames(wanted.names)
    else applied.forgetNames()
  }
  for (const name of extra) {
    if (CHARSET_VARIABLES.includes(name)) continue
    parts.push(`SESSION ${name} = ${applied.initial.get(name) ?? 'DEFAULT'}`)
    applied.variables.delete(name)
  }
  return parts.length === 0 ? null : `SET ${parts.join(', ')}`
}

/** What the login with this collation amounts to. */
export function namesOfLogin(id: number): string | null {
  const collation = collationById(id) ?? collationById(id, 'mariadb')
  return collation === undefined ? null : `'${collation.charset}' COLLATE '${collation.name}'`
}
