import type { CountedTable, DigestRow, ErrorRow, WorkerTable, WorkerTables } from '../../shared/worker-tables.js'
import { mergeDigests, mergeErrors } from './rows-merge.js'

/** Of errors as many are kept as a worker keeps. */
const ERRORS_MAX = 1_000

/** What workers have counted in rows that have ended since: they hand it over at their end. */
export class RetiredRows {
  private digests: readonly DigestRow[] = []
  private errors: readonly ErrorRow[] = []

  /** @param digestsMax rows that are kept; those that were counted in last stay */
  take(table: CountedTable, rows: readonly WorkerTables[CountedTable][], digestsMax: number): void {
    if (table === 'digests') {
      this.digests = bounded([...this.digests, ...(rows as readonly DigestRow[])], digestsMax, mergeDigests)
    } else this.errors = bounded([...this.errors, ...(rows as readonly ErrorRow[])], ERRORS_MAX, mergeErrors)
  }

  /** `reset`: counting begins anew. */
  report(table: WorkerTable, reset: boolean): readonly WorkerTables[WorkerTable][] {
    if (table !== 'digests' && table !== 'errors') return []
    const rows = this[table]
    if (reset) this[table] = []
    return rows
  }
}

/** Rows come in pieces: they are merged when there are too many, since whoever reads them merges them anyway. */
function bounded<Row extends { readonly lastSeen: number }>(
  rows: readonly Row[],
  max: number,
  merge: (rows: readonly Row[]) => Row[],
): readonly Row[] {
  if (rows.length <= max) return rows
  return merge(rows)
    .sort((a, b) => b.lastSeen - a.lastSeen)
    .slice(0, max)
}
