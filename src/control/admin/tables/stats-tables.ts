import { newLatencyCounters } from '../../../shared/counters.js'
import { VERBS } from '../../../sql/index.js'
import type { ControlView } from '../../view.js'
import { POOL_COLUMNS, readPool, resetPool } from './connection-pool.js'
import { transactionsIn } from './gtid-count.js'
import { hostAndPort } from './server-id.js'
import type { Rows, TableSource } from './source.js'
import { globalStatus, memoryMetrics } from './status.js'

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

/** One row per verb, as ProxySQL has them. */
function commandsCounters(view: ControlView): Rows {
  const { commands = {} } = view.counters()
  return [...VERBS].sort().map((name) => {
    const { sumUs, queries, buckets } = commands[name] ?? NONE
    return [name, sumUs, queries, ...buckets]
  })
}

const NONE = newLatencyCounters()

function gtidExecuted(view: ControlView): Rows {
  return view
    .health()
    .servers.filter((server) => server.gtidExecuted !== '')
    .map((server) => [...hostAndPort(server.id), server.gtidExecuted, transactionsIn(server.gtidExecuted)])
}

function learnedDigests(view: ControlView): Rows {
  const seconds = (ms: number): number => Math.floor(ms / 1000)
  return (view.counters().learnedDigests ?? []).map(({ digest, text, error, firstSeen, lastSeen, count }) => [
    digest,
    text,
    error,
    seconds(firstSeen),
    seconds(lastSeen),
    count,
  ])
}

const COUNTER_COLUMNS = ['100us', '500us', '1ms', '5ms', '10ms', '50ms', '100ms', '500ms', '1s', '5s', '10s', 'INFs']

/** What the view can tell; the other tables of the schema stay empty until Sluice has what they show. */
export const STATS_SOURCES: readonly TableSource[] = [
  { databases: ['stats'], table: 'stats_mysql_connection_pool', columns: POOL_COLUMNS, counted: true, rows: readPool },
  {
    databases: ['stats'],
    table: 'stats_mysql_connection_pool_reset',
    columns: POOL_COLUMNS,
    counted: true,
    rows: resetPool,
  },
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
    counted: true,
    rows: commandsCounters,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_query_rules',
    columns: ['rule_id', 'hits'],
    counted: true,
    rows: (view) => [...view.ruleHits()].sort(([a], [b]) => a - b),
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_global',
    columns: ['Variable_Name', 'Variable_Value'],
    counted: true,
    rows: globalStatus,
  },
  {
    databases: ['stats'],
    table: 'stats_memory_metrics',
    columns: ['Variable_Name', 'Variable_Value'],
    counted: true,
    rows: memoryMetrics,
  },
  {
    databases: ['stats'],
    table: 'stats_mysql_gtid_executed',
    columns: ['hostname', 'port', 'gtid_executed', 'events'],
    rows: gtidExecuted,
  },
  {
    databases: ['stats'],
    table: 'stats_sluice_learned_digests',
    columns: ['digest', 'digest_text', 'error', 'first_seen', 'last_seen', 'count_star'],
    counted: true,
    rows: learnedDigests,
  },
]
