import { type ColumnInput, encodeBinaryResultSet, encodeTextResultSet, ServerStatus } from '../../../protocol/index.js'
import type { Cell, RowSet, WireFormat } from './engine/messages.js'

export const UTF8MB4_GENERAL_CI = 45

/** A backslash is a plain character here: drivers that ask the status double their quotes instead. */
export const STATUS_FLAGS: number = ServerStatus.AUTOCOMMIT | ServerStatus.NO_BACKSLASH_ESCAPES

/** Every value goes out as VAR_STRING, as from ProxySQL. */
export function columnsOf(names: readonly string[]): ColumnInput[] {
  return names.map((name) => ({ name }))
}

/** A result set as packets of the text protocol, or of the binary one for prepared statements. */
export function rowsPackets(result: RowSet, { capabilities, binary }: WireFormat): Buffer {
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
