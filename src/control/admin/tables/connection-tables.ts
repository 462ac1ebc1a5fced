import type { PreparedStatementRow } from '../../../shared/worker-tables.js'
import type { ControlView } from '../../view.js'
import { hostAndPort } from './server-id.js'
import type { Rows, TableSource } from './source.js'

async function freeConnections(view: ControlView): Promise<Rows> {
  const rows = await view.workerRows('freeConnections', false)
  return rows.map((row) => [
    row.threadId,
    row.hostgroup,
    ...hostAndPort(row.server),
    row.user,
    row.schema,
    '',
    row.timeZone,
    row.sqlMode,
    row.autocommit ? 'ON' : 'OFF',
    row.idleMs,
    row.statistics,
    row.info,
  ])
}

/** Each worker has its own numbers of statements: they are numbered anew over all of them. */
async function preparedStatements(view: ControlView): Promise<Rows> {
  const rows = await view.workerRows('preparedStatements', false)
  return rows.map((row: PreparedStatementRow, index) => [
    index + 1,
    row.schema,
    // Sessions of all users share it.
    '',
    row.digest,
    row.clients,
    row.servers,
    row.columns,
    row.parameters,
    row.query,
  ])
}

async function users(view: ControlView): Promise<Rows> {
  const sessions = new Map<string, number>()
  for (const { user, sessions: count } of await view.workerRows('users', false)) {
    sessions.set(user, (sessions.get(user) ?? 0) + count)
  }
  const configured = view.snapshot().users.map(({ name, maxConnections }): [string, number, number] => {
    const count = sessions.get(name) ?? 0
    sessions.delete(name)
    return [name, count, maxConnections]
  })
  return [...configured, ...[...sessions].map(([name, count]): [string, number, number] => [name, count, 0])]
}

/** Who is connected, and what lies idle. */
export const CONNECTION_SOURCES: readonly TableSource[] = [
  {
    databases: ['stats'],
    table: 'stats_mysql_free_connections',
    columns: [
      'fd',
      'hostgroup',
      'srv_host',
      'srv_port',
      'user',
      'schema',
      'init_connect',
      'time_zone',
      'sql_mode',
      'autocommit',
      'idle_ms',
      'statistics',
      'mysql_info',
    ],
    rows: freeConnections,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_prepared_statements_info',
    columns: [
      'global_stmt_id',
      'schemaname',
      'username',
      'digest',
      'ref_count_client',
      'ref_count_server',
      'num_columns',
      'num_params',
      'query',
    ],
    rows: preparedStatements,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_users',
    columns: ['username', 'frontend_connections', 'frontend_max_connections'],
    rows: users,
  },
]
