import { columnsOf } from '../admin/engine/schema.js'
import { listedSection } from './listed.js'
import type { Row } from './rows.js'
import type { Section, SectionName, SectionTable } from './section.js'
import { SERVERS_SECTION } from './servers.js'
import { USERS_SECTION } from './users.js'
import { ADMIN_VARIABLES_SECTION, MYSQL_VARIABLES_SECTION } from './variables.js'

const SCHEDULER_SECTION = listedSection('SCHEDULER', [
  { table: { name: 'scheduler', key: ['id'] }, key: 'scheduler', columns: columnsOf('scheduler') },
])

const PROXYSQL_SERVERS_SECTION = listedSection('PROXYSQL SERVERS', [
  {
    table: { name: 'proxysql_servers', key: ['hostname', 'port'] },
    key: 'proxysql_servers',
    columns: columnsOf('proxysql_servers'),
  },
])

const QUERY_RULES_SECTION = listedSection('MYSQL QUERY RULES', [
  {
    table: { name: 'mysql_query_rules', key: ['rule_id'] },
    key: 'query_rules',
    columns: columnsOf('mysql_query_rules'),
  },
  {
    table: { name: 'mysql_query_rules_fast_routing', key: ['username', 'schemaname', 'flagIN'] },
    key: 'query_rules_fast_routing',
    columns: columnsOf('mysql_query_rules_fast_routing'),
  },
])

/** Everything that LOAD and SAVE know. Whatever has to do with configuration walks this list. */
export const SECTIONS: readonly Section[] = [
  SERVERS_SECTION,
  USERS_SECTION,
  QUERY_RULES_SECTION,
  MYSQL_VARIABLES_SECTION,
  ADMIN_VARIABLES_SECTION,
  SCHEDULER_SECTION,
  PROXYSQL_SERVERS_SECTION,
]

export function sectionNamed(name: SectionName): Section {
  return SECTIONS.find((section) => section.name === name) as Section
}

/** Tables whose INTEGER PRIMARY KEY is SQLite's rowid. */
export const ROWID_COLUMNS: ReadonlyMap<string, string> = new Map([
  ['scheduler', 'id'],
  ['mysql_query_rules', 'rule_id'],
])

/** Every table of the configuration, with its sections: global_variables belongs to two. */
export const SECTION_TABLES: ReadonlyMap<string, readonly Section[]> = new Map(
  [...new Set(SECTIONS.flatMap(({ tables }) => tables.map(({ name }) => name)))].map((table) => [
    table,
    SECTIONS.filter(({ tables }) => tables.some(({ name }) => name === table)),
  ]),
)

export function owns(table: SectionTable, row: Row): boolean {
  return table.owns?.(row) ?? true
}

/** The sections to which a row of the table belongs; none: nothing takes such a row. */
export function sectionOfRow(table: string, row: Row): Section | undefined {
  return SECTION_TABLES.get(table)?.find(({ tables }) => tables.some((one) => one.name === table && owns(one, row)))
}
