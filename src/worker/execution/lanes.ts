import { Command } from '../../../protocol/index.js'
import type { ServerId } from '../../shared/snapshot.js'
import { Effect } from '../../sql/index.js'
import type { Backend, Exchange } from '../backend/backend.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { ConnectionProfile } from '../backend/connection-profile.js'
import type { Pool } from '../pool/pool.js'
import type { BackendHolder } from '../pool/pool-terms.js'
import { reasonOfHold } from '../routing/router.js'
import type { Candidate } from '../routing/topology-view.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import { Fit, fitOf, type SessionState } from '../state/session-state.js'

/** A read that runs for so long, in ms, is suspected to keep others waiting behind it. */
const LATE_MS = 10
/** A read that nobody waits for any more is ended on its server after so long, in ms. */
const END_MS = 250
/** Reads in flight on one connection where the server has all the connections that it may have. */
export const DEPTH_MOST = 64

/** In the order in which they became lanes, with what their connections have logged in with. */
type LanesOfServer = Map<Backend, BackendLogin>

/** Ends a connection on its server, whatever it executes. */
export type KillConnection = (backend: Backend, login: BackendLogin) => void

/** Whether a read may run on whatever connection is like its session's own: it leaves nothing there and asks for nothing that one alone has. */
export function fitsLane(command: CommandInHand, facts: SessionFacts): boolean {
  if (!command.repeatable || command.displaced || command.code === Command.STMT_PREPARE) return false
  if ((command.effects & Effect.sqlCalcFoundRows) !== 0) return false
  return facts.pins === 0 && facts.autocommit && reasonOfHold(facts, command.effects) === null
}

/**
 * Connections with reads of several sessions in flight, one behind the other: fewer connections, and fewer and larger
 * writes and reads on them. Only reads that leave nothing behind, and that are known to be short, go there; those that
 * have to wait all the same are executed on another connection. A connection is a lane for as long as anything is in
 * flight on it, and nobody's afterwards.
 *
 * That a read is late may be the server's fault, or this machine's: executing the others twice would make that worse. So
 * one of them alone is sent elsewhere at first, and the rest when the server is seen to answer what came later.
 */
export class Lanes implements BackendHolder {
  readonly #pool: Pool
  readonly #now: () => number
  readonly #kill: KillConnection
  readonly #byServer = new Map<ServerId, LanesOfServer>()
  /** Those that have been written to in this turn of the event loop: what follows leaves with it. */
  #written: Backend[] = []
  /** Takes answers that nobody waits for any more. */
  readonly #nobody: Exchange = {
    received: () => {},
    finished: (lane) => this.leave(lane, this.#now()),
    lost: () => {},
    crashed: () => {},
  }
  #watch: NodeJS.Timeout | null = null

  constructor(pool: Pool, now: () => number, kill: KillConnection) {
    this.#pool = pool
    this.#now = now
    this.#kill = kill
  }

  /**
   * The connection that a read is to go to: one that is being written to anyway, else one that is idle, so that the read
   * has nobody to wait for, else the one with the fewest reads in flight. null: there is none that has the session's state.
   * @param depthMax reads in flight on one, while the server may have more connections
   */
  find(
    candidate: Candidate,
    profile: ConnectionProfile,
    state: SessionState,
    depthMax: number,
    now: number,
  ): Backend | null {
    const { id } = candidate.entry
    const lanes = this.#byServer.get(id)
    if (lanes === undefined || lanes.size === 0) return this.#open(candidate, profile, state)
    const waiting = this.#pool.waitingAt(id)
    if (waiting === 0) {
      for (const lane of this.#written) {
        if (lane.depth < depthMax && takes(lane, candidate, profile, state)) return lane
      }
      const idle = this.#open(candidate, profile, state)
      if (idle !== null) return idle
    }
    const isFull = this.#pool.isFull(candidate)
    let best: Backend | null = null
    // Whoever waits for a connection gets one of the first to come to rest: those take no more.
    let resting = waiting
    for (const lane of lanes.keys()) {
      if (resting-- > 0) continue
      if (lane.depth >= (best?.depth ?? (isFull ? DEPTH_MOST : depthMax))) continue
      // Rather than behind what is late, a read is executed on a connection that is opened for it.
      if (now - lane.headSince > LATE_MS && (!isFull || isStuck(lane))) continue
      if (takes(lane, candidate, profile, state)) best = lane
    }
    return best
  }

