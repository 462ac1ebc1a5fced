import sqlite from 'node-sqlite3-wasm'
import { rowsPackets } from '../result-packets.js'
import type {
  Cell,
  EngineRequest,
  EngineResult,
  RowSet,
  SessionFacts,
  SqlValue,
  TableContents,
  TableName,
  WriteResult,
} from './messages.js'
import { CHANGED_TABLE, columnsOf, schemaScript } from './schema.js'

/** Rows of one result, and characters in them: what a client can get of a statement before it is refused. */
export const ROWS_MAX = 100_000
export const RESULT_CHARACTERS_MAX = 32 << 20

/**
 * The SQL engine of the admin port: real SQLite, compiled to WebAssembly, all tables in memory. It is synchronous and
 * cannot be interrupted (this build has no progress handler), which is why `EngineHost` runs it in a thread of its own.
 *
 * Queries run as sub-queries of a SELECT. That gives the columns distinct names (SQLite calls the second `a` of
 * `SELECT a, a` then `a:1`; the package returns rows as objects), and nothing but a query can stand there: whatever a
 * client sends, ATTACH, PRAGMA or a write is a syntax error. Writes are asked for as such, and what they changed is told.
 */
export class Engine {
  private readonly database = new sqlite.Database(':memory:')
  private session: SessionFacts = { user: '', database: 'main', connectionId: 0, version: '' }

  constructor() {
    this.database.exec(schemaScript())
    this.database.function('version', () => this.session.version)
    this.database.function('database', () => this.session.database)
    this.database.function('schema', () => this.session.database)
    this.database.function('user', () => this.session.user)
    this.database.function('current_user', () => this.session.user)
    this.database.function('connection_id', () => this.session.connectionId)
    this.database.function('now', () => new Date().toISOString().slice(0, 19).replace('T', ' '))
    this.database.function('unix_timestamp', () => Math.floor(Date.now() / 1000))
  }

  /** Throws an Error with SQLite's text. Nothing is filled in part. */
  run(request: EngineRequest): EngineResult {
    const { sql, answer, write } = request
    this.session = request.session
    this.fill(request.fill)
    if (answer === 'describe') return { columns: this.columnsOf(sql), rows: [] }
    if (write !== undefined) return this.write(sql, request.params, write)
    const result = this.query(sql, request.params)
    return answer === 'rows' ? result : { packets: rowsPackets(result, answer) }
  }

  close(): void {
    this.database.close()
  }

  private fill(tables: readonly TableContents[]): void {
    if (tables.length === 0) return
    this.atomically(() => {
      for (const table of tables) this.replaceRows(table)
    })
  }

  private atomically<T>(work: () => T): T {
    this.database.exec('BEGIN')
    try {
      const result = work()
      this.database.exec(`DELETE FROM ${CHANGED_TABLE}`)
      this.database.exec('COMMIT')
      return result
    } catch (error) {
      // INSERT OR ROLLBACK has ended it by itself.
      if (this.database.inTransaction) this.database.exec('ROLLBACK')
      throw error
    }
  }

  /** Also INSERT OR FAIL leaves nothing behind when it fails. */
  private write(sql: string, params: readonly SqlValue[], { database, table }: TableName): WriteResult {
    return this.atomically(() => {
      const { changes, lastInsertRowid } = this.database.run(sql, params as SqlValue[])
      const columns = columnsOf(table)
      const rows = this.database.all(
        `SELECT c.id AS changed_rowid, t.rowid IS NULL AS is_gone, ${columns.map((name) => `t.${name}`).join(', ')} ` +
          `FROM ${CHANGED_TABLE} c LEFT JOIN ${database}.${table} t ON t.rowid = c.id ORDER BY c.id`,
      ) as Record<string, SqlValue>[]
      const changed = rows.map(
        (row) =>
          [Number(row['changed_rowid']), row['is_gone'] === 1 ? null : columns.map((name) => row[name])] as const,
      )
      return { affectedRows: changes, lastInsertId: Number(lastInsertRowid), columns, changes: changed }
    })
  }

  private replaceRows(contents: TableContents): void {
    const { database, table, columns, rows, isPatch } = contents
    if (isPatch !== true) this.database.exec(`DELETE FROM ${database}.${table}`)
    if (rows.length === 0) return
    const marks = columns.map(() => '?').join(',')
    const insert = this.database.prepare(`REPLACE INTO ${database}.${table} (${columns.join(',')}) VALUES (${marks})`)
    try {
      for (const row of rows) insert.run(row as SqlValue[])
    } finally {
      insert.finalize()
    }
  }

  private query(sql: string, params: readonly SqlValue[]): RowSet {
    const statement = this.database.prepare(`SELECT * FROM (${sql}\n)`)
    try {
      const rows: Cell[][] = []
      let names: string[] | undefined
      let characters = 0
      for (const row of statement.iterate(params as SqlValue[])) {
        names ??= Object.keys(row)
        const cells = Object.values(row).map(toCell)
        for (const cell of cells) characters += cell?.length ?? 0
        rows.push(cells)
        if (rows.length > ROWS_MAX) throw new Error(`the result has more than ${ROWS_MAX} rows; add a LIMIT`)
        if (characters > RESULT_CHARACTERS_MAX)
          throw new Error('the result is larger than 32 MB; select fewer columns or add a LIMIT')
      }
      return { columns: names === undefined ? this.columnsOf(sql) : ownNames(names), rows }
    } finally {
      statement.finalize()
    }
  }

  /** An empty result has no row to read the names from: one row of NULLs is made, without running the statement. */
  private columnsOf(sql: string): string[] {
    const row = this.database.get(`SELECT * FROM (SELECT 1) LEFT JOIN (SELECT * FROM (${sql}\n) LIMIT 0)`, [])
    const [, ...names] = Object.keys(row ?? {})
    return ownNames(names)
  }
}

/** Takes off the `:1` that SQLite puts behind a name that stands in the list already. */
function ownNames(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return names.map((name) => {
    const colon = name.lastIndexOf(':')
    const base = colon > 0 ? name.slice(0, colon) : ''
    if (base !== '' && /^\d+$/.test(name.slice(colon + 1)) && seen.has(base.toLowerCase())) return base
    seen.add(name.toLowerCase())
    return name
  })
}

function toCell(value: unknown): Cell {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value
  return String(value)
}
