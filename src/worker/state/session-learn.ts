import { Command, type OkPacket, type SessionStateChange } from '../../../protocol/index.js'
import { Effect, ONE_CONNECTION_VARIABLES, parseSet, StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import type { TopologyView } from '../routing/topology-view.js'
import { type CommandInHand, isReplication } from '../session/command.js'
import { Hold, Pin, type SessionFacts } from '../session/session-facts.js'
import { decidesReading, readingOf } from './parse-state.js'
import { CHARSET_VARIABLES, isCarried, type SessionState, variableLiteral } from './session-state.js'

/** What a server tracks unless it is told otherwise (session_track_system_variables): clients get to see these changes. */
const TRACKED_BY_DEFAULT = new Set([
  'autocommit',
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'time_zone',
])

const IN_TRANS = 0x0001
const SESSION_STATE_CHANGED = 0x4000
/** Flags that describe the session; the others (more results, cursors, index use) describe one answer. */
const SESSION_FLAGS = 0x0001 | 0x0002 | 0x0200 | 0x2000 | 0x8000

/** Statements that can do anything on their connection, so that the server's word on its state decides. */
const OPAQUE_KINDS: ReadonlySet<number> = new Set([
  StatementKind.call,
  StatementKind.multi,
  StatementKind.unknown,
  StatementKind.execute,
])

/** Statements that change no state of the session by themselves: their triggers and functions have set user variables. */
const RUNS_TRIGGERS: ReadonlySet<number> = new Set([
  StatementKind.write,
  StatementKind.loadData,
  StatementKind.loadDataLocal,
])

const ENDS_SAVEPOINTS: ReadonlySet<number> = new Set([
  StatementKind.commit,
  StatementKind.rollback,
  StatementKind.begin,
  StatementKind.beginReadOnly,
])

/** What the answer to one command has said so far about the session. */
export class AnswerNotes {
  gtids = ''
  stateChanged = false
  /** A variable was set that means something on this connection only. */
  ofOneConnection = false
  /** System variables that have been set though the server does not tell to what; null: none. */
  untold: readonly string[] | null = null
  /** Names of system variables; null: none. */
  variables: string[] | null = null
  /** Global variables were set there. */
  globalsSet = false
  /** What accounts may do, or how they log in, was changed. */
  accountsChanged = false

  /** Something was changed that all sessions begin with, those of other workers too. */
  get concernsAll(): boolean {
    return this.globalsSet || this.accountsChanged
  }

  /** The answer to several statements, each with a transaction of its own, tells of each. */
  addGtids(gtids: string): void {
    this.gtids = this.gtids === '' || gtids === '' ? this.gtids || gtids : `${this.gtids},${gtids}`
  }

  clear(): void {
    this.gtids = ''
    this.stateChanged = false
    this.ofOneConnection = false
    this.untold = null
    this.variables = null
    this.globalsSet = false
    this.accountsChanged = false
  }
}

/**
 * Takes the session state of an OK packet into the session, and returns the packet as the client is to see it.
 * @param perStatement the statement's own variables are reported, but not that they are set back (seen on MariaDB 10.11)
 */
export function learnFromOk(
  ok: OkPacket,
  backend: Backend,
  state: SessionState,
  notes: AnswerNotes,
  perStatement: boolean,
): OkPacket {
  const visible = ok.sessionState
    .filter((change) => learnChange(change, ok.sessionState, backend, state, notes, perStatement))
    .sort(inServersOrder)
  backend.applied.noteCurrent(state)
  // A server may say that something has changed without saying what.
  const told = visible.length > 0 || ok.sessionState.length === 0
  const statusFlags = told ? ok.statusFlags : ok.statusFlags & ~SESSION_STATE_CHANGED
  return { ...ok, sessionState: visible, statusFlags }
}

/** Variables come in the order of the list by which they are tracked, which is that of their names by default. */
function inServersOrder(a: SessionStateChange, b: SessionStateChange): number {
  return a.type === 'system_variable' && b.type === 'system_variable' && a.name !== b.name
    ? a.name < b.name
      ? -1
      : 1
    : 0
}

/** @returns whether a client that tracks session state would have been told by the server alone. */
function learnChange(
  change: SessionStateChange,
  all: readonly SessionStateChange[],
  { applied }: Backend,
  state: SessionState,
  notes: AnswerNotes,
  perStatement: boolean,
): boolean {
  switch (change.type) {
    case 'system_variable':
      notes.variables ??= []
      notes.variables.push(change.name)
      if (change.name === 'character_set_connection') {
        // The collation tells both.
        if (perStatement || all.some(isCollation)) return true
        notes.untold = COLLATION
      }
      notes.ofOneConnection ||= !perStatement && ONE_CONNECTION_VARIABLES.has(change.name)
      if (change.name === 'last_gtid') notes.addGtids(change.value)
      else if (!perStatement && state.setVariable(change.name, change.value)) {
        applied.setVariableSql(change.name, variableLiteral(change.name, change.value))
      }
      return TRACKED_BY_DEFAULT.has(change.name)
    case 'schema':
      state.setSchema(change.name)
      applied.schema = change.name
      return true
    case 'gtids':
      notes.addGtids(change.gtids)
      return false
    case 'state_change':
      notes.stateChanged ||= change.changed
      return false
    default:
      return true
  }
}

const COLLATION = ['collation_connection']

function isCollation(change: SessionStateChange): boolean {
  return change.type === 'system_variable' && change.name === 'collation_connection'
}

/** Takes what a finished command means for the session into its facts. */
export function learnFromAnswer(
  command: CommandInHand,
  backend: Backend,
  notes: AnswerNotes,
  facts: SessionFacts,
  view: TopologyView,
): void {
  const { follower } = backend
  const failed = follower.errno !== 0
  if (follower.hasStatus) {
    learnFlags(follower.statusFlags, command, backend, facts)
    learnSavepoint(command, backend, facts)
  }
  // An ERR has no flags: what failed may have begun a transaction all the same, which has its locks and its view of the data.
  if (failed && command.executes && !facts.autocommit) facts.addPin(Pin.transaction, backend)
  const isWriter = view.isWriter(backend.target.hostgroup)
  if (!failed && command.executes) learnEffects(command, backend, isWriter, notes, facts)
  facts.last = backend
}

function learnFlags(flags: number, command: CommandInHand, backend: Backend, facts: SessionFacts): void {
  facts.statusFlags = flags & SESSION_FLAGS
  if (command.kind === StatementKind.setTransaction) facts.addHold(Hold.nextTransaction, backend)
  else facts.removeHold(Hold.nextTransaction)
  if ((flags & IN_TRANS) !== 0) return facts.addPin(Pin.transaction, backend)
  facts.removePin(Pin.transaction)
}

/** Where there is a transaction the flags tell, and its savepoints are with it. */
function learnSavepoint({ kind, executes }: CommandInHand, backend: Backend, facts: SessionFacts): void {
  if (facts.autocommit || ENDS_SAVEPOINTS.has(kind)) facts.removeHold(Hold.savepoint)
  else if (kind === StatementKind.savepoint && executes && !facts.inTransaction) facts.addHold(Hold.savepoint, backend)
}

function learnEffects(
  command: CommandInHand,
  backend: Backend,
  isWriter: boolean,
  notes: AnswerNotes,
  facts: SessionFacts,
): void {
  const { kind, effects } = command
  const opaqueChange = notes.stateChanged && OPAQUE_KINDS.has(kind)
  if (opaqueChange) facts.names.tablesUnknown()
  if (opaqueChange || (effects & Effect.temporaryTable) !== 0) facts.addPin(Pin.temporaryTable, backend)
  if (notes.ofOneConnection && OPAQUE_KINDS.has(kind)) facts.addPin(Pin.sessionState, backend)
  if (kind === StatementKind.lockTables) facts.addPin(Pin.lockTables, backend)
  if (kind === StatementKind.unlockTables) facts.removePin(Pin.lockTables)
  if ((effects & Effect.advisoryLock) !== 0) facts.addPin(Pin.advisoryLock, backend)
  // GET DIAGNOSTICS runs where the statement before it ran, and is seen to by itself.
  const elsewhere = kind === StatementKind.diagnostics && !isWriter
  if ((effects & Effect.setsUserVariable) !== 0 && !elsewhere) facts.addHold(Hold.userVariables, backend)
  if ((effects & Effect.setsGlobal) !== 0) {
    backend.target.known.globalsSet++
    notes.globalsSet = true
  }
  if (kind === StatementKind.admin && (effects & Effect.setsSessionState) !== 0) facts.addPin(Pin.sessionState, backend)
  if (notes.stateChanged && RUNS_TRIGGERS.has(kind) && !command.perStatement) facts.addHold(Hold.userVariables, backend)
  if ((effects & Effect.readsConnectionId) !== 0) facts.addHold(Hold.connectionId, backend)
  if (leavesUnknownState(command, backend)) facts.addHold(Hold.unknownState, backend)
  if (isReplication(command.code)) facts.addPin(Pin.replication, backend)
}

/**
 * Whether a statement may have left something that nobody tells of: orders to one server (FLUSH TABLES WITH READ LOCK),
 * texts that are not understood; and on MariaDB, which does not say what a procedure has set (seen on 10.11), procedures.
 */
function leavesUnknownState({ code, kind, effects }: CommandInHand, { target }: Backend): boolean {
  switch (kind) {
    case StatementKind.admin:
      return code === Command.QUERY || code === Command.STMT_EXECUTE
    case StatementKind.unknown:
      return code !== Command.RESET_CONNECTION
    case StatementKind.multi:
      return (effects & Effect.leavesConnectionState) !== 0
    case StatementKind.call:
    case StatementKind.execute:
      return target.flavor === 'mariadb'
    default:
      return false
  }
}

/** MariaDB's names until 11.1, which later versions know as well. */
const MARIADB_NAMES: ReadonlyMap<string, string> = new Map([
  ['transaction_isolation', 'tx_isolation'],
  ['transaction_read_only', 'tx_read_only'],
])

/**
 * Keeps what session tracking does not tell of a SET that the server has accepted: literal user variables, the collation of
 * SET NAMES, the timestamp, and what MariaDB never tells: `SET @@name = value` without a scope (seen on 10.11).
 */
export function learnAssignments(
  sql: { readonly buffer: Buffer; readonly start: number; readonly end: number },
  options: Parameters<typeof parseSet>[3],
  backend: Backend,
  state: SessionState,
  facts: SessionFacts,
  notes: AnswerNotes,
  isPrepared: boolean,
): void {
  const assignments = parseSet(sql.buffer, sql.start, sql.end, options)
  if (assignments === null) return facts.addPin(Pin.sessionState, backend)
  const {
    applied,
    target: { flavor },
  } = backend
  // Its text was read before it has set anything, and a prepared one when it was prepared.
  const isReadNow =
    !isPrepared &&
    !assignments.some(
      ({ scope, name, special }) =>
        special === 'names' || special === 'charset' || (scope === 'session' && decidesReading(name)),
    )
  const namesAlone = !assignments.some(({ name, scope }) => scope === 'session' && CHARSET_VARIABLES.includes(name))
  for (const { scope, name, valueText, literal, special } of assignments) {
    if (special === 'names' && literal) {
      state.setNames(valueText)
      applied.setNames(valueText)
      notes.untold = namesAlone ? null : CHARSET_VARIABLES
    } else if (
      scope === 'session' &&
      (name === 'session_track_system_variables' || ONE_CONNECTION_VARIABLES.has(name))
    ) {
      return facts.addPin(Pin.sessionState, backend)
    } else if (scope === 'session' && name === 'timestamp') {
      if (!literal) return facts.addPin(Pin.sessionState, backend)
      state.setVariableSql(name, valueText)
      applied.setVariableSql(name, valueText)
    } else if (scope === 'user_variable' && literal) {
      if (name.includes(NO_CHARACTER)) {
        facts.addHold(Hold.userVariables, backend)
        continue
      }
      const reading = READS_ALIKE.test(valueText) ? '' : isReadNow ? readingOf(state) : READ_BEFORE
      const value = { sql: valueText, reading }
      state.setUserVariable(name, value)
      applied.userVariables.set(name, value)
    } else if (scope === 'session' && special !== 'names' && special !== 'charset' && flavor === 'mariadb') {
      const known = MARIADB_NAMES.get(name) ?? name
      if (!isCarried(known) || notes.variables?.includes(known) === true) continue
      if (!literal) return facts.addPin(Pin.sessionState, backend)
      if (SWITCHES.has(known)) {
        notes.untold = [...(notes.untold ?? []), known]
        continue
      }
      const sql = special === 'default' ? 'DEFAULT' : valueText
      state.setVariableSql(known, sql)
      applied.setVariableSql(known, sql)
    }
  }
  applied.noteCurrent(state)
}

/** Lists of switches: a SET changes those that it names, and leaves the others as they are. */
const SWITCHES: ReadonlySet<string> = new Set(['optimizer_switch', 'optimizer_trace'])
/** Literals that neither a character set nor sql_mode has a part in. */
const READS_ALIKE = /^([^'"]*|[xb]'[0-9a-f]*')$/i
/** A reading that no session has. */
const READ_BEFORE = 'before'
/** What a name has in the place of bytes that are not UTF-8. */
const NO_CHARACTER = '\ufffd'
