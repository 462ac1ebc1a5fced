import { addGtidsInOrder, formatGtidSet, type GtidSet, gtidSetContains, newGtidSet } from '../../shared/gtid.js'
import type { ConsistencyLevel, Flavor, ServerId } from '../../shared/snapshot.js'
import type { Candidate } from '../routing/topology-view.js'
import type { SessionConsistency } from './session-consistency.js'
import type { Watermark } from './watermark.js'

/** Reports of what replicas without GTIDs have come several times a second: nobody waits for one for less than this, in ms. */
const REPORT_WAIT_MS_MIN = 100

/** What a replica may be short of. */
export type Shortage = 'ownWrites' | 'seen' | 'committed' | 'key' | 'position' | 'lag'

/** What one read needs of a replica. One object per worker is filled for each statement. */
export class ReadNeed {
  level: ConsistencyLevel = 'session'
  session: SessionConsistency | null = null
  /** Monotonic ms: what was written through this proxy by then. -1: nothing of it. */
  committedBy = -1
  /** Where nothing tells what replicas have, they are not taken to have it. */
  committedProven = false
  /** Of the causal key that the statement names. */
  key: Watermark | null = null
  /** Something is being written under the key: only the primary is sure to show what others may have seen of it. */
  keyHeld = false
  /** The replica from which all workers read under the key; empty: any will do. */
  only: ServerId = ''
  /** What the statement asks for by its GTIDs. */
  position: GtidSet | null = null
  /** -1: no limit but the servers' own. */
  maxLagMs = -1
  /** Where nothing tells what a replica has: monotonic ms up to which events are taken for covered. */
  pinnedUntil = -1
  /** How long it may wait for a replica to catch up, in ms; 0: not at all. */
  waitMs = 0

  isMetBy(candidate: Candidate): boolean {
    const { session, key, position, maxLagMs } = this
    if (!this.hasCommitted(candidate)) return false
    if (this.only !== '' && candidate.entry.id !== this.only) return false
    if (session !== null && this.level !== 'eventual' && !session.isMetBy(candidate, this.pinnedUntil)) return false
    if (key !== null && !key.isMetBy(candidate, this.pinnedUntil)) return false
    if (position !== null && !has(candidate, position)) return false
    return maxLagMs < 0 || (candidate.lagMs !== null && candidate.lagMs <= maxLagMs)
  }

  /** The first thing that a replica lacks; null: nothing. */
  shortageOf(candidate: Candidate): Shortage | null {
    const { session, key, position, maxLagMs, pinnedUntil } = this
    if (session !== null && this.level !== 'eventual') {
      if (!session.hasWritten(candidate, pinnedUntil)) return 'ownWrites'
      if (!session.hasSeen(candidate, pinnedUntil)) return 'seen'
    }
    if (!this.hasCommitted(candidate)) return 'committed'
    if (this.only !== '' && candidate.entry.id !== this.only) return 'key'
    if (key !== null && !key.isMetBy(candidate, pinnedUntil)) return 'key'
    if (position !== null && !has(candidate, position)) return 'position'
    return maxLagMs < 0 || (candidate.lagMs !== null && candidate.lagMs <= maxLagMs) ? null : 'lag'
  }

  /** Whether a replica has what was written by `committedBy`. Others' GTIDs are not known: it is told by time. */
  hasCommitted({ coversPrimaryAt, target }: Candidate): boolean {
    const { committedBy } = this
    if (committedBy < 0) return true
    if (coversPrimaryAt >= 0) return coversPrimaryAt > committedBy
    return this.pinnedUntil > committedBy || !(this.committedProven || target.known.tells)
  }

  /**
   * Whether it is a matter of GTIDs that are known whether the replica has all that is needed.
   * @param afterAsking the primary may be asked how far it is
   */
  canWaitFor(candidate: Candidate, afterAsking: boolean): boolean {
    if (candidate.gtids === null || !this.#isWorthWaitingFor(candidate)) return false
    return afterAsking || (this.#toldByGtids(this.session, candidate) && this.#toldByGtids(this.key, candidate))
  }

  /** Whether reports of the monitor tell, without GTIDs, what the replica has. */
  canWaitForReport(candidate: Candidate): boolean {
    const { gtids, coversPrimaryAt, target } = candidate
    const isReported = gtids === null && target.known.wasToldByLog && coversPrimaryAt >= 0
    return (
      isReported && this.waitMs >= REPORT_WAIT_MS_MIN && this.position === null && this.#isWorthWaitingFor(candidate)
    )
  }

  #isWorthWaitingFor({ entry, lagMs }: Candidate): boolean {
    if (this.waitMs === 0 || (this.only !== '' && entry.id !== this.only)) return false
    return lagMs !== null && lagMs <= this.waitMs && (this.maxLagMs < 0 || lagMs <= this.maxLagMs)
  }

  /** The GTIDs that the replica lacks or may lack, as text for a server; null: they do not tell all that is needed. */
  gtidsFor(candidate: Candidate): string | null {
    if (!this.hasCommitted(candidate)) return null
    if (!this.#toldByGtids(this.session, candidate) || !this.#toldByGtids(this.key, candidate)) return null
    const parts: string[] = []
    for (const mark of [this.level === 'eventual' ? null : this.session, this.key]) {
      if (mark !== null && !mark.hasWritten(candidate, this.pinnedUntil)) parts.push(mark.gtidText)
    }
    if (this.position !== null) parts.push(formatGtidSet(this.position))
    return joinGtids(parts, candidate.target.flavor)
  }

  /** Whether what others have written is all that the replica is not known to have. */
  lacksOnlyCommitted(candidate: Candidate): boolean {
    const { session, key, position, pinnedUntil } = this
    if (position !== null || this.hasCommitted(candidate)) return false
    const isMet = session === null || this.level === 'eventual' || session.isMetBy(candidate, pinnedUntil)
    return isMet && (key === null || key.isMetBy(candidate, pinnedUntil))
  }

  /** Notes that a replica has the GTIDs that were waited for. */
  caughtUp({ target: { known } }: Candidate): void {
    if (this.level !== 'eventual') this.session?.noteCaughtUp(known)
    this.key?.noteCaughtUp(known)
  }

  #toldByGtids(mark: Watermark | null, candidate: Candidate): boolean {
    if (mark === null || (mark === this.session && this.level === 'eventual')) return true
    if (!mark.hasSeen(candidate, this.pinnedUntil)) return false
    return mark.hasWritten(candidate, this.pinnedUntil) || mark.gtidsSuffice(candidate)
  }
}

/** Several sets as one: MariaDB takes no list that names a domain twice. null: one does not tell both (`addGtidsInOrder`). */
export function joinGtids(parts: readonly string[], flavor: Flavor): string | null {
  const all = newGtidSet(flavor)
  for (const part of parts) if (!addGtidsInOrder(all, part)) return null
  return formatGtidSet(all)
}

function has({ gtids }: Candidate, position: GtidSet): boolean {
  return gtids !== null && gtidSetContains(gtids, position)
}
