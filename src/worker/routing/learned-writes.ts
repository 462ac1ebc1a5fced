import { boundedCache } from '../../shared/bounded-cache.js'
import type { LearnedDigest } from '../../shared/counters.js'
import type { StatementDigest } from '../statistics/digests.js'

/** Applications have far fewer statements that only seem to read. */
const DIGESTS_MAX = 1_000
/** What is shown of a statement, in characters. */
const TEXT_LENGTH_MAX = 1_000

/** ER_OPTION_PREVENTS_STATEMENT (read_only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE. */
const READ_ONLY_ERRORS: ReadonlySet<number> = new Set([1290, 1792, 1836])

export function isReadOnlyRefusal(errno: number): boolean {
  return READ_ONLY_ERRORS.has(errno)
}

interface Learned {
  readonly text: string
  readonly error: string
  readonly firstSeen: number
  lastSeen: number
  count: number
}

/**
 * Statements that were taken for reads and that a replica has refused as writes, by their digest: they go to the primary
 * from then on.
 */
export class LearnedWrites {
  readonly #digests = boundedCache<string, Learned>(DIGESTS_MAX)

  get size(): number {
    return this.#digests.size
  }

  /** Whether statements of this digest are among them; counts it as seen. */
  has({ hex }: StatementDigest): boolean {
    const learned = this.#digests.get(hex)
    if (learned === undefined) return false
    learned.lastSeen = Date.now()
    learned.count++
    return true
  }

  /** The same without counting. */
  knows({ hex }: StatementDigest): boolean {
    return this.#digests.peek(hex) !== undefined
  }

  learn({ hex, text }: StatementDigest, error: string): void {
    const now = Date.now()
    const before = this.#digests.get(hex)
    this.#digests.set(hex, {
      text: text.slice(0, TEXT_LENGTH_MAX),
      error,
      firstSeen: before?.firstSeen ?? now,
      lastSeen: now,
      count: (before?.count ?? 0) + 1,
    })
  }

  /** What is reported to the control plane. */
  report(): LearnedDigest[] {
    return [...this.#digests.entries()].map(([digest, learned]) => ({ digest, ...learned }))
  }
}
