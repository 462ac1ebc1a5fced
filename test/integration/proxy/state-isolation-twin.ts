import {
  type Connection,
  createConnection,
  type FieldPacket,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise'
import type { Step } from './state-isolation-steps.js'

/** One side of a session that is played twice: through the proxy, and directly on a server without anybody else. */

export interface Account {
  readonly user: string
  readonly password: string
}

export interface SideOptions {
  readonly port: number
  readonly accounts: readonly Account[]
  readonly schemas: readonly string[]
  /** Names of system variables that are not compared. */
  readonly ignored: ReadonlySet<string>
  /** A new session is not promised to see what the last one wrote. */
  readonly settle: () => Promise<void>
}

export class Side {
  readonly #options: SideOptions
  #connection: Connection

  private constructor(options: SideOptions, connection: Connection) {
    this.#options = options
    this.#connection = connection
  }

  static async open(options: SideOptions, user: number): Promise<Side> {
    return new Side(options, await connect(options, user, 0))
  }

  /** Performs a step and says what came of it. Names of servers, numbers of statements and the like are left out. */
  async perform(step: Step): Promise<string> {
    try {
      return await this.#perform(step)
    } catch (error) {
      const { errno, sqlState, message } = error as { errno?: number; sqlState?: string; message: string }
      if (errno === undefined || sqlState === undefined) throw error
      return `error ${errno} ${sqlState} ${message.replace(/handler \(\d+\)/, 'handler')}`
    }
  }

  async close(): Promise<void> {
    await this.#connection.end().catch(() => {})
  }

  async #perform(step: Step): Promise<string> {
    const connection = this.#connection
    const { accounts, schemas, ignored, settle } = this.#options
    switch (step.kind) {
      case 'query':
        return answer(...(await connection.query({ sql: step.sql, rowsAsArray: true, typeCast: bytes })))
      case 'execute':
        return answer(...(await connection.execute({ sql: step.sql, rowsAsArray: true, values: [...step.values] })))
      case 'close statement':
        connection.unprepare(step.sql)
        return 'closed'
      case 'reset':
        await (connection as unknown as { reset(): Promise<void> }).reset()
        return 'reset'
      case 'change user':
        await connection.changeUser({ ...accounts[step.user], database: schemas[step.schema] })
        return 'changed'
      case 'reconnect':
        await connection.end()
        await settle()
        this.#connection = await connect(this.#options, step.user, step.schema)
        return 'connected'
      case 'variables': {
        const variables = await variablesOf(connection)
        return [...variables]
          .filter(([name]) => !ignored.has(name))
          .map(([name, value]) => `${name}=${value}`)
          .join('\n')
      }
    }
  }
}

export async function variablesOf(connection: Connection, scope = 'SESSION'): Promise<Map<string, string>> {
  const sql = `SHOW ${scope} VARIABLES`
  const [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true, typeCast: bytes })
  return new Map(rows.map((row) => [String(row[0]), String(row[1])]))
}

/** The first lines of both that differ. */
export function difference(direct: string, proxied: string): string {
  const [expected, found] = [direct.split('\n'), proxied.split('\n')]
  const lines = expected.map((_, index) => index).filter((index) => expected[index] !== found[index])
  const shown = lines.slice(0, 8).map((index) => `    direct: ${expected[index]}\n    Sluice: ${found[index]}`)
  return shown.join('\n') || `    direct: ${direct}\n    Sluice: ${proxied}`
}

async function connect({ port, accounts, schemas }: SideOptions, user: number, schema: number): Promise<Connection> {
  const options = { host: '127.0.0.1', port, ...accounts[user], database: schemas[schema] }
  const connection = await createConnection(options)
  connection.on('error', () => {}) // told with the next statement
  return connection
}

/** Text as the server sent it, whatever character set the session has. */
function bytes(field: { buffer(): Buffer | null }): string | null {
  return field.buffer()?.toString('latin1') ?? null
}

function answer(result: unknown, fields: FieldPacket[] | undefined): string {
  if (fields === undefined || !Array.isArray(result)) return `ok ${header(result as ResultSetHeader)}`
  const names = fields.map((field) => field?.name)
  return [`columns ${names}`, ...result.map((row) => (Array.isArray(row) ? JSON.stringify(row) : header(row)))].join(
    '\n',
  )
}

function header({ affectedRows, insertId, info, warningStatus }: ResultSetHeader): string {
  return `${affectedRows} rows, id ${insertId}, ${warningStatus} warnings ${info}`
}
