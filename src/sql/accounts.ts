import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import { parseSet } from './set-statement.js'
import type { LexicalOptions } from './types.js'

const scanner = new Scanner()

/** Words behind the first one that may stand before USER, ROLE, PASSWORD or PRIVILEGES. */
const BETWEEN = new Set(['or', 'replace', 'default', 'local', 'no_write_to_binlog'])
const OBJECTS = new Set(['user', 'role', 'password', 'privileges'])
const BEFORE_OBJECT = new Set(['create', 'alter', 'drop', 'rename', 'set', 'flush'])

/** Global variables by which a login finds out which roles are active: COM_RESET_CONNECTION does not look again (seen on 9.7). */
const ROLE_VARIABLES = new Set(['activate_all_roles_on_login', 'activate_mandatory_roles', 'mandatory_roles'])

/**
 * Whether the statement [start, end) of the buffer changes what accounts may do or how they log in: GRANT, REVOKE, CREATE USER,
 * DROP ROLE, SET PASSWORD, SET DEFAULT ROLE, SET GLOBAL mandatory_roles, FLUSH PRIVILEGES and the like. Not for each statement: it makes strings.
 */
export function changesAccounts(buffer: Buffer, start: number, end: number, options: LexicalOptions): boolean {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  const first = nextWord(buffer)
  if (first === 'grant' || first === 'revoke') return true
  if (!BEFORE_OBJECT.has(first)) return false
  let word = nextWord(buffer)
  // SET ROLE concerns the session alone.
  if (first === 'set' && word === 'role') return false
  while (BETWEEN.has(word)) word = nextWord(buffer)
  return OBJECTS.has(word) || (first === 'set' && setsRoles(buffer, start, end, options))
}

function setsRoles(buffer: Buffer, start: number, end: number, options: LexicalOptions): boolean {
  const assignments = parseSet(buffer, start, end, options) ?? []
  return assignments.some(({ scope, name }) => (scope === 'global' || scope === 'persist') && ROLE_VARIABLES.has(name))
}

/** In lower case; empty: the next token is no word. */
function nextWord(buffer: Buffer): string {
  return scanner.next() === T.word ? buffer.toString('latin1', scanner.start, scanner.stop).toLowerCase() : ''
}
