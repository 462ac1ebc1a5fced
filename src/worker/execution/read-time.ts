/** A digest has to be seen so often before its time is believed. */
const SEEN_MIN = 4
/** How quickly a time that was short once is forgotten when later ones are longer. */
const RISE = 0.02
/** For so many of its executions a statement has connections of its own after one that did not belong among others. */
const APART = 1_000

/** How long the executions of one statement took, and whether others can be behind it on a connection. */
export class ReadTime {
  #seen = 0
  #ms = 0
  #apart = 0

  /**
   * Takes the time of one execution. What a busy server or queue adds says nothing of the statement, so that the shortest
   * times count; one that is quick at times and slow at others is seen to while it runs (see `Lanes`).
   */
  learn(ms: number): void {
    this.#ms = this.#seen === 0 ? ms : Math.min(ms, this.#ms + RISE * (ms - this.#ms))
    this.#seen++
    if (this.#apart > 0) this.#apart--
  }

  /**
   * One of its executions has kept others waiting, or has left warnings or an error, which its session may ask for: these
   * need a connection that nobody else has.
   */
  keepApart(): void {
    this.#apart = APART
  }

  isShort(limitMs: number): boolean {
    return this.#apart === 0 && this.#seen >= SEEN_MIN && this.#ms <= limitMs
  }
}
