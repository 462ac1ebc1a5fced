import { Buffer } from 'node:buffer'
import { Capability, FieldType, MariadbCapability } from './constants.js'
import { ProtocolError } from './errors.js'
import { PacketReader } from './reader.js'
import { PayloadWriter } from './writer.js'

const EMPTY = Buffer.alloc(0)
/** Bytes of the fixed part, which the packet announces. */
const FIXED_PART = 0x0c
const UTF8MB4_GENERAL_CI = 45
const BINARY = 63
/** What servers put into `decimals` for strings: not a number of decimals. */
const NOT_FIXED_DECIMALS = 31

/** One column (MySQL source documentation, "Protocol::ColumnDefinition41"). */
export interface ColumnDefinition {
  readonly catalog: string
  readonly schema: string
  /** The table's alias. */
  readonly table: string
  readonly orgTable: string
  /** The column's alias. */
  readonly name: string
  readonly orgName: string
  /** MariaDB with EXTENDED_METADATA: type and format names, raw; empty elsewhere. */
  readonly extendedMetadata: Buffer
  /** Collation id. */
  readonly collation: number
  /** Largest length of a value, in bytes. */
  readonly length: number
  /** One of `FieldType`. */
  readonly type: number
  /** Mask of `ColumnFlag`. */
  readonly flags: number
  readonly decimals: number
}

/** A column of a result set of our own: a name suffices for a string. */
export type ColumnInput = Partial<ColumnDefinition> & { readonly name: string }

export function completeColumn(column: ColumnInput): ColumnDefinition {
  const type = column.type ?? FieldType.VAR_STRING
  const isText = STRING_TYPES.has(type)
  return {
    catalog: 'def',
    schema: '',
    table: '',
    orgTable: '',
    orgName: '',
    extendedMetadata: EMPTY,
    collation: isText ? UTF8MB4_GENERAL_CI : BINARY,
    length: isText ? 1024 : 21,
    type,
    flags: 0,
    decimals: isText ? NOT_FIXED_DECIMALS : 0,
    ...column,
  }
}

const STRING_TYPES = new Set<number>([
  FieldType.VARCHAR,
  FieldType.VAR_STRING,
  FieldType.STRING,
  FieldType.ENUM,
  FieldType.SET,
  FieldType.JSON,
])

export function encodeColumnDefinition(input: ColumnInput, mariadbCapabilities = 0): Buffer {
  const column = completeColumn(input)
  const writer = new PayloadWriter(128)
  writer.lenencString(column.catalog).lenencString(column.schema)
  writer.lenencString(column.table).lenencString(column.orgTable)
  writer.lenencString(column.name).lenencString(column.orgName)
  if ((mariadbCapabilities & MariadbCapability.EXTENDED_METADATA) !== 0) writer.lenencBytes(column.extendedMetadata)
  writer.lenenc(FIXED_PART).u16(column.collation).u32(column.length).u8(column.type)
  return writer.u16(column.flags).u8(column.decimals).zeros(2).take()
}

/** Decodes a column; the default value that COM_FIELD_LIST adds is not read. */
export function decodeColumnDefinition(payload: Buffer, mariadbCapabilities = 0): ColumnDefinition {
  const reader = new PacketReader(payload)
  const catalog = reader.lenencString()
  const schema = reader.lenencString()
  const table = reader.lenencString()
  const orgTable = reader.lenencString()
  const name = reader.lenencString()
  const orgName = reader.lenencString()
  const extended = (mariadbCapabilities & MariadbCapability.EXTENDED_METADATA) !== 0
  const extendedMetadata = extended ? Buffer.from(reader.lenencBytes()) : EMPTY
  if (reader.lenenc() !== FIXED_PART) throw new ProtocolError('malformed', 'not a column definition')
  const collation = reader.u16()
  const length = reader.u32()
  const type = reader.u8()
  const flags = reader.u16()
  const decimals = reader.u8()
  reader.skip(2)
  return {
    catalog,
    schema,
    table,
    orgTable,
    name,
    orgName,
    extendedMetadata,
    collation,
    length,
    type,
    flags,
    decimals,
  }
}

/** What the packet before the column definitions says. */
export interface ColumnCount {
  readonly count: number
  /** false: no definitions come, because the client knows them or did not want them. */
  readonly metadataFollows: boolean
}

/** With optional (MySQL) or cached (MariaDB) metadata a byte behind the count tells whether definitions follow. */
function hasMetadataFlag(capabilities: number, mariadbCapabilities: number): boolean {
  const optional = (capabilities & Capability.OPTIONAL_RESULTSET_METADATA) !== 0
  return optional || (mariadbCapabilities & MariadbCapability.CACHE_METADATA) !== 0
}

export function encodeColumnCount(count: number, capabilities: number, mariadbCapabilities = 0): Buffer {
  const writer = new PayloadWriter(8).lenenc(count)
  if (hasMetadataFlag(capabilities, mariadbCapabilities)) writer.u8(1)
  return writer.take()
}

export function decodeColumnCount(payload: Buffer, capabilities: number, mariadbCapabilities = 0): ColumnCount {
  const reader = new PacketReader(payload)
  const count = reader.lenencNumber()
  const flagged = hasMetadataFlag(capabilities, mariadbCapabilities) && reader.remaining > 0
  return { count, metadataFollows: !flagged || reader.u8() !== 0 }
}
