import type { ServerUse } from './connection-shares.js'
import type { WorkerCounters } from './counters.js'
import type { RouteAnswer, RouteQuestion } from './explanation.js'
import type { QueryRules } from './query-rules.js'
import type { HealthReport, ServerId, Snapshot } from './snapshot.js'
import type { CountedTable, WorkerTable, WorkerTables } from './worker-tables.js'

/** Messages over the cluster's IPC channel. They are sent as JSON: numbers, strings, arrays and plain objects only. */

/** Control plane to worker. */
export type ToWorker =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'health'; readonly health: HealthReport }
  /** Answers `prepared`: there is room to listen. */
  | { readonly type: 'listen' }
  /** Answers `get-rules`: those that the last snapshot sent names. */
  | { readonly type: 'rules'; readonly rules: QueryRules }
  /** Answered by `processlist` with the same request number. */
  | { readonly type: 'get-processlist'; readonly request: number }
  /** Answered by `counters` and `rule-hits` as they are now, and then by `rows` with the same request number and none in it. */
  | { readonly type: 'get-counters'; readonly request: number }
  /** Answered by `rows` with the same request number, once or several times. `reset`: what is counted begins anew. */
  | { readonly type: 'get-rows'; readonly request: number; readonly table: WorkerTable; readonly reset: boolean }
  /** Answered by `route-explained` with the same request number. */
  | { readonly type: 'explain-route'; readonly request: number; readonly question: RouteQuestion }
  /** Another worker looks for a session. Answered by `session-found` with the same request number. */
  | { readonly type: 'find-session'; readonly request: number; readonly wanted: SessionWanted }
  /** Answers this worker's own `find-session`. */
  | { readonly type: 'session-found'; readonly request: number; readonly place: SessionPlace | null }
  | { readonly type: 'kill-session'; readonly kill: SessionKill }
  /** Client connections of the other workers, where they have changed and there is a limit. */
  | { readonly type: 'client-counts'; readonly by: CountedBy; readonly counts: CountsByName }
  /** How many connections this worker may have to each server. Answered by `server-use` with the same number. */
  | { readonly type: 'server-shares'; readonly sequence: number; readonly shares: ServerShares }
  /** Another worker is about to write under a causal key. Answered by `causal-taken` with the same request number. */
  | { readonly type: 'causal-announce'; readonly request: number; readonly key: string }
  /** All other workers know what this one has announced. */
  | { readonly type: 'causal-known'; readonly request: number }
  | { readonly type: 'causal-publish'; readonly key: string; readonly position: CausalPosition | null }
  /** Another worker begins to write; with no writes in it: keeps answers itself. Answered by `cache-taken`. */
  | { readonly type: 'cache-writes'; readonly request: number; readonly from: number; readonly writes: CacheWrites }
  /** All other workers know what this one has announced. */
  | { readonly type: 'cache-known'; readonly request: number }
  | { readonly type: 'cache-written'; readonly from: number; readonly writes: readonly CacheWritten[] }
  /** Another worker is gone: how its writes ended nobody knows. */
  | { readonly type: 'cache-gone'; readonly from: number }
  /** Forget all answers. Answered by `cache-taken`. */
  | { readonly type: 'cache-flush'; readonly request: number }
  /** Another worker's client has changed a server for sessions to come. Answered by `change-taken` with the same request number. */
  | { readonly type: 'changed'; readonly request: number; readonly change: ServerChange }
  /** All other workers know what this one has told. */
  | { readonly type: 'change-known'; readonly request: number }
  | { readonly type: 'forget-failed-logins' }
  /** Answers `parting`: all that the worker has told was taken. */
  | { readonly type: 'farewell' }
  /**
   * Stop accepting; end each session at its next quiet moment; exit 0 when none is left or the limit is over: that of the
   * snapshot unless given, in ms; null: none. Another one changes the limit.
   */
  | { readonly type: 'drain'; readonly limitMs?: number | null }

