import type { PositionOrder } from './primary-history.js'

/** A place in the binary log of one server ("coordinates"). */
export interface BinlogPosition {
  /** server_uuid of the server whose log it is. */
  readonly server: string
  /** Name of the log's files without their numbers. */
  readonly log: string
  readonly number: number
  /** In bytes. */
  readonly offset: number
}

/**
 * @param file as the servers name it, such as `binlog.000017`; the number may have more than six digits
 * @returns null where that is no place in a log: nothing was written or applied yet
 */
export function binlogPosition(server: string, file: string, offset: number): BinlogPosition | null {
  const [, log, number] = /^(.+)\.(\d+)$/.exec(file) ?? []
  if (server === '' || log === undefined || !(offset > 0)) return null
  return { server, log, number: Number(number), offset }
}

export function formatBinlogPosition({ server, log, number, offset }: BinlogPosition): string {
  return `${server} ${log}.${number}:${offset}`
}

/** Whether everything up to `inner` lies before `outer`; of two logs nothing is known. */
function reaches(outer: BinlogPosition, inner: BinlogPosition): boolean {
  if (outer.server !== inner.server || outer.log !== inner.log) return false
  return outer.number === inner.number ? outer.offset >= inner.offset : outer.number > inner.number
}

/** A log only grows: one that has less than before was begun anew (RESET BINARY LOGS AND GTIDS, another `log_bin`). */
export const BINLOG_ORDER: PositionOrder<BinlogPosition> = { contains: reaches, follows: reaches }
