import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { createConnection, type ResultSetHeader } from 'mysql2/promise'
import { obtainServer } from '../../../src/sandbox/index.js'
import type { AdminClient, Answer, Cell, Value } from './ask.js'

/** Where and as whom the admin port is asked. */
export interface AdminLogin {
  readonly port: number
  readonly user: string
  readonly password: string
}

const VAR_STRING = 253

/**
 * mysql2, in text or by prepared statements only. In text, values are written into the statement here: mysql2 would put
 * backslashes before quotes, which mean nothing to SQLite, also in ProxySQL.
 */
export async function mysql2Client(login: AdminLogin, method: 'query' | 'execute'): Promise<AdminClient> {
  const connection = await createConnection({ host: '127.0.0.1', ...login, rowsAsArray: true })
  return {
    name: `mysql2 ${method}`,
    run: async (sql, values) => {
      try {
        const [result, fields] =
          method === 'query'
            ? await connection.query(interpolate(sql, values))
            : await connection.execute(sql, [...values])
        if (!Array.isArray(result)) {
          const { affectedRows, insertId } = result as ResultSetHeader
          return { rows: [], affected: affectedRows, insertId, error: 0, message: '' }
        }
        const otherTypes = fields.map((field) => field.columnType).filter((type) => type !== VAR_STRING)
        const columns = fields.map(({ name }) => name)
        return {
          columns,
          otherTypes: otherTypes.map(String),
          rows: result as unknown as Cell[][],
          error: 0,
          message: '',
        }
      } catch (error) {
        const { errno, message } = error as { errno?: number; message: string }
        if (errno === undefined) throw error
        return { rows: [], error: errno, message }
      }
    },
    close: () => connection.end(),
  }
}

/** The command line `mysql`, one process for each statement, as scripts call it; values are written into the text. */
export async function commandLineClient({ port, user, password }: AdminLogin): Promise<AdminClient> {
  const [program, ...before] = (await obtainServer({ engine: 'mysql' })).client ?? ['mysql']
  const login = ['--no-defaults', '-h127.0.0.1', `-P${port}`, `-u${user}`, '--get-server-public-key']
  const env = { ...process.env, MYSQL_PWD: password }
  const run = (args: readonly string[]) =>
    new Promise<{ stdout: string; stderr: string }>((resolve) => {
      const all = [...before, ...login, ...args]
      execFile(program, all, { env, timeout: 30_000, maxBuffer: 64 << 20 }, (_error, stdout, stderr) =>
        resolve({ stdout, stderr }),
      )
    })
  return {
    name: 'mysql command line',
    run: async (sql, values) => {
      const { stdout, stderr } = await run(['--xml', '-vvv', '-e', interpolate(sql, values)])
      const failure = /^ERROR (\d+) .*?: (.*)$/m.exec(stderr)
      if (failure !== null) return { rows: [], error: Number(failure[1]), message: failure[2] }
      return parseXml(stdout)
    },
    close: async () => {},
  }
}

function interpolate(sql: string, values: readonly Value[]): string {
  const rest = [...values]
  const text = (value: Value) =>
    typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value ?? 'NULL')
  return values.length === 0 ? sql : sql.replaceAll('?', () => text(rest.shift() ?? null))
}

function parseXml(output: string): Answer {
  const affected = /^Query OK, (\d+) rows? affected/m.exec(output)
  if (affected !== null) return { rows: [], affected: Number(affected[1]), error: 0, message: '' }
  const rows = [...output.matchAll(/<row>(.*?)<\/row>/gs)].map(([, row]) =>
    [...row.matchAll(/<field name="([^"]*)"(?: xsi:nil="true" \/>|>(.*?)<\/field>)/gs)].map(
      ([, name, value]): [string, Cell] => [decodeEntities(name), value === undefined ? null : decodeEntities(value)],
    ),
  )
  const cells = rows.map((row) => row.map(([, value]) => value))
  const columns = rows[0]?.map(([name]) => name)
  return { ...(columns === undefined ? {} : { columns }), rows: cells, error: 0, message: '' }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' }

function decodeEntities(text: string): string {
  return text.replace(/&(lt|gt|amp|quot);/g, (_all, name: string) => ENTITIES[name])
}

/**
 * A client in another language: a program that takes `{ sql, values }` as a line of JSON and answers with a line of JSON, an
 * {@link Answer}. It is told of the port by ADMIN_PORT, ADMIN_USER and ADMIN_PASSWORD.
 */
export class ScriptClient implements AdminClient {
  readonly name: string
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #waiting: ((line: string) => void)[] = []
  #said = ''

  constructor(name: string, command: readonly string[], env: NodeJS.ProcessEnv, login: AdminLogin) {
    this.name = name
    const [program, ...args] = command
    const own = { ADMIN_PORT: String(login.port), ADMIN_USER: login.user, ADMIN_PASSWORD: login.password }
    this.#child = spawn(program, args, { env: { ...env, ...own }, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4000)
    })
    this.#child.stdin!.on('error', () => {}) // it has ended; the line that is waited for says so
    this.#lines = createInterface({ input: this.#child.stdout! })
    this.#lines.on('line', (line) => this.#waiting.shift()?.(line))
    this.#lines.on('close', () => {
      for (const resolve of this.#waiting.splice(0)) resolve('')
    })
  }

  async run(sql: string, values: readonly Value[]): Promise<Answer> {
    const line = new Promise<string>((resolve) => this.#waiting.push(resolve))
    this.#child.stdin!.write(`${JSON.stringify({ sql, values })}\n`)
    const answer = await line
    if (answer === '') throw new Error(`${this.name} ended: ${this.#said}`)
    return JSON.parse(answer) as Answer
  }

  async close(): Promise<void> {
    this.#child.stdin!.end()
    this.#child.kill()
  }
}