/** Worker to control plane. */
export type FromWorker =
  /** It could serve, and waits for `listen`. */
  | { readonly type: 'prepared' }
  /** Sent once after the listeners of the first snapshot are bound. */
  | { readonly type: 'listening'; readonly pid: number }
  /** A listener could not be bound; the worker exits after this. */
  | { readonly type: 'listen-failed'; readonly address: string; readonly message: string }
  | { readonly type: 'ack'; readonly version: number }
  /** A snapshot names query rules that this worker does not have; it is acknowledged when they have come. */
  | { readonly type: 'get-rules' }
  /** Statements that each rule has matched since the last such message, by rule_id. */
  | { readonly type: 'rule-hits'; readonly rulesVersion: number; readonly hits: Readonly<Record<number, number>> }
  /** Once a second, when asked, and a last time before a planned exit. Totals since the worker's start, not differences. */
  | { readonly type: 'counters'; readonly counters: WorkerCounters }
  /** A backend refused or lost connections: the monitor looks at once. */
  | { readonly type: 'suspicion'; readonly server: ServerId; readonly reason: string }
  | { readonly type: 'processlist'; readonly request: number; readonly rows: readonly ProcessRow[] }
  | {
      readonly type: 'rows'
      readonly request: number
      readonly rows: readonly WorkerTables[WorkerTable][]
      readonly last: boolean
    }
  /** A session keeps its connection from others for longer than `limits.long_pin_time`; told once. */
  | { readonly type: 'long-pin'; readonly pin: LongPin }
  /** null: it has no such session. */
  | { readonly type: 'route-explained'; readonly request: number; readonly answer: RouteAnswer | null }
  /** Answered by `session-found` with the same request number. */
  | { readonly type: 'find-session'; readonly request: number; readonly wanted: SessionWanted }
  | { readonly type: 'session-found'; readonly request: number; readonly place: SessionPlace | null }
  | { readonly type: 'kill-session'; readonly kill: SessionKill }
  /** This worker's own client connections, where they have changed and there is a limit. */
  | { readonly type: 'client-counts'; readonly by: CountedBy; readonly counts: CountsByName }
  /** What this worker has of each server, knowing the `server-shares` with this number; also unasked when statements wait. */
  | { readonly type: 'server-use'; readonly sequence: number; readonly uses: ServerUses }
  /** Answered by `causal-known` with the same request number. */
  | { readonly type: 'causal-announce'; readonly request: number; readonly key: string }
  | { readonly type: 'causal-taken'; readonly request: number }
  | { readonly type: 'causal-publish'; readonly key: string; readonly position: CausalPosition | null }
  /** Begins to write, or (with no writes in it) to keep answers. Answered by `cache-known` with the same request number. */
  | { readonly type: 'cache-announce'; readonly request: number; readonly writes: CacheWrites }
  | { readonly type: 'cache-taken'; readonly request: number }
  | { readonly type: 'cache-written'; readonly writes: readonly CacheWritten[] }
  /** Answered by `change-known` with the same request number. */
  | { readonly type: 'changed'; readonly request: number; readonly change: ServerChange }
  | { readonly type: 'change-taken'; readonly request: number }
  /** Before a planned exit: what it has counted in rows. */
  | { readonly type: 'last-rows'; readonly table: CountedTable; readonly rows: readonly WorkerTables[CountedTable][] }
  /** Nothing more comes. Answered by `farewell`. */
  | { readonly type: 'parting' }

/** What a client has changed that sessions begin with. */
export interface ServerChange {
  /** Servers whose global variables were set. */
  readonly globalsOf: readonly ServerId[]
  /** What accounts may do, or how they log in. */
  readonly accounts: boolean
}

/** Writes by their numbers in their worker, with the tables that they may change, as `schema.table`; null: it could be any. */
export type CacheWrites = readonly (readonly [write: number, tables: readonly string[] | null])[]

/** The end of a write; `lost`: whether it comes about is not known yet. */
export type CacheWritten = readonly [write: number, lost: boolean]

export interface LongPin {
  readonly sessionId: number
  readonly user: string
  readonly server: ServerId
  /** Names of pins and holds. */
  readonly causes: readonly string[]
  readonly keptMs: number
}

/** What was written under a causal key; null in its place: the write that was announced has written nothing. */
export interface CausalPosition {
  /** Monotonic ms. */
  readonly at: number
  /** Empty: not known. */
  readonly gtids: string
}

/** What limits client connections: how many there are at all (under an empty name), from one address, of one account. */
export const COUNTED_BY = ['all', 'address', 'user'] as const
export type CountedBy = (typeof COUNTED_BY)[number]

/** One of something for each of them. */
export function byCount<T>(make: (by: CountedBy) => T): Record<CountedBy, T> {
  return { all: make('all'), address: make('address'), user: make('user') }
}

/** Client connections by name; 0: there is none any more. */
export type CountsByName = Readonly<Record<string, number>>

/** Connections by server that a worker may have. */
export type ServerShares = Readonly<Record<ServerId, number>>
export type ServerUses = Readonly<Record<ServerId, ServerUse>>

/** A session by one of its ids, as KILL names it. */
export interface SessionWanted {
  /** Account of the client that kills; null: nobody has to judge whether it may. */
  readonly killer: string | null
  /** Of the greeting (see `SESSION_IDS`), or that of its connection to `server`. */
  readonly id: number
  readonly server: ServerId
}

/** Where a session is, and as what the servers know it. */
export interface SessionPlace {
  readonly sessionId: number
  readonly user: string
  /** Its connections: the one that runs its statement first, then that to the primary. */
  readonly connections: readonly { readonly server: ServerId; readonly threadId: number; readonly running: boolean }[]
}

/** What a KILL that a server has allowed means for the session itself. */
export interface SessionKill {
  readonly sessionId: number
  /** KILL QUERY: the session stays. */
  readonly statementOnly: boolean
  /** It was executed on the connection that ran the statement: nothing remains to be done about that. */
  readonly hit: boolean
}

/**
 * Connection ids that clients are given: 2^30 to 2^31 - 1, far from those that servers give to their connections, so that
 * one is never taken for the other. The number of the worker is in the lower bits; there
 * are twice as many as there may be workers, so that all can be started anew beside those that finish.
 */
export const SESSION_IDS = { first: 2 ** 30, workersMax: 128 } as const

/** The number of the worker (modulo `workersMax`) that has given an id to a session. */
export function workerOfSession(id: number): number {
  return id % SESSION_IDS.workersMax
}

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
  /** The connection that it keeps from others; absent: none. */
  readonly kept?: KeptConnection
}

export interface KeptConnection {
  readonly server: ServerId
  readonly hostgroup: number
  /** Why statements go there and nowhere else. */
  readonly pins: readonly string[]
  /** Why it is kept though other statements may run elsewhere. */
  readonly holds: readonly string[]
  readonly keptMs: number
}
