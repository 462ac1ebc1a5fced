import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import {
  BulkFlag,
  Capability,
  Command,
  collationById,
  commandText,
  decodeAttributes,
  decodeAuthSwitch,
  decodeBinaryRow,
  decodeBinaryValue,
  decodeChangeUser,
  decodeColumnCount,
  decodeColumnDefinition,
  decodeEof,
  decodeErr,
  decodeFieldList,
  decodeGreeting,
  decodeHandshakeResponse,
  decodeOk,
  decodePrepareOk,
  decodeProcessKill,
  decodeProxyHeader,
  decodeQueryAttributes,
  decodeSessionState,
  decodeSetOption,
  decodeStmtBulkExecute,
  decodeStmtExecute,
  decodeText,
  decodeTextRow,
  encodeProxyHeader,
  encodeStmtBulkExecute,
  FieldType,
  isEndOfRows,
  isErrPacket,
  isOkPacket,
  isProgressReport,
  isSslRequest,
  PacketReader,
  parseNativeHash,
  parseSha2Hash,
  queryTextOffset,
  skipBinaryValue,
  usernameOf,
} from '../../protocol/index.js'
import { anyPayload, FuzzFile, outcome, valuesIn } from './fuzz.js'
import type { Random } from './random.js'

/*
 * Invariant: whatever bytes come, a decoder returns a value or throws ProtocolError, never another error; it does not read
 * past its payload (bytes behind it change nothing); it comes to an end, with memory in proportion to its input.
 */

const TYPES = [...Object.values(FieldType), 0xf3]
const columns = [
  FieldType.LONG,
  FieldType.VAR_STRING,
  FieldType.DATETIME,
  FieldType.TIME,
  FieldType.LONGLONG,
  0xf3,
].map((type) => ({ type, flags: 0, decimals: 6 }))

/** `flags` is a random number of 32 bits that decides whatever else there is to decide. */
type Decoder = (payload: Buffer, flags: number) => unknown

const DECODERS: Record<string, Decoder> = {
  greeting: (payload) => decodeGreeting(payload),
  handshakeResponse: (payload) => {
    const response = decodeHandshakeResponse(payload)
    return [
      response,
      usernameOf(response),
      response.attributes && outcome(() => decodeAttributes(response.attributes!)),
    ]
  },
  sslRequest: (payload) => isSslRequest(payload),
  attributes: (payload) => decodeAttributes(payload),
  authSwitch: (payload) => decodeAuthSwitch(payload),
  ok: (payload, flags) => decodeOk(payload, flags),
  okWithState: (payload, flags) => decodeOk(okWithState(payload), flags | Capability.SESSION_TRACK),
  err: (payload) => decodeErr(payload),
  eof: (payload) => decodeEof(payload),
  kindOfAnswer: (payload, flags) => [
    isErrPacket(payload),
    isOkPacket(payload),
    isProgressReport(payload),
    isEndOfRows(payload, flags),
  ],
  sessionState: (payload) => decodeSessionState(payload),
  columnCount: (payload, flags) => decodeColumnCount(payload, flags, flags & 0x3f),
  columnDefinition: (payload, flags) => decodeColumnDefinition(payload, flags & 0x3f),
  textRow: (payload, flags) => decodeTextRow(payload, flags & 0xff),
  hugeTextRow: (payload) => decodeTextRow(payload, Number.MAX_SAFE_INTEGER),
  text: (payload, flags) => decodeText(payload, flags & 0x1ff),
  binaryRow: (payload) => decodeBinaryRow(payload, columns),
  binaryRowOfAnyTypes: (payload, flags) =>
    decodeBinaryRow(
      payload,
      Array.from({ length: flags & 15 }, (_, i) => ({ type: (flags >>> i) & 0xff, flags: flags >>> i, decimals: i })),
    ),
  binaryValue: (payload, flags) => {
    const type = TYPES[flags % TYPES.length]
    const [decoding, skipping] = [new PacketReader(payload), new PacketReader(payload)]
    const value = decodeBinaryValue(decoding, { type, unsigned: (flags & 0x8000) !== 0 })
    skipBinaryValue(skipping, type)
    expect(skipping.position).toBe(decoding.position)
    return value
  },
  prepareOk: (payload, flags) => decodePrepareOk(payload, flags),
  stmtExecute: (payload, capabilities) =>
    decodeStmtExecute(asCommand(payload, Command.STMT_EXECUTE), { parameterCount: capabilities & 7, capabilities }),
  stmtExecuteOfMany: (payload, capabilities) =>
    decodeStmtExecute(asCommand(payload, Command.STMT_EXECUTE), { parameterCount: 65_535, capabilities }),
  stmtExecuteOfKnownTypes: (payload, flags) =>
    decodeStmtExecute(asCommand(payload, Command.STMT_EXECUTE), {
      parameterCount: flags & 7,
      capabilities: flags,
      types: TYPES.map((type) => ({ type, unsigned: (flags & 8) !== 0 })),
      hasLongData: (index) => ((flags >>> index) & 1) !== 0,
    }),
  stmtBulkExecute: (payload, flags) =>
    decodeStmtBulkExecute(asCommand(payload, Command.STMT_BULK_EXECUTE), 1 + (flags & 7)),
  stmtBulkExecuteOfKnownTypes: (payload, flags) => {
    const types = TYPES.slice(flags & 15, (flags & 15) + 1 + ((flags >>> 4) & 7)).map((type) => ({
      type,
      unsigned: (flags & 0x100) !== 0,
    }))
    return decodeStmtBulkExecute(asCommand(payload, Command.STMT_BULK_EXECUTE), types.length, types)
  },
  mutatedBulkExecute: (payload, flags) => decodeStmtBulkExecute(bulkExecute(payload, flags), 2),
  queryAttributes: (payload, flags) => decodeQueryAttributes(payload, 0, payload.length, flags),
  queryText: (payload, flags) => {
    const offset = queryTextOffset(payload, 0, payload.length, flags)
    expect(offset).toBeLessThanOrEqual(Math.max(1, payload.length))
    return offset
  },
  changeUser: (payload, flags) => decodeChangeUser(asCommand(payload, Command.CHANGE_USER), flags),
  commandText: (payload) => commandText(payload),
  fieldList: (payload) => decodeFieldList(asCommand(payload, Command.FIELD_LIST)),
  processKill: (payload) => decodeProcessKill(asCommand(payload, Command.PROCESS_KILL)),
  setOption: (payload) => decodeSetOption(asCommand(payload, Command.SET_OPTION)),
  hashes: (payload) => [parseSha2Hash(payload.toString('latin1')), parseNativeHash(payload.toString('latin1'))],
  collation: (_payload, flags) => collationById(flags & 0x1fff, (flags & 0x8000) === 0 ? 'mysql' : 'mariadb'),
  proxyHeader: (payload) => decodeProxyHeader(payload),
  mutatedProxyHeader: (payload, flags) => decodeProxyHeader(proxyHeader(payload, flags)),
}

