import { Answer, Command, encodeCommand } from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { Flavor } from '../../shared/snapshot.js'
import { StatementKind } from '../../sql/index.js'
import type { Wishes } from '../consistency/wishes.js'
import type { WorkerContext } from '../context.js'
import type { Execution } from '../execution/execution.js'
import { judgeByRules } from '../rules/rule-verdict.js'
import { noCursor, type PreparedStatement, statementDataLost, unknownStatement } from '../statements/statements.js'
import { COMMAND_RULES, type CommandInHand, type CommandRule, Handling, isExecute } from './command.js'
import { type Connection, connectionStatus } from './connection-status.js'
import { answerOwn, executeOwn, isAnsweredAsOwn, prepareOwn } from './own-answers.js'
import { resetSession } from './session-reset.js'
import { ownStatement, positionStatement } from './sluice-variables.js'

/**
 * What is done with a command: it goes to a server, or is answered here with OK, with an error or not at all, or is one of
 * those that the session itself sees to.
 */
export type Verdict = 'execute' | 'ok' | 'silence' | 'kill' | 'changeUser' | 'quit' | ProxyError | Buffer

/** Judges the command in hand before it is routed, and notes on it what is known of its text or its statement. */
export function judge(execution: Execution, rule: CommandRule, context: WorkerContext, client: Connection): Verdict {
  const { command } = execution
  switch (rule.handling) {
    case Handling.text:
      execution.text.understand(command)
      return judgeByRules(execution, context) ?? judgeText(execution, context, client)
    case Handling.prepare:
      execution.text.understand(command)
      // Preparing leaves nothing behind, whatever the text would do.
      command.repeatable = !command.streamed
      return judgeByRules(execution, context) ?? judgePrepare(execution, context)
    case Handling.statement:
      return judgeStatementCommand(execution, context)
    case Handling.routed:
      return 'execute'
    case Handling.kill:
      return command.streamed ? MALFORMED : 'kill'
    case Handling.changeUser:
      return command.streamed ? MALFORMED : 'changeUser'
    case Handling.reset:
      return resetSession(execution, context.view) ? 'ok' : 'execute'
    case Handling.ping:
      return 'ok'
    case Handling.quit:
      return 'quit'
    default:
      return UNKNOWN_COMMAND
  }
}

function judgeText(execution: Execution, context: WorkerContext, client: Connection): Verdict {
  const { command, text } = execution
  const { view } = context
  if (command.wishes !== null && command.wishes.unknown !== '') noteUnknown(command.wishes.unknown, context)
  if (isKill(command) && !command.streamed) return 'kill'
  const own = ownStatement(command, text)
  if (own !== null) return own instanceof ProxyError ? own : answerOwn(own, execution, view)
  const position = positionStatement(command, text, view.flavor)
  if (position !== null) askPosition(command, text.encode(position))
  return connectionStatus(execution, client, view.flavor) ?? 'execute'
}

/** SLUICE_POSITION() is asked of the primary in its own words. */
function askPosition(command: CommandInHand, packet: Buffer): void {
  command.redirect(packet, '')
  command.kind = StatementKind.primaryRead
  command.effects = 0
  command.repeatable = false
}

/** A hint never breaks a statement: the one that was not understood asks for what is safe. It is named once. */
function noteUnknown(unknown: string, { counters, log, view }: WorkerContext): void {
  counters.consistencyHintsUnknown++
  if (named.has(view)) return
  named.add(view)
  log.warn(
    { hint: unknown.slice(0, HINT_LENGTH_MAX) },
    'a consistency hint is not understood: its statement runs on the primary',
  )
}

/** Workers that have named one. */
const named = new WeakSet<object>()
const HINT_LENGTH_MAX = 200

function isKill({ kind }: CommandInHand): boolean {
  return kind === StatementKind.kill || kind === StatementKind.killQuery
}

/** The rule of a command, which is none where the servers would not know the command. */
export function ruleOf(code: number, flavor: Flavor): CommandRule {
  if (code === Command.STMT_BULK_EXECUTE && flavor !== 'mariadb') return UNKNOWN
  return COMMAND_RULES.get(code) ?? UNKNOWN
}

/** The statement is remembered before a server is asked for it. */
function judgePrepare(execution: Execution, { counters, view }: WorkerContext): Verdict {
  counters.comFrontendStmtPrepare++
  const { command, text } = execution
  const own = ownStatement(command, text)
  if (own instanceof ProxyError) return own
  const position = positionStatement(command, text, view.flavor)
  if (position !== null) askPosition(command, encodeCommand(Command.STMT_PREPARE, Buffer.from(position)))
  try {
    const statement = execution.statements.add(command, execution.state)
    if (own !== null) {
      statement.shared.own = own
      return prepareOwn(own, statement, execution)
    }
    execution.statement = statement
  } catch (error) {
    if (error instanceof ProxyError) return error
    throw error
  }
  return 'execute'
}

