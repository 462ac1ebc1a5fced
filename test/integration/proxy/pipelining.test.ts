import type { Connection, RowDataPacket } from 'mysql2/promise'
import { describe, expect, it } from 'vitest'
import type { Cluster, SandboxServer } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, running, until, value, whereRuns } from './observe.js'

const CLIENTS = 24
const LIMITS = { pipeline_depth: 16, pipeline_from: 0, pipeline_query_time: 60_000 }
/** A digest is believed to be short after it was seen four times. */
const WARM_UP = 5

/** Connections that were opened to the replicas, by the proxy's own count. */
async function opened(proxy: Parameters<typeof admin>[0]): Promise<number> {
  const [row] = await admin(proxy, 'SELECT SUM(ConnOK) AS n FROM stats_mysql_connection_pool WHERE hostgroup = 1')
  return Number(row['n'])
}

describe.each(['mysql', 'mariadb'] as const)('short reads of several sessions on one connection of %s', (engine) => {
  it('each get their own answers, over the few connections that there may be', async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 10), (2, 20), (3, 30)`)
    await cluster.waitForReplicas()
    const proxy = await startProxy(cluster, {
      limits: LIMITS,
      servers: cluster.servers.map((server) => serverConfig(server, { max_connections: 2 })),
    })
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.connect({ database })))
    for (let i = 0; i < WARM_UP; i++) await value(clients[0], 'SELECT v + 7 AS mark FROM t WHERE id = 1')
    const ask = async (client: Connection, own: number): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        const mark = own * 1000 + round
        expect(await value(client, `SELECT v + ${mark} AS mark FROM t WHERE id = ${1 + (round % 3)}`)).toBe(
          10 * (1 + (round % 3)) + mark,
        )
      }
    }
    await Promise.all(clients.map(ask))
    expect(await opened(proxy)).toBeLessThanOrEqual(2 * cluster.replicas.length)
  })

  it('do not wait for one that takes long', async () => {
    const cluster = await sharedCluster(engine)
    const proxy = await pipelined(cluster)
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
    const proxy = await startProxy(cluster, { limits: LIMITS })
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
    const proxy = await startProxy(cluster, { limits: LIMITS })
    const clients = await Promise.all(Array.from({ length: 3 }, () => proxy.connect({ database })))
    for (let i = 0; i < WARM_UP; i++) await value(clients[0], 'SELECT v FROM t')
    for (const client of clients) await client.query('SET autocommit = 0')
    for (const client of clients) expect(await value(client, 'SELECT v FROM t')).toBe(10)
    await clients[0].query('UPDATE t SET v = 11')
    await clients[0].query('COMMIT')
    expect(await Promise.all(clients.map((client) => value(client, 'SELECT v FROM t')))).toEqual([11, 10, 10])
  })
})

const proxies = new Map<Cluster, Promise<RunningProxy>>()

/** The proxy of most tests, with many reads in flight on each connection. */
function pipelined(cluster: Cluster): Promise<RunningProxy> {
  let proxy = proxies.get(cluster)
  if (proxy === undefined) {
    proxy = startProxy(cluster, { limits: LIMITS })
    proxies.set(cluster, proxy)
  }
  return proxy
}

/** Lets a digest be seen often enough that it is believed to be short. */
async function warmUp(client: Connection, sql: string): Promise<void> {
  for (let i = 0; i < WARM_UP; i++) await client.query(sql)
}

describe.each(['mysql', 'mariadb'] as const)('what a read among others leaves behind on %s', (engine) => {
  it('is there for its session: warnings, of texts and of prepared statements', async () => {
    const cluster = await sharedCluster(engine)
    const proxy = await pipelined(cluster)
    const [client, ...others] = await Promise.all(Array.from({ length: 6 }, () => proxy.connect()))
    await warmUp(client, "SELECT CAST('1' AS SIGNED)")
    const noise = Promise.all(others.map((other) => warmUp(other, 'SELECT 1')))
    expect(await value(client, "SELECT CAST('1x' AS SIGNED)")).toBe(1)
    const [rows] = await client.query<RowDataPacket[]>('SHOW WARNINGS')
    expect(rows).toEqual([expect.objectContaining({ Code: 1292, Message: expect.stringContaining('1x') })])
    await noise
    for (let i = 0; i < WARM_UP; i++) await client.execute('SELECT CAST(? AS UNSIGNED)', ['1'])
    await client.execute('SELECT CAST(? AS UNSIGNED)', ['2y'])
    const [more] = await client.query<RowDataPacket[]>('SHOW WARNINGS')
    expect(more).toEqual([expect.objectContaining({ Code: 1292, Message: expect.stringContaining('2y') })])
  })

  it('is there for its session: an error, and the number of rows', async () => {
    const cluster = await sharedCluster(engine)
    const proxy = await pipelined(cluster)
    const [client, other] = await Promise.all([proxy.connect(), proxy.connect()])
    await warmUp(client, "SELECT EXTRACTVALUE('<a/>', '/a')")
    expect(await rejection(client.query("SELECT EXTRACTVALUE('<a/>', '/a[')"))).toMatchObject({ errno: 1105 })
    await value(other, 'SELECT 1')
    const [rows] = await client.query<RowDataPacket[]>('SHOW ERRORS')
    expect(rows).toEqual([expect.objectContaining({ Code: 1105 })])
    await warmUp(client, 'SELECT 1 UNION SELECT 2')
    await value(other, 'SELECT 1')
    expect(await value(client, 'SELECT FOUND_ROWS()')).toBe(2)
    await client.query('SELECT 1 UNION SELECT 2')
    expect(await value(client, 'SELECT ROW_COUNT()')).toBe(-1)
  })
})

describe.each(['mysql', 'mariadb'] as const)('a session whose reads are short on %s', (engine) => {
  it('sees what it has on its connection alone, and the transaction that it is in', async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 1)`)
    const proxy = await startProxy(cluster, {
      limits: LIMITS,
      servers: [serverConfig(cluster.primary)],
    })
    const [client, ...others] = await Promise.all(Array.from({ length: 4 }, () => proxy.connect({ database })))
    const noise = () => Promise.all(others.map((other) => other.query('SELECT v FROM t WHERE id = 1')))
    await warmUp(client, 'SELECT @n')
    await warmUp(client, 'SELECT v FROM t WHERE id = 1')
    await client.query('SET @n = (SELECT v + 40 FROM t WHERE id = 1)')
    await noise()
    expect(await value(client, 'SELECT @n')).toBe(41)
    await client.query('SET autocommit = 0')
    await noise()
    // Begins a transaction, whose view of the data stays.
    expect(await value(client, 'SELECT v FROM t WHERE id = 1')).toBe(1)
    await others[0].query('UPDATE t SET v = 2 WHERE id = 1')
    await noise()
    expect(await value(client, 'SELECT v FROM t WHERE id = 1')).toBe(1)
    await client.commit()
    expect(await value(client, 'SELECT v FROM t WHERE id = 1')).toBe(2)
  })
})

