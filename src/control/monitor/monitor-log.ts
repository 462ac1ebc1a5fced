import { monotonicMs } from '../../shared/clock.js'
import type { ServerId } from '../../shared/snapshot.js'

/** Looks of each kind that are remembered of a server: a few minutes of the quickest. */
const LOOKS_MAX = 600

/** What the monitor looks at, by ProxySQL's names. */
export const LOOK_KINDS = ['connect', 'ping', 'read_only', 'replication_lag'] as const
export type LookKind = (typeof LOOK_KINDS)[number]

/** One look at a server. */
export interface Look {
  /** Microseconds since 1970 when it began. */
  readonly startUs: number
  /** Microseconds that it took. */
  readonly tookUs: number
  /** What was found: 1 or 0 for read_only, seconds of lag; null: nothing, or nothing is looked for. */
  readonly value: number | null
  /** Why the look failed; null: it did not. */
  readonly error: string | null
}

/** Monotonic ms. */
export interface Span {
  readonly askedMs: number
  readonly answeredMs: number
}

/** Looks of one kind in all, since the start. */
export interface LookCount {
  readonly ok: number
  readonly failed: number
}

/** What the monitor has seen of each server lately, and how long it took. */
export class MonitorLog {
  private readonly looks = new Map<ServerId, Record<LookKind, Look[]>>()
  private readonly counts = Object.fromEntries(LOOK_KINDS.map((kind) => [kind, { ok: 0, failed: 0 }])) as Record<
    LookKind,
    { ok: number; failed: number }
  >
  private readonly latencies = new Map<ServerId, number>()

  /** Notes a look that began and ended at these monotonic times in ms. */
  note(server: ServerId, kind: LookKind, span: Span, value: number | null, error: string | null): void {
    const list = this.listOf(server, kind)
    const beganUs = Math.round((Date.now() - (monotonicMs() - span.askedMs)) * 1000)
    // Rows are told apart by it.
    const startUs = Math.max(beganUs, (list.at(-1)?.startUs ?? 0) + 1)
    const tookUs = Math.round((span.answeredMs - span.askedMs) * 1000)
    list.push({ startUs, tookUs, value, error })
    if (list.length > LOOKS_MAX) list.shift()
    if (error === null) this.counts[kind].ok++
    else this.counts[kind].failed++
    if (kind === 'ping' && error === null) this.latencies.set(server, tookUs)
  }

  private listOf(server: ServerId, kind: LookKind): Look[] {
    let known = this.looks.get(server)
    if (known === undefined) {
      known = { connect: [], ping: [], read_only: [], replication_lag: [] }
      this.looks.set(server, known)
    }
    return known[kind]
  }

  /** Servers that are not watched any more are forgotten. */
  keepOnly(servers: ReadonlySet<ServerId>): void {
    for (const server of this.looks.keys()) {
      if (servers.has(server)) continue
      this.looks.delete(server)
      this.latencies.delete(server)
    }
  }

  /** Oldest first for each server. */
  *of(kind: LookKind): Generator<readonly [server: ServerId, look: Look]> {
    for (const [server, kinds] of this.looks) for (const look of kinds[kind]) yield [server, look]
  }

  count(kind: LookKind): LookCount {
    return this.counts[kind]
  }

  /** Of the last round trip to the server, in microseconds; 0: there was none. */
  latencyUs(server: ServerId): number {
    return this.latencies.get(server) ?? 0
  }
}
