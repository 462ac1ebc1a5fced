import { DATABASES, type DatabaseName, TABLES } from '../engine/schema.js'
import { unknownDatabase, unknownTable } from '../errors.js'
import type { Match } from '../pattern.js'
import { type AdminResult, type CommandContext, rows } from '../session.js'
import { quoteText } from '../sql-text.js'
import type { Token } from '../tokens.js'
import { type AdminCommand, show } from './command.js'
import { showFilter } from './filter.js'

/** SHOW commands that MySQL clients and ProxySQL's tools send. */
export const SHOW_COMMANDS: readonly AdminCommand[] = [
  show('SHOW TABLES {FROM|IN} <database> ...', (context, match) =>
    showTables(context, databaseNamed(match.taken.get('database')), match),
  ),
  show('SHOW TABLES ...', (context, match) => showTables(context, context.session.database, match)),
  show('SHOW FULL TABLES {FROM|IN} <database> ...', (context, match) =>
    showFullTables(context, databaseNamed(match.taken.get('database')), match),
  ),
  show('SHOW FULL TABLES ...', (context, match) => showFullTables(context, context.session.database, match)),
  show('SHOW {DATABASES|SCHEMAS} ...', showDatabases),
  show('SHOW CREATE TABLE <table>', (context, match) => showCreateTable(context, context.session.database, match)),
  show('SHOW CREATE TABLE <database> <dot> <table>', (context, match) =>
    showCreateTable(context, databaseNamed(match.taken.get('database')), match),
  ),
  show('SHOW [FULL] {COLUMNS|FIELDS} {FROM|IN} <table>', showColumns),
  show('SHOW [FULL] {COLUMNS|FIELDS} {FROM|IN} <table> {FROM|IN} <database>', showColumns),
  show('{DESCRIBE|DESC} <table>', showColumns),
  show('SHOW FULL PROCESSLIST', (context) => context.query('SELECT * FROM stats_mysql_processlist')),
  show('SHOW PROCESSLIST', (context) =>
    context.query(
      'SELECT SessionID, user, db, hostgroup, command, time_ms, SUBSTR(info, 1, 100) AS info FROM stats_mysql_processlist',
    ),
  ),
  show('SHOW MYSQL STATUS ...', showStatus),
  show('SHOW [GLOBAL|SESSION] STATUS ...', showStatus),
  show('SHOW MYSQL USERS', (context) => context.query('SELECT * FROM mysql_users ORDER BY username, backend')),
  show('SHOW MYSQL SERVERS', (context) =>
    context.query('SELECT * FROM mysql_servers ORDER BY hostgroup_id, hostname, port'),
  ),
  show('SHOW {MYSQL|ADMIN} VARIABLES ...', (context, match) =>
    showVariables(context, match, `WHERE variable_name LIKE '${match.keywords[1].toLowerCase()}-%'`),
  ),
  show('SHOW [ALL|GLOBAL|SESSION|LOCAL] VARIABLES ...', (context, match) => showVariables(context, match, '')),
  show('SHOW WARNINGS ...', ({ session }) =>
    rows(
      ['Level', 'Code', 'Message'],
      session.warnings.map((message) => ['Warning', '1105', message]),
    ),
  ),
  show('SHOW ERRORS ...', () => rows(['Level', 'Code', 'Message'], [])),
]

function databaseNamed(token: Token | undefined): DatabaseName {
  const name = token?.value.toLowerCase() ?? ''
  const known = DATABASES.find((database) => database === name)
  if (known === undefined) throw unknownDatabase(token?.value ?? '', DATABASES)
  return known
}

/** Column and order as ProxySQL's. */
function tablesOf(database: string, columns: string, rest: readonly Token[]): string {
  const names = `SELECT name FROM ${database}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`
  return `SELECT ${columns} FROM (${names}) ${showFilter(rest, 'name')} ORDER BY name`
}

function showTables(context: CommandContext, database: string, match: Match): Promise<AdminResult> {
  return context.query(tablesOf(database, 'name AS tables', match.rest))
}

function showFullTables(context: CommandContext, database: string, match: Match): Promise<AdminResult> {
  return context.query(tablesOf(database, "name AS tables, 'BASE TABLE' AS Table_type", match.rest))
}

/** ProxySQL shows SQLite's list of databases, and tools take the second column. */
function showDatabases(context: CommandContext, match: Match): Promise<AdminResult> {
  const values = DATABASES.map((name, seq) => `(${seq}, ${quoteText(name)}, '')`).join(', ')
  return context.query(
    `SELECT seq, name, file FROM (SELECT column1 AS seq, column2 AS name, column3 AS file FROM (VALUES ${values})) ` +
      `${showFilter(match.rest, 'name')} ORDER BY seq`,
  )
}

function showCreateTable(_context: CommandContext, current: string, match: Match): AdminResult {
  const { database, table } = findTable(match.taken.get('table')?.value ?? '', current)
  return rows(['table', 'Create Table'], [[table, `CREATE TABLE ${table} (\n    ${TABLES[database][table]})`]])
}

function showColumns(context: CommandContext, match: Match): Promise<AdminResult> {
  const { database, table } = findTable(match.taken.get('table')?.value ?? '', context.session.database)
  return context.query(
    "SELECT name AS Field, type AS Type, CASE `notnull` WHEN 1 THEN 'NO' ELSE 'YES' END AS `Null`, " +
      "CASE pk WHEN 0 THEN '' ELSE 'PRI' END AS Key, dflt_value AS `Default`, '' AS Extra " +
      `FROM pragma_table_info(${quoteText(table)}, ${quoteText(database)})`,
  )
}

/** The current schema first, then the order in which the engine looks names up. */
function findTable(name: string, current: string): { readonly database: DatabaseName; readonly table: string } {
  const wanted = name.toLowerCase()
  for (const database of [...DATABASES.filter((one) => one === current), ...DATABASES]) {
    const table = Object.keys(TABLES[database]).find((one) => one.toLowerCase() === wanted)
    if (table !== undefined) return { database, table }
  }
  throw unknownTable(name)
}

function showStatus(context: CommandContext, match: Match): Promise<AdminResult> {
  const status = 'SELECT Variable_Name AS Variable_name, Variable_Value AS Value FROM stats_mysql_global'
  return context.query(`SELECT * FROM (${status}) ${showFilter(match.rest, 'Variable_name')} ORDER BY Variable_name`)
}

function showVariables(context: CommandContext, match: Match, condition: string): Promise<AdminResult> {
  const all = `SELECT variable_name AS Variable_name, variable_value AS Value FROM global_variables ${condition}`
  return context.query(`SELECT * FROM (${all}) ${showFilter(match.rest, 'Variable_name')} ORDER BY Variable_name`)
}