describe.each(['mysql', 'mariadb'] as const)('a read among others that takes long on %s', (engine) => {
  /** So that each has a text of its own. */
  let asleepSoFar = 0

  /** Clients whose reads are believed to be short, one of which is asleep on a replica. */
  async function withOneAsleep(limits: Record<string, unknown> | null = null) {
    const cluster = await sharedCluster(engine)
    const proxy = limits === null ? await pipelined(cluster) : await startProxy(cluster, { limits })
    const clients = await Promise.all(Array.from({ length: 4 }, () => proxy.connect()))
    await warmUp(clients[0], 'SELECT SLEEP(0)')
    const marker = `SLEEP(${600 + asleepSoFar++})`
    const asleep = clients[0].query(`SELECT ${marker}`).catch((error: unknown) => error)
    const server = await whereRuns(cluster, marker)
    const untilEnded = () =>
      until('the server to run it no more', async () => (await running(cluster, server, marker)) === 0)
    return { cluster, proxy, clients, asleep, untilEnded }
  }

  it('can be killed, and is ended on the server', async () => {
    const { clients, asleep, untilEnded } = await withOneAsleep()
    await clients[1].query(`KILL QUERY ${clients[0].threadId}`)
    expect(await asleep).toMatchObject({ errno: 1317 })
    await untilEnded()
    expect(await value(clients[0], 'SELECT 1')).toBe(1)
  })

  it('is ended on the server when its client goes, with others behind it', async () => {
    const { clients, untilEnded } = await withOneAsleep()
    const behind = clients.slice(1).map((client) => value(client, 'SELECT SLEEP(0)'))
    clients[0].destroy()
    expect(await Promise.all(behind)).toEqual([0, 0, 0])
    await untilEnded()
  })

  it('is ended by query_timeout', async () => {
    const { clients, asleep, untilEnded } = await withOneAsleep({
      pipeline_from: 0,
      pipeline_query_time: 60_000,
      default_query_timeout: 1_000,
    })
    expect(await asleep).toMatchObject({ errno: engine === 'mysql' ? 3024 : 1969 })
    await untilEnded()
    expect(await value(clients[0], 'SELECT 1')).toBe(1)
  })

  it('has the next ones like it executed on connections of their own', async () => {
    const { clients } = await withOneAsleep()
    await Promise.all(clients.slice(1).map((client) => value(client, 'SELECT SLEEP(0)')))
    // Were it among others still, each of these would be held up by the one before.
    const startedAt = performance.now()
    await Promise.all(clients.slice(1).map((client) => value(client, 'SELECT SLEEP(0.5)')))
    expect(performance.now() - startedAt).toBeLessThan(1_400)
  })
})

