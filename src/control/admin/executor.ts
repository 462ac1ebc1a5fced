import { SLUICE_VERSION } from '../../shared/version.js'
import type { ControlView } from '../view.js'
import { COMMANDS, EXPECTED_STATEMENT, findCommand } from './commands/index.js'
import type { EngineRequest, RowSet, SqlValue, WireFormat, WireResult } from './engine/messages.js'
import { MONITOR_TABLES, STATS_TABLES } from './engine/schema.js'
import { emptyStatement, notSupported, syntaxError, tableDenied } from './errors.js'
import type { AdminResult, AdminServices, AdminSession, CommandContext, ExtraCommand } from './session.js'
import { sqlText, tablesNamed } from './sql-text.js'
import { CONFIG_SOURCES } from './tables/config-tables.js'
import { readTables } from './tables/source.js'
import { STATS_SOURCES } from './tables/stats-tables.js'
import { variables } from './tables/variables.js'
import { isPunctuation, isWord, scan, type Token } from './tokens.js'

const SOURCES = [...CONFIG_SOURCES, ...STATS_SOURCES]
const QUERY_WORDS = ['SELECT', 'WITH', 'VALUES'] as const

/** What an account of the role `stats` may read: no configuration, no password hashes. */
const STATS_ROLE_TABLES: ReadonlySet<string> = new Set([
  ...Object.keys(STATS_TABLES),
  ...Object.keys(MONITOR_TABLES),
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

  constructor(services: AdminServices, extraCommands: readonly ExtraCommand[]) {
    this.services = services
    this.extraCommands = extraCommands
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
    const found = findCommand(COMMANDS, tokens)
    if (found === null) return this.query(tokens, params, session, format)
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
    if (found !== null) return { parameters, columns: [] }
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
    const wanted = tokens.filter((token) => token.kind === 'parameter').length
    if (wanted !== params.length)
      throw syntaxError(`expected ${wanted} values for the ? of the statement, got ${params.length}`)
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
    const sql = sqlText(tokens, () => new Map(variables(view)))
    const fill = answer === 'describe' ? [] : await readTables(SOURCES, tablesNamed(tokens), view, log)
    return engine.run({ fill, sql, params, answer, session: factsOf(session) })
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

function factsOf(session: AdminSession) {
  const { user, database, connectionId } = session
  return { user: `${user}@localhost`, database, connectionId, version: SLUICE_VERSION }
}
