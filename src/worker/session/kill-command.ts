import { Command } from '../../../protocol/index.js'
import { StatementKind } from '../../sql/index.js'
import type { CommandInHand } from './command.js'

/** The id that a command asks to kill, when it is a plain number; -1 otherwise. */
export function killedId(command: CommandInHand): number {
  const { code, buffer, start, end, argumentStart, argumentEnd } = command
  if (code === Command.PROCESS_KILL) return end - start >= ID_END ? buffer.readUInt32LE(start + ID_AT) : -1
  const isKill = command.kind === StatementKind.kill || command.kind === StatementKind.killQuery
  if (code !== Command.QUERY || !isKill || argumentStart < 0) return -1
  const text = buffer.toString('latin1', argumentStart, argumentEnd)
  return /^\d{1,15}$/.test(text) ? Number(text) : -1
}

/** The same command with another id: as the server it goes to knows the connection. */
export function withKilledId(command: CommandInHand, threadId: number): Buffer {
  const { code, buffer, start, end, argumentStart, argumentEnd } = command
  if (code === Command.PROCESS_KILL) {
    const packet = Buffer.from(buffer.subarray(start, end))
    packet.writeUInt32LE(threadId, ID_AT)
    return packet
  }
  const before = buffer.subarray(start, argumentStart)
  const packet = Buffer.concat([before, Buffer.from(String(threadId)), buffer.subarray(argumentEnd, end)])
  packet.writeUIntLE(packet.length - HEADER_SIZE, 0, 3)
  return packet
}

/** Whether it is the session that is meant, or its statement alone. */
export function killsStatementOnly({ kind }: CommandInHand): boolean {
  return kind === StatementKind.killQuery
}

const HEADER_SIZE = 4
/** COM_PROCESS_KILL in its packet: header, command, id. */
const ID_AT = 5
const ID_END = 9
