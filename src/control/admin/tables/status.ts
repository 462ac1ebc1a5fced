import { digestBytes, type ServerCounters, statementBytes } from '../../../shared/counters.js'
import { LOOK_KINDS } from '../../monitor/monitor-log.js'
import type { ControlView } from '../../view.js'

/** Rows of stats_mysql_global: ProxySQL's names where it has the thing, `Sluice_...` for the rest. */
export function globalStatus(view: ControlView): [name: string, value: string][] {
  const { global, servers, proxyErrors, commands = {}, sessionsInTransaction, sessionsBusy } = view.counters()
  const sum = (read: (server: ServerCounters) => number) => servers.reduce((total, one) => total + read(one), 0)
  const snapshot = view.snapshot()
  const looks = view.monitorLog()
  const status: readonly (readonly [string, number])[] = [
    ['ProxySQL_Uptime', Math.max(0, Math.floor((Date.now() - view.startedAt) / 1000))],
    ['Client_Connections_aborted', global.clientConnectionsAborted],
    ['Client_Connections_connected', global.clientConnectionsConnected],
    ['Client_Connections_created', global.clientConnectionsCreated],
    ['Server_Connections_aborted', sum((server) => server.connErr)],
    ['Server_Connections_connected', sum((server) => server.connUsed + server.connFree)],
    ['Server_Connections_created', sum((server) => server.connOk)],
    ['Queries_backends_bytes_sent', sum((server) => server.bytesSent)],
    ['Queries_backends_bytes_recv', sum((server) => server.bytesReceived)],
    ['Active_Transactions', sessionsInTransaction ?? 0],
    ['Client_Connections_non_idle', sessionsBusy ?? 0],
    ['Com_commit', commands['COMMIT']?.queries ?? 0],
    ['Com_rollback', commands['ROLLBACK']?.queries ?? 0],
    ['GTID_consistent_queries', sum((server) => server.queriesGtidSync)],
    ['Questions', global.questions],
    ['Slow_queries', global.slowQueries],
    ['Access_Denied_Wrong_Password', global.accessDenied],
    ['Access_Denied_Max_Connections', global.tooManyConnections],
    ['mysql_killed_backend_queries', global.queriesKilled],
    ['MyHGM_myconnpoll_get_ok', global.backendConnectionsShared],
    ['MyHGM_myconnpoll_reset', global.backendConnectionsReset],
    ['Com_frontend_stmt_prepare', global.comFrontendStmtPrepare],
    ['Com_frontend_stmt_execute', global.comFrontendStmtExecute],
    ['Com_frontend_stmt_close', global.comFrontendStmtClose],
    ['Com_backend_stmt_prepare', global.comBackendStmtPrepare],
    ['Com_backend_stmt_execute', global.comBackendStmtExecute],
    ['Com_backend_stmt_close', global.comBackendStmtClose],
    ['Stmt_Client_Active_Total', global.stmtClientActiveTotal],
    ['Stmt_Client_Active_Unique', global.stmtClientActiveUnique],
    ['Stmt_Server_Active_Total', global.stmtServerActiveTotal],
    ['Stmt_Server_Active_Unique', global.stmtServerActiveUnique],
    ['Stmt_Cached', global.stmtCached],
    ['Query_Cache_Memory_bytes', global.queryCacheMemoryBytes],
    ['Query_Cache_count_GET', global.queryCacheGet],
    ['Query_Cache_count_GET_OK', global.queryCacheGetOk],
    ['Query_Cache_count_SET', global.queryCacheSet],
    ['Query_Cache_bytes_IN', global.queryCacheBytesIn],
    ['Query_Cache_bytes_OUT', global.queryCacheBytesOut],
    ['Query_Cache_Purged', global.queryCachePurged],
    ['Query_Cache_Entries', global.queryCacheEntries],
    ...LOOK_KINDS.flatMap((kind): [string, number][] => [
      [`MySQL_Monitor_${kind}_check_OK`, looks.count(kind).ok],
      [`MySQL_Monitor_${kind}_check_ERR`, looks.count(kind).failed],
    ]),
    ['MySQL_Thread_Workers', snapshot.workers],
    ['Servers_table_version', snapshot.version],
    ['Sluice_Causal_Announcements_Lost', global.causalAnnouncementsLost],
    ['Sluice_Causal_Positions_Asked', global.causalPositionsAsked],
    ['Sluice_Causal_Waits_In_Vain', global.causalWaitsInVain],
    ['Sluice_Causal_Waits_Met', global.causalWaitsMet],
    ['Sluice_Consistency_Hints_Unknown', global.consistencyHintsUnknown],
    ['Sluice_Digests', global.digestsKnown],
    ['Sluice_Digests_Evicted', global.digestsEvicted],
    ['Sluice_Digest_Rows', global.digestRows],
    ['Sluice_Digest_Rows_Evicted', global.digestRowsEvicted],
    ['Sluice_Invariant_Errors', global.invariantErrors],
    ['Sluice_Protocol_Errors', global.protocolErrors],
    ['Sluice_Proxy_Errors', Object.values(proxyErrors).reduce((total, count) => total + count, 0)],
    ['Sluice_Query_Cache_Announcements_Lost', global.queryCacheAnnouncementsLost],
    ['Sluice_Query_Cache_Waits_In_Vain', global.queryCacheWaitsInVain],
    ['Sluice_Query_Cache_Waits_Met', global.queryCacheWaitsMet],
    ['Sluice_Mirrors_Sent', global.mirrorsSent],
    ['Sluice_Mirrors_Dropped', global.mirrorsDropped],
    ['Sluice_Queries_Retried', global.queriesRetried],
    ['Sluice_Reads_On_Primary_Causal', global.readsOnPrimaryCausal],
    ['Sluice_Reads_On_Primary_Learned', global.readsOnPrimaryLearned],
    ['Sluice_Reads_On_Primary_No_Replica', global.readsOnPrimaryNoReplica],
    ['Sluice_Reads_On_Primary_Seen', global.readsOnPrimarySeen],
    ['Sluice_Reads_On_Primary_Committed', global.readsOnPrimaryCommitted],
    ['Sluice_Reads_On_Primary_Strong', global.readsOnPrimaryStrong],
    ['Sluice_Reads_On_Primary_Token', global.readsOnPrimaryToken],
    ['Sluice_Reads_On_Lagging_Replica', global.readsOnLaggingReplica],
    ['Sluice_Reads_On_Replica', global.readsOnReplica],
    ['Sluice_Writes_Learned', global.writesLearned],
    ['Sluice_Workers_Serving', view.workers().filter((worker) => worker.state === 'serving').length],
  ]
  return status.map(([name, value]) => [name, String(value)])
}

/** Rows of stats_memory_metrics, in bytes. */
export function memoryMetrics(view: ControlView): [name: string, value: string][] {
  const control = process.memoryUsage()
  const { global, residentBytes } = view.counters()
  const { texts, clients, servers } = statementBytes(global)
  return [
    ['control_resident_bytes', String(control.rss)],
    ['control_heap_used_bytes', String(control.heapUsed)],
    ['workers_resident_bytes', String(residentBytes)],
    ['control_external_bytes', String(control.external)],
    ['query_digest_memory', String(digestBytes(global))],
    ['prepare_statement_metadata_memory', String(texts + clients)],
    ['mysql_query_cache_memory', String(global.queryCacheMemoryBytes)],
    ['prepare_statement_backend_memory', String(servers)],
  ]
}

/** The answer to COM_STATISTICS, in the words of MySQL's. */
export function statisticsLine(view: ControlView): string {
  const { global } = view.counters()
  const uptime = Math.max(0, Math.floor((Date.now() - view.startedAt) / 1000))
  return `Uptime: ${uptime}  Threads: ${global.clientConnectionsConnected}  Questions: ${global.questions}  Slow queries: ${global.slowQueries}`
}
