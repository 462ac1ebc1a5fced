import type { ConsistencyLevel, ConsistencySettings, UserEntry } from '../../shared/snapshot.js'
import { Watermark } from './watermark.js'
import type { Wishes } from './wishes.js'

/** After so many reads in a row that went to the primary for want of a replica, one asks how far the primary is and waits. */
const FORCED_MAX = 3

/**
 * What a session's reads may rely on, and what it has written and seen so far (`Watermark`). Reads at the level `eventual`
 * neither ask for it nor count towards it, and those that a hint sends to a replica or a hostgroup do the same.
 */
export class SessionConsistency extends Watermark {
  /** As the session has set it; null: it has not. */
  level: ConsistencyLevel | null = null
  /** Keys under which the transaction that is open has written; null: none. */
  keysWritten: Set<string> | null = null
  /** Reads in a row that had to go to the primary. */
  #forced = 0

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

  /** As after a login. What was written and seen stays known, since the client goes on. */
  reset(): void {
    this.level = null
  }
}
