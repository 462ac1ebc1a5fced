import type { ServerId } from '../../shared/snapshot.js'
import { CircuitBreaker } from '../pool/circuit-breaker.js'

/** Weight of the newest statement in a server's latency: about the last ten count. */
const LATENCY_WEIGHT = 0.1
/** After a replica has not caught up in time, no read waits for it for so long, or until it has. */
export const NO_WAIT_MS = 500

/** The answer of a primary to the question how far it is. */
export interface Told {
  /** Monotonic ms. */
  readonly askedAt: number
  /** A GTID set as the servers read it; empty: it did not tell. */
  readonly gtids: Promise<string>
}

/**
 * What a worker knows of a server from its own traffic, whatever hostgroup the server is in and however often the control
 * plane sends new snapshots: there is one object per server for as long as the server is configured.
 */
export class KnownServer {
  readonly id: ServerId
  /** Whether connections can be opened, as this worker has found. */
  readonly breaker = new CircuitBreaker()
  /** Goes up when what was seen on the server may not be there any more: a connection was lost, or the monitor says so. */
  incarnation = 0
  /** Statements of this worker that the server has not answered yet. */
  inFlight = 0
  /** Answers of this server that have come, over all time. */
  answered = 0
  /** Of those in flight the reads that are on a primary only because no replica qualified. */
  spilled = 0
  /** Moving average of the time that reads took, in ms; 0: none was measured. */
  latencyMs = 0
  /** This worker itself has seen the server to have all that `reachedPrimary` had at this monotonic ms; -1: never. */
  reachedAt = -1
  reachedPrimary: ServerId = ''
  /** What this server, as the primary, was asked last: all that it has committed, and when it was asked. null: it was not. */
  told: Told | null = null
  /** Until this monotonic ms no read waits for the server to catch up. */
  noWaitUntil = -1
  /** Whether the monitor was told GTIDs when it looked last. */
  givesGtids = false
  /**
   * Whether its place in a primary's binary log has ever told what it has. Where that is not known just now, as after a
   * failover, it is not taken to have what nothing tells.
   */
  wasToldByLog = false
  /** How often clients of this worker have set global variables here: other servers may have other values, and sessions start with them. */
  globalsSet = 0
  /** Monotonic ms of the last loss of a connection; -1: none. */
  doubtedAt = -1
  /** Of the last report that said something else. */
  #reported = -1

  constructor(id: ServerId) {
    this.id = id
  }

  started(): void {
    this.inFlight++
  }

  /** @param latencyMs of a read; -1: it says nothing of the server's speed */
  ended(latencyMs: number): void {
    if (this.inFlight > 0) this.inFlight--
    if (latencyMs < 0) return
    this.latencyMs = this.latencyMs === 0 ? latencyMs : this.latencyMs + (latencyMs - this.latencyMs) * LATENCY_WEIGHT
  }

  /** What was seen here may be gone. */
  doubt(now: number): void {
    this.incarnation++
    this.reachedAt = -1
    this.doubtedAt = now
    this.told = null
  }

  /** Takes the monitor's number, which goes up for the same reasons. */
  reported(incarnation: number): void {
    if (this.#reported !== -1 && this.#reported !== incarnation) {
      this.incarnation++
      this.reachedAt = -1
    }
    this.#reported = incarnation
  }

  /** A question that was sent to `primary` at `askedAt` told what there was; all of it has been seen here. */
  reached(primary: ServerId, askedAt: number): void {
    if (this.reachedPrimary === primary && this.reachedAt >= askedAt) return
    this.reachedPrimary = primary
    this.reachedAt = askedAt
  }

  /** Whether something tells what it has, though not at every moment. */
  get tells(): boolean {
    return this.givesGtids || this.wasToldByLog
  }

  waitedInVain(now: number): void {
    this.noWaitUntil = now + NO_WAIT_MS
  }

  /** What was waited for in vain has come meanwhile. */
  hasCaughtUp(): void {
    this.noWaitUntil = -1
  }
}