describe.each(['mysql', 'mariadb'] as const)('where %s gives few connections', (engine) => {
  it('reads in flight without an end do not keep writes and transactions waiting', async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 0)`)
    const proxy = await startProxy(cluster, {
      limits: { pipeline_depth: 16, pipeline_from: 0 },
      servers: [serverConfig(cluster.primary, { max_connections: 2 })],
    })
    const readers = await Promise.all(Array.from({ length: 24 }, () => proxy.connect({ database })))
    const writers = await Promise.all(Array.from({ length: 4 }, () => proxy.connect({ database })))
    let reads = 0
    let ended = false
    const reading = readers.map(async (reader) => {
      for (; !ended; reads++) expect(await value(reader, 'SELECT v - v FROM t WHERE id = 1')).toBe(0)
    })
    await until('the reads to be among others', () => reads > 500)
    const write = async (writer: Connection): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        await writer.beginTransaction()
        await writer.query('UPDATE t SET v = v + 1 WHERE id = 1')
        await writer.commit()
        await writer.query('UPDATE t SET v = v + 1 WHERE id = 1')
      }
    }
    await Promise.all(writers.map(write)).finally(() => {
      ended = true
    })
    await Promise.all(reading)
    expect(await value(writers[0], 'SELECT v FROM t WHERE id = 1')).toBe(80)
  })

  it('many reads in flight share them', async () => {
    const cluster = await sharedCluster(engine)
    const proxy = await startProxy(cluster, {
      limits: { pipeline_depth: 4, pipeline_from: 0, pipeline_query_time: 1_000 },
      servers: [serverConfig(cluster.primary, { max_connections: 2 })],
    })
    const clients = await Promise.all(Array.from({ length: 100 }, () => proxy.connect()))
    const ask = async (client: Connection, own: number): Promise<void> => {
      for (let i = 0; i < 10; i++) expect(await value(client, `SELECT ${1000 * own + i} AS n`)).toBe(1000 * own + i)
    }
    await Promise.all(clients.map(ask))
  })
})

describe.each(['mysql', 'mariadb'] as const)(
  'a connection to %s that is lost with several reads in flight',
  (engine) => {
    it('has each of them repeated, of texts and of prepared statements', async () => {
      const cluster = await sharedCluster(engine)
      // Without a GTID nothing tells what a replica has: reads that went to the primary would stay there.
      await createDatabase(cluster)
      const proxy = await pipelined(cluster)
      const clients = await Promise.all(Array.from({ length: 12 }, () => proxy.connect()))
      for (const client of clients) {
        await warmUp(client, 'SELECT SLEEP(0), 1')
        for (let i = 0; i < WARM_UP; i++) await client.execute('SELECT SLEEP(0), ?', [1])
      }
      let ended = false
      const asking = clients.map(async (client, own) => {
        for (let round = 0; !ended; round++) {
          const mark = 1000 * own + (round % 1000)
          const [[row]] =
            round % 2 === 0
              ? await client.query<RowDataPacket[]>(`SELECT SLEEP(0), ${mark} AS mark`)
              : await client.execute<RowDataPacket[]>('SELECT SLEEP(0), ? AS mark', [mark])
          expect(Number(row['mark'])).toBe(mark)
        }
      })
      // Sessions that read without a pause stay together where they are, so it is one replica or the other, not in turn.
      for (let round = 0; round < 8; round++) {
        await until('connections of the proxy', async () => {
          const each = await Promise.all(cluster.replicas.map((replica) => killConnections(cluster, replica)))
          return each.some((count) => count > 0)
        })
      }
      ended = true
      await Promise.all(asking)
    })
  },
)

/** Kills what the account `app` has on a server; resolves with how many there were. */
async function killConnections(cluster: Cluster, server: SandboxServer): Promise<number> {
  const rows = await cluster.execute<{ id: number }[]>(
    server,
    "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'app'",
  )
  // One that has ended meanwhile is an error of KILL.
  for (const { id } of rows) await cluster.execute(server, `KILL ${id}`).catch(() => {})
  return rows.length
}
