import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { Random } from '../../fuzz/random.js'
import { createDatabase, ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { RawClient } from '../../helpers/raw-client.js'

/** SLUICE_MANY_ROUNDS: how often each client does its statements. */
const ROUNDS = Number(process.env['SLUICE_MANY_ROUNDS'] ?? 1)
const CLIENTS = 5_000
/** Of each server over both workers: 48 of three servers. */
const SERVER_CONNECTIONS = 16
const SERVER_CONNECTIONS_SUM_MAX = 50
/** The monitor's, the test's own, and those whose end a server has not noticed yet. */
const OTHER_CONNECTIONS_MAX = 8
const LOGINS_AT_ONCE = 64
/** Ten for each server connection; all of them at once would only wait for longer. */
const ACTIVE_AT_ONCE = 500
const ROWS = 1_000
const COUNTERS = 50
const SAMPLE_MS = 50
const APP = 'app'

describe.each<Engine>(['mysql', 'mariadb'])('5,000 clients of %s over at most 50 server connections', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string
  const clients: RawClient[] = []

  beforeAll(async () => {
    cluster = await ownCluster(engine)
    database = await createDatabase(cluster)
    const run = (sql: string) => cluster.execute(cluster.primary, sql)
    await run(`CREATE TABLE ${database}.texts (id INT PRIMARY KEY, text VARCHAR(30) NOT NULL)`)
    await run(`CREATE TABLE ${database}.counters (id INT PRIMARY KEY, n INT NOT NULL)`)
    await run(`CREATE TABLE ${database}.notes (client INT NOT NULL, mark VARCHAR(30) NOT NULL, KEY (client))`)
    const list = (count: number, tuple: (id: number) => string) =>
      Array.from({ length: count }, (_, index) => tuple(index + 1)).join(', ')
    await run(`INSERT INTO ${database}.texts VALUES ${list(ROWS, (id) => `(${id}, 'text-${id}-')`)}`)
    await run(`INSERT INTO ${database}.counters VALUES ${list(COUNTERS, (id) => `(${id}, 0)`)}`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, {
      workers: 2,
      servers: cluster.servers.map((server) => serverConfig(server, { max_connections: SERVER_CONNECTIONS })),
      // Many ask at the same time here, so the last one waits for long on a busy machine. Each worker has its share of the limit
      // for clients, and not as many clients as the other one.
      limits: { connect_timeout_server_max: 60_000, max_connections: 2 * CLIENTS + 100 },
    })
  })

  /** The answer to a statement, which must hold `wanted`. */
  async function ask(client: RawClient, sql: string, ...wanted: string[]): Promise<void> {
    const answer = await client.query(sql)
    if (client.facts.errno !== 0) throw new Error(`${sql}: ${answer.toString('latin1', 13)}`)
    const missing = wanted.filter((text) => !answer.includes(text))
    if (missing.length > 0) throw new Error(`${sql}: no ${missing} in ${JSON.stringify(answer.toString('latin1'))}`)
  }

  /** A mixed handful of statements, all of whose answers carry the client's mark. @returns how often it has counted */
  async function work(client: RawClient, number: number, random: Random): Promise<number> {
    const mark = `mark-${number}-${random.u32()}-`
    let counted = 0
    await ask(client, `SET @mark = '${mark}'`)
    const select = async () => {
      const id = 1 + random.below(ROWS)
      await ask(client, `SELECT '${mark}', text FROM ${database}.texts WHERE id = ${id}`, mark, `text-${id}-`)
    }
    await select()
    if (random.once(2)) {
      await ask(client, `UPDATE ${database}.counters SET n = n + 1 WHERE id = ${1 + random.below(COUNTERS)}`)
      counted++
    }
    if (random.once(3)) {
      await ask(client, 'BEGIN')
      await ask(client, `INSERT INTO ${database}.notes VALUES (${number}, '${mark}')`)
      await ask(client, `SELECT mark FROM ${database}.notes WHERE client = ${number} AND mark = '${mark}'`, mark)
      await ask(client, 'COMMIT')
    }
    await select()
    await ask(client, 'SELECT @mark', mark)
    return counted
  }

  it('get all their own answers, and no server ever has more connections than it may', {
    timeout: 120_000,
  }, async () => {
    const watchers = await Promise.all(cluster.servers.map((server) => Watcher.on(server)))
    for (let missing = CLIENTS; missing > 0; missing -= LOGINS_AT_ONCE) {
      const logins = Array.from({ length: Math.min(missing, LOGINS_AT_ONCE) }, () =>
        RawClient.connect({ port: proxy.port }),
      )
      clients.push(...(await Promise.all(logins)))
    }
    const failures: string[] = []
    let counted = 0
    const workAll = async (client: RawClient, number: number): Promise<void> => {
      const random = new Random(`many ${number}`)
      try {
        for (let round = 0; round < ROUNDS; round++) {
          const more = await work(client, number, random)
          counted += more
        }
      } catch (error) {
        failures.push((error as Error).message)
      }
    }
    const waiting = [...clients.entries()]
    const workNext = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await workAll(next[1], next[0])
    }
    await Promise.all(Array.from({ length: ACTIVE_AT_ONCE }, workNext))
    const usage = await Promise.all(watchers.map((watcher) => watcher.stop()))
    expect(failures.slice(0, 5), `${failures.length} clients failed`).toEqual([])

    const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
    for (const { most, mostOfAll, othersBefore } of usage) {
      expect(most).toBeLessThanOrEqual(SERVER_CONNECTIONS)
      expect(mostOfAll - othersBefore).toBeLessThanOrEqual(SERVER_CONNECTIONS + OTHER_CONNECTIONS_MAX)
    }
    expect(sum(usage.map(({ most }) => most))).toBeLessThanOrEqual(SERVER_CONNECTIONS_SUM_MAX)
    const [row] = await cluster.execute(cluster.primary, `SELECT SUM(n) AS n FROM ${database}.counters`)
    expect(Number(row['n'])).toBe(counted)
    await Promise.all(clients.map((client) => client.close()))
  })
})

/** Watches how many connections a server has: those of the application now and again, all of them without a gap. */
class Watcher {
  readonly #connection: Connection
  readonly #othersBefore: number
  #most = 0
  #isStopped = false
  readonly #sampling: Promise<void>

  private constructor(connection: Connection, othersBefore: number) {
    this.#connection = connection
    this.#othersBefore = othersBefore
    this.#sampling = this.#sample()
    this.#sampling.catch(() => {}) // told by stop(), if the test comes to that
  }

  static async on(server: SandboxServer): Promise<Watcher> {
    const connection = await createConnection(server.root())
    await connection.query('FLUSH STATUS') // Max_used_connections begins at what there is now
    return new Watcher(connection, await statusOf(connection, 'Threads_connected'))
  }

  async stop(): Promise<{ most: number; mostOfAll: number; othersBefore: number }> {
    this.#isStopped = true
    await this.#sampling
    const mostOfAll = await statusOf(this.#connection, 'Max_used_connections')
    await this.#connection.end()
    return { most: this.#most, mostOfAll, othersBefore: this.#othersBefore }
  }

  async #sample(): Promise<void> {
    while (!this.#isStopped) {
      const sql = 'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = ?'
      const [[row]] = await this.#connection.query<RowDataPacket[]>(sql, [APP])
      this.#most = Math.max(this.#most, Number(row['n']))
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
    }
  }
}

async function statusOf(connection: Connection, name: string): Promise<number> {
  const [[row]] = await connection.query<RowDataPacket[]>(`SHOW GLOBAL STATUS LIKE '${name}'`)
  return Number(row['Value'])
}
