import type { Connection, RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { rejection, until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
/** Longer than any test. */
const FOR_EVER_S = 3600

describe.each<Engine>(['mysql', 'mariadb'])('statements on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await ownCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY AUTO_INCREMENT, port INT)`)
    await cluster.execute(
      cluster.primary,
      `CREATE PROCEDURE ${database}.add_one() INSERT INTO t (port) VALUES (@@port)`,
    )
    await cluster.execute(
      cluster.primary,
      `CREATE FUNCTION ${database}.adding() RETURNS INT MODIFIES SQL DATA BEGIN
        INSERT INTO ${database}.t (port) VALUES (@@port); RETURN @@port; END`,
    )
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster)
  })

  const connect = (options = {}): Promise<Connection> => proxy.connect({ database, ...options })
  const primary = (): number => cluster.primary.port
  const replicas = (): number[] => cluster.replicas.map(({ port }) => port)
  /** Port of the server on which a read runs. */
  const port = async (client: Connection, hint = ''): Promise<number> =>
    Number(await value(client, `${hint}SELECT @@port`))

  /** Where reads go that are not held to what their session has seen. */
  const spread = (client: Connection, reads: number) => portsOf(client, reads, '/* sluice: consistency=eventual */ ')

  async function portsOf(client: Connection, reads: number, hint = ''): Promise<Map<number, number>> {
    const ports = new Map<number, number>()
    for (let i = 0; i < reads; i++) {
      const at = await port(client, hint)
      ports.set(at, (ports.get(at) ?? 0) + 1)
    }
    return ports
  }

  /** What the primary itself says to a write in a READ ONLY transaction. */
  async function refusedDirectly(write: string): Promise<object> {
    const client = await connect({ port: primary() })
    await client.query('START TRANSACTION READ ONLY')
    const { errno, sqlState, message } = await rejection(client.query(write))
    return { errno, sqlState, message }
  }

  async function onReplica(client: Connection): Promise<void> {
    await until('reads to go to a replica', async () => replicas().includes(await port(client)))
  }

  it('writes run on the primary, reads on replicas', async () => {
    const client = await connect()
    await onReplica(client)
    await client.query('INSERT INTO t (port) VALUES (@@port)')
    expect(await value(client, 'SELECT port FROM t ORDER BY id DESC LIMIT 1')).toBe(primary())
    await client.query('DELETE FROM t')
  })

  it('reads are shared among replicas by weight; weight 0 gets none as long as there is another', SLOW, async () => {
    const [one, two] = cluster.replicas
    const servers = [
      serverConfig(cluster.primary),
      serverConfig(one, { weight: 3 }),
      serverConfig(two, { weight: 1 }),
      serverConfig(one, { weight: 0, hostgroup: 5 }),
      serverConfig(two, { weight: 1, hostgroup: 5 }),
      serverConfig(one, { weight: 0, hostgroup: 6 }),
    ]
    const client = await (await startProxy(cluster, { servers })).connect()
    const threeToOne = await spread(client, 400)
    // 300 expected of 400, standard deviation 8.7; fewer or more where one of them answers much slower (replica-choice.ts).
    expect(threeToOne.get(one.port)).toBeGreaterThan(190)
    expect(threeToOne.get(one.port)).toBeLessThan(395)
    expect(threeToOne.get(two.port)).toBe(400 - threeToOne.get(one.port)!)
    for (let i = 0; i < 20; i++) expect(await port(client, '/* hostgroup=5 */ ')).toBe(two.port)
    expect(await port(client, '/* hostgroup=6 */ ')).toBe(one.port)
  })

  describe('with a limit for lag', () => {
    let client: Connection

    beforeAll(async () => {
      const servers = cluster.servers.map((server) => serverConfig(server, { max_replication_lag: 1 }))
      client = await (await startProxy(cluster, { servers })).connect({ database })
    })

    it('are not read from a replica behind it, and are again when it has caught up', SLOW, async () => {
      const [late, other] = cluster.replicas
      await until('both replicas to be read', async () => (await spread(client, 20)).size === 2)
      await cluster.setReplicaDelay(late, FOR_EVER_S)
      try {
        await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (port) VALUES (0)`)
        await until('the late replica to be left alone', async () => !(await spread(client, 20)).has(late.port))
        expect([...(await spread(client, 20)).keys()]).toEqual([other.port])
      } finally {
        await cluster.setReplicaDelay(late, 0)
      }
      await until('both replicas to be read again', async () => (await spread(client, 20)).size === 2)
    })

    it('are read from the primary when no replica qualifies, and from replicas again by themselves', SLOW, async () => {
      await onReplica(client)
      for (const replica of cluster.replicas) await cluster.stopReplication(replica)
      try {
        await until('reads to go to the primary', async () => (await port(client)) === primary(), 30_000)
      } finally {
        for (const replica of cluster.replicas) await cluster.startReplication(replica)
      }
      await onReplica(client)
    })
  })

  describe('in transactions', () => {
    it('all run on the primary until COMMIT or ROLLBACK', async () => {
      const client = await connect()
      for (const [begin, end] of [
        ['BEGIN', 'COMMIT'],
        ['START TRANSACTION', 'ROLLBACK'],
        ['START TRANSACTION WITH CONSISTENT SNAPSHOT', 'COMMIT'],
        ['START TRANSACTION READ WRITE', 'ROLLBACK'],
      ]) {
        await client.query(begin)
        expect([...(await portsOf(client, 5)).keys()], begin).toEqual([primary()])
        await client.query(end)
        await onReplica(client)
      }
    })

    it('that are READ ONLY all run on one replica, and refuse writes in the words of the primary', async () => {
      const client = await connect()
      await onReplica(client)
      await client.query('START TRANSACTION READ ONLY')
      const ports = [...(await portsOf(client, 10)).keys()]
      expect(ports).toHaveLength(1)
      expect(replicas()).toContain(ports[0])
      for (const write of [
        'INSERT INTO t (port) VALUES (1)',
        'UPDATE t SET port = 1',
        'SELECT adding()',
        'CALL add_one()',
      ]) {
        const refusal = await refusedDirectly(write)
        expect(refusal).toMatchObject({ errno: 1792, sqlState: '25006' })
        await expect(client.query(write), write).rejects.toMatchObject(refusal)
        await expect(client.execute(write), write).rejects.toMatchObject(refusal)
      }
      expect([...(await portsOf(client, 3)).keys()]).toEqual(ports)
      await client.query('COMMIT')
      await onReplica(client)
    })

    it('that are READ ONLY end with what commits them, which is executed as on the primary', async () => {
      const client = await connect()
      await client.query('START TRANSACTION READ ONLY')
      await onReplica(client)
      await client.query('CREATE TABLE made_meanwhile (id INT)')
      await client.query('DROP TABLE made_meanwhile')
      await client.query('START TRANSACTION READ ONLY')
      await port(client)
      await client.query('START TRANSACTION READ WRITE')
      await client.query('INSERT INTO t (port) VALUES (@@port)')
      expect(await value(client, 'SELECT port FROM t WHERE id = LAST_INSERT_ID()')).toBe(primary())
      await client.query('ROLLBACK')
    })

    it('reads with autocommit = 0 run on the primary and see one snapshot until COMMIT', async () => {
      const [client, other] = [await connect(), await connect()]
      await client.query('SET autocommit = 0')
      const before = await value(client, 'SELECT COUNT(*) FROM t')
      expect([...(await portsOf(client, 5)).keys()]).toEqual([primary()])
      await other.query('INSERT INTO t (port) VALUES (5)')
      expect(await value(client, 'SELECT COUNT(*) FROM t')).toBe(before)
      await client.query('COMMIT')
      expect(await value(client, 'SELECT COUNT(*) FROM t')).toBe(Number(before) + 1)
      await client.query('SET autocommit = 1')
      await onReplica(client)
    })

    it('DDL commits, and later reads are free again', async () => {
      const client = await connect()
      await client.query('BEGIN')
      await client.query('INSERT INTO t (port) VALUES (4711)')
      await client.query('CREATE TABLE committed (id INT)')
      await client.query('ROLLBACK')
      expect(await value(client, 'SELECT COUNT(*) FROM t WHERE port = 4711')).toBe(1)
      await onReplica(client)
      await client.query('DROP TABLE committed')
    })

    it('COMMIT AND CHAIN goes on with a transaction on the primary', async () => {
      const client = await connect()
      await client.query('BEGIN')
      await client.query('COMMIT AND CHAIN')
      expect([...(await portsOf(client, 5)).keys()]).toEqual([primary()])
      await client.query('COMMIT')
      await onReplica(client)
    })

    it('SET TRANSACTION holds for the next one, wherever reads went before', async () => {
      const client = await connect()
      await onReplica(client)
      await client.query('SET TRANSACTION READ ONLY')
      await client.query('BEGIN')
      await expect(client.query('INSERT INTO t (port) VALUES (1)')).rejects.toMatchObject({ errno: 1792 })
      await client.query('ROLLBACK')
      await client.query('INSERT INTO t (port) VALUES (1)')
    })
  })

  describe('that read what their session wrote', () => {
    const insert = 'INSERT INTO t (port) VALUES (@@port)'
    const WRITES: readonly [string, (client: Connection) => Promise<unknown>][] = [
      ['an INSERT', (client) => client.query(insert)],
      [
        'a transaction',
        async (client) => {
          await client.query('BEGIN')
          await client.query(insert)
          await client.query('COMMIT')
        },
      ],
      [
        'a transaction with autocommit = 0',
        async (client) => {
          await client.query('SET autocommit = 0')
          await client.query(insert)
          await client.query('COMMIT')
          await client.query('SET autocommit = 1')
        },
      ],
      ['a CALL', (client) => client.query('CALL add_one()')],
      ['a function that writes', (client) => client.query('SELECT adding()')],
      ['a prepared INSERT', (client) => client.execute('INSERT INTO t (port) VALUES (?)', [1])],
      ['several statements in one', (client) => client.query(`SELECT 1; ${insert}; SELECT 2`)],
      [
        'PREPARE and EXECUTE',
        async (client) => {
          await client.query(`PREPARE p FROM '${insert}'`)
          await client.query('EXECUTE p')
        },
      ],
      ['DDL', (client) => client.query('ALTER TABLE t COMMENT = "changed"').then(() => client.query(insert))],
    ]

    it('find it on the primary while replicas lack it, and on a replica as soon as that has it', SLOW, async () => {
      const [observer, counter] = [await connect(), await connect()]
      await onReplica(observer)
      for (const replica of cluster.replicas) await cluster.setReplicaDelay(replica, FOR_EVER_S)
      await until('both replicas to be read', async () => (await spread(observer, 20)).size === 2)
      // Sessions that began before the writes: others see them from the start.
      const clients = await Promise.all(WRITES.map(() => connect({ multipleStatements: true })))
      for (const client of clients) await onReplica(client)
      try {
        for (const [index, [name, write]] of WRITES.entries()) {
          const before = Number(await value(counter, '/* sluice: primary */ SELECT COUNT(*) FROM t'))
          const client = clients[index] as Connection
          expect(replicas(), `before ${name}`).toContain(await port(client))
          await write(client)
          for (let i = 0; i < 5; i++) {
            expect(await value(client, 'SELECT COUNT(*) FROM t'), `after ${name}`).toBe(before + 1)
            expect(await port(client), `after ${name}`).toBe(primary())
          }
          // Who has not written is not concerned.
          expect(replicas()).toContain(await port(observer))
        }
      } finally {
        for (const replica of cluster.replicas) await cluster.setReplicaDelay(replica, 0)
      }
      const total = await value(counter, '/* sluice: primary */ SELECT COUNT(*) FROM t')
      for (const [index, client] of clients.entries()) {
        await until(`reads after ${WRITES[index][0]} to go to a replica again`, async () =>
          replicas().includes(await port(client)),
        )
        expect(await value(client, 'SELECT COUNT(*) FROM t')).toBe(total)
      }
    })

    it('always see it, on whatever server they run', SLOW, async () => {
      const client = await connect()
      for (let i = 0; i < 200; i++) {
        const [{ insertId }] = (await client.query('INSERT INTO t (port) VALUES (?)', [i])) as unknown as [
          { insertId: number },
        ]
        const [rows] = await client.query<RowDataPacket[]>('SELECT port FROM t WHERE id = ?', [insertId])
        expect(rows).toEqual([{ port: i }])
      }
    })
  })

  describe('with hints', () => {
    it('go where a comment says', async () => {
      const client = await connect()
      for (let i = 0; i < 5; i++) {
        expect(await port(client, '/* sluice: primary */ ')).toBe(primary())
        expect(await port(client, '/* hostgroup=0 */ ')).toBe(primary())
        expect(replicas()).toContain(await port(client, '/* hostgroup=1 */ '))
        expect(replicas()).toContain(Number(await value(client, '/* sluice: replica */ SELECT @@port FOR UPDATE')))
      }
      // A write that is sent to a replica fails as it does there.
      await expect(client.query('/* sluice: replica */ INSERT INTO t (port) VALUES (1)')).rejects.toMatchObject({
        errno: 1290,
      })
    })

    it('in string literals, quoted names and other comments are no hints', async () => {
      const client = await connect()
      await onReplica(client)
      for (let i = 0; i < 5; i++) {
        const [[row]] = await client.query<RowDataPacket[]>(
          "SELECT '/* sluice: primary */' AS a, '/* hostgroup=0 */' AS b, @@port AS port /* hostgroups are fine */",
        )
        expect(replicas()).toContain(row['port'])
        expect(row['a']).toBe('/* sluice: primary */')
      }
    })

    it('do not part a transaction', async () => {
      const client = await connect()
      await client.query('BEGIN')
      expect(await port(client, '/* sluice: replica */ ')).toBe(primary())
      await client.query('COMMIT')
    })
  })

  it('follow a change of roles without a restart, on connections that are open', SLOW, async () => {
    const [before, promoted] = [cluster.primary, cluster.replicas[0]]
    const client = await connect()
    await client.query('INSERT INTO t (port) VALUES (@@port)')
    await cluster.promote(promoted)
    expect(primary()).toBe(promoted.port)
    await until('writes to go to the new primary', () =>
      client.query('INSERT INTO t (port) VALUES (@@port)').then(
        () => true,
        () => false,
      ),
    )
    expect(await value(client, 'SELECT port FROM t ORDER BY id DESC LIMIT 1')).toBe(promoted.port)
    await until('the old primary to be read', async () => (await spread(client, 20)).has(before.port))
    expect((await spread(client, 40)).has(promoted.port)).toBe(false)
  })
})
