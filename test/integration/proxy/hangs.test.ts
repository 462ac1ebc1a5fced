import type { Connection } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, metric, rejection, until, value } from './observe.js'

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
})
