import { addGtids, formatGtidSet, type GtidSet, gtidSetFollows, newGtidSet, parseGtidSet } from '../../shared/gtid.js'
import type { Logger } from '../../shared/log.js'
import type { ServerId } from '../../shared/snapshot.js'
import { LogCoverage, type LogPoll } from './log-coverage.js'
import { type Coverage, GTID_ORDER, mariadbExecuted, mariadbWritten, PrimaryHistory } from './primary-history.js'
import type { Poll } from './server-monitor.js'

/** The part of a poll that tells what a server has. */
export type PositionPoll = LogPoll &
  Pick<Poll, 'dialect'> & {
    readonly state: Pick<Poll['state'], 'readOnly' | 'gtidExecuted' | 'gtidOwned' | 'mariadbPositions'>
  }

const UNKNOWN: Coverage = { coversPrimaryAt: -1, behindMs: 0 }

/** What one poll says of a server's data. */
export interface Covered {
  /** Whose data it was compared with; the server itself when it is the primary; null: nobody's. */
  readonly primary: ServerId | null
  readonly gtidExecuted: string
  /** See `ServerHealth.toldByLog`. */
  readonly toldByLog: boolean
  /** See `ServerHealth.coversPrimaryAt`. */
  readonly coversPrimaryAt: number
  /** See `Coverage.behindMs`. */
  readonly behindMs: number
  /** See `ServerHealth.incarnation`. */
  readonly incarnation: number
}

/** A server's data as they were last seen. */
interface Known {
  gtidExecuted: string
  /** Parsed form of `gtidExecuted`. */
  executed: GtidSet
  coversPrimaryAt: number
  /** Primary to which `coversPrimaryAt` refers. */
  coveredPrimary: ServerId | null
  incarnation: number
}

/**
 * Up to which moment each server has all that its primary had then, through changes of the primary.
 *
 * Of what a primary had too much may be believed, never too little, and of what a replica has too little, never too much.
 * So a server's positions are read by the role that it has in this poll, and by nothing that an earlier poll has found.
 *
 * GTIDs tell it, and where a primary gives none, places in its binary log do (`LogCoverage`).
 */
export class CoverageTracker {
  private readonly log: Logger
  private readonly servers = new Map<ServerId, Known>()
  private readonly histories = new Map<ServerId, PrimaryHistory<GtidSet>>()
  private readonly logs = new LogCoverage()

  constructor(log: Logger) {
    this.log = log
  }

  /** @param named whom the topology takes for the primary of the server's pair; null: nobody */
  polled(id: ServerId, named: ServerId | null, poll: PositionPoll): Covered {
    const known = this.known(id)
    // The topology hears of a change of role only after this: a server that is read-only by now covers nobody's writes but
    // its own.
    const primary = named === id && poll.state.readOnly ? null : named
    this.takeExecuted(id, known, poll, primary === id)
    if (primary === id) this.logs.primaryPolled(id, poll)
    else if (this.logs.replicaPolled(id, poll)) this.doubt(id)
    const { coversPrimaryAt, behindMs } =
      primary === id ? this.primaryCoverage(id, known, poll) : this.replicaCoverage(id, known, primary, poll)
    known.coversPrimaryAt = coversPrimaryAt
    const { gtidExecuted, incarnation } = known
    const toldByLog = primary !== null && this.logs.tells(id, primary)
    return { primary, gtidExecuted, toldByLog, coversPrimaryAt, behindMs, incarnation }
  }

  /** What was known to be on the server may not be there any more. */
  doubt(id: ServerId): void {
    const known = this.known(id)
    known.coveredPrimary = null
    known.incarnation++
    this.logs.doubt(id)
  }

  /** Servers that are not watched any more are forgotten. */
  keepOnly(ids: ReadonlySet<ServerId>): void {
    for (const of of [this.servers, this.histories]) for (const id of of.keys()) if (!ids.has(id)) of.delete(id)
    this.logs.keepOnly(ids)
  }

  private known(id: ServerId): Known {
    const before = this.servers.get(id)
    if (before !== undefined) return before
    const known: Known = {
      gtidExecuted: '',
      executed: newGtidSet('mysql'),
      coversPrimaryAt: -1,
      coveredPrimary: null,
      incarnation: 0,
    }
    this.servers.set(id, known)
    return known
  }

  /** Parses the executed set only when its text has changed. */
  private takeExecuted(id: ServerId, known: Known, { state, dialect }: PositionPoll, isPrimary: boolean): void {
    const { flavor } = dialect
    try {
      const text = executedText(state, isPrimary)
      if (text === known.gtidExecuted && known.executed.flavor === flavor) return
      const executed = parseGtidSet(text, flavor)
      // RESET, or data that were put in its place.
      if (!gtidSetFollows(executed, known.executed)) this.doubt(id)
      known.executed = executed
      known.gtidExecuted = text
    } catch (error) {
      this.log.warn(`GTIDs of ${id} cannot be read: ${(error as Error).message}`)
      known.gtidExecuted = ''
    }
  }

  private primaryCoverage(id: ServerId, known: Known, { state, dialect, askedMs, answeredMs }: PositionPoll) {
    // What it covered as a replica, or covers as the primary, says nothing when it becomes a replica again.
    known.coveredPrimary = null
    const had = primaryHad(known, state.gtidOwned)
    this.historyOf(id).record(had, () => parseGtidSet(had, dialect.flavor), askedMs, answeredMs)
    return { coversPrimaryAt: Number.MAX_SAFE_INTEGER, behindMs: 0 }
  }

  private replicaCoverage(id: ServerId, known: Known, primary: ServerId | null, { askedMs }: PositionPoll) {
    if (primary === null) return UNKNOWN
    const byLog = this.logs.coveredAt(id, primary, askedMs)
    if (byLog === null && known.gtidExecuted === '') return UNKNOWN
    // Places as of the last checkpoint of several appliers say that something is applied, not that something is not.
    const { coversPrimaryAt, behindMs } =
      byLog !== null
        ? { coversPrimaryAt: byLog, behindMs: 0 }
        : this.historyOf(primary).compare(known.gtidExecuted, known.executed, askedMs)
    // What is applied stays applied, also when the primary's history no longer reaches back so far.
    const before = known.coveredPrimary === primary ? known.coversPrimaryAt : -1
    known.coveredPrimary = primary
    return { coversPrimaryAt: Math.max(before, coversPrimaryAt), behindMs }
  }

  private historyOf(primary: ServerId): PrimaryHistory<GtidSet> {
    let history = this.histories.get(primary)
    if (history === undefined) {
      history = new PrimaryHistory(GTID_ORDER)
      this.histories.set(primary, history)
    }
    return history
  }
}

function executedText({ gtidExecuted, mariadbPositions }: PositionPoll['state'], isPrimary: boolean): string {
  if (mariadbPositions === null) return gtidExecuted
  const { binlog, slave } = mariadbPositions
  return isPrimary ? mariadbWritten(binlog, slave) : mariadbExecuted(binlog, slave)
}

/** What a client may have seen of the primary by now: what is being committed is part of it. */
function primaryHad({ gtidExecuted, executed }: Known, owned: string): string {
  if (gtidExecuted === '' || owned === '') return gtidExecuted
  const all = parseGtidSet(gtidExecuted, executed.flavor)
  addGtids(all, owned)
  return formatGtidSet(all)
}
