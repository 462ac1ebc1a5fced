import type { DatabaseName } from './schema.js'

/** What a statement's parameter or a table's cell may be. */
export type SqlValue = string | number | bigint | Uint8Array | null

/** A table in one of the schemas. */
export interface TableName {
  readonly database: DatabaseName
  readonly table: string
}

/** New contents of one table. A column `rowid` gives rows the numbers by which changes name them. */
export interface TableContents extends TableName {
  /** Other rows than these stay. Absent: they replace all. */
  readonly isPatch?: boolean
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
  /** One SELECT, WITH or VALUES statement, or what `write` names, without a semicolon. */
  readonly sql: string
  readonly params: readonly SqlValue[]
  readonly session: SessionFacts
  /**
   * `describe`: nothing runs, only the names of the columns are found out. `rows`: cells. A wire format: packets, made
   * in the engine's thread, so that a large result does not hold up the control plane.
   */
  readonly answer: 'describe' | 'rows' | WireFormat
  /** The table that the statement, an INSERT, REPLACE, UPDATE or DELETE, changes; `answer` means nothing then. */
  readonly write?: TableName
}

/** What a statement has done to its table. */
export interface WriteResult {
  readonly affectedRows: number
  /** Rowid of the last row that was inserted; 0: none was. */
  readonly lastInsertId: number
  readonly columns: readonly string[]
  /** Rows by rowid after the statement; null: that one is gone. */
  readonly changes: readonly (readonly [rowid: number, row: readonly SqlValue[] | null])[]
}

export type EngineResult = RowSet | WireResult | WriteResult

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
      readonly result: EngineResult
      readonly externalBytes: number
    }
  | { readonly type: 'error'; readonly id: number; readonly message: string; readonly externalBytes: number }
