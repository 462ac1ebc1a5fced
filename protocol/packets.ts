import { Buffer } from 'node:buffer'
import { Capability, ServerStatus } from './constants.js'
import { ProtocolError } from './errors.js'
import { PacketReader } from './reader.js'
import { decodeSessionState, encodeSessionState, type SessionStateChange } from './session-track.js'
import { PayloadWriter } from './writer.js'

const EMPTY = Buffer.alloc(0)
const OK_HEADER = 0x00
/** Header of EOF packets, and of the OK packet that ends a result set with DEPRECATE_EOF. */
export const EOF_HEADER = 0xfe
const ERR_HEADER = 0xff
const SQLSTATE_MARK = 0x23
/** The number of a MariaDB progress report, which has the form of an ERR packet. */
const PROGRESS_ERRNO = 0xffff

export interface OkPacket {
  readonly affectedRows: number | bigint
  readonly lastInsertId: number | bigint
  /** SERVER_STATUS_* flags. */
  readonly statusFlags: number
  readonly warnings: number
  /** Text for humans such as `Rows matched: 1  Changed: 1  Warnings: 0`, in the session's character set; often empty. */
  readonly info: Buffer
  readonly sessionState: readonly SessionStateChange[]
}

export interface ErrPacket {
  readonly errno: number
  /** Five characters; `HY000` where the peer sent none. */
  readonly sqlState: string
  readonly message: string
}

export interface EofPacket {
  readonly warnings: number
  readonly statusFlags: number
}

export function isErrPacket(payload: Buffer): boolean {
  return payload.length >= 3 && payload[0] === ERR_HEADER
}

/** MariaDB with PROGRESS: a report that has the form of an ERR packet and after which the answer goes on. */
export function isProgressReport(payload: Buffer): boolean {
  return isErrPacket(payload) && payload.readUInt16LE(1) === PROGRESS_ERRNO
}

/** Whether an answer's first packet is an OK packet. With 7 bytes at least it cannot be a text row of one empty cell. */
export function isOkPacket(payload: Buffer): boolean {
  return payload.length >= 7 && payload[0] === OK_HEADER
}

/**
 * Whether a packet ends the rows of a result set. 0xFE is also the first byte of a row whose first cell has 16 MB and
 * more, hence the length test (MySQL source documentation, "Text Resultset").
 */
export function isEndOfRows(payload: Buffer, capabilities: number): boolean {
  if (payload[0] !== EOF_HEADER) return false
  return (capabilities & Capability.DEPRECATE_EOF) !== 0 ? payload.length < 0xffffff : payload.length < 9
}

/**
 * Payload of an OK packet, byte by byte what a server writes (`net_send_ok` in `sql/protocol_classic.cc`): the text is
 * length-encoded and left out when empty, unless session state follows it.
 * @param header 0xFE for the packet that ends a result set with DEPRECATE_EOF
 */
export function encodeOk(ok: OkPacket, capabilities: number, header = OK_HEADER): Buffer {
  const tracks = (capabilities & Capability.SESSION_TRACK) !== 0
  const withState =
    tracks && (ok.sessionState.length > 0 || (ok.statusFlags & ServerStatus.SESSION_STATE_CHANGED) !== 0)
  const statusFlags = withState
    ? ok.statusFlags | ServerStatus.SESSION_STATE_CHANGED
    : ok.statusFlags & ~ServerStatus.SESSION_STATE_CHANGED
  const writer = new PayloadWriter(64)
  writer.u8(header).lenenc(ok.affectedRows).lenenc(ok.lastInsertId).u16(statusFlags).u16(ok.warnings)
  if (withState || ok.info.length > 0) writer.lenencBytes(ok.info)
  if (withState) writer.lenencBytes(encodeSessionState(ok.sessionState))
  return writer.take()
}

/** Decodes an OK packet with either header. `info` and unknown session state are views of the payload. */
export function decodeOk(payload: Buffer, capabilities: number): OkPacket {
  const reader = new PacketReader(payload)
  const header = reader.u8()
  if (header !== OK_HEADER && header !== EOF_HEADER) throw new ProtocolError('malformed', 'not an OK packet')
  const affectedRows = reader.lenenc()
  const lastInsertId = reader.lenenc()
  const statusFlags = reader.u16()
  const warnings = reader.u16()
  const tracks = (capabilities & Capability.SESSION_TRACK) !== 0
  const withState = tracks && (statusFlags & ServerStatus.SESSION_STATE_CHANGED) !== 0
  const info = reader.remaining === 0 ? EMPTY : tracks ? reader.lenencBytes() : decodeInfo(reader)
  const sessionState = withState && reader.remaining > 0 ? decodeSessionState(reader.lenencBytes()) : []
  return { affectedRows, lastInsertId, statusFlags, warnings, info, sessionState }
}

/**
 * Servers write the text length-encoded, the manual says that it runs to the end of the packet, and some other servers
 * do that: the length is taken as one where it fits exactly.
 */
function decodeInfo(reader: PacketReader): Buffer {
  const rest = reader.rest()
  if (rest[0] < 0xfb && rest[0] === rest.length - 1) return rest.subarray(1)
  if (rest[0] === 0xfc && rest.length >= 3 && rest.readUInt16LE(1) === rest.length - 3) return rest.subarray(3)
  return rest
}

export function encodeErr(err: ErrPacket, capabilities: number = Capability.PROTOCOL_41): Buffer {
  const writer = new PayloadWriter(64)
  writer.u8(ERR_HEADER).u16(err.errno)
  if ((capabilities & Capability.PROTOCOL_41) !== 0) writer.string('#').string(err.sqlState)
  return writer.string(err.message).take()
}

/**
 * Decodes an ERR packet. The mark before the SQLSTATE decides whether there is one: servers send errors in place
 * of a greeting without it.
 */
export function decodeErr(payload: Buffer): ErrPacket {
  const reader = new PacketReader(payload)
  if (reader.u8() !== ERR_HEADER) throw new ProtocolError('malformed', 'not an ERR packet')
  const errno = reader.u16()
  let sqlState = 'HY000'
  if (reader.peek() === SQLSTATE_MARK && reader.remaining >= 6) {
    reader.skip(1)
    sqlState = reader.bytes(5).toString('latin1')
  }
  return { errno, sqlState, message: reader.rest().toString('utf8') }
}

/** Payload of an EOF packet; it has content only since protocol 4.1, which is all we speak. */
export function encodeEof(eof: EofPacket): Buffer {
  return new PayloadWriter(8).u8(EOF_HEADER).u16(eof.warnings).u16(eof.statusFlags).take()
}

export function decodeEof(payload: Buffer): EofPacket {
  const reader = new PacketReader(payload)
  if (reader.u8() !== EOF_HEADER || payload.length > 8) throw new ProtocolError('malformed', 'not an EOF packet')
  return { warnings: reader.u16(), statusFlags: reader.u16() }
}
