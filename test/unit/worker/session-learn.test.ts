import { describe, expect, it } from 'vitest'
import { Command } from '../../../protocol/index.js'
import { Effect, StatementKind } from '../../../src/sql/index.js'
import type { Backend } from '../../../src/worker/backend.js'
import type { CausalKeys } from '../../../src/worker/causal-keys.js'
import { COMMAND_RULES, CommandInHand } from '../../../src/worker/command.js'
import { learnConsistency } from '../../../src/worker/consistency-learn.js'
import { Pin, SessionFacts } from '../../../src/worker/session-facts.js'
import { AnswerNotes, learnFromAnswer } from '../../../src/worker/session-learn.js'
import type { TopologyView } from '../../../src/worker/topology-view.js'

const AUTOCOMMIT = 0x0002
const NO_KEYS = {} as CausalKeys
const view = { isWriter: () => true, snapshot: { servers: [] } } as unknown as TopologyView

function answeredBy(errno = 0): Backend {
  return {
    follower: { errno, hasStatus: errno === 0, statusFlags: AUTOCOMMIT },
    target: { id: 'primary', hostgroup: 0, flavor: 'mysql' },
  } as unknown as Backend
}

function learn(code: number, kind: number, effects = 0, gtids = ''): SessionFacts {
  const facts = new SessionFacts({
    name: 'app',
    password: '',
    passwordHash: null,
    backendUser: null,
    backendPassword: null,
    defaultHostgroup: 0,
    defaultSchema: null,
    maxConnections: 0,
    useSsl: false,
    multiplex: true,
  })
  const command = new CommandInHand()
  command.take(Buffer.from([1, 0, 0, 0, code]), 4, 5, COMMAND_RULES.get(code)!, 0)
  command.kind = kind
  command.effects = effects
  const notes = new AnswerNotes()
  notes.gtids = gtids
  const backend = answeredBy()
  learnFromAnswer(command, backend, notes, facts, view)
  learnConsistency(command, backend, notes.gtids, facts, { view, causal: NO_KEYS }, 5)
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

  it('a temporary table pins the session', () => {
    expect(learn(Command.QUERY, StatementKind.ddl, Effect.temporaryTable).pins).toBe(Pin.temporaryTable)
  })
})
