import { SECTIONS } from '../../control/config-store/sections.js'
import { isSecretVariable, VARIABLES_TABLE } from '../../control/config-store/variables.js'
import { printable } from '../terminal-text.js'
import type { ShownLayer, ShownRow } from './layers.js'

const SECRET_COLUMNS: ReadonlySet<string> = new Set(['password', 'backend_password'])

/**
 * What has to change in `from` to have `to`, as lines: a section's name, then `-` rows that are gone, `+` rows that are new,
 * `~` rows that differ and how. Secrets are not shown. Sections that one of the two does not have are left out.
 */
export function diffLayers(from: ShownLayer, to: ShownLayer): string[] {
  return SECTIONS.flatMap(({ name, tables }) => {
    const [before, after] = [from.get(name), to.get(name)]
    if (before === undefined || after === undefined) return []
    const lines = tables.flatMap((table) =>
      diffRows(table.name, table.key, before.get(table.name) ?? [], after.get(table.name) ?? []),
    )
    return lines.length === 0 ? [] : [name, ...lines.map((line) => `  ${line}`)]
  })
}

function diffRows(
  table: string,
  key: readonly string[],
  before: readonly ShownRow[],
  after: readonly ShownRow[],
): string[] {
  const keyOf = (row: ShownRow): string => `${table} (${key.map((column) => row[column] ?? 'NULL').join(', ')})`
  const old = new Map(before.map((row) => [keyOf(row), row]))
  const fresh = new Map(after.map((row) => [keyOf(row), row]))
  return [
    ...[...old.keys()].filter((name) => !fresh.has(name)).map((name) => `- ${printable(name)}`),
    ...[...fresh.keys()].filter((name) => !old.has(name)).map((name) => `+ ${printable(name)}`),
    ...[...fresh].flatMap(([name, row]) => {
      const was = old.get(name)
      const changes = was === undefined ? [] : changesOf(table, was, row)
      return changes.length === 0 ? [] : [`~ ${printable(name)}: ${changes.join('; ')}`]
    }),
  ]
}

/** Named nowhere it is learned from the servers, and stands in the runtime only. */
const LEARNED_VARIABLE = 'mysql-server_version'

/** Columns that both rows have. */
function changesOf(table: string, was: ShownRow, is: ShownRow): string[] {
  if (was['variable_name'] === LEARNED_VARIABLE && was['variable_value'] === '') return []
  return Object.keys(is)
    .filter((column) => Object.hasOwn(was, column) && was[column] !== is[column])
    .map((column) => {
      const isSecret =
        SECRET_COLUMNS.has(column) || (table === VARIABLES_TABLE && isSecretVariable(is['variable_name'] ?? ''))
      return isSecret ? `${column} (hidden)` : `${column} ${text(was[column])} -> ${text(is[column])}`
    })
}

function text(value: string | null): string {
  return value === null ? 'NULL' : printable(JSON.stringify(value))
}
