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
  /** Reads sent to the primary since no replica qualified. */
  readsOnPrimaryNoReplica: number
  /** Reads sent to the primary to read the session's own writes. */
  readsOnPrimaryCausal: number
  protocolErrors: number
  invariantErrors: number
  /** Statements killed on a server because their client had gone. */
  queriesKilled: number
}

export interface WorkerCounters {
  readonly global: GlobalCounters
  readonly servers: readonly ServerCounters[]
  /** Errors sent to clients by Sluice itself, by their stable code. */
  readonly proxyErrors: { readonly [code: string]: number }
  /** Resident memory of the worker in bytes, and its CPU time since start in microseconds. */
  readonly residentBytes: number
  readonly cpuUs: number
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
    readsOnPrimaryNoReplica: 0,
    readsOnPrimaryCausal: 0,
    protocolErrors: 0,
    invariantErrors: 0,
    queriesKilled: 0,
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
