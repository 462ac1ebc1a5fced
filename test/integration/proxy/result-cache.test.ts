import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Answer, Capability, Command, encodeCommand } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, RawClient } from '../../helpers/raw-client.js'
import { metric, until, value } from './observe.js'

/** Longer than any test. */
const FOR_EVER_MS = 3_600_000
const SLOW = { timeout: 60_000 }

describe.each<Engine>(['mysql', 'mariadb'])('the result cache on %s', (engine) => {
  let cluster: Cluster
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    const run = (sql: string) => cluster.execute(cluster.primary, sql)
    await run(`CREATE TABLE ${database}.t (id INT PRIMARY KEY, v VARCHAR(200), d DATETIME(3), b BLOB)`)
    await run(`INSERT INTO ${database}.t VALUES (1, 'one', '2026-01-02 03:04:05.678', x'00ff'), (2, NULL, NULL, NULL)`)
    await run(`CREATE TABLE ${database}.u (id INT PRIMARY KEY, v INT)`)
    await run(`INSERT INTO ${database}.u VALUES (1, 0)`)
    await cluster.waitForReplicas()
  })

  const ofTest: RunningProxy[] = []

  afterEach(async () => {
    await Promise.all(ofTest.splice(0).map((started) => started.stop()))
  })

  /** Caches every SELECT, which the primary answers: it never lags. Ended after the test. */
  async function start(cache: ConfigOverrides = {}, more: ConfigOverrides = {}): Promise<RunningProxy> {
    const proxy = await startProxy(cluster, {
      servers: [serverConfig(cluster.primary)],
      query_rules: [{ rule_id: 1, match_digest: '^SELECT', cache_ttl: FOR_EVER_MS, apply: 1 }],
      query_cache: { invalidation: 'table', ...cache },
      ...more,
    })
    ofTest.push(proxy)
    return proxy
  }

  const hits = (proxy: RunningProxy): Promise<number> => metric(proxy, 'sluice_query_cache_hits_total')

  /** Counters come once a second. */
  const untilHits = (proxy: RunningProxy, count: number): Promise<unknown> =>
    until(`${count} hits`, async () => (await hits(proxy)) === count)

  /** Counts hits by what the servers are not asked: a value that is changed behind Sluice's back. */
  async function changeUnheard(id: number, v: string): Promise<void> {
    await cluster.execute(cluster.primary, `UPDATE ${database}.t SET v = ? WHERE id = ?`, [v, id])
    await cluster.waitForReplicas()
  }

  const v = (client: Connection, id = 1): Promise<unknown> => value(client, `SELECT v FROM t WHERE id = ${id}`)

  const CLIENTS: [string, number][] = [
    ['classic EOF', PLAIN_CAPABILITIES],
    ['DEPRECATE_EOF', PLAIN_CAPABILITIES | Capability.DEPRECATE_EOF],
  ]

  it.each(CLIENTS)('gives the bytes that a server gives, as text: %s', SLOW, async (_name, capabilities) => {
    const proxy = await start()
    const connect = (port: number) => RawClient.connect({ port, capabilities, database })
    const [direct, first, second] = [
      await connect(cluster.primary.port),
      await connect(proxy.port),
      await connect(proxy.port),
    ]
    for (const sql of ['SELECT * FROM t ORDER BY id', 'SELECT v FROM t WHERE id = 1', 'SELECT * FROM t WHERE id = 9']) {
      const real = await direct.query(sql)
      expect(await first.query(sql), sql).toEqual(real)
      expect(await second.query(sql), sql).toEqual(real)
      expect(await first.query(sql), sql).toEqual(real)
    }
    await untilHits(proxy, 6)
    // What the client asks next is answered as if a server had been asked.
    expect(await second.query('SELECT FOUND_ROWS()')).toEqual(await direct.query('SELECT FOUND_ROWS()'))
  })

  it.each(CLIENTS)('gives the bytes that a server gives to executions: %s', SLOW, async (_name, capabilities) => {
    const proxy = await start()
    const connect = (port: number) => RawClient.connect({ port, capabilities, database })
    const clients = [await connect(cluster.primary.port), await connect(proxy.port), await connect(proxy.port)]
    const ids: number[] = []
    for (const client of clients) {
      const prepared = await client.send(
        encodeCommand(Command.STMT_PREPARE, Buffer.from('SELECT * FROM t WHERE id = ?')),
        Answer.prepare,
      )
      ids.push(prepared.readUInt32LE(5))
    }
    const execute = (index: number, id: number, withTypes: boolean): Promise<Buffer> => {
      const head = Buffer.alloc(9)
      head.writeUInt32LE(ids[index]!, 0)
      head.writeUInt32LE(1, 5)
      const types = withTypes ? [1, 0x08, 0x00] : [0]
      const number = Buffer.alloc(8)
      number.writeBigInt64LE(BigInt(id))
      const payload = Buffer.concat([head, Buffer.from([0, ...types]), number])
      return clients[index]!.command(Command.STMT_EXECUTE, payload)
    }
    // The second execution says nothing of types, also where the first was not sent to any server.
    for (const [id, withTypes] of [
      [1, true],
      [2, false],
      [1, false],
    ] as const) {
      const real = await execute(0, id, withTypes)
      expect(await execute(1, id, withTypes)).toEqual(real)
      expect(await execute(2, id, withTypes)).toEqual(real)
    }
    await untilHits(proxy, 4)
    const fresh = await execute(0, 9, false)
    expect(await execute(2, 9, false)).toEqual(fresh)
  })

  it('is kept of replicas once they are known to have all that was written', SLOW, async () => {
    const proxy = await start({}, { servers: cluster.servers.map((server) => serverConfig(server)) })
    const [reader, writer] = [await proxy.connect({ database }), await proxy.connect({ database })]
    for (let round = 1; round <= 3; round++) {
      await writer.query(`UPDATE t SET v = 'replicated ${round}' WHERE id = 1`)
      await until('the write to be seen', async () => (await v(reader)) === `replicated ${round}`)
      const before = await hits(proxy)
      await until('a hit', async () => {
        expect(await v(reader)).toBe(`replicated ${round}`)
        return (await hits(proxy)) > before
      })
    }
  })

  it('is ended by its time', SLOW, async () => {
    const proxy = await start({}, { query_rules: [{ rule_id: 1, match_digest: '^SELECT', cache_ttl: 1500, apply: 1 }] })
    const client = await proxy.connect({ database })
    const before = await v(client)
    await changeUnheard(1, 'past Sluice')
    expect(await v(client)).toBe(before)
    await until('the answer to be too old', async () => (await v(client)) === 'past Sluice')
  })

  it.each([1, 2])('is ended by a write of another session, of %i workers', SLOW, async (workers) => {
    const proxy = await start({}, { workers })
    const readers = await Promise.all(Array.from({ length: 6 }, () => proxy.connect({ database })))
    const writer = await proxy.connect({ database })
    for (let round = 1; round <= 20; round++) {
      for (const reader of readers) await v(reader)
      await writer.query(`UPDATE t SET v = 'round ${round}' WHERE id = 1`)
      for (const reader of readers) expect(await v(reader)).toBe(`round ${round}`)
    }
    await until('hits', async () => (await hits(proxy)) > 20)
    expect(await metric(proxy, 'sluice_query_cache_announcements_lost_total')).toBe(0)
  })

  it('is ended by the COMMIT of a transaction, and by what commits it without a word', SLOW, async () => {
    const proxy = await start()
    const [reader, writer] = [await proxy.connect({ database }), await proxy.connect({ database })]
    for (const [i, end] of ['COMMIT', 'BEGIN', 'SET autocommit = 1'].entries()) {
      const before = await v(reader, 2)
      await writer.query('SET autocommit = 0')
      await writer.query(`UPDATE t SET v = 'committed ${i}' WHERE id = 2`)
      expect(await v(reader, 2)).toBe(before)
      expect(await v(reader, 2)).toBe(before)
      await writer.query(end)
      expect(await v(reader, 2), end).toBe(`committed ${i}`)
      await writer.query('COMMIT')
      await writer.query('SET autocommit = 1')
    }
  })

  it('is not ended by a write to another table, unless any write ends it', SLOW, async () => {
    for (const [invalidation, stays] of [
      ['table', true],
      ['schema', false],
      ['any', false],
    ] as const) {
      const proxy = await start({ invalidation })
      const [reader, writer] = [await proxy.connect({ database }), await proxy.connect({ database })]
      const before = await v(reader)
      await writer.query('UPDATE u SET v = v + 1')
      await changeUnheard(1, `unheard ${invalidation}`)
      expect(await v(reader)).toBe(stays ? before : `unheard ${invalidation}`)
    }
  })

  it('is ended by its time alone where a rule says so, and by writes where none does', SLOW, async () => {
    const rule = (rule_id: number, match_pattern: string, attributes: string) => ({
      ...{ rule_id, match_pattern, attributes, cache_ttl: FOR_EVER_MS, apply: 1 },
    })
    const proxy = await start(
      { invalidation: 'any' },
      {
        query_rules: [
          rule(1, 'as_proxysql', '{"sluice": {"invalidation": "off", "consistency": "eventual"}}'),
          rule(2, 'by_time', '{"sluice": {"invalidation": "off"}}'),
          rule(3, '^SELECT', ''),
        ],
      },
    )
    const [reader, writer] = [await proxy.connect({ database }), await proxy.connect({ database })]
    const marked = (client: Connection, mark: string) => value(client, `SELECT v /* ${mark} */ FROM t WHERE id = 1`)
    await reader.query("UPDATE t SET v = 'first' WHERE id = 1")
    for (const mark of ['as_proxysql', 'by_time', 'neither']) expect(await marked(reader, mark)).toBe('first')
    for (let round = 1; round <= 5; round++) {
      await writer.query(`UPDATE t SET v = 'round ${round}' WHERE id = 1`)
      expect(await marked(reader, 'as_proxysql')).toBe('first')
      // At the level eventual not even what the session itself has written.
      expect(await marked(writer, 'as_proxysql')).toBe('first')
      expect(await marked(writer, 'by_time')).toBe(`round ${round}`)
      expect(await marked(reader, 'neither')).toBe(`round ${round}`)
    }
    const fresh = await proxy.connect({ database })
    expect(await marked(fresh, 'by_time')).toBe('round 5')
  })

  it('is ended by DDL and by statements of which nobody knows what they write', SLOW, async () => {
    const proxy = await start()
    const [reader, writer] = [await proxy.connect({ database }), await proxy.connect({ database })]
    const procedure = `CREATE PROCEDURE p() UPDATE t SET v = 'by a procedure' WHERE id = 1`
    await writer.query(procedure)
    await v(reader)
    await writer.query('CALL p()')
    expect(await v(reader)).toBe('by a procedure')
    await value(reader, 'SELECT COUNT(*) FROM t')
    await writer.query('ALTER TABLE t ADD COLUMN n INT DEFAULT 7')
    const [rows] = (await reader.query('SELECT * FROM t WHERE id = 1')) as unknown as [{ n: number }[]]
    expect(rows[0]!.n).toBe(7)
    await writer.query('ALTER TABLE t DROP COLUMN n')
    await writer.query('DROP PROCEDURE p')
  })

  it('lets a session read its own writes, whatever ends answers', SLOW, async () => {
    for (const invalidation of ['off', 'table', 'any']) {
      const proxy = await start({ invalidation })
      const client = await proxy.connect({ database })
      for (let round = 1; round <= 10; round++) {
        await v(client)
        await client.query(`UPDATE t SET v = 'mine ${round}' WHERE id = 1`)
        expect(await v(client), invalidation).toBe(`mine ${round}`)
      }
    }
  })

  it('is not given to another user, another schema, or other session variables', SLOW, async () => {
    const { user: name, password } = cluster.accounts.app
    const alias = { name: 'alias', password, backend_user: name, backend_password: password }
    const proxy = await start({}, { users: [{ name, password }, alias] })
    const client = await proxy.connect({ database })
    await v(client)
    await changeUnheard(1, 'another')
    expect(await v(client)).not.toBe('another')
    const others = [
      await proxy.connect({ database, user: 'alias' }),
      await proxy.connect({ database, charset: 'latin1_swedish_ci' }),
    ]
    const set = await proxy.connect({ database })
    await set.query("SET time_zone = '+05:00'")
    for (const other of [...others, set]) expect(await v(other)).toBe('another')
    const elsewhere = await proxy.connect()
    await elsewhere.query(`SELECT v FROM ${database}.t WHERE id = 1`)
    const alike = await proxy.connect({ database })
    expect(await v(alike)).not.toBe('another')
  })

  it('does not answer in a transaction, with a temporary table, or for a moment', SLOW, async () => {
    const proxy = await start()
    const client = await proxy.connect({ database })
    await v(client)
    await changeUnheard(1, 'seen by a server')
    expect(await v(client)).not.toBe('seen by a server')
    await client.query('BEGIN')
    expect(await v(client)).toBe('seen by a server')
    await client.query('COMMIT')
    await client.query("CREATE TEMPORARY TABLE t (id INT, v VARCHAR(200)) SELECT 1 AS id, 'temporary' AS v")
    expect(await v(client)).toBe('temporary')
    await client.query('DROP TEMPORARY TABLE t')
    const first = await value(client, 'SELECT NOW(6)')
    await pause(2)
    expect(await value(client, 'SELECT NOW(6)')).not.toEqual(first)
    expect(await value(client, 'SELECT UUID()')).not.toBe(await value(client, 'SELECT UUID()'))
  })

  it('keeps no errors, no warnings, and nothing that is too long', SLOW, async () => {
    const proxy = await start({ max_result: 2000 })
    const client = await proxy.connect({ database })
    for (let i = 0; i < 2; i++) {
      await expect(client.query('SELECT * FROM missing')).rejects.toMatchObject({ errno: 1146 })
      await client.query('SELECT 1/0')
      await client.query("SELECT REPEAT('x', 5000)")
    }
    await client.query('SELECT 1')
    await client.query('SELECT 1')
    await untilHits(proxy, 1)
    expect(await metric(proxy, 'sluice_query_cache_kept_total')).toBe(1)
  })
})
