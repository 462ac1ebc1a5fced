import { describe, expect, it } from 'vitest'
import { Effect, StatementKind } from '../../../../src/sql/index.js'
import {
  exceeded,
  firstDue,
  shortestLimit,
  type TimedFacts,
  type TimeLimitName,
  transactionSince,
} from '../../../../src/worker/session/time-limits.js'

const LIMITS = { maxTransactionTimeMs: 1000, maxTransactionIdleTimeMs: 100, defaultQueryTimeoutMs: 500 }
const NO_LIMITS = { maxTransactionTimeMs: 0, maxTransactionIdleTimeMs: 0, defaultQueryTimeoutMs: 0 }

function facts(more: Partial<TimedFacts>): TimedFacts {
  return { transactionSince: -1, transactionIdleSince: -1, statementSince: -1, statementLimitMs: 0, ...more }
}

const NOW = 10_000

describe('a session at 10,000 ms', () => {
  it.each<[string, Partial<TimedFacts>, TimeLimitName | null, number]>([
    ['that does nothing has exceeded nothing', {}, null, Number.POSITIVE_INFINITY],
    ['whose statement is younger than its limit goes on', { statementSince: 9_501 }, null, 10_001],
    ['whose statement is as old as its limit is stopped', { statementSince: 9_500 }, 'query_timeout', 10_000],
    ['that began at 0 has begun', { statementSince: 0 }, 'query_timeout', 500],
    ['whose transaction is young goes on', { transactionSince: 9_001 }, null, 10_001],
    ['whose transaction is too old is stopped', { transactionSince: 8_000 }, 'max_transaction_time', 9_000],
    [
      'that is idle in its transaction is stopped',
      { transactionSince: 9_500, transactionIdleSince: 9_900 },
      'max_transaction_idle_time',
      10_000,
    ],
    ['that was not idle for too long goes on', { transactionSince: 9_500, transactionIdleSince: 9_950 }, null, 10_050],
    [
      'whose transaction and statement are too old loses the transaction',
      { transactionSince: 1, statementSince: 2 },
      'max_transaction_time',
      502,
    ],
  ])('%s', (_, given, limit, due) => {
    expect(exceeded(facts(given), NOW, LIMITS, {})?.limit ?? null).toBe(limit)
    expect(firstDue(facts(given), LIMITS, {})).toBe(due)
  })

  it('has no limits where all of them are 0', () => {
    const old = facts({ transactionSince: 0, transactionIdleSince: 0, statementSince: 0 })
    expect(exceeded(old, NOW, NO_LIMITS, {})).toBeNull()
    expect(firstDue(old, NO_LIMITS, {})).toBe(Number.POSITIVE_INFINITY)
  })

  it('has the limits of its user instead of those of all, also where that is none', () => {
    const old = facts({ transactionSince: 9_700, statementSince: 9_700 })
    expect(exceeded(old, NOW, LIMITS, { queryTimeoutMs: 300 })).toEqual({ limit: 'query_timeout', limitMs: 300 })
    expect(exceeded(old, NOW, NO_LIMITS, { maxTransactionTimeMs: 200 })).toEqual({
      limit: 'max_transaction_time',
      limitMs: 200,
    })
    expect(exceeded(facts({ statementSince: 0 }), NOW, LIMITS, { queryTimeoutMs: 0 })).toBeNull()
    expect(exceeded(facts({ statementSince: 0 }), NOW, LIMITS, { queryTimeoutMs: null })?.limitMs).toBe(500)
    const ofRule = facts({ statementSince: 9_000, statementLimitMs: 2_000 })
    expect(exceeded(ofRule, NOW, LIMITS, { queryTimeoutMs: 300 })).toBeNull()
    expect(firstDue(ofRule, LIMITS, { queryTimeoutMs: 300 })).toBe(11_000)
  })
})

describe('the shortest limit', () => {
  it('is that of any user or of all', () => {
    expect(shortestLimit(NO_LIMITS, [])).toBe(Number.POSITIVE_INFINITY)
    expect(shortestLimit(LIMITS, [])).toBe(100)
    expect(shortestLimit(LIMITS, [{ queryTimeoutMs: 0 }, { maxTransactionTimeMs: 50 }])).toBe(50)
  })
})

describe('a transaction is as old as', () => {
  const { read, write, begin, beginReadOnly, commit, rollback, savepoint, call, ddl, unknown } = StatementKind
  const command = (kind: number, effects = 0) => ({ kind, effects, startedAt: 50 })

  it('the command that opened it', () => {
    expect(transactionSince(-1, true, command(begin), 60)).toBe(50)
    expect(transactionSince(-1, true, command(write), 60)).toBe(50)
  })

  it('nothing when it is over', () => {
    expect(transactionSince(20, false, command(commit), 60)).toBe(-1)
    expect(transactionSince(-1, false, command(read), 60)).toBe(-1)
  })

  it.each([read, write, savepoint])('before a statement that leaves it open (%i)', (kind) => {
    expect(transactionSince(20, true, command(kind), 60)).toBe(20)
  })

  it.each([begin, beginReadOnly, commit, rollback, call, unknown])(
    'a statement behind which it may be another one (%i)',
    (kind) => {
      expect(transactionSince(20, true, command(kind), 60)).toBe(60)
    },
  )

  it('a statement that commits by itself', () => {
    expect(transactionSince(20, true, command(ddl, Effect.implicitCommit), 60)).toBe(60)
  })
})
