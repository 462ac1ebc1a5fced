import { ProxyError } from '../shared/errors.js'
import type { Flavor } from '../shared/snapshot.js'
import { Effect, StatementKind } from '../sql/index.js'
import type { Backend } from './backend.js'
import type { CommandInHand } from './command.js'
import type { SessionFacts } from './session-facts.js'

/** What is known of a statement whose connection was lost. */

/** Server shutting down, or the connection killed: what was asked has not been done. */
export function isShuttingDown(errno: number): boolean {
  return errno === 1053 || errno === 3169 || errno === 1927
}

/** The answer to a statement whose connection was lost: what is known of its outcome. */
export function lostError(command: CommandInHand, facts: SessionFacts, backend: Backend, reason: string): ProxyError {
  const where = `sluice: the connection to ${backend.target.id} was lost`
  const outcome = staysInTransaction(command, facts)
    ? 'the transaction was not committed'
    : command.mayWrite
      ? 'whether the statement took effect is unknown'
      : 'the statement was not completed'
  return connectionLost(`${where}; ${outcome} (${reason})`, backend.target.flavor)
}

/**
 * What a client is told of a lost connection. 2013, as which a client library itself names it, is not for servers to send:
 * libraries take it for a malformed packet. MySQL's number is of the class of connection errors (ER_SERVER_SHUTDOWN),
 * MariaDB's says what the server would say of a connection that it ends (ER_CONNECTION_KILLED).
 */
export function connectionLost(message: string, flavor: Flavor): ProxyError {
  return flavor === 'mysql'
    ? new ProxyError('connection-lost', 1053, '08S01', message)
    : new ProxyError('connection-lost', 1927, '70100', message)
}

/** Whether a statement belongs to an open transaction and cannot have committed it. */
function staysInTransaction({ kind, effects }: CommandInHand, { inTransaction }: SessionFacts): boolean {
  return inTransaction && UNCOMMITTED_KINDS.has(kind) && (effects & Effect.implicitCommit) === 0
}

const UNCOMMITTED_KINDS: ReadonlySet<number> = new Set([
  StatementKind.read,
  StatementKind.primaryRead,
  StatementKind.do,
  StatementKind.write,
  StatementKind.savepoint,
  StatementKind.rollback,
])

/** ROLLBACK, without anything that it is to do besides. */
export function isPlainRollback({ kind, effects }: CommandInHand): boolean {
  return kind === StatementKind.rollback && (effects & (Effect.chain | Effect.release)) === 0
}
