import {
  type ColumnInput,
  encodeBinaryResultSet,
  encodeErr,
  encodeOk,
  encodeTextResultSet,
  frame,
  ProtocolError,
  ServerErrors,
  ServerStatus,
} from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { Logger } from '../../shared/log.js'
import type { Cell, RowSet } from './engine/messages.js'

export const UTF8MB4_GENERAL_CI = 45

/** A backslash is a plain character here: drivers that ask the status double their quotes instead. */
export const STATUS_FLAGS: number = ServerStatus.AUTOCOMMIT | ServerStatus.NO_BACKSLASH_ESCAPES

/** An OK packet, framed. */
export function okPacket(sequence: number, capabilities: number, info = ''): Buffer {
  const ok = {
    affectedRows: 0,
    lastInsertId: 0,
    statusFlags: STATUS_FLAGS,
    warnings: 0,
    info: Buffer.from(info),
    sessionState: [],
  }
  return frame(encodeOk(ok, capabilities), sequence)
}

/** An ERR packet, framed. What is neither ProxyError nor ProtocolError is a mistake of ours: logged, and told without details. */
export function errPacket(sequence: number, error: unknown, log: Logger): Buffer {
  if (error instanceof ProxyError || error instanceof ProtocolError) {
    const { errno, sqlState, message } = error
    return frame(encodeErr({ errno, sqlState, message }), sequence)
  }
  log.error({ err: error }, 'an admin statement failed')
  const message = 'sluice: the statement failed for an internal reason; the log has the details'
  return frame(encodeErr({ ...ServerErrors.UNKNOWN_ERROR, message }), sequence)
}

/** Every value goes out as VAR_STRING, as from ProxySQL. */
export function columnsOf(names: readonly string[]): ColumnInput[] {
  return names.map((name) => ({ name }))
}

/** A result set of the text protocol, or of the binary one for prepared statements. */
export function rowsPackets(result: RowSet, capabilities: number, binary: boolean): Buffer {
  const columns = columnsOf(result.columns)
  const options = { statusFlags: STATUS_FLAGS }
  const rows = result.rows.map((row) => row.map(wireCell))
  if (binary) return encodeBinaryResultSet(columns, rows, capabilities, options)
  return encodeTextResultSet(columns, rows, capabilities, options)
}

function wireCell(cell: Cell): string | Buffer | null {
  if (cell === null || typeof cell === 'string') return cell
  return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength)
}
