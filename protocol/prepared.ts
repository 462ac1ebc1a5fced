import { Buffer } from 'node:buffer'
import { type BinaryType, type BinaryValue, decodeBinaryValue, encodeBinaryValue } from './binary.js'
import { type ColumnInput, completeColumn, encodeColumnDefinition } from './column.js'
import { expectCommand } from './command.js'
import { Capability, ColumnFlag, Command, CursorType } from './constants.js'
import { ProtocolError } from './errors.js'
import { encodeEof } from './packets.js'
import { PacketReader } from './reader.js'
import { encodeResultSet, type ResultSetOptions } from './resultset.js'
import { PacketWriter, PayloadWriter } from './writer.js'

const UNSIGNED_FLAG = 0x8000
/** The first two bits of a row's NULL bitmap are not used. */
const ROW_NULL_OFFSET = 2
const STATEMENT_ID_OFFSET = 1

/** The statement id in a COM_STMT_* payload, or in the OK of COM_STMT_PREPARE, that begins at `start`. */
export function readStatementId(buffer: Buffer, start: number): number {
  return buffer.readUInt32LE(start + STATEMENT_ID_OFFSET)
}

/** Replaces it in place. */
export function patchStatementId(buffer: Buffer, start: number, id: number): void {
  buffer.writeUInt32LE(id >>> 0, start + STATEMENT_ID_OFFSET)
}

/** First packet of the answer to COM_STMT_PREPARE. */
export interface PrepareOk {
  readonly statementId: number
  readonly columnCount: number
  readonly parameterCount: number
  readonly warnings: number
  /** false where the client does not want metadata (MySQL's optional result set metadata). */
  readonly metadataFollows: boolean
}

export function decodePrepareOk(payload: Buffer, capabilities = 0): PrepareOk {
  const reader = new PacketReader(payload)
  if (reader.u8() !== 0) throw new ProtocolError('malformed', 'not the OK of a prepared statement')
  const statementId = reader.u32()
  const columnCount = reader.u16()
  const parameterCount = reader.u16()
  reader.skip(1)
  const warnings = reader.remaining >= 2 ? reader.u16() : 0
  const optional = (capabilities & Capability.OPTIONAL_RESULTSET_METADATA) !== 0 && reader.remaining > 0
  return { statementId, columnCount, parameterCount, warnings, metadataFollows: !optional || reader.u8() !== 0 }
}

export function encodePrepareOk(ok: PrepareOk, capabilities = 0): Buffer {
  const writer = new PayloadWriter(16).u8(0).u32(ok.statementId).u16(ok.columnCount).u16(ok.parameterCount)
  writer.u8(0).u16(ok.warnings)
  if ((capabilities & Capability.OPTIONAL_RESULTSET_METADATA) !== 0) writer.u8(ok.metadataFollows ? 1 : 0)
  return writer.take()
}

/** The whole answer to COM_STMT_PREPARE as framed packets: OK, parameters, columns, with their EOFs. */
export function encodePrepareResponse(
  statementId: number,
  parameters: readonly ColumnInput[],
  columns: readonly ColumnInput[],
  capabilities: number,
  { statusFlags = 2, warnings = 0, startSequence = 1, mariadbCapabilities = 0 }: ResultSetOptions = {},
): Buffer {
  const writer = new PacketWriter(startSequence, 1024)
  const counts = { columnCount: columns.length, parameterCount: parameters.length }
  writer.packet(encodePrepareOk({ statementId, warnings, metadataFollows: true, ...counts }, capabilities))
  for (const group of [parameters, columns]) {
    for (const column of group) writer.packet(encodeColumnDefinition(column, mariadbCapabilities))
    const withEof = group.length > 0 && (capabilities & Capability.DEPRECATE_EOF) === 0
    if (withEof) writer.packet(encodeEof({ warnings: 0, statusFlags }))
  }
  return writer.take()
}

/** What decoding a row needs to know of its columns. */
export type BinaryColumn = Pick<ReturnType<typeof completeColumn>, 'type' | 'flags' | 'decimals'>

/** Values of a binary row; bytes are views of the payload. */
export function decodeBinaryRow(payload: Buffer, columns: readonly BinaryColumn[]): BinaryValue[] {
  const reader = new PacketReader(payload)
  if (reader.u8() !== 0) throw new ProtocolError('malformed', 'not a binary row')
  const nulls = reader.bytes(Math.ceil((columns.length + ROW_NULL_OFFSET) / 8))
  const row = columns.map((column, i) =>
    isNull(nulls, i + ROW_NULL_OFFSET) ? null : decodeBinaryValue(reader, binaryType(column)),
  )
  if (reader.remaining > 0) throw new ProtocolError('malformed', 'a row has bytes left over')
  return row
}