  #open(candidate: Candidate, profile: ConnectionProfile, state: SessionState): Backend | null {
    const idle = this.#pool.idle(candidate, profile)
    if (idle === null || idle.killing !== null) return null
    if (idle.applied.untracked || !isUpToDate(idle) || fitOf(state, idle.applied) !== Fit.same) return null
    const backend = this.#pool.take(candidate, profile, this)
    if (backend === null) return null
    if (backend.target !== candidate.target) this.#pool.retarget(backend, candidate)
    return backend
  }

  /** A read is put in flight on a lane. @param login with which its session's connections are opened */
  enter(lane: Backend, login: BackendLogin, now: number): void {
    if (lane.depth > 0) return this.#watchOver()
    beginHead(lane, now)
    const lanes = this.#byServer.get(lane.target.id)
    if (lanes === undefined) this.#byServer.set(lane.target.id, new Map([[lane, login]]))
    else lanes.set(lane, login)
  }

  /** Writes a command together with what else is written there in this turn of the event loop. */
  write(lane: Backend, packet: Buffer): void {
    if (!lane.corked) {
      lane.cork()
      if (this.#written.push(lane) === 1) setImmediate(this.#flush)
    }
    lane.write(packet)
  }

  readonly #flush = (): void => {
    const written = this.#written
    this.#written = []
    for (const lane of written) lane.uncork()
  }

  /** The first of the reads in flight is over. */
  leave(lane: Backend, now: number): void {
    if (lane.depth > 0) return beginHead(lane, now)
    this.#forget(lane)
    if (lane.state === 'busy') lane.move('idle')
    if (lane.killing === null) return this.#pool.release(lane, false)
    // A KILL that comes late would hit what runs there next.
    lane.endedOnPurpose = true
    lane.quit()
  }

  /** Whose read this was does not wait for its answer any more. One that takes long is ended as soon as nobody else waits. */
  abandon(lane: Backend, exchange: Exchange): void {
    lane.replace(exchange, this.#nobody)
    this.#watchOver()
  }

  /** The first of the reads in flight is to be killed: all others are executed elsewhere. */
  single(lane: Backend): void {
    lane.head?.heldUp?.()
    lane.displaceWaiting(this.#nobody)
  }

  backendGone(backend: Backend): void {
    this.#forget(backend)
  }

  backendTaken(): void {}

  #forget(lane: Backend): void {
    this.#byServer.get(lane.target.id)?.delete(lane)
  }

  #watchOver(): void {
    // What has come while this process was busy is taken first, so that its own slowness is not taken for the server's.
    this.#watch ??= setInterval(() => setImmediate(() => this.#seeToLate()), LATE_MS)
  }

  #seeToLate(): void {
    const now = this.#now()
    let watching = false
    for (const lanes of this.#byServer.values()) {
      for (const [lane, login] of lanes) {
        const isNobodys = lane.isFor(this.#nobody)
        if (lane.depth < 2 && !isNobodys) continue
        watching = true
        const ms = now - lane.headSince
        if (isNobodys && ms > END_MS) this.#end(lane, login)
        else if (ms > LATE_MS) this.#seeToWaiting(lane)
      }
    }
    if (watching || this.#watch === null) return
    clearInterval(this.#watch)
    this.#watch = null
  }

  /** What waits behind a read that takes long goes elsewhere; its answer, when it comes, is for nobody. */
  #seeToWaiting(lane: Backend): void {
    if (isStuck(lane)) return this.single(lane)
    if (lane.headProbed) return
    lane.headProbed = true
    lane.displaceWaiting(this.#nobody, 1)
  }

  /**
   * A read is answered that has waited on a lane, or on none (null), and was executed elsewhere: if its server is another one, the lane's
   * own does not show that the first in flight is what takes long.
   */
  overtook(lane: Backend | null): void {
    if (lane?.headProbed === true) lane.headOvertaken = true
  }

  #end(lane: Backend, login: BackendLogin): void {
    if (lane.killing !== null) return
    lane.endedOnPurpose = true
    this.#kill(lane, login)
  }
}

/** Another read is the first in flight. */
function beginHead(lane: Backend, now: number): void {
  const { known } = lane.target
  lane.headSince = now
  lane.headMark = known.answered + Math.max(0, known.inFlight - lane.depth)
  lane.headProbed = false
  lane.headOvertaken = false
}

/** Whether what came later than the first read in flight there has been answered. */
function isStuck({ headMark, headOvertaken, target }: Backend): boolean {
  return headOvertaken || target.known.answered > headMark
}

/** Whether a read may go there behind those that are in flight. */
function takes(lane: Backend, candidate: Candidate, profile: ConnectionProfile, state: SessionState): boolean {
  const { target } = lane
  // What is in flight there was sent to a server in another role, and is noted so.
  if (target.id !== candidate.entry.id || target.hostgroup !== candidate.entry.hostgroup) return false
  if (lane.profile !== profile || lane.killing !== null || lane.state !== 'busy' || !isUpToDate(lane)) return false
  return fitOf(state, lane.applied) === Fit.same
}

/** Whether it has the global variables and privileges that a connection opened now would have. */
function isUpToDate({ outdated, globalsSeen, target }: Backend): boolean {
  return !outdated && globalsSeen === target.known.globalsSet
}
