import type { GlobalCounters } from '../../shared/counters.js'
import { ProxyError } from '../../shared/errors.js'
import type { Flavor } from '../../shared/snapshot.js'
import { StatementKind } from '../../sql/index.js'
import type { WorkerContext } from '../context.js'
import type { Execution } from '../execution/execution.js'
import { isDump } from './command.js'
import { endStalled, killRunning } from './killer.js'
import type { SessionPhase } from './session-phase.js'
import {
  type Exceeded,
  exceeded,
  firstDue,
  type TimedFacts,
  type TimeLimitName,
  transactionSince,
} from './time-limits.js'

/** What is looked at of a session whose times are limited. */
export interface LimitedSession {
  readonly id: number
  readonly phase: SessionPhase
  /** Monotonic ms since when it is idle. */
  readonly since: number
  readonly execution: Execution
}

/** After a KILL that did not get through, the next one is sent after so long. */
const KILL_AGAIN_MS = 1_000

/** Knows since when a session's statement and transaction are on their way, and ends what takes too long. */
export class TimedSession implements TimedFacts {
  readonly #session: LimitedSession
  readonly #context: WorkerContext
  #transactionSince = -1
  /** Of the KILL of the statement in hand: not before then again. */
  #notBefore = 0
  /** What its connection had received of it, and all before it, when that KILL was sent; -1: none was. */
  #receivedAtKill = -1

  constructor(session: LimitedSession, context: WorkerContext) {
    this.#session = session
    this.#context = context
  }

  /** To be called when a command is over. */
  commandOver(now: number): void {
    const { command, facts } = this.#session.execution
    this.#transactionSince = transactionSince(this.#transactionSince, facts.inTransaction, command, now)
    this.#notBefore = 0
    this.#receivedAtKill = -1
  }

  get transactionSince(): number {
    const { execution, phase } = this.#session
    if (!execution.facts.inTransaction || execution.facts.pinned === null || !ENDABLE.has(phase)) return -1
    return phase !== 'ready' && ENDING.has(execution.command.kind) ? -1 : this.#transactionSince
  }

  get transactionIdleSince(): number {
    const { execution, phase, since } = this.#session
    return phase === 'ready' && execution.facts.inTransaction && execution.facts.pinned !== null ? since : -1
  }

  get statementSince(): number {
    const { phase, execution } = this.#session
    if (phase !== 'waiting' && phase !== 'relaying') return -1
    const { command } = execution
    const isExempt = command.kind === StatementKind.loadDataLocal || isDump(command.code)
    return isExempt ? -1 : command.startedAt
  }

  get statementLimitMs(): number {
    return this.#session.execution.command.ruling?.timeoutMs ?? 0
  }

  /**
   * Ends what has taken too long.
   * @returns when to look again, in monotonic ms
   */
  enforce(now: number): number {
    if (this.#session.phase === 'ready' && !this.#session.execution.facts.inTransaction) return Number.POSITIVE_INFINITY
    const { limits } = this.#context.view.snapshot
    const { user } = this.#session.execution.facts
    const due = Math.max(firstDue(this, limits, user), this.#notBefore)
    if (due > now) return due
    const found = exceeded(this, now, limits, user)
    if (found !== null) this.#end(found, now)
    return found === null ? Number.POSITIVE_INFINITY : this.#notBefore
  }

  #end(found: Exceeded, now: number): void {
    const { id, execution } = this.#session
    const { limit, limitMs } = found
    if (this.#notBefore === 0) {
      this.#context.counters[COUNTER[limit]]++
      const server = (execution.running ?? execution.facts.pinned)?.target.id ?? ''
      this.#context.log.warn({ session: id, user: execution.facts.user.name, server, limit, limitMs }, SAYS[limit])
    }
    this.#notBefore = now + KILL_AGAIN_MS
    if (limit === 'query_timeout') this.#endStatement(limitMs)
    else this.#endTransaction(found)
  }

  /** Its answer tells the client; a statement that still waits for a connection is given up there. */
  #endStatement(limitMs: number): void {
    const { command, running, backends } = this.#session.execution
    command.timedOut = statementTimeout(limitMs, this.#context.view.flavor)
    if (this.#session.execution.cutInLane(command.timedOut)) return
    if (running === null || running.killing !== null) return
    const isStalled = running.bytesReceived === this.#receivedAtKill && !running.isPaused
    this.#receivedAtKill = running.bytesReceived
    if (!isStalled) return void killRunning(running, backends.login, this.#context, 'QUERY')
    const reason = `query_timeout of ${limitMs} ms exceeded, and its answer does not arrive`
    void endStalled(running, backends.login, this.#context, reason)
  }

  /** Its server rolls back what loses its connection. The statement in flight is answered at once, else the next one. */
  #endTransaction({ limit, limitMs }: Exceeded): void {
    const { running, backends, facts } = this.#session.execution
    const pinned = facts.pinned!
    if (running === pinned) void killRunning(pinned, backends.login, this.#context)
    pinned.endedOnPurpose = true
    pinned.destroy(`${limit} of ${limitMs} ms exceeded`)
  }
}

/** Elsewhere a connection is being brought into the session's state, which takes a moment only. */
const ENDABLE: ReadonlySet<SessionPhase> = new Set(['ready', 'relaying', 'infile'])
const ENDING: ReadonlySet<number> = new Set([StatementKind.commit, StatementKind.rollback])

const COUNTER = {
  max_transaction_time: 'maxTransactionTimeExceeded',
  max_transaction_idle_time: 'maxTransactionIdleTimeExceeded',
  query_timeout: 'queryTimeoutExceeded',
} as const satisfies Record<TimeLimitName, keyof GlobalCounters>

const SAYS: Record<TimeLimitName, string> = {
  max_transaction_time: 'a transaction was open for too long and is rolled back',
  max_transaction_idle_time: 'a transaction was idle for too long and is rolled back',
  query_timeout: 'a statement takes too long and is killed',
}

/** ER_QUERY_TIMEOUT of MySQL, ER_STATEMENT_TIMEOUT of MariaDB: what servers say of limits of their own. */
function statementTimeout(limitMs: number, flavor: Flavor): ProxyError {
  const message = `sluice: query execution was interrupted, query_timeout of ${limitMs} ms exceeded`
  return flavor === 'mysql'
    ? new ProxyError('query-timeout', 3024, 'HY000', message)
    : new ProxyError('query-timeout', 1969, '70100', message)
}
