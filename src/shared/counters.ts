import type { ServerId } from './snapshot.js'

/** Upper bounds of the latency histogram in microseconds (ProxySQL's stats_mysql_commands_counters); one more bucket is open. */
export const LATENCY_BOUNDS_US = [
  100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000,
] as const

/** Classes by which statements are counted. */
export const QUERY_CLASSES = ['read', 'write', 'transaction', 'session', 'other'] as const
export type QueryClass = (typeof QUERY_CLASSES)[number]

export interface LatencyCounters {
  queries: number
  errors: number
  sumUs: number
  maxUs: number
  /** One per bound of `LATENCY_BOUNDS_US`, and one for what is above. Not cumulative. */
  readonly buckets: number[]
}

/** A worker's counters of one server in one hostgroup. Totals since the worker's start, but for the gauges. */
export interface ServerCounters {
  readonly server: ServerId
  readonly hostgroup: number
  /** Gauges: connections in use by a session, and idle ones. */
  connUsed: number
  connFree: number
  /** Connections opened, and attempts that failed. */
  connOk: number
  connErr: number
  /** Highest `connUsed` seen. */
  maxConnUsed: number
  bytesSent: number
  bytesReceived: number
  /** Reads of sessions that had written, on a replica that was known to have it. */
  queriesGtidSync: number
  readonly byClass: { readonly [C in QueryClass]: LatencyCounters }
}

/** Totals of one worker, named as in stats_mysql_global where ProxySQL has the thing. */
export interface GlobalCounters {
  /** Gauge. */
  clientConnectionsConnected: number
  clientConnectionsCreated: number
  clientConnectionsAborted: number
  /** Logins refused: wrong password, unknown user, limits. */
  accessDenied: number
  /** Refused for max_connections. */
  tooManyConnections: number
  questions: number
  slowQueries: number
  /** Reads repeated on another server after a connection was lost. */
  queriesRetried: number
  /** Reads answered by a replica that has all they may rely on. */
  readsOnReplica: number
  /** Reads sent to the primary since no replica qualified: none is ONLINE, or none has as little lag as was asked for. */
  readsOnPrimaryNoReplica: number
  /** Reads sent to the primary to read the session's own writes. */
  readsOnPrimaryCausal: number
  /** ... to see no less than the session has seen already. */
  readsOnPrimarySeen: number
  /** Reads that went to the primary since no replica was known to have what others had written through this proxy before. */
  readsOnPrimaryCommitted: number
  /** ... for a causal key, or a position that was asked for. */
  readsOnPrimaryToken: number
  /** ... for the level `strong`. */
  readsOnPrimaryStrong: number
  /** Reads that went to a replica with too much lag, since the primary had as many as max_primary_spill allows. */
  readsOnLaggingReplica: number
  /** Reads that waited for a replica, and it caught up in time; that it did not; and those that asked the primary first. */
  causalWaitsMet: number
  causalWaitsInVain: number
  causalPositionsAsked: number
  /** Writes under a causal key of which not all workers knew in time. */
  causalAnnouncementsLost: number
  /** Hints and attributes of consistency that were not understood. */
  consistencyHintsUnknown: number
  /** Statements taken for reads that a replica refused as writes, and reads that went to the primary for that. */
  writesLearned: number
  readsOnPrimaryLearned: number
  protocolErrors: number
  invariantErrors: number
  /** Statements killed on a server: their client had gone, or they took too long. */
  queriesKilled: number
  /** Idle connections that were given to another session, and how many of all connections had to be reset for another. */
  backendConnectionsShared: number
  backendConnectionsReset: number
  /** How often each of the limits of time was exceeded. */
  maxTransactionTimeExceeded: number
  maxTransactionIdleTimeExceeded: number
  queryTimeoutExceeded: number
  /** COM_STMT_* commands of clients, and those sent to servers (Sluice's own included). Executions include bulk ones. */
  comFrontendStmtPrepare: number
  comFrontendStmtExecute: number
  comFrontendStmtClose: number
  comBackendStmtPrepare: number
  comBackendStmtExecute: number
  comBackendStmtClose: number
  /** Gauges: prepared statements that clients have open, and how many different ones (over the workers: an upper bound). */
  stmtClientActiveTotal: number
  stmtClientActiveUnique: number
  /** Gauges: the same of those that are open on servers. */
  stmtServerActiveTotal: number
  stmtServerActiveUnique: number
  /** Gauges: texts kept for sessions to share, and the bytes of all texts, those that only open statements use included. */
  stmtCached: number
  stmtTextBytes: number
  /** The result cache was asked, had the answer, took one; bytes of answers taken and given; answers that are gone. */
  queryCacheGet: number
  queryCacheGetOk: number
  queryCacheSet: number
  queryCacheBytesIn: number
  queryCacheBytesOut: number
  queryCachePurged: number
  /** Statements that waited for the answer to another one: they were given it; they were not. */
  queryCacheWaitsMet: number
  queryCacheWaitsInVain: number
  /** Writes of which not all workers that keep answers knew in time. */
  queryCacheAnnouncementsLost: number
  /** Copies of statements that query rules have sent elsewhere, and those that were one too many at a time. */
  mirrorsSent: number
  mirrorsDropped: number
  /** Gauges. */
  queryCacheEntries: number
  queryCacheMemoryBytes: number
  /** Gauges: digests known and their bytes, and rows of statistics by digest. */
  digestsKnown: number
  digestBytes: number
  digestRows: number
  /** Digests and rows that have made room for others. */
  digestsEvicted: number
  digestRowsEvicted: number
}

