import type { Backend } from '../backend/backend.js'
import type { WorkerContext } from '../context.js'
import type { SessionBackends } from '../pool/session-backends.js'
import type { Candidate, TopologyView } from '../routing/topology-view.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import type { PreparedStatement } from '../statements/statements.js'
import { fitsLane } from './lanes.js'
import { ReadTime } from './read-time.js'

/* Which reads go on a connection that has others in flight. */

interface LaneSession {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly facts: SessionFacts
  readonly text: SessionText
  readonly backends: SessionBackends
}

/** How long the command in hand takes; null: it is none that may be among others, or none is to be. */
export function readTimeOf(session: LaneSession, { snapshot }: TopologyView): ReadTime | null {
  if (snapshot.limits.pipelineDepth === 1 || !fitsLane(session.command, session.facts)) return null
  const digest = session.text.digestOf(session.command, session.statement?.shared ?? null)
  if (digest === null) return null
  digest.readTime ??= new ReadTime()
  return digest.readTime
}

/**
 * A connection for a short read, with others or alone on it, which has its prepared statement; null: there is none, the
 * read is not short, or its server has so little to do that nothing would be won.
 */
export function laneFor(
  { command, statement, backends }: LaneSession,
  time: ReadTime,
  candidate: Candidate,
  context: WorkerContext,
): Backend | null {
  const { pipelineDepth, pipelineFrom, pipelineQueryTimeMs } = context.view.snapshot.limits
  if (candidate.target.known.inFlight < pipelineFrom || !time.isShort(pipelineQueryTimeMs)) return null
  const lane = backends.lane(candidate, pipelineDepth, command.startedAt)
  if (lane === null || statement === null || statement.isReadyOn(lane)) return lane
  if (lane.depth === 0) context.pool.release(lane, false)
  return null
}

/** Whether an answer has left what its session may ask for next, and what only its own connection could tell. */
export function leavesDiagnostics({ follower }: Backend): boolean {
  return follower.warnings > 0 || follower.errno !== 0
}
