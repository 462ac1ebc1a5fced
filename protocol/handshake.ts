import { Buffer } from 'node:buffer'
import { collationById, decodeText, defaultCollationOfCharset, encodeText } from './charsets.js'
import { Capability, Command, SCRAMBLE_SIZE } from './constants.js'
import { ProtocolError, ServerErrors } from './errors.js'
import { PacketReader } from './reader.js'
import { PayloadWriter } from './writer.js'

const PROTOCOL_VERSION = 10
const FIRST_SCRAMBLE_PART = 8
/** Bytes of an SSL request, which are also the fixed part of a handshake response. */
const FIXED_PART = 32
/** Longest key/value block that a server accepts (64 KB, as in `read_client_connect_attrs`). */
const ATTRIBUTES_SIZE_MAX = 65_535
const AUTH_SWITCH = 0xfe

/** The server's first packet (MySQL source documentation, "Protocol::HandshakeV10"). */
export interface Greeting {
  /** As sent: MariaDB before 11 puts `5.5.5-` in front of it. */
  readonly serverVersion: string
  readonly connectionId: number
  /** 20 random bytes, none of them zero. */
  readonly scramble: Buffer
  /** CLIENT_* flags. */
  readonly capabilities: number
  /** MariaDB's upper 32 bits; 0 from a MySQL server. */
  readonly mariadbCapabilities: number
  /** Collation id, of which the packet holds the low 8 bits only. */
  readonly collation: number
  /** SERVER_STATUS_* flags. */
  readonly status: number
  readonly authPlugin: string
}

/** The client's answer to the greeting ("Protocol::HandshakeResponse41"), or what COM_CHANGE_USER says in its place. */
export interface HandshakeResponse {
  /** CLIENT_* flags. */
  readonly capabilities: number
  /** MariaDB's upper 32 bits; 0 from other clients. */
  readonly mariadbCapabilities: number
  /** Largest packet the client wants to see, in bytes. */
  readonly maxPacketSize: number
  /** Collation id, 0 to 255; in COM_CHANGE_USER 16 bits. */
  readonly collation: number
  /** Exactly the bytes the client sent, in the character set of `collation`; see `usernameOf`. */
  readonly username: Buffer
  readonly authResponse: Buffer
  /** In Unicode, decoded by the character set of `collation`; undefined where none or an empty one was given. */
  readonly database?: string | undefined
  readonly authPlugin?: string | undefined
  /** Connection attributes as sent, without the length in front; see `decodeAttributes`. */
  readonly attributes?: Buffer | undefined
  /** 1 to 22, present when ZSTD_COMPRESSION_ALGORITHM is set. */
  readonly zstdLevel?: number | undefined
}

export function encodeGreeting(greeting: Greeting): Buffer {
  const { capabilities, scramble } = greeting
  const withPlugin = (capabilities & Capability.PLUGIN_AUTH) !== 0
  const writer = new PayloadWriter(128)
  writer.u8(PROTOCOL_VERSION).nulString(greeting.serverVersion).u32(greeting.connectionId)
  writer.bytes(scramble.subarray(0, FIRST_SCRAMBLE_PART)).u8(0)
  writer
    .u16(capabilities & 0xffff)
    .u8(greeting.collation & 0xff)
    .u16(greeting.status)
    .u16(capabilities >>> 16)
  writer.u8(withPlugin ? SCRAMBLE_SIZE + 1 : 0).zeros(6)
  writer.u32((capabilities & Capability.LONG_PASSWORD) === 0 ? greeting.mariadbCapabilities : 0)
  writer.bytes(scramble.subarray(FIRST_SCRAMBLE_PART, SCRAMBLE_SIZE)).u8(0)
  if (withPlugin) writer.nulString(greeting.authPlugin)
  return writer.take()
}

/**
 * Decodes a greeting. An ERR packet in its place (too many connections, host blocked) is no greeting: ask
 * `isErrPacket` first. Throws ProtocolError for other protocol versions than 10 and for servers before 4.1.
 */
