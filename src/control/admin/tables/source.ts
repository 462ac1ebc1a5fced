import type { Logger } from '../../../shared/log.js'
import type { ControlView } from '../../view.js'
import type { SqlValue, TableContents } from '../engine/messages.js'
import type { DatabaseName } from '../engine/schema.js'

export type Rows = readonly (readonly SqlValue[])[]

/** Where the rows of a table come from. Asked only when a statement names the table. */
export interface TableSource {
  readonly databases: readonly DatabaseName[]
  readonly table: string
  readonly columns: readonly string[]
  /** Its rows are made of the workers' counters, which are asked for anew before it is filled. */
  readonly counted?: boolean
  rows(view: ControlView): Rows | Promise<Rows>
}

/** Rows of every source whose table is among `names` (lower case), in all its schemas. */
export async function readTables(
  sources: readonly TableSource[],
  names: ReadonlySet<string>,
  view: ControlView,
  log: Logger,
): Promise<TableContents[]> {
  const named = sources.filter(({ table }) => names.has(table))
  if (named.some(({ counted }) => counted)) await view.countNow()
  const contents: TableContents[] = []
  for (const source of named) {
    const rows = await source.rows(view)
    log.trace({ table: source.table, rows: rows.length }, 'admin table filled')
    for (const database of source.databases) {
      contents.push({ database, table: source.table, columns: source.columns, rows })
    }
  }
  return contents
}
