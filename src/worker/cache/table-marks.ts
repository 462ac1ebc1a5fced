import type { Invalidation } from '../../shared/snapshot.js'

/** With more tables than this, those that nobody is writing are forgotten, and the answers that read them. */
const MARKS_MAX = 10_000
/** A write whose end is not known may come about for so long, in ms. */
const LOST_MS = 10_000

/** When a table, a schema or anything at all was written last, as far as this worker has heard. */
export class TableMark {
  /** Writes in flight. */
  writers = 0
  /** Monotonic ms of the end of the last write; what was read before may lack it. */
  writtenAt: number

  constructor(writtenAt: number) {
    this.writtenAt = writtenAt
  }

  begin(): void {
    this.writers++
  }

  /** @param lost whether the write comes about is not known yet */
  end(now: number, lost: boolean): void {
    this.writers--
    this.writtenAt = Math.max(this.writtenAt, lost ? now + LOST_MS : now)
  }

  /** Whether all that was written is in what was read from what the primary had at a moment. */
  isCovered(asOf: number): boolean {
    return this.writers === 0 && asOf > this.writtenAt
  }
}

/**
 * The names under which writes and answers find each other; null: any answer is concerned.
 * @param tables as `schema.table`; null: they cannot be told
 */
export function keysOf(tables: readonly string[] | null, by: Invalidation): readonly string[] | null {
  if (tables === null || (by === 'any' && tables.length > 0)) return null
  if (by !== 'schema') return tables
  return [...new Set(tables.map((table) => table.slice(0, table.indexOf('.'))))]
}

/** The marks of all that this worker has heard of. */
export class TableMarks {
  readonly #byKey = new Map<string, TableMark>()
  /** Of writes that may change anything. Every answer depends on it. */
  #anything: TableMark
  /** When the last of what was forgotten was written. */
  #forgottenAt: number

  /** @param now monotonic ms: what was written before is not known */
  constructor(now: number) {
    this.#anything = new TableMark(now)
    this.#forgottenAt = now
  }

  /** Those that a write changes. */
  ofWrite(keys: readonly string[] | null): readonly TableMark[] {
    return keys === null ? [this.#anything] : keys.map((key) => this.#at(key))
  }

  /** Those that an answer depends on. */
  ofRead(keys: readonly string[] | null): readonly TableMark[] {
    return [this.#anything, ...(keys ?? []).map((key) => this.#at(key))]
  }

  get size(): number {
    return this.#byKey.size
  }

  /** What was read before is not relied on. */
  startAnew(now: number): void {
    this.#anything.writtenAt = Math.max(this.#anything.writtenAt, now)
  }

  #at(key: string): TableMark {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= MARKS_MAX) this.#forget()
    const mark = new TableMark(this.#forgottenAt)
    this.#byKey.set(key, mark)
    return mark
  }

  #forget(): void {
    for (const [key, mark] of this.#byKey) {
      if (mark.writers > 0) continue
      this.#forgottenAt = Math.max(this.#forgottenAt, mark.writtenAt)
      mark.writtenAt = Number.POSITIVE_INFINITY
      this.#byKey.delete(key)
    }
  }
}
