import { Buffer } from 'node:buffer'
import {
  type ColumnDefinition,
  type ColumnInput,
  decodeColumnCount,
  decodeColumnDefinition,
  encodeColumnCount,
  encodeColumnDefinition,
} from './column.js'
import { Capability, MariadbCapability, ServerStatus } from './constants.js'
import { ProtocolError } from './errors.js'
import {
  decodeEof,
  decodeErr,
  decodeOk,
  EOF_HEADER,
  type ErrPacket,
  encodeEof,
  encodeOk,
  isEndOfRows,
  isErrPacket,
  isProgressReport,
  type OkPacket,
} from './packets.js'
import { PacketReader } from './reader.js'
import { PacketWriter, PayloadWriter } from './writer.js'

const EMPTY = Buffer.alloc(0)
const NULL_MARKER = 0xfb
const LOCAL_INFILE = 0xfb

/** A value of the text protocol. Text is UTF-8. */
export type Cell = string | Buffer | null

export interface ResultSetOptions {
  /** SERVER_STATUS_* flags; AUTOCOMMIT alone unless given. */
  readonly statusFlags?: number
  /** Those of the EOF behind the column definitions, which servers write before they are done; `statusFlags` unless given. */
  readonly columnsStatusFlags?: number
  readonly warnings?: number
  /** Sequence number of the first packet; 1 unless given, as after a command in one packet. */
  readonly startSequence?: number
  /** MariaDB's extended capabilities, as negotiated with whoever reads it; none unless given. */
  readonly mariadbCapabilities?: number
}

/** A whole text result set as framed packets. */
export function encodeTextResultSet(
  columns: readonly ColumnInput[],
  rows: Iterable<readonly Cell[]>,
  capabilities: number,
  options: ResultSetOptions = {},
): Buffer {
  return encodeResultSet(columns, rows, encodeTextRow, capabilities, options)
}

/** A result set whose rows are written by `encodeRow`; the frame is the same for text and binary rows. */
export function encodeResultSet<Row>(
  columns: readonly ColumnInput[],
  rows: Iterable<Row>,
  encodeRow: (row: Row) => Buffer,
  capabilities: number,
  {
    statusFlags = ServerStatus.AUTOCOMMIT,
    columnsStatusFlags = statusFlags,
    warnings = 0,
    startSequence = 1,
    mariadbCapabilities = 0,
  }: ResultSetOptions = {},
): Buffer {
  const writer = new PacketWriter(startSequence, 4096)
  const deprecateEof = (capabilities & Capability.DEPRECATE_EOF) !== 0
  writer.packet(encodeColumnCount(columns.length, capabilities, mariadbCapabilities))
  for (const column of columns) writer.packet(encodeColumnDefinition(column, mariadbCapabilities))
  if (!deprecateEof) writer.packet(encodeEof({ warnings: 0, statusFlags: columnsStatusFlags }))
  for (const row of rows) writer.packet(encodeRow(row))
  writer.packet(encodeEndOfRows({ statusFlags, warnings }, capabilities))
  return writer.take()
}

/** The packet that ends the rows: EOF, or with DEPRECATE_EOF an OK with EOF's header. */
export function encodeEndOfRows(end: { statusFlags: number; warnings: number }, capabilities: number): Buffer {
  if ((capabilities & Capability.DEPRECATE_EOF) === 0) return encodeEof(end)
  return encodeOk({ affectedRows: 0, lastInsertId: 0, info: EMPTY, sessionState: [], ...end }, capabilities, EOF_HEADER)
}

export function encodeTextRow(cells: readonly Cell[]): Buffer {
  const writer = new PayloadWriter()
  for (const cell of cells) {
    if (cell === null) writer.u8(NULL_MARKER)
    else if (typeof cell === 'string') writer.lenencString(cell)
    else writer.lenencBytes(cell)
  }
  return writer.take()
}

/** Cells of a text row, as views of the payload. */
export function decodeTextRow(payload: Buffer, columnCount: number): (Buffer | null)[] {
  const reader = new PacketReader(payload)
  const cells: (Buffer | null)[] = []
  for (let i = 0; i < columnCount; i++) cells.push(reader.lenencBytesOrNull())
  if (reader.remaining > 0) throw new ProtocolError('malformed', 'a row has bytes left over')
  return cells
}

export type ResultSetEvent =
  | { readonly type: 'columns'; readonly columns: readonly ColumnDefinition[] }
  /** `payload` is a view; decode it with `decodeTextRow` or `decodeBinaryRow`. */
  | { readonly type: 'row'; readonly payload: Buffer }
  /** The end of a result, with rows or without; `last`: of the whole answer as well. */
  | { readonly type: 'ok'; readonly ok: OkPacket; readonly last: boolean }
  | { readonly type: 'err'; readonly err: ErrPacket; readonly last: true }
  /** The server wants this file; after the client's data an OK or ERR comes. */
  | { readonly type: 'localInfile'; readonly filename: Buffer }

type State = 'first' | 'columns' | 'columnsEof' | 'rows' | 'end'

const NEXT: Readonly<Record<State, readonly State[]>> = {
  first: ['columns', 'columnsEof', 'rows', 'first', 'end'],
  columns: ['columns', 'columnsEof', 'rows', 'end'],
  columnsEof: ['rows', 'end'],
  rows: ['first', 'end'],
  end: [],
}

