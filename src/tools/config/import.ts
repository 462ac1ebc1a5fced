import type { Row } from '../../control/config-store/rows.js'
import type { Section } from '../../control/config-store/section.js'
import { owns, SECTIONS } from '../../control/config-store/sections.js'
import { VARIABLES_TABLE } from '../../control/config-store/variables.js'
import type { ScriptTarget } from '../admin/script.js'
import { StatementError } from '../admin-client.js'
import { keysOfFile, readTable, rowsOfFile, type ShownRow } from './layers.js'

/** Rows for one table, or for a section's part of it. */
interface Replacement {
  readonly table: string
  readonly rows: readonly (Row | ShownRow)[]
}

/**
 * Puts what a configuration file says into the memory of a running Sluice, as LOAD ... FROM CONFIG does with its own file:
 * sections of which the file has a key, whole; others stay as they are. Nothing is in force yet. The file is checked before
 * anything is sent; when Sluice refuses a row, what was there before is put back, and the error passed on.
 * @returns the sections' names
 */
export async function importFile(path: string, env: NodeJS.ProcessEnv, target: ScriptTarget): Promise<string[]> {
  const rows = rowsOfFile(path, env)
  const given = keysOfFile(path, env)
  const sections = SECTIONS.filter(({ keys }) => keys.some((key) => given.has(key)))
  const before: Replacement[] = []
  try {
    for (const section of sections) {
      for (const { name: table } of section.tables) {
        before.push(await currentRows(section, table, target))
        await replace({ table, rows: rows.get(section)?.get(table) ?? [] }, target)
      }
    }
  } catch (error) {
    if (error instanceof StatementError) for (const one of before.reverse()) await replace(one, target)
    throw error
  }
  return sections.map(({ name }) => name)
}

async function currentRows(section: Section, name: string, target: ScriptTarget): Promise<Replacement> {
  const table = section.tables.find((one) => one.name === name)!
  return { table: name, rows: (await readTable(target, `main.${name}`)).filter((row) => owns(table, row)) }
}

/** Variables are set one by one: they are never created or deleted. */
async function replace({ table, rows }: Replacement, target: ScriptTarget): Promise<void> {
  if (table === VARIABLES_TABLE) {
    for (const { variable_name: name, variable_value: value } of rows)
      await target.query(
        `UPDATE main.${table} SET variable_value = ${literal(value)} WHERE variable_name = ${literal(name)}`,
      )
    return
  }
  await target.query(`DELETE FROM main.${table}`)
  for (const row of rows) {
    const columns = Object.keys(row)
    await target.query(
      `INSERT INTO main.${table} (${columns.join(', ')}) VALUES (${columns.map((column) => literal(row[column])).join(', ')})`,
    )
  }
}

/** As SQLite reads it: a quote is doubled, a backslash a plain character. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  return `'${String(value).replaceAll("'", "''")}'`
}
