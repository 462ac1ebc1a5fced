import { Command } from '../../../protocol/index.js'
import { StatementKind } from '../../sql/index.js'
import type { CommandInHand } from './command.js'

/**
 * The id that a command asks to kill, when it is a plain number or `CONNECTION_ID()`; -1 otherwise.
 * @param own id of the session that asks
 */
export function killedId(command: CommandInHand, own: number): number {
  const { code, buffer, start, end, kind } = command
  if (code === Command.PROCESS_KILL) return end - start >= ID_END ? buffer.readUInt32LE(start + ID_AT) : -1
  const isKill = kind === StatementKind.kill || kind === StatementKind.killQuery
  const id = code === Command.QUERY && isKill ? idIn(command) : null
  if (id === null) return -1
  const text = buffer.toString('latin1', id.from, id.to)
  if (!/^\d+$/.test(text)) return own
  return text.length <= DIGITS_MAX ? Number(text) : -1
}

/** The same command with another id: as the server it goes to knows the connection. */
export function withKilledId(command: CommandInHand, threadId: number): Buffer {
  const { code, buffer, start, end } = command
  if (code === Command.PROCESS_KILL) {
    const packet = Buffer.from(buffer.subarray(start, end))
    packet.writeUInt32LE(threadId, ID_AT)
    return packet
  }
  const { from, to } = idIn(command)!
  const packet = Buffer.concat([buffer.subarray(start, from), Buffer.from(String(threadId)), buffer.subarray(to, end)])
  packet.writeUIntLE(packet.length - HEADER_SIZE, 0, 3)
  return packet
}

/** Where the statement names the connection; null: by an expression that is the server's to evaluate. */
function idIn({ buffer, start, end, argumentStart, argumentEnd }: CommandInHand): { from: number; to: number } | null {
  if (argumentStart >= 0) return { from: argumentStart, to: argumentEnd }
  if (end - start > SELF_LENGTH_MAX) return null
  const found = /\b(?:kill|connection|query|hard|soft)\s+(connection_id\s*\(\s*\))\s*;?\s*$/i.exec(
    buffer.toString('latin1', start, end),
  )
  if (found === null) return null
  const from = start + found.index + found[0].indexOf(found[1])
  return { from, to: from + found[1].length }
}

/** Whether it is the session that is meant, or its statement alone. */
export function killsStatementOnly({ kind }: CommandInHand): boolean {
  return kind === StatementKind.killQuery
}

const HEADER_SIZE = 4
/** Longer numbers are no ids. */
const DIGITS_MAX = 15
/** With its packet's header; whatever is longer is no KILL of oneself. */
const SELF_LENGTH_MAX = 200
/** COM_PROCESS_KILL in its packet: header, command, id. */
const ID_AT = 5
const ID_END = 9
