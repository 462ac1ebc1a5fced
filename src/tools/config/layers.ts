import { buildConfig, readConfigSource } from '../../control/config/config.js'
import { diskPath, readDisk } from '../../control/config-store/disk-file.js'
import { fileValues } from '../../control/config-store/initial.js'
import type { Row, SectionRows } from '../../control/config-store/rows.js'
import { Secrets } from '../../control/config-store/secrets.js'
import type { Section, SectionName } from '../../control/config-store/section.js'
import { owns, SECTIONS } from '../../control/config-store/sections.js'
import type { ScriptTarget } from '../admin/script.js'

/** A row as the admin port shows it: every value a text, passwords as hashes. */
export type ShownRow = Readonly<Record<string, string | null>>

/** What a layer holds, by section, then by table. A section that a layer does not have is not there. */
export type ShownLayer = ReadonlyMap<SectionName, ReadonlyMap<string, readonly ShownRow[]>>

/** The rows of all sections that a configuration file says; throws a UsageError for what is wrong with it. */
export function rowsOfFile(path: string, env: NodeJS.ProcessEnv): Map<Section, SectionRows> {
  const source = readConfigSource(path, env)
  const { file } = buildConfig(source, env)
  return new Map(SECTIONS.map((section) => [section, section.toRows(file, fileValues(source))]))
}

/** Top-level keys that a configuration file has. */
export function keysOfFile(path: string, env: NodeJS.ProcessEnv): ReadonlySet<string> {
  return new Set(Object.keys(fileValues(readConfigSource(path, env))))
}

export function fileLayer(path: string, env: NodeJS.ProcessEnv): ShownLayer {
  const secrets = new Secrets()
  return new Map([...rowsOfFile(path, env)].map(([section, rows]) => [section.name, shown(rows, secrets)]))
}

/** What `SAVE ... TO DISK` has kept for a configuration file. Throws a UsageError when it cannot be read. */
export function diskLayer(path: string, env: NodeJS.ProcessEnv): ShownLayer {
  const secrets = new Secrets()
  const { config } = buildConfig(readConfigSource(path, env), env)
  const saved = readDisk(diskPath(config.datadir, path))
  return new Map([...saved].map(([name, { rows }]) => [name, shown(rows, secrets)]))
}

/** Memory or runtime of a running Sluice. Rejects as `AdminClient.query`. */
export async function runningLayer(target: ScriptTarget, layer: 'memory' | 'runtime'): Promise<ShownLayer> {
  const found = new Map<SectionName, Map<string, readonly ShownRow[]>>()
  for (const section of SECTIONS) {
    const tables = new Map<string, readonly ShownRow[]>()
    for (const table of section.tables) {
      const rows = await readTable(target, layer === 'memory' ? `main.${table.name}` : `main.runtime_${table.name}`)
      tables.set(
        table.name,
        rows.filter((row) => owns(table, row)),
      )
    }
    found.set(section.name, tables)
  }
  return found
}

export async function readTable(target: ScriptTarget, table: string): Promise<ShownRow[]> {
  const answer = await target.query(`SELECT * FROM ${table}`)
  if (answer.kind !== 'rows') return []
  return answer.rows.map((row) => Object.fromEntries(answer.columns.map((name, index) => [name, row[index]])))
}

function shown(rows: SectionRows, secrets: Secrets): Map<string, readonly ShownRow[]> {
  return new Map([...rows].map(([table, all]) => [table, all.map((row) => asText(secrets.mask(table, row)))]))
}

function asText(row: Row): ShownRow {
  const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, text(value)]))
}
