import { Answer, Command, ServerStatus } from '../../../protocol/index.js'
import { changesAccounts, diagnosticsTargets, Effect, parseSet, StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import { learnConsistency } from '../consistency/consistency-learn.js'
import type { WorkerContext } from '../context.js'
import { type CommandInHand, isExecute } from '../session/command.js'
import { Hold, Pin, type SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import { sqlInHand } from '../session/sql-in-hand.js'
import { textsReadOtherwise } from '../state/parse-state.js'
import type { Residue } from '../state/residue.js'
import { mayChangeAccounts } from '../state/server-changes.js'
import { type AnswerNotes, learnAssignments, learnFromAnswer } from '../state/session-learn.js'
import { CHARSET_VARIABLES, isCarried, type SessionState } from '../state/session-state.js'
import type { VariablesElsewhere } from '../state/variables-elsewhere.js'
import { makeRoom } from '../statements/server-statements.js'
import type { PreparedStatement, Statements } from '../statements/statements.js'
import type { StatementCount } from '../statistics/statement-count.js'

/** What an answer teaches something about. */
export interface Answered {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly statements: Statements
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly text: SessionText
  readonly residue: Residue
  readonly count: StatementCount
  elsewhere: VariablesElsewhere | null
}

/** Takes what the whole answer to the command in hand means into the session, its statements and the counters. */
export function learnFromWhole(
  session: Answered,
  backend: Backend,
  notes: AnswerNotes,
  context: WorkerContext,
  now: number,
): void {
  const { command, facts, statement } = session
  const failed = backend.follower.errno !== 0
  const wrote = facts.consistency.lastWriteAt >= 0
  learnFromAnswer(command, backend, notes, facts, context.view)
  learnConsistency(command, backend, notes.gtids, facts, context, now)
  if (command.executes) session.residue.learn(command, backend)
  if (failed && command.executes && (command.effects & TOLD_BY_TEXT) !== 0) learnFailedSet(session, backend)
  if (!failed && command.code === Command.SET_OPTION) learnOption(session, backend)
  if (!failed && command.executes) {
    if ((command.effects & TOLD_BY_TEXT) !== 0) learnFromText(session, backend, notes)
    if ((command.effects & NAMING_EFFECTS) !== 0 || NAMING_KINDS.has(command.kind)) learnNames(session, backend)
  }
  if (!failed && command.executes && mayChangeAccounts(command)) learnAccounts(session, notes, context)
  if (command.executes && notes.untold !== null) askThere(session, backend, [], notes.untold)
  const otherwise = textsReadOtherwise(session.state)
  if (otherwise.length > 0) askThere(session, backend, otherwise, [])
  const diagnosed = command.kind === StatementKind.diagnostics && (command.effects & Effect.setsUserVariable) !== 0
  if (!failed && diagnosed && !context.view.isWriter(backend.target.hostgroup)) learnDiagnostics(session, backend)
  if (statement !== null && command.code === Command.STMT_PREPARE) learnPrepared(session, statement, backend, context)
  else if (statement !== null) learnStatement(command, statement, backend)
  if (facts.user.dryRun === true) context.dryRuns.count(facts.user, command)
  session.count.answered(command, backend, wrote, now)
}

/** COM_SET_OPTION: 0 switches several statements in one text on, 1 off (MYSQL_OPTION_MULTI_STATEMENTS_ON). */
function learnOption({ command, state }: Answered, { applied }: Backend): void {
  const on = command.buffer.readUInt16LE(command.start + OPTION_AT) === 0
  state.setMultiStatements(on)
  applied.multiStatements = on
  applied.noteCurrent(state)
}

/** Behind the packet's header and the command byte. */
const OPTION_AT = 5

// What the statement's text tells. ---------------------------------------------------------------------------------------

/** Effects of a SET of which session tracking does not tell all. */
const TOLD_BY_TEXT = Effect.setsUserVariableLiteral | Effect.setsSessionState
const NAMING_EFFECTS = Effect.temporaryTable | Effect.advisoryLock | Effect.releasesAdvisoryLock
const NAMING_KINDS: ReadonlySet<number> = new Set([
  StatementKind.ddl,
  StatementKind.prepare,
  StatementKind.deallocate,
  StatementKind.handler,
  StatementKind.xa,
])
const LOCKS = Effect.advisoryLock | Effect.releasesAdvisoryLock

function learnFromText(session: Answered, backend: Backend, notes: AnswerNotes): void {
  const { command, facts, state, statement, text } = session
  if (command.kind === StatementKind.set) {
    learnAssignments(sqlInHand(session), text.options, backend, state, facts, notes, statement !== null)
  } else if ((command.effects & Effect.setsUserVariableLiteral) !== 0) facts.addHold(Hold.userVariables, backend)
}

/** A SET that fails at one of its assignments has done those before it, and says nothing of them. */
function learnFailedSet(session: Answered, backend: Backend): void {
  if (session.command.kind !== StatementKind.set) return
  const { buffer, start, end } = sqlInHand(session)
  const assignments = parseSet(buffer, start, end, session.text.options) ?? []
  if (assignments.length < 2) return
  const names = assignments.filter(({ scope }) => scope === 'user_variable').map(({ name }) => name)
  const ofSession = assignments.filter(({ scope, special }) => scope === 'session' && special !== 'names')
  const systemNames = ofSession.map(({ name }) => name).filter((name) => isCarried(name) && /^[a-z0-9_]+$/.test(name))
  if (assignments.some(({ special }) => special === 'names')) systemNames.push(...CHARSET_VARIABLES)
  askThere(session, backend, names, systemNames)
}

function learnAccounts(session: Answered, notes: AnswerNotes, context: WorkerContext): void {
  const { buffer, start, end } = sqlInHand(session)
  if (!changesAccounts(buffer, start, end, session.text.options)) return
  context.accountsChanged()
  notes.accountsChanged = true
}

/** What a statement has made or ended that has a name: with the last of a sort its pin or hold ends. */
function learnNames(session: Answered, backend: Backend): void {
  const { command, facts, text } = session
  const { kind, effects } = command
  const { names } = facts
  const sql = sqlInHand(session)
  const dropsTables = kind === StatementKind.ddl && names.hasTables
  if ((effects & Effect.temporaryTable) !== 0 || dropsTables) {
    if (!names.learnTables(sql, text.options)) facts.removePin(Pin.temporaryTable)
  }
  if ((effects & LOCKS) !== 0 && !names.learnLocks(sql, text.options, effects)) facts.removePin(Pin.advisoryLock)
  switch (kind) {
    case StatementKind.prepare:
    case StatementKind.deallocate:
      return hold(names.learnPrepared(argument(command), kind), Hold.preparedText, facts, backend)
    case StatementKind.handler:
      return hold(names.learnHandlers(sql, text.options), Hold.handler, facts, backend)
    case StatementKind.xa:
      return hold(!ENDS_XA.test(sql.buffer.toString('latin1', sql.start, sql.end)), Hold.xa, facts, backend)
    default:
  }
}

/** Anything else may begin or prepare one. */
const ENDS_XA = /^\s*xa\s+(commit|rollback)\b/i

function hold(lasts: boolean, what: number, facts: SessionFacts, backend: Backend): void {
  if (lasts) facts.addHold(what, backend)
  else facts.removeHold(what)
}

/** The name that the text-protocol statement is about; empty where it is not in hand. */
function argument({ buffer, argumentStart, argumentEnd }: CommandInHand): string {
  return argumentStart < 0 ? '' : buffer.toString('utf8', argumentStart, argumentEnd)
}

/** GET DIAGNOSTICS sets variables where the statement before it ran: on a replica here. */
function learnDiagnostics(session: Answered, backend: Backend): void {
  const { buffer, start, end } = sqlInHand(session)
  const names = diagnosticsTargets(buffer, start, end, session.text.options)
  askThere(session, backend, names, [])
}

/** The values of these variables have to be asked for. */
function askThere(session: Answered, backend: Backend, names: readonly string[], systemNames: readonly string[]): void {
  const known = session.elsewhere?.backend === backend ? session.elsewhere : null
  session.elsewhere = {
    backend,
    names: new Set([...(known?.names ?? []), ...names]),
    systemNames: new Set([...(known?.systemNames ?? []), ...systemNames]),
  }
}

// What becomes of a prepared statement. ----------------------------------------------------------------------------------

function learnPrepared(
  { statements }: Answered,
  statement: PreparedStatement,
  backend: Backend,
  { view }: WorkerContext,
): void {
  const { errno, statementId } = backend.follower
  // Without an id there is no statement, whatever the server has answered.
  if (errno !== 0 || statementId === 0) return statements.close(statement)
  learnMetadata(statement, backend)
  makeRoom(backend, view.snapshot.limits.maxStmtsPerConnection)
}

function learnStatement({ code, answer }: CommandInHand, statement: PreparedStatement, backend: Backend): void {
  learnMetadata(statement, backend)
  if (code === Command.STMT_RESET) return statement.reset()
  const { statusFlags } = backend.follower
  if (code === Command.STMT_FETCH && (statusFlags & LAST_ROW_SENT) !== 0) statement.cursorOn = null
  if (!isExecute(code)) return
  statement.longDataOn = null
  const opened = answer === Answer.cursor && (statusFlags & (CURSOR_EXISTS | LAST_ROW_SENT)) === CURSOR_EXISTS
  statement.cursorOn = opened ? backend : null
}

const { CURSOR_EXISTS, LAST_ROW_SENT } = ServerStatus

/** With CACHE_METADATA: which column definitions the client has from now on, and this server knows that it has. */
function learnMetadata(statement: PreparedStatement, backend: Backend): void {
  const { metadataDigest } = backend.follower
  if (statement.columnCount === 0 || metadataDigest === 0) return
  statement.metadata = metadataDigest
  const there = statement.on(backend)
  if (there !== null) there.metadata = metadataDigest
}
