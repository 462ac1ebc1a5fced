import { monotonicMs } from '../../shared/clock.js'
import { ProxyError } from '../../shared/errors.js'
import type { Flavor } from '../../shared/snapshot.js'
import { Effect, StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'

/* What a client is told of a connection that was lost, with a statement or between two. */

/**
 * What is to be said to the command that comes after a loss. A ROLLBACK of a transaction that was lost needs no server,
 * which may not be back yet: what it asks for has happened.
 * @returns the command's answer; `done`: OK; null: there is nothing to tell
 */
export function settleLoss(command: CommandInHand, facts: SessionFacts, flavor: Flavor): ProxyError | 'done' | null {
  const { lost } = facts
  if (facts.transactionLost && isPlainRollback(command)) {
    facts.transactionLost = false
    if (facts.onlyTransactionLost) facts.lost = ''
    return 'done'
  }
  facts.lost = ''
  if (lost !== '') return connectionLost(`sluice: ${lost}`, flavor)
  facts.transactionLost = false
  return null
}

/** Server shutting down, or the connection killed: what was asked has not been done. */
export function isShuttingDown(errno: number): boolean {
  return errno === 1053 || errno === 3169 || errno === 1927
}

/**
 * Takes the loss of the connection of the command in hand into the session's facts.
 * @returns what the client is told: what is known of the statement's outcome
 */
export function loseInFlight(
  command: CommandInHand,
  facts: SessionFacts,
  backend: Backend,
  reason: string,
): ProxyError {
  const where = `sluice: the connection to ${backend.target.id} was lost`
  const outcome = staysInTransaction(command, facts)
    ? 'the transaction was not committed'
    : command.mayWrite
      ? 'whether the statement took effect is unknown'
      : 'the statement was not completed'
  if (facts.pinned === backend) {
    facts.transactionLost = facts.inTransaction
    facts.unpin()
  }
  if (command.mayWrite) facts.consistency.wrote(monotonicMs(), '', backend.target.flavor)
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
