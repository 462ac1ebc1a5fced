import type { Connection } from 'mysql2/promise'
import { describe, expect, it } from 'vitest'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { startProxy } from '../../helpers/proxy.js'
import { admin, until, value } from './observe.js'

const CLIENTS = 24
/** A digest is believed to be short after it was seen four times. */
const WARM_UP = 5

/** Connections that were opened to the replicas, by the proxy's own count. */
async function opened(proxy: Parameters<typeof admin>[0]): Promise<number> {
  const [row] = await admin(proxy, 'SELECT SUM(ConnOK) AS n FROM stats_mysql_connection_pool WHERE hostgroup = 1')
  return Number(row['n'])
}

describe.each(['mysql', 'mariadb'] as const)('short reads of several sessions on one connection of %s', (engine) => {
  it('each get their own answers, over few connections', async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 10), (2, 20), (3, 30)`)
    await cluster.waitForReplicas()
    const proxy = await startProxy(cluster, { limits: { pipeline_depth: 16, pipeline_query_time: 1000 } })
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.connect({ database })))
    for (let i = 0; i < WARM_UP; i++) await value(clients[0], 'SELECT v + 7 AS mark FROM t WHERE id = 1')
    const before = await opened(proxy)
    const ask = async (client: Connection, own: number): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        const mark = own * 1000 + round
        expect(await value(client, `SELECT v + ${mark} AS mark FROM t WHERE id = ${1 + (round % 3)}`)).toBe(
          10 * (1 + (round % 3)) + mark,
        )
      }
    }
    await Promise.all(clients.map(ask))
    // Not one for each client that asks at the same time.
    expect((await opened(proxy)) - before).toBeLessThan(CLIENTS / 2)
  })

  it('do not wait for one that takes long', async () => {
    const cluster = await sharedCluster(engine)
    const proxy = await startProxy(cluster, { limits: { pipeline_depth: 16, pipeline_query_time: 60_000 } })
    const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.connect()))
    // Slow and quick ones have one digest.
    for (let i = 0; i < WARM_UP; i++) await value(clients[0], 'SELECT SLEEP(0)')
    const slow = value(clients[0], 'SELECT SLEEP(3)')
    await until('the slow one to run', async () => {
      const rows = await Promise.all(
        cluster.replicas.map((replica) =>
          cluster.execute<{ info: string | null }[]>(replica, 'SELECT info FROM information_schema.processlist'),
        ),
      )
      return rows.flat().some((row) => Object.values(row)[0]?.toString().includes('SLEEP(3)'))
    })
    const startedAt = performance.now()
    await Promise.all(clients.slice(1).map((client) => value(client, 'SELECT SLEEP(0)')))
    expect(performance.now() - startedAt).toBeLessThan(2_500)
    expect(await slow).toBe(0)
  })

  it('leave those on their own connection that ask for what it alone has', async () => {
    const cluster = await sharedCluster(engine)
    const proxy = await startProxy(cluster, { limits: { pipeline_depth: 16, pipeline_query_time: 60_000 } })
    const [client, other] = [await proxy.connect(), await proxy.connect()]
    await client.query("SET @w = 'word'")
    await client.query('SELECT 42 INTO @d')
    for (let i = 0; i < WARM_UP; i++) expect(await value(client, 'SELECT @d')).toBe(42)
    // An idle connection to the primary that has all that can be told of the first one's state.
    await other.query("SET @w = 'word'")
    for (let i = 0; i < WARM_UP; i++) expect(await value(client, 'SELECT @d')).toBe(42)
  })

  it('leave those on their own connection that begin a transaction', async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 10)`)
    const proxy = await startProxy(cluster, { limits: { pipeline_depth: 16, pipeline_query_time: 60_000 } })
    const clients = await Promise.all(Array.from({ length: 3 }, () => proxy.connect({ database })))
    for (let i = 0; i < WARM_UP; i++) await value(clients[0], 'SELECT v FROM t')
    for (const client of clients) await client.query('SET autocommit = 0')
    for (const client of clients) expect(await value(client, 'SELECT v FROM t')).toBe(10)
    await clients[0].query('UPDATE t SET v = 11')
    await clients[0].query('COMMIT')
    expect(await Promise.all(clients.map((client) => value(client, 'SELECT v FROM t')))).toEqual([11, 10, 10])
  })
})
