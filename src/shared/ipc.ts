import type { WorkerCounters } from './counters.js'
import type { HealthReport, ServerId, Snapshot } from './snapshot.js'

/** Messages over the cluster's IPC channel. They are sent as JSON: numbers, strings, arrays and plain objects only. */

/** Control plane to worker. */
export type ToWorker =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'health'; readonly health: HealthReport }
  /** Answered by `processlist` with the same request number. */
  | { readonly type: 'get-processlist'; readonly request: number }
  /** Stop accepting; end each session at its next quiet moment; exit 0 when none is left or the limit is over. */
  | { readonly type: 'drain' }

/** Worker to control plane. */
export type FromWorker =
  /** Sent once after the listeners of the first snapshot are bound. */
  | { readonly type: 'listening'; readonly pid: number }
  /** A listener could not be bound; the worker exits after this. */
  | { readonly type: 'listen-failed'; readonly address: string; readonly message: string }
  | { readonly type: 'ack'; readonly version: number }
  /** Once a second, and a last time before a planned exit. Totals since the worker's start, not differences. */
  | { readonly type: 'counters'; readonly counters: WorkerCounters }
  /** A backend refused or lost connections: the monitor looks at once. */
  | { readonly type: 'suspicion'; readonly server: ServerId; readonly reason: string }
  | { readonly type: 'processlist'; readonly request: number; readonly rows: readonly ProcessRow[] }

/** One client session, as stats_mysql_processlist shows it. */
export interface ProcessRow {
  /** Worker number, from 1. */
  readonly threadId: number
  /** Connection id that the client was given; unique over all workers. */
  readonly sessionId: number
  readonly user: string
  readonly db: string
  readonly clientHost: string
  readonly clientPort: number
  /** -1 when the session has no backend at the moment. */
  readonly hostgroup: number
  readonly localServerHost: string
  readonly localServerPort: number
  readonly serverHost: string
  readonly serverPort: number
  /** `Query`, `Sleep`, `Connect` ... as MySQL's process list. */
  readonly command: string
  readonly timeMs: number
  /** Statement text in progress, cut to 1,000 characters. */
  readonly info: string
  readonly statusFlags: number
  /** JSON: why the session is where it is (transaction, pins, consistency). */
  readonly extendedInfo: string
}
