import type { Look, LookKind } from '../../monitor/monitor-log.js'
import type { ControlView } from '../../view.js'
import type { SqlValue } from '../engine/messages.js'
import { hostAndPort } from './server-id.js'
import type { Rows, TableSource } from './source.js'

/** @param cells the columns behind the time of the beginning */
function log(kind: LookKind, columns: readonly string[], cells: (look: Look) => SqlValue[]): TableSource {
  return {
    databases: ['monitor'],
    table: `mysql_server_${kind}_log`,
    columns: ['hostname', 'port', 'time_start_us', ...columns],
    rows: (view) =>
      [...view.monitorLog().of(kind)].map(([server, look]) => [...hostAndPort(server), look.startUs, ...cells(look)]),
  }
}

/** As ProxySQL's: 0 for a look that failed, and NULL for what it has not found. `... WHERE ping_error IS NULL` are the good ones. */
function took({ tookUs, error }: Look): number {
  return error === null ? tookUs : 0
}

function history(table: string, columns: readonly string[], rows: (view: ControlView) => Rows): TableSource {
  return { databases: ['stats_history'], table, columns, rows }
}

const CPU_COLUMNS = ['timestamp', 'tms_utime', 'tms_stime'] as const
const CONNECTIONS_COLUMNS = [
  'timestamp',
  'Client_Connections_aborted',
  'Client_Connections_connected',
  'Client_Connections_created',
  'Server_Connections_aborted',
  'Server_Connections_connected',
  'Server_Connections_created',
  'Questions',
  'Slow_queries',
  'GTID_consistent_queries',
] as const

function cpu(view: ControlView, each: 'minutes' | 'hours'): Rows {
  return view.history()[each].map((sample) => [sample.timestamp, sample.userTicks, sample.systemTicks])
}

function connections(view: ControlView, each: 'minutes' | 'hours'): Rows {
  return view
    .history()
    [each].map((sample) => [
      sample.timestamp,
      sample.clientsAborted,
      sample.clientsConnected,
      sample.clientsCreated,
      sample.serversAborted,
      sample.serversConnected,
      sample.serversCreated,
      sample.questions,
      sample.slowQueries,
      sample.gtidConsistentQueries,
    ])
}

/** What the monitor has seen, and how the counters were. */
export const MONITOR_SOURCES: readonly TableSource[] = [
  log('connect', ['connect_success_time_us', 'connect_error'], (look) => [took(look), look.error]),
  log('ping', ['ping_success_time_us', 'ping_error'], (look) => [took(look), look.error]),
  log('read_only', ['success_time_us', 'read_only', 'error'], (look) => [took(look), look.value, look.error]),
  log('replication_lag', ['success_time_us', 'repl_lag', 'error'], (look) => [took(look), look.value, look.error]),
  history('system_cpu', CPU_COLUMNS, (view) => cpu(view, 'minutes')),
  history('system_cpu_hour', CPU_COLUMNS, (view) => cpu(view, 'hours')),
  history('mysql_connections', CONNECTIONS_COLUMNS, (view) => connections(view, 'minutes')),
  history('mysql_connections_hour', CONNECTIONS_COLUMNS, (view) => connections(view, 'hours')),
]
