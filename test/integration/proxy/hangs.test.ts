import type { Socket } from 'node:net'
import type { Connection } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { startRelay } from '../../helpers/relay.js'
import { admin, metric, rejection, running, until, value, withEvents } from './observe.js'

const SLOW = { timeout: 120_000 }
const PATIENT_MS = 60_000
/** Looks of the control plane at its workers, one a second, of which each holds silence against a worker that is awake. */
const HANG_MS = 3_000

const stopped = new Set<number>()

function stop(pid: number): void {
  stopped.add(pid)
  process.kill(pid, 'SIGSTOP')
}

function wake(pid: number): void {
  stopped.delete(pid)
  process.kill(pid, 'SIGCONT')
}

afterEach(() => {
  for (const pid of stopped) {
    try {
      wake(pid)
    } catch {
      // It was killed, as it should be.
    }
  }
})

/** The worker that serves a client: its number is in the lower bits of the connection's id. */
const workerOf = (client: Connection) => client.threadId % 64

async function clientsOfBoth(proxy: RunningProxy): Promise<[Connection, Connection]> {
  const clients: Connection[] = []
  const of = (number: number) => clients.find((client) => workerOf(client) === number)
  await until('clients on both workers', async () => {
    clients.push(await proxy.connect())
    return of(1) !== undefined && of(2) !== undefined
  })
  return [of(1)!, of(2)!]
}

const connectionsTo = async (proxy: RunningProxy): Promise<number> => {
  const [row] = await admin(proxy, 'SELECT SUM(ConnUsed + ConnFree) AS n FROM stats_mysql_connection_pool')
  return Number(row['n'])
}

const logged = (proxy: RunningProxy, text: string) =>
  proxy.log().filter((line) => String(line['msg']).includes(text)).length