export function decodeGreeting(payload: Buffer): Greeting {
  const reader = new PacketReader(payload)
  const version = reader.u8()
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      'unsupported',
      `the server speaks protocol version ${version}`,
      ServerErrors.CR_VERSION_ERROR,
    )
  }
  const serverVersion = reader.nulString()
  const connectionId = reader.u32()
  const scrambleStart = reader.bytes(FIRST_SCRAMBLE_PART)
  reader.skip(1)
  const lower = reader.u16()
  const collation = reader.u8()
  const status = reader.u16()
  const capabilities = (lower | (reader.u16() << 16)) >>> 0
  if ((capabilities & Capability.PROTOCOL_41) === 0 || (capabilities & Capability.SECURE_CONNECTION) === 0) {
    throw new ProtocolError('unsupported', 'the server is older than 4.1', ServerErrors.CR_VERSION_ERROR)
  }
  const scrambleSize = reader.u8()
  reader.skip(6)
  const extended = reader.u32()
  const mariadbCapabilities = (capabilities & Capability.LONG_PASSWORD) === 0 ? extended : 0
  const scrambleRest = reader.bytes(
    Math.max(SCRAMBLE_SIZE + 1 - FIRST_SCRAMBLE_PART, scrambleSize - FIRST_SCRAMBLE_PART),
  )
  const scramble = Buffer.concat([scrambleStart, scrambleRest]).subarray(0, SCRAMBLE_SIZE)
  const withPlugin = (capabilities & Capability.PLUGIN_AUTH) !== 0
  const authPlugin = withPlugin ? reader.nulBytesOrRest().toString('latin1') : 'mysql_native_password'
  return {
    serverVersion,
    connectionId,
    scramble,
    capabilities,
    mariadbCapabilities,
    collation,
    status,
    authPlugin,
  }
}

/** Whether the client asks for TLS before it says who it is. */
export function isSslRequest(payload: Buffer): boolean {
  return payload.length === FIXED_PART && (payload.readUInt32LE(0) & Capability.SSL) !== 0
}

/** The fixed part of a handshake response, alone: the request for TLS. SSL is set in its capabilities. */
export function encodeSslRequest(
  response: Pick<HandshakeResponse, 'capabilities' | 'mariadbCapabilities' | 'maxPacketSize' | 'collation'>,
): Buffer {
  const writer = new PayloadWriter(FIXED_PART)
  writeFixedPart(writer, { ...response, capabilities: (response.capabilities | Capability.SSL) >>> 0 })
  return writer.take()
}

export function encodeHandshakeResponse(
  response: Omit<HandshakeResponse, 'username'> & { username: Buffer | string },
): Buffer {
  const { capabilities, authResponse } = response
  const has = (flag: number) => (capabilities & flag) !== 0
  const writer = new PayloadWriter(256)
  writeFixedPart(writer, response)
  writer.bytes(usernameBytes(response)).u8(0)
  if (has(Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA)) writer.lenencBytes(authResponse)
  else if (authResponse.length <= 255) writer.u8(authResponse.length).bytes(authResponse)
  else throw new RangeError('without PLUGIN_AUTH_LENENC_CLIENT_DATA the answer has 255 bytes at most')
  if (has(Capability.CONNECT_WITH_DB)) writer.bytes(encodeText(response.database ?? '', response.collation)).u8(0)
  if (has(Capability.PLUGIN_AUTH)) writer.nulString(response.authPlugin ?? '')
  if (has(Capability.CONNECT_ATTRS)) writer.lenencBytes(response.attributes ?? Buffer.alloc(0))
  if (has(Capability.ZSTD_COMPRESSION_ALGORITHM)) writer.u8(response.zstdLevel ?? 3)
  return writer.take()
}

/**
 * Decodes a handshake response; buffers in it are views. Throws ProtocolError, with the errno 1251 for clients before
 * 4.1 and with 1043 for whatever else is wrong.
 */
