import { PassThrough } from 'node:stream'
import type { Connection } from 'mysql2/promise'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { rejection, running, until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
const QUERY_TIMEOUT = 400
const LIMITS = { default_query_timeout: QUERY_TIMEOUT, max_transaction_idle_time: 500, max_transaction_time: 2_000 }
/** Of the account that has limits of its own. */
const OWN_TRANSACTION_TIME = 700

/** What a client is told, by engine. */
const TIMEOUT = { mysql: { errno: 3024, sqlState: 'HY000' }, mariadb: { errno: 1969, sqlState: '70100' } }
const LOST = { mysql: { errno: 1053, sqlState: '08S01' }, mariadb: { errno: 1927, sqlState: '70100' } }

describe.each<Engine>(['mysql', 'mariadb'])('limits of time in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let table: string
  let account: string
  let client: Connection

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    account = database
    table = `${database}.t`
    await cluster.execute(cluster.primary, `CREATE TABLE ${table} (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `CREATE USER ${account}@'%' IDENTIFIED BY 'own'`)
    await cluster.execute(cluster.primary, `GRANT ALL ON ${database}.* TO ${account}@'%'`)
    await cluster.waitForReplicas()
    const { user: name, password } = cluster.accounts.app
    const own = { name: account, password: 'own', query_timeout: 0, max_transaction_time: OWN_TRANSACTION_TIME }
    const limits = { ...LIMITS, connect_timeout_server_max: 20_000 }
    const servers = cluster.servers.map((server) => serverConfig(server, { max_connections: 50 }))
    proxy = await startProxy(cluster, { users: [{ name, password }, own], limits, servers })
  })

  beforeEach(async () => {
    await cluster.execute(cluster.primary, `REPLACE INTO ${table} VALUES (1, 0)`)
    client = await proxy.connect()
  })

  const ownClient = () => proxy.connect({ user: account, password: 'own' })
  /** Lines of the log that tell of a limit. */
  const told = (limit: string) => proxy.log().filter((line) => line['limit'] === limit)
  const untilTold = (limit: string, times: number) =>
    until(`the log to tell of ${limit}`, () => told(limit).length === times)
  const onPrimary = async () => (await cluster.execute<{ v: number }[]>(cluster.primary, `SELECT v FROM ${table}`))[0].v

  describe('query_timeout', () => {
    it.each(['replica', 'primary'])('a statement on a %s that takes longer is killed there', SLOW, async (place) => {
      const before = told('query_timeout').length
      const mark = `too_long_${place}_${engine}`
      const error = await rejection(
        client.query(`SELECT /* sluice: ${place} */ /* ${mark} */ 1 FROM ${table} WHERE SLEEP(30)`),
      )
      expect(error).toMatchObject(TIMEOUT[engine])
      expect(error.message).toContain(`query_timeout of ${QUERY_TIMEOUT} ms exceeded`)
      for (const server of cluster.servers) expect(await running(cluster, server, mark)).toBe(0)
      expect(await value(client, 'SELECT 5')).toBe(5)
      await untilTold('query_timeout', before + 1)
      expect(told('query_timeout').at(-1)).toMatchObject({ user: 'app', limitMs: QUERY_TIMEOUT })
    })

    it('a prepared statement is killed too', SLOW, async () => {
      const error = await rejection(client.execute(`SELECT 1 FROM ${table} WHERE SLEEP(?)`, [30]))
      expect(error).toMatchObject(TIMEOUT[engine])
      expect(await value(client, 'SELECT 5')).toBe(5)
    })

    it('leaves the transaction open in which the statement waited for a lock', SLOW, async () => {
      const holder = await ownClient()
      await holder.query('BEGIN')
      await holder.query(`UPDATE ${table} SET v = v + 1 WHERE id = 1`)
      await client.query('BEGIN')
      await client.query(`INSERT INTO ${table} VALUES (2, 2)`)
      expect(await rejection(client.query(`UPDATE ${table} SET v = 9 WHERE id = 1`))).toMatchObject(TIMEOUT[engine])
      expect(await value(client, `SELECT COUNT(*) FROM ${table} WHERE id = 2`)).toBe(1)
      await client.query('ROLLBACK')
      await holder.query('ROLLBACK')
      expect(await value(client, `SELECT /* sluice: primary */ COUNT(*) FROM ${table}`)).toBe(1)
    })

    it('a statement of a user without it takes as long as it takes', SLOW, async () => {
      const patient = await ownClient()
      expect(await value(patient, `SELECT COUNT(*) FROM ${table} WHERE SLEEP(${(2 * QUERY_TIMEOUT) / 1000}) = 0`)).toBe(
        1,
      )
    })

    it('a file that a client sends slowly may take longer', SLOW, async () => {
      const file = new PassThrough()
      file.write('3,3\n')
      setTimeout(() => file.end('4,4\n'), 2 * QUERY_TIMEOUT)
      const sql = `LOAD DATA LOCAL INFILE 'x' INTO TABLE ${table} FIELDS TERMINATED BY ','`
      await client.query({ sql, infileStreamFactory: () => file })
      expect(await value(client, `SELECT COUNT(*) FROM ${table} WHERE id IN (3, 4)`)).toBe(2)
      await client.query(`DELETE FROM ${table} WHERE id IN (3, 4)`)
    })

    it('counts the wait for a server connection', SLOW, async () => {
      const { user: name, password } = cluster.accounts.app
      const servers = cluster.servers.map((server) => serverConfig(server, { max_connections: 1 }))
      const limits = { default_query_timeout: QUERY_TIMEOUT, connect_timeout_server_max: 20_000 }
      const narrow = await startProxy(cluster, { users: [{ name, password }], limits, servers })
      const [first, second] = [await narrow.connect(), await narrow.connect()]
      await first.query('BEGIN')
      await first.query(`SELECT * FROM ${table} FOR UPDATE`)
      expect(await rejection(second.query(`SELECT * FROM ${table} FOR UPDATE`))).toMatchObject(TIMEOUT[engine])
      await first.query('COMMIT')
    })

    it('a KILL that comes too late does not hit the next statement', SLOW, async () => {
      const outcomes = new Set<string>()
      for (let ms = QUERY_TIMEOUT - 30; ms < QUERY_TIMEOUT + 90; ms += 8) {
        const slept = client.query(`SELECT 1 FROM ${table} WHERE SLEEP(${ms / 1000})`)
        outcomes.add(await slept.then(() => 'done').catch(({ errno }: { errno: number }) => String(errno)))
        expect(await value(client, `SELECT COUNT(*) FROM ${table} WHERE SLEEP(0.02) = 0`)).toBe(1)
      }
      expect([...outcomes].sort()).toEqual([String(TIMEOUT[engine].errno), 'done'])
    })
  })

  describe('max_transaction_idle_time', () => {
    it('a transaction in which nothing happens is rolled back, and the next command is told so', SLOW, async () => {
      const before = told('max_transaction_idle_time').length
      await client.query('BEGIN')
      await client.query(`UPDATE ${table} SET v = 7 WHERE id = 1`)
      // The server has let the lock go.
      await cluster.execute(cluster.primary, `UPDATE ${table} SET v = v + 1 WHERE id = 1`)
      const error = await rejection(client.query(`UPDATE ${table} SET v = 8 WHERE id = 1`))
      expect(error).toMatchObject(LOST[engine])
      expect(error.message).toContain('max_transaction_idle_time of 500 ms exceeded')
      expect(await onPrimary()).toBe(1)
      await client.query(`UPDATE ${table} SET v = 9 WHERE id = 1`)
      expect(await onPrimary()).toBe(9)
      await untilTold('max_transaction_idle_time', before + 1)
    })

    it('a ROLLBACK of such a transaction has what it asks for', SLOW, async () => {
      await client.query('BEGIN')
      await client.query(`UPDATE ${table} SET v = 7 WHERE id = 1`)
      await cluster.execute(cluster.primary, `UPDATE ${table} SET v = v + 1 WHERE id = 1`)
      await client.query('ROLLBACK')
      expect(await value(client, 'SELECT 5')).toBe(5)
    })

    it('a session that is idle outside of a transaction is left alone', SLOW, async () => {
      const before = told('max_transaction_idle_time').length
      const idle = await proxy.connect()
      expect(await value(idle, 'SELECT 5')).toBe(5)
      // Another one is idle for as long.
      await client.query('BEGIN')
      await client.query(`SELECT * FROM ${table} FOR UPDATE`)
      await untilTold('max_transaction_idle_time', before + 1)
      expect(await value(idle, 'SELECT 5')).toBe(5)
    })
  })

  describe('max_transaction_time', () => {
    it('a statement in a transaction that is open for too long is told at once', SLOW, async () => {
      const before = told('max_transaction_time').length
      const own = await ownClient()
      const mark = `in_transaction_${engine}`
      await own.query('BEGIN')
      await own.query(`UPDATE ${table} SET v = 7 WHERE id = 1`)
      const error = await rejection(own.query(`SELECT /* ${mark} */ 1 FROM ${table} WHERE SLEEP(30)`))
      expect(error).toMatchObject(LOST[engine])
      expect(error.message).toContain(`max_transaction_time of ${OWN_TRANSACTION_TIME} ms exceeded`)
      expect(error.message).toContain('the transaction was not committed')
      await until('the statement to end', async () => (await running(cluster, cluster.primary, mark, account)) === 0)
      expect(await value(own, 'SELECT 5')).toBe(5)
      await until('the transaction to be rolled back', async () => (await onPrimary()) === 0)
      await untilTold('max_transaction_time', before + 1)
    })

    it('one transaction after the other may go on for ever', SLOW, async () => {
      const own = await ownClient()
      await own.query('SET autocommit = 0')
      const end = performance.now() + 3 * OWN_TRANSACTION_TIME
      while (performance.now() < end) {
        await own.query(`UPDATE ${table} SET v = v + 1 WHERE id = 1`)
        await own.query('COMMIT AND CHAIN')
      }
      await own.query('ROLLBACK')
    })
  })

  it('what was exceeded is counted by limit', async () => {
    for (const limit of ['query_timeout', 'max_transaction_time', 'max_transaction_idle_time']) {
      const times = told(limit).length
      expect(times).toBeGreaterThan(0)
      await until(`${limit} to be counted`, async () =>
        (await proxy.metrics()).includes(`sluice_time_limits_exceeded_total{limit="${limit}"} ${times}\n`),
      )
    }
  })
})
