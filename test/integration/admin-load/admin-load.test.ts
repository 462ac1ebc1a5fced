import { randomInt } from 'node:crypto'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { Random } from '../../fuzz/random.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { type Change, Changes, SECTIONS, type Section, type Statement } from './changes.js'
import { COUNTERS, LoadClient, ROWS } from './clients.js'

/** SLUICE_ADMIN_CHANGES: changes in a row on each engine; SLUICE_ADMIN_SEED repeats a run's changes. */
const changesOn = (engine: Engine) => Number(process.env['SLUICE_ADMIN_CHANGES'] ?? (engine === 'mysql' ? 1_000 : 300))
const SEED = process.env['SLUICE_ADMIN_SEED'] ?? String(randomInt(2 ** 31))
const CLIENTS = 64
const USER = 'admin_load'
const PASSWORD = 'load'
const SETTLE_MS = 20_000

it.each<[Engine, number]>([
  ['mysql', changesOn('mysql')],
  ['mariadb', changesOn('mariadb')],
])(
  `${CLIENTS} clients of %s notice nothing of %i changes to the configuration, seed ${SEED}`,
  {
    timeout: 720_000,
  },
  async (engine, changeCount) => {
    const cluster = await sharedCluster(engine)
    const database = await fill(cluster)
    const proxy = await startProxy(cluster, {
      workers: 2,
      users: [{ name: USER, password: PASSWORD }],
      // With both replicas away all of it comes to the primary, on a busy machine.
      limits: { connect_timeout_server_max: 60_000 },
    })
    const admin = await createConnection({ host: '127.0.0.1', port: proxy.adminPort, user: 'admin', password: 'admin' })
    const changes = new Changes(new Random(SEED), {
      user: USER,
      password: PASSWORD,
      primary: cluster.primary.port,
      replicas: cluster.replicas.map(({ port }) => port),
    })

    const clients = Array.from({ length: CLIENTS }, (_, number) => {
      const login = { host: '127.0.0.1', port: proxy.port, user: USER, password: PASSWORD, database }
      return new LoadClient(number, SEED, () => createConnection(login))
    })
    let working = true
    const work = Promise.all(clients.map((client) => client.run(() => working)))
    const operator = new Operator(admin)
    try {
      for (let count = 0; count < changeCount; count++) {
        await operator.make(changes.next())
        const failures = clients.flatMap((client) => client.failures)
        const logged = failures.length === 0 ? '' : errorsOf(proxy)
        expect(failures, `after ${count + 1} changes, seed ${SEED}: ${operator.last}${logged}`).toEqual([])
      }
      for (const sql of changes.restore()) await admin.query(sql)
    } finally {
      working = false
      await work
    }
    expect(clients.flatMap((client) => client.failures)).toEqual([])
    expect(Math.min(...clients.map(({ rounds }) => rounds))).toBeGreaterThan(0)
    expect(operator.refusals).toBeGreaterThan(0)

    await expectEveryIncrement(cluster, database, clients)
    await expectLoaded(admin)
    await expectNoLeak(cluster, proxy, admin)
    await admin.end()
  },
)

/** What the proxy has logged as errors: what clients were told may be in its log alone. */
function errorsOf(proxy: RunningProxy): string {
  const errors = proxy.log().filter(({ level }) => Number(level) >= 50)
  return errors.map((line) => `\n${JSON.stringify(line)}`).join('')
}

async function fill(cluster: Cluster): Promise<string> {
  const database = await createDatabase(cluster)
  const run = (sql: string) => cluster.execute(cluster.primary, sql)
  const list = (count: number, row: (id: number) => string) =>
    Array.from({ length: count }, (_, at) => row(at + 1)).join()
  await run(`CREATE TABLE ${database}.texts (id INT PRIMARY KEY, text VARCHAR(20) NOT NULL)`)
  await run(`CREATE TABLE ${database}.counters (id INT PRIMARY KEY, n INT NOT NULL)`)
  await run(`CREATE TABLE ${database}.notes (client INT PRIMARY KEY, mark VARCHAR(30) NOT NULL)`)
  await run(`INSERT INTO ${database}.texts VALUES ${list(ROWS, (id) => `(${id}, 'text-${id}')`)}`)
  await run(`INSERT INTO ${database}.counters VALUES ${list(COUNTERS, (id) => `(${id}, 0)`)}`)
  await run(`CREATE USER IF NOT EXISTS ${USER}@'%' IDENTIFIED BY '${PASSWORD}'`)
  await run(`GRANT ALL ON ${database}.* TO ${USER}@'%'`)
  await cluster.waitForReplicas()
  return database
}

/** Makes changes at the admin port, and knows after each of them what has to be in force. */
class Operator {
  readonly #admin: Connection
  /** Statements of the change that was made last. */
  last = ''
  /** LOADs that were refused, as they had to be. */
  refusals = 0

  constructor(admin: Connection) {
    this.#admin = admin
  }

  async make({ statements, load, refused = false, undo = [] }: Change): Promise<void> {
    this.last = JSON.stringify({ statements, load })
    for (const statement of statements) await this.#send(statement)
    if (load !== null) await this.#load(load, refused)
    for (const sql of undo) await this.#send(sql)
  }

