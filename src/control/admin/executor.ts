import { ADMIN_VERSION } from '../admin-version.js'
import type { RowChange } from '../config-store/rows.js'
import { ROWID_COLUMNS } from '../config-store/sections.js'
import type { ControlView } from '../view.js'
import { COMMANDS, EXPECTED_STATEMENT, findCommand } from './commands/index.js'
import { refused } from './commands/transfer.js'
import type { KeptTable } from './engine/host.js'
import type { EngineRequest, RowSet, SqlValue, WireFormat, WireResult, WriteResult } from './engine/messages.js'
import { HISTORY_TABLES, MONITOR_TABLES, STATS_TABLES } from './engine/schema.js'
import { configRefused, emptyStatement, notSupported, syntaxError, tableDenied } from './errors.js'
import type { AdminResult, AdminServices, AdminSession, CommandContext, ExtraCommand } from './session.js'
import { sqlText, tablesNamed } from './sql-text.js'
import { CONFIG_SOURCES, keptTables } from './tables/config-tables.js'
import { CONNECTION_SOURCES } from './tables/connection-tables.js'
import { DIGEST_SOURCES } from './tables/digest-tables.js'
import { MONITOR_SOURCES } from './tables/monitor-tables.js'
import { SLUICE_SOURCES } from './tables/sluice-tables.js'
import { readTables } from './tables/source.js'
import { STATS_SOURCES } from './tables/stats-tables.js'
import { memoryVariables } from './tables/variables.js'
import { isPunctuation, isWord, scan, type Token } from './tokens.js'
import { parseWrite, type WriteStatement } from './write-statement.js'

const SOURCES = [
  ...CONFIG_SOURCES,
  ...STATS_SOURCES,
  ...DIGEST_SOURCES,
  ...CONNECTION_SOURCES,
  ...MONITOR_SOURCES,
  ...SLUICE_SOURCES,
]
const QUERY_WORDS = ['SELECT', 'WITH', 'VALUES'] as const

/** What an account of the role `stats` may read: no configuration, no password hashes. */
const STATS_ROLE_TABLES: ReadonlySet<string> = new Set([
  ...Object.keys(STATS_TABLES),
  ...Object.keys(MONITOR_TABLES),
  ...Object.keys(HISTORY_TABLES),
  'runtime_mysql_servers',
  'runtime_mysql_replication_hostgroups',
  'runtime_checksums_values',
])

/** What a client that prepares a statement is told about it. */
export interface StatementShape {
  readonly parameters: number
  readonly columns: readonly string[]
}

/**
 * From a statement's text to its result. Commands are found in a table; what is none of them is a query, which the engine
 * runs after the tables that it names have been filled.
 */
export class AdminExecutor {
  private readonly services: AdminServices
  private readonly extraCommands: readonly ExtraCommand[]
  private readonly kept: readonly KeptTable[]

  constructor(services: AdminServices, extraCommands: readonly ExtraCommand[]) {
    this.services = services
    this.extraCommands = extraCommands
    this.kept = keptTables(services.view.store)
  }

  get view(): ControlView {
    return this.services.view
  }

  /**
   * Throws ProxyError for what is wrong with the statement; nothing has changed then.
   * @param format how a result of the engine is wanted; what commands make themselves is always rows
   */
  async execute(
    sql: string,
    params: readonly SqlValue[],
    session: AdminSession,
    format: 'rows' | WireFormat = 'rows',
  ): Promise<AdminResult> {
    const extra = this.extraCommands.find((command) => command.match(sql))
    if (extra !== undefined) return extra.run(sql, this.contextOf(session, format))
    const tokens = scan(sql)
    if (tokens.length === 0) throw emptyStatement()
    if (!isWord(tokens[0], 'SHOW')) session.warnings = []
    const found = findCommand(COMMANDS, tokens)
    if (found === null) {
      const write = parseWrite(tokens)
      return write === null ? this.query(tokens, params, session, format) : this.write(write, params, session)
    }
    if (found.command.role === 'admin' && session.role !== 'admin') {
      throw notSupported(`this account reads statistics only; expected ${EXPECTED_STATEMENT.slice('expected '.length)}`)
    }
    return found.command.run(this.contextOf(session, format), found.match)
  }

  /** What `execute` would take and give, without running it where that has an effect. Throws as `execute`. */
  async describe(sql: string, session: AdminSession): Promise<StatementShape> {
    const extra = this.extraCommands.find((command) => command.match(sql))
    if (extra !== undefined) return { parameters: 0, columns: extra.columns }
    const tokens = scan(sql)
    if (tokens.length === 0) throw emptyStatement()
    const parameters = tokens.filter((token) => token.kind === 'parameter').length
    const found = findCommand(COMMANDS, tokens)
    if (found?.command.reads === true && parameters === 0) {
      const result = await this.execute(sql, [], session)
      return { parameters, columns: result.kind === 'rows' ? result.columns : [] }
    }
    if (found !== null || parseWrite(tokens) !== null) return { parameters, columns: [] }
    this.check(tokens, session)
    const result = await this.runInEngine(tokens, [], session, 'describe')
    return { parameters, columns: 'columns' in result ? result.columns : [] }
  }

