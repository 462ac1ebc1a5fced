import { LRUCache } from 'lru-cache'
import type { TableMark } from './table-marks.js'

/** So many sessions of a worker wait for one answer at most; others ask a server themselves. */
const WAITERS_MAX = 1_000
/** Where it was waited for in vain, nobody waits for the answer to the same statement for so long, in ms. */
const IN_VAIN_MS = 1_000
/** Such statements are remembered up to so many characters of their keys. */
const IN_VAIN_SIZE_MAX = 1 << 20

/** An answer that is on its way from a server, or is about to be, and those who wait for it. */
export class PendingAnswer {
  readonly marks: readonly TableMark[]
  /** As of an answer that is kept (`CachedAnswer.asOf`); null: the statement has not been sent yet. */
  #asOf: number | null = null
  readonly #ended: () => void
  #isOver = false
  /** Most answers are waited for by nobody. */
  #waiting: Set<() => void> | null = null

  /** @param ended called once, before those who wait go on */
  constructor(marks: readonly TableMark[], ended: () => void) {
    this.marks = marks
    this.#ended = ended
  }

  get asOf(): number | null {
    return this.#asOf
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get hasRoom(): boolean {
    return this.#waiting === null || this.#waiting.size < WAITERS_MAX
  }

  /** The statement goes to a server, maybe once more. An answer that may lack what was written is for nobody else. */
  sent(asOf: number): void {
    this.#asOf = asOf
    if (!this.isCurrent) this.end()
  }

  /** No write has ended it so far. */
  get isCurrent(): boolean {
    const asOf = this.#asOf
    return asOf === null || this.marks.every((mark) => mark.isCovered(asOf))
  }

  /** The answer is in the cache, or is none to be given to others: those who wait look for themselves. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#ended()
    for (const goOn of this.#waiting ?? []) goOn()
  }

  /** Resolves when it is over, or after so many ms. */
  over(ms: number): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    this.#waiting ??= new Set()
    const waiting = this.#waiting
    return new Promise((resolve) => {
      const goOn = (): void => {
        clearTimeout(timer)
        waiting.delete(goOn)
        resolve()
      }
      const timer = setTimeout(goOn, ms)
      waiting.add(goOn)
    })
  }
}

/**
 * Answers that are on their way, by the keys under which they will be kept: of many sessions that ask the same while it is not in
 * the cache, one asks a server and the others wait for what it gets.
 */
export class PendingAnswers {
  readonly #byKey = new Map<string, PendingAnswer>()
  readonly #inVain: LRUCache<string, true>

  /** @param now monotonic ms */
  constructor(now: () => number) {
    this.#inVain = new LRUCache({
      maxSize: IN_VAIN_SIZE_MAX,
      sizeCalculation: (_true, key) => key.length,
      ttl: IN_VAIN_MS,
      ttlResolution: 0,
      perf: { now },
    })
  }

  /** A server is about to be asked. @returns null where somebody has asked for the same already */
  begin(key: string, marks: readonly TableMark[]): PendingAnswer | null {
    if (this.#byKey.has(key)) return null
    const pending = new PendingAnswer(marks, () => this.#byKey.delete(key))
    this.#byKey.set(key, pending)
    return pending
  }

  /** The answer that can be waited for. */
  find(key: string): PendingAnswer | null {
    const pending = this.#byKey.get(key)
    return pending?.hasRoom && !this.#inVain.has(key) ? pending : null
  }

  /** It was waited for, and there is none to be given: it failed, or took too long, or is none for others. */
  inVain(key: string): void {
    this.#inVain.set(key, true)
  }

  get size(): number {
    return this.#byKey.size
  }
}
