import { type Row, type SectionRows, TableRows } from './rows.js'
import type { Section } from './section.js'
import { owns, ROWID_COLUMNS, SECTION_TABLES } from './sections.js'

/** All tables of the configuration, once. */
export class Layer {
  private readonly tables: ReadonlyMap<string, TableRows> = new Map(
    [...SECTION_TABLES.keys()].map((table) => [table, new TableRows(ROWID_COLUMNS.get(table) ?? null)]),
  )

  table(name: string): TableRows {
    return this.tables.get(name) as TableRows
  }

  rowsOf(section: Section): SectionRows {
    return new Map(
      section.tables.map((table) => [
        table.name,
        this.table(table.name)
          .all()
          .filter((row) => owns(table, row)),
      ]),
    )
  }

  /** Puts other rows in the place of the section's. */
  replace(section: Section, rows: SectionRows): void {
    for (const table of section.tables) {
      this.table(table.name).replace(rows.get(table.name) ?? [], (row) => owns(table, row))
    }
  }
}

export function sameRows(a: SectionRows, b: SectionRows): boolean {
  return [...a].every(([table, rows]) => sameList(rows, b.get(table) ?? []))
}

function sameList(a: readonly Row[], b: readonly Row[]): boolean {
  return a.length === b.length && a.every((row, index) => row === b[index] || sameRow(row, b[index]))
}

export function sameRow(a: Row, b: Row): boolean {
  return Object.keys({ ...a, ...b }).every((column) => a[column] === b[column])
}

export function mapRows(rows: SectionRows, change: (row: Row) => Row): SectionRows {
  return new Map([...rows].map(([table, all]) => [table, all.map(change)]))
}
