import type { TableName } from '../data/tables.js'
import type { Random } from '../stats/random.js'

/** Size of the data set; what the statements choose their keys from. */
export interface DataShape {
  /** Rows of sbtest1 and of customers; orders has ten for each customer. */
  readonly rows: number
}

/** What one connection does: operation after operation, each of one or more commands. */
export interface Script {
  /** Packets to send once after the login, before `prepare`. */
  readonly setUp?: readonly Buffer[]
  /** COM_STMT_PREPARE packets to send once after the login. */
  readonly prepare?: readonly Buffer[]
  /** Is told the ids of the prepared statements, in the order of `prepare`. */
  prepared?(statementIds: readonly number[]): void
  /** First packet of the next operation. */
  first(): Buffer
  /** Its next packet, or null when that was all. */
  following(): Buffer | null
}

export interface Group {
  readonly name: string
  /** Part of all connections, from 0 to 1; the groups' shares add up to 1. */
  readonly share: number
  /** A script for one connection. Packets should be shared among all of them. */
  script(random: Random): Script
}

export interface Workload {
  readonly name: string
  /** For `--help` and the report. */
  readonly summary: string
  readonly tables: readonly TableName[]
  readonly defaultConnections: number
  /** What an operation, whose latency is measured, is called. */
  readonly operation: string
  /** What throughput and CPU time are related to. */
  readonly unit: 'query' | 'MB'
  /** Every operation makes its own connection; its latency includes login. */
  readonly connectsPerOperation: boolean
  groups(data: DataShape): readonly Group[]
}