/** A statement that replicas refuse as a write though it looks like a read. Times in milliseconds since 1970. */
export interface LearnedDigest {
  /** As in ProxySQL's tables: `0x` and 16 digits. */
  readonly digest: string
  readonly text: string
  readonly error: string
  readonly firstSeen: number
  readonly lastSeen: number
  readonly count: number
}

/** Statements of a user whose traffic stays on the primary for now: where they would have gone, and why. */
export interface DryRunCount {
  readonly user: string
  readonly place: 'replica' | 'primary'
  readonly reason: string
  readonly count: number
}

export interface WorkerCounters {
  readonly global: GlobalCounters
  readonly servers: readonly ServerCounters[]
  /** Errors sent to clients by Sluice itself, by their stable code. */
  readonly proxyErrors: { readonly [code: string]: number }
  readonly learnedDigests?: readonly LearnedDigest[]
  /** Statements by ProxySQL's names of commands; those that were never met are left out. */
  readonly commands?: Readonly<Record<string, LatencyCounters>>
  readonly dryRun?: readonly DryRunCount[]
  /** Resident memory of the worker in bytes, and its CPU time since start in microseconds. */
  readonly residentBytes: number
  readonly cpuUs: number
  /** Of that in the kernel. */
  readonly cpuSystemUs?: number
  /** Sessions that have a transaction open, and those whose command is being executed. */
  readonly sessionsInTransaction?: number
  readonly sessionsBusy?: number
}

export function newLatencyCounters(): LatencyCounters {
  return { queries: 0, errors: 0, sumUs: 0, maxUs: 0, buckets: new Array<number>(LATENCY_BOUNDS_US.length + 1).fill(0) }
}

export function newServerCounters(server: ServerId, hostgroup: number): ServerCounters {
  return {
    server,
    hostgroup,
    connUsed: 0,
    connFree: 0,
    connOk: 0,
    connErr: 0,
    maxConnUsed: 0,
    bytesSent: 0,
    bytesReceived: 0,
    queriesGtidSync: 0,
    byClass: {
      read: newLatencyCounters(),
      write: newLatencyCounters(),
      transaction: newLatencyCounters(),
      session: newLatencyCounters(),
      other: newLatencyCounters(),
    },
  }
}

