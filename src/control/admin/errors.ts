import { ProxyError } from '../../shared/errors.js'

/** Numbers and states as in MySQL's "Server Error Message Reference", where clients know them from. */

/** A statement that this port does not know; `expected` says what would have been right. */
export function syntaxError(expected: string): ProxyError {
  return new ProxyError('admin-syntax', 1064, '42000', `sluice: ${expected}`)
}

export function emptyStatement(): ProxyError {
  return new ProxyError('admin-empty-statement', 1065, '42000', 'sluice: Query was empty; expected one statement')
}

/** ER_OPTION_PREVENTS_STATEMENT: the account or the port is read-only for this. */
export function readOnly(message: string): ProxyError {
  return new ProxyError('admin-read-only', 1290, 'HY000', `sluice: ${message}`)
}

/** ER_NOT_SUPPORTED_YET. */
export function notSupported(message: string): ProxyError {
  return new ProxyError('admin-not-supported', 1235, '42000', `sluice: ${message}`)
}

/** ER_UNKNOWN_ERROR: the files are no better than before, and those in use stay. */
export function tlsNotReloaded(why: string): ProxyError {
  return new ProxyError('admin-tls-not-reloaded', 1105, 'HY000', `sluice: TLS not reloaded: ${why}`)
}

/** ER_NO_SUCH_THREAD. */
export function noSession(id: number): ProxyError {
  return new ProxyError(
    'admin-no-session',
    1094,
    'HY000',
    `sluice: Unknown thread id: ${id}; SHOW PROCESSLIST lists them`,
  )
}

/** ER_UNKNOWN_ERROR: what was asked of a statement has no answer. */
export function notExplained(why: string): ProxyError {
  return new ProxyError('admin-not-explained', 1105, 'HY000', `sluice: ${why}`)
}

/** ER_UNKNOWN_ERROR: a command about the proxy that could not be carried out. */
export function notDone(why: string): ProxyError {
  return new ProxyError('admin-not-done', 1105, 'HY000', `sluice: ${why}`)
}

export function unknownVariable(name: string): ProxyError {
  return new ProxyError('admin-unknown-variable', 1193, 'HY000', `sluice: Unknown system variable '${name}'`)
}

export function unknownDatabase(name: string, known: readonly string[]): ProxyError {
  return new ProxyError(
    'admin-unknown-database',
    1049,
    '42000',
    `sluice: Unknown database '${name}'; expected one of ${known.join(', ')}`,
  )
}

export function unknownTable(name: string): ProxyError {
  return new ProxyError(
    'admin-unknown-table',
    1146,
    '42S02',
    `sluice: Table '${name}' doesn't exist; SHOW TABLES FROM main, disk, stats or monitor lists them`,
  )
}

/** ER_UNKNOWN_ERROR: what was to be loaded, saved or set is wrong; nothing has changed. */
export function configRefused(why: string): ProxyError {
  return new ProxyError('admin-config-refused', 1105, 'HY000', `sluice: ${why}`)
}

/** ER_TABLEACCESS_DENIED_ERROR. */
export function tableDenied(user: string, table: string, verb = 'SELECT'): ProxyError {
  return new ProxyError(
    'admin-table-denied',
    1142,
    '42000',
    `sluice: ${verb} command denied to user '${user}' for table '${table}'; this account reads statistics only`,
  )
}

/** ER_QUERY_TIMEOUT. */
export function statementTimeout(limitMs: number): ProxyError {
  return new ProxyError(
    'admin-statement-timeout',
    3024,
    'HY000',
    `sluice: the statement ran longer than ${limitMs} ms and was ended; expected one that reads fewer rows`,
  )
}

const ENGINE_ERRORS: readonly (readonly [prefix: string, errno: number, sqlState: string, hint: string])[] = [
  ['no such table', 1146, '42S02', '; SHOW TABLES FROM main, disk, stats or monitor lists them'],
  ['no such column', 1054, '42S22', '; SHOW CREATE TABLE shows the columns of a table'],
  ['no such function', 1305, '42000', '; expected a function of SQLite'],
  ['ambiguous column name', 1052, '23000', '; expected table.column'],
  ['UNIQUE constraint failed', 1062, '23000', '; a row with this key is there already: UPDATE it, or use REPLACE'],
  ['CHECK constraint failed', 3819, 'HY000', '; SHOW CREATE TABLE shows what each column takes'],
  ['NOT NULL constraint failed', 1048, '23000', '; expected a value'],
  ['unrecognized token', 1064, '42000', '; expected a statement as SQLite writes it'],
]

/** The engine's text with the number and state that clients know for the case. */
export function engineError(message: string): ProxyError {
  const known = ENGINE_ERRORS.find(([prefix]) => message.startsWith(prefix))
  if (known !== undefined) return new ProxyError('admin-sql', known[1], known[2], `sluice: ${message}${known[3]}`)
  if (message.includes('syntax error')) return syntaxError(`${message}; expected a statement as SQLite writes it`)
  return new ProxyError('admin-sql', 1105, 'HY000', `sluice: ${message}`)
}
