import type { RowDataPacket } from 'mysql2'
import { expect, it } from 'vitest'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { startProxy } from '../../helpers/proxy.js'

for (const engine of ['mysql', 'mariadb'] as const) {
  it(`variables of ${engine} that were set to expressions stay with the session, and its writes go to the primary`, async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (size INT, at DATETIME)`)
    await cluster.waitForReplicas()
    const proxy = await startProxy(cluster)
    const first = async (client: Awaited<ReturnType<typeof proxy.connect>>, sql: string) =>
      (await client.query<RowDataPacket[]>({ sql, rowsAsArray: true }))[0][0] as unknown

    // Its only connection is one to a replica when it sets the variable.
    const sizes = await proxy.connect({ database })
    await sizes.query('SELECT size FROM t')
    await sizes.query('SET @@sort_buffer_size = 1024 * 512')
    expect(await first(sizes, 'SELECT @@sort_buffer_size')).toEqual([524_288])
    await sizes.query('INSERT INTO t (size) VALUES (@@sort_buffer_size)')
    expect(await first(sizes, 'SELECT size FROM t')).toEqual([524_288])

    // A SET names the switches that it changes.
    const switches = await proxy.connect({ database })
    await switches.query('SELECT size FROM t')
    await switches.query("SET @@optimizer_switch = 'materialization=off'")
    await switches.query("SET @@optimizer_switch = 'semijoin=off'")
    const bothOff = /(?=.*\bmaterialization=off)(?=.*\bsemijoin=off)/
    expect(await first(switches, 'SELECT @@optimizer_switch FROM t')).toEqual([expect.stringMatching(bothOff)])
    await switches.query('BEGIN')
    expect(await first(switches, 'SELECT @@optimizer_switch')).toEqual([expect.stringMatching(bothOff)])
    await switches.query('ROLLBACK')

    const times = await proxy.connect({ database })
    await times.query('SELECT size FROM t')
    await times.query("SET timestamp = UNIX_TIMESTAMP('2011-01-01 01:01:01')")
    const now = "SELECT DATE_FORMAT(NOW(), '%Y-%m-%d %T')"
    expect(await first(times, now)).toEqual(['2011-01-01 01:01:01'])
    await times.query('BEGIN')
    expect(await first(times, now)).toEqual(['2011-01-01 01:01:01'])
    await times.query('ROLLBACK')

    // What it tells is known where it was set, not where the read before it ran.
    const signals = await proxy.connect({ database })
    await signals.query("SET @what = CONCAT('seen', ' here')")
    await signals.query('SELECT size FROM t')
    const signal = signals.query("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @what")
    await expect(signal).rejects.toMatchObject({ errno: 1644, sqlMessage: 'seen here' })
    expect(await first(signals, 'SHOW WARNINGS')).toEqual(['Error', 1644, 'seen here'])

    const tracked = await proxy.connect({ database })
    await tracked.query('SELECT size FROM t')
    await tracked.query("SET SESSION session_track_system_variables = 'time_zone'")
    await tracked.query('SET SESSION sort_buffer_size = 65536')
    expect(await first(tracked, 'SELECT @@sort_buffer_size')).toEqual([65_536])
    await tracked.query('BEGIN')
    expect(await first(tracked, 'SELECT @@sort_buffer_size')).toEqual([65_536])
    await tracked.query('ROLLBACK')
    await tracked.query('SET SESSION sort_buffer_size = 131072')
    expect(await first(tracked, 'SELECT @@sort_buffer_size')).toEqual([131_072])
  })
  it(`variables of ${engine} that mean something to one connection only hold for what the session does next`, async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)`)
    await cluster.waitForReplicas()
    const proxy = await startProxy(cluster)
    const first = async (client: Awaited<ReturnType<typeof proxy.connect>>, sql: string) =>
      (await client.query<RowDataPacket[]>({ sql, rowsAsArray: true }))[0][0] as unknown

    // The only connection that each has when it sets the variable is one to a replica.
    const ids = await proxy.connect({ database })
    await ids.query('SELECT v FROM t')
    await ids.query('SET insert_id = 77')
    await ids.query('INSERT INTO t (v) VALUES (1)')
    expect(await first(ids, 'SELECT id FROM t')).toEqual([77])

    const seeds = await proxy.connect({ database })
    const draws = new Set<string>()
    for (let round = 0; round < 10; round++) {
      await seeds.query('SET rand_seed1 = 1, rand_seed2 = 2')
      draws.add(JSON.stringify(await first(seeds, 'SELECT RAND()')))
    }
    expect([...draws]).toHaveLength(1)

    const { user, password } = cluster.accounts.root
    const unlogged = await proxy.connect({ database, user, password })
    await unlogged.query('SELECT v FROM t')
    await unlogged.query('SET SESSION sql_log_bin = 0')
    await unlogged.query('INSERT INTO t (v) VALUES (2)')
    expect(await first(unlogged, 'SELECT @@sql_log_bin, (SELECT COUNT(*) FROM t)')).toEqual([0, 2])
    await cluster.waitForReplicas()
    const [replica] = cluster.replicas
    const there = await cluster.execute(replica, `SELECT COUNT(*) AS n FROM ${database}.t`)
    expect(there).toEqual([{ n: 1 }])
  })
}

it('MariaDB takes from a sequence to tell a default on the primary, and a session reads the past by its own variables', async () => {
  const cluster = await sharedCluster('mariadb')
  const database = await createDatabase(cluster)
  await cluster.execute(cluster.primary, `CREATE SEQUENCE ${database}.s`)
  await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (a INT DEFAULT NEXTVAL(${database}.s), b INT)`)
  await cluster.execute(cluster.primary, `CREATE TABLE ${database}.past (a INT) WITH SYSTEM VERSIONING`)
  await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (0, 0)`)
  await cluster.waitForReplicas()
  // An account that may write on a server that is read only.
  const { user, password } = cluster.accounts.root
  const proxy = await startProxy(cluster, { users: [{ name: user, password }] })
  const client = await proxy.connect({ database, user, password })
  const first = async (sql: string) =>
    (await client.query<RowDataPacket[]>({ sql, rowsAsArray: true }))[0][0] as unknown as unknown[]

  expect(await first('SELECT DEFAULT(a) FROM t')).toEqual([1])
  await client.query('INSERT INTO t (b) VALUES (1)')
  expect(await first('SELECT a FROM t WHERE b = 1')).toEqual([2])

  await client.query('SET @before = NOW(6)')
  await client.query('INSERT INTO past VALUES (1)')
  expect(await first('SET STATEMENT system_versioning_asof = @before FOR SELECT COUNT(*) FROM past')).toEqual([0])
  await client.query('SET system_versioning_asof = @before')
  await client.query("SET time_zone = '+11:00'")
  expect(await first('SELECT COUNT(*) FROM past')).toEqual([0])
})
