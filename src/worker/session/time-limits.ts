import type { Limits, UserEntry } from '../../shared/snapshot.js'
import { Effect, StatementKind } from '../../sql/index.js'

/* How long statements and transactions may take: what has exceeded its limit, and when that may happen next. Pure. */

/** Of one session; times are monotonic ms, -1: it has none. */
export interface TimedFacts {
  /** Since when its transaction is open. */
  readonly transactionSince: number
  /** Since when nothing has happened in its transaction. */
  readonly transactionIdleSince: number
  /** Since when the statement in hand is waiting or running. */
  readonly statementSince: number
  /** Of the statement in hand alone, in ms; 0: none. */
  readonly statementLimitMs: number
}

type OfUser = Pick<UserEntry, 'queryTimeoutMs' | 'maxTransactionTimeMs'>
type OfAll = Pick<Limits, 'maxTransactionTimeMs' | 'maxTransactionIdleTimeMs' | 'defaultQueryTimeoutMs'>

export type TimeLimitName = 'max_transaction_time' | 'max_transaction_idle_time' | 'query_timeout'

export interface Exceeded {
  readonly limit: TimeLimitName
  readonly limitMs: number
}

interface TimeLimit {
  readonly limit: TimeLimitName
  since(facts: TimedFacts): number
  /** 0: there is none. @param statementLimitMs see `TimedFacts` */
  limitMs(all: OfAll, user: OfUser, statementLimitMs: number): number
}

/** What ends more comes first. */
const TIME_LIMITS: readonly TimeLimit[] = [
  {
    limit: 'max_transaction_time',
    since: (facts) => facts.transactionSince,
    limitMs: (all, user) => user.maxTransactionTimeMs ?? all.maxTransactionTimeMs,
  },
  {
    limit: 'max_transaction_idle_time',
    since: (facts) => facts.transactionIdleSince,
    limitMs: (all) => all.maxTransactionIdleTimeMs,
  },
  {
    limit: 'query_timeout',
    since: (facts) => facts.statementSince,
    limitMs: (all, user, ofStatement) =>
      ofStatement > 0 ? ofStatement : (user.queryTimeoutMs ?? all.defaultQueryTimeoutMs),
  },
]

/** When the first limit of a session will have been exceeded, in monotonic ms; Infinity: none is running. */
export function firstDue(facts: TimedFacts, all: OfAll, user: OfUser): number {
  let due = Number.POSITIVE_INFINITY
  for (const limit of TIME_LIMITS) {
    const since = limit.since(facts)
    const limitMs = since < 0 ? 0 : limit.limitMs(all, user, facts.statementLimitMs)
    if (limitMs > 0 && since + limitMs < due) due = since + limitMs
  }
  return due
}

/** The limit that a session has exceeded; null: none. */
export function exceeded(facts: TimedFacts, now: number, all: OfAll, user: OfUser): Exceeded | null {
  for (const { limit, since, limitMs } of TIME_LIMITS) {
    const started = since(facts)
    const ms = limitMs(all, user, facts.statementLimitMs)
    if (started >= 0 && ms > 0 && now - started >= ms) return { limit, limitMs: ms }
  }
  return null
}

/** The shortest of the limits in ms, by which what begins now can be exceeded first; Infinity: there is none. */
export function shortestLimit(all: OfAll, users: readonly OfUser[]): number {
  const given = [{}, ...users].flatMap((user) => TIME_LIMITS.map(({ limitMs }) => limitMs(all, user, 0)))
  return Math.min(Number.POSITIVE_INFINITY, ...given.filter((ms) => ms > 0))
}

/**
 * Since when a transaction is open, after a command.
 * @param before the same before it; -1: there was none
 * @param open whether one is open now
 * @param startedAt when the command came, `now` when its answer was complete
 */
export function transactionSince(
  before: number,
  open: boolean,
  { kind, effects, startedAt }: { readonly kind: number; readonly effects: number; readonly startedAt: number },
  now: number,
): number {
  if (!open) return -1
  if (before < 0) return startedAt
  return ENDS_TRANSACTION.has(kind) || (effects & Effect.implicitCommit) !== 0 ? now : before
}

/** After these an open transaction may be another one than before: COMMIT AND CHAIN, BEGIN, or text that hides one. */
const ENDS_TRANSACTION: ReadonlySet<number> = new Set([
  StatementKind.begin,
  StatementKind.beginReadOnly,
  StatementKind.commit,
  StatementKind.rollback,
  StatementKind.call,
  StatementKind.execute,
  StatementKind.unknown,
])
