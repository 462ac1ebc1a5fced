import type { ControlView } from '../../view.js'
import { mergeDigests, mergeErrors } from '../../workers/rows-merge.js'
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

async function errors(view: ControlView, reset: boolean): Promise<Rows> {
  const rows = mergeErrors(await view.workerRows('errors', reset))
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
