import {
  digestBytes,
  LATENCY_BOUNDS_US,
  QUERY_CLASSES,
  type ServerCounters,
  statementBytes,
  type WorkerCounters,
} from '../../shared/counters.js'
import type { HealthReport, ServerStatus, Snapshot } from '../../shared/snapshot.js'
import { SLUICE_VERSION } from '../../shared/version.js'
import type { ControlView, WorkerView } from '../view.js'

export type Labels = Readonly<Record<string, string | number>>

/** One line of the exposition. `name` differs from the metric's for the parts of a histogram. */
export interface Sample {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** What one scrape reads, so that all of its figures are of the same moment. */
export interface Reading {
  readonly snapshot: Snapshot
  readonly health: HealthReport
  readonly counters: WorkerCounters
  readonly workers: readonly WorkerView[]
  readonly ready: boolean
}

export interface MetricDefinition {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  read(from: Reading): Sample[]
}

export function readAll(view: ControlView): Reading {
  return {
    snapshot: view.snapshot(),
    health: view.health(),
    counters: view.counters(),
    workers: view.workers(),
    ready: view.ready().ready,
  }
}

const SERVER_STATUSES: readonly ServerStatus[] = ['ONLINE', 'SHUNNED', 'OFFLINE_SOFT', 'OFFLINE_HARD']
const WORKER_STATES = ['starting', 'serving', 'draining', 'exited'] as const
const US_PER_SECOND = 1e6

/** A metric with one value and no labels. */
function single(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (from: Reading) => number,
): MetricDefinition {
  return { name, type, help, read: (from) => [{ name, labels: {}, value: read(from) }] }
}

/** A metric with values by labels. */
function labelled(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (from: Reading) => readonly (readonly [labels: Labels, value: number])[],
): MetricDefinition {
  return { name, type, help, read: (from) => read(from).map(([labels, value]) => ({ name, labels, value })) }
}

function perServer(from: Reading, read: (server: ServerCounters) => number): [Labels, number][] {
  return from.counters.servers.map((one) => [{ server: one.server, hostgroup: one.hostgroup }, read(one)])
}

function perClass(from: Reading, read: (server: ServerCounters, name: (typeof QUERY_CLASSES)[number]) => number) {
  return from.counters.servers.flatMap((one) =>
    QUERY_CLASSES.map((name): [Labels, number] => [
      { class: name, server: one.server, hostgroup: one.hostgroup },
      read(one, name),
    ]),
  )
}

const DURATION = 'sluice_query_duration_seconds'

/** The buckets are counted in the workers; here they become cumulative, as the format wants them. */
function durations({ counters }: Reading): Sample[] {
  return counters.servers.flatMap((server) =>
    QUERY_CLASSES.flatMap((name) => {
      const labels = { class: name, server: server.server, hostgroup: server.hostgroup }
      const counted = server.byClass[name]
      let below = 0
      const buckets = LATENCY_BOUNDS_US.map((bound, at) => {
        below += counted.buckets[at]
        return { name: `${DURATION}_bucket`, labels: { le: bound / US_PER_SECOND, ...labels }, value: below }
      })
      const count = below + counted.buckets[LATENCY_BOUNDS_US.length]
      return [
        ...buckets,
        { name: `${DURATION}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
        { name: `${DURATION}_sum`, labels, value: counted.sumUs / US_PER_SECOND },
        { name: `${DURATION}_count`, labels, value: count },
      ]
    }),
  )
}

/** Every metric of Sluice's own. docs/metrics.md has a line for each. */
export const METRICS: readonly MetricDefinition[] = [
  single(
    'sluice_client_connections',
    'gauge',
    'Client connections that are open now.',
    ({ counters }) => counters.global.clientConnectionsConnected,
  ),
  single(
    'sluice_client_connections_total',
    'counter',
    'Client connections accepted since start.',
    ({ counters }) => counters.global.clientConnectionsCreated,
  ),
  single(
    'sluice_client_connections_aborted_total',
    'counter',
    'Client connections that ended without COM_QUIT or failed to log in.',
    ({ counters }) => counters.global.clientConnectionsAborted,
  ),
  single(
    'sluice_client_logins_refused_total',
    'counter',
    'Logins refused for an unknown user, a wrong password or a limit.',
    ({ counters }) => counters.global.accessDenied,
  ),
  single(
    'sluice_client_connections_refused_total',
    'counter',
    'Client connections refused with error 1040 because max_connections was reached.',
    ({ counters }) => counters.global.tooManyConnections,
  ),
  single(
    'sluice_questions_total',
    'counter',
    'Statements received from clients, those that Sluice answered itself included.',
    ({ counters }) => counters.global.questions,
  ),
  single(
    'sluice_slow_queries_total',
    'counter',
    'Statements that took longer than the limit for slow statements.',
    ({ counters }) => counters.global.slowQueries,
  ),
  labelled(
    'sluice_queries_total',
    'counter',
    'Statements finished on a server, failed ones included, by class of statement.',
    (from) => perClass(from, (server, name) => server.byClass[name].queries),
  ),
  labelled(
    'sluice_query_errors_total',
    'counter',
    'Statements that ended with an error of the server or of its connection.',
    (from) => perClass(from, (server, name) => server.byClass[name].errors),
  ),
  {
    name: DURATION,
    type: 'histogram',
    help: 'Time from a statement being received to the end of its answer.',
    read: durations,
  },
  single(
    'sluice_queries_retried_total',
    'counter',
    'Reads repeated on another server because a connection was lost.',
    ({ counters }) => counters.global.queriesRetried,
  ),
  single(
    'sluice_queries_killed_total',
    'counter',
    'Statements ended on a server: their client had gone, or they took too long.',
    ({ counters }) => counters.global.queriesKilled,
  ),
  single(
    'sluice_backend_connections_shared_total',
    'counter',
    'Idle server connections that were given to another session.',
    ({ counters }) => counters.global.backendConnectionsShared,
  ),
  single(
    'sluice_backend_connections_reset_total',
    'counter',
    'Server connections that had to be reset for another session.',
    ({ counters }) => counters.global.backendConnectionsReset,
  ),
  labelled(
    'sluice_time_limits_exceeded_total',
    'counter',
    'Statements killed and transactions rolled back because they took too long, by limit.',
    ({ counters: { global } }) => [
      [{ limit: 'max_transaction_time' }, global.maxTransactionTimeExceeded],
      [{ limit: 'max_transaction_idle_time' }, global.maxTransactionIdleTimeExceeded],
      [{ limit: 'query_timeout' }, global.queryTimeoutExceeded],
    ],
  ),
  labelled(
    'sluice_stmt_commands_total',
    'counter',
    'Commands of prepared statements, by command: from clients (frontend), and to servers (backend).',
    ({ counters: { global } }) => [
      [{ side: 'frontend', command: 'prepare' }, global.comFrontendStmtPrepare],
      [{ side: 'frontend', command: 'execute' }, global.comFrontendStmtExecute],
      [{ side: 'frontend', command: 'close' }, global.comFrontendStmtClose],
      [{ side: 'backend', command: 'prepare' }, global.comBackendStmtPrepare],
      [{ side: 'backend', command: 'execute' }, global.comBackendStmtExecute],
      [{ side: 'backend', command: 'close' }, global.comBackendStmtClose],
    ],
  ),
  labelled(
    'sluice_stmts',
    'gauge',
    'Prepared statements that are open now: by clients (frontend), and on servers (backend).',
    ({ counters: { global } }) => [
      [{ side: 'frontend' }, global.stmtClientActiveTotal],
      [{ side: 'backend' }, global.stmtServerActiveTotal],
    ],
  ),
  labelled(
    'sluice_stmts_unique',
    'gauge',
    'Different texts among the prepared statements that are open now, counted by each worker.',
    ({ counters: { global } }) => [
      [{ side: 'frontend' }, global.stmtClientActiveUnique],
      [{ side: 'backend' }, global.stmtServerActiveUnique],
    ],
  ),
  single(
    'sluice_stmts_cached',
    'gauge',
    'Texts of prepared statements that workers keep for sessions to share.',
    ({ counters }) => counters.global.stmtCached,
  ),
  labelled(
    'sluice_stmts_bytes',
    'gauge',
    'Memory of prepared statements in the workers, as counted: texts, statements of clients, statements on servers.',
    ({ counters }) => Object.entries(statementBytes(counters.global)).map(([part, bytes]) => [{ part }, bytes]),
  ),
  labelled(
    'sluice_digest_entries',
    'gauge',
    'Digests that workers know (text), and rows that are counted by them (statistics).',
    ({ counters: { global } }) => [
      [{ table: 'text' }, global.digestsKnown],
      [{ table: 'statistics' }, global.digestRows],
    ],
  ),
  labelled(
    'sluice_digest_evictions_total',
    'counter',
    'Digests, and rows counted by them, that have made room for others (query_digests.max_entries).',
    ({ counters: { global } }) => [
      [{ table: 'text' }, global.digestsEvicted],
      [{ table: 'statistics' }, global.digestRowsEvicted],
    ],
  ),
  single(
    'sluice_digest_bytes',
    'gauge',
    'Memory of digests and of what is counted by them in the workers, as counted.',
    ({ counters }) => digestBytes(counters.global),
  ),
  labelled(
    'sluice_statements_total',
    'counter',
    'Statements answered, by command (the names of stats_mysql_commands_counters).',
    ({ counters: { commands = {} } }) =>
      Object.entries(commands).map(([command, { queries }]) => [{ command }, queries]),
  ),
  labelled(
    'sluice_reads_on_primary_total',
    'counter',
    'Reads that went to the primary, by why: causal (the session reads its own writes), seen (to see no less than before), token (a causal key or position), strong, learned (a replica refuses it) or no_replica (none qualified).',
    ({ counters: { global } }) => [
      [{ reason: 'causal' }, global.readsOnPrimaryCausal],
      [{ reason: 'seen' }, global.readsOnPrimarySeen],
      [{ reason: 'committed' }, global.readsOnPrimaryCommitted],
      [{ reason: 'token' }, global.readsOnPrimaryToken],
      [{ reason: 'strong' }, global.readsOnPrimaryStrong],
      [{ reason: 'learned' }, global.readsOnPrimaryLearned],
      [{ reason: 'no_replica' }, global.readsOnPrimaryNoReplica],
    ],
  ),
  labelled(
    'sluice_reads_on_replica_total',
    'counter',
    'Reads that replicas answered, by what let them: consistent (it had all that was needed) or spill_limit (the primary takes no more).',
    ({ counters: { global } }) => [
      [{ reason: 'consistent' }, global.readsOnReplica],
      [{ reason: 'spill_limit' }, global.readsOnLaggingReplica],
    ],
  ),
  labelled(
    'sluice_causal_waits_total',
    'counter',
    'Reads that waited for a replica to catch up, by outcome: met (in time) or in_vain (the primary answered).',
    ({ counters: { global } }) => [
      [{ outcome: 'met' }, global.causalWaitsMet],
      [{ outcome: 'in_vain' }, global.causalWaitsInVain],
    ],
  ),
  single(
    'sluice_causal_positions_asked_total',
    'counter',
    'Reads for which the primary was asked how far it is, so that a replica could be waited for.',
    ({ counters }) => counters.global.causalPositionsAsked,
  ),
  single(
    'sluice_causal_announcements_lost_total',
    'counter',
    'Writes under a causal key of which not all workers knew in time.',
    ({ counters }) => counters.global.causalAnnouncementsLost,
  ),
  single(
    'sluice_query_cache_asked_total',
    'counter',
    'Reads that a rule allows to be answered from the result cache.',
    ({ counters }) => counters.global.queryCacheGet,
  ),
  single(
    'sluice_query_cache_hits_total',
    'counter',
    'Reads that were answered from the result cache.',
    ({ counters }) => counters.global.queryCacheGetOk,
  ),
  single(
    'sluice_query_cache_kept_total',
    'counter',
    'Answers that the result cache has taken.',
    ({ counters }) => counters.global.queryCacheSet,
  ),
  single(
    'sluice_query_cache_purged_total',
    'counter',
    'Answers that are gone from the result cache: too old, ended by a write, or for want of room.',
    ({ counters }) => counters.global.queryCachePurged,
  ),
  labelled(
    'sluice_query_cache_waits_total',
    'counter',
    'Reads that waited for the answer to the same one of another session, by outcome: met (given it) or in_vain.',
    ({ counters: { global } }) => [
      [{ outcome: 'met' }, global.queryCacheWaitsMet],
      [{ outcome: 'in_vain' }, global.queryCacheWaitsInVain],
    ],
  ),
  labelled(
    'sluice_query_cache_bytes_total',
    'counter',
    'Bytes of answers that the result cache has taken (in) and given (out).',
    ({ counters: { global } }) => [
      [{ direction: 'in' }, global.queryCacheBytesIn],
      [{ direction: 'out' }, global.queryCacheBytesOut],
    ],
  ),
  single(
    'sluice_query_cache_answers',
    'gauge',
    'Answers in the result cache.',
    ({ counters }) => counters.global.queryCacheEntries,
  ),
  single(
    'sluice_query_cache_memory_bytes',
    'gauge',
    'Memory of the result cache, keys included.',
    ({ counters }) => counters.global.queryCacheMemoryBytes,
  ),
  single(
    'sluice_query_cache_announcements_lost_total',
    'counter',
    'Writes of which not all workers that keep answers knew in time.',
    ({ counters }) => counters.global.queryCacheAnnouncementsLost,
  ),
  single(
    'sluice_mirrors_sent_total',
    'counter',
    'Copies of statements that query rules have sent to a mirror hostgroup.',
    ({ counters }) => counters.global.mirrorsSent,
  ),
  single(
    'sluice_mirrors_dropped_total',
    'counter',
    'Statements that were not copied because 64 copies were in flight in the worker.',
    ({ counters }) => counters.global.mirrorsDropped,
  ),
  single(
    'sluice_consistency_hints_unknown_total',
    'counter',
    'Hints and query attributes of consistency that were not understood; their statements run on the primary.',
    ({ counters }) => counters.global.consistencyHintsUnknown,
  ),
  labelled(
    'sluice_dry_run_statements_total',
    'counter',
    'Statements of users with a dry run, by where they would have gone and why.',
    ({ counters }) => (counters.dryRun ?? []).map(({ user, place, reason, count }) => [{ user, place, reason }, count]),
  ),
  single(
    'sluice_writes_learned_total',
    'counter',
    'Statements taken for reads that a replica refused as writes; they were repeated on the primary.',
    ({ counters }) => counters.global.writesLearned,
  ),
  labelled(
    'sluice_backend_connections',
    'gauge',
    'Connections to a server that are open now: used by a session, or free.',
    ({ counters }) =>
      counters.servers.flatMap((one): [Labels, number][] => [
        [{ server: one.server, hostgroup: one.hostgroup, state: 'used' }, one.connUsed],
        [{ server: one.server, hostgroup: one.hostgroup, state: 'free' }, one.connFree],
      ]),
  ),
  labelled('sluice_backend_connections_total', 'counter', 'Connections to a server opened since start.', (from) =>
    perServer(from, (server) => server.connOk),
  ),
  labelled(
    'sluice_backend_connection_errors_total',
    'counter',
    'Attempts to connect to a server that failed.',
    (from) => perServer(from, (server) => server.connErr),
  ),
  labelled(
    'sluice_bytes_total',
    'counter',
    'Bytes exchanged with the servers: sent to them, or received from them.',
    ({ counters }) => [
      [{ direction: 'sent' }, counters.servers.reduce((sum, one) => sum + one.bytesSent, 0)],
      [{ direction: 'received' }, counters.servers.reduce((sum, one) => sum + one.bytesReceived, 0)],
    ],
  ),
  labelled('sluice_server_up', 'gauge', 'Whether the server answered its last check (1) or not (0).', ({ health }) =>
    health.servers.map((one) => [{ server: one.id }, Number(one.alive)]),
  ),
  labelled(
    'sluice_server_status',
    'gauge',
    'Status of a server in a hostgroup: 1 for the status that it has, 0 for the others.',
    ({ snapshot }) =>
      snapshot.servers.flatMap((one) =>
        SERVER_STATUSES.map((status): [Labels, number] => [
          { server: one.id, hostgroup: one.hostgroup, status },
          Number(one.status === status),
        ]),
      ),
  ),
  labelled(
    'sluice_replication_lag_seconds',
    'gauge',
    'Replication lag of a server, 0 on a primary; no sample while it is unknown.',
    ({ health }) =>
      health.servers.flatMap((one): [Labels, number][] =>
        one.lagMs === null ? [] : [[{ server: one.id }, one.lagMs / 1000]],
      ),
  ),
  labelled(
    'sluice_proxy_errors_total',
    'counter',
    'Errors that Sluice itself sent to clients, by their stable code.',
    ({ counters }) => Object.entries(counters.proxyErrors).map(([code, count]) => [{ code }, count]),
  ),
  single(
    'sluice_protocol_errors_total',
    'counter',
    'Connections closed because the peer broke the rules of the protocol.',
    ({ counters }) => counters.global.protocolErrors,
  ),
  single(
    'sluice_invariant_errors_total',
    'counter',
    'Sessions ended by a mistake of Sluice itself; anything but 0 deserves a report.',
    ({ counters }) => counters.global.invariantErrors,
  ),
  labelled('sluice_workers', 'gauge', 'Worker processes by state.', ({ workers }) =>
    WORKER_STATES.map((state) => [{ state }, workers.filter((worker) => worker.state === state).length]),
  ),
  single(
    'sluice_workers_resident_memory_bytes',
    'gauge',
    'Resident memory of all workers.',
    ({ counters }) => counters.residentBytes,
  ),
  single(
    'sluice_workers_cpu_seconds_total',
    'counter',
    'CPU time spent by all workers, user and system.',
    ({ counters }) => counters.cpuUs / US_PER_SECOND,
  ),
  single(
    'sluice_snapshot_version',
    'gauge',
    'Version of the snapshot that workers are told to go by.',
    ({ snapshot }) => snapshot.version,
  ),
  labelled(
    'sluice_worker_snapshot_version',
    'gauge',
    'Version of the newest snapshot that a worker acknowledged.',
    ({ workers }) => workers.map((worker) => [{ worker: worker.number }, worker.ackedVersion]),
  ),
  single('sluice_ready', 'gauge', 'Whether clients can be served (1) or not (0).', ({ ready }) => Number(ready)),
  labelled('sluice_build_info', 'gauge', 'Always 1; the labels tell the versions.', () => [
    [{ version: SLUICE_VERSION, node: process.versions.node }, 1],
  ]),
]
