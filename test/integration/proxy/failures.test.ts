import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { metric, rejection, running, until, untilStatus, value, whereRuns, withEvents } from './observe.js'

const SLOW = { timeout: 120_000 }
/** A dead server is to be known within 3 s; the rest is for a busy machine. */
const FOUND_WITHIN_MS = 6_000
const BRIEF_MS = 1_500

describe.each<Engine>(['mysql', 'mariadb'])('servers of %s that fail', (engine) => {
  let cluster: Cluster
  /** Holds statements for long, so that servers have time to come back. */
  let proxy: RunningProxy
  /** Gives statements up soon. */
  let brief: RunningProxy
  let marks = 0
  const LOST = engine === 'mysql' ? 1053 : 1927

  beforeAll(async () => {
    cluster = await ownCluster(engine)
    await cluster.execute(
      cluster.primary,
      'CREATE TABLE test.notes (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(50))',
    )
    await cluster.waitForReplicas()
    ;[proxy, brief] = await Promise.all([
      startProxy(cluster, { limits: { connect_timeout_server_max: 60_000 } }),
      startProxy(cluster, { limits: { connect_timeout_server_max: BRIEF_MS, connect_timeout_server: 500 } }),
    ])
  })

  afterEach(async () => {
    for (const server of cluster.servers) {
      server.resume()
      await server.start()
    }
    for (const server of cluster.servers) {
      const status = `${server.role === 'primary' ? 0 : 1} ONLINE`
      await untilStatus(proxy, server, status)
      await untilStatus(brief, server, status)
    }
  }, 120_000)

  const marker = () => `mark${++marks}_${engine}`
  const insert = (note: string) => `INSERT INTO test.notes (note) VALUES ('${note}')`
  const count = async (note: string) => {
    const [row] = await cluster.execute<{ n: number }[]>(
      cluster.primary,
      'SELECT COUNT(*) AS n FROM test.notes WHERE note = ?',
      [note],
    )
    return row.n
  }
  /** The port on which a read of a client runs. */
  const portOf = (client: Connection) => value(client, 'SELECT @@port')
  const isReplica = (port: unknown) => cluster.replicas.some((replica) => replica.port === port)
  const connect = (count: number, to = proxy) => Promise.all(Array.from({ length: count }, () => to.connect()))

  it(
    'a replica that is killed: its reads in flight are answered by another one, and nobody sees an error',
    SLOW,
    async () => {
      const mark = marker()
      const clients = await connect(6)
      const reads = clients.map((client) => value(client, `SELECT /* ${mark} */ CONCAT(@@port, SLEEP(1.5))`))
      const victim = await whereRuns(cluster, mark)
      await until('all reads to run', async () => {
        const numbers = await Promise.all(cluster.replicas.map((replica) => running(cluster, replica, mark)))
        return numbers[0] + numbers[1] === clients.length
      })
      const retriedBefore = await metric(proxy, 'sluice_queries_retried_total')
      const affected = await running(cluster, victim, mark)
      const killedAt = performance.now()
      await victim.kill()
      const answers = await Promise.all(reads)
      expect(answers).not.toContain(`${victim.port}0`)
      for (const answer of answers) expect(answer).toMatch(/^\d+0$/)
      await untilStatus(proxy, victim, '1 SHUNNED')
      expect(performance.now() - killedAt).toBeLessThan(FOUND_WITHIN_MS)
      await until(
        'the repeated reads to be counted',
        async () => (await metric(proxy, 'sluice_queries_retried_total')) === retriedBefore + affected,
      )
      expect(proxy.log().some((line) => String(line['msg']).includes('ONLINE -> SHUNNED in hostgroup 1'))).toBe(true)
      // The sessions go on, also those that had a connection there; and the replica comes back by itself.
      for (const client of clients) expect(isReplica(await portOf(client))).toBe(true)
      await victim.start()
      await untilStatus(proxy, victim, '1 ONLINE')
      await until('the replica to be read again', async () => {
        const ports = await Promise.all((await connect(4)).map(portOf))
        return ports.includes(victim.port)
      })
    },
  )

  it(
    'a replica that hangs: its reads are repeated when it is known to be dead, and new ones avoid it',
    SLOW,
    async () => {
      const mark = marker()
      const clients = await connect(4)
      const reads = clients.map((client) => value(client, `SELECT /* ${mark} */ CONCAT(@@port, SLEEP(0.7))`))
      const victim = await whereRuns(cluster, mark)
      const pausedAt = performance.now()
      victim.pause()
      const answers = await Promise.all(reads)
      expect(answers).not.toContain(`${victim.port}0`)
      await untilStatus(proxy, victim, '1 SHUNNED')
      expect(performance.now() - pausedAt).toBeLessThan(FOUND_WITHIN_MS + 2_000)
      const fresh = await connect(4)
      const ports = await Promise.all([...clients, ...fresh].map(portOf))
      expect(ports).not.toContain(victim.port)
      victim.resume()
      await untilStatus(proxy, victim, '1 ONLINE')
    },
  )

  it('a new session whose replica hangs is served within the time of one attempt to connect', SLOW, async () => {
    const [victim] = cluster.replicas
    victim.pause()
    const startedAt = performance.now()
    const ports = await Promise.all((await connect(6)).map(portOf))
    expect(ports).not.toContain(victim.port)
    expect(performance.now() - startedAt).toBeLessThan(FOUND_WITHIN_MS)
  })

  it(
    'an answer that has begun is ended by an error behind its last whole packet, and the session goes on',
    SLOW,
    async () => {
      const mark = marker()
      const client = await proxy.connect({ multipleStatements: true })
      const sql = `/* sluice: replica */ SELECT 'first' AS a; SELECT /* ${mark} */ SLEEP(60)`
      const first = rejection(
        new Promise((resolve, reject) => {
          const query = withEvents(client).query(sql)
          const rows: unknown[] = []
          query.on('result', (row) => rows.push(row))
          query.on('error', (error) => reject(Object.assign(error, { rows })))
          query.on('end', resolve)
        }),
      )
      const victim = await whereRuns(cluster, mark)
      await victim.kill()
      const error = (await first) as unknown as { errno: number; message: string; rows: unknown[] }
      expect(error).toMatchObject({ errno: LOST, rows: [{ a: 'first' }] })
      expect(error.message).toContain('sluice: the connection to')
      expect(await value(client, 'SELECT 42')).toBe(42)
    },
  )

  it('an answer that is cut within a row ends that connection and no other', SLOW, async () => {
    const mark = marker()
    const [client, other] = [await proxy.connect(), await proxy.connect()]
    // The server sends 16 KiB at a time, so a part of a row is always on its way.
    const sql = `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200)
      SELECT /* ${mark} */ i, SLEEP(0.3), REPEAT('x', 20000) FROM n`
    let rows = 0
    const query = withEvents(client).query(sql)
    query.on('result', () => rows++)
    const failed = new Promise((resolve) => client.on('error', resolve))
    const victim = await whereRuns(cluster, mark)
    await until('rows to arrive', () => rows >= 2)
    await victim.kill()
    expect(await failed).toMatchObject({ fatal: true })
    expect(await value(other, 'SELECT 42')).toBe(42)
  })

  it('both replicas gone: reads go to the primary at once, and back by themselves', SLOW, async () => {
    const client = await proxy.connect()
    await until('reads on a replica', async () => isReplica(await portOf(client)))
    const replicas = [...cluster.replicas]
    await Promise.all(replicas.map((replica) => replica.kill()))
    expect(await portOf(client)).toBe(cluster.primary.port)
    const [fresh] = await connect(1)
    expect(await portOf(fresh)).toBe(cluster.primary.port)
    await Promise.all(replicas.map((replica) => replica.start()))
    await until('reads on a replica', async () => isReplica(await portOf(client)))
    // Never noticed by a session that slept through all of it.
    expect(isReplica(await portOf(fresh))).toBe(true)
  })

  it('the primary is killed: each client is told what is known of its statement, and all go on', SLOW, async () => {
    const [writer, idle, busy, committer, rollback, asleep] = await connect(6)
    const held = marker()
    for (const client of [idle, busy, committer, rollback]) {
      await client.query('START TRANSACTION')
      await client.query(insert(held))
    }
    await asleep.query(insert('before'))
    // Holds writes and commits up, so that they are in flight when the server dies.
    const lock = await createConnection(cluster.primary.root())
    lock.on('error', () => {})
    await lock.query('FLUSH TABLES WITH READ LOCK')
    const write = rejection(writer.query(insert('in flight')))
    const inTransaction = rejection(busy.query(insert(`${held} 2`)))
    const commit = rejection(committer.query('COMMIT'))
    await until('all to wait', async () => {
      const [inserts, commits] = [
        await running(cluster, cluster.primary, 'INSERT'),
        await running(cluster, cluster.primary, 'COMMIT'),
      ]
      return inserts === 2 && commits === 1
    })
    await cluster.primary.kill()
    expect(await write).toMatchObject({ errno: LOST, message: expect.stringContaining('took effect is unknown') })
    expect(await inTransaction).toMatchObject({ errno: LOST, message: expect.stringContaining('was not committed') })
    expect(await commit).toMatchObject({ errno: LOST, message: expect.stringContaining('took effect is unknown') })
    const lost = await rejection(idle.query(insert('not in a transaction any more')))
    expect(lost).toMatchObject({ errno: LOST, message: expect.stringContaining('transaction') })
    // What they ask for has happened, so nobody has to wait for a server to say so.
    const rolledBack = Promise.all([busy, idle, rollback, committer].map((client) => client.query('ROLLBACK')))
    await Promise.race([rolledBack, new Promise((_, reject) => setTimeout(reject, 5000, new Error('ROLLBACK waits')))])
    for (const client of [writer, idle, busy, committer, rollback, asleep]) {
      expect(await value(client, 'SELECT 42 /* sluice: replica */')).toBe(42)
    }
    await untilStatus(proxy, cluster.primary, '0 SHUNNED')

    const late = await rejection((await brief.connect()).query(insert('too late')))
    expect(late).toMatchObject({ errno: 9001 })
    expect(late.message).toMatch(/^Max connect timeout reached while reaching hostgroup 0 after \d+ms/)
    expect(Number(/after (\d+)ms/.exec(late.message)![1])).toBeGreaterThanOrEqual(BRIEF_MS)
    expect(late.message).toMatch(/ms \(sluice: .*(SHUNNED|ECONNREFUSED).*\)$/)

    const patient = [writer, idle, busy, committer, rollback, asleep].map((client) => client.query(insert('after')))
    await cluster.primary.start()
    await Promise.all(patient)
    expect(await count('after')).toBe(6)
    expect(await count('before')).toBe(1)
    expect(await count(`${held} 2`)).toBe(0)
    expect(await count('not in a transaction any more')).toBe(0)
    expect(await count('too late')).toBe(0)
  })

  it('a read that runs on the only server is repeated there when that is back', SLOW, async () => {
    const mark = marker()
    const client = await proxy.connect()
    const read = value(client, `SELECT /* sluice: primary */ /* ${mark} */ CONCAT('x', SLEEP(1))`)
    await whereRuns(cluster, mark)
    await cluster.primary.kill()
    await cluster.primary.start()
    expect(await read).toBe('x0')
  })

  it('a read of what only the lost connection had is not repeated: its client is told', SLOW, async () => {
    const mark = marker()
    const client = await proxy.connect()
    await client.query('SELECT 42 INTO @known')
    const read = rejection(client.query(`SELECT /* ${mark} */ CONCAT(@known, SLEEP(1))`))
    await whereRuns(cluster, mark)
    await cluster.primary.kill()
    await cluster.primary.start()
    expect(await read).toMatchObject({ errno: LOST, message: expect.stringContaining('was not completed') })
  })

  it('a restart between two statements is not noticed', SLOW, async () => {
    const client = await proxy.connect({ database: 'test' })
    await client.query("SET SESSION sql_mode = 'ANSI_QUOTES'")
    await client.query(insert('restart 1'))
    const [primary, ...replicas] = cluster.servers.toSorted((a) => (a.role === 'primary' ? -1 : 1))
    await Promise.all([primary, ...replicas].map((server) => server.stop()))
    await Promise.all([primary, ...replicas].map((server) => server.start()))
    await client.query(insert('restart 2'))
    expect(await value(client, 'SELECT @@sql_mode')).toBe('ANSI_QUOTES')
    expect(await value(client, 'SELECT DATABASE()')).toBe('test')
    expect(await count('restart 2')).toBe(1)
  })

  it('the primary hangs: nobody waits beyond the limits, and it goes on when that is over', SLOW, async () => {
    const [writer, idle, undecided] = await connect(3)
    const [stuck] = await connect(1, brief)
    for (const client of [writer, idle, stuck]) await client.query(insert('before it hangs'))
    for (const client of [idle, undecided]) {
      await client.query('START TRANSACTION')
      await client.query(insert('lost'))
    }
    const mark = marker()
    const write = rejection(writer.query(`INSERT INTO test.notes (note) SELECT CONCAT('x', SLEEP(2)) /* ${mark} */`))
    await whereRuns(cluster, mark)
    cluster.primary.pause()
    const rollback = undecided.query('ROLLBACK')
    const fresh = await brief.connect()
    const startedAt = performance.now()
    // Who finds an idle connection is lost with it, who needs another one waits for the server.
    for (const client of [fresh, stuck]) {
      expect(await rejection(client.query(insert('never')))).toMatchObject({
        errno: expect.toSatisfy((n) => n === LOST || n === 9001),
      })
    }
    expect(await write).toMatchObject({ errno: LOST, message: expect.stringContaining('does not answer') })
    expect(await rejection(idle.query('SELECT 1'))).toMatchObject({ errno: LOST })
    await rollback
    expect(performance.now() - startedAt).toBeLessThan(FOUND_WITHIN_MS + 2 * BRIEF_MS)
    expect(await value(fresh, 'SELECT 42 /* sluice: replica */')).toBe(42)
    cluster.primary.resume()
    for (const client of [writer, idle, fresh]) await until('writes', () => client.query(insert('resumed')))
    expect(await count('resumed')).toBeGreaterThanOrEqual(3)
    expect(await count('lost')).toBe(0)
  })

  it(
    'failover under load: every write that was acknowledged is there once, whichever server was the primary',
    SLOW,
    async () => {
      const clients = await connect(6)
      const acknowledged: string[] = []
      const errors = new Map<number, number>()
      let stop = false
      let number = 0
      const load = clients.map(async (client) => {
        while (!stop) {
          const note = `load ${++number}`
          try {
            await client.query(insert(note))
            acknowledged.push(note)
            await value(client, `SELECT COUNT(*) FROM test.notes WHERE note = '${note}'`).then((n) => {
              if (n !== 1) throw new Error(`${note} was written and ${n} rows were read`)
            })
          } catch (error) {
            const { errno, message } = error as { errno?: number; message: string }
            if (errno === undefined) throw error
            errors.set(errno, (errors.get(errno) ?? 0) + 1)
            if (![1290, 1836, LOST, 9001].includes(errno)) throw new Error(`unexpected: ${errno} ${message}`)
          }
        }
      })
      const ended = Promise.all(load)
      const progress = () => acknowledged.length
      await until('some writes', () => progress() > 50)

      // There and back again: what a server covered in its former role must not count in its new one.
      const [one, other] = [cluster.primary, cluster.replicas[0]]
      for (const next of [other, one, other, one, other]) {
        const previous = cluster.primary
        await cluster.promote(next)
        await untilStatus(proxy, next, '0 ONLINE')
        await untilStatus(proxy, previous, '1 ONLINE')
        const soFar = progress()
        await until('writes on the new primary', () => progress() > soFar + 50)
      }
      stop = true
      await ended
      expect(await value((await connect(1))[0], 'SELECT @@port /* sluice: primary */')).toBe(other.port)
      // The old primary replicates from the new one: had it taken a write of its own, their sets would differ.
      await cluster.waitForReplicas()
      await expectAll(cluster.servers, acknowledged)

      // And without a plan: the primary dies, and somebody promotes a replica.
      const third = cluster.replicas.find((replica) => replica !== other)!
      const killedAt = performance.now()
      await other.kill()
      await cluster.promote(third)
      await untilStatus(proxy, third, '0 ONLINE')
      expect(performance.now() - killedAt).toBeLessThan(3 * FOUND_WITHIN_MS)
      for (const client of clients) await until('a write', () => client.query(insert('promoted')))
      expect(await count('promoted')).toBe(6)
      await other.start()
      await untilStatus(proxy, other, '1 ONLINE')
    },
  )

  async function expectAll(servers: readonly SandboxServer[], notes: readonly string[]): Promise<void> {
    for (const server of servers) {
      const rows = await cluster.execute<RowDataPacket[]>(
        server,
        "SELECT note FROM test.notes WHERE note LIKE 'load %'",
      )
      const found = new Map<string, number>()
      for (const { note } of rows) found.set(note, (found.get(note) ?? 0) + 1)
      expect(notes.filter((note) => found.get(note) !== 1)).toEqual([])
    }
  }
})
