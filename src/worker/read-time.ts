/** A digest has to be seen so often before its time is believed. */
const SEEN_MIN = 4
/** How much the last execution counts against those before. */
const SHARE_OF_LAST = 0.1

/** How long the executions of one statement took. */
export class ReadTime {
  #seen = 0
  #ms = 0
  /** One of its executions left warnings, which its session may ask for: it has to have a connection of its own. */
  warned = false

  learn(ms: number): void {
    this.#ms = this.#seen === 0 ? ms : this.#ms + SHARE_OF_LAST * (ms - this.#ms)
    // One that takes long once may do so again: it counts at once, and is forgotten slowly.
    if (ms > 4 * this.#ms) this.#ms = ms
    this.#seen++
  }

  isShort(limitMs: number): boolean {
    return !this.warned && this.#seen >= SEEN_MIN && this.#ms <= limitMs
  }
}
