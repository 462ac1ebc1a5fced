import { ProxyError } from '../../shared/errors.js'
import type { SessionKill, SessionPlace } from '../../shared/ipc.js'
import type { Flavor } from '../../shared/snapshot.js'
import type { WorkerContext } from '../context.js'
import type { Execution } from '../execution/execution.js'
import { INTERRUPTED } from './command.js'
import { killedId, killsStatementOnly, withKilledId } from './kill-command.js'

/*
 * A client's KILL of a session that came through Sluice, from its command to its outcome (what becomes of the session that
 * is meant: kill.ts).
 */

/** Finds the session that the KILL in hand means; null: none of ours, it is for the server alone. @param own id of the session that asks */
export function findKilled(
  { command, facts }: Execution,
  own: number,
  context: WorkerContext,
): Promise<SessionPlace | null> {
  const server = context.view.online(facts.user.defaultHostgroup)[0]?.entry.id ?? ''
  return context.sessionSearch.find({ id: killedId(command, own), server, killer: facts.user.name })
}

/**
 * Whether no server has a part in it: the session has no connection, or it is one's own and runs nothing anywhere (a
 * KILL QUERY of an idle connection may hit the statement after).
 */
export function needsNoServer({ connections, user }: SessionPlace, { command, facts }: Execution): boolean {
  if (connections.length === 0) return true
  const idle = !connections.some(({ running }) => running)
  return idle && killsStatementOnly(command) && user === facts.user.name
}

/**
 * Directs the KILL in hand to a server that knows the session, by the id that it has there.
 * @param place with a connection at least
 * @returns what the session is to be told once the server has allowed it
 */
export function aimKill({ command }: Execution, { sessionId, connections }: SessionPlace): SessionKill {
  const { server, threadId, running } = connections[0]
  const kill = { sessionId, statementOnly: killsStatementOnly(command), hit: running }
  command.redirect(withKilledId(command, threadId), server)
  return kill
}

/** Whether a server that has answered a KILL with this error (0: none) has performed it. */
export function isPerformed(errno: number): boolean {
  return errno === 0 || errno === INTERRUPTED.errno || errno === CONNECTION_KILLED.errno
}

/** What a session is told that kills itself. */
export function killedItself(flavor: Flavor): ProxyError {
  return flavor === 'mysql' ? INTERRUPTED : CONNECTION_KILLED
}

export function notOwner(sessionId: number): ProxyError {
  return new ProxyError('kill-denied', 1095, 'HY000', `You are not owner of thread ${sessionId}`)
}

const CONNECTION_KILLED = new ProxyError('killed', 1927, '70100', 'Connection was killed')
