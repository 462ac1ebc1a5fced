import { createConnection } from 'mysql2'
import type { Connection, ConnectionOptions } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { metric, rejection, until, untilStatus, value } from './observe.js'

const SLOW = { timeout: 120_000 }
const TLS = { ssl: { rejectUnauthorized: false } }
const BRIEF_MS = 1_500
const JUDGED = 'judged'
const PASSWORD = 'by a server'

describe.each<Engine>(['mysql', 'mariadb'])('new clients while there is no server, on %s', (engine) => {
  let cluster: Cluster
  /** Lets clients wait for long, so that servers have time to come back. */
  let proxy: RunningProxy
  /** Gives clients up soon. */
  let brief: RunningProxy

  beforeAll(async () => {
    cluster = await ownCluster(engine, { replicas: 1 })
    await cluster.execute(cluster.primary, `CREATE USER ${JUDGED} IDENTIFIED BY '${PASSWORD}'`)
    await cluster.execute(cluster.primary, `GRANT ALL ON *.* TO ${JUDGED}`)
    await cluster.waitForReplicas()
    const passThrough = { pass_through: { recheck_interval: 0 } }
    ;[proxy, brief] = await Promise.all([
      startProxy(cluster, { ...passThrough, limits: { connect_timeout_server_max: 60_000 } }),
      startProxy(cluster, {
        ...passThrough,
        limits: { connect_timeout_server_max: BRIEF_MS, connect_timeout_server: 500 },
      }),
    ])
  }, 120_000)

  afterEach(bringBack, 120_000)

  async function bringBack(): Promise<void> {
    for (const server of cluster.servers) {
      await server.start()
    }
    for (const server of cluster.servers) {
      for (const one of [proxy, brief]) await untilStatus(one, server, `${server.role === 'primary' ? 0 : 1} ONLINE`)
    }
  }

  async function lose(servers = cluster.servers): Promise<void> {
    for (const server of servers) await server.kill()
    for (const server of servers) {
      for (const one of [proxy, brief]) await untilStatus(one, server, `${server.role === 'primary' ? 0 : 1} SHUNNED`)
    }
  }

  const logIn = (password: string, options: ConnectionOptions, to = proxy): Promise<Connection> =>
    to.connect({ user: JUDGED, password, connectTimeout: 60_000, ...options })

  for (const [way, options] of [
    ['over TLS', TLS],
    ['without TLS', {}],
  ] as const) {
    it(`a login ${way} that a server judges waits for one`, SLOW, async () => {
      await lose()
      const outcomes = Promise.allSettled([logIn(PASSWORD, options), logIn('wrong', options)])
      await bringBack()
      const [right, wrong] = await outcomes
      expect(right).toMatchObject({ status: 'fulfilled' })
      expect(wrong).toMatchObject({ status: 'rejected', reason: { errno: 1045 } })
      const client = (right as PromiseFulfilledResult<Connection>).value
      expect(await value(client, 'SELECT CURRENT_USER()')).toBe(`${JUDGED}@%`)
    })

    it(`such a login ${way} is given up after the time of a statement, in a statement's words`, SLOW, async () => {
      await lose()
      const startedAt = performance.now()
      const refusal = await rejection(logIn(PASSWORD, options, brief))
      expect(refusal).toMatchObject({
        errno: 9001,
        message: expect.stringMatching(
          /^Max connect timeout reached while reaching hostgroup 0 after \d+ms \(sluice: /,
        ),
      })
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(BRIEF_MS)
      expect(performance.now() - startedAt).toBeLessThan(BRIEF_MS + 5_000)
    })
  }

  it('a login without TLS waits for the primary though a replica is there', SLOW, async () => {
    await lose([cluster.primary])
    const login = logIn(PASSWORD, {})
    login.catch(() => {})
    await bringBack()
    expect(await value(await login, 'SELECT CURRENT_USER()')).toBe(`${JUDGED}@%`)
  })

  it('a change of the user waits as a login does', SLOW, async () => {
    const client = await proxy.connect(TLS)
    await lose()
    const change = client.changeUser({ user: JUDGED, password: PASSWORD })
    change.catch(() => {})
    await bringBack()
    await change
    expect(await value(client, 'SELECT CURRENT_USER()')).toBe(`${JUDGED}@%`)
  })

  it('an account that Sluice knows logs in at once; its schema, USE and the first statement wait', SLOW, async () => {
    await lose()
    const client = await proxy.connect()
    const withSchema = proxy.connect({ database: 'test', connectTimeout: 60_000 })
    const use = client.query('USE test')
    const first = (await proxy.connect()).query('CREATE TABLE test.firsts (a INT)')
    for (const waiting of [withSchema, use, first]) waiting.catch(() => {})
    await bringBack()
    await Promise.all([use, first])
    expect(await value(client, 'SELECT DATABASE()')).toBe('test')
    expect(await value(await withSchema, 'SELECT DATABASE()')).toBe('test')
    await client.query('DROP TABLE firsts')
  })

  it('a client that gives up while it waits leaves nothing behind', SLOW, async () => {
    const connected = () => metric(proxy, 'sluice_client_connections')
    const before = await connected()
    await lose()
    const clients = [TLS, {}].map((options) =>
      createConnection({ host: '127.0.0.1', port: proxy.port, user: JUDGED, password: PASSWORD, ...options }),
    )
    for (const client of clients) client.on('error', () => {})
    await until('the clients to wait', async () => (await connected()) === before + clients.length)
    for (const client of clients) client.destroy()
    await until('the clients to be gone', async () => (await connected()) === before)
    expect(proxy.log().filter(({ msg }) => String(msg).includes('error in Sluice'))).toEqual([])
  })
})
