import type { Connection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { workerOfSession } from '../../../src/shared/ipc.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, running, until } from './observe.js'

const SLOW = { timeout: 60_000 }
const CLIENTS_MAX = 200

describe.each<Engine>(['mysql', 'mariadb'])('two workers that share the connections to %s', (engine) => {
  let cluster: Cluster
  let database: string
  const account = (max: number) => ({ user: `few${max}_${process.pid}_${engine}`, password: 'few' })

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    const run = (sql: string) => cluster.execute(cluster.primary, sql)
    await run(`CREATE TABLE ${database}.t (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0)`)
    await run(`INSERT INTO ${database}.t (id) VALUES (1), (2), (3), (4)`)
    for (const max of [1, 3]) {
      const { user, password } = account(max)
      // The server itself refuses the first connection that is too many, however short.
      await run(`CREATE USER ${user} IDENTIFIED BY '${password}' WITH MAX_USER_CONNECTIONS ${max}`)
      await run(`GRANT ALL ON ${database}.* TO ${user}`)
    }
    await cluster.waitForReplicas()
  })

  async function start(max: number): Promise<RunningProxy> {
    const { user: name, password } = account(max)
    return await startProxy(cluster, {
      workers: 2,
      servers: cluster.servers.map((server) => serverConfig(server, { max_connections: max })),
      users: [{ name, password }],
      limits: { connect_timeout_server_max: 10_000 },
    })
  }

  /** Connects until each worker has enough sessions, wherever the kernel puts them. @returns those of worker 1 and of worker 2 */
  async function clientsOf(proxy: RunningProxy, max: number, least: number): Promise<[Connection[], Connection[]]> {
    const found: [Connection[], Connection[]] = [[], []]
    for (let i = 0; i < CLIENTS_MAX && found.some(({ length }) => length < least); i++) {
      const client = await proxy.connect({ ...account(max), database })
      found[workerOfSession(client.threadId) - 1].push(client)
    }
    expect(found.map(({ length }) => length >= least)).toEqual([true, true])
    return found
  }

  /** Logins that the server has refused. */
  async function refused(proxy: RunningProxy): Promise<number> {
    const rows = await admin(proxy, 'SELECT ConnERR FROM stats_mysql_connection_pool')
    return rows.reduce((sum, row) => sum + Number(row['ConnERR']), 0)
  }

  const onPrimary = (max: number) => running(cluster, cluster.primary, '', account(max).user)

  it(
    'a worker has them all where the other one needs none, and never more; then the other one does',
    SLOW,
    async () => {
      const proxy = await start(3)
      const sessions = await clientsOf(proxy, 3, 4)
      for (const clients of [...sessions, ...sessions]) {
        // Three transactions have a connection each; the fourth client's waits for the first of them to end.
        for (const [at, client] of clients.slice(0, 3).entries()) {
          await client.query('BEGIN')
          await client.query(`UPDATE t SET n = n + 1 WHERE id = ${at + 1}`)
        }
        expect(await onPrimary(3)).toBe(3)
        const fourth = clients[3].query('UPDATE t SET n = n + 1 WHERE id = 4')
        await clients[0].query('COMMIT')
        await fourth
        await clients[1].query('COMMIT')
        await clients[2].query('ROLLBACK')
      }
      // All of them at once, writing and reading.
      const busy = sessions.flat().map(async (client, at) => {
        for (let i = 0; i < 20; i++) {
          await client.query(`UPDATE t SET n = n + 1 WHERE id = ${(at % 4) + 1}`)
          await client.query('SELECT COUNT(*) FROM t')
        }
      })
      await Promise.all(busy)
      await until('no more than three', async () => (await onPrimary(3)) <= 3)
      expect(await refused(proxy)).toBe(0)
    },
  )

  it('both serve where there is only one', SLOW, async () => {
    const proxy = await start(1)
    const sessions = await clientsOf(proxy, 1, 2)
    const done = [0, 0]
    const enough = (): boolean => done.every((count) => count >= 40)
    const busy = sessions.flatMap((clients, worker) =>
      clients.slice(0, 2).map(async (client) => {
        while (!enough()) {
          await client.query(`UPDATE t SET n = n + 1 WHERE id = ${worker + 1}`)
          done[worker]++
        }
      }),
    )
    await Promise.all(busy)
    expect(await refused(proxy)).toBe(0)
  })
})