  async #send(statement: Statement): Promise<void> {
    const { sql, error } = typeof statement === 'string' ? { sql: statement, error: 0 } : statement
    const { errno, message } = await this.#errorOf(sql)
    expect(errno, `${sql}: ${message}`).toBe(error)
  }

  async #load(section: Section, refused: boolean): Promise<void> {
    const before = await checksumOf(this.#admin, section, 'runtime')
    await this.#send({ sql: `LOAD ${section} TO RUNTIME`, error: refused ? 1105 : 0 })
    const after = await checksumOf(this.#admin, section, 'runtime')
    expect({ change: this.last, after }).toEqual({
      change: this.last,
      after: refused ? before : await checksumOf(this.#admin, section, 'memory'),
    })
    if (refused) this.refusals++
  }

  async #errorOf(sql: string): Promise<{ errno: number; message: string }> {
    return this.#admin.query(sql).then(
      () => ({ errno: 0, message: 'no error' }),
      (error) => error,
    )
  }
}

async function checksumOf(admin: Connection, section: Section, layer: 'runtime' | 'memory'): Promise<string> {
  const name = section.toLowerCase().replaceAll(' ', '_')
  const sql =
    layer === 'memory'
      ? `CHECKSUM MEMORY ${section}`
      : `SELECT checksum FROM runtime_checksums_values WHERE name = '${name}'`
  const [rows] = await admin.query<RowDataPacket[]>(sql)
  return rows[0]['checksum'] as string
}

/** Nothing was lost, and nothing was executed twice. */
async function expectEveryIncrement(cluster: Cluster, database: string, clients: readonly LoadClient[]): Promise<void> {
  const sum = (of: (client: LoadClient) => number) => clients.reduce((total, client) => total + of(client), 0)
  const [{ total }] = await cluster.execute<{ total: string }[]>(
    cluster.primary,
    `SELECT SUM(n) AS total FROM ${database}.counters`,
  )
  const certain = sum(({ counted }) => counted)
  expect(Number(total)).toBeGreaterThanOrEqual(certain)
  expect(Number(total)).toBeLessThanOrEqual(certain + sum(({ unknown }) => unknown))
  expect(certain).toBeGreaterThan(0)
}

/** Runtime is what was loaded last, table by table; servers are where the monitor has them, which is where they belong. */
async function expectLoaded(admin: Connection): Promise<void> {
  for (const table of ['mysql_users', 'mysql_query_rules', 'mysql_servers', 'mysql_replication_hostgroups']) {
    await expect
      .poll(async () => (await admin.query(`SELECT * FROM runtime_${table} ORDER BY 1, 2, 3`))[0], {
        timeout: SETTLE_MS,
      })
      .toEqual((await admin.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3`))[0])
  }
  // Where no server_version is set, runtime shows the one that was learned from the servers.
  const variables = "WHERE variable_name LIKE 'mysql-%' AND variable_name <> 'mysql-server_version' ORDER BY 1"
  const [memory] = await admin.query(`SELECT * FROM global_variables ${variables}`)
  const [runtime] = await admin.query(`SELECT * FROM runtime_global_variables ${variables}`)
  expect(runtime).toEqual(memory)
  for (const section of SECTIONS) {
    expect(await checksumOf(admin, section, 'runtime')).toBe(await checksumOf(admin, section, 'memory'))
  }
}

/** When all clients have left, each server has exactly the connections that the pool counts, and none is in use. */
async function expectNoLeak(cluster: Cluster, proxy: RunningProxy, admin: Connection): Promise<void> {
  const roots = await Promise.all(cluster.servers.map((server) => createConnection(server.root())))
  const count = async () => {
    const [pool] = await admin.query<RowDataPacket[]>(
      'SELECT srv_port AS port, ConnUsed AS used, ConnFree AS free FROM stats_mysql_connection_pool',
    )
    const [sessions] = await admin.query<RowDataPacket[]>('SELECT * FROM stats_mysql_processlist')
    const onServers = roots.map(async (root, at) => {
      const sql = 'SELECT COUNT(*) AS n FROM information_schema.processlist WHERE user = ?'
      const [rows] = await root.query<RowDataPacket[]>(sql, [USER])
      return { port: String(cluster.servers[at].port), used: '0', free: String(rows[0]['n']) }
    })
    return { sessions: sessions.length, pool: byPort(pool), servers: byPort(await Promise.all(onServers)) }
  }
  await expect
    .poll(
      async () => {
        const { sessions, pool, servers } = await count()
        return { sessions, pool, agree: JSON.stringify(pool) === JSON.stringify(servers), servers }
      },
      { timeout: SETTLE_MS },
    )
    .toMatchObject({ sessions: 0, agree: true })
  expect(await proxy.metrics()).toMatch(/sluice_invariant_errors_total 0/)
  await Promise.all(roots.map((root) => root.end()))
}

function byPort(rows: readonly Record<string, unknown>[]) {
  return [...rows].sort((a, b) => Number(a['port']) - Number(b['port']))
}
