import { Buffer } from 'node:buffer'
import { FieldType } from './constants.js'
import { ProtocolError } from './errors.js'
import type { PacketReader } from './reader.js'
import { decodeDate, decodeTime, encodeDate, encodeTime } from './temporal.js'
import type { PayloadWriter } from './writer.js'

/*
 * Values of the binary protocol (MySQL source documentation, "Binary Protocol Value"): of columns in the rows of
 * prepared statements, of their parameters, and of query attributes.
 */

/**
 * Integers are numbers up to 2^53 - 1 and bigints above, FLOAT and DOUBLE are numbers, dates and times are text as the
 * text protocol has it, all else is bytes.
 */
export type BinaryValue = number | bigint | string | Buffer | null

/** Bytes of the types with a fixed length. */
const FIXED_SIZE: Readonly<Record<number, number>> = {
  [FieldType.TINY]: 1,
  [FieldType.BOOL]: 1,
  [FieldType.SHORT]: 2,
  [FieldType.YEAR]: 2,
  [FieldType.LONG]: 4,
  [FieldType.INT24]: 4,
  [FieldType.FLOAT]: 4,
  [FieldType.LONGLONG]: 8,
  [FieldType.DOUBLE]: 8,
  [FieldType.NULL]: 0,
}

const DATE_TYPES = new Set<number>([
  FieldType.DATE,
  FieldType.NEWDATE,
  FieldType.DATETIME,
  FieldType.DATETIME2,
  FieldType.TIMESTAMP,
  FieldType.TIMESTAMP2,
])
const TIME_TYPES = new Set<number>([FieldType.TIME, FieldType.TIME2])
const STRING_TYPES = new Set<number>([
  FieldType.DECIMAL,
  FieldType.VARCHAR,
  FieldType.BIT,
  FieldType.VECTOR,
  FieldType.JSON,
  FieldType.NEWDECIMAL,
  FieldType.ENUM,
  FieldType.SET,
  FieldType.TINY_BLOB,
  FieldType.MEDIUM_BLOB,
  FieldType.LONG_BLOB,
  FieldType.BLOB,
  FieldType.VAR_STRING,
  FieldType.STRING,
  FieldType.GEOMETRY,
])

/** What is known of a value before it is read or written. */
export interface BinaryType {
  /** One of `FieldType`. */
  readonly type: number
  readonly unsigned: boolean
  /** Digits behind the second, for dates and times; where unknown, as many as the value needs. */
  readonly decimals?: number | undefined
}

/** Moves over a value of this type. */
export function skipBinaryValue(reader: PacketReader, type: number): void {
  const size = FIXED_SIZE[type]
  if (size !== undefined) reader.skip(size)
  else if (STRING_TYPES.has(type)) reader.lenencRange()
  else if (DATE_TYPES.has(type) || TIME_TYPES.has(type)) reader.skip(reader.u8())
  else throw unknownType(type)
}

/** Reads a value; bytes are a view. */
export function decodeBinaryValue(reader: PacketReader, { type, unsigned, decimals }: BinaryType): BinaryValue {
  if (STRING_TYPES.has(type)) return reader.lenencBytes()
  if (DATE_TYPES.has(type)) {
    const dateOnly = type === FieldType.DATE || type === FieldType.NEWDATE
    return decodeDate(reader, dateOnly, decimals)
  }
  if (TIME_TYPES.has(type)) return decodeTime(reader, decimals)
  switch (type) {
    case FieldType.NULL:
      return null
    case FieldType.FLOAT:
      return reader.bytes(4).readFloatLE(0)
    case FieldType.DOUBLE:
      return reader.bytes(8).readDoubleLE(0)
    case FieldType.LONGLONG:
      return decodeLongLong(reader, unsigned)
    default: {
      const size = FIXED_SIZE[type]
      if (size === undefined) throw unknownType(type)
      const bytes = reader.bytes(size)
      return unsigned ? bytes.readUIntLE(0, size) : bytes.readIntLE(0, size)
    }
  }
}

/** Writes a value that is not NULL, in the shortest form, as servers do. */
export function encodeBinaryValue(writer: PayloadWriter, { type }: BinaryType, value: NonNullable<BinaryValue>): void {
  if (STRING_TYPES.has(type)) {
    if (Buffer.isBuffer(value)) writer.lenencBytes(value)
    else writer.lenencString(String(value))
  } else if (DATE_TYPES.has(type)) writer.bytes(encodeDate(String(value)))
  else if (TIME_TYPES.has(type)) writer.bytes(encodeTime(String(value)))
  else if (type === FieldType.FLOAT || type === FieldType.DOUBLE) writer.bytes(floatBytes(type, Number(value)))
  else encodeInteger(writer, type, value)
}

function encodeInteger(writer: PayloadWriter, type: number, value: NonNullable<BinaryValue>): void {
  const size = FIXED_SIZE[type]
  if (size === undefined) throw unknownType(type)
  const text = Buffer.isBuffer(value) ? value.toString('latin1') : value
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(text)))
  writer.bytes(bytes.subarray(0, size))
}

function floatBytes(type: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(type === FieldType.FLOAT ? 4 : 8)
  if (type === FieldType.FLOAT) bytes.writeFloatLE(value)
  else bytes.writeDoubleLE(value)
  return bytes
}

function decodeLongLong(reader: PacketReader, unsigned: boolean): number | bigint {
  const value = reader.u64()
  if (unsigned || typeof value === 'number') return value
  const signed = BigInt.asIntN(64, BigInt(value))
  return signed >= Number.MIN_SAFE_INTEGER && signed <= Number.MAX_SAFE_INTEGER ? Number(signed) : signed
}

function unknownType(type: number): ProtocolError {
  return new ProtocolError('malformed', `no value can have the type ${type}`)
}