export function encodeBinaryRow(values: readonly BinaryValue[], columns: readonly BinaryColumn[]): Buffer {
  const writer = new PayloadWriter().u8(0).bytes(nullBitmap(values, ROW_NULL_OFFSET))
  for (const [i, column] of columns.entries()) {
    const value = values[i]
    if (value !== null) encodeBinaryValue(writer, binaryType(column), value)
  }
  return writer.take()
}

/** A whole result set of a prepared statement as framed packets. */
export function encodeBinaryResultSet(
  columns: readonly ColumnInput[],
  rows: Iterable<readonly BinaryValue[]>,
  capabilities: number,
  options: ResultSetOptions = {},
): Buffer {
  const complete = columns.map(completeColumn)
  const encodeRow = (row: readonly BinaryValue[]) => encodeBinaryRow(row, complete)
  return encodeResultSet(complete, rows, encodeRow, capabilities, options)
}

/** One parameter of COM_STMT_EXECUTE; those behind the statement's own are query attributes. */
export interface Parameter extends BinaryType {
  /** Empty for the statement's own parameters. */
  readonly name: string
  /** null for NULL, and for long data, which was sent before. */
  readonly value: BinaryValue
}

export interface StmtExecute {
  readonly statementId: number
  /** Mask of `CursorType`. */
  readonly flags: number
  readonly iterationCount: number
  /** false: the types are those of the execution before. */
  readonly newParamsBound: boolean
  readonly parameters: Parameter[]
}

export interface StmtExecuteContext {
  /** The statement's own parameters. */
  readonly parameterCount: number
  readonly capabilities: number
  /** Types of the execution before; needed where the packet brings none. */
  readonly types?: readonly BinaryType[]
  /** Whether a parameter was sent with COM_STMT_SEND_LONG_DATA, so that no value is in the packet. */
  readonly hasLongData?: (index: number) => boolean
}

/** Decodes the payload of COM_STMT_EXECUTE; byte values are views. */
export function decodeStmtExecute(payload: Buffer, context: StmtExecuteContext): StmtExecute {
  const reader = new PacketReader(payload)
  expectCommand(reader, Command.STMT_EXECUTE)
  const statementId = reader.u32()
  const flags = reader.u8()
  const iterationCount = reader.u32()
  const named = (context.capabilities & Capability.QUERY_ATTRIBUTES) !== 0
  const counted = named && (context.parameterCount > 0 || (flags & CursorType.PARAMETER_COUNT_AVAILABLE) !== 0)
  const count = counted ? reader.lenencNumber() : context.parameterCount
  const head = { statementId, flags, iterationCount }
  if (count === 0) return { ...head, newParamsBound: false, parameters: [] }
  const nulls = reader.bytes(Math.ceil(count / 8))
  const newParamsBound = reader.u8() === 1
  const types = newParamsBound ? readTypes(reader, count, named) : rememberedTypes(context.types, count)
  const parameters = types.map((type, i) => {
    const absent = isNull(nulls, i) || context.hasLongData?.(i) === true
    return { ...type, value: absent ? null : decodeBinaryValue(reader, type) }
  })
  return { ...head, newParamsBound, parameters }
}

/** The payload of COM_STMT_EXECUTE, types included. Names are sent only where query attributes are negotiated. */
export function encodeStmtExecute(
  statementId: number,
  parameters: readonly (Omit<Parameter, 'name'> & { name?: string })[],
  capabilities: number,
  flags: number = CursorType.NO_CURSOR,
): Buffer {
  const named = (capabilities & Capability.QUERY_ATTRIBUTES) !== 0
  const allFlags = named ? flags | CursorType.PARAMETER_COUNT_AVAILABLE : flags
  const writer = new PayloadWriter().u8(Command.STMT_EXECUTE).u32(statementId).u8(allFlags).u32(1)
  if (named) writer.lenenc(parameters.length)
  if (parameters.length === 0) return writer.take()
  const values = parameters.map(({ value }) => value)
  writer.bytes(nullBitmap(values, 0)).u8(1)
  for (const { type, unsigned, name = '' } of parameters) {
    writer.u16(type | (unsigned ? UNSIGNED_FLAG : 0))
    if (named) writer.lenencString(name)
  }
  for (const parameter of parameters) {
    if (parameter.value !== null) encodeBinaryValue(writer, parameter, parameter.value)
  }
  return writer.take()
}

interface NamedType extends BinaryType {
  readonly name: string
}

