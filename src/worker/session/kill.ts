import { monotonicMs } from '../../shared/clock.js'
import { SESSION_IDS, type SessionKill, type SessionPlace, type SessionWanted } from '../../shared/ipc.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { WorkerContext } from '../context.js'
import { INTERRUPTED } from './command.js'
import { killRunning } from './killer.js'
import type { Session } from './session.js'

/*
 * KILL of a session that came through Sluice. Its id may be the one of its greeting, which drivers know, or that of its
 * connection to the primary, which CONNECTION_ID() and SHOW PROCESSLIST tell. Whether it may be killed is for a server
 * to decide, so the KILL is executed there, on one of its connections; what it means for the session itself comes after.
 */

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

/** A KILL that names a connection is sent within this time, or whoever gets that connection next could be hit. */
const KILL_WITHIN_MS = 1_000

/**
 * Where a session is, for a KILL; the connection on which that hits its statement comes first. None of them is given to
 * others before it has come.
 */
export function placeOf(session: Session): SessionPlace {
  const { backends, running, facts } = session.execution
  const keepUntil = monotonicMs() + KILL_WITHIN_MS
  session.mayBeKilledUntil = keepUntil
  for (const backend of backends.all) backend.keepUntil = keepUntil
  const rank = (server: ServerId, hostgroup: number): number =>
    server === running?.target.id ? 0 : hostgroup === facts.user.defaultHostgroup ? 1 : 2
  const connections = [...backends.all]
    .sort((a, b) => rank(a.target.id, a.target.hostgroup) - rank(b.target.id, b.target.hostgroup))
    .map((backend) => ({ server: backend.target.id, threadId: backend.threadId, running: backend === running }))
  return { sessionId: session.id, user: session.user, connections }
}

/** Does to a session what a server has allowed. */
export function performKill(session: Session, { statementOnly, hit }: SessionKill, context: WorkerContext): void {
  if (!statementOnly) return session.close('killed')
  if (hit) return
  const { running, command, backends } = session.execution
  if (running === null) command.killed = true
  else if (!session.execution.cutInLane(INTERRUPTED)) void killRunning(running, backends.login, context, 'QUERY')
}
