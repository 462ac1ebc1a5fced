/** A digest has to be seen so often before its time is believed. */
const SEEN_MIN = 4
/** How quickly a time that was short once is forgotten when later ones are longer. */
const RISE = 0.02

/** How long the executions of one statement took. */
export class ReadTime {
  #seen = 0
  #ms = 0
  /** One of its executions left warnings, which its session may ask for: it has to have a connection of its own. */
  warned = false

  /**
   * Takes the time of one execution. What a busy server or queue adds says nothing of the statement, so that the shortest
   * times count; one that is quick at times and slow at others is seen to while it runs (see `Lanes`).
   */
  learn(ms: number): void {
    this.#ms = this.#seen === 0 ? ms : Math.min(ms, this.#ms + RISE * (ms - this.#ms))
    this.#seen++
  }

  isShort(limitMs: number): boolean {
    return !this.warned && this.#seen >= SEEN_MIN && this.#ms <= limitMs
  }
}
