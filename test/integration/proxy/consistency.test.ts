import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { createDatabase, ownCluster } from '../../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, metric, rejection, until, value } from './observe.js'

/** Longer than any test. */
const FOR_EVER_S = 3600
const SLOW = { timeout: 90_000 }

describe.each<Engine>(['mysql', 'mariadb'])('consistency on %s', (engine) => {
  let cluster: Cluster
  let database: string
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await ownCluster(engine, { replicas: 2 })
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 0)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster)
  }, 60_000)

  const ofTest: RunningProxy[] = []

  afterEach(async () => {
    await Promise.all(ofTest.splice(0).map((started) => started.stop()))
  })

  /** Ended after the test. */
  async function start(consistency: ConfigOverrides = {}, more: ConfigOverrides = {}): Promise<RunningProxy> {
    const started = await startProxy(cluster, { consistency, ...more })
    ofTest.push(started)
    return started
  }

  const connect = (of: RunningProxy = proxy): Promise<Connection> => of.connect({ database })
  const port = async (client: Connection, hint = ''): Promise<number> =>
    Number(await value(client, `${hint}SELECT @@port`))
  const isReplica = (at: number): boolean => cluster.replicas.some((replica) => replica.port === at)

  async function onReplica(client: Connection): Promise<void> {
    await until('reads to go to a replica', async () => isReplica(await port(client)))
  }

  /** A replica whose delay is changed does not replicate for a moment: who looked at it then does not read from it. */
  async function untilReadFrom(of: RunningProxy, replicas: readonly SandboxServer[]): Promise<void> {
    const client = await connect(of)
    await until('the replicas to be read again', async () => {
      const ports = new Set<number>()
      for (let i = 0; i < 20; i++) ports.add(await port(client, '/* sluice: replica */ '))
      return replicas.every((replica) => ports.has(replica.port))
    })
    await client.end()
  }

  async function whileLate(replicas: readonly SandboxServer[], work: () => Promise<void>): Promise<void> {
    for (const replica of replicas) await cluster.setReplicaDelay(replica, FOR_EVER_S)
    try {
      for (const of of [proxy, ...ofTest]) await untilReadFrom(of, replicas)
      await work()
    } finally {
      for (const replica of replicas) await cluster.setReplicaDelay(replica, 0)
      await cluster.waitForReplicas()
    }
  }

  it('what another session has just made is found, though no replica has it yet', SLOW, async () => {
    const [maker, reader, preparer] = [await connect(), await connect(), await connect()]
    await Promise.all([onReplica(reader), onReplica(preparer)])
    await whileLate(cluster.replicas, async () => {
      await maker.query('CREATE TABLE fresh (v INT)')
      await maker.query('INSERT INTO fresh VALUES (5)')
      expect(await rejection(reader.query('SELECT v FROM never_made'))).toMatchObject({ errno: 1146 })
      expect(await value(reader, 'SELECT v FROM fresh')).toBe(5)
      const [rows] = await preparer.execute('SELECT v FROM fresh WHERE v > ?', [0])
      expect(rows).toEqual([{ v: 5 }])
      expect(await rejection(reader.query('/* sluice: replica */ SELECT v FROM fresh'))).toMatchObject({ errno: 1146 })
    })
  })

  describe('the level', () => {
    it('is what the configuration says, and SET sluice_consistency changes it for the session until it is set back', async () => {
      const client = await connect()
      expect(await value(client, 'SELECT @@sluice_consistency')).toBe('session')
      for (const [set, expected] of [
        ["SET sluice_consistency = 'eventual'", 'eventual'],
        ['SET SESSION sluice_consistency = strong', 'strong'],
        ["SET @@sluice_consistency = 'token'", 'token'],
        ["SET @@session.sluice_consistency = 'EVENTUAL'", 'eventual'],
        ['SET sluice_consistency = DEFAULT', 'session'],
      ] as const) {
        await client.query(set)
        expect(await value(client, 'SELECT @@session.sluice_consistency AS level'), set).toBe(expected)
      }
      await client.query('SET sluice_consistency = strong')
      await client.changeUser({ user: 'app', password: 'app', database } as never).catch(() => {})
      expect(await value(await connect(), 'SELECT @@sluice_consistency')).toBe('session')
    })

    it('that does not exist is refused with what would be right, and changes nothing', async () => {
      const client = await connect()
      const refusal = await rejection(client.query("SET sluice_consistency = 'sometimes'"))
      expect(refusal).toMatchObject({ errno: 1231, sqlState: '42000' })
      expect(refusal.message).toContain('expected eventual, session, token, global or strong, or DEFAULT')
      expect(await rejection(client.query("SET sluice_consistency = 'strong', sql_mode = ''"))).toMatchObject({
        errno: 1231,
      })
      expect(await rejection(client.query("SET GLOBAL sluice_consistency = 'strong'"))).toMatchObject({ errno: 1228 })
      expect(await value(client, 'SELECT @@sluice_consistency')).toBe('session')
    })

    it('is read and set by prepared statements as well, with a parameter or without', async () => {
      const client = await connect()
      const level = async () => {
        const [rows, fields] = await client.execute('SELECT @@sluice_consistency AS level')
        expect(fields.map(({ name }) => name)).toEqual(['level'])
        return (rows as RowDataPacket[])[0]['level']
      }
      expect(await level()).toBe('session')
      await client.execute("SET @@sluice_consistency = 'eventual'")
      expect(await level()).toBe('eventual')
      // Each prepared once, executed again and again.
      for (const value of ['strong', 'token', 'strong']) {
        await client.execute('SET SESSION sluice_consistency = ?', [value])
        expect(await level()).toBe(value)
      }
      expect(await port(client)).toBe(cluster.primary.port)
      for (const value of ['sometimes', null, 7]) {
        const refusal = await rejection(client.execute('SET SESSION sluice_consistency = ?', [value]))
        expect(refusal).toMatchObject({ errno: 1231, sqlState: '42000' })
      }
      expect(await level()).toBe('strong')
      await client.execute('SET sluice_consistency = DEFAULT')
      expect(await level()).toBe('session')
      expect(await rejection(client.execute("SET GLOBAL sluice_consistency = 'strong'"))).toMatchObject({ errno: 1228 })
      client.unprepare('SELECT @@sluice_consistency AS level')
      expect(await level()).toBe('session')
      // The connection goes on as any other.
      expect(await value(client, 'SELECT 7')).toBe(7)
    })

    it('strong reads from the primary, by session, hint and user', async () => {
      const client = await connect()
      await onReplica(client)
      expect(await port(client, '/* sluice: consistency=strong */ ')).toBe(cluster.primary.port)
      await client.query('SET sluice_consistency = strong')
      expect(await port(client)).toBe(cluster.primary.port)
      const { user, password } = cluster.accounts.app
      const strict = await start({}, { users: [{ name: user, password, consistency: 'strong' }] })
      const other = await connect(strict)
      expect(await port(other)).toBe(cluster.primary.port)
      await other.query('SET sluice_consistency = eventual')
      expect(isReplica(await port(other))).toBe(true)
    })

    it('eventual reads from replicas right after a write, and session does not', SLOW, async () => {
      await whileLate(cluster.replicas, async () => {
        const client = await connect()
        await until('replicas to be read', async () =>
          isReplica(await port(client, '/* sluice: consistency=eventual */ ')),
        )
        await client.query('UPDATE t SET v = v + 1 WHERE id = 1')
        const now = await value(client, 'SELECT v FROM t WHERE id = 1')
        expect(await value(client, '/* sluice: consistency=eventual */ SELECT v FROM t WHERE id = 1')).toBe(
          Number(now) - 1,
        )
        expect(await value(client, 'SELECT v FROM t WHERE id = 1')).toBe(now)
      })
    })

    it('in a hint that is not understood never breaks a statement: it runs on the primary, and is counted', async () => {
      const client = await connect()
      await onReplica(client)
      const before = await metric(proxy, 'sluice_consistency_hints_unknown_total')
      expect(await port(client, '/* sluice: consistency=sesion */ ')).toBe(cluster.primary.port)
      await until(
        'the hint to be counted',
        async () => (await metric(proxy, 'sluice_consistency_hints_unknown_total')) === before + 1,
      )
    })
  })

  it('a session sees what it has written to a table without transactions, within a transaction', SLOW, async () => {
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.plain (id INT) ENGINE = MyISAM`)
    await cluster.waitForReplicas()
    const client = await connect()
    await onReplica(client)
    await whileLate(cluster.replicas, async () => {
      await client.query('BEGIN')
      await client.query('INSERT INTO plain VALUES (1)')
      await client.query('COMMIT')
      expect(await value(client, 'SELECT COUNT(*) FROM plain')).toBe(1)
    })
  })

  it('a session never sees less than it has seen, whichever replica it comes to', SLOW, async () => {
    const [late, other] = cluster.replicas
    await whileLate([late], async () => {
      const [writer, readers] = [await connect(), await Promise.all(Array.from({ length: 8 }, () => connect()))]
      for (let round = 0; round < 20; round++) {
        await writer.query('UPDATE t SET v = v + 1 WHERE id = 1')
        for (const reader of readers) {
          const seen = Number(await value(reader, 'SELECT v FROM t WHERE id = 1'))
          expect(Number(await value(reader, 'SELECT v FROM t WHERE id = 1'))).toBeGreaterThanOrEqual(seen)
        }
      }
      expect(other.port).not.toBe(late.port)
    })
  })

  it('sessions that read without a pause take up a replica that comes back', SLOW, async () => {
    const [gone, other] = cluster.replicas
    const of = await start({ causal_wait: 1_000 })
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect(of)))
    const ports: (number | null)[] = clients.map(() => null)
    let ended = false
    const reading = clients.map(async (client, own) => {
      for (; !ended; ) ports[own] = await port(client)
    })
    const setStatus = async (status: string): Promise<void> => {
      await admin(of, `UPDATE mysql_servers SET status = '${status}' WHERE port = ${gone.port}`)
      await admin(of, 'LOAD MYSQL SERVERS TO RUNTIME')
    }
    await setStatus('OFFLINE_SOFT')
    await until('the other one to have all reads', () => ports.every((at) => at === other.port))
    await setStatus('ONLINE')
    await until('the replica to be read again', () => ports.includes(gone.port), 60_000)
    ended = true
    await Promise.all(reading)
  })

  describe('a read that finds no replica with its own write', () => {
    it.each(['utf8mb4_general_ci', 'utf16_general_ci'])(
      'waits for one that is about to have it, so that writing sessions read from replicas, whatever a literal is (%s)',
      SLOW,
      async (collation) => {
        const waiting = await start({ causal_wait: 2000 })
        const client = await connect(waiting)
        await client.query(`SET collation_connection = ${collation}`)
        await onReplica(client)
        let fromReplicas = 0
        for (let i = 0; i < 50; i++) {
          await client.query('UPDATE t SET v = ? WHERE id = 1', [i])
          const [rows] = (await client.query('SELECT v, @@port AS port FROM t WHERE id = 1')) as unknown as [
            { v: number; port: number }[],
          ]
          expect(rows[0].v).toBe(i)
          if (isReplica(rows[0].port)) fromReplicas++
        }
        expect(fromReplicas).toBeGreaterThan(40)
        await until('the waits to be counted', async () => (await metric(waiting, 'sluice_causal_waits_total')) > 0)
      },
    )

    it('does not wait longer than causal_wait, and not for a replica that is far behind', SLOW, async () => {
      const waiting = await start({ causal_wait: 100 })
      const client = await connect(waiting)
      await onReplica(client)
      await whileLate(cluster.replicas, async () => {
        for (let i = 100; i < 110; i++) {
          await client.query('UPDATE t SET v = ? WHERE id = 1', [i])
          const began = performance.now()
          expect(await value(client, 'SELECT v FROM t WHERE id = 1')).toBe(i)
          expect(performance.now() - began).toBeLessThan(2000)
          expect(await port(client)).toBe(cluster.primary.port)
        }
      })
      await onReplica(client)
    })
  })

  it(
    'a session that has read in transactions on the primary comes back to the replicas though it never pauses',
    SLOW,
    async () => {
      const busy = await start({ causal_wait: 2000 })
      const client = await connect(busy)
      let fromReplicas = 0
      for (let i = 0; i < 10; i++) {
        await client.query('BEGIN')
        await client.query('SELECT v FROM t WHERE id = 1 FOR UPDATE')
        await client.query('UPDATE t SET v = v + 1 WHERE id = 1')
        await client.query('COMMIT')
        for (let read = 0; read < 30; read++) if (isReplica(await port(client))) fromReplicas++
      }
      expect(fromReplicas).toBeGreaterThan(150)
    },
  )

  describe('a causal key', () => {
    const workers = [1, 3]

    it.each(workers)('lets every session read what was written under it, with %i workers', SLOW, async (count) => {
      const [late] = cluster.replicas
      const shared = await start({}, { workers: count })
      const clients = await Promise.all(Array.from({ length: 8 }, () => connect(shared)))
      await whileLate([late], async () => {
        for (let i = 0; i < 60; i++) {
          const [writer, reader] = [clients[i % 8], clients[(i * 5 + 3) % 8]]
          await writer.query('/* sluice: causal=user-42 */ UPDATE t SET v = ? WHERE id = 1', [1000 + i])
          expect(await value(reader, '/* sluice: causal=user-42 */ SELECT v FROM t WHERE id = 1')).toBe(1000 + i)
        }
      })
      await until(
        'no announcement to be lost',
        async () => (await metric(shared, 'sluice_causal_announcements_lost_total')) === 0,
      )
    })

    it('covers a transaction from its first statement under the key to its commit', SLOW, async () => {
      const [writer, reader] = [await connect(), await connect()]
      await whileLate(cluster.replicas, async () => {
        await writer.query('BEGIN')
        await writer.query('/* sluice: causal=order-7 */ UPDATE t SET v = 7777 WHERE id = 1')
        await writer.query('COMMIT')
        expect(await value(reader, '/* sluice: causal=order-7 */ SELECT v FROM t WHERE id = 1')).toBe(7777)
      })
    })
  })

  describe('a position', () => {
    it('of SLUICE_POSITION() makes a read elsewhere see what was committed', SLOW, async () => {
      const [here, there] = [await connect(), await connect(await start())]
      await whileLate(cluster.replicas, async () => {
        await here.query('UPDATE t SET v = 31337 WHERE id = 1')
        const position = String(await value(here, 'SELECT SLUICE_POSITION()'))
        expect(position).toMatch(engine === 'mysql' ? /^[0-9a-f-]{36}:\S+$/ : /^\d+-\d+-\d+/)
        expect(await value(there, `/* sluice: position=${position} */ SELECT v FROM t WHERE id = 1`)).toBe(31337)
      })
    })

    it('has the column name that the client wrote', async () => {
      const client = await connect()
      for (const [sql, name] of [
        ['select sluice_position ( )', 'sluice_position ( )'],
        ['SELECT SLUICE_POSITION() AS p', 'p'],
        ['SELECT SLUICE_POSITION() `my position`;', 'my position'],
      ]) {
        for (const [, fields] of [await client.query(sql), await client.execute(sql)]) {
          expect(
            fields.map((field) => field.name),
            sql,
          ).toEqual([name])
        }
      }
    })

    it('of a prepared SELECT SLUICE_POSITION() is that of the moment when it is executed, also between reads', async () => {
      const client = await connect()
      await onReplica(client)
      const position = async () => {
        const [[row]] = (await client.execute('SELECT SLUICE_POSITION() AS p')) as RowDataPacket[][]
        return String(row['p'])
      }
      const before = await position()
      expect(await position()).toBe(before)
      await client.query('UPDATE t SET v = v + 1 WHERE id = 1')
      const after = await position()
      expect(after).not.toBe(before)
      expect(after).toBe(await value(client, 'SELECT SLUICE_POSITION()'))
    })
  })

  describe('lag', () => {
    it('of a statement may be limited by max_lag, in ms', SLOW, async () => {
      const client = await connect()
      await onReplica(client)
      await whileLate(cluster.replicas, async () => {
        const eventual = '/* sluice: consistency=eventual */ '
        await until('the replicas to be read', async () => isReplica(await port(client, eventual)))
        await cluster.execute(cluster.primary, `UPDATE ${database}.t SET v = v + 1`)
        const limited = '/* sluice: consistency=eventual max_lag=500ms */ '
        expect(isReplica(await port(client, eventual))).toBe(true)
        await until('the limit to be exceeded', async () => (await port(client, limited)) === cluster.primary.port)
        expect(isReplica(await port(client, eventual))).toBe(true)
      })
    })

    it('over the limit lets a statement that runs there finish', SLOW, async () => {
      const servers = cluster.servers.map((server) => serverConfig(server, { max_replication_lag: '500ms' }))
      const strict = await start({}, { servers })
      const client = await connect(strict)
      await onReplica(client)
      await whileLate(cluster.replicas, async () => {
        await onReplica(client)
        const running = value(client, '/* sluice: consistency=eventual */ SELECT CONCAT(@@port, SLEEP(4))')
        await cluster.execute(cluster.primary, `UPDATE ${database}.t SET v = v + 1`)
        await until('the replicas to be set aside', async () => {
          const rows = await admin(
            strict,
            "SELECT * FROM runtime_mysql_servers WHERE hostgroup_id = 1 AND status = 'SHUNNED'",
          )
          return rows.length === 2
        })
        expect(isReplica(Number(String(await running).slice(0, -1)))).toBe(true)
      })
    })

    it('over the limit keeps replicas_min replicas in use', SLOW, async () => {
      const servers = cluster.servers.map((server) => serverConfig(server, { max_replication_lag: '500ms' }))
      const keeping = await start({ replicas_min: 1, level: 'eventual' }, { servers })
      const client = await connect(keeping)
      await whileLate(cluster.replicas, async () => {
        await cluster.execute(cluster.primary, `UPDATE ${database}.t SET v = v + 1`)
        await until('one replica to be set aside', async () => {
          const rows = await admin(
            keeping,
            "SELECT * FROM runtime_mysql_servers WHERE hostgroup_id = 1 AND status = 'SHUNNED'",
          )
          return rows.length === 1
        })
        for (let i = 0; i < 20; i++) expect(isReplica(await port(client))).toBe(true)
      })
    })

    it('of all replicas sends no more reads to the primary than max_primary_spill', SLOW, async () => {
      const servers = cluster.servers.map((server) => serverConfig(server, { max_replication_lag: '500ms' }))
      const bounded = await start({ max_primary_spill: 2, level: 'eventual' }, { servers })
      const clients = await Promise.all(Array.from({ length: 6 }, () => connect(bounded)))
      await whileLate(cluster.replicas, async () => {
        await onReplica(clients[0])
        await cluster.execute(cluster.primary, `UPDATE ${database}.t SET v = v + 1`)
        await until('the replicas to be set aside', async () => (await port(clients[0])) === cluster.primary.port)
        const ports = await Promise.all(clients.map((client) => value(client, 'SELECT CONCAT(@@port, SLEEP(1))')))
        const onPrimary = ports.filter((at) => String(at).slice(0, -1) === String(cluster.primary.port))
        expect(onPrimary.length).toBe(2)
      })
    })
  })

  it('a statement that only seems to read is repeated on the primary, and stays there', SLOW, async () => {
    await cluster.execute(
      cluster.primary,
      `CREATE FUNCTION ${database}.hidden() RETURNS INT READS SQL DATA BEGIN UPDATE ${database}.t SET v = v + 1 WHERE id = 1; RETURN 1; END`,
    )
    await cluster.waitForReplicas()
    const learning = await start({}, { monitor: { routines_interval: 1000 } })
    const client = await connect(learning)
    await onReplica(client)
    // As soon as the catalogue says that the function reads at most, replicas get the call.
    await until('the call to be refused by a replica', async () => {
      await client.query('SELECT hidden()')
      return (await metric(learning, 'sluice_writes_learned_total')) > 0
    })
    const before = Number(await value(client, 'SELECT v FROM t WHERE id = 1'))
    const learned = await metric(learning, 'sluice_writes_learned_total')
    for (let i = 1; i <= 5; i++) {
      expect(await value(client, 'SELECT hidden()')).toBe(1)
      expect(await value(client, 'SELECT v FROM t WHERE id = 1')).toBe(before + i)
    }
    expect(await metric(learning, 'sluice_writes_learned_total')).toBe(learned)
    const [row] = await until('the digest to be shown', async () => {
      const rows = await admin(learning, 'SELECT * FROM stats.stats_sluice_learned_digests')
      return rows.length > 0 ? rows : null
    })
    expect(row['digest_text'].toLowerCase()).toContain('hidden()')
    expect(row['error']).toMatch(/^(1290|1792|1836) /)
    // Writes in transactions that are READ ONLY are refused as ever.
    await client.query('START TRANSACTION READ ONLY')
    await expect(client.query('UPDATE t SET v = 1')).rejects.toMatchObject({ errno: 1792 })
    await client.query('ROLLBACK')
  })
})