export function decodeHandshakeResponse(payload: Buffer): HandshakeResponse {
  try {
    return decodeResponse(new PacketReader(payload))
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code === 'old-client') throw error
    throw new ProtocolError(error.code, `bad handshake: ${error.message}`, ServerErrors.HANDSHAKE_ERROR)
  }
}

function decodeResponse(reader: PacketReader): HandshakeResponse {
  refuseOldClients(reader)
  const capabilities = reader.u32()
  const has = (flag: number) => (capabilities & flag) !== 0
  const maxPacketSize = reader.u32()
  const collation = reader.u8()
  reader.skip(19)
  const extended = reader.u32()
  const username = reader.nulBytes()
  const authResponse = has(Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA) ? reader.lenencBytes() : reader.bytes(reader.u8())
  // Some clients set flags for trailing fields and leave those out; servers accept that as well.
  const follows = (flag: number) => has(flag) && reader.remaining > 0
  const database = follows(Capability.CONNECT_WITH_DB) ? decodeText(reader.nulBytesOrRest(), collation) : ''
  const authPlugin = follows(Capability.PLUGIN_AUTH) ? reader.nulBytesOrRest().toString('latin1') : undefined
  const attributes = follows(Capability.CONNECT_ATTRS) ? readAttributes(reader) : undefined
  const zstdLevel = follows(Capability.ZSTD_COMPRESSION_ALGORITHM) ? reader.u8() : undefined
  return {
    capabilities,
    mariadbCapabilities: has(Capability.LONG_PASSWORD) ? 0 : extended,
    maxPacketSize,
    collation,
    username,
    authResponse,
    database: database === '' ? undefined : database,
    authPlugin,
    attributes,
    zstdLevel,
  }
}

function readAttributes(reader: PacketReader): Buffer {
  const attributes = reader.lenencBytes()
  if (attributes.length <= ATTRIBUTES_SIZE_MAX) return attributes
  throw new ProtocolError('malformed', 'connection attributes are too long')
}

function refuseOldClients(reader: PacketReader): void {
  const flags = reader.remaining >= 2 ? reader.buffer.readUInt16LE(reader.position) : 0
  if ((flags & Capability.PROTOCOL_41) !== 0 && (flags & Capability.SECURE_CONNECTION) !== 0) return
  throw new ProtocolError(
    'old-client',
    'Client does not support authentication protocol requested by server; consider upgrading MySQL client',
    ServerErrors.NOT_SUPPORTED_AUTH_MODE,
  )
}

/** What COM_CHANGE_USER (MySQL source documentation, "COM_CHANGE_USER") says by itself. */
export type ChangeUser = Pick<
  HandshakeResponse,
  'authResponse' | 'database' | 'collation' | 'authPlugin' | 'attributes'
> & { readonly username: Buffer | string }

/** The payload of COM_CHANGE_USER, command byte included. */
export function encodeChangeUser(change: ChangeUser, capabilities: number): Buffer {
  const { authResponse, collation } = change
  if (authResponse.length > 255) throw new RangeError('the answer has 255 bytes at most')
  const writer = new PayloadWriter(128).u8(Command.CHANGE_USER)
  writer.bytes(usernameBytes(change)).u8(0)
  writer.u8(authResponse.length).bytes(authResponse)
  writer
    .bytes(encodeText(change.database ?? '', collation))
    .u8(0)
    .u16(collation)
  if ((capabilities & Capability.PLUGIN_AUTH) !== 0) writer.nulString(change.authPlugin ?? '')
  if ((capabilities & Capability.CONNECT_ATTRS) !== 0) writer.lenencBytes(change.attributes ?? Buffer.alloc(0))
  return writer.take()
}

/**
 * Decodes the payload of COM_CHANGE_USER as far as it goes: everything behind the schema may be missing. Buffers in the
 * result are views. Names are in the collation that the packet itself brings (`parse_com_change_user_packet` in MySQL's
 * `sql/auth/sql_authentication.cc`). Throws ProtocolError, worded as the servers do (1047, though they know the command).
 * @param capabilities what the session negotiated, as the result has it; the packet does not repeat it
 * @param collation of the session, for a packet that leaves its own out
 */
