import type { Connection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { rejection, until, untilStatus, value } from './observe.js'

const SLOW = { timeout: 120_000 }
const WRITERS = 6
const SWITCHES = 4
const BRIEF_MS = 1_000

describe.each<Engine>(['mysql', 'mariadb'])('a planned change of the primary, on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await ownCluster(engine, { replicas: 1 })
    await cluster.execute(cluster.primary, 'CREATE TABLE test.kept (id INT PRIMARY KEY)')
    await cluster.waitForReplicas()
    // Seldom enough that writes meet a primary that is none any more.
    proxy = await startProxy(cluster, { monitor: { read_only_interval: 500 } })
  }, 120_000)

  /** It is told so by an error first. */
  const ended = (client: Connection) => new Promise((resolve) => client.on('end' as never, resolve))
  const isPrimary = (server: SandboxServer) => untilStatus(proxy, server, '0 ONLINE')

  it('is noticed by no write outside of a transaction, text or prepared', SLOW, async () => {
    let id = 0
    let over = false
    const written: number[] = []
    const write = async (client: Connection): Promise<void> => {
      while (!over) {
        const mine = ++id
        if (mine % 2 === 0) await client.query(`INSERT INTO test.kept VALUES (${mine})`)
        else await client.execute('INSERT INTO test.kept VALUES (?)', [mine])
        written.push(mine)
      }
    }
    const clients = await Promise.all(Array.from({ length: WRITERS }, () => proxy.connect()))
    const writers = Promise.all(clients.map(write))
    writers.catch(() => {})
    for (let i = 0; i < SWITCHES; i++) {
      const before = written.length
      await until('writes', () => written.length > before + WRITERS)
      await cluster.promote(cluster.replicas[0])
      await isPrimary(cluster.primary)
    }
    over = true
    await writers
    const rows = await cluster.execute<{ id: number }[]>(cluster.primary, 'SELECT id FROM test.kept')
    expect(rows.map((row) => row.id).sort((a, b) => a - b)).toEqual(written.sort((a, b) => a - b))
  })

  // Elsewhere Sluice sees passwords, by TLS or RSA.
  if (engine === 'mariadb') {
    it('sends away whose password its client alone knows, when it is in no transaction', SLOW, async () => {
      const login = { user: 'own_password', password: 'own' }
      await cluster.execute(cluster.primary, `CREATE USER ${login.user} IDENTIFIED BY '${login.password}'`)
      await cluster.execute(cluster.primary, `GRANT ALL ON test.* TO ${login.user}`)
      await cluster.waitForReplicas()
      const [idle, busy] = [await proxy.connect(login), await proxy.connect(login)]
      await idle.query('INSERT INTO test.kept VALUES (-1)')
      await busy.query('START TRANSACTION READ ONLY')
      const [idleEnd, busyEnd] = [idle, busy].map(ended)
      await cluster.promote(cluster.replicas[0])
      await idleEnd
      expect(await value(busy, 'SELECT COUNT(*) FROM test.kept WHERE id = -1')).toBe(1)
      await busy.query('COMMIT')
      await busyEnd
      await (await proxy.connect(login)).query('INSERT INTO test.kept VALUES (-2)')
    })
  }

  it(
    'is told to what is part of a transaction, and to whoever has waited for as long as a statement may',
    SLOW,
    async () => {
      const brief = await startProxy(cluster, {
        monitor: { read_only_interval: 60_000 },
        limits: { connect_timeout_server_max: BRIEF_MS },
      })
      const client = await brief.connect()
      await client.query('START TRANSACTION')
      expect(await value(client, 'SELECT 1')).toBe(1)
      const readOnly = (on: number) => cluster.execute(cluster.primary, `SET GLOBAL read_only = ${on}`)
      await readOnly(1)
      try {
        expect(await rejection(client.query('INSERT INTO test.kept VALUES (0)'))).toMatchObject({ errno: 1290 })
        await client.query('ROLLBACK')
        const startedAt = performance.now()
        const late = await rejection(client.query('INSERT INTO test.kept VALUES (0)'))
        expect([1290, 9001]).toContain(late.errno)
        expect(performance.now() - startedAt).toBeGreaterThan(BRIEF_MS / 2)
        expect(await rejection(client.query('INSERT INTO test.kept VALUES (LAST_INSERT_ID())'))).toMatchObject({
          errno: expect.toSatisfy((errno) => errno === 1290 || errno === 9001),
        })
      } finally {
        await readOnly(0)
        await isPrimary(cluster.primary)
      }
      await client.query('INSERT INTO test.kept VALUES (0)')
    },
  )
})
