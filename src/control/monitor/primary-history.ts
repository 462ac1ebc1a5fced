import {
  addGtids,
  formatGtidSet,
  type GtidSet,
  gtidSetContains,
  gtidSetFollows,
  parseGtidSet,
} from '../../shared/gtid.js'

/** How positions of one kind are compared. */
export interface PositionOrder<Position> {
  /** Whether who is at `outer` has all that is at `inner`. */
  contains(outer: Position, inner: Position): boolean
  /** Whether a server that was at `earlier` can have come to `later` by going on. */
  follows(later: Position, earlier: Position): boolean
}

export const GTID_ORDER: PositionOrder<GtidSet> = { contains: gtidSetContains, follows: gtidSetFollows }

/** A position at which the primary was seen, one poll after another. Times are monotonic milliseconds. */
interface Seen<Position> {
  readonly text: string
  readonly position: Position
  /** When the first answer with this position came: all of it had been committed by then. */
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
 * The positions of one primary (its executed GTIDs, or places in its binary log) and when it had them. Comparing a replica's
 * position with them says up to which moment the replica is complete, without a clock of any server and without a
 * statement more.
 */
export class PrimaryHistory<Position> {
  private readonly order: PositionOrder<Position>
  private polls: Seen<Position>[] = []
  /** The last one of all, which outlasts `clear`. */
  private last: Seen<Position> | null = null
  private begunMs = -1

  constructor(order: PositionOrder<Position>) {
    this.order = order
  }

  clear(): void {
    this.polls = []
  }

  /** Where the primary was seen last; null: nothing is known of that. */
  get newest(): Position | null {
    return this.polls.at(-1)?.position ?? null
  }

  /** Monotonic ms after which its positions began anew, and those of before mean something else; -1: they have not. */
  get begunAt(): number {
    return this.begunMs
  }

  /**
   * `askedMs`: before the question was sent; `answeredMs`: when its answer had come. An empty text says nothing.
   * @param read gives the position that the text stands for; asked only where that is another one than the last
   */
  record(text: string, read: () => Position, askedMs: number, answeredMs: number): void {
    if (text === '') {
      this.clear()
      return
    }
    const newest = this.polls.at(-1)
    if (newest?.text === text) {
      newest.askedMs = askedMs
      return
    }
    const position = read()
    // Positions that are gone are taken a second time: what was seen before is another history (RESET, or a restored backup).
    if (this.last !== null && !this.order.follows(position, this.last.position)) {
      this.clear()
      this.begunMs = this.last.askedMs
    }
    this.last = { text, position, answeredMs, askedMs }
    this.polls.push(this.last)
    if (this.polls.length > POLLS_MAX) this.polls.shift()
  }

  /** `polledMs`: when the replica was asked for `text`. */
  compare(text: string, position: Position, polledMs: number): Coverage {
    let missing: Seen<Position> | null = null
    for (let index = this.polls.length - 1; index >= 0; index--) {
      const seen = this.polls[index]
      if (seen.text === text || this.order.contains(position, seen.position)) {
        return { coversPrimaryAt: seen.askedMs, behindMs: behind(missing, polledMs) }
      }
      missing = seen
    }
    return { coversPrimaryAt: -1, behindMs: behind(missing, polledMs) }
  }
}

function behind(missing: Seen<unknown> | null, polledMs: number): number {
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
