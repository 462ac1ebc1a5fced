import type { SqlValue } from '../admin/engine/messages.js'

/** One row of a configuration table: value by column name. */
export type Row = Readonly<Record<string, SqlValue>>

/** Rows of the tables of a section, by table. */
export type SectionRows = ReadonlyMap<string, readonly Row[]>

/**
 * A row that a statement has changed, inserted or deleted (`row` is null then), by SQLite's rowid, which stays the same
 * while the row lives.
 */
export interface RowChange {
  readonly rowid: number
  readonly row: Row | null
}

/** The rows of one table in one layer, in the order of their rowids. */
export class TableRows {
  private readonly rowidColumn: string | null
  private rows: Map<number, Row>
  private last = 0
  private sorted = true
  private changes = 1

  /** @param rowidColumn the table's INTEGER PRIMARY KEY, which is its rowid; null: rows are numbered */
  constructor(rowidColumn: string | null, rows: readonly Row[] = []) {
    this.rowidColumn = rowidColumn
    this.rows = this.numbered(rows)
  }

  /** Counts the changes, from 1. */
  get version(): number {
    return this.changes
  }

  get(rowid: number): Row | undefined {
    return this.rows.get(rowid)
  }

  all(): Row[] {
    return [...this.inOrder().values()]
  }

  entries(): IterableIterator<[rowid: number, row: Row]> {
    return this.inOrder().entries()
  }

  /** Takes what one statement did. */
  apply(changes: readonly RowChange[]): void {
    if (changes.length === 0) return
    for (const { rowid, row } of changes) {
      if (row === null) this.rows.delete(rowid)
      else {
        // A row that comes into the middle is put in its place when somebody looks: many may come one by one.
        if (rowid < this.last && !this.rows.has(rowid)) this.sorted = false
        this.last = Math.max(this.last, rowid)
        this.rows.set(rowid, row)
      }
    }
    this.changes++
  }

  /** Puts other rows in the place of those that `isMeant` names. */
  replace(rows: readonly Row[], isMeant: (row: Row) => boolean): void {
    const kept = this.all().filter((row) => !isMeant(row))
    this.rows = this.numbered([...kept, ...rows])
    this.changes++
  }

  private inOrder(): Map<number, Row> {
    if (!this.sorted) this.rows = new Map([...this.rows].sort(([a], [b]) => a - b))
    this.sorted = true
    return this.rows
  }

  private numbered(rows: readonly Row[]): Map<number, Row> {
    const column = this.rowidColumn
    const numbered = rows.map((row, index): [number, Row] => [column === null ? index + 1 : Number(row[column]), row])
    if (column !== null) numbered.sort(([a], [b]) => a - b)
    this.last = numbered.at(-1)?.[0] ?? 0
    this.sorted = true
    return new Map(numbered)
  }
}
