import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, until, value } from './observe.js'

describe.each<Engine>(['mysql', 'mariadb'])('EXPLAIN ROUTE in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string
  let client: Connection

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.waitForReplicas()
    const users = { admin: 'admin', stats: 'stats' }
    proxy = await startProxy(cluster, { workers: 2, admin: { users } })
    client = await proxy.connect({ database })
  }, 120_000)

  const explain = (statement: string) => admin(proxy, `EXPLAIN ROUTE ${statement}`)
  const primaryId = () => `127.0.0.1:${cluster.primary.port}`

  it('says where a read and a write go, of every server why, with its lag', async () => {
    const read = await explain('SELECT * FROM t')
    expect(read.length).toBe(cluster.servers.length)
    expect(read[0]).toMatchObject({ class: 'read', hostgroup: '1', reason: 'it only reads', session: '' })
    const [chosen] = read.filter(({ taken }) => taken === '1')
    expect(chosen).toMatchObject({ server: read[0]?.['chosen'], server_hostgroup: '1', status: 'ONLINE' })
    expect(chosen?.['lag_ms']).toMatch(/^\d+$/)
    const write = await explain(`'INSERT INTO t VALUES (1, ''x'')' FOR USER app SCHEMA ${database}`)
    expect(write[0]).toMatchObject({ class: 'write', chosen: primaryId(), reason: 'it may write' })
  })

  it('asks the session itself, on whichever worker it is', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => proxy.connect({ database })))
    for (const one of clients) {
      const [row] = await explain(`SELECT 1 FOR SESSION ${one.threadId}`)
      expect(JSON.parse(row?.['session'] ?? '')).toMatchObject({ id: one.threadId, schema: database, pins: [] })
    }
  })

  it('tells that a transaction keeps the session on its connection', async () => {
    await client.query('BEGIN')
    await client.query('INSERT INTO t VALUES (1, 1)')
    const [row] = await explain(`SELECT * FROM t FOR SESSION ${client.threadId}`)
    expect(row).toMatchObject({ chosen: primaryId(), reason: 'the session is pinned to this connection' })
    expect(JSON.parse(row?.['session'] ?? '')).toMatchObject({
      inTransaction: true,
      pins: ['transaction'],
      keptOn: primaryId(),
    })
    await client.query('COMMIT')
  })

  it('agrees with what then happens, also with what the session wrote', async () => {
    const port = 'SELECT @@port AS port'
    for (const statement of ['UPDATE t SET v = v + 1', 'SELECT 1', 'SET @a = 1', 'SELECT @a']) {
      await client.query(statement)
      const rows = await explain(`${port} FOR SESSION ${client.threadId}`)
      const [row] = rows
      const chosen = [row?.['chosen'], ...rows.filter(({ why }) => why?.startsWith('it would')).map((r) => r['server'])]
      // A replica may have caught up in between, so what is said is compared only where it is said again after.
      const got = `127.0.0.1:${await value(client, port)}`
      const after = await explain(`${port} FOR SESSION ${client.threadId}`)
      if (after[0]?.['reason'] === row?.['reason']) expect(chosen).toContain(got)
    }
    const wrote = await until('the session to read from a replica again', async () => {
      const [row] = await explain(`SELECT * FROM t FOR SESSION ${client.threadId}`)
      return row?.['reason'] === 'it only reads' ? row : null
    })
    expect(JSON.parse(wrote['session'] ?? '').wroteMsAgo).toBeGreaterThan(0)
  })

  it('is open to the account of statistics, text and prepared, and knows when there is no such session', async () => {
    const stats = await createConnection({ host: '127.0.0.1', port: proxy.adminPort, user: 'stats', password: 'stats' })
    const [text] = await stats.query<RowDataPacket[]>('EXPLAIN ROUTE SELECT 1')
    const [prepared] = await stats.execute<RowDataPacket[]>('EXPLAIN ROUTE SELECT 1')
    expect(prepared.map(({ why: _, taken: __, chosen: ___, ...row }) => row['class'])).toEqual(
      text.map((r) => r['class']),
    )
    expect(await rejection(stats.query(`EXPLAIN ROUTE SELECT 1 FOR SESSION ${2 ** 30 + 64 * 999 + 1}`))).toMatchObject({
      errno: 1094,
    })
    expect(await rejection(stats.query('EXPLAIN ROUTE SELECT 1 FOR SESSION 5'))).toMatchObject({ errno: 1094 })
    stats.destroy()
  })
})