describe('what hangs and does not die', () => {
  let cluster: Cluster
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.notes (note VARCHAR(50))`)
    await cluster.waitForReplicas()
  })

  it(
    'a worker: it is killed and replaced, its clients are told, the others and the admin port go on',
    SLOW,
    async () => {
      const proxy = await startProxy(cluster, { workers: 2, limits: { worker_hang_timeout: HANG_MS } })
      const [first, second] = await clientsOfBoth(proxy)
      const hanging = proxy.workerPids()[0]
      stop(hanging)
      const told = rejection(first.query('SELECT 1'))
      expect(await value(second, 'SELECT 42')).toBe(42)
      await second.query(`INSERT INTO ${database}.notes VALUES ('kept')`)
      // Both ask all workers, and neither waits for this one.
      expect(await admin(proxy, 'SELECT * FROM stats_mysql_global')).not.toEqual([])
      expect(await proxy.metrics()).toContain('sluice_workers')
      expect(await proxy.probe('/readyz')).toBe(200)
      await admin(proxy, 'LOAD MYSQL USERS TO RUNTIME')
      expect((await told).fatal).toBe(true)
      await until(
        'another worker to serve',
        async () => {
          const pids = proxy.workerPids()
          const serving = (await proxy.metrics()).includes('sluice_workers{state="serving"} 2')
          return serving && pids.length === 2 && !pids.includes(hanging)
        },
        PATIENT_MS,
      )
      expect(await value(second, 'SELECT 42')).toBe(42)
      expect(
        logged(proxy, `worker 1 (pid ${hanging}) ended with signal SIGKILL: it told nothing for 3 s; another starts`),
      ).toBe(1)
      expect(logged(proxy, 'ended with')).toBe(1)
      expect(await metric(proxy, 'sluice_ready')).toBe(1)
    },
  )

  it('the control plane: clients go on, and nothing is held against workers and servers afterwards', SLOW, async () => {
    // Longer than a busy machine needs, shorter than it sleeps.
    const patient = {
      connect_timeout: 4000,
      ping_timeout: 4000,
      read_only_timeout: 4000,
      replication_lag_timeout: 4000,
    }
    const proxy = await startProxy(cluster, {
      workers: 2,
      monitor: patient,
      limits: { worker_hang_timeout: HANG_MS },
    })
    const clients = await clientsOfBoth(proxy)
    const workers = proxy.workerPids()
    const changes = (await admin(proxy, 'SHOW EVENTS')).length
    /** All of it answered, by both workers. */
    const serveFor = async (ms: number) => {
      for (const until = performance.now() + ms; performance.now() < until; ) {
        for (const client of clients) {
          expect(await value(client, 'SELECT 42')).toBe(42)
          await client.query(`INSERT INTO ${database}.notes VALUES ('served')`)
        }
      }
    }
    stop(proxy.pid)
    await serveFor(HANG_MS + 2_000)
    expect(await value(await proxy.connect(), 'SELECT 42')).toBe(42)
    wake(proxy.pid)
    await serveFor(2_000) // it looks at workers once a second, and at servers more often
    expect(await metric(proxy, 'sluice_ready')).toBe(1)
    expect(proxy.workerPids()).toEqual(workers)
    expect(await admin(proxy, 'SHOW EVENTS')).toHaveLength(changes)
    expect(await admin(proxy, "SELECT * FROM runtime_mysql_servers WHERE status <> 'ONLINE'")).toEqual([])
  })

  it(
    'a connection to a server, dead in one direction: its statement ends within the limit, an idle one is not used',
    SLOW,
    async () => {
      const toPrimary = await startRelay(cluster.primary.port)
      const proxy = await startProxy(cluster, {
        servers: [{ host: '127.0.0.1', port: toPrimary.port, hostgroup: 0 }],
        limits: { ping_interval_server: 1_000 },
      })
      try {
        const [writer, inTransaction, idle] = await Promise.all([proxy.connect(), proxy.connect(), proxy.connect()])
        await inTransaction.query('START TRANSACTION')
        await inTransaction.query(`INSERT INTO ${database}.notes VALUES ('lost')`)
        await idle.query('DO 1')
        const mark = 'dead_direction'
        const write = rejection(writer.query(`INSERT INTO ${database}.notes SELECT CONCAT('${mark}', SLEEP(60))`))
        await until('the write to run', async () => (await running(cluster, cluster.primary, mark)) > 0)
        expect(toPrimary.mute(cluster.accounts.app.user)).toBeGreaterThanOrEqual(2)
        await admin(proxy, "SET mysql-default_query_timeout = '1000'")
        await admin(proxy, 'LOAD MYSQL VARIABLES TO RUNTIME')
        expect(await write).toMatchObject({
          errno: 1053,
          message: expect.stringContaining('its answer does not arrive'),
        })
        const statement = inTransaction.query(`INSERT INTO ${database}.notes VALUES ('lost')`)
        expect(await rejection(statement)).toMatchObject({
          errno: 1053,
          message: expect.stringContaining('the transaction was not committed'),
        })
        await until('the idle connections to be found', async () => (await connectionsTo(proxy)) === 0, PATIENT_MS)
        expect(await value(idle, 'SELECT 42')).toBe(42)
      } finally {
        await toPrimary.close()
      }
    },
  )

  it('the control plane, while workers write under a causal key: no read under it is stale', SLOW, async () => {
    const proxy = await startProxy(cluster, { workers: 2, consistency: { level: 'eventual' } })
    const [writer, reader] = await clientsOfBoth(proxy)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.keyed (v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.keyed VALUES (0)`)
    await cluster.waitForReplicas()
    const read = () => value(reader, `SELECT v FROM ${database}.keyed /* sluice: causal=hang */`)
    const write = (v: number) => writer.query(`UPDATE ${database}.keyed SET v = ${v} /* sluice: causal=hang */`)
    expect(await read()).toBe(0)
    const before = await metric(proxy, 'sluice_reads_on_primary_total')
    const replicas = cluster.servers.filter(({ role }) => role === 'replica')
    await Promise.all(replicas.map((replica) => cluster.stopReplication(replica)))
    try {
      stop(proxy.pid)
      for (let v = 1; v <= 3; v++) {
        await write(v)
        expect(await read()).toBe(v)
      }
      wake(proxy.pid)
      expect(await read()).toBe(3)
      expect(await metric(proxy, 'sluice_reads_on_primary_total')).toBeGreaterThan(before)
    } finally {
      await Promise.all(replicas.map((replica) => cluster.startReplication(replica)))
    }
    await cluster.waitForReplicas()
    const onPrimary = () => metric(proxy, 'sluice_reads_on_primary_total')
    await until(
      'reads under the key to go to replicas again',
      async () => {
        const before = await onPrimary()
        expect(await read()).toBe(3)
        return (await onPrimary()) === before
      },
      PATIENT_MS,
    )
  })

  it('a client that does not read its answer: it is disconnected, and its server connection let go', SLOW, async () => {
    const proxy = await startProxy(cluster, { limits: { net_write_timeout: 2_000 } })
    const [deaf, other] = [await proxy.connect(), await proxy.connect()]
    const { stream } = withEvents(deaf) as unknown as { stream: Socket }
    const sessions = async () =>
      Number((await admin(proxy, 'SELECT COUNT(*) AS n FROM stats_mysql_processlist'))[0]['n'])
    const mark = 'deaf_client'
    const lost = rejection(
      deaf.query(
        `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT REPEAT('${mark}', 6000) FROM n`,
      ),
    )
    stream.pause()
    await until('the client to be disconnected', async () => (await sessions()) === 1, PATIENT_MS)
    await until(
      'its statement to be ended',
      async () => {
        const counts = await Promise.all(cluster.servers.map((server) => running(cluster, server, mark)))
        return counts.every((n) => n === 0)
      },
      PATIENT_MS,
    )
    expect(logged(proxy, 'a client reads nothing of its answer')).toBe(1)
    expect(await value(other, 'SELECT 42')).toBe(42)
    stream.resume()
    expect((await lost).fatal).toBe(true)
  })
})
