import type { Connection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, until, value } from './observe.js'

const ATTRIBUTES = 'mysql_hostgroup_attributes'
/** For statements that are to wait for nothing long. */
const WAIT_MS = 1000

async function load(proxy: RunningProxy, ...changes: string[]): Promise<void> {
  for (const sql of [...changes, 'LOAD MYSQL SERVERS TO RUNTIME']) await admin(proxy, sql)
}

describe.each<Engine>(['mysql', 'mariadb'])('attributes of hostgroups in front of %s', (engine) => {
  let cluster: Cluster
  let database: string
  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT)`)
    await cluster.waitForReplicas()
  })

  const serversOf = (max: number) => cluster.servers.map((server) => serverConfig(server, { max_connections: max }))
  const portOf = (client: Connection, hint: string) => value(client, `SELECT /* sluice: ${hint} */ @@port`)
  const where = async (proxy: RunningProxy, what: string) =>
    (await admin(proxy, `SHOW EVENTS WHERE kind = 'topology' AND what = '${what}'`)).map((row) => row['why'])

  it('max_num_online_servers: with more servers ONLINE it gets nothing new, and transactions go on', async () => {
    const limits = { connect_timeout_server_max: WAIT_MS }
    const proxy = await startProxy(cluster, { servers: serversOf(10), limits })
    const [client, inTransaction] = [await proxy.connect({ database }), await proxy.connect({ database })]
    await inTransaction.query('START TRANSACTION READ ONLY')
    const replica = await value(inTransaction, 'SELECT @@port')
    expect(replica).not.toBe(cluster.primary.port)

    await load(proxy, `INSERT INTO ${ATTRIBUTES} (hostgroup_id, max_num_online_servers) VALUES (1, 1)`)
    const refused = await rejection(portOf(client, 'hostgroup=1'))
    expect(refused.errno).toBe(9001)
    expect(refused.message).toContain('2 servers are ONLINE there, max_num_online_servers is 1')
    expect(await portOf(client, 'consistency=eventual')).toBe(cluster.primary.port)
    expect(await value(inTransaction, 'SELECT @@port')).toBe(replica)
    await inTransaction.query('COMMIT')
    const [route] = await admin(proxy, 'EXPLAIN ROUTE SELECT /* sluice: hostgroup=1 */ 1')
    expect(route['reason']).toContain('max_num_online_servers')
    expect(await where(proxy, 'hostgroup 1 is not used')).toHaveLength(1)

    const other = cluster.servers.find(({ role, port }) => role === 'replica' && port !== replica)!
    await load(proxy, `UPDATE mysql_servers SET status = 'OFFLINE_SOFT' WHERE port = ${other.port}`)
    expect(await portOf(client, 'hostgroup=1')).toBe(replica)
    expect(await where(proxy, 'hostgroup 1 is used again')).toHaveLength(1)
    await proxy.stop()
  })

  it('free_connections_pct and connection_warming: idle connections are opened ahead in that hostgroup alone', async () => {
    const hostgroup_attributes = [{ hostgroup: 0, free_connections_pct: 50, connection_warming: true }]
    const limits = { free_connections_pct: 100 }
    const proxy = await startProxy(cluster, { servers: serversOf(8), hostgroup_attributes, limits })
    const client = await proxy.connect({ database })
    await client.query('DELETE FROM t')
    await portOf(client, 'hostgroup=1')
    const free = (hostgroup: number) =>
      admin(proxy, `SELECT SUM(ConnFree) AS n FROM stats_mysql_connection_pool WHERE hostgroup = ${hostgroup}`)
    await until('four idle connections to the primary', async () => Number((await free(0))[0]['n']) === 4)
    expect(Number((await free(1))[0]['n'])).toBe(1)
    await proxy.stop()
  })

  it('throttle_connections_per_sec: so many connections are opened in a second in that hostgroup', async () => {
    const perSecond = 5
    const hostgroup_attributes = [{ hostgroup: 0, throttle_connections_per_sec: perSecond }]
    const proxy = await startProxy(cluster, { hostgroup_attributes })
    const clients = await Promise.all(Array.from({ length: 3 * perSecond }, () => proxy.connect()))
    const opened = async (statement: string): Promise<number> => {
      const startedAt = performance.now()
      const ids = await Promise.all(
        clients.map(async (client) => {
          await client.query(statement)
          return await value(client, 'SELECT CONNECTION_ID()')
        }),
      )
      expect(new Set(ids).size).toBe(clients.length)
      await Promise.all(clients.map((client) => client.query('COMMIT')))
      return performance.now() - startedAt
    }
    expect(await opened('BEGIN')).toBeGreaterThan(2 * 1000 * 0.95)
    await proxy.stop()
  })
})