export function newGlobalCounters(): GlobalCounters {
  return {
    clientConnectionsConnected: 0,
    clientConnectionsCreated: 0,
    clientConnectionsAborted: 0,
    accessDenied: 0,
    tooManyConnections: 0,
    questions: 0,
    slowQueries: 0,
    queriesRetried: 0,
    readsOnReplica: 0,
    readsOnPrimaryNoReplica: 0,
    readsOnPrimaryCausal: 0,
    readsOnPrimarySeen: 0,
    readsOnPrimaryCommitted: 0,
    readsOnPrimaryToken: 0,
    readsOnPrimaryStrong: 0,
    readsOnLaggingReplica: 0,
    causalWaitsMet: 0,
    causalWaitsInVain: 0,
    causalPositionsAsked: 0,
    causalAnnouncementsLost: 0,
    consistencyHintsUnknown: 0,
    writesLearned: 0,
    readsOnPrimaryLearned: 0,
    protocolErrors: 0,
    invariantErrors: 0,
    queriesKilled: 0,
    backendConnectionsShared: 0,
    backendConnectionsReset: 0,
    maxTransactionTimeExceeded: 0,
    maxTransactionIdleTimeExceeded: 0,
    queryTimeoutExceeded: 0,
    comFrontendStmtPrepare: 0,
    comFrontendStmtExecute: 0,
    comFrontendStmtClose: 0,
    comBackendStmtPrepare: 0,
    comBackendStmtExecute: 0,
    comBackendStmtClose: 0,
    stmtClientActiveTotal: 0,
    stmtClientActiveUnique: 0,
    stmtServerActiveTotal: 0,
    stmtServerActiveUnique: 0,
    stmtCached: 0,
    stmtTextBytes: 0,
    queryCacheGet: 0,
    queryCacheGetOk: 0,
    queryCacheSet: 0,
    queryCacheBytesIn: 0,
    queryCacheBytesOut: 0,
    queryCachePurged: 0,
    queryCacheWaitsMet: 0,
    queryCacheWaitsInVain: 0,
    queryCacheAnnouncementsLost: 0,
    mirrorsSent: 0,
    mirrorsDropped: 0,
    queryCacheEntries: 0,
    queryCacheMemoryBytes: 0,
    digestsKnown: 0,
    digestBytes: 0,
    digestRows: 0,
    digestsEvicted: 0,
    digestRowsEvicted: 0,
  }
}

/** Adds one finished statement. Called once per statement: no allocation. */
export function countQuery(into: LatencyCounters, latencyUs: number, failed: boolean): void {
  into.queries++
  if (failed) into.errors++
  into.sumUs += latencyUs
  if (latencyUs > into.maxUs) into.maxUs = latencyUs
  let bucket = 0
  while (bucket < LATENCY_BOUNDS_US.length && latencyUs > LATENCY_BOUNDS_US[bucket]) bucket++
  into.buckets[bucket]++
}

/** Bytes of one statement of a client, and of one on a server, beside the text that they share; measured on Node 20. */
const CLIENT_STATEMENT_BYTES = 200
const SERVER_STATEMENT_BYTES = 150

/** A row of statistics by digest, measured on Node 20. */
const DIGEST_ROW_BYTES = 280

/** Memory of digests and of what is counted by them. */
export function digestBytes({ digestBytes: bytes, digestRows }: GlobalCounters): number {
  return bytes + digestRows * DIGEST_ROW_BYTES
}

/** Memory of prepared statements, as counted. */
export function statementBytes(global: GlobalCounters): { texts: number; clients: number; servers: number } {
  return {
    texts: global.stmtTextBytes,
    clients: global.stmtClientActiveTotal * CLIENT_STATEMENT_BYTES,
    servers: global.stmtServerActiveTotal * SERVER_STATEMENT_BYTES,
  }
}