function readTypes(reader: PacketReader, count: number, named: boolean): NamedType[] {
  const types: NamedType[] = []
  for (let i = 0; i < count; i++) {
    const type = reader.u16()
    const name = named ? reader.lenencString() : ''
    types.push({ type: type & 0xff, unsigned: (type & UNSIGNED_FLAG) !== 0, name })
  }
  return types
}

function rememberedTypes(types: readonly BinaryType[] | undefined, count: number): NamedType[] {
  if (types === undefined || types.length < count) {
    throw new ProtocolError('malformed', 'parameters without types, and none are known from before')
  }
  return types.slice(0, count).map(({ type, unsigned }) => ({ type, unsigned, name: '' }))
}

function binaryType({ type, flags, decimals }: BinaryColumn): BinaryType {
  return { type, unsigned: (flags & ColumnFlag.UNSIGNED) !== 0, decimals }
}

function isNull(bitmap: Buffer, bit: number): boolean {
  return (bitmap[bit >> 3] & (1 << (bit & 7))) !== 0
}

function nullBitmap(values: readonly BinaryValue[], offset: number): Buffer {
  const bitmap = Buffer.alloc(Math.ceil((values.length + offset) / 8))
  for (const [i, value] of values.entries()) {
    const bit = i + offset
    if (value === null) bitmap[bit >> 3] |= 1 << (bit & 7)
  }
  return bitmap
}

/** Flags of COM_STMT_BULK_EXECUTE (MariaDB documentation, "COM_STMT_BULK_EXECUTE"). */
export const BulkFlag = {
  /** One result row for each row of parameters, of its insert id and affected rows; needs BULK_UNIT_RESULTS. */
  SEND_UNIT_RESULTS: 64,
  /** The parameters' types come with this packet; without it they are those of the execution before. */
  SEND_TYPES: 128,
} as const

/** What stands before each value of COM_STMT_BULK_EXECUTE. */
export const BulkIndicator = { NONE: 0, NULL: 1, DEFAULT: 2, IGNORE: 3 } as const

/** One value of a row: what an indicator stands for, or a value. */
export type BulkCell = { readonly indicator: number } | { readonly value: Exclude<BinaryValue, null> }

export interface StmtBulkExecute {
  readonly statementId: number
  /** Mask of `BulkFlag`. */
  readonly flags: number
  readonly types: readonly BinaryType[]
  readonly rows: readonly (readonly BulkCell[])[]
}

/** The payload of MariaDB's COM_STMT_BULK_EXECUTE, with types where the flags say so. */
export function encodeStmtBulkExecute({ statementId, flags, types, rows }: StmtBulkExecute): Buffer {
  const writer = new PayloadWriter().u8(Command.STMT_BULK_EXECUTE).u32(statementId).u16(flags)
  if ((flags & BulkFlag.SEND_TYPES) !== 0) {
    for (const { type, unsigned } of types) writer.u16(type | (unsigned ? UNSIGNED_FLAG : 0))
  }
  for (const row of rows) {
    for (const [i, cell] of row.entries()) {
      if ('indicator' in cell) writer.u8(cell.indicator)
      else encodeBinaryValue(writer.u8(BulkIndicator.NONE), types[i], cell.value)
    }
  }
  return writer.take()
}

/**
 * Decodes it; byte values are views.
 * @param parameterCount at least 1
 * @param types of the execution before; needed where the packet brings none
 * @throws ProtocolError when malformed
 */
export function decodeStmtBulkExecute(
  payload: Buffer,
  parameterCount: number,
  types?: readonly BinaryType[],
): StmtBulkExecute {
  if (parameterCount < 1) throw new RangeError('a bulk execution has parameters')
  const reader = new PacketReader(payload)
  expectCommand(reader, Command.STMT_BULK_EXECUTE)
  const statementId = reader.u32()
  const flags = reader.u16()
  const bound = (flags & BulkFlag.SEND_TYPES) !== 0
  const known = bound ? readTypes(reader, parameterCount, false) : rememberedTypes(types, parameterCount)
  const rows: BulkCell[][] = []
  while (reader.remaining > 0) {
    rows.push(
      known.map((type): BulkCell => {
        const indicator = reader.u8()
        if (indicator !== BulkIndicator.NONE) return { indicator }
        const value = decodeBinaryValue(reader, type)
        if (value === null) throw new ProtocolError('malformed', 'a NULL without its indicator')
        return { value }
      }),
    )
  }
  return { statementId, flags, types: known.map(({ type, unsigned }) => ({ type, unsigned })), rows }
}
