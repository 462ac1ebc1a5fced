import { monotonicMs } from '../../shared/clock.js'
import type { Backend } from '../backend/backend.js'
import type { Pool } from '../pool/pool.js'
import type { Residue } from '../state/residue.js'
import type { StatementCount } from '../statistics/statement-count.js'
import type { CachedAnswer } from './result-cache.js'
import type { Capture } from './result-capture.js'
import { keyOfCommand, SessionMark } from './result-key.js'
import { type Asking, type CacheContext, captureFor, isRepeatableAnswer, satisfies } from './result-use.js'

/** A session that is answered. */
export interface AskingSession extends Asking {
  readonly residue: Residue
  readonly count: Pick<StatementCount, 'fromCache'>
  lastErrno: number
}

interface AnswersContext extends CacheContext {
  readonly pool: Pick<Pool, 'lower'>
}

/** What of one session's commands the result cache answers, and what of its answers it keeps. */
export class SessionAnswers {
  readonly #context: AnswersContext
  readonly #mark = new SessionMark()
  /** Of the command in hand; null: its answer is not to be kept. */
  #capture: Capture | null = null

  constructor(context: AnswersContext) {
    this.#context = context
  }

  /** The answer to the command in hand, as it is written to the client; null: a server has to be asked. */
  find(session: AskingSession): Buffer | null {
    const { cache } = this.#context
    this.#capture = null
    if (!isRepeatableAnswer(session)) return null
    const { command, statement, facts, state, text } = session
    const { login } = session.backends
    const number = this.#mark.numberOf(facts.user, login, state, this.#addressOf(session))
    const key = keyOfCommand(number, command, statement, text.capabilities)
    if (key === null) return null
    const answer = cache.find(key)
    if (answer === null || !satisfies(answer, session, this.#context, command.startedAt)) {
      this.#capture = captureFor(session, key, cache)
      return null
    }
    cache.given(answer)
    this.#learn(answer, session)
    session.count.fromCache(command, answer.rows, state.schema, monotonicMs())
    return answer.bytes
  }

  /** The command is about to be written to a server. */
  captureOn(backend: Backend, now: number): Capture | null {
    this.#capture?.sent(backend, this.#context.view, now)
    return this.#capture
  }

  /** The command is answered: nothing of it is held. */
  forget(): void {
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
