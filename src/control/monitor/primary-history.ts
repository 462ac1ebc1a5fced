import {
  addGtids,
  formatGtidSet,
  type GtidSet,
  gtidSetContains,
  gtidSetFollows,
  parseGtidSet,
} from '../../shared/gtid.js'
import type { Flavor } from '../../shared/snapshot.js'

/** A set that the primary was seen with, one poll after another. Times are monotonic milliseconds. */
interface Seen {
  readonly text: string
  readonly set: GtidSet
  /** When the first answer with this set came: all of it had been committed by then. */
  readonly answeredMs: number
  /** When the last question with this answer was sent: nothing else had been committed by then. */
  askedMs: number
}

/** How a replica stands to what the primary was seen with. */
export interface Coverage {
  /** Everything the primary had executed at this time is applied; -1: not known. */
  readonly coversPrimaryAt: number
  /** The replica lacks something that was committed at least so long ago; 0: it lacks nothing that was seen. */
  readonly behindMs: number
}

const POLLS_MAX = 256

/**
 * The executed GTID sets of one primary and when it had them. Comparing a replica's set with them says up to which
 * moment the replica is complete, without a clock of any server and without a statement more.
 */
export class PrimaryHistory {
  private polls: Seen[] = []

  clear(): void {
    this.polls = []
  }

  /** `askedMs`: before the question was sent; `answeredMs`: when its answer had come. An empty set says nothing. */
  record(text: string, flavor: Flavor, askedMs: number, answeredMs: number): void {
    if (text === '') {
      this.clear()
      return
    }
    const newest = this.polls.at(-1)
    if (newest?.text === text) {
      newest.askedMs = askedMs
      return
    }
    const set = parseGtidSet(text, flavor)
    // GTIDs that are gone are given a second time: what was seen before is another history (RESET, or a restored backup).
    if (newest !== undefined && !gtidSetFollows(set, newest.set)) this.clear()
    this.polls.push({ text, set, answeredMs, askedMs })
    if (this.polls.length > POLLS_MAX) this.polls.shift()
  }

  /** `polledMs`: when the replica was asked for `text`. */
  compare(text: string, set: GtidSet, polledMs: number): Coverage {
    let missing: Seen | null = null
    for (let index = this.polls.length - 1; index >= 0; index--) {
      const seen = this.polls[index]
      if (seen.text === text || gtidSetContains(set, seen.set)) {
        return { coversPrimaryAt: seen.askedMs, behindMs: behind(missing, polledMs) }
      }
      missing = seen
    }
    return { coversPrimaryAt: -1, behindMs: behind(missing, polledMs) }
  }
}

function behind(missing: Seen | null, polledMs: number): number {
  return missing === null ? 0 : Math.max(0, polledMs - missing.answeredMs)
}

/**
 * What a MariaDB replica is sure to have: its sources' domains as far as it has applied them, whatever it wrote there itself,
 * or before it became a replica.
 */
export function mariadbExecuted(binlog: string, slave: string): string {
  if (slave === '' || slave === binlog) return binlog
  if (binlog === '') return slave
  const executed = parseGtidSet(binlog, 'mariadb')
  const applied = parseGtidSet(slave, 'mariadb')
  if (executed.flavor === 'mariadb' && applied.flavor === 'mariadb') {
    for (const domain of applied.domains.keys()) executed.domains.delete(domain)
  }
  addGtids(executed, slave)
  return formatGtidSet(executed)
}

/**
 * All that a MariaDB primary can have shown: what is furthest of its binary log, which has its own writes, and of what it
 * has applied as a replica, which is in its binary log only with log_slave_updates.
 */
export function mariadbWritten(binlog: string, slave: string): string {
  if (slave === '' || slave === binlog) return binlog
  if (binlog === '') return slave
  const written = parseGtidSet(binlog, 'mariadb')
  addGtids(written, slave)
  return formatGtidSet(written)
}
