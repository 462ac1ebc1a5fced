import type { Connection } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, ownCluster } from '../../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { metric, until, value } from './observe.js'

/** Longer than any test. */
const FOR_EVER_S = 3600
const SLOW = { timeout: 90_000 }
const ON = { new_sessions_see_commits: true }
/** So many that both workers get some of them. */
const CLIENTS = 8

describe.each<Engine>(['mysql', 'mariadb'])('what is committed through the proxy, on %s', (engine) => {
  let cluster: Cluster
  let database: string
  let proxy: RunningProxy
  const ofTest: RunningProxy[] = []

  beforeAll(async () => {
    cluster = await ownCluster(engine, { replicas: 1 })
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 0)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { workers: 2, consistency: ON })
  }, 60_000)

  afterEach(async () => {
    await Promise.all(ofTest.splice(0).map((started) => started.stop()))
  })

  const connect = (of: RunningProxy = proxy): Promise<Connection> => of.connect({ database })
  const read = async (client: Connection, hint = ''): Promise<number> =>
    Number(await value(client, `${hint}SELECT v FROM t`))
  const many = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: CLIENTS }, make))

  /** On the primary alone; resolves with what is there then. */
  async function write(of: RunningProxy = proxy): Promise<number> {
    const writer = await connect(of)
    await writer.query('UPDATE t SET v = v + 1')
    return read(writer)
  }

  async function onReplica(client: Connection): Promise<boolean> {
    return Number(await value(client, 'SELECT @@port')) === cluster.replicas[0].port
  }

  async function whileLate(of: RunningProxy, work: () => Promise<void>): Promise<void> {
    const [replica] = cluster.replicas
    await cluster.setReplicaDelay(replica, FOR_EVER_S)
    try {
      for (const client of await many(() => connect(of))) {
        await until('the replica to be read', async () => onReplica(client))
      }
      await work()
    } finally {
      await cluster.setReplicaDelay(replica, 0)
      await cluster.waitForReplicas()
    }
  }

  it('is seen by whoever logs in after it, on any worker, however late the replicas are', SLOW, async () => {
    await whileLate(proxy, async () => {
      for (let round = 0; round < 3; round++) {
        const written = await write()
        const clients = await many(() => connect())
        expect(await Promise.all(clients.map((client) => read(client)))).toEqual(clients.map(() => written))
        const [rows] = await (await connect()).execute('SELECT v FROM t WHERE v > ?', [0])
        expect(rows).toEqual([{ v: written }])
      }
      expect(await metric(proxy, 'sluice_reads_on_primary_total{reason="committed"}')).toBeGreaterThan(0)
    })
    const late = await connect()
    await until('replicas to be read again', async () => onReplica(late))
  })

  it('is seen after a reset of the session and a change of its user, as after a login', SLOW, async () => {
    const { user, password } = cluster.accounts.app
    await whileLate(proxy, async () => {
      const clients = await many(() => connect())
      for (const client of clients) await until('the replica to be read', async () => onReplica(client))
      const written = await write()
      expect(await read(clients[0] as Connection)).toBe(written - 1)
      for (const [index, client] of clients.entries()) {
        if (index % 2 === 0) await client.reset()
        else await client.changeUser({ user, password, database } as never)
        expect(await read(client), index % 2 === 0 ? 'reset' : 'changed').toBe(written)
      }
    })
  })

  it('is on the replica that a new session waits for, so that the primary need not answer', SLOW, async () => {
    const patient = await started({ causal_wait: 5000 })
    await until('a replica to be read', async () => onReplica(await connect(patient)))
    await until('a new session to wait', async () => {
      const written = await write(patient)
      const client = await connect(patient)
      expect(await read(client)).toBe(written)
      return (await metric(patient, 'sluice_causal_waits_total{outcome="met"}')) > 0
    })
  })

  it('is seen by each read at the level global; at the level session others may see it later', SLOW, async () => {
    await whileLate(proxy, async () => {
      const clients = await many(() => connect())
      for (const client of clients) await until('the replica to be read', async () => onReplica(client))
      const written = await write()
      for (const client of clients) {
        expect(await read(client)).toBe(written - 1)
        expect(await read(client, '/* sluice: consistency=global */ ')).toBe(written)
      }
      const again = await write()
      for (const client of clients) {
        await client.query("SET sluice_consistency = 'global'")
        expect(await read(client)).toBe(again)
      }
    })
    const client = await connect()
    await client.query("SET sluice_consistency = 'global'")
    await until('a replica to be read at the level global', async () => onReplica(client))
  })

  it('need not be seen by new sessions where that is switched off', SLOW, async () => {
    const off = await started({ new_sessions_see_commits: false })
    await whileLate(off, async () => {
      const written = await write(off)
      expect(await read(await connect(off))).toBe(written - 1)
    })
  })

  async function started(consistency: ConfigOverrides): Promise<RunningProxy> {
    const one = await startProxy(cluster, { workers: 2, consistency: { ...ON, ...consistency } })
    ofTest.push(one)
    return one
  }
})
