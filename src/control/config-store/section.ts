import type { ConfigPath } from '../config/config-file.js'
import type { ConfigFile } from '../config/config-schema.js'
import type { Row, SectionRows } from './rows.js'

/** What LOAD and SAVE take by its name. */
export type SectionName =
  | 'MYSQL SERVERS'
  | 'MYSQL USERS'
  | 'MYSQL QUERY RULES'
  | 'MYSQL VARIABLES'
  | 'ADMIN VARIABLES'
  | 'SCHEDULER'
  | 'PROXYSQL SERVERS'

/** Where a value of the document stands in the tables. */
export interface Place {
  readonly table: string
  readonly row: Row
  /** null: the whole row. */
  readonly column: string | null
}

/** What a section's rows say, in the shape of the configuration file: values as text, `undefined` for what is not there. */
export interface SectionValues {
  readonly values: Readonly<Record<string, unknown>>
  /** null: nothing of this path comes from a row. */
  place(path: ConfigPath): Place | null
}

/** Ends the reading of rows with an error that names the place. */
export type Refuse = (place: Place, message: string) => never

export interface SectionTable {
  readonly name: string
  /** Columns by which a row is named in messages. */
  readonly key: readonly string[]
  /** Which rows of the table belong to the section; all unless given. */
  readonly owns?: (row: Row) => boolean
}

/** Joins tables of the admin port with keys of the configuration file: the same settings in two notations. */
export interface Section {
  readonly name: SectionName
  readonly tables: readonly SectionTable[]
  /** Top-level keys of the file. No two sections share one. */
  readonly keys: readonly (keyof ConfigFile)[]
  /** The rows that say what the file says. `values` are the file's texts, where how it was said matters. */
  toRows(file: ConfigFile, values: Readonly<Record<string, unknown>>): SectionRows
  toValues(rows: SectionRows, refuse: Refuse): SectionValues
}

export function rowsOf(rows: SectionRows, table: string): readonly Row[] {
  return rows.get(table) ?? []
}

/** A cell as the file would have it; undefined: it is not there. */
export function textOf(row: Row, column: string): string | undefined {
  const value = row[column]
  return value === null || value === undefined ? undefined : String(value)
}

/** As `textOf`; an empty text is as good as none. */
export function fullTextOf(row: Row, column: string): string | undefined {
  const text = textOf(row, column)
  return text === '' ? undefined : text
}

/** `values` without what is not there. */
export function present(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

/** A column that Sluice has in its tables because tools write it, and what it can do of it. */
export interface Unserved {
  readonly column: string
  /** The values that change nothing, as text. */
  readonly accepted: readonly string[]
  readonly why: string
}

/** Refuses rows that ask for what is not done. */
export function refuseUnserved(table: string, row: Row, unserved: readonly Unserved[], refuse: Refuse): void {
  for (const { column, accepted, why } of unserved) {
    const text = textOf(row, column) ?? ''
    if (accepted.includes(text)) continue
    const expected = accepted.map((one) => (one === '' ? 'nothing' : one)).join(' or ')
    refuse({ table, row, column }, `expected ${expected}, got ${JSON.stringify(text)}: ${why}`)
  }
}
