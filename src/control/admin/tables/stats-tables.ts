import {
  LATENCY_BOUNDS_US,
  type LatencyCounters,
  newLatencyCounters,
  QUERY_CLASSES,
  type ServerCounters,
} from '../../../shared/counters.js'
import type { ControlView } from '../../view.js'
import { transactionsIn } from './gtid-count.js'
import type { Rows, TableSource } from './source.js'
import { globalStatus, memoryMetrics } from './status.js'

const POOL_COLUMNS = [
  'hostgroup',
  'srv_host',
  'srv_port',
  'status',
  'ConnUsed',
  'ConnFree',
  'ConnOK',
  'ConnERR',
  'MaxConnUsed',
  'Queries',
  'Queries_GTID_sync',
  'Bytes_data_sent',
  'Bytes_data_recv',
  'Latency_us',
] as const

/**
 * One row per server and hostgroup of the runtime. A server that has left the runtime keeps its row as OFFLINE_HARD while
 * connections to it are open, as ProxySQL shows it.
 */
function connectionPool(view: ControlView): Rows {
  const counters = view.counters().servers
  const servers = view.snapshot().servers
  const key = (server: string, hostgroup: number) => `${hostgroup} ${server}`
  const byKey = new Map(counters.map((one) => [key(one.server, one.hostgroup), one]))
  const rows = servers.map((server) => {
    const counted = byKey.get(key(server.id, server.hostgroup))
    byKey.delete(key(server.id, server.hostgroup))
    return poolRow(server.hostgroup, server.host, server.port, server.status, counted)
  })
  const leaving = [...byKey.values()].filter((one) => one.connUsed + one.connFree > 0)
  const departed = leaving.map((one) => poolRow(one.hostgroup, ...hostAndPort(one.server), 'OFFLINE_HARD', one))
  return [...rows, ...departed]
}

function poolRow(hostgroup: number, host: string, port: number, status: string, counted?: ServerCounters) {
  if (counted === undefined) return [hostgroup, host, port, status, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  const { connUsed, connFree, connOk, connErr, maxConnUsed, bytesSent, bytesReceived } = counted
  const queries = QUERY_CLASSES.reduce((sum, name) => sum + counted.byClass[name].queries, 0)
  const connections = [connUsed, connFree, connOk, connErr, maxConnUsed]
  return [hostgroup, host, port, status, ...connections, queries, 0, bytesSent, bytesReceived, 0]
}

/** The parts of a server id: `host:port`, `[ipv6]:port`, or the path of a unix socket, whose port is 0. */
function hostAndPort(id: string): [host: string, port: number] {
  if (id.startsWith('/')) return [id, 0]
  const colon = id.lastIndexOf(':')
  return [id.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), Number(id.slice(colon + 1))]
}

async function processlist(view: ControlView): Promise<Rows> {
  const rows = await view.processlist()
  return rows.map((row) => [
    row.threadId,
    row.sessionId,
    row.user,
    row.db,
    row.clientHost,
    row.clientPort,
    row.hostgroup,
    row.localServerHost,
    row.localServerPort,
    row.serverHost,
    row.serverPort,
    row.command,
    row.timeMs,
    row.info,
    row.statusFlags,
    row.extendedInfo,
  ])
}

/** Sluice counts by class of statement, so the classes stand where ProxySQL has one row per SQL verb. */
function commandsCounters(view: ControlView): Rows {
  const { servers } = view.counters()
  return QUERY_CLASSES.map((name) => {
    const sum = newLatencyCounters()
    for (const server of servers) addLatency(sum, server.byClass[name])
    return [name.toUpperCase(), sum.sumUs, sum.queries, ...sum.buckets]
  })
}

function addLatency(into: LatencyCounters, from: LatencyCounters): void {
  into.queries += from.queries
  into.sumUs += from.sumUs
  for (let i = 0; i <= LATENCY_BOUNDS_US.length; i++) into.buckets[i] += from.buckets[i]
}

async function users(view: ControlView): Promise<Rows> {
  const connected = new Map<string, number>()
  for (const { user } of await view.processlist()) connected.set(user, (connected.get(user) ?? 0) + 1)
  return view.snapshot().users.map((user) => [user.name, connected.get(user.name) ?? 0, user.maxConnections])
}

function gtidExecuted(view: ControlView): Rows {
  return view
    .health()
    .servers.filter((server) => server.gtidExecuted !== '')
    .map((server) => [...hostAndPort(server.id), server.gtidExecuted, transactionsIn(server.gtidExecuted)])
}

const COUNTER_COLUMNS = ['100us', '500us', '1ms', '5ms', '10ms', '50ms', '100ms', '500ms', '1s', '5s', '10s', 'INFs']

/** What the view can tell; the other tables of the schema stay empty until Sluice has what they show. */
export const STATS_SOURCES: readonly TableSource[] = [
  { databases: ['stats'], table: 'stats_mysql_connection_pool', columns: POOL_COLUMNS, rows: connectionPool },
  {
    databases: ['stats'],
    table: 'stats_mysql_processlist',
    columns: [
      'ThreadID',
      'SessionID',
      'user',
      'db',
      'cli_host',
      'cli_port',
      'hostgroup',
      'l_srv_host',
      'l_srv_port',
      'srv_host',
      'srv_port',
      'command',
      'time_ms',
      'info',
      'status_flags',
      'extended_info',
    ],
    rows: processlist,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_commands_counters',
    columns: ['Command', 'Total_Time_us', 'Total_cnt', ...COUNTER_COLUMNS.map((name) => `cnt_${name}`)],
    rows: commandsCounters,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_users',
    columns: ['username', 'frontend_connections', 'frontend_max_connections'],
    rows: users,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_global',
    columns: ['Variable_Name', 'Variable_Value'],
    rows: globalStatus,
  },
  {
    databases: ['stats'],
    table: 'stats_memory_metrics',
    columns: ['Variable_Name', 'Variable_Value'],
    rows: memoryMetrics,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_gtid_executed',
    columns: ['hostname', 'port', 'gtid_executed', 'events'],
    rows: gtidExecuted,
  },
]
