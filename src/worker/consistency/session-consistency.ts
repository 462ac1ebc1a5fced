import type { CommitTimes } from '../../shared/commit-times.js'
import type { ConsistencyLevel, ConsistencySettings, UserEntry } from '../../shared/snapshot.js'
import type { KnownServer } from '../routing/known-server.js'
import { Watermark } from './watermark.js'
import type { Wishes } from './wishes.js'

/** After so many reads in a row that went to the primary for want of a replica, one asks how far the primary is and waits. */
const FORCED_MAX = 3
/** A session that had no choice among replicas for so long, in ms, is to have one. */
const SETTLED_MS = 5_000

/**
 * What a session's reads may rely on, and what it has written and seen so far (`Watermark`). Reads at the level `eventual`
 * neither ask for it nor count towards it, and those that a hint sends to a replica or a hostgroup do the same.
 */
export class SessionConsistency extends Watermark {
  /** As the session has set it; null: it has not. */
  level: ConsistencyLevel | null = null
  /** Monotonic ms of the session's begin; -1: it has seen something since, and what it sees from now on is no older than that. */
  beganAt: number
  /** Keys under which the transaction that is open has written; null: none. */
  keysWritten: Set<string> | null = null
  /** Reads in a row that had to go to the primary. */
  #forced = 0
  /** Monotonic ms of the last choice among replicas that it was given. */
  #choseAt: number

  /** @param now monotonic ms */
  constructor(now: number) {
    super()
    this.beganAt = this.#choseAt = now
  }

  /** The level of a statement: its own, else that of the session, a query rule, the user, or all. */
  levelFor(
    wishes: Wishes | null,
    ofRule: ConsistencyLevel | null,
    user: UserEntry,
    settings: ConsistencySettings,
  ): ConsistencyLevel {
    return wishes?.level ?? this.level ?? ofRule ?? user.consistency ?? settings.level
  }

  forcedToPrimary(): void {
    this.#forced++
  }

  readFromReplica(): void {
    this.#forced = 0
  }

  /** Whether it pays to ask the primary how far it is, so that a replica can be waited for. */
  get isStuck(): boolean {
    return this.#forced >= FORCED_MAX
  }

  /** Asking has not helped: again after as many reads. */
  stayStuck(): void {
    this.#forced = 0
  }

  /** Whether it is time to choose among replicas again, though it has read without a pause from one of them. */
  isSettled(now: number): boolean {
    return now - this.#choseAt > SETTLED_MS
  }

  choseAnew(now: number): void {
    this.#choseAt = now
  }

  override sawOnPrimary(now: number): void {
    super.sawOnPrimary(now)
    this.beganAt = -1
  }

  override sawOnReplica(known: KnownServer, incarnation: number, now: number, had: boolean): void {
    super.sawOnReplica(known, incarnation, now, had)
    this.beganAt = -1
  }

  /** As after a login. What was written and seen stays known, since the client goes on. */
  reset(now: number): void {
    this.level = null
    this.beganAt = now
  }
}

/** Up to when what was written through this proxy has to be there; -1: none of it has to. */
export function committedBy(
  level: ConsistencyLevel,
  { beganAt }: SessionConsistency,
  { newSessionsSeeCommits }: ConsistencySettings,
  commits: CommitTimes,
  writer: number,
  now: number,
): number {
  if (level === 'global') return commits.latest(writer, now)
  if (beganAt < 0 || !newSessionsSeeCommits || level === 'eventual') return -1
  return Math.min(beganAt, commits.latest(writer, now))
}
