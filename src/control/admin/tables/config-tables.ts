import { createHash } from 'node:crypto'
import type { Row, TableRows } from '../../config-store/rows.js'
import type { SectionName } from '../../config-store/section.js'
import { SECTION_TABLES, sectionNamed } from '../../config-store/sections.js'
import type { ConfigStore } from '../../config-store/store.js'
import type { ControlView } from '../../view.js'
import type { KeptTable } from '../engine/host.js'
import type { SqlValue } from '../engine/messages.js'
import { columnsOf, type DatabaseName } from '../engine/schema.js'
import type { Rows, TableSource } from './source.js'
import { runtimeVariables } from './variables.js'

/** Computed anew for each statement that names them: what is loaded is not all that they show. */
const COMPUTED = ['mysql_servers', 'global_variables']

/** The layers as tables: memory in `main`, the disk in `disk`, and what was loaded as `runtime_*`. */
export function keptTables(store: ConfigStore): KeptTable[] {
  return [...SECTION_TABLES.keys()].flatMap((table) => [
    keptTable(store, 'main', table, table, store.memory.table(table)),
    keptTable(store, 'disk', table, table, store.disk.table(table)),
    ...(COMPUTED.includes(table)
      ? []
      : [keptTable(store, 'main', table, `runtime_${table}`, store.runtime.table(table))]),
  ])
}

function keptTable(
  { secrets }: ConfigStore,
  database: DatabaseName,
  source: string,
  table: string,
  rows: TableRows,
): KeptTable {
  const columns = columnsOf(source)
  const cells = (row: Row): SqlValue[] => {
    const shown = secrets.mask(source, row)
    return columns.map((column) => shown[column] ?? null)
  }
  return {
    database,
    table,
    version: () => rows.version,
    contents: () => ({
      database,
      table,
      columns: ['rowid', ...columns],
      rows: [...rows.entries()].map(([rowid, row]) => [rowid, ...cells(row)]),
    }),
  }
}

const SERVER_COLUMNS = columnsOf('mysql_servers')

/** Each server in the hostgroup where it is, with the status that it has there. */
function runtimeServers(view: ControlView): Rows {
  return view.store
    .runtimeServers()
    .map(({ row, entry }) =>
      SERVER_COLUMNS.map((column) => (column === 'status' ? entry.status : (row[column] ?? null))),
    )
}

/** Names of runtime_checksums_values, which proxies compare with one another. */
const MODULES: readonly (readonly [name: string, section: SectionName])[] = [
  ['admin_variables', 'ADMIN VARIABLES'],
  ['mysql_query_rules', 'MYSQL QUERY RULES'],
  ['mysql_servers', 'MYSQL SERVERS'],
  ['mysql_users', 'MYSQL USERS'],
  ['mysql_variables', 'MYSQL VARIABLES'],
  ['proxysql_servers', 'PROXYSQL SERVERS'],
]

function checksumRows({ store }: ControlView): Rows {
  return MODULES.map(([name, section]) => {
    const { version, epoch } = store.versionOf(section)
    return [name, version, epoch, sectionChecksum(store, 'runtime', section)]
  })
}

/** Over all rows of a section in one of the layers. */
export function sectionChecksum(store: ConfigStore, layer: 'memory' | 'runtime' | 'disk', name: SectionName): string {
  const rows = [...store[layer].rowsOf(sectionNamed(name))]
  const digest = createHash('sha256').update(JSON.stringify(rows)).digest('hex')
  return `0x${digest.slice(0, 16).toUpperCase()}`
}

export const CONFIG_SOURCES: readonly TableSource[] = [
  { databases: ['main'], table: 'runtime_mysql_servers', columns: SERVER_COLUMNS, rows: runtimeServers },
  {
    databases: ['main'],
    table: 'runtime_global_variables',
    columns: columnsOf('global_variables'),
    rows: runtimeVariables,
  },
  {
    databases: ['main'],
    table: 'runtime_checksums_values',
    columns: ['name', 'version', 'epoch', 'checksum'],
    rows: checksumRows,
  },
]
