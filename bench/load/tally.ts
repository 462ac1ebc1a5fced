import { Histogram } from '../stats/histogram.js'
import type { LoadResult } from './messages.js'

/** Counts what the lanes of one generator do. */
export class Tally {
  operations = 0
  queries = 0
  bytesReceived = 0
  errors = 0
  firstError: string | null = null
  restarts = 0
  latency = new Histogram()
  lateness = new Histogram()
  #startedAt = performance.now()
  #cpu = process.cpuUsage()

  countError(message: string): void {
    this.errors++
    this.firstError ??= message
  }

  /** @param now as performance.now() */
  result(now: number): LoadResult {
    const cpu = process.cpuUsage(this.#cpu)
    return {
      seconds: (now - this.#startedAt) / 1000,
      operations: this.operations,
      queries: this.queries,
      bytesReceived: this.bytesReceived,
      errors: this.errors,
      firstError: this.firstError,
      restarts: this.restarts,
      latency: this.latency.pack(),
      lateness: this.lateness.pack(),
      cpuMicros: cpu.user + cpu.system,
    }
  }
}
