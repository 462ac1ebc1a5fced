import type { Connection, RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, metric, rejection, until, value } from './observe.js'

const PINS = 'pins'
const HOLDS = 'holds'

describe.each<Engine>(['mysql', 'mariadb'])('sessions that share few connections to %s', (engine) => {
  let cluster: Cluster
  let database: string
  /** One connection to each server. */
  let single: RunningProxy
  /** Two connections to each server, and an account without multiplexing. */
  let pair: RunningProxy
  const own = { user: `own_${process.pid}_${engine}`, password: 'own' }

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    const run = (sql: string) => cluster.execute(cluster.primary, sql)
    await run(`CREATE TABLE ${database}.t (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(20))`)
    await run(`CREATE USER IF NOT EXISTS ${own.user} IDENTIFIED BY '${own.password}'`)
    await run(`GRANT ALL ON ${database}.* TO ${own.user}`)
    await cluster.waitForReplicas()
    const servers = (max: number) => cluster.servers.map((server) => serverConfig(server, { max_connections: max }))
    const { app } = cluster.accounts
    const users = [
      { name: app.user, password: app.password },
      { name: own.user, password: own.password, multiplex: false },
    ]
    single = await startProxy(cluster, { servers: servers(1), limits: { connect_timeout_server_max: 1500 } })
    pair = await startProxy(cluster, { servers: servers(2), users, limits: { connect_timeout_server_max: 1500 } })
  })

  const connect = (proxy = single) => proxy.connect({ database })

  /** What the process list says of the only session that has pins or holds. */
  async function kept(proxy: RunningProxy): Promise<{ pins: string[]; holds: string[] }> {
    const rows = await admin(proxy, 'SELECT extended_info FROM stats_mysql_processlist')
    const infos = rows.map((row) => JSON.parse(row['extended_info']) as { pins: string[]; holds: string[] })
    const found = infos.filter((info) => info.pins.length + info.holds.length > 0)
    expect(found.length).toBeLessThanOrEqual(1)
    return { pins: found[0]?.pins ?? [], holds: found[0]?.holds ?? [] }
  }

  /** Whether another session gets at the primary's only connection. */
  async function isShared(): Promise<boolean> {
    const other = await connect()
    try {
      await other.query('DELETE FROM t WHERE id = -1')
      return true
    } catch (error) {
      expect((error as { errno: number }).errno).toBe(9001)
      return false
    } finally {
      await other.end()
    }
  }

  it('do not see what each other have set', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query("SET @mine = 'a', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'")
    await b.query("SET @mine = 'b'")
    const seen = async (client: Connection) => {
      const [[row]] = await client.query<RowDataPacket[]>(
        'SELECT @mine AS mine, @@time_zone AS tz, @@sql_mode AS mode FROM t RIGHT JOIN (SELECT 1) one ON TRUE LIMIT 1 FOR UPDATE',
      )
      return [row['mine'], row['tz'], row['mode'].includes('ANSI_QUOTES')]
    }
    for (let i = 0; i < 3; i++) {
      expect(await seen(a)).toEqual(['a', '+03:00', true])
      expect(await seen(b)).toEqual(['b', 'SYSTEM', false])
    }
    const counted = (what: string, least: number) =>
      until(what, async () => (await metric(single, `sluice_backend_connections_${what}_total`)) >= least)
    await counted('shared', 5)
    await counted('reset', 1)
    await Promise.all([a.end(), b.end()])
  })

  it('begin with the global variables as they have been set, also on a connection from before', async () => {
    const { user, password } = cluster.accounts.root
    const variable = 'max_sort_length'
    const admin = await pair.connect({ user, password })
    const before = await value(admin, `SELECT @@global.${variable}`)
    try {
      await admin.query(`SET GLOBAL ${variable} = 512`)
      const old = await value(admin, `SELECT @@${variable}`)
      const later = await pair.connect({ user, password })
      expect([old, await value(later, `SELECT @@${variable}`)]).toEqual([before, 512])
      await later.end()
    } finally {
      await admin.query(`SET GLOBAL ${variable} = ${before}`)
      await admin.end()
    }
  })

  it.runIf(engine === 'mysql')(
    'begin with the roles that a login activates now, also on a connection from before',
    async () => {
      const run = (sql: string) => cluster.execute(cluster.primary, sql)
      const [role, user] = [`role_${process.pid}`, `member_${process.pid}`]
      await run(`CREATE ROLE ${role}`)
      await run(`GRANT SELECT ON ${database}.* TO ${role}`)
      await run(`CREATE USER ${user} IDENTIFIED BY 'member'`)
      await run(`GRANT ${role} TO ${user}`)
      const { root } = cluster.accounts
      const admin = await pair.connect({ user: root.user, password: root.password })
      const count = async () => {
        const member = await pair.connect({ user, password: 'member' })
        try {
          return await value(member, `/* sluice: primary */ SELECT COUNT(*) >= 0 FROM ${database}.t`)
        } finally {
          await member.end()
        }
      }
      try {
        await expect(count()).rejects.toMatchObject({ errno: 1142 })
        await admin.query('SET GLOBAL activate_all_roles_on_login = ON')
        expect(await count()).toBe(1)
      } finally {
        await admin.query('SET GLOBAL activate_all_roles_on_login = OFF')
        await admin.end()
        await run(`DROP USER ${user}`)
        await run(`DROP ROLE ${role}`)
      }
    },
  )

  it.each([
    ['a transaction', PINS, 'transaction', ['BEGIN', "INSERT INTO t (note) VALUES ('x')"], 'ROLLBACK'],
    ['a temporary table', PINS, 'temporary table', ['CREATE TEMPORARY TABLE tmp (n INT)'], 'DROP TEMPORARY TABLE tmp'],
    ['a lock', PINS, 'GET_LOCK', ["DO GET_LOCK('multiplexing', 1)"], "DO RELEASE_LOCK('multiplexing')"],
    ['LOCK TABLES', PINS, 'LOCK TABLES', ['LOCK TABLES t READ'], 'UNLOCK TABLES'],
    ['PREPARE', HOLDS, 'PREPARE', ["PREPARE p FROM 'SELECT 1'"], 'DEALLOCATE PREPARE p'],
    ['HANDLER', HOLDS, 'HANDLER', ['HANDLER t OPEN'], 'HANDLER t CLOSE'],
    ['a user variable set by an expression', HOLDS, 'user variables', ['SET @v = 1 + (SELECT COUNT(*) FROM t)'], null],
    [
      'a savepoint, without autocommit',
      HOLDS,
      'SAVEPOINT',
      ['SELECT id FROM t', 'SET autocommit = 0', 'SAVEPOINT s', 'SELECT 1', 'RELEASE SAVEPOINT s'],
      'COMMIT',
    ],
    ['CONNECTION_ID()', HOLDS, 'CONNECTION_ID()', ['SELECT CONNECTION_ID()'], null],
  ])('%s keeps the connection until it is over, and the process list says so', async (_what, how, name, begin, end) => {
    const client = await connect()
    for (const sql of begin) await client.query(sql)
    expect(await kept(single)).toEqual({ pins: [], holds: [], [how]: [name] })
    expect(await isShared()).toBe(false)
    if (end === null) await client.reset()
    else await client.query(end)
    expect(await kept(single)).toEqual({ pins: [], holds: [] })
    expect(await isShared()).toBe(true)
    await client.end()
  })

  it('error 9001 says what was waited for', async () => {
    const [client, other] = [await connect(), await connect()]
    await client.query('BEGIN')
    const error = await rejection(other.query('DELETE FROM t WHERE id = -1'))
    expect(error).toMatchObject({ errno: 9001, sqlState: 'HY000' })
    expect(error.message).toMatch(/^Max connect timeout reached while reaching hostgroup 0 after \d+ms/)
    expect(error.message).toMatch(/\(sluice: .* has all connections it may have\)$/)
    await client.query('COMMIT')
    await other.query('DELETE FROM t WHERE id = -1')
    await Promise.all([client.end(), other.end()])
  })

  it('a transaction of a client that leaves is rolled back, and its connection serves the next', async () => {
    const client = await connect()
    await client.query('BEGIN')
    await client.query("INSERT INTO t (note) VALUES ('left')")
    const id = await value(client, 'SELECT CONNECTION_ID()')
    client.destroy()
    const other = await connect()
    const count = "SELECT COUNT(*) FROM t WHERE note = 'left' FOR UPDATE"
    expect(await until('the connection to be free', () => value(other, count).catch(() => null))).toBe(0)
    expect(await value(other, 'SELECT CONNECTION_ID()')).toBe(id)
    await other.end()
  })

  it('an XA transaction whose client leaves once it is prepared is ended by another, and nothing stays locked', async () => {
    const [client, other] = [await connect(pair), await connect(pair)]
    await client.query('CREATE TABLE left_behind (n INT)')
    for (const sql of ["XA START 'l'", 'INSERT INTO left_behind VALUES (1)', "XA END 'l'", "XA PREPARE 'l'"])
      await client.query(sql)
    await client.end()
    await until("the transaction to be nobody's", () => other.query("XA ROLLBACK 'l'").then(Boolean, () => false))
    await other.query('SET lock_wait_timeout = 2')
    await other.query('DROP TABLE left_behind')
    await other.end()
  })

  it('a transaction that a failed statement has begun, without autocommit, stays with its session', async () => {
    const client = await connect()
    await client.query("REPLACE INTO t VALUES (77, 'there')")
    await client.query('SET autocommit = 0')
    expect(await rejection(client.query("INSERT INTO t VALUES (77, 'twice')"))).toMatchObject({ errno: 1062 })
    expect(await isShared()).toBe(false)
    expect(await kept(single)).toMatchObject({ [PINS]: ['transaction'] })
    expect(await rejection(client.query('SET TRANSACTION READ ONLY'))).toMatchObject({ errno: 1568 })
    await client.query('ROLLBACK')
    expect(await isShared()).toBe(true)
    await client.end()
  })

  it('what the last statement left is right after others have used the connection', async () => {
    const [a, b] = [await connect(), await connect()]
    const insert = (client: Connection, note: string) => client.query('INSERT INTO t (note) VALUES (?)', [note])
    const [[inserted]] = [(await insert(a, 'one')) as unknown as [{ insertId: number }]]
    await insert(b, 'two')
    expect(Number(await value(a, 'SELECT LAST_INSERT_ID()'))).toBe(inserted.insertId)
    await a.query("UPDATE t SET note = 'three' WHERE id = ?", [inserted.insertId])
    await b.query('DELETE FROM t WHERE id = -1')
    expect(Number(await value(a, 'SELECT ROW_COUNT()'))).toBe(1)
    await a.query('SELECT 1 UNION SELECT 2 UNION SELECT 3 FOR UPDATE')
    await b.query('SELECT 1 FOR UPDATE')
    expect(Number(await value(a, 'SELECT FOUND_ROWS()'))).toBe(3)
    // Only this connection knows the warning, so the other one waits for a second.
    await a.query('DROP TABLE IF EXISTS nothing_of_that_name')
    const waits = b.query('DELETE FROM t WHERE id = -1')
    const [warnings] = await a.query<RowDataPacket[]>('SHOW WARNINGS')
    expect(warnings.map((row) => row['Code'])).toEqual([1051])
    await waits
    await a.query("INSERT INTO t (note) VALUES ('1st'), ('2nd')")
    const waitsAgain = b.query('DELETE FROM t WHERE id = -1')
    const [[left]] = await a.query<RowDataPacket[]>('SELECT ROW_COUNT() AS count, LAST_INSERT_ID() AS id')
    expect([Number(left['count']), Number(left['id'])]).toEqual([2, expect.any(Number)])
    await waitsAgain
    await Promise.all([a.end(), b.end()])
  })

  it('a session whose statements leave warnings all the time does not keep the others waiting', async () => {
    const [busy, other] = [await connect(), await connect()]
    let isDone = false
    const work = (async () => {
      while (!isDone) await busy.query("INSERT INTO t (note) VALUES ('many'), ('rows')")
    })()
    for (let i = 0; i < 5; i++) await other.query('DELETE FROM t WHERE id = -1')
    isDone = true
    await work
    await Promise.all([busy.end(), other.end()])
  })

  it('those who wait are served in the order of coming', async () => {
    const first = await connect()
    const waiting = await Promise.all([1, 2, 3, 4].map(() => connect()))
    await first.query('BEGIN')
    const order: number[] = []
    const served: Promise<unknown>[] = []
    for (const [index, client] of waiting.entries()) {
      served.push(client.query('DELETE FROM t WHERE id = -1').then(() => order.push(index)))
      await until('it to wait', async () => {
        const rows = await admin(single, "SELECT SessionID FROM stats_mysql_processlist WHERE command = 'Query'")
        return rows.length === index + 1
      })
    }
    await first.query('COMMIT')
    await Promise.all(served)
    expect(order).toEqual([0, 1, 2, 3])
    await Promise.all([first, ...waiting].map((client) => client.end()))
  })

  it("a connection that is killed on the server while it rests is nobody's error", async () => {
    const client = await connect()
    await client.query("SET @mine = 'kept', time_zone = '+05:00'")
    await client.query('DELETE FROM t WHERE id = -1')
    const asked = await connect()
    const id = Number(await value(asked, 'SELECT CONNECTION_ID()'))
    await asked.end()
    await cluster.execute(cluster.primary, `KILL ${id}`)
    await client.query('DELETE FROM t WHERE id = -1')
    expect(await value(client, 'SELECT CONCAT(@mine, @@time_zone) FOR UPDATE')).toBe('kept+05:00')
    expect(Number(await value(client, 'SELECT CONNECTION_ID()'))).not.toBe(id)
    await client.end()
  })

  it('the same text is prepared once on a connection, however many sessions execute it', async () => {
    const prepared = () =>
      cluster
        .execute<{ Value: string }[]>(cluster.primary, "SHOW GLOBAL STATUS LIKE 'Com_stmt_prepare'")
        .then(([row]) => Number(row.Value))
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect()))
    const sql = 'SELECT note FROM t WHERE id = ? FOR UPDATE'
    const statements = await Promise.all(clients.map((client) => client.prepare(sql)))
    const before = await prepared()
    for (let round = 0; round < 4; round++) for (const statement of statements) await statement.execute([round])
    expect((await prepared()) - before).toBeLessThanOrEqual(1)
    await Promise.all(clients.map((client) => client.end()))
  })

  it('without multiplexing each session has a connection of its own from its first statement to its end', async () => {
    const clients = await Promise.all([1, 2].map(() => pair.connect({ ...own, database })))
    for (const client of clients) await client.query('DELETE FROM t WHERE id = -1')
    const third = await pair.connect({ ...own, database })
    expect(await rejection(third.query('DELETE FROM t WHERE id = -1'))).toMatchObject({ errno: 9001 })
    await clients[0].end()
    await third.query('DELETE FROM t WHERE id = -1')
    await Promise.all([clients[1].end(), third.end()])
  })

  it('an idle session of one account makes room for another account', async () => {
    const idle = await Promise.all([1, 2].map(() => connect(pair)))
    for (const client of idle) await client.query("INSERT INTO t (note) VALUES ('idle')")
    const other = await pair.connect({ ...own, database })
    await other.query('DELETE FROM t WHERE id = -1')
    await other.end()
    const ids = await Promise.all(idle.map((client) => value(client, 'SELECT LAST_INSERT_ID()')))
    for (const id of ids) expect(Number(id)).toBeGreaterThan(0)
    await Promise.all(idle.map((client) => client.end()))
  })

  it('can be switched off for a hostgroup', async () => {
    const proxy = await startProxy(cluster, { hostgroup_attributes: [{ hostgroup: 0, multiplex: false }] })
    const clients = await Promise.all([1, 2, 3].map(() => connect(proxy)))
    for (const client of clients) {
      await client.query('DELETE FROM t WHERE id = -1')
      await client.query('SELECT /* sluice: consistency=eventual */ 1')
    }
    await until('each to keep a connection to the primary, and none to a replica', async () => {
      const rows = await admin(
        proxy,
        'SELECT hostgroup, SUM(ConnUsed) AS n FROM stats_mysql_connection_pool GROUP BY hostgroup ORDER BY hostgroup',
      )
      return rows.map(({ n }) => n).join() === '3,0'
    })
    await Promise.all(clients.map((client) => client.end()))
    await proxy.stop()
  })

  it('can be switched off for all', async () => {
    const proxy = await startProxy(cluster, { multiplexing: false })
    const clients = await Promise.all([1, 2, 3].map(() => connect(proxy)))
    const ids = new Set<unknown>()
    for (const client of clients) {
      await client.query('DELETE FROM t WHERE id = -1')
      ids.add(await value(client, 'SELECT CONNECTION_ID()'))
    }
    expect(ids.size).toBe(3)
    expect(await metric(proxy, 'sluice_backend_connections_shared_total')).toBe(0)
    await Promise.all(clients.map((client) => client.end()))
    await proxy.stop()
  })

  it('idle connections are opened ahead where that is configured', async () => {
    const servers = cluster.servers.map((server) => serverConfig(server, { max_connections: 8 }))
    const limits = { connection_warming: true, free_connections_pct: 50 }
    const proxy = await startProxy(cluster, { servers, limits })
    const client = await connect(proxy)
    await client.query('DELETE FROM t WHERE id = -1')
    await until('four idle connections to the primary', async () => {
      const rows = await admin(proxy, 'SELECT ConnFree FROM stats_mysql_connection_pool WHERE hostgroup = 0')
      return rows.some((row) => Number(row['ConnFree']) >= 4)
    })
    await client.end()
    await proxy.stop()
  })
})