export function decodeChangeUser(
  payload: Buffer,
  capabilities: number,
  mariadbCapabilities = 0,
  collation = 0,
): HandshakeResponse {
  try {
    return { ...decodeChange(new PacketReader(payload), capabilities, collation), mariadbCapabilities }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new ProtocolError(error.code, 'Unknown command', ServerErrors.UNKNOWN_COM_ERROR)
  }
}

function decodeChange(reader: PacketReader, capabilities: number, sessionCollation: number) {
  if (reader.u8() !== Command.CHANGE_USER) throw new ProtocolError('malformed', 'not a change of user')
  const username = reader.nulBytes()
  const authResponse = reader.bytes(reader.u8())
  const databaseBytes = reader.nulBytesOrRest()
  const collation = reader.remaining >= 2 ? reader.u16() : sessionCollation
  const database = databaseBytes.length === 0 ? undefined : decodeText(databaseBytes, collation)
  const follows = (flag: number) => (capabilities & flag) !== 0 && reader.remaining > 0
  const authPlugin = follows(Capability.PLUGIN_AUTH) ? reader.nulBytesOrRest().toString('latin1') : undefined
  const attributes = follows(Capability.CONNECT_ATTRS) ? readAttributes(reader) : undefined
  return { capabilities, maxPacketSize: 0, collation, username, authResponse, database, authPlugin, attributes }
}

/** Payload that asks the client for another plugin ("Protocol::AuthSwitchRequest"). */
export function encodeAuthSwitch(plugin: string, data: Buffer): Buffer {
  return new PayloadWriter(64).u8(AUTH_SWITCH).nulString(plugin).bytes(data).take()
}

/** Plugin and data of such a payload, the data as a view; undefined for the one byte that means passwords before 4.1. */
export function decodeAuthSwitch(payload: Buffer): { plugin: string; data: Buffer } | undefined {
  const reader = new PacketReader(payload)
  if (reader.u8() !== AUTH_SWITCH) throw new ProtocolError('malformed', 'not an auth switch request')
  if (reader.remaining === 0) return undefined
  return { plugin: reader.nulBytesOrRest().toString('latin1'), data: reader.rest() }
}

/** The user's name in Unicode. */
export function usernameOf(response: Pick<HandshakeResponse, 'username' | 'collation'>): string {
  return decodeText(response.username, response.collation)
}

/** Pairs of a raw attribute block, in their order. */
export function decodeAttributes(block: Buffer): [name: string, value: string][] {
  const reader = new PacketReader(block)
  const pairs: [string, string][] = []
  while (reader.remaining > 0) pairs.push([reader.lenencString(), reader.lenencString()])
  return pairs
}

export function encodeAttributes(pairs: Iterable<readonly [name: string, value: string]>): Buffer {
  const writer = new PayloadWriter()
  for (const [name, value] of pairs) writer.lenencString(name).lenencString(value)
  return writer.take()
}

/**
 * The collation id to send in a handshake, which has 8 bits for it: ids above 255 become the default of the same
 * character set. The session then has to be told by SET NAMES.
 */
export function handshakeCollation(id: number): number {
  if (id <= 0xff) return id
  return defaultCollationOfCharset(collationById(id)?.charset ?? 'utf8mb4') ?? 0xff
}

function writeFixedPart(
  writer: PayloadWriter,
  response: Pick<HandshakeResponse, 'capabilities' | 'mariadbCapabilities' | 'maxPacketSize' | 'collation'>,
): void {
  writer.u32(response.capabilities >>> 0).u32(response.maxPacketSize >>> 0)
  writer.u8(handshakeCollation(response.collation)).zeros(19)
  writer.u32((response.capabilities & Capability.LONG_PASSWORD) === 0 ? response.mariadbCapabilities : 0)
}

function usernameBytes(response: { username: Buffer | string; collation: number }): Buffer {
  const { username, collation } = response
  return typeof username === 'string' ? encodeText(username, collation) : username
}