/** Commands that name a prepared statement: what is known of that is true of them. */
function judgeStatementCommand(execution: Execution, context: WorkerContext): Verdict {
  const { counters, view } = context
  const { command, statements } = execution
  const { code, buffer, end } = command
  const payload = command.start + HEADER_SIZE
  const statement = statements.find(buffer, payload, end, view.flavor === 'mariadb')
  if (statement === null) return unknownStatementIn(command, payload, view.flavor)
  execution.statement = statement
  const { shared } = statement
  command.kind = shared.kind
  command.effects = shared.effects
  command.hint = shared.hint
  command.hintHostgroup = shared.hintHostgroup
  command.perStatement = shared.perStatement
  command.wishes = isExecute(code) ? executeWishes(execution, statement, payload) : shared.wishes
  command.repeatable = isExecute(code) && shared.repeatable && !command.streamed
  if (asksForCursor(command, payload)) command.answer = Answer.cursor
  if (isExecute(code)) {
    counters.comFrontendStmtExecute++
    command.verb = shared.verb
  }
  if (isExecute(code) || code === Command.STMT_FETCH) execution.text.noteDigest(command, shared)
  if (code === Command.STMT_CLOSE) {
    counters.comFrontendStmtClose++
    statements.close(statement)
    return 'silence'
  }
  if (isExecute(code)) {
    const answer = judgeByRules(execution, context)
    if (answer !== null) return answer
  }
  if (shared.own !== null && isAnsweredAsOwn(code)) return executeOwn(shared.own, statement, execution, view)
  return judgeByData(code, statement, buffer.readUInt32LE(payload + 1), view.flavor)
}

/** Attributes of an execution stand behind its parameters; where there are none nothing is decoded. */
function executeWishes(
  { command, text }: Execution,
  { shared, parameterCount, longDataOn }: PreparedStatement,
  payload: number,
): Wishes | null {
  const { code, buffer, end, streamed } = command
  const counted = end > payload + 5 && (buffer[payload + 5] & PARAMETER_COUNT_AVAILABLE) !== 0
  if (code !== Command.STMT_EXECUTE || !counted || !text.mayHaveAttributes || streamed || longDataOn !== null)
    return shared.wishes
  if ((buffer[payload + 10] ?? 0) <= parameterCount) return shared.wishes
  const bytes = buffer.subarray(payload, end)
  return text.wishesOfExecute(shared.wishes, bytes, parameterCount)
}

/** Some can only be answered here: no server has the statement's cursor, or the parameters sent ahead. */
function judgeByData(code: number, statement: PreparedStatement, id: number, flavor: Flavor): Verdict {
  const { cursorOn, longDataOn } = statement
  const lost = (code === Command.STMT_FETCH ? cursorOn : longDataOn)?.state === 'closed'
  if (code === Command.STMT_RESET && (lost || (cursorOn ?? statement.boundTo) === null)) {
    statement.reset()
    return 'ok'
  }
  if (lost) {
    // More data for what is lost has no answer either.
    if (code === Command.STMT_SEND_LONG_DATA) return 'silence'
    statement.reset()
    return statementDataLost(id, flavor)
  }
  return code === Command.STMT_FETCH && cursorOn === null ? noCursor(id, flavor) : 'execute'
}

function unknownStatementIn({ code, buffer, end }: CommandInHand, payload: number, flavor: Flavor): Verdict {
  if (code === Command.STMT_CLOSE || code === Command.STMT_SEND_LONG_DATA) return 'silence'
  const id = end >= payload + 5 ? buffer.readUInt32LE(payload + 1) : 0
  return unknownStatement(id, flavor === 'mysql' ? MYSQL_PRECHECK : STATEMENT_COMMANDS[code])
}

/** COM_STMT_EXECUTE: command, statement id (4), cursor type. A CALL opens none, but its procedure may have cursors. */
function asksForCursor({ code, kind, buffer, end }: CommandInHand, payload: number): boolean {
  if (code !== Command.STMT_EXECUTE || kind === StatementKind.call || end <= payload + 5) return false
  return (buffer[payload + 5] & CURSOR_TYPES) !== 0
}

const UNKNOWN: CommandRule = { handling: Handling.unknown, kind: StatementKind.unknown, answer: Answer.results }
export const UNKNOWN_COMMAND = new ProxyError('unknown-command', 1047, '08S01', 'Unknown command')
/** Too long for what it is: what follows of it would have to wait for an answer that comes later. */
const MALFORMED = new ProxyError('malformed', 1835, 'HY000', 'Malformed communication packet.')

const HEADER_SIZE = 4

/** CURSOR_TYPE_READ_ONLY, _FOR_UPDATE and _SCROLLABLE. */
const CURSOR_TYPES = 0x07

/** In the same byte: the number of parameters follows, those of attributes included. */
const PARAMETER_COUNT_AVAILABLE = 0x08

/** What MySQL (8.0 and later) names in its message 1243, and the commands' names in MariaDB's. */
const MYSQL_PRECHECK = 'mysql_stmt_precheck'
const STATEMENT_COMMANDS: Readonly<Record<number, string>> = {
  [Command.STMT_EXECUTE]: 'mysqld_stmt_execute',
  [Command.STMT_BULK_EXECUTE]: 'mysqld_stmt_bulk_execute',
  [Command.STMT_FETCH]: 'mysqld_stmt_fetch',
  [Command.STMT_RESET]: 'mysqld_stmt_reset',
}
