import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, until } from './observe.js'

describe.each<Engine>(['mysql', 'mariadb'])('what the admin port tells of a proxy in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    proxy = await startProxy(cluster, { workers: 2, limits: { long_pin_time: 200 } })
  }, 120_000)

  const events = (condition: string) => admin(proxy, `SHOW EVENTS WHERE ${condition}`)
  const untilEvent = (condition: string) =>
    until(`an event with ${condition}`, async () => (await events(condition))[0])

  it('SHOW PINS names who keeps a connection, why, and since when; an event tells when that lasts', async () => {
    const client = await proxy.connect({ database })
    await client.query('CREATE TEMPORARY TABLE t (id INT)')
    await client.query('BEGIN')
    const [pin] = await admin(proxy, `SHOW PINS WHERE session = ${client.threadId}`)
    expect(pin).toMatchObject({
      user: 'app',
      server: `127.0.0.1:${cluster.primary.port}`,
      hostgroup: '0',
      pins: 'transaction, temporary table',
      command: 'Sleep',
    })
    const event = await untilEvent(`kind = 'pin' AND what LIKE 'session ${client.threadId} %'`)
    expect(event).toMatchObject({ server: pin?.['server'], why: 'transaction, temporary table' })
    await client.query('COMMIT')
    await client.query('DROP TEMPORARY TABLE t')
    expect(await admin(proxy, `SHOW PINS WHERE session = ${client.threadId}`)).toEqual([])
  })

  it('SHOW EVENTS tells of a worker that ended, of its successor, and of the configuration that was read again', async () => {
    const [pid] = proxy.workerPids()
    process.kill(pid!, 'SIGKILL')
    const ended = await untilEvent(`kind = 'worker' AND why = 'pid ${pid}: signal SIGKILL'`)
    await untilEvent(
      `kind = 'worker' AND what = '${ended['what']?.replace('ended', 'serves')}' AND time > '${ended['time']}'`,
    )
    process.kill(proxy.pid, 'SIGHUP')
    expect(await untilEvent("kind = 'config'")).toMatchObject({ who: 'SIGHUP' })
  })

  it('SHOW WORKERS tells what each of them has and takes', async () => {
    const workers = await until('both workers to have told', async () => {
      const rows = await admin(proxy, 'SHOW WORKERS')
      return rows.length === 2 && rows.every((row) => row['state'] === 'serving' && row['memory_mb'] !== '')
        ? rows
        : null
    })
    for (const worker of workers) {
      expect(Number(worker['memory_mb'])).toBeGreaterThan(10)
      expect(Number(worker['cpu_s'])).toBeGreaterThan(0)
      expect(Number(worker['cpu_percent'])).toBeGreaterThanOrEqual(0)
    }
  })

  it('SHOW TOPOLOGY tells from where a replica replicates, and since when the primary is one', async () => {
    const rows = await until('the replication status', async () => {
      const found = await admin(proxy, 'SHOW TOPOLOGY')
      return found.filter((row) => row['source'] !== '').length === cluster.replicas.length ? found : null
    })
    const primary = `127.0.0.1:${cluster.primary.port}`
    const started = new Date(`${rows.find((row) => row['server'] === primary)?.['writer_since']}Z`).getTime()
    expect(Math.abs(Date.now() - started)).toBeLessThan(10 * 60_000)
    for (const replica of cluster.replicas) {
      const row = rows.find(({ server }) => server === `127.0.0.1:${replica.port}`)
      expect(row).toMatchObject({ source: primary, writer_since: '', refused: '' })
    }
  })
})
