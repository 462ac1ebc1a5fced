import { Command } from '../../../protocol/index.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { Backend, Exchange } from '../backend/backend.js'
import type { ConnectionProfile } from '../backend/connection-profile.js'
import type { Pool } from '../pool/pool.js'
import type { BackendHolder } from '../pool/pool-terms.js'
import { reasonOfHold } from '../routing/router.js'
import type { Candidate } from '../routing/topology-view.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import { Fit, fitOf, type SessionState } from '../state/session-state.js'

/** A read that runs for so long, in ms, keeps no others waiting behind it. */
const STUCK_MS = 10

/** Whether a read may run on whatever connection is like its session's own: it leaves nothing there and asks for nothing that one alone has. */
export function fitsLane(command: CommandInHand, facts: SessionFacts): boolean {
  if (!command.repeatable || command.displaced || command.code === Command.STMT_PREPARE) return false
  return facts.pins === 0 && facts.autocommit && reasonOfHold(facts, command.effects) === null
}

/**
 * Connections with reads of several sessions in flight, one behind the other: fewer connections, and fewer and larger
 * writes and reads on them. Only reads that leave nothing behind, and that are known to be short, go there; those that
 * have to wait all the same are executed on another connection. A connection is a lane for as long as anything is in
 * flight on it, and nobody's afterwards.
 */
export class Lanes implements BackendHolder {
  readonly #pool: Pool
  readonly #now: () => number
  readonly #byServer = new Map<ServerId, Set<Backend>>()
  /** Takes answers that nobody waits for any more. */
  readonly #nobody: Exchange = {
    received: () => {},
    finished: (lane) => this.leave(lane, this.#now()),
    lost: () => {},
    crashed: () => {},
  }
  #watch: NodeJS.Timeout | null = null

  constructor(pool: Pool, now: () => number) {
    this.#pool = pool
    this.#now = now
  }

  /**
   * The lane with the fewest reads in flight, or an idle connection that becomes one; null: there is none that has the
   * session's state.
   * @param depthMax reads in flight on one
   */
  find(
    candidate: Candidate,
    profile: ConnectionProfile,
    state: SessionState,
    depthMax: number,
    now: number,
  ): Backend | null {
    let best: Backend | null = null
    for (const lane of this.#byServer.get(candidate.entry.id) ?? NONE) {
      // What is in flight there was sent to a server in another role, and is noted so.
      if (lane.target.hostgroup !== candidate.entry.hostgroup) continue
      if (lane.profile !== profile || lane.depth >= depthMax || now - lane.headSince > STUCK_MS) continue
      if (best !== null && lane.depth >= best.depth) continue
      if (fitOf(state, lane.applied) === Fit.same) best = lane
    }
    return best ?? this.#open(candidate, profile, state)
  }

  #open(candidate: Candidate, profile: ConnectionProfile, state: SessionState): Backend | null {
    const backend = this.#pool.take(candidate, profile, this)
    if (backend === null) return null
    if (backend.target !== candidate.target) this.#pool.retarget(backend, candidate)
    if (backend.state === 'idle' && !backend.applied.untracked && fitOf(state, backend.applied) === Fit.same) {
      return backend
    }
    this.#pool.release(backend, false)
    return null
  }

  /** A read is put in flight on a lane. */
  enter(lane: Backend, now: number): void {
    if (lane.depth === 0) {
      lane.headSince = now
      const { id } = lane.target
      const lanes = this.#byServer.get(id)
      if (lanes === undefined) this.#byServer.set(id, new Set([lane]))
      else lanes.add(lane)
    } else if (this.#watch === null) this.#watch = setInterval(() => this.#moveStuck(), STUCK_MS)
  }

  /** The first of the reads in flight is over. */
  leave(lane: Backend, now: number): void {
    lane.headSince = now
    if (lane.depth > 0) return
    this.#forget(lane)
    if (lane.state === 'busy') lane.move('idle')
    this.#pool.release(lane, false)
  }

  /** Whose read this was does not wait for its answer any more. */
  abandon(lane: Backend, exchange: Exchange): void {
    lane.replace(exchange, this.#nobody)
  }

  backendGone(backend: Backend): void {
    this.#forget(backend)
  }

  backendTaken(): void {}

  #forget(lane: Backend): void {
    this.#byServer.get(lane.target.id)?.delete(lane)
  }

  /** What waits behind a read that takes long goes elsewhere; its answer, when it comes, is for nobody. */
  #moveStuck(): void {
    const now = this.#now()
    let waiting = false
    for (const lanes of this.#byServer.values()) {
      for (const lane of lanes) {
        if (lane.depth < 2) continue
        waiting = true
        if (now - lane.headSince > STUCK_MS) lane.displaceWaiting(this.#nobody)
      }
    }
    if (waiting || this.#watch === null) return
    clearInterval(this.#watch)
    this.#watch = null
  }
}

const NONE: readonly Backend[] = []