/**
 * Decodes the answer to one command, payload by payload: what tests, tools and the monitor need. The path of queries
 * uses `ResponseFollower`, which decodes no rows.
 */
export class ResultSetDecoder {
  readonly #capabilities: number
  readonly #mariadbCapabilities: number
  readonly #reportsProgress: boolean
  readonly #mayOpenCursor: boolean
  #state: State = 'first'
  #columnsLeft = 0
  #columns: ColumnDefinition[] = []
  /** Of the result in hand; behind them another one follows, which MySQL's EOF behind the row does not say. */
  #outParameters = false

  /**
   * @param mayOpenCursor the command is a COM_STMT_EXECUTE that asks for a cursor, and no CALL: where the server opens
   * one, the answer ends with the metadata. A procedure with a cursor of its own says CURSOR_EXISTS too, and its rows follow.
   */
  constructor(capabilities: number, mariadbCapabilities = 0, mayOpenCursor = false) {
    this.#capabilities = capabilities
    this.#mariadbCapabilities = mariadbCapabilities
    this.#reportsProgress = (mariadbCapabilities & MariadbCapability.PROGRESS) !== 0
    this.#mayOpenCursor = mayOpenCursor
  }

  get ended(): boolean {
    return this.#state === 'end'
  }

  /** Columns of the result that is being read; empty where the server sent no metadata. */
  get columns(): readonly ColumnDefinition[] {
    return this.#columns
  }

  /** Takes one payload; null where it tells nothing by itself. Throws ProtocolError for what no answer contains. */
  payload(payload: Buffer): ResultSetEvent | null {
    if (payload.length === 0) throw new ProtocolError('malformed', 'an empty packet in an answer')
    if (this.#reportsProgress && isProgressReport(payload)) return null
    switch (this.#state) {
      case 'first':
        return this.#takeFirst(payload)
      case 'columns':
        return this.#takeColumn(payload)
      case 'columnsEof':
        return this.#takeColumnsEof(payload)
      case 'rows':
        return this.#takeRow(payload)
      case 'end':
        throw new ProtocolError('unexpected-packet', 'a packet behind the end of the answer')
    }
  }

  #takeFirst(payload: Buffer): ResultSetEvent | null {
    if (isErrPacket(payload)) return this.#takeErr(payload)
    if (payload[0] === 0x00) return this.#takeOk(decodeOk(payload, this.#capabilities))
    if (payload[0] === LOCAL_INFILE) return { type: 'localInfile', filename: payload.subarray(1) }
    const { count, metadataFollows } = decodeColumnCount(payload, this.#capabilities, this.#mariadbCapabilities)
    this.#columns = []
    this.#columnsLeft = count
    if (metadataFollows && count > 0) this.#move('columns')
    else this.#columnsDone()
    return null
  }

  #takeColumn(payload: Buffer): ResultSetEvent | null {
    if (isErrPacket(payload)) return this.#takeErr(payload)
    this.#columns.push(decodeColumnDefinition(payload, this.#mariadbCapabilities))
    if (--this.#columnsLeft > 0) return null
    this.#columnsDone()
    return { type: 'columns', columns: this.#columns }
  }

  #columnsDone(): void {
    this.#move((this.#capabilities & Capability.DEPRECATE_EOF) !== 0 ? 'rows' : 'columnsEof')
  }

  /** With a cursor the answer ends here: rows have to be fetched. */
  #takeColumnsEof(payload: Buffer): ResultSetEvent | null {
    const eof = decodeEof(payload)
    if (this.#mayOpenCursor && (eof.statusFlags & ServerStatus.CURSOR_EXISTS) !== 0) return this.#takeOk(okOfEof(eof))
    this.#outParameters = (eof.statusFlags & ServerStatus.PS_OUT_PARAMS) !== 0
    this.#move('rows')
    return null
  }

  #takeRow(payload: Buffer): ResultSetEvent {
    if (isErrPacket(payload)) return this.#takeErr(payload)
    if (!isEndOfRows(payload, this.#capabilities)) return { type: 'row', payload }
    const deprecateEof = (this.#capabilities & Capability.DEPRECATE_EOF) !== 0
    return this.#takeOk(deprecateEof ? decodeOk(payload, this.#capabilities) : okOfEof(decodeEof(payload)))
  }

  #takeOk(ok: OkPacket): ResultSetEvent {
    const last = (ok.statusFlags & ServerStatus.MORE_RESULTS_EXISTS) === 0 && !this.#outParameters
    this.#outParameters = false
    this.#move(last ? 'end' : 'first')
    return { type: 'ok', ok, last }
  }

  #takeErr(payload: Buffer): ResultSetEvent {
    this.#move('end')
    return { type: 'err', err: decodeErr(payload), last: true }
  }

  #move(to: State): void {
    if (!NEXT[this.#state].includes(to)) throw new Error(`a result cannot go from ${this.#state} to ${to}`)
    this.#state = to
  }
}

function okOfEof(eof: { statusFlags: number; warnings: number }): OkPacket {
  return { affectedRows: 0, lastInsertId: 0, info: EMPTY, sessionState: [], ...eof }
}
