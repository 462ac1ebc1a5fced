import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { freePorts } from '../../../src/sandbox/ports.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, startProxy } from '../../helpers/proxy.js'
import type { Target } from './mysqltest.js'

export interface FixtureOptions {
  readonly replicas: number
  readonly serverOptions: readonly string[]
  /** Keys of Sluice's configuration. */
  config?(cluster: Cluster): ConfigOverrides
  /** Makes what stays, once, after the servers' start. */
  prepare?(root: Connection): Promise<void>
}

const SYSTEM_DATABASES = ['mysql', 'sys', 'information_schema', 'performance_schema', 'mtr']

/** Seconds that making all anew may wait for what a test has left locked. */
const LOCK_WAIT_S = 10
const CATCH_UP_MS = 20_000

/** Servers with Sluice in front, brought back to the same state before every run of a file. */
export class Fixture {
  readonly direct: Target
  readonly through: Target
  readonly varDir: string
  readonly #cluster: Cluster
  readonly #proxy: RunningProxy
  readonly #root: Connection
  readonly #folder: string
  #accounts = ''
  #variables = new Map<string, string>()

  private constructor(cluster: Cluster, proxy: RunningProxy, root: Connection, folder: string, through: Target) {
    this.#cluster = cluster
    this.#proxy = proxy
    this.#root = root
    this.#folder = folder
    this.varDir = cluster.dir
    this.direct = { port: cluster.primary.port, socket: cluster.primary.socket }
    this.through = through
  }

  static async start(engine: Engine, options: FixtureOptions): Promise<Fixture> {
    const { replicas, serverOptions } = options
    const cluster = await ownCluster(engine, { replicas, serverOptions })
    const folder = mkdtempSync(join(tmpdir(), 'sluice-suite-'))
    const socket = join(folder, 'sluice.sock')
    const [port] = await freePorts(1)
    const proxy = await startProxy(cluster, {
      ...options.config?.(cluster),
      listen: [`127.0.0.1:${port}`, `unix:${socket}`],
      users: [],
    })
    const root = await createConnection({ ...cluster.primary.root(), multipleStatements: true })
    root.on('error', () => {}) // the next statement on it says so
    const fixture = new Fixture(cluster, proxy, root, folder, { port, socket })
    await root.query(`SET SESSION lock_wait_timeout = ${LOCK_WAIT_S}`)
    await options.prepare?.(root)
    await fixture.#remember()
    return fixture
  }

  /** What differs between the two ways to the server, or between two runs of the tests, and is not of interest. */
  normalise(output: string, target: Target): string {
    return output
      .replaceAll(target.socket, '<socket>')
      .replaceAll(this.direct.socket, '<socket>')
      .replace(new RegExp(`\\b(${target.port}|${this.direct.port})\\b`, 'g'), '<port>')
  }

  /**
   * Everything as after the start: databases, accounts, global variables; then the statements are executed, and replicas have all.
   * @throws Error when that is not possible; then a new fixture is needed
   */
  async reset(statements: readonly string[] = ['CREATE DATABASE test']): Promise<void> {
    await this.#restoreVariables()
    const names = await this.#column('SELECT SCHEMA_NAME FROM information_schema.SCHEMATA')
    for (const name of names.filter((name) => !SYSTEM_DATABASES.includes(name.toLowerCase()))) {
      await this.#root.query(`DROP DATABASE \`${name.replaceAll('`', '``')}\``)
    }
    await this.#restoreAccounts()
    for (const statement of statements) await this.#root.query(statement)
    await this.#cluster.waitForReplicas(CATCH_UP_MS)
  }

  async end(): Promise<void> {
    this.#root.destroy()
    await this.#proxy.stop()
    await this.#cluster.down()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  log(): Record<string, unknown>[] {
    return this.#proxy.log()
  }

  async #remember(): Promise<void> {
    this.#accounts = await this.#accountRows()
    this.#variables = await this.#globalVariables()
  }

  async #restoreVariables(): Promise<void> {
    for (const [name, value] of await this.#globalVariables()) {
      const wanted = this.#variables.get(name)
      if (wanted === undefined || wanted === value) continue
      const literal = /^-?\d+(\.\d+)?$/.test(wanted) ? wanted : this.#root.escape(wanted)
      await this.#root.query(`SET GLOBAL ${name} = ${literal}`).catch(() => {}) // it is one that nobody can set
    }
  }

  async #globalVariables(): Promise<Map<string, string>> {
    const [rows] = await this.#root.query<RowDataPacket[]>('SHOW GLOBAL VARIABLES')
    return new Map(
      rows
        .filter((row) => !/gtid|^timestamp$/.test(row['Variable_name']))
        .map((row) => [row['Variable_name'], row['Value']]),
    )
  }

  async #restoreAccounts(): Promise<void> {
    if ((await this.#accountRows()) === this.#accounts) return
    const kept = new Set(
      (JSON.parse(this.#accounts) as { User: string; Host: string }[]).map(({ User, Host }) => `${User}@${Host}`),
    )
    for (const { User, Host } of JSON.parse(await this.#accountRows()) as { User: string; Host: string }[]) {
      if (kept.has(`${User}@${Host}`)) continue
      const isRole = this.#cluster.engine === 'mariadb' && Host === ''
      await this.#root.query(isRole ? 'DROP ROLE ?' : 'DROP USER ?@?', isRole ? [User] : [User, Host])
    }
    await this.#root.query('FLUSH PRIVILEGES')
    if ((await this.#accountRows()) !== this.#accounts) throw new Error('the accounts have been changed')
  }

  async #accountRows(): Promise<string> {
    const [rows] = await this.#root.query('SELECT * FROM mysql.user ORDER BY User, Host')
    return JSON.stringify(rows)
  }

  async #column(sql: string): Promise<string[]> {
    const [rows] = await this.#root.query<RowDataPacket[]>(sql)
    return rows.map((row) => String(Object.values(row)[0]))
  }
}
