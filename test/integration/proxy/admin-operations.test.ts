import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, until, value, whereRuns } from './observe.js'

const SLOW = { timeout: 90_000 }
const ER_SERVER_SHUTDOWN = 1053

function unlessToldToLeave(error: { errno?: number }): null {
  if (error.errno !== ER_SERVER_SHUTDOWN) throw error
  return null
}

describe.each<Engine>(['mysql', 'mariadb'])('operations of a proxy in front of %s', (engine) => {
  let cluster: Cluster
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY)`)
    await cluster.waitForReplicas()
  }, 120_000)

  const connectRejection = (proxy: RunningProxy) => rejection(proxy.connect())
  const workers = (proxy: RunningProxy) => admin(proxy, 'SHOW WORKERS')
  /** Waits until all workers serve that are there, and none has this process id. */
  const untilAllServe = (proxy: RunningProxy, gone = 0) =>
    until('the workers', async () => {
      const rows = await workers(proxy)
      return rows.every(({ state, pid }) => state === 'serving' && Number(pid) !== gone) ? rows : null
    })

  describe('that goes on', () => {
    let proxy: RunningProxy

    beforeAll(async () => {
      proxy = await startProxy(cluster, {
        workers: 2,
        admin: { audit_log: 'audit.jsonl' },
        limits: { max_failed_logins: 2 },
      })
      await untilAllServe(proxy)
    }, 60_000)

    it(
      'PAUSE takes no more clients, also by a worker that is new, until RESUME; those that are there go on',
      SLOW,
      async () => {
        const client = await proxy.connect({ database })
        await admin(proxy, 'PROXYSQL PAUSE')
        expect((await connectRejection(proxy)).code).toBe('ECONNREFUSED')
        expect(await proxy.probe('/readyz')).toBe(503)
        expect(await value(client, 'SELECT 1')).toBe(1)
        const other = Number(
          (await workers(proxy)).find(({ worker }) => Number(worker) !== client.threadId % 64)?.['pid'],
        )
        process.kill(other, 'SIGKILL')
        await untilAllServe(proxy, other)
        expect((await connectRejection(proxy)).code).toBe('ECONNREFUSED')
        await admin(proxy, 'PROXYSQL RESUME')
        await Promise.all(Array.from({ length: 8 }, async () => value(await proxy.connect(), 'SELECT 1')))
        expect(await proxy.probe('/readyz')).toBe(200)
        expect(await admin(proxy, "SHOW EVENTS LIKE 'admin'")).toMatchObject([
          { what: 'PROXYSQL PAUSE', who: 'admin@127.0.0.1' },
          { what: 'PROXYSQL RESUME' },
        ])
      },
    )

    it('RESTART puts new workers in the place of the old ones, and no client is refused', SLOW, async () => {
      const before = (await workers(proxy)).map(({ pid }) => pid)
      const writer = await proxy.connect({ database })
      await writer.query('BEGIN')
      await writer.query('INSERT INTO t VALUES (1)')
      let coming = true
      const clients = (async () => {
        let served = 0
        while (coming) {
          // Whoever was idle as its worker left is told so, as by a server that is shut down, also right behind the login; it
          // connects again.
          const client = await proxy.connect().catch(unlessToldToLeave)
          if (client !== null) served += Number(await value(client, 'SELECT 1').catch(() => 0))
          client?.destroy()
        }
        return served
      })()
      await admin(proxy, 'SLUICE RESTART')
      const after = await workers(proxy)
      expect(after.filter(({ state }) => state === 'serving').map(({ worker }) => worker)).toEqual(['3', '4'])
      await writer.query('COMMIT')
      expect(await cluster.execute(cluster.primary, `SELECT id FROM ${database}.t`)).toEqual([{ id: 1 }])
      await until('the old workers to end', async () => (await workers(proxy)).length === 2)
      coming = false
      expect(await clients).toBeGreaterThan(0)
      const now = (await workers(proxy)).map(({ pid }) => pid)
      for (const pid of before) expect(now).not.toContain(pid)
      await admin(proxy, 'SLUICE RESTART')
      const numbers = (await workers(proxy)).filter(({ state }) => state === 'serving').map(({ worker }) => worker)
      expect(numbers).toEqual(['1', '2'])
    })

    it('STOP ends the sessions that are there, and START serves again', SLOW, async () => {
      const client = await proxy.connect()
      const ended = new Promise((resolve) => client.on('error', resolve))
      await admin(proxy, 'PROXYSQL STOP')
      await Promise.race([
        ended,
        until('the session to end', () => rejection(client.query('SELECT 1')).catch(() => null)),
      ])
      expect((await connectRejection(proxy)).code).toBe('ECONNREFUSED')
      await admin(proxy, 'PROXYSQL START')
      expect(await value(await proxy.connect(), 'SELECT 2')).toBe(2)
    })

    it('KILL QUERY ends a statement, KILL CONNECTION a session, on whichever worker they are', SLOW, async () => {
      for (let round = 0; round < 3; round++) {
        const client = await proxy.connect()
        const marker = `/* slow ${engine} ${round} */`
        const slow = rejection(
          client.query(`SELECT ${marker} SLEEP(60) FROM (SELECT 1) x WHERE 1 = (SELECT 1 FROM (SELECT SLEEP(60)) y)`),
        )
        await whereRuns(cluster, `slow ${engine} ${round}`)
        await admin(proxy, `KILL QUERY ${client.threadId}`)
        expect((await slow).errno).toBe(1317)
        expect(await value(client, 'SELECT 1')).toBe(1)
        await admin(proxy, `KILL CONNECTION ${client.threadId}`)
        expect((await rejection(client.query('SELECT 1'))).message).toMatch(/closed|lost|reset|EPIPE|ended/i)
        expect((await rejection(admin(proxy, `KILL ${client.threadId}`))).errno).toBe(1094)
      }
    })

    it('FLUSH MYSQL CLIENT HOSTS forgets failed logins', SLOW, async () => {
      const failed = () => rejection(proxy.connect({ password: 'wrong' }))
      await until('the address to have to wait', async () => (await failed()).errno === 1129)
      await admin(proxy, 'PROXYSQL FLUSH MYSQL CLIENT HOSTS')
      await until('a login', async () => {
        const client = await proxy.connect().catch(() => null)
        return client === null ? null : value(client, 'SELECT 1')
      })
    })

    it('runs programs that are in the scheduler, once it is loaded', SLOW, async () => {
      const folder = dirname(proxy.configPath)
      const [path, out] = [join(folder, 'task.sh'), join(folder, 'task.out')]
      writeFileSync(path, `#!/bin/sh\necho "$1" >> ${out}\n`, { mode: 0o755 })
      await admin(proxy, `INSERT INTO scheduler (interval_ms, filename, arg1) VALUES (100, '${path}', 'a b')`)
      await admin(proxy, 'LOAD SCHEDULER TO RUNTIME')
      await until(
        'the program to have run twice',
        () => existsSync(out) && readFileSync(out, 'utf8').startsWith('a b\na b\n'),
      )
      expect(await admin(proxy, "SHOW EVENTS WHERE what = 'LOAD SCHEDULER TO RUNTIME'")).toMatchObject([
        { kind: 'config', who: 'admin@127.0.0.1' },
      ])
    })

    it('has it all in the audit log, which only its owner may read', async () => {
      await rejection(createConnection({ host: '127.0.0.1', port: proxy.adminPort, user: 'admin', password: 'guess' }))
      const path = join(dirname(proxy.configPath), 'audit.jsonl')
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const entries = readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(entries).toContainEqual(
        expect.objectContaining({ action: 'statement', user: 'admin', statement: 'PROXYSQL PAUSE', outcome: 'ok' }),
      )
      expect(entries).toContainEqual(expect.objectContaining({ action: 'login', user: 'admin', outcome: 'ok' }))
      expect(entries.at(-1)).toMatchObject({
        action: 'login',
        user: 'admin',
        address: '127.0.0.1',
        outcome: 'access-denied',
      })
      expect(entries.some(({ statement }) => String(statement).startsWith('SHOW'))).toBe(false)
      expect(proxy.log().some(({ msg }) => msg === 'admin statement of admin@127.0.0.1: ok')).toBe(true)
    })
  })

  /** A proxy that takes no more clients, but waits for the transaction of the one that is there. */
  async function shutDownSlowly() {
    const proxy = await startProxy(cluster, { limits: { shutdown_timeout: 100 } })
    const client = await proxy.connect({ database })
    await client.query('BEGIN')
    await admin(proxy, 'PROXYSQL SHUTDOWN SLOW')
    await until(
      'the proxy to take no more clients',
      async () => (await connectRejection(proxy)).code === 'ECONNREFUSED',
    )
    return { proxy, client }
  }

  it('SHUTDOWN SLOW waits for a transaction for as long as it takes, and ends then', SLOW, async () => {
    const { proxy, client } = await shutDownSlowly()
    const over = performance.now() + 1_500
    while (performance.now() < over) expect(await value(client, 'SELECT 1')).toBe(1)
    await client.query('ROLLBACK')
    expect(await proxy.exited()).toBe(0)
  })

  it('SHUTDOWN after it has the limit of a shutdown, and KILL has none', SLOW, async () => {
    const { proxy } = await shutDownSlowly()
    await admin(proxy, 'PROXYSQL SHUTDOWN')
    expect(await proxy.exited()).toBe(0)

    const other = await startProxy(cluster, { limits: { shutdown_timeout: 60_000 } })
    const open = await other.connect({ database })
    await open.query('BEGIN')
    const began = performance.now()
    await admin(other, 'PROXYSQL KILL')
    expect(await other.exited()).toBe(0)
    expect(performance.now() - began).toBeLessThan(20_000)
  })
})
