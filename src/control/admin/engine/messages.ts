import type { DatabaseName } from './schema.js'

/** What a statement's parameter or a table's cell may be. */
export type SqlValue = string | number | bigint | Uint8Array | null

/** New contents of one table; it replaces all rows. */
export interface TableContents {
  readonly database: DatabaseName
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly SqlValue[])[]
}

/** What the functions DATABASE(), USER(), CONNECTION_ID() ... answer. */
export interface SessionFacts {
  readonly user: string
  readonly database: string
  readonly connectionId: number
  /** What VERSION() answers. */
  readonly version: string
}

export interface EngineRequest {
  /** Tables to fill before the statement runs. */
  readonly fill: readonly TableContents[]
  /** One SELECT, WITH or VALUES statement, without a semicolon. */
  readonly sql: string
  readonly params: readonly SqlValue[]
  readonly session: SessionFacts
  /**
   * `describe`: nothing runs, only the names of the columns are found out. `rows`: cells. A wire format: packets, made
   * in the engine's thread, so that a large result does not hold up the control plane.
   */
  readonly answer: 'describe' | 'rows' | WireFormat
}

/** How a result set is written to the client. */
export interface WireFormat {
  /** What the client and this port agreed on. */
  readonly capabilities: number
  /** Whether rows are those of a prepared statement. */
  readonly binary: boolean
}

/** A result set as framed packets that begin with sequence number 1. */
export interface WireResult {
  readonly packets: Uint8Array
}

/** A cell as it goes to the client: everything but bytes is text. */
export type Cell = string | Uint8Array | null

export interface RowSet {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** Host to thread. */
export interface ToThread {
  readonly id: number
  readonly request: EngineRequest
}

/** Thread to host. Without `id`: the tables exist, statements may come. */
export type FromThread =
  | { readonly type: 'ready' }
  /** `externalBytes`: memory of the engine, which never shrinks by itself. */
  | {
      readonly type: 'result'
      readonly id: number
      readonly result: RowSet | WireResult
      readonly externalBytes: number
    }
  | { readonly type: 'error'; readonly id: number; readonly message: string; readonly externalBytes: number }
