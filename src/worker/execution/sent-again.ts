import type { ErrPacket } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { Effect, StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import type { WorkerContext } from '../context.js'
import { isReadOnlyRefusal } from '../routing/learned-writes.js'
import { asRefusedByPrimary, isRefusedByOption } from '../routing/read-only-refusal.js'
import { BY_READING, reasonOfHold } from '../routing/router.js'
import type { TopologyView } from '../routing/topology-view.js'
import { type CommandInHand, isExecute } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import type { PreparedStatement } from '../statements/statements.js'
import { isShuttingDown } from './lost.js'
import { LOOK_AGAIN_MS } from './waiting.js'

/* The retry rule: what of an answer that nobody has seen yet means that the command is executed once more. */

/** A read that lost its connection, or a server that could not be reached, is tried on another one so many times. */
export const ATTEMPTS_MAX = 4

interface InHand {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly facts: SessionFacts
  readonly text: SessionText
}

/** A proven read of which the client has nothing yet, in no transaction, may be executed on another connection, unless it asks for what went with that one. */
export function mayRepeat({ command, facts }: Pick<InHand, 'command' | 'facts'>, answerStarted: boolean): boolean {
  const retries = command.ruling?.retries ?? -1
  const attemptsMax = retries < 0 ? ATTEMPTS_MAX : retries + 1
  if (!command.repeatable || answerStarted || command.attempts >= attemptsMax) return false
  if (command.timedOut !== null) return false
  return facts.pinned === null && reasonOfHold(facts, command.effects) === null
}

/**
 * Whether a server's error is kept from the client because the command is sent again, having seen to it that it finds
 * better conditions.
 */
export function isSentAgain(
  inHand: InHand,
  context: WorkerContext,
  answerStarted: boolean,
  errno: number,
  message: string,
  backend: Backend,
): boolean {
  if (STATEMENT_GONE.has(errno) && mayPrepareAgain(inHand)) {
    inHand.statement!.on(backend)?.close()
    return true
  }
  if (isReadOnlyRefusal(errno) && isMistakenRead(inHand, context.view, backend)) {
    learnWrite(inHand, context, `${errno} ${message}`)
    return true
  }
  if (isRefusedByOption({ errno, message }) && mayAwaitPrimary(inHand, context.view, backend)) {
    inHand.command.exclude(backend.target.id)
    return true
  }
  if (NOT_THERE_YET.has(errno) && mayBeBehind(inHand, context.view, backend)) {
    leaveToPrimary(inHand, context.view, backend)
    return true
  }
  if (!isShuttingDown(errno) || !mayRepeat(inHand, answerStarted)) return false
  backend.destroy(message)
  return true
}

/** The error that the client gets in place of a server's; null: that one. */
export function inWordsOfPrimary(
  { command, facts }: InHand,
  view: TopologyView,
  err: ErrPacket,
  backend: Backend,
): ErrPacket | null {
  if (command.timedOut !== null && err.errno === INTERRUPTED) return command.timedOut
  const { hostgroup, flavor } = backend.target
  // What commits implicitly is no statement of the transaction: the primary would execute it.
  const commits = (command.effects & Effect.implicitCommit) !== 0
  if (commits || view.isWriter(hostgroup)) return null
  return asRefusedByPrimary(err, facts.statusFlags, flavor)
}

/** A replica refuses what was taken for a read: the primary has the last word on it. */
function isMistakenRead({ command, facts }: InHand, view: TopologyView, backend: Backend): boolean {
  const isReplica = !view.isWriter(backend.target.hostgroup)
  return isReplica && command.repeatable && !command.learned && facts.pinned === null && !facts.inTransaction
}

function learnWrite({ command, statement, text }: InHand, { learned, counters }: WorkerContext, error: string): void {
  const digest = text.digestOf(command, statement?.shared ?? null)
  if (digest !== null) learned.learn(digest, error)
  counters.writesLearned++
  command.learned = true
  command.repeatable = false
}

/**
 * A primary that refuses what writes is about to be one no more. Nothing has been done: the statement waits for the next primary
 * as those do that come when there is none, up to the same limit. One that is a part of something, or whose place is given, does not.
 */
function mayAwaitPrimary({ command, statement, facts }: InHand, view: TopologyView, backend: Backend): boolean {
  const { id, hostgroup } = backend.target
  // It goes there whatever is known of the server.
  if (command.excluded?.has(id) === true) return false
  if (view.readerOf(hostgroup) < 0 || hostgroup !== facts.user.defaultHostgroup || command.hintHostgroup >= 0)
    return false
  if (!WHOLE_KINDS.has(command.kind) || command.streamed || (statement !== null && statement.boundTo !== null))
    return false
  if (facts.inTransaction || !facts.autocommit || facts.keeps(backend)) return false
  const { connectTimeoutServerMaxMs } = view.snapshot.limits
  return monotonicMs() + LOOK_AGAIN_MS < command.startedAt + connectTimeoutServerMaxMs
}

/** One statement that is executed as a whole or not at all. */
const WHOLE_KINDS: ReadonlySet<number> = new Set([StatementKind.write, StatementKind.ddl])

/** A replica that got the statement because it only reads may not have yet what it reads of: others have just made it. */
function mayBeBehind({ command, facts }: InHand, view: TopologyView, backend: Backend): boolean {
  if (view.isWriter(backend.target.hostgroup) || !command.repeatable || command.learned) return false
  return BY_READING.has(command.reason) && facts.pinned === null && !facts.inTransaction
}

function leaveToPrimary({ command }: InHand, view: TopologyView, backend: Backend): void {
  const writers = view.online(view.writerOf(backend.target.hostgroup))
  for (const { entry } of view.online(backend.target.hostgroup)) {
    if (!writers.some((writer) => writer.entry.id === entry.id)) command.exclude(entry.id)
  }
}

/** The server does not have the statement any more, and has not executed anything. */
function mayPrepareAgain({ command, statement }: InHand): boolean {
  if (statement === null || !isExecute(command.code) || command.preparedAgain || command.streamed) return false
  return statement.longDataOn === null && statement.shared.complete
}

/** ER_QUERY_INTERRUPTED: killed. */
const INTERRUPTED = 1317
/** ER_UNKNOWN_STMT_HANDLER and ER_NEED_REPREPARE. */
const STATEMENT_GONE: ReadonlySet<number> = new Set([1243, 1615])

/**
 * What there is not, or may not be read: ER_DBACCESS_DENIED_ERROR, ER_BAD_DB_ERROR, ER_BAD_FIELD_ERROR, ER_TABLEACCESS_DENIED_ERROR,
 * ER_COLUMNACCESS_DENIED_ERROR, ER_NO_SUCH_TABLE, ER_SP_DOES_NOT_EXIST, ER_VIEW_INVALID, ER_PROCACCESS_DENIED_ERROR.
 */
const NOT_THERE_YET: ReadonlySet<number> = new Set([1044, 1049, 1054, 1142, 1143, 1146, 1305, 1356, 1370])
