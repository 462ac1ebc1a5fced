import type { ConfigPath } from '../config/config-file.js'
import type { ConfigFile } from '../config/config-schema.js'
import type { Row, SectionRows } from './rows.js'
import { present, rowsOf, type Section, type SectionName, type SectionTable, textOf } from './section.js'

/** A table and the key of the file that lists its rows, each a map whose keys are the names of the columns. */
export interface ListedTable {
  readonly table: SectionTable
  readonly key: keyof ConfigFile
  readonly columns: readonly string[]
}

/** A section whose tables and lists are the same but for their notation. NULL is the absence of a key. */
export function listedSection(name: SectionName, lists: readonly ListedTable[]): Section {
  return {
    name,
    tables: lists.map(({ table }) => table),
    keys: lists.map(({ key }) => key),
    toRows: (file) => new Map(lists.map((list) => [list.table.name, toRows(list, file)])),
    toValues: (rows) => ({
      values: Object.fromEntries(lists.map((list) => [list.key, toMaps(list, rows)])),
      place: ([key, index, column]: ConfigPath) => {
        const list = lists.find((one) => one.key === key)
        if (list === undefined || typeof index !== 'number') return null
        const table = list.table.name
        return { table, row: rowsOf(rows, table)[index], column: column === undefined ? null : String(column) }
      },
    }),
  }
}

function toRows({ key, columns }: ListedTable, file: ConfigFile): Row[] {
  const items = file[key] as readonly Readonly<Record<string, unknown>>[]
  return items.map((item) => Object.fromEntries(columns.map((column) => [column, cellOf(item[column])])))
}

function cellOf(value: unknown): string | number | null {
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'number' || typeof value === 'string' ? value : null
}

function toMaps({ table, columns }: ListedTable, rows: SectionRows): Record<string, unknown>[] {
  return rowsOf(rows, table.name).map((row) =>
    present(Object.fromEntries(columns.map((column) => [column, textOf(row, column)]))),
  )
}
