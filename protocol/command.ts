import { Buffer } from 'node:buffer'
import { type BinaryValue, decodeBinaryValue, skipBinaryValue } from './binary.js'
import { Capability, Command } from './constants.js'
import { ProtocolError } from './errors.js'
import { PacketReader } from './reader.js'
import { frame } from './writer.js'

/*
 * Commands: the client's packets after the login. A command's payload begins with its number, one of `Command`. Numbers
 * called `start` are the index of that first byte.
 */

const NO_ATTRIBUTES = 0
const ONE_PARAMETER_SET = 1
/** In a parameter's type: the value is unsigned. */
const UNSIGNED_FLAG = 0x8000

/** A whole command, framed with sequence number 0. */
export function encodeCommand(command: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  return frame(Buffer.concat([Buffer.of(command), payload]), 0)
}

/** COM_QUERY, with an empty block of query attributes where these are negotiated. */
export function encodeQuery(sql: string | Buffer, capabilities: number): Buffer {
  const bytes = typeof sql === 'string' ? Buffer.from(sql, 'utf8') : sql
  if ((capabilities & Capability.QUERY_ATTRIBUTES) === 0) return encodeCommand(Command.QUERY, bytes)
  return encodeCommand(Command.QUERY, Buffer.concat([Buffer.of(NO_ATTRIBUTES, ONE_PARAMETER_SET), bytes]))
}

/** Used for the uncommon queries that do have attributes. */
const attributeReader = new PacketReader()

/**
 * Index of the first byte of SQL in a COM_QUERY payload `buffer[start, end)`, behind its query attributes; -1 when these
 * are malformed. Where there are none, as with nearly all clients, nothing is allocated.
 */
export function queryTextOffset(buffer: Buffer, start: number, end: number, capabilities: number): number {
  if (start >= end) return -1
  const at = start + 1
  if ((capabilities & Capability.QUERY_ATTRIBUTES) === 0) return at
  if (at + 2 <= end && buffer[at] === NO_ATTRIBUTES && buffer[at + 1] === ONE_PARAMETER_SET) return at + 2
  try {
    const reader = attributeReader.reset(buffer, at, end)
    walkAttributes(reader, (type, isNull) => {
      if (!isNull) skipBinaryValue(reader, type)
    })
    return reader.position
  } catch (error) {
    if (error instanceof ProtocolError) return -1
    throw error
  } finally {
    attributeReader.reset(EMPTY)
  }
}

const EMPTY = Buffer.alloc(0)

export interface QueryAttribute {
  readonly name: string
  /** One of `FieldType`. */
  readonly type: number
  readonly unsigned: boolean
  readonly value: BinaryValue
}

/** Decodes the attributes of a COM_QUERY payload; byte values are views. Throws ProtocolError when malformed. */
export function decodeQueryAttributes(
  buffer: Buffer,
  start: number,
  end: number,
  capabilities: number,
): { attributes: QueryAttribute[]; sqlStart: number } {
  const attributes: QueryAttribute[] = []
  const reader = new PacketReader(buffer, start, end)
  reader.skip(1)
  if ((capabilities & Capability.QUERY_ATTRIBUTES) === 0) return { attributes, sqlStart: reader.position }
  walkAttributes(reader, (type, isNull, unsigned, name) => {
    const value = isNull ? null : decodeBinaryValue(reader, { type, unsigned })
    attributes.push({ name, type, unsigned, value })
  })
  return { attributes, sqlStart: reader.position }
}

/**
 * Walks over the block of attributes, from its count to the end of its last value (MySQL source documentation,
 * "COM_QUERY"). `takeValue` has to move the reader over a value unless it is NULL.
 */
function walkAttributes(
  reader: PacketReader,
  takeValue: (type: number, isNull: boolean, unsigned: boolean, name: string) => void,
): void {
  const count = reader.lenencNumber()
  if (reader.lenenc() !== ONE_PARAMETER_SET) throw new ProtocolError('malformed', 'not one set of query attributes')
  if (count === 0) return
  const nulls = reader.bytes(Math.ceil(count / 8))
  if (reader.u8() !== 1) throw new ProtocolError('malformed', 'query attributes without types')
  const types: number[] = []
  const names: string[] = []
  for (let i = 0; i < count; i++) {
    types.push(reader.u16())
    names.push(reader.lenencString())
  }
  for (let i = 0; i < count; i++) {
    const isNull = (nulls[i >> 3] & (1 << (i & 7))) !== 0
    takeValue(types[i] & 0xff, isNull, (types[i] & UNSIGNED_FLAG) !== 0, names[i])
  }
}

/** The bytes of the schema's name in COM_INIT_DB, or of the text in other commands that have one argument. */
export function commandText(payload: Buffer): Buffer {
  const reader = new PacketReader(payload)
  reader.skip(1)
  return reader.rest()
}

/** The connection id in COM_PROCESS_KILL. */
export function decodeProcessKill(payload: Buffer): number {
  const reader = new PacketReader(payload)
  expectCommand(reader, Command.PROCESS_KILL)
  return reader.u32()
}

/** COM_SET_OPTION: 0 switches multi-statements on, 1 off. */
export function decodeSetOption(payload: Buffer): number {
  const reader = new PacketReader(payload)
  expectCommand(reader, Command.SET_OPTION)
  return reader.u16()
}

/** Table and wildcard of COM_FIELD_LIST, as sent. */
export function decodeFieldList(payload: Buffer): { table: Buffer; wildcard: Buffer } {
  const reader = new PacketReader(payload)
  expectCommand(reader, Command.FIELD_LIST)
  return { table: reader.nulBytes(), wildcard: reader.rest() }
}

export function expectCommand(reader: PacketReader, command: number): void {
  if (reader.u8() !== command) throw new ProtocolError('malformed', `not the command ${command}`)
}
