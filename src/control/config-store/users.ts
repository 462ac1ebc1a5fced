import { parseNativeHash, parseSha2Hash } from '../../../protocol/index.js'
import type { ConfigPath } from '../config/config-file.js'
import type { ConfigFile } from '../config/config-schema.js'
import type { Row, SectionRows } from './rows.js'
import {
  fullTextOf,
  type Place,
  present,
  type Refuse,
  refuseUnserved,
  rowsOf,
  type Section,
  textOf,
  type Unserved,
} from './section.js'

const USERS = 'mysql_users'

const UNSERVED: readonly Unserved[] = [
  { column: 'schema_locked', accepted: ['0'], why: 'clients may change their schema' },
  { column: 'fast_forward', accepted: ['0'], why: 'Sluice reads every statement' },
]

type User = ConfigFile['users'][number]

function userRow(user: User): Row {
  return {
    username: user.name,
    password: user.password ?? user.password_hash ?? '',
    active: user.active ? 1 : 0,
    use_ssl: user.use_ssl ? 1 : 0,
    default_hostgroup: user.default_hostgroup,
    default_schema: user.default_schema,
    schema_locked: 0,
    transaction_persistent: 1,
    fast_forward: 0,
    backend: 1,
    frontend: 1,
    max_connections: user.max_connections,
    attributes: user.attributes,
    comment: user.comment,
    multiplex: user.multiplex ? 1 : 0,
    consistency: user.consistency,
    max_replication_lag: user.max_replication_lag,
    query_timeout: user.query_timeout,
    max_transaction_time: user.max_transaction_time,
    backend_user: user.backend_user,
    backend_password: user.backend_password,
    dry_run: user.dry_run ? 1 : 0,
  }
}

export function isPasswordHash(text: string): boolean {
  return parseNativeHash(text) !== undefined || parseSha2Hash(text) !== undefined
}

/**
 * A user of clients, with the row for the servers where that is another one: ProxySQL keeps the two sides of an account in
 * one row (frontend and backend 1) or in two.
 */
function userValues(row: Row, other: Row | undefined, refuse: Refuse): Record<string, unknown> {
  const password = textOf(row, 'password') ?? ''
  const lag = row['max_replication_lag']
  return present({
    name: textOf(row, 'username'),
    ...(isPasswordHash(password) ? { password_hash: password } : { password }),
    active: textOf(row, 'active'),
    use_ssl: textOf(row, 'use_ssl'),
    default_hostgroup: textOf(row, 'default_hostgroup'),
    default_schema: fullTextOf(row, 'default_schema'),
    max_connections: textOf(row, 'max_connections'),
    attributes: fullTextOf(row, 'attributes'),
    comment: fullTextOf(row, 'comment'),
    multiplex: textOf(row, 'multiplex'),
    consistency: fullTextOf(row, 'consistency'),
    max_replication_lag:
      typeof lag === 'number' ? `${Math.round(lag * 1000)}ms` : fullTextOf(row, 'max_replication_lag'),
    query_timeout: fullTextOf(row, 'query_timeout'),
    max_transaction_time: fullTextOf(row, 'max_transaction_time'),
    dry_run: textOf(row, 'dry_run'),
    ...backendOf(row, other, refuse),
  })
}

function backendOf(row: Row, other: Row | undefined, refuse: Refuse): Record<string, unknown> {
  const own = { backend_user: fullTextOf(row, 'backend_user'), backend_password: textOf(row, 'backend_password') }
  if (own.backend_user !== undefined || other === undefined || other['password'] === row['password']) return own
  const password = textOf(other, 'password') ?? ''
  if (isPasswordHash(password)) {
    const message = 'expected the password in clear, got a hash: servers are logged in to with it'
    refuse({ table: USERS, row: other, column: 'password' }, message)
  }
  return { backend_user: textOf(other, 'username'), backend_password: password }
}

function toValues(rows: SectionRows, refuse: Refuse) {
  const all = rowsOf(rows, USERS)
  for (const row of all) refuseUnserved(USERS, row, UNSERVED, refuse)
  const clients = all.filter((row) => textOf(row, 'frontend') === '1')
  const servers = new Map<unknown, Row>()
  for (const row of all) {
    if (textOf(row, 'frontend') === '0' && textOf(row, 'active') === '1') servers.set(row['username'], row)
  }
  const values = {
    users: clients.map((row) => {
      const other = textOf(row, 'backend') === '1' ? undefined : servers.get(row['username'])
      return userValues(row, other, refuse)
    }),
  }
  return { values, place: (path: ConfigPath) => placeOf(path, clients) }
}

const COLUMNS: Readonly<Record<string, string>> = { name: 'username', password_hash: 'password' }

function placeOf([list, index, key]: ConfigPath, clients: readonly Row[]): Place | null {
  if (list !== 'users' || typeof index !== 'number') return null
  return { table: USERS, row: clients[index], column: key === undefined ? null : (COLUMNS[key] ?? String(key)) }
}

export const USERS_SECTION: Section = {
  name: 'MYSQL USERS',
  tables: [{ name: USERS, key: ['username'] }],
  keys: ['users'],
  toRows: (file) => new Map([[USERS, file.users.map(userRow)]]),
  toValues,
}
