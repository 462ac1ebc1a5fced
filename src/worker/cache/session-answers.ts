import { monotonicMs } from '../../shared/clock.js'
import type { Logger } from '../../shared/log.js'
import type { Backend } from '../backend/backend.js'
import { holdBack } from '../execution/hold-back.js'
import type { Pool } from '../pool/pool.js'
import { logStatement, type RuleLog } from '../rules/rule-log.js'
import type { Residue } from '../state/residue.js'
import type { StatementCount } from '../statistics/statement-count.js'
import type { PendingAnswer } from './pending-answers.js'
import type { CachedAnswer } from './result-cache.js'
import type { Capture } from './result-capture.js'
import { keyOfCommand, SessionMark } from './result-key.js'
import {
  type Asking,
  type CacheContext,
  captureFor,
  isRepeatableAnswer,
  isWorthWaiting,
  satisfies,
  waitMsOf,
} from './result-use.js'

/** A session that is answered. */
export interface AskingSession extends Asking {
  readonly residue: Residue
  readonly count: Pick<StatementCount, 'fromCache'>
  lastErrno: number
}

/** An answer that another session has asked for. */
interface Awaited {
  readonly key: string
  readonly pending: PendingAnswer
}

interface AnswersContext extends CacheContext {
  readonly pool: Pick<Pool, 'lower'>
  readonly ruleLog: RuleLog
  readonly log: Logger
}

/** What of one session's commands the result cache answers, and what of its answers it keeps. */
export class SessionAnswers {
  readonly #context: AnswersContext
  readonly #mark = new SessionMark()
  /** Of the command in hand; null: its answer is not to be kept. */
  #capture: Capture | null = null
  /** What the command in hand is to wait for; null: nothing. */
  #awaited: Awaited | null = null

  constructor(context: AnswersContext) {
    this.#context = context
  }

  /** The answer to the command in hand, as it is written to the client; null: there is none to be given (yet). */
  find(session: AskingSession): Buffer | null {
    this.forget()
    if (!isRepeatableAnswer(session)) return null
    const key = this.#keyOf(session)
    if (key === null) return null
    const { startedAt } = session.command
    const given = this.#give(this.#context.cache.find(key), session, startedAt)
    if (given !== null) return given
    this.#awaited = this.#worthWaiting(key, session, startedAt)
    if (this.#awaited === null) this.#ask(key, session)
    else session.command.reason = 'another session has asked for the same'
    return null
  }

  /** Whether the command in hand is to wait for the answer that another session has asked for. */
  get isToWait(): boolean {
    return this.#awaited !== null
  }

  /**
   * Waits for the answer that another session has asked for: no longer than the rule says, and not when there will be none.
   * @param isWanted false once the session has ended
   * @returns null: a server has to be asked after all
   */
  async await(session: AskingSession, isWanted: () => boolean): Promise<Buffer | null> {
    const { cache } = this.#context
    const { command } = session
    const { key, pending } = this.#awaited!
    this.#awaited = null
    await holdBack(
      command,
      waitMsOf(command, cache),
      () => isWanted() && !pending.isOver && pending.isCurrent,
      (ms) => pending.over(ms),
    )
    if (!isWanted() || command.endedBy !== null) return null
    // Something may have been lost meanwhile that the session has to be told of.
    const answer = isRepeatableAnswer(session) ? cache.look(key) : null
    if (answer === null) cache.pending.inVain(key)
    const given = this.#give(answer, session, monotonicMs())
    cache.waited(given !== null)
    if (given === null) this.#ask(key, session)
    return given
  }

  #worthWaiting(key: string, session: AskingSession, now: number): Awaited | null {
    const { cache } = this.#context
    const pending = waitMsOf(session.command, cache) > 0 ? cache.pending.find(key) : null
    return pending !== null && isWorthWaiting(pending, session, this.#context, now) ? { key, pending } : null
  }

  /** A server is to be asked: what it answers may be for others as well. */
  #ask(key: string, session: AskingSession): void {
    this.#capture = captureFor(session, key, this.#context.cache)
  }

  #keyOf(session: AskingSession): string | null {
    const { command, statement, facts, state, text, backends } = session
    const number = this.#mark.numberOf(facts.user, backends.login, state, this.#addressOf(session))
    return keyOfCommand(number, command, statement, text.capabilities)
  }

  /** Answers the command in hand, if the session may be given that. */
  #give(answer: CachedAnswer | null, session: AskingSession, now: number): Buffer | null {
    if (answer === null || !satisfies(answer, session, this.#context, now)) return null
    this.#context.cache.given(answer)
    if (session.command.ruling?.log === true) logStatement(session, this.#context, 0)
    this.#learn(answer, session)
    session.count.fromCache(session.command, answer.rows, session.state.schema, monotonicMs())
    return answer.bytes
  }

  /** The command is about to be written to a server. */
  captureOn(backend: Backend, now: number): Capture | null {
    this.#capture?.sent(backend, this.#context.view, now)
    return this.#capture
  }

  /** The command is over: nothing of it is held, and nobody waits for its answer any more. */
  forget(): void {
    this.#awaited = null
    this.#capture?.drop()
    this.#capture = null
  }

  /** Servers that are told the client's address may let it in as somebody else. */
  #addressOf({ backends }: Asking): string {
    const { servers } = this.#context.view.snapshot
    const told = servers.some(({ proxyProtocol }) => proxyProtocol !== 'off')
    return told ? (backends.login.client?.sourceAddress ?? 'local') : ''
  }

  /** Takes what the answer means for the statements after it, as if a server had given it. */
  #learn({ rows, shownUntil }: CachedAnswer, session: AskingSession): void {
    const { command, facts, residue } = session
    const { causal, view, pool } = this.#context
    const { wishes, ruling } = command
    command.reason = 'the result cache has its answer'
    command.release()
    session.lastErrno = 0
    residue.answeredFromCache(rows)
    // What the statement before has left on its connection cannot be asked for any more.
    if (facts.last !== null) pool.lower(facts.last)
    facts.last = null
    const level = facts.consistency.levelFor(wishes, ruling?.consistency ?? null, facts.user, view.snapshot.consistency)
    if (level !== 'eventual') facts.consistency.sawCached(shownUntil)
    if (wishes !== null && wishes.causal !== '') causal.at(wishes.causal).sawCached(shownUntil)
  }
}