  private async query(
    tokens: readonly Token[],
    params: readonly SqlValue[],
    session: AdminSession,
    format: 'rows' | WireFormat,
  ): Promise<AdminResult> {
    this.check(tokens, session)
    checkParameters(tokens, params)
    const result = await this.runInEngine(tokens, params, session, format)
    return 'packets' in result ? { kind: 'packets', ...result } : { kind: 'rows', ...result }
  }

  private async runInEngine(
    tokens: readonly Token[],
    params: readonly SqlValue[],
    session: AdminSession,
    answer: EngineRequest['answer'],
  ): Promise<RowSet | WireResult> {
    const { view, engine, log } = this.services
    const sql = sqlText(tokens, () => this.variablesFor(session))
    const fill = answer === 'describe' ? [] : await readTables(SOURCES, tablesNamed(tokens), view, log)
    const kept = answer === 'describe' ? [] : this.keptAmong(tablesNamed(tokens))
    return engine.run({ fill, sql, params, answer, session: factsOf(session) }, kept)
  }

  /** Variables are configuration, by whichever way they are read. */
  private variablesFor({ role, user }: AdminSession): ReadonlyMap<string, string> {
    if (role !== 'admin') throw tableDenied(user, 'global_variables')
    return new Map(memoryVariables(this.services.view))
  }

  private keptAmong(names: ReadonlySet<string>): KeptTable[] {
    return this.kept.filter(({ table }) => names.has(table))
  }

  /** Nothing else changes the configuration between the statement and what it leaves in the store. */
  private async write(
    { verb, database, table, tokens }: WriteStatement,
    params: readonly SqlValue[],
    session: AdminSession,
  ): Promise<AdminResult> {
    if (session.role !== 'admin') throw tableDenied(session.user, table, verb)
    checkParameters(tokens, params)
    const { view, engine, log } = this.services
    const { store } = view
    const names = tablesNamed(tokens)
    const target = this.kept.find((one) => one.database === database && one.table === table) as KeptTable
    const sql = sqlText(tokens, () => this.variablesFor(session))
    const done = await store.exclusively(async () => {
      const request = { fill: await readTables(SOURCES, names, view, log), sql, params, session: factsOf(session) }
      const result = await refused(() =>
        engine.write(request, target, this.keptAmong(names), (written) =>
          patchOf(target, written.columns, store.applyChanges(database, table, rowChanges(written))),
        ),
      )
      if (database === 'disk') await refused(() => store.persistTable(table))
      return result
    })
    const inserts = verb === 'INSERT' || verb === 'REPLACE'
    const lastInsertId = inserts && ROWID_COLUMNS.has(table) ? done.lastInsertId : 0
    return { kind: 'ok', info: '', affectedRows: done.affectedRows, lastInsertId }
  }

  private check(tokens: readonly Token[], session: AdminSession): void {
    const first = tokens.find((token) => !isPunctuation(token, '('))
    if (!QUERY_WORDS.some((word) => isWord(first, word))) {
      throw syntaxError(`${EXPECTED_STATEMENT} at "${tokens[0].text.slice(0, 40)}"`)
    }
    if (session.role === 'admin') return
    for (const table of tablesNamed(tokens)) {
      if (!STATS_ROLE_TABLES.has(table)) throw tableDenied(session.user, table)
    }
  }

  private contextOf(session: AdminSession, format: 'rows' | WireFormat): CommandContext {
    const query = (sql: string, params: readonly SqlValue[] = []) => this.query(scan(sql), params, session, format)
    return { ...this.services, session, query }
  }
}

function checkParameters(tokens: readonly Token[], params: readonly SqlValue[]): void {
  const wanted = tokens.filter((token) => token.kind === 'parameter').length
  if (wanted !== params.length)
    throw syntaxError(`expected ${wanted} values for the ? of the statement, got ${params.length}`)
}

function rowChanges({ columns, changes }: WriteResult): RowChange[] {
  return changes.map(([rowid, cells]) => ({
    rowid,
    row:
      cells === null ? null : Object.fromEntries(columns.map((column, at) => [column, plainValue(column, cells[at])])),
  }))
}

function patchOf({ database, table }: KeptTable, columns: readonly string[], changes: readonly RowChange[]) {
  if (changes.length === 0) return null
  const rows = changes.map(({ rowid, row }) => [rowid, ...columns.map((column) => row?.[column] ?? null)])
  return { database, table, columns: ['rowid', ...columns], rows, isPatch: true }
}

/** Rows hold texts and numbers, as a file does. */
function plainValue(column: string, value: SqlValue): SqlValue {
  if (value instanceof Uint8Array) throw configRefused(`column ${column}: expected a text or a number, got bytes`)
  return typeof value === 'bigint' ? String(value) : value
}

function factsOf(session: AdminSession) {
  const { user, database, connectionId } = session
  return { user: `${user}@localhost`, database, connectionId, version: ADMIN_VERSION }
}
