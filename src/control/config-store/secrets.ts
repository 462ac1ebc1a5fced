import { nativeHash } from '../../../protocol/index.js'
import { boundedCache } from '../../shared/bounded-cache.js'
import type { Row } from './rows.js'
import { isPasswordHash } from './users.js'
import { formatCredentials, parseCredentials } from './variable-table.js'

/** More accounts than a table of users ever holds. */
const REMEMBERED_MAX = 500_000

/**
 * Passwords are shown as hashes (`*` and 40 digits), also in the tables that are to be written: a hash that comes back
 * with a statement is taken for the password that it was made of, so that nothing is lost where a row is changed,
 * renamed or copied.
 */
export class Secrets {
  private readonly clearOf = boundedCache<string, string>(REMEMBERED_MAX)
  private readonly hashOf = boundedCache<string, string>(REMEMBERED_MAX)

  /** The row as it is shown. */
  mask(table: string, row: Row): Row {
    return this.through(table, row, (text) => this.hash(text))
  }

  /** The row as it is meant. */
  reveal(table: string, row: Row): Row {
    return this.through(table, row, (text) => this.clearOf.get(text) ?? text)
  }

  private hash(text: string): string {
    if (text === '' || isPasswordHash(text)) return text
    const known = this.hashOf.get(text)
    if (known !== undefined) return known
    const hash = nativeHash(text)
    this.hashOf.set(text, hash)
    this.clearOf.set(hash, text)
    return hash
  }

  private through(table: string, row: Row, change: (text: string) => string): Row {
    if (table === 'mysql_users') return this.columns(row, ['password', 'backend_password'], change)
    if (table !== 'global_variables') return row
    const name = String(row['variable_name'])
    if (name === 'mysql-monitor_password') return this.columns(row, ['variable_value'], change)
    if (!name.endsWith('_credentials')) return row
    return this.columns(row, ['variable_value'], (text) => credentials(text, change))
  }

  private columns(row: Row, names: readonly string[], change: (text: string) => string): Row {
    const changed = names.flatMap((name) => {
      const value = row[name]
      return typeof value === 'string' ? [[name, change(value)] as const] : []
    })
    return { ...row, ...Object.fromEntries(changed) }
  }
}

/** Changes the passwords in `name:password;name:password`. */
function credentials(text: string, change: (password: string) => string): string {
  const users = parseCredentials(text)
  if (users === null) return text
  return formatCredentials(Object.fromEntries(Object.entries(users).map(([name, one]) => [name, change(one)])))
}

/** A row as it may stand on disk: of accounts of the admin port the hash is enough to know them again. */
export function withoutAdminPasswords(row: Row): Row {
  if (!/^admin-.*_credentials$/.test(String(row['variable_name'] ?? ''))) return row
  const hashed = (text: string): string => (text === '' || isPasswordHash(text) ? text : nativeHash(text))
  return { ...row, variable_value: credentials(String(row['variable_value']), hashed) }
}
