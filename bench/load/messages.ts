import type { PackedHistogram } from '../stats/histogram.js'

/** What passes between the bench and its load generator processes. */

export interface LoadSpec {
  readonly workload: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly connections: number
  /** Operations per second over all connections; null: closed loop, each connection as fast as it is answered. */
  readonly rate: number | null
  readonly rows: number
  readonly seed: number
  readonly toleratesErrors: boolean
}

/** What happened between `mark` and `stop`. */
export interface LoadResult {
  readonly seconds: number
  readonly operations: number
  readonly queries: number
  readonly bytesReceived: number
  readonly errors: number
  readonly firstError: string | null
  /** Transactions begun anew after a deadlock or a lock wait timeout. */
  readonly restarts: number
  /** Microseconds per operation; with a rate, from the time it should have begun. */
  readonly latency: PackedHistogram
  /** With a rate: microseconds from the time an operation should have begun until it did. */
  readonly lateness: PackedHistogram
  /** CPU time of the generator process itself, in microseconds. */
  readonly cpuMicros: number
}

export type ToGenerator =
  /** Connect, log in and begin; answered by `opened`. */
  | { readonly type: 'open'; readonly spec: LoadSpec }
  /** The warm-up is over: count from now. */
  | { readonly type: 'mark' }
  /** Count no more, close all connections; answered by `result`. */
  | { readonly type: 'stop' }

export type FromGenerator =
  | { readonly type: 'opened' }
  | { readonly type: 'result'; readonly result: LoadResult }
  | { readonly type: 'failed'; readonly message: string }
