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
    // Whoever reads may find one replica too slow and take the other; ahead three are opened in a second.
    expect(Number((await free(1))[0]['n'])).toBeLessThanOrEqual(2)
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

  describe('init_connect', () => {
    const REFUSED = 'SET no_such_variable = 1'
    const zone = (client: Connection, hint: string) => value(client, `SELECT /* sluice: ${hint} */ @@time_zone`)
    const origin = (client: Connection) => value(client, 'SELECT /* sluice: primary */ @origin')
    let proxy: RunningProxy
    beforeAll(async () => {
      await cluster.execute(cluster.primary, `CREATE TABLE ${database}.begun (id INT, sql_mode TEXT)`)
      await cluster.waitForReplicas()
      const own = `SET time_zone = '+03:00', @origin = 'a;b'; INSERT INTO ${database}.begun SELECT CONNECTION_ID(), @@sql_mode`
      proxy = await startProxy(cluster, {
        // One connection: whoever comes next has the one of the session before.
        servers: serversOf(1),
        init_connect: "SET time_zone = '+07:00'",
        hostgroup_attributes: [{ hostgroup: 0, init_connect: own }],
        limits: { connect_timeout_server_max: WAIT_MS },
      })
    })

    it('is sent on each new connection, a hostgroup’s own instead of the one for all', async () => {
      const client = await proxy.connect({ database })
      expect([await zone(client, 'primary'), await zone(client, 'hostgroup=1')]).toEqual(['+03:00', '+07:00'])
      expect(await origin(client)).toBe('a;b')
      const id = await value(client, 'SELECT CONNECTION_ID()')
      const begun = await cluster.execute<{ id: number }[]>(cluster.primary, `SELECT id FROM ${database}.begun`)
      expect(begun.map((row) => row.id)).toEqual([id])
      await client.end()
    })

    it('holds again after a reset, the client’s own and that of a connection which another session gets', async () => {
      const client = await proxy.connect({ database })
      await client.query("SET time_zone = '+09:00', @origin = 'mine'")
      expect([await zone(client, 'primary'), await zone(client, 'hostgroup=1')]).toEqual(['+09:00', '+09:00'])
      const other = await proxy.connect({ database })
      expect([await zone(other, 'primary'), await origin(other)]).toEqual(['+03:00', 'a;b'])
      expect([await zone(client, 'primary'), await origin(client)]).toEqual(['+09:00', 'mine'])
      await client.reset()
      expect([await zone(client, 'primary'), await origin(client)]).toEqual(['+03:00', 'a;b'])
      await client.query('CREATE TEMPORARY TABLE held (id INT)')
      await client.query("SET @origin = 'mine'")
      // The server itself is to undo the temporary table.
      await client.reset()
      expect([await zone(client, 'primary'), await origin(client)]).toEqual(['+03:00', 'a;b'])
      await Promise.all([client.end(), other.end()])
    })

    it('with a sql_mode is what a session goes back to that had another one', async () => {
      const own = "SET sql_mode = 'STRICT_ALL_TABLES'"
      await load(proxy, `UPDATE ${ATTRIBUTES} SET init_connect = "${own}" WHERE hostgroup_id = 0`)
      const client = await proxy.connect({ database })
      const mode = async () => await value(client, 'SELECT /* sluice: primary */ @@sql_mode')
      expect(await mode()).toBe('STRICT_ALL_TABLES')
      await client.query("SET sql_mode = 'ANSI_QUOTES'")
      expect(await mode()).toBe('ANSI_QUOTES')
      await client.reset()
      expect(await mode()).toBe('STRICT_ALL_TABLES')
      await client.end()
    })

    it('that is loaded anew holds for sessions that are there, from their next statement on', async () => {
      const client = await proxy.connect({ database })
      await client.query('DO 1')
      await load(proxy, `UPDATE ${ATTRIBUTES} SET init_connect = "SET time_zone = '+05:00'" WHERE hostgroup_id = 0`)
      expect(await zone(client, 'primary')).toBe('+05:00')
      await client.end()
    })

    it('that is refused: the connection is not used, and the error names server and statement', async () => {
      const client = await proxy.connect({ database })
      const before = await value(client, 'SELECT /* sluice: hostgroup=1 */ @@port')
      const set = (hostgroup: number, sql: string) =>
        load(proxy, `REPLACE INTO ${ATTRIBUTES} (hostgroup_id, init_connect) VALUES (${hostgroup}, "${sql}")`)
      await set(1, REFUSED)
      // A replica that cannot be used is none, as for any other reason.
      expect(await value(client, 'SELECT /* sluice: consistency=eventual */ @@port')).toBe(cluster.primary.port)
      expect(before).not.toBe(cluster.primary.port)

      await set(0, REFUSED)
      const error = await rejection(client.query('DELETE FROM t'))
      expect(error.errno).toBe(1193)
      expect(error.message).toContain(`${cluster.primary.host}:${cluster.primary.port} does not execute`)
      expect(error.message).toContain(REFUSED)
      const logged = proxy.log().filter(({ msg }) => String(msg).includes(REFUSED))
      expect(new Set(logged.map(({ server }) => server)).size).toBe(logged.length)

      await set(0, 'DO 1')
      await until('the primary to be used again', async () => {
        const [outcome] = await Promise.allSettled([client.query('DELETE FROM t')])
        return outcome.status === 'fulfilled'
      })
      await client.end()
    })

    it('that would change what Sluice keeps in order is refused by the LOAD', async () => {
      await admin(proxy, `UPDATE ${ATTRIBUTES} SET init_connect = 'SET NAMES latin1' WHERE hostgroup_id = 0`)
      const refused = await rejection(load(proxy))
      expect(refused.message).toContain(`${ATTRIBUTES} (0), column init_connect: expected no names`)
    })
  })
})
