import type { Lane } from './lane.js'

/** Decides when a free lane begins its next operation. */
export interface Pacer {
  /** The lane can begin an operation; `now` as performance.now(). */
  free(lane: Lane, now: number): void
  stop(): void
}

/** Closed loop: the next operation begins when the last one is answered. */
export class ClosedLoop implements Pacer {
  #isStopped = false

  free(lane: Lane, now: number): void {
    if (!this.#isStopped) lane.begin(now)
  }

  stop(): void {
    this.#isStopped = true
  }
}

const TICK_MS = 1

/**
 * Open loop: operations are due at fixed intervals, whether or not earlier ones are answered. One that finds no free lane
 * waits, and its latency counts from when it was due, so a server that stalls is not spared the waiting of those behind
 * (no "coordinated omission"). What is due is looked up at every answer and every millisecond.
 */
export class OpenLoop implements Pacer {
  readonly #intervalMs: number
  readonly #onBegin: (latenessMs: number) => void
  readonly #free: Lane[] = []
  readonly #timer: NodeJS.Timeout
  #nextAt: number

  /**
   * @param rate operations per second
   * @param startAt when the first one is due; as performance.now()
   * @param onBegin is told by how many milliseconds an operation began late
   */
  constructor(rate: number, startAt: number, onBegin: (latenessMs: number) => void) {
    this.#intervalMs = 1000 / rate
    this.#nextAt = startAt
    this.#onBegin = onBegin
    this.#timer = setInterval(() => this.#beginDue(performance.now()), TICK_MS)
  }

  free(lane: Lane, now: number): void {
    this.#free.push(lane)
    this.#beginDue(now)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#free.length = 0
    this.#nextAt = Number.POSITIVE_INFINITY
  }

  #beginDue(now: number): void {
    while (this.#nextAt <= now) {
      const lane = this.#free.pop()
      if (lane === undefined) return
      const intendedAt = this.#nextAt
      this.#nextAt += this.#intervalMs
      this.#onBegin(now - intendedAt)
      lane.begin(intendedAt)
    }
  }
}
