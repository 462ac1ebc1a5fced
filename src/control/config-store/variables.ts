import type { ConfigPath } from '../config/config-file.js'
import type { ConfigFile } from '../config/config-schema.js'
import type { Row, SectionRows } from './rows.js'
import { type Place, type Refuse, rowsOf, type Section, type SectionName, textOf } from './section.js'
import { type Draft, VARIABLE_BY_NAME, VARIABLES } from './variable-table.js'

export const VARIABLES_TABLE = 'global_variables'

const nameOf = (row: Row): string => textOf(row, 'variable_name') ?? ''

function rowOf(name: string, value: string): Row {
  return { variable_name: name, variable_value: value }
}

/** Variables of a kind are rows of global_variables whose names have its prefix. */
function variablesSection(
  name: SectionName,
  prefix: 'mysql-' | 'admin-',
  keys: readonly (keyof ConfigFile)[],
): Section {
  const own = VARIABLES.filter((variable) => variable.name.startsWith(prefix))
  const byName = [...own].sort((a, b) => (a.name < b.name ? -1 : 1))
  const toRows = (file: ConfigFile, values: Readonly<Record<string, unknown>>): SectionRows =>
    new Map([[VARIABLES_TABLE, byName.map((variable) => rowOf(variable.name, variable.read(file, values)))]])

  const toValues = (rows: SectionRows, refuse: Refuse) => {
    const given = new Map(rowsOf(rows, VARIABLES_TABLE).map((row) => [nameOf(row), row]))
    const draft: Draft = {}
    for (const row of given.values()) checkName(row, refuse)
    for (const variable of own) {
      const row = given.get(variable.name)
      if (row === undefined) continue
      const text = textOf(row, 'variable_value') ?? ''
      const expected = variable.write(text, draft)
      if (expected !== null) refuse(placeOf(row), `${expected}, got ${shown(variable.name, text)}`)
    }
    const values = Object.fromEntries(keys.map((key) => [key, draft[key]]))
    return { values, place: (path: ConfigPath) => find(path, given) }
  }
  return {
    name,
    tables: [
      { name: VARIABLES_TABLE, key: ['variable_name'], owns: (row) => nameOf(row).toLowerCase().startsWith(prefix) },
    ],
    keys,
    toRows,
    toValues,
  }
}

function checkName(row: Row, refuse: Refuse): void {
  if (!VARIABLE_BY_NAME.has(nameOf(row)))
    refuse(placeOf(row), 'unknown variable; SHOW VARIABLES lists those that Sluice has')
}

function placeOf(row: Row): Place {
  return { table: VARIABLES_TABLE, row, column: 'variable_value' }
}

/** The variable that stands nearest to the path; the first of those that share a place is the one that holds it. */
function find(path: ConfigPath, given: ReadonlyMap<string, Row>): Place | null {
  const covers = ({ path: own }: { readonly path: readonly string[] }): boolean =>
    own.length > 0 && own.every((step, index) => path[index] === step)
  const found = VARIABLES.find((variable) => covers(variable) && given.has(variable.name))
  return found === undefined ? null : placeOf(given.get(found.name)!)
}

function shown(name: string, text: string): string {
  return isSecretVariable(name) ? 'another text' : JSON.stringify(text)
}

/** Whether the value holds passwords. */
export function isSecretVariable(name: string): boolean {
  return /password|credentials/.test(name)
}

export const MYSQL_VARIABLES_SECTION = variablesSection('MYSQL VARIABLES', 'mysql-', [
  'listen',
  'workers',
  'monitor',
  'tls',
  'backend_tls',
  'proxy_protocol_networks',
  'local_infile',
  'protocol_compression_algorithms',
  'multiplexing',
  'server_version',
  'init_connect',
  'limits',
  'consistency',
  'query_digests',
  'query_cache',
])

export const ADMIN_VARIABLES_SECTION = variablesSection('ADMIN VARIABLES', 'admin-', ['admin', 'metrics'])
