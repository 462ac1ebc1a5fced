import { Random } from '../stats/random.js'
import { type Group, workloadByName } from '../workloads/index.js'
import { Lane, type LaneOwner } from './lane.js'
import type { LoadResult, LoadSpec } from './messages.js'
import { ClosedLoop, OpenLoop, type Pacer } from './pacer.js'
import { Tally } from './tally.js'

/** Logins under way at the same time: more would only fill the server's backlog. */
const OPENING_AT_ONCE = 16

/** Runs one workload on many connections within this process. */
export class Generator implements LaneOwner {
  readonly #spec: LoadSpec
  readonly #lanes: Lane[]
  readonly #groups: readonly Group[]
  readonly #onFailure: (message: string) => void
  #pacers: Pacer[] = []
  #tally = new Tally()
  #bytesAtMark = 0
  #hasFailed = false

  constructor(spec: LoadSpec, onFailure: (message: string) => void) {
    const workload = workloadByName(spec.workload)
    this.#spec = spec
    this.#onFailure = onFailure
    this.#groups = workload.groups({ rows: spec.rows })
    const { host, port, user, password, database } = spec
    const options = {
      address: { host, port },
      credentials: { user, password, database },
      connectsPerOperation: workload.connectsPerOperation,
    }
    const sizes = shareOut(
      spec.connections,
      this.#groups.map(({ share }) => share),
    )
    this.#lanes = sizes.flatMap((size, group) =>
      Array.from({ length: size }, (_, index) => {
        const random = new Random(spec.seed + 7919 * (group + 1) + index)
        return new Lane(group, options, this.#groups[group].script(random), this)
      }),
    )
  }

  /** Connects everything, then lets the load run. */
  async open(): Promise<void> {
    const waiting = [...this.#lanes]
    const openNext = async () => {
      for (let lane = waiting.pop(); lane !== undefined; lane = waiting.pop()) await lane.open()
    }
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, openNext))
    const now = performance.now()
    this.#pacers = this.#groups.map(({ share }) => this.#makePacer(share, now))
    for (const lane of this.#lanes) this.#pacers[lane.group].free(lane, now)
  }

  /** Forgets what was counted so far. */
  mark(): void {
    this.#bytesAtMark = this.#bytesReceived()
    this.#tally = new Tally()
  }

  /** Ends the load and closes all connections. */
  stop(): LoadResult {
    const tally = this.#tally
    tally.bytesReceived = this.#bytesReceived() - this.#bytesAtMark
    const result = tally.result(performance.now())
    this.#end()
    return result
  }

  onQuery(): void {
    this.#tally.queries++
  }

  onDone(lane: Lane): void {
    const now = performance.now()
    const tally = this.#tally
    tally.operations++
    tally.latency.record((now - lane.intendedAt) * 1000)
    this.#pacers[lane.group]?.free(lane, now)
  }

  onRecovered(lane: Lane): void {
    this.#pacers[lane.group]?.free(lane, performance.now())
  }

  onError(message: string): boolean {
    this.#tally.countError(message)
    if (this.#spec.toleratesErrors) return true
    if (!this.#hasFailed) {
      this.#hasFailed = true
      this.#end()
      this.#onFailure(message)
    }
    return false
  }

  onRestart(): void {
    this.#tally.restarts++
  }

  #makePacer(share: number, now: number): Pacer {
    const { rate } = this.#spec
    if (rate === null) return new ClosedLoop()
    return new OpenLoop(rate * share, now, (lateness) => this.#tally.lateness.record(lateness * 1000))
  }

  #bytesReceived(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.bytesReceived, 0)
  }

  #end(): void {
    for (const pacer of this.#pacers) pacer.stop()
    for (const lane of this.#lanes) lane.close()
  }
}

/** Splits `total` by shares that add up to 1: every part gets at least one where there are enough, and nothing is lost. */
export function shareOut(total: number, shares: readonly number[]): number[] {
  let left = total
  let shareLeft = shares.reduce((sum, share) => sum + share, 0)
  return shares.map((share, index) => {
    const others = shares.length - index - 1
    const wanted = Math.round((left * share) / shareLeft)
    const part = Math.max(Math.min(wanted, left - others), Math.min(1, left))
    left -= part
    shareLeft -= share
    return part
  })
}
