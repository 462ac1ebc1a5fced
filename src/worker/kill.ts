import { Command } from '../../protocol/index.js'
import { SESSION_IDS, type SessionKill, type SessionPlace, type SessionWanted } from '../shared/ipc.js'
import type { ServerId } from '../shared/snapshot.js'
import { StatementKind } from '../sql/index.js'
import type { CommandInHand } from './command.js'
import type { Session } from './session.js'

/*
 * KILL of a session that came through Sluice. Its id may be the one of its greeting, which drivers know, or that of its
 * connection to the primary, which CONNECTION_ID() and SHOW PROCESSLIST tell. Whether it may be killed is for a server
 * to decide, so the KILL is executed there, on one of its connections; what it means for the session itself comes after.
 */

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

/** Finds a session of this worker. */
export function findSession(sessions: ReadonlyMap<number, Session>, wanted: SessionWanted): Session | null {
  if (wanted.id >= SESSION_IDS.first) return sessions.get(wanted.id) ?? null
  for (const session of sessions.values()) {
    for (const { target, threadId } of session.execution.backends.all) {
      if (threadId === wanted.id && target.id === wanted.server) return session
    }
  }
  return null
}

/** Where a session is; the connection on which a KILL hits its statement comes first. */
export function placeOf(session: Session): SessionPlace {
  const { backends, running, facts } = session.execution
  const rank = (server: ServerId, hostgroup: number): number =>
    server === running?.target.id ? 0 : hostgroup === facts.user.defaultHostgroup ? 1 : 2
  const connections = [...backends.all]
    .sort((a, b) => rank(a.target.id, a.target.hostgroup) - rank(b.target.id, b.target.hostgroup))
    .map((backend) => ({ server: backend.target.id, threadId: backend.threadId, running: backend === running }))
  return { sessionId: session.id, user: session.user, connections }
}

/** Does to a session what a server has allowed. */
export function performKill(session: Session, { statementOnly, doneOn }: SessionKill): void {
  if (!statementOnly) return session.close('killed')
  const { running, command } = session.execution
  if (running === null) command.killed = true
  else if (running.target.id !== doneOn) session.killStatement(running)
}

const HEADER_SIZE = 4
/** COM_PROCESS_KILL in its packet: header, command, id. */
const ID_AT = 5
const ID_END = 9
