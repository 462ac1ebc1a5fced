import type { ServerId } from '../../shared/snapshot.js'
import { BINLOG_ORDER, type BinlogPosition, formatBinlogPosition } from './binlog-position.js'
import type { Channel } from './monitor-queries.js'
import { PrimaryHistory } from './primary-history.js'
import type { Poll } from './server-monitor.js'

/** The part of a poll that tells places in binary logs. */
export type LogPoll = Pick<Poll, 'askedMs' | 'answeredMs' | 'binlog'> & {
  readonly state: Pick<Poll['state'], 'lacksGtids' | 'logsApplied'>
  readonly channels: readonly Pick<Channel, 'executed'>[] | null | undefined
}

/** Up to where a replica has applied the log of one source. */
interface Applied {
  readonly position: BinlogPosition
  /** Monotonic ms of the poll since which its places follow each other: one of before may be of another log of that name. */
  readonly sinceMs: number
  /** The server may have lost it meanwhile. */
  isDoubtful: boolean
}

/**
 * What replicas have of a primary that gives no GTIDs, by places in binary logs: up to where the primary has written its
 * log, and up to where a replica of it has applied that. Places are compared in the log of one server only, so that a
 * replica of a replica, whose places are of another log, stays unknown; and only as long as that log goes on.
 */
export class LogCoverage {
  private readonly written = new Map<ServerId, PrimaryHistory<BinlogPosition>>()
  /** One for each source. */
  private readonly applied = new Map<ServerId, readonly Applied[]>()

  primaryPolled(id: ServerId, { askedMs, answeredMs, binlog, channels, state }: LogPoll): void {
    this.applied.delete(id)
    if (state.lacksGtids && binlog === undefined) return
    // What a primary applies as a replica, and does not log, its own replicas never get.
    const logsAll = state.logsApplied || channels?.length === 0
    const end = state.lacksGtids && logsAll ? (binlog ?? null) : null
    if (end === null) this.written.get(id)?.clear()
    else this.historyOf(id).record(formatBinlogPosition(end), () => end, askedMs, answeredMs)
  }

  /** @returns whether it has less of a source than before: that was given another time, or other data were put in its place */
  replicaPolled(id: ServerId, { askedMs, channels }: LogPoll): boolean {
    this.written.get(id)?.clear()
    if (channels === undefined) return false
    const before = this.applied.get(id) ?? []
    let hasLess = false
    const after: Applied[] = []
    for (const { executed } of channels ?? []) {
      if (executed === null) continue
      const earlier = before.find(({ position }) => position.server === executed.server)
      const follows = earlier !== undefined && BINLOG_ORDER.follows(executed, earlier.position)
      if (earlier !== undefined && !follows) hasLess = true
      after.push({ position: executed, sinceMs: follows ? earlier.sinceMs : askedMs, isDoubtful: false })
    }
    this.applied.set(id, after)
    return hasLess
  }

  /** A server may have been restarted: it begins anew. */
  doubt(id: ServerId): void {
    this.written.get(id)?.clear()
    for (const applied of this.applied.get(id) ?? []) applied.isDoubtful = true
  }

  /** Whether the places tell what a server has of the primary's data. */
  tells(id: ServerId, primary: ServerId): boolean {
    const history = this.written.get(primary)
    if (history === undefined || history.newest === null) return false
    return id === primary || this.appliedOf(id, history) !== null
  }

  /** See `ServerHealth.coversPrimaryAt`; null: the primary's log tells nothing. */
  coveredAt(id: ServerId, primary: ServerId, polledMs: number): number | null {
    const history = this.written.get(primary)
    if (history === undefined || history.newest === null) return null
    const applied = this.appliedOf(id, history)
    return applied === null ? -1 : history.compare(formatBinlogPosition(applied), applied, polledMs).coversPrimaryAt
  }

  keepOnly(ids: ReadonlySet<ServerId>): void {
    for (const of of [this.written, this.applied]) for (const id of of.keys()) if (!ids.has(id)) of.delete(id)
  }

  /** Up to where a replica has applied the log of this very primary, as that goes on now; null: it is not known. */
  private appliedOf(id: ServerId, { newest, begunAt }: PrimaryHistory<BinlogPosition>): BinlogPosition | null {
    const [only, ...more] = (this.applied.get(id) ?? []).filter(({ position }) => position.server === newest?.server)
    if (only === undefined || more.length > 0 || only.isDoubtful || only.sinceMs <= begunAt) return null
    return only.position
  }

  private historyOf(primary: ServerId): PrimaryHistory<BinlogPosition> {
    let history = this.written.get(primary)
    if (history === undefined) {
      history = new PrimaryHistory(BINLOG_ORDER)
      this.written.set(primary, history)
    }
    return history
  }
}
