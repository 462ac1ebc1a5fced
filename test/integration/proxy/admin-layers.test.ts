import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, running, until, value } from './observe.js'

const SLOW = { timeout: 90_000 }

describe('the admin port of a running proxy', () => {
  let cluster: Cluster
  let database: string
  let proxy: RunningProxy
  let client: Connection

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (a INT PRIMARY KEY)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { workers: 2 })
    client = await proxy.connect({ database })
  })
  afterAll(async () => {
    await cluster.execute(cluster.primary, `DROP DATABASE ${database}`)
  })

  const run = (sql: string) => admin(proxy, sql)
  const replicas = () => cluster.replicas.map(({ port }) => port)
  const setStatus = async (port: number, status: string): Promise<void> => {
    await run(`UPDATE mysql_servers SET status = '${status}' WHERE port = ${port}`)
    await run('LOAD MYSQL SERVERS TO RUNTIME')
  }
  const connectionsTo = async (port: number): Promise<number> => {
    const rows = await run(
      `SELECT sum(ConnUsed) + sum(ConnFree) AS n FROM stats_mysql_connection_pool WHERE srv_port = ${port}`,
    )
    return Number(rows[0]?.['n'] ?? 0)
  }
  const portRead = (by: Connection) => value(by, 'SELECT @@port') as Promise<number>

  it('has what was loaded in force on every worker when LOAD returns', SLOW, async () => {
    await run("SET mysql-max_allowed_packet = '2048'")
    await run('LOAD MYSQL VARIABLES TO RUNTIME')
    const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.connect()))
    for (const one of clients) expect((await rejection(one.query(`SELECT '${'x'.repeat(4000)}'`))).errno).toBe(1153)
    await run("SET mysql-max_allowed_packet = '67108864'")
    await run('LOAD MYSQL VARIABLES TO RUNTIME')
  })

  it(
    'drains a server that is OFFLINE_SOFT: a transaction goes on there, nothing else begins, idle connections go',
    SLOW,
    async () => {
      const reader = await proxy.connect({ database })
      await until('a replica to be read', async () => replicas().includes(await portRead(reader)))
      await reader.query('START TRANSACTION READ ONLY')
      const drained = await portRead(reader)
      expect(replicas()).toContain(drained)
      const idle = await Promise.all(Array.from({ length: 6 }, () => proxy.connect({ database })))
      await Promise.all(idle.map((each) => each.query('SELECT * FROM t')))
      await setStatus(drained, 'OFFLINE_SOFT')
      for (let round = 0; round < 20; round++) expect(await portRead(client)).not.toBe(drained)
      expect(await portRead(reader)).toBe(drained)
      await reader.query('COMMIT')
      await until('its connections to be gone', async () => (await connectionsTo(drained)) === 0)
      for (const each of idle) expect(await portRead(each)).not.toBe(drained)
      await setStatus(drained, 'ONLINE')
      await until('it to be read from again', async () => (await portRead(await proxy.connect())) === drained)
    },
  )

  it(
    'lets statements in flight on a removed server finish, and ends those on one that is OFFLINE_HARD',
    SLOW,
    async () => {
      const [one, other] = replicas()
      const row = (await run(`SELECT * FROM mysql_servers WHERE port = ${one}`))[0]
      const onOne = async (): Promise<Connection> => {
        const session = await proxy.connect({ database })
        await until('a read there', async () => (await portRead(session)) === one)
        return session
      }
      const slow = async (begin = 'DO 1') => {
        await setStatus(other, 'OFFLINE_SOFT')
        const session = await onOne()
        await session.query(begin)
        // The hint keeps it from the primary, which may take a read at any time.
        const answer = session.query('/* hostgroup=1 */ SELECT SLEEP(3) AS done, @@port AS port').then(
          ([rows]) => rows,
          (error: Error) => error,
        )
        await until('the statement to run', async () => (await running(cluster, cluster.replicas[0], 'SLEEP(3)')) > 0)
        await setStatus(other, 'ONLINE')
        return { session, answer }
      }
      const removed = await slow()
      await run(`DELETE FROM mysql_servers WHERE port = ${one}`)
      await run('LOAD MYSQL SERVERS TO RUNTIME')
      expect(await portRead(client)).not.toBe(one)
      expect(await removed.answer).toEqual([{ done: 0, port: one }])
      await until('its connections to be gone', async () => (await connectionsTo(one)) === 0)
      expect(await portRead(removed.session)).not.toBe(one)

      const columns = Object.keys(row).join(', ')
      const values = Object.values(row)
        .map((cell) => `'${cell}'`)
        .join(', ')
      await run(`INSERT INTO mysql_servers (${columns}) VALUES (${values})`)
      await run('LOAD MYSQL SERVERS TO RUNTIME')
      const cut = await slow('/* hostgroup=1 */ START TRANSACTION READ ONLY')
      await setStatus(one, 'OFFLINE_HARD')
      expect(await cut.answer).toMatchObject({ errno: 1053, message: expect.stringContaining('was taken offline') })
      expect(await portRead(cut.session)).not.toBe(one)
      await setStatus(one, 'ONLINE')
    },
  )

  it('is not disturbed by a LOAD that is refused, nor are clients by 40 of those that are not', SLOW, async () => {
    const port = cluster.replicas[0].port
    let going = true
    let statements = 0
    const traffic = Promise.all(
      Array.from({ length: 8 }, async (_, number) => {
        const session = await proxy.connect({ database })
        while (going) {
          await session.query('SELECT count(*) FROM t')
          await session.query(`REPLACE INTO t VALUES (${number})`)
          statements += 2
        }
      }),
    )
    for (let round = 0; round < 20; round++) {
      await run(`UPDATE mysql_servers SET weight = ${round + 2}, max_connections = ${100 + round} WHERE port = ${port}`)
      await run('LOAD MYSQL SERVERS TO RUNTIME')
      await setStatus(port, round % 2 === 0 ? 'OFFLINE_SOFT' : 'ONLINE')
      await run(`UPDATE mysql_servers SET ssl_mode = 'sometimes' WHERE port = ${port}`)
      const refused = await rejection(run('LOAD MYSQL SERVERS TO RUNTIME'))
      expect(refused.message).toContain(`mysql_servers (1, '127.0.0.1', ${port}), column ssl_mode`)
      await run('SAVE MYSQL SERVERS FROM RUNTIME')
    }
    going = false
    await traffic
    expect(statements).toBeGreaterThan(40)
    expect(await run(`SELECT weight, status FROM runtime_mysql_servers WHERE port = ${port}`)).toEqual([
      { weight: '21', status: 'ONLINE' },
    ])
  })

  it(
    'accepts clients of users and of admin accounts as they are loaded, and refuses them once they are inactive',
    SLOW,
    async () => {
      const { password } = cluster.accounts.app
      await run("INSERT INTO mysql_users (username, password, active) VALUES ('other', 'own', 0)")
      await run('LOAD MYSQL USERS TO RUNTIME')
      expect((await rejection(proxy.connect({ user: 'other', password: 'own' }))).errno).toBe(1045)
      await run(
        `UPDATE mysql_users SET active = 1, backend_user = 'app', backend_password = '${password}' WHERE username = 'other'`,
      )
      await run('LOAD MYSQL USER other TO RUNTIME')
      const session = await proxy.connect({ user: 'other', password: 'own' })
      expect(await value(session, 'SELECT 1')).toBe(1)
      await run(
        "UPDATE global_variables SET variable_value = 'admin:admin;radmin:secret' WHERE variable_name = 'admin-admin_credentials'",
      )
      await run('LOAD ADMIN VARIABLES TO RUNTIME')
      const remote = await proxy.connect({ port: proxy.adminPort, user: 'radmin', password: 'secret' })
      await remote.query('SELECT 1')
    },
  )
})
