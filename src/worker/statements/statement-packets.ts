import { BulkFlag, Capability, Command } from '../../../protocol/index.js'
import { PacketWidener } from './packet-widener.js'
import type { PreparedStatement, ServerStatement } from './statements.js'

/*
 * Packets of prepared statements on their way to a server: its id of the statement, and the parameters' types where it
 * lacks them, since clients send them only when they change.
 */

/** Where things are in a packet: header, command byte, statement id. */
const PAYLOAD_AT = 4
const ID_AT = PAYLOAD_AT + 1
/** COM_STMT_EXECUTE: cursor type, iteration count (4), parameters. */
const FLAGS_AT = PAYLOAD_AT + 5
const PARAMETERS_AT = PAYLOAD_AT + 10
const PARAMETER_COUNT_AVAILABLE = 0x08
/** COM_STMT_BULK_EXECUTE: flags (2), types. */
const BULK_FLAGS_AT = PAYLOAD_AT + 5
const BULK_TYPES_AT = PAYLOAD_AT + 7

/** Where the parameters' types are, or would be. */
interface TypesLayout {
  /** The packet has them. */
  readonly bound: boolean
  readonly start: number
  /** `start` where the packet has none. */
  readonly end: number
}

/** What is to be written, and what the rest of a streamed packet has to go through; null: nothing. */
export interface AddressedPacket {
  readonly bytes: Buffer
  readonly widener: PacketWidener | null
}

/**
 * Puts the server's id of the statement into a command packet, and the parameter types where the server lacks them.
 * @param packet header included; its id is changed in place, all else in a copy, so that it can be sent again
 * @param streamed only the beginning of the command is here
 */
export function addressedTo(
  packet: Buffer,
  statement: PreparedStatement,
  there: ServerStatement,
  streamed: boolean,
): AddressedPacket {
  const command = packet[PAYLOAD_AT]
  packet.writeUInt32LE(there.id, ID_AT)
  const layout =
    command === Command.STMT_EXECUTE
      ? executeLayout(packet, statement.parameterCount, there.backend.capabilities)
      : command === Command.STMT_BULK_EXECUTE
        ? bulkLayout(packet, statement.parameterCount)
        : null
  if (layout === null) return { bytes: packet, widener: null }
  const { bound, start, end } = layout
  if (bound) {
    noteTypes(packet, statement, start, end)
    there.types = statement.types
    return { bytes: packet, widener: null }
  }
  if (statement.types === null || statement.types === there.types) return { bytes: packet, widener: null }
  const { types } = statement
  there.types = types
  const widener = new PacketWidener(start, types)
  const bytes = widener.push(packet)
  if (command === Command.STMT_EXECUTE) bytes[start - 1] = 1
  else bytes.writeUInt16LE(bytes.readUInt16LE(BULK_FLAGS_AT) | BulkFlag.SEND_TYPES, BULK_FLAGS_AT)
  return { bytes, widener: streamed ? widener : null }
}

/**
 * The parameters of an execution, types and values, as a text that is equal for equal ones; null: they are not all there.
 * Types that the packet brings are noted, since the executions after it may do without.
 * @param packet header included
 */
export function parametersOf(packet: Buffer, statement: PreparedStatement, capabilities: number): string | null {
  const layout = executeLayout(packet, statement.parameterCount, capabilities)
  if (layout === null) return statement.parameterCount === 0 ? packet.toString('latin1', FLAGS_AT) : null
  const { bound, start, end } = layout
  if (bound) noteTypes(packet, statement, start, end)
  const { types } = statement
  if (types === null) return null
  // How long each part is, is told by those before it.
  return packet.toString('latin1', FLAGS_AT, start - 1) + types.toString('latin1') + packet.toString('latin1', end)
}

/** Most clients send the same types with every execution. */
function noteTypes(packet: Buffer, statement: PreparedStatement, start: number, end: number): void {
  const same = statement.types !== null && isAt(packet, start, end, statement.types)
  if (!same) statement.types = statement.shared.internTypes(packet.subarray(start, end))
}

function isAt(packet: Buffer, start: number, end: number, types: Buffer): boolean {
  if (end - start !== types.length) return false
  for (let i = 0; i < types.length; i++) if (packet[start + i] !== types[i]) return false
  return true
}

/** Null where the packet is cut: the server will say so. */
function bulkLayout(packet: Buffer, parameterCount: number): TypesLayout | null {
  if (parameterCount === 0 || packet.length < BULK_TYPES_AT) return null
  const bound = (packet.readUInt16LE(BULK_FLAGS_AT) & BulkFlag.SEND_TYPES) !== 0
  const end = BULK_TYPES_AT + (bound ? 2 * parameterCount : 0)
  return end <= packet.length ? { bound, start: BULK_TYPES_AT, end } : null
}

/**
 * Behind the new-params-bound flag (MySQL source documentation, "COM_STMT_EXECUTE"). Null when there are no parameters, or
 * the packet is cut (the server will say so).
 */
function executeLayout(packet: Buffer, parameterCount: number, capabilities: number): TypesLayout | null {
  const named = (capabilities & Capability.QUERY_ATTRIBUTES) !== 0
  let at = PARAMETERS_AT
  let count = parameterCount
  if (named && (count > 0 || (packet[FLAGS_AT] & PARAMETER_COUNT_AVAILABLE) !== 0)) {
    const first = packet[at]
    if (at + 3 > packet.length) return null
    count = first < 0xfb ? first : first === 0xfc ? packet.readUInt16LE(at + 1) : 0
    at += first < 0xfb ? 1 : 3
  }
  if (count === 0) return null
  const start = at + ((count + 7) >> 3) + 1
  if (start > packet.length) return null
  let end = start
  if (packet[start - 1] !== 1) return { bound: false, start, end }
  for (let i = 0; i < count; i++) {
    end += 2
    if (named && end < packet.length) end += nameSize(packet, end)
  }
  return end <= packet.length ? { bound: true, start, end } : null
}

/** Size of a length-encoded name; names above 64 KiB do not exist. */
function nameSize(packet: Buffer, at: number): number {
  const first = packet[at]
  return first < 0xfb ? 1 + first : first === 0xfc && at + 3 <= packet.length ? 3 + packet.readUInt16LE(at + 1) : 1
}
