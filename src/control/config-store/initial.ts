import { type BuiltConfig, buildConfig, type ConfigSource } from '../config/config.js'
import type { ConfigFile } from '../config/config-schema.js'
import { hashOfSection, type SavedSections } from './disk-file.js'
import type { Row, SectionRows } from './rows.js'
import { RowsDocument, refuseRow } from './rows-document.js'
import type { Section, SectionValues } from './section.js'
import { SECTIONS } from './sections.js'
import { VARIABLE_BY_NAME } from './variable-table.js'
import { VARIABLES_TABLE } from './variables.js'

/** Where the configuration of a start comes from. */
export type Winner = 'file' | 'disk'

/** The file's texts by top-level key. */
export function fileValues({ document }: ConfigSource): Readonly<Record<string, unknown>> {
  return (document.value as Readonly<Record<string, unknown>> | undefined) ?? {}
}

/** What was said last counts: what was saved to disk does while the file says what it said at that moment. */
export function winnerOf(section: Section, source: ConfigSource, saved: SavedSections): Winner {
  const own = saved.get(section.name)
  return own !== undefined && own.fileHash === hashOfSection(section, fileValues(source)) ? 'disk' : 'file'
}

/** One sentence for the log: which sections come from where, and why. */
export function describeWinners(source: ConfigSource, saved: SavedSections): string {
  const told = SECTIONS.map((section) => {
    if (winnerOf(section, source, saved) === 'file') {
      return `${section.name} from the file${saved.has(section.name) ? ' (edited since it was saved to disk)' : ''}`
    }
    return `${section.name} from disk (saved ${new Date(saved.get(section.name)?.savedAt ?? 0).toISOString()})`
  })
  return `configuration: ${told.join(', ')}`
}

/** The rows with which a section begins. */
export function initialRows(
  section: Section,
  source: ConfigSource,
  file: ConfigFile,
  saved: SavedSections,
): SectionRows {
  const fromFile = section.toRows(file, fileValues(source))
  if (winnerOf(section, source, saved) === 'file') return fromFile
  const rows = saved.get(section.name)?.rows ?? new Map<string, readonly Row[]>()
  return completed(rows, fromFile)
}

/** What an older or newer version has saved: variables that it did not know have their defaults, others are left out. */
function completed(saved: SectionRows, fromFile: SectionRows): SectionRows {
  const variables = fromFile.get(VARIABLES_TABLE)
  if (variables === undefined) return saved
  const known = new Map((saved.get(VARIABLES_TABLE) ?? []).map((row) => [row['variable_name'], row]))
  return new Map([[VARIABLES_TABLE, variables.map((row) => known.get(row['variable_name']) ?? row)]])
}

/** Names in saved variables that this version does not know. */
export function unknownVariables(saved: SavedSections): string[] {
  const rows = [...saved.values()].flatMap((section) => section.rows.get(VARIABLES_TABLE) ?? [])
  return rows.map((row) => String(row['variable_name'])).filter((name) => !VARIABLE_BY_NAME.has(name))
}

/** Checks what the sections say together with the rest of the file. */
export function buildFrom(
  source: ConfigSource,
  sections: ReadonlyMap<Section, SectionValues>,
  env: NodeJS.ProcessEnv,
): BuiltConfig {
  const document = new RowsDocument(source.document, sections)
  return buildConfig({ path: source.path, document }, env)
}

export function valuesOf(section: Section, rows: SectionRows): SectionValues {
  return section.toValues(rows, refuseRow)
}
