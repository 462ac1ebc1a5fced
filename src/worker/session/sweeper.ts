import { monotonicMs } from '../../shared/clock.js'

/** What a sweep finds is acted upon so much later at most, when many sessions come near their limits. */
const PAUSE_MS_MIN = 50
/** How often sessions are looked through at least: a limit that is new is applied after this. */
const PAUSE_MS_MAX = 1_000

/**
 * Looks through all sessions when the first of them may have exceeded a limit, instead of a timer for each statement.
 * `sweep` returns the monotonic ms of the next moment at which one may have.
 */
export class Sweeper {
  readonly #sweep: (now: number) => number
  #timer: NodeJS.Timeout | null = null

  constructor(sweep: (now: number) => number) {
    this.#sweep = sweep
  }

  start(): void {
    this.#timer = setTimeout(() => this.#run(), PAUSE_MS_MIN)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #run(): void {
    const now = monotonicMs()
    const next = this.#sweep(now)
    // It may have been stopped by what it found.
    if (this.#timer === null) return
    this.#timer = setTimeout(() => this.#run(), Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, next - now)))
  }
}
