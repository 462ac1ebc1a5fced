import { UsageError } from '../../shared/errors.js'
import { type ConfigDocument, type ConfigPath, describeValue } from '../config/config-file.js'
import type { Row } from './rows.js'
import type { Place, Section, SectionValues } from './section.js'
import { SECTIONS } from './sections.js'

/**
 * The configuration as tables say it, for the same checks that a file goes through: what no section has comes from the
 * file. An error names table, row and column.
 */
export class RowsDocument implements ConfigDocument {
  readonly value: Readonly<Record<string, unknown>>
  readonly isComplete = false
  readonly holdsSecrets = false
  private readonly file: ConfigDocument
  private readonly sections: ReadonlyMap<Section, SectionValues>

  constructor(file: ConfigDocument, sections: ReadonlyMap<Section, SectionValues>) {
    this.file = file
    this.sections = sections
    const values = { ...(file.value as Record<string, unknown> | undefined) }
    for (const section of sections.values()) Object.assign(values, section.values)
    this.value = values
  }

  fail(path: ConfigPath, message: string): never {
    const place = this.placeOf(path)
    if (place === null) return this.file.fail(path, message)
    throw new UsageError(`${describePlace(place)}: ${message}`)
  }

  nameOf(path: ConfigPath): string {
    const place = this.placeOf(path)
    return place === null ? this.file.nameOf(path) : describePlace(place)
  }

  /** There are no lines: order of the sections, then of the rows. */
  lineOf([key, index]: ConfigPath): number {
    const section = SECTIONS.findIndex(({ keys }) => (keys as readonly unknown[]).includes(key))
    return section * 10_000_000 + (typeof index === 'number' ? index : 0)
  }

  describe(path: ConfigPath): string {
    return describeValue(this.value, path)
  }

  private placeOf(path: ConfigPath): Place | null {
    for (const [section, values] of this.sections) {
      if ((section.keys as readonly unknown[]).includes(path[0])) return values.place(path)
    }
    return null
  }
}

/** What `toValues` gets: an error that names the row. */
export function refuseRow(place: Place, message: string): never {
  throw new UsageError(`${describePlace(place)}: ${message}`)
}

/** `mysql_servers (0, '10.0.0.1', 3306), column weight` */
function describePlace({ table, row, column }: Place): string {
  const where = `${table} (${keyOf(table, row).join(', ')})`
  return column === null ? where : `${where}, column ${column}`
}

function keyOf(table: string, row: Row): string[] {
  const known = SECTIONS.flatMap(({ tables }) => tables).find(({ name }) => name === table)
  return (known?.key ?? []).map((column) => {
    const value = row[column]
    return typeof value === 'string' ? `'${value}'` : String(value)
  })
}
