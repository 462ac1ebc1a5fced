import { describe, expect, it } from 'vitest'
import { Command, type SessionStateChange } from '../../../../protocol/index.js'
import { CommitTimes } from '../../../../src/shared/commit-times.js'
import { Effect, StatementKind } from '../../../../src/sql/index.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import type { CausalKeys } from '../../../../src/worker/consistency/causal-keys.js'
import { learnConsistency } from '../../../../src/worker/consistency/consistency-learn.js'
import type { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { Hold, Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import {
  AnswerNotes,
  learnAssignments,
  learnFromAnswer,
  learnFromOk,
} from '../../../../src/worker/state/session-learn.js'
import { CHARSET_VARIABLES, SessionState } from '../../../../src/worker/state/session-state.js'
import { fakeBackend, USER } from '../fixture.js'

const IN_TRANS = 0x0001
const AUTOCOMMIT = 0x0002
const NO_KEYS = {} as CausalKeys
const view = { isWriter: () => true, snapshot: { servers: [] } } as unknown as TopologyView

function answeredBy(errno: number, statusFlags: number): Backend {
  return {
    follower: { errno, hasStatus: errno === 0, statusFlags },
    target: { id: 'primary', hostgroup: 0, flavor: 'mysql' },
  } as unknown as Backend
}

function learn(
  code: number,
  kind: number,
  effects = 0,
  gtids = '',
  errno = 0,
  status = AUTOCOMMIT,
  stateChanged = false,
): SessionFacts {
  const facts = new SessionFacts(USER, status)
  const command = new CommandInHand()
  command.take(Buffer.from([1, 0, 0, 0, code]), 4, 5, COMMAND_RULES.get(code)!, 0)
  command.kind = kind
  command.effects = effects
  const notes = new AnswerNotes()
  notes.gtids = gtids
  notes.stateChanged = stateChanged
  const backend = answeredBy(errno, status)
  learnFromAnswer(command, backend, notes, facts, view)
  learnConsistency(command, backend, notes.gtids, facts, { view, causal: NO_KEYS, commits: CommitTimes.open('') }, 5)
  return facts
}

describe('what a session learns from an answer', () => {
  it('a write makes replicas prove that they have it', () => {
    expect(learn(Command.QUERY, StatementKind.write).consistency.lastWriteAt).toBeGreaterThan(0)
    expect(learn(Command.STMT_EXECUTE, StatementKind.write).consistency.lastWriteAt).toBeGreaterThan(0)
  })

  it('a read does not', () => {
    expect(learn(Command.QUERY, StatementKind.read).consistency.lastWriteAt).toBe(-1)
  })

  it('preparing, resetting or fetching from a statement is no execution of it', () => {
    for (const code of [Command.STMT_PREPARE, Command.STMT_RESET, Command.STMT_FETCH]) {
      expect(learn(code, StatementKind.write).consistency.lastWriteAt).toBe(-1)
      expect(learn(code, StatementKind.ddl, Effect.temporaryTable).pins).toBe(0)
    }
  })

  it('a GTID counts as a write whatever the statement was', () => {
    const { consistency } = learn(Command.QUERY, StatementKind.read, 0, '3e11fa47-71ca-11e1-9e33-c80aa9429562:23')
    expect(consistency.writtenGtids).not.toBeNull()
  })

  it('a savepoint without autocommit is there before the transaction is', () => {
    expect(learn(Command.QUERY, StatementKind.savepoint, 0, '', 0, 0).holds).toBe(Hold.savepoint)
    expect(learn(Command.QUERY, StatementKind.savepoint, 0, '', 1305, 0).holds).toBe(0)
    expect(learn(Command.STMT_PREPARE, StatementKind.savepoint, 0, '', 0, 0).holds).toBe(0)
    expect(learn(Command.QUERY, StatementKind.savepoint, 0, '', 0, AUTOCOMMIT).holds).toBe(0)
    expect(learn(Command.QUERY, StatementKind.savepoint, 0, '', 0, IN_TRANS)).toMatchObject({
      holds: 0,
      pins: Pin.transaction,
    })
  })

  it('a statement that fails without autocommit may have begun a transaction', () => {
    expect(learn(Command.QUERY, StatementKind.write, 0, '', 1062, 0).pins).toBe(Pin.transaction)
    expect(learn(Command.STMT_PREPARE, StatementKind.write, 0, '', 1146, 0).pins).toBe(0)
    expect(learn(Command.QUERY, StatementKind.write, 0, '', 1062).pins).toBe(0)
  })

  it('a GTID within a transaction is that of a table without transactions, and counts at once', () => {
    const inTransaction = 0x0003
    const gtid = '3e11fa47-71ca-11e1-9e33-c80aa9429562:23'
    expect(learn(Command.QUERY, StatementKind.write, 0, gtid, 0, inTransaction).consistency.writtenGtids).not.toBeNull()
    expect(learn(Command.QUERY, StatementKind.write, 0, '', 0, inTransaction).consistency.writtenGtids).toBeNull()
  })

  it('a write that has changed the state of the session has set user variables, by a trigger or a function', () => {
    expect(learn(Command.QUERY, StatementKind.write, 0, '', 0, AUTOCOMMIT, true).userVariablesOnPrimary).toBe(true)
    expect(learn(Command.QUERY, StatementKind.write).userVariablesOnPrimary).toBe(false)
    expect(learn(Command.QUERY, StatementKind.use, 0, '', 0, AUTOCOMMIT, true).userVariablesOnPrimary).toBe(false)
  })

  it('FLUSH STATUS pins the session to the connection whose counters it has set to 0', () => {
    expect(learn(Command.QUERY, StatementKind.admin, Effect.setsSessionState).pins).toBe(Pin.sessionState)
    expect(learn(Command.QUERY, StatementKind.admin).pins).toBe(0)
  })

  it('a temporary table pins the session', () => {
    expect(learn(Command.QUERY, StatementKind.ddl, Effect.temporaryTable).pins).toBe(Pin.temporaryTable)
  })
})

/** A session and its connection after a SET that the server has accepted, and told `reported` of. */
function afterSet(sql: string, flavor: 'mysql' | 'mariadb', reported: Readonly<Record<string, string>> = {}) {
  const { backend } = fakeBackend('primary')
  backend.target = { ...backend.target, flavor }
  const state = new SessionState('')
  const notes = new AnswerNotes()
  const facts = new SessionFacts(USER)
  const sessionState = Object.entries(reported).map(
    ([name, value]): SessionStateChange => ({ type: 'system_variable', name, value }),
  )
  const ok = {
    affectedRows: 0,
    lastInsertId: 0,
    statusFlags: AUTOCOMMIT,
    warnings: 0,
    info: Buffer.alloc(0),
    sessionState,
  }
  learnFromOk(ok, backend, state, notes, false)
  const buffer = Buffer.from(sql)
  learnAssignments(
    { buffer, start: 0, end: buffer.length },
    { flavor, ansiQuotes: false, noBackslashEscapes: false },
    backend,
    state,
    facts,
    notes,
    false,
  )
  expect(backend.applied.isCurrent(state)).toBe(true)
  expect(Object.fromEntries(backend.applied.variables)).toEqual(Object.fromEntries(state.variables ?? []))
  return { variables: Object.fromEntries(state.variables ?? []), untold: notes.untold, pins: facts.pins }
}

describe('what a session learns from a SET', () => {
  it('of which MariaDB tells nothing: names without a scope, DEFAULT as well', () => {
    const { variables } = afterSet("SET @@sql_mode := default, @@time_zone = '+01:00'", 'mariadb')
    expect(variables).toEqual({ sql_mode: 'DEFAULT', time_zone: "'+01:00'" })
    expect(afterSet('SET @@sort_buffer_size = 2 * 65536', 'mariadb').pins).toBe(Pin.sessionState)
  })

  it('is to be asked for: switches, of which a text names those alone that it changes', () => {
    const sql = "SET @@optimizer_switch = 'semijoin=off', @@time_zone = '+01:00'"
    expect(afterSet(sql, 'mariadb')).toMatchObject({
      variables: { time_zone: "'+01:00'" },
      untold: ['optimizer_switch'],
    })
    const told = { optimizer_switch: 'mrr=on,semijoin=off' }
    expect(afterSet("SET optimizer_switch = 'semijoin=off'", 'mariadb', told)).toMatchObject({
      variables: { optimizer_switch: "'mrr=on,semijoin=off'" },
      untold: null,
    })
  })

  it('is what the server has told, where it tells something', () => {
    const { variables } = afterSet('SET @@sql_mode = DEFAULT', 'mariadb', { sql_mode: 'ANSI' })
    expect(variables).toEqual({ sql_mode: "'ANSI'" })
    expect(afterSet('SET @@sql_mode = DEFAULT', 'mysql').variables).toEqual({})
  })

  it('is to be asked for: the collation that comes with a character set', () => {
    const told = {
      character_set_client: 'latin1',
      character_set_connection: 'utf8mb4',
      character_set_results: 'latin1',
    }
    expect(afterSet('SET CHARACTER SET latin1', 'mysql', told).untold).toEqual(['collation_connection'])
    const both = { character_set_connection: 'latin1', collation_connection: 'latin1_bin' }
    const sql = 'SET character_set_connection = latin1, collation_connection = latin1_bin'
    expect(afterSet(sql, 'mysql', both)).toMatchObject({
      variables: { collation_connection: "'latin1_bin'" },
      untold: null,
    })
  })

  it('is to be asked for: character sets that are set beside SET NAMES', () => {
    const told = { character_set_client: 'utf8mb4', character_set_connection: 'utf8mb4', character_set_results: '' }
    expect(afterSet('SET NAMES utf8mb4', 'mysql', { ...told, character_set_results: 'utf8mb4' }).untold).toBeNull()
    expect(afterSet('SET NAMES utf8mb4, character_set_results = NULL', 'mysql', told).untold).toBe(CHARSET_VARIABLES)
  })
})
