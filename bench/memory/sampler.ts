import { residentBytesOf } from '../system/processes.js'
import type { Target } from '../targets/target.js'

const INTERVAL_MS = 50

/** Watches the resident memory of a target's processes while something happens. */
export class MemorySampler {
  readonly baseBytes: number
  #peakBytes: number
  readonly #pids: readonly number[]
  readonly #timer: NodeJS.Timeout

  constructor(target: Target) {
    this.#pids = target.pids
    this.baseBytes = residentBytesOf(this.#pids)
    this.#peakBytes = this.baseBytes
    this.#timer = setInterval(() => this.#sample(), INTERVAL_MS)
  }

  /** Ends the watch. @returns the most there was at a time, in bytes */
  stop(): number {
    clearInterval(this.#timer)
    this.#sample()
    return this.#peakBytes
  }

  #sample(): void {
    this.#peakBytes = Math.max(this.#peakBytes, residentBytesOf(this.#pids))
  }
}
