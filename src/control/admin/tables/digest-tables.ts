import type { DigestRow, ErrorRow } from '../../../shared/worker-tables.js'
import type { ControlView } from '../../view.js'
import { hostAndPort } from './server-id.js'
import type { Rows, TableSource } from './source.js'

const DIGEST_COLUMNS = [
  'hostgroup',
  'schemaname',
  'username',
  'client_address',
  'digest',
  'digest_text',
  'count_star',
  'first_seen',
  'last_seen',
  'sum_time',
  'min_time',
  'max_time',
  'sum_rows_affected',
  'sum_rows_sent',
  'errors',
] as const

const ERROR_COLUMNS = [
  'hostgroup',
  'hostname',
  'port',
  'username',
  'client_address',
  'schemaname',
  'errno',
  'count_star',
  'first_seen',
  'last_seen',
  'last_error',
] as const

async function digests(view: ControlView, reset: boolean): Promise<Rows> {
  const rows = mergeDigests(await view.workerRows('digests', reset))
  return rows.map((row) => [
    row.hostgroup,
    row.schema,
    row.user,
    row.client,
    row.digest,
    row.text,
    row.count,
    seconds(row.firstSeen),
    seconds(row.lastSeen),
    row.sumUs,
    row.minUs,
    row.maxUs,
    row.rowsAffected,
    row.rowsSent,
    row.errors,
  ])
}

/** Rows of several workers as one for each place and digest. */
export function mergeDigests(rows: readonly DigestRow[]): DigestRow[] {
  return merge(
    rows,
    ({ hostgroup, schema, user, client, digest }) => [hostgroup, digest, schema, user, client],
    addDigest,
  )
}

function addDigest(a: DigestRow, b: DigestRow): DigestRow {
  // A row in which only rows of a cursor were counted has no execution that took a shortest time.
  const [least, other] = a.count === 0 ? [b, b] : b.count === 0 ? [a, a] : [a, b]
  return {
    ...a,
    count: a.count + b.count,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
    sumUs: a.sumUs + b.sumUs,
    minUs: Math.min(least.minUs, other.minUs),
    maxUs: Math.max(a.maxUs, b.maxUs),
    rowsAffected: a.rowsAffected + b.rowsAffected,
    rowsSent: a.rowsSent + b.rowsSent,
    errors: a.errors + b.errors,
  }
}

async function errors(view: ControlView, reset: boolean): Promise<Rows> {
  const keyOf = ({ hostgroup, server, user, client, schema, errno }: ErrorRow) => [
    hostgroup,
    server,
    errno,
    user,
    client,
    schema,
  ]
  const rows = merge(await view.workerRows('errors', reset), keyOf, addError)
  return rows.map((row) => [
    row.hostgroup,
    ...hostAndPort(row.server),
    row.user,
    row.client,
    row.schema,
    row.errno,
    row.count,
    seconds(row.firstSeen),
    seconds(row.lastSeen),
    row.lastError,
  ])
}

function addError(a: ErrorRow, b: ErrorRow): ErrorRow {
  return {
    ...(a.lastSeen > b.lastSeen ? a : b),
    count: a.count + b.count,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
  }
}

function merge<T>(rows: readonly T[], keyOf: (row: T) => (string | number)[], add: (a: T, b: T) => T): T[] {
  const merged = new Map<string, T>()
  for (const row of rows) {
    const key = keyOf(row).join('\0')
    const known = merged.get(key)
    merged.set(key, known === undefined ? row : add(known, row))
  }
  return [...merged.values()]
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

/** What workers count by digest and by error; reading a `_reset` table begins the counting anew. */
export const DIGEST_SOURCES: readonly TableSource[] = [
  table('stats_mysql_query_digest', DIGEST_COLUMNS, (view) => digests(view, false)),
  table('stats_mysql_query_digest_reset', DIGEST_COLUMNS, (view) => digests(view, true)),
  table('stats_mysql_errors', ERROR_COLUMNS, (view) => errors(view, false)),
  table('stats_mysql_errors_reset', ERROR_COLUMNS, (view) => errors(view, true)),
]

function table(name: string, columns: readonly string[], rows: TableSource['rows']): TableSource {
  return { databases: ['stats'], table: name, columns, rows }
}
