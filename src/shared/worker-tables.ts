import type { ServerId } from './snapshot.js'

/**
 * What workers count or hold in rows that are too many to report every second: they tell them when they are asked
 * (`get-rows`), in pieces. Times in milliseconds since 1970, durations in microseconds.
 */
export interface WorkerTables {
  readonly digests: DigestRow
  readonly errors: ErrorRow
  readonly freeConnections: FreeConnectionRow
  readonly preparedStatements: PreparedStatementRow
  readonly users: UserRow
}

export type WorkerTable = keyof WorkerTables
/** What is counted since a worker's start, or the last reset: it does not end with the worker. */
export type CountedTable = 'digests' | 'errors'

/** Executions of one digest by a user with a schema on a hostgroup. */
export interface DigestRow {
  readonly hostgroup: number
  readonly schema: string
  readonly user: string
  /** Empty where addresses are not told apart. */
  readonly client: string
  /** As in ProxySQL's tables: `0x` and 16 digits. */
  readonly digest: string
  readonly text: string
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  readonly sumUs: number
  readonly minUs: number
  readonly maxUs: number
  readonly rowsAffected: number
  readonly rowsSent: number
  /** Executions that ended with an error. */
  readonly errors: number
}

/** One error that a server has answered to a user with a schema, or for which a connection to it was lost. */
export interface ErrorRow {
  readonly hostgroup: number
  readonly server: ServerId
  readonly user: string
  readonly client: string
  readonly schema: string
  readonly errno: number
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  readonly lastError: string
}

/** A connection to a server that no session uses. */
export interface FreeConnectionRow {
  readonly hostgroup: number
  readonly server: ServerId
  readonly threadId: number
  readonly user: string
  readonly schema: string
  readonly timeZone: string
  readonly sqlMode: string
  readonly autocommit: boolean
  readonly idleMs: number
  /** As JSON. */
  readonly statistics: string
  readonly info: string
}

/** Sessions of a user. */
export interface UserRow {
  readonly user: string
  readonly sessions: number
}

/** A text that clients have prepared, with the state it is parsed with. */
export interface PreparedStatementRow {
  readonly id: number
  readonly schema: string
  readonly digest: string
  readonly clients: number
  readonly servers: number
  readonly columns: number
  readonly parameters: number
  readonly query: string
}
