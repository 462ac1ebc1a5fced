import { describe, expect, it } from 'vitest'
import { Command } from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import type { UserEntry } from '../../../../src/shared/snapshot.js'
import { StatementKind } from '../../../../src/sql/index.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import type { WorkerContext } from '../../../../src/worker/context.js'
import type { Execution } from '../../../../src/worker/execution/execution.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import type { SessionPhase } from '../../../../src/worker/session/session-phase.js'
import { TimedSession } from '../../../../src/worker/session/timed-session.js'
import { fakeBackend, snapshotOf, USER } from '../fixture.js'

const IN_TRANSACTION = 1
const LIMITS = { maxTransactionTimeMs: 1_000, maxTransactionIdleTimeMs: 300, defaultQueryTimeoutMs: 500 }

/** A session whose command came at 100 ms, in a worker without servers. */
function fixture(phase: SessionPhase, { code = Command.QUERY as number, user = {} as Partial<UserEntry> } = {}) {
  const counters = newGlobalCounters()
  const logged: object[] = []
  const snapshot = snapshotOf([], { limits: { ...snapshotOf([]).limits, ...LIMITS } })
  const command = new CommandInHand()
  command.take(Buffer.alloc(5, code), 4, 5, COMMAND_RULES.get(code)!, 100)
  command.kind = StatementKind.read
  const facts = new SessionFacts({ ...USER, ...user })
  const cutInLane = (): boolean => false
  const execution = { command, facts, running: null as Backend | null, backends: { login: {} }, cutInLane }
  const session = { id: 1, phase, since: 100, execution: execution as unknown as Execution }
  const log = { warn: (fields: object) => logged.push(fields) }
  const context = { counters, log, view: { flavor: 'mysql', snapshot } } as unknown as WorkerContext
  const timed = new TimedSession(session, context)
  /** In a transaction that began with the command in hand. */
  const begin = () => {
    const { backend } = fakeBackend()
    facts.statusFlags |= IN_TRANSACTION
    facts.addPin(Pin.transaction, backend)
    timed.commandOver(110)
    return backend
  }
  return { session, command, facts, timed, counters, logged, begin }
}

describe('a statement', () => {
  it.each<[SessionPhase, boolean]>([
    ['waiting', true],
    ['relaying', true],
    ['ready', false],
    ['uploading', false],
    ['infile', false],
    ['changing', false],
  ])('of a session that is %s has a limit: %s', (phase, has) => {
    expect(fixture(phase).timed.statementSince).toBe(has ? 100 : -1)
  })

  it('that waits for a connection is given up, counted and logged once', () => {
    const { timed, command, counters, logged } = fixture('waiting')
    expect(timed.enforce(599)).toBe(600)
    expect(command.timedOut).toBeNull()
    expect(timed.enforce(600)).toBe(1_600)
    expect(command.timedOut).toMatchObject({ errno: 3024, code: 'query-timeout' })
    expect(timed.enforce(700)).toBe(1_600)
    timed.enforce(1_600)
    expect(counters.queryTimeoutExceeded).toBe(1)
    expect(logged).toEqual([{ session: 1, user: 'app', server: '', limit: 'query_timeout', limitMs: 500 }])
  })

  it('that loads a file of the client, or reads the binary log, has no limit', () => {
    const load = fixture('relaying')
    load.command.kind = StatementKind.loadDataLocal
    expect(load.timed.statementSince).toBe(-1)
    expect(fixture('relaying', { code: Command.BINLOG_DUMP }).timed.statementSince).toBe(-1)
  })

  it('of a user without a limit goes on', () => {
    const { timed, command } = fixture('waiting', { user: { queryTimeoutMs: 0 } })
    expect(timed.enforce(1e9)).toBe(Number.POSITIVE_INFINITY)
    expect(command.timedOut).toBeNull()
  })
})

describe('a transaction', () => {
  it('that is idle for too long loses its connection, which is no suspicion of the server', () => {
    const { timed, counters, begin } = fixture('ready')
    const backend = begin()
    expect(timed.enforce(399)).toBe(400)
    expect(backend.state).toBe('idle')
    timed.enforce(400)
    expect(backend.state).toBe('closed')
    expect(backend.endedOnPurpose).toBe(true)
    expect(counters.maxTransactionIdleTimeExceeded).toBe(1)
  })

  it('that is open for too long loses its connection', () => {
    const { timed, session, counters, begin } = fixture('ready')
    const backend = begin()
    session.since = 1_090
    timed.enforce(1_099)
    expect(backend.state).toBe('idle')
    timed.enforce(1_100)
    expect(backend.state).toBe('closed')
    expect(counters.maxTransactionTimeExceeded).toBe(1)
  })

  it.each(['commit', 'rollback'] as const)('is let finish its %s', (kind) => {
    const { timed, session, command, begin } = fixture('ready')
    begin()
    session.phase = 'relaying'
    expect(timed.transactionSince).toBe(100)
    command.kind = StatementKind[kind]
    expect(timed.transactionSince).toBe(-1)
  })

  it('is let alone while its connection is being brought into the state of the session', () => {
    const { timed, session, begin } = fixture('ready')
    begin()
    session.phase = 'waiting'
    expect(timed.transactionSince).toBe(-1)
  })

  it('that is over has no limit', () => {
    const { timed, facts, begin } = fixture('ready')
    begin()
    facts.unpin()
    expect(timed.enforce(1e9)).toBe(Number.POSITIVE_INFINITY)
  })
})
