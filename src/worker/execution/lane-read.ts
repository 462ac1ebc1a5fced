import type { Backend, Exchange } from '../backend/backend.js'
import type { WorkerContext } from '../context.js'
import type { SessionBackends } from '../pool/session-backends.js'
import type { Candidate } from '../routing/topology-view.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import type { PreparedStatement } from '../statements/statements.js'
import { fitsLane } from './lanes.js'
import { ReadTime } from './read-time.js'

interface LaneSession {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly facts: SessionFacts
  readonly text: SessionText
  readonly backends: SessionBackends
}

/** A session's read on a connection that has others' in flight, and how long its statements take on any. */
export class LaneRead {
  readonly #session: LaneSession
  readonly #context: Pick<WorkerContext, 'view' | 'pool' | 'lanes'>
  #isIn = false
  /** No other read was before it. */
  #isFirst = false
  /** Of the statement in hand; null: nobody asks. */
  #time: ReadTime | null = null

  constructor(session: LaneSession, context: Pick<WorkerContext, 'view' | 'pool' | 'lanes'>) {
    this.#session = session
    this.#context = context
  }

  /** Whether the command in hand is in flight on a connection with reads of other sessions. */
  get isIn(): boolean {
    return this.#isIn
  }

  /** Another command is in hand. */
  begin(): void {
    this.#time = null
  }

  /**
   * A connection for the command in hand, which is to be entered; null: there is none, or it is no short read, or one that leaves something
   * behind.
   * @param mayEnter false: only its time is of interest
   */
  find(candidate: Candidate, mayEnter: boolean): Backend | null {
    this.#time = this.#readTime()
    return mayEnter && this.#time !== null ? this.#laneFor(this.#time, candidate) : null
  }

  enter(lane: Backend): void {
    const { command, facts, backends } = this.#session
    const { pool, lanes } = this.#context
    this.#isIn = true
    this.#isFirst = lane.depth === 0
    // What the statement before has left elsewhere cannot be asked for any more.
    if (facts.last !== null) pool.lower(facts.last)
    lanes.enter(lane, backends.login, command.startedAt)
  }

  /** The whole answer is there. */
  answered(lane: Backend, now: number): void {
    // Where others were before it, part of its time is theirs, or has passed before this process came to read.
    if (this.#isFirst) this.#time?.learn(now - lane.headSince)
    this.#session.facts.last = null
    this.leave(lane, now)
  }

  /** Its answer has come, whatever it is: the next read's turn. */
  leave(lane: Backend, now: number): void {
    this.#isIn = false
    this.#context.lanes.leave(lane, now)
  }

  /** Nobody waits for its answer any more. */
  abandon(lane: Backend, exchange: Exchange): void {
    this.#context.lanes.abandon(lane, exchange)
    this.#isIn = false
  }

  /** It is in flight nowhere. */
  isOut(): void {
    this.#isIn = false
  }

  /** The statement has taken so long, from when it was sent. */
  tookAlone(ms: number): void {
    this.#time?.learn(ms)
  }

  /** The next statements of its digest get connections of their own. */
  keepApart(): void {
    this.#time?.keepApart()
  }

  /** How long the command in hand takes; null: it is none that may be among others, or none is to be. */
  #readTime(): ReadTime | null {
    const { command, statement, facts, text } = this.#session
    if (this.#context.view.snapshot.limits.pipelineDepth === 1 || !fitsLane(command, facts)) return null
    const digest = text.digestOf(command, statement?.shared ?? null)
    if (digest === null) return null
    digest.readTime ??= new ReadTime()
    return digest.readTime
  }

  /**
   * A connection for a short read, with others or alone on it, which has its prepared statement; null: there is none, the
   * read is not short, or its server has so little to do that nothing would be won.
   */
  #laneFor(time: ReadTime, candidate: Candidate): Backend | null {
    const { command, statement, backends } = this.#session
    const { view, pool } = this.#context
    const { pipelineDepth, pipelineFrom, pipelineQueryTimeMs } = view.snapshot.limits
    if (candidate.target.known.inFlight < pipelineFrom || !time.isShort(pipelineQueryTimeMs)) return null
    const lane = backends.lane(candidate, pipelineDepth, command.startedAt)
    if (lane === null || statement === null || statement.isReadyOn(lane)) return lane
    if (lane.depth === 0) pool.release(lane, false)
    return null
  }
}

/** Whether an answer has left what its session may ask for next, and what only its own connection could tell. */
export function leavesDiagnostics({ follower }: Backend): boolean {
  return follower.warnings > 0 || follower.errno !== 0
}