/** Half of the time with the right number in front, so that more than the first byte is looked at. */
function asCommand(payload: Buffer, command: number): Buffer {
  if (payload.length > 0 && (payload.length & 1) === 0) payload[0] = command
  return payload
}

/** An OK packet with the payload as its session state. */
function okWithState(payload: Buffer): Buffer {
  const length = Math.min(payload.length, 0xfa)
  return Buffer.concat([Buffer.from([0, 0, 0, 2, 0x40, 0, 0, 0, length]), payload])
}

/** A bulk execution of two columns, with one of its bytes changed, and the payload behind it. */
function bulkExecute(payload: Buffer, flags: number): Buffer {
  const types = [
    { type: FieldType.LONG, unsigned: false },
    { type: FieldType.VAR_STRING, unsigned: false },
  ]
  const rows = Array.from({ length: 1 + (flags & 3) }, (_, n) => [
    n === 1 ? { indicator: 1 + (flags & 3) } : { value: n },
    { value: Buffer.from('text') },
  ])
  const bulkFlags = (flags & 4) === 0 ? BulkFlag.SEND_TYPES : BulkFlag.SEND_TYPES | BulkFlag.SEND_UNIT_RESULTS
  const bytes = Buffer.concat([encodeStmtBulkExecute({ statementId: flags, flags: bulkFlags, types, rows }), payload])
  bytes[1 + ((flags >>> 8) % (bytes.length - 1))] = flags >>> 24
  return (flags & 8) === 0 ? bytes : bytes.subarray(0, (flags >>> 8) % bytes.length)
}

/** A true header of either version with the payload behind it, and one of its bytes changed; half of the time cut there. */
function proxyHeader(payload: Buffer, flags: number): Buffer {
  const v6 = (flags & 4) === 0
  const endpoints = {
    family: v6 ? 'tcp6' : 'tcp4',
    sourceAddress: v6 ? '2001:db8::9' : '192.0.2.1',
    sourcePort: flags & 0xffff,
    destinationAddress: v6 ? '::1' : '127.0.0.1',
    destinationPort: 6033,
  } as const
  const bytes = Buffer.concat([encodeProxyHeader((flags & 1) === 0 ? 1 : 2, endpoints), payload])
  const at = ((flags >>> 8) & 0xff) % 60
  bytes[at] = flags >>> 24
  return (flags & 2) === 0 ? bytes : bytes.subarray(0, at)
}

/** Values that a byte of input may become: a column has a dozen of fields, and each takes a byte at least. */
const VALUES_PER_BYTE = 16
const VALUES_MIN = 200

function check(random: Random, decode: Decoder): void {
  const bytes = random.note(anyPayload(random))
  const flags = random.u32()
  random.notes.push(`flags ${flags}`)
  // The same payload at the end of its memory and in front of other bytes.
  const first = outcome(() => decode(Buffer.from(bytes), flags))
  if (!random.once(8)) return
  const inside = Buffer.concat([bytes, random.noise(40)]).subarray(0, bytes.length)
  expect(outcome(() => decode(inside, flags))).toEqual(first)
  expect(valuesIn(first)).toBeLessThanOrEqual(VALUES_MIN + VALUES_PER_BYTE * bytes.length)
}

const file = new FuzzFile('decoders')

file.describe(() => {
  for (const [name, decode] of Object.entries(DECODERS)) {
    file.target(`the decoder "${name}" returns or refuses, and never looks behind its payload`, (random) =>
      check(random, decode),
    )
  }
})
