import type { Connection } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Cluster, SandboxServer } from '../../../src/sandbox/index.js'
import { createDatabase, ownCluster } from '../../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { metric, value } from './observe.js'

/** Longer than any test. */
const FOR_EVER_S = 3600
const SLOW = { timeout: 180_000 }
const PATIENCE_MS = 60_000
/** What a session reads has to be older than what the monitor has seen: whoever reads on and on stays where he is. */
const NOW_AND_THEN_MS = 1000

/** Waits as long as a slow machine needs, looking now and then. */
function untilRead(what: string, condition: () => Promise<boolean>): Promise<void> {
  return vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error(`waiting for ${what}`)
    },
    { timeout: PATIENCE_MS, interval: NOW_AND_THEN_MS },
  )
}

/** A cluster whose servers have one row each, and proxies in front of it. */
function setting(start: () => Promise<Cluster>) {
  let cluster: Cluster
  let database: string
  const started: RunningProxy[] = []

  beforeAll(async () => {
    cluster = await start()
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 0)`)
    await cluster.waitForReplicas()
  }, 120_000)

  afterEach(async () => {
    await Promise.all(started.splice(0).map((proxy) => proxy.stop()))
  })

  const port = async (client: Connection, hint = ''): Promise<number> =>
    Number(await value(client, `${hint}SELECT @@port`))
  const isOf = (servers: readonly SandboxServer[], at: number): boolean => servers.some((server) => server.port === at)

  return {
    get cluster() {
      return cluster
    },
    async start(consistency: ConfigOverrides = {}): Promise<RunningProxy> {
      const proxy = await startProxy(cluster, { consistency: { new_sessions_see_commits: true, ...consistency } })
      started.push(proxy)
      return proxy
    },
    connect: (proxy: RunningProxy): Promise<Connection> => proxy.connect({ database }),
    read: async (client: Connection, hint = ''): Promise<number> =>
      Number(await value(client, `${hint}SELECT v FROM t WHERE id = 1`)),
    /** @returns what is there then, as the primary says */
    async write(client: Connection): Promise<number> {
      await client.query('UPDATE t SET v = v + 1 WHERE id = 1')
      return Number(await value(client, '/* sluice: primary */ SELECT v FROM t WHERE id = 1'))
    },
    onReplica: (client: Connection, replicas = cluster.replicas): Promise<void> =>
      untilRead('reads to come to a replica', async () => isOf(replicas, await port(client))),
    /** Replicas whose delay is changed do not replicate for a moment: until they may be read again. */
    async late(proxy: RunningProxy, replicas: readonly SandboxServer[], work: () => Promise<void>): Promise<void> {
      for (const replica of replicas) await cluster.setReplicaDelay(replica, FOR_EVER_S)
      try {
        const client = await proxy.connect({ database })
        for (const replica of replicas) {
          await untilRead('a late replica', async () => isOf([replica], await port(client, '/* sluice: replica */ ')))
        }
        await work()
      } finally {
        for (const replica of replicas) await cluster.setReplicaDelay(replica, 0)
        await cluster.waitForReplicas()
      }
    },
  }
}

describe('replication by binary log coordinates, without GTIDs', () => {
  const world = setting(() => ownCluster('mysql', { replicas: 2, byCoordinates: true }))

  it('a session reads what it wrote, and comes back to the replicas when they have it', SLOW, async () => {
    const { connect, read, write, onReplica } = world
    const proxy = await world.start()
    const client = await connect(proxy)
    for (let round = 0; round < 3; round++) {
      const written = await write(client)
      expect(await read(client)).toBe(written)
      await onReplica(client)
      expect(await read(client)).toBe(written)
    }
    expect(await metric(proxy, 'sluice_reads_on_replica_total')).toBeGreaterThan(0)
  })

  it('a late replica is not read from after a write, with `pin` or without; another one is', SLOW, async () => {
    const { cluster, connect, read, write, onReplica } = world
    const proxy = await world.start({ pin: 1 })
    const [late, other] = cluster.replicas as [SandboxServer, SandboxServer]
    const [client, begun] = [await connect(proxy), await connect(proxy)]
    await onReplica(begun)
    await world.late(proxy, [late], async () => {
      const written = await write(client)
      await onReplica(client, [other])
      for (let i = 0; i < 20; i++) expect(await read(client)).toBe(written)
    })
    await world.late(proxy, cluster.replicas, async () => {
      const written = await write(client)
      for (let i = 0; i < 5; i++) {
        await client.query('/* sluice: primary */ SELECT SLEEP(0.1)')
        expect(await read(client)).toBe(written)
        // Who begins now is to see it as well, and so is who asks for it.
        expect(await read(await connect(proxy))).toBe(written)
        expect(await read(begun, '/* sluice: consistency=global */ ')).toBe(written)
      }
      expect(await read(client, '/* sluice: replica */ ')).toBe(written - 1)
    })
    await onReplica(client)
    expect(await metric(proxy, 'sluice_reads_on_primary_total{reason="causal"}')).toBeGreaterThan(0)
  })

  it('a session that reads without a pause waits for a replica, where it may wait long enough', SLOW, async () => {
    const { cluster, connect, read, write } = world
    const proxy = await world.start({ causal_wait: 30_000 })
    const client = await connect(proxy)
    await untilRead('what replicas have to be known', async () => {
      const written = await write(client)
      for (let i = 0; i < 10; i++) expect(await read(client)).toBe(written)
      const at = Number(await value(client, 'SELECT @@port'))
      const hasWaited = (await metric(proxy, 'sluice_causal_waits_total{outcome="met"}')) > 0
      return hasWaited && cluster.replicas.some((replica) => replica.port === at)
    })
  })

  it('a new log of the primary goes on where the old one ended', SLOW, async () => {
    const { cluster, connect, read, write, onReplica } = world
    const client = await connect(await world.start())
    await cluster.execute(cluster.primary, 'FLUSH BINARY LOGS')
    await onReplica(client)
    const written = await write(client)
    await cluster.execute(cluster.primary, 'FLUSH BINARY LOGS')
    await onReplica(client)
    expect(await read(client)).toBe(written)
  })

  it(
    'a new primary begins anew: what was written before and after is read, and replicas of it are read from',
    SLOW,
    async () => {
      const { cluster, connect, read, write, onReplica } = world
      const proxy = await world.start()
      const client = await connect(proxy)
      const before = await write(client)
      const [next] = cluster.replicas as [SandboxServer]
      await cluster.promote(next)
      await untilRead('the new primary', async () => {
        const writer = await connect(proxy)
        return Number(await value(writer, '/* sluice: primary */ SELECT @@port')) === next.port
      })
      const fresh = await connect(proxy)
      expect(await read(fresh)).toBe(before)
      const written = await write(fresh)
      expect(written).toBe(before + 1)
      expect(await read(fresh)).toBe(written)
      await onReplica(fresh)
      expect(await read(fresh)).toBe(written)
      await world.late(proxy, cluster.replicas, async () => {
        const again = await write(fresh)
        expect(await read(fresh)).toBe(again)
        expect(await read(await connect(proxy))).toBe(again)
      })
      await onReplica(fresh)
    },
  )
})

describe('MariaDB’s replication by coordinates (MASTER_USE_GTID = no)', () => {
  const world = setting(async () => {
    const cluster = await ownCluster('mariadb', { replicas: 1 })
    const [replica] = cluster.replicas as [SandboxServer]
    for (const sql of ['STOP SLAVE', 'CHANGE MASTER TO MASTER_USE_GTID = no', 'START SLAVE']) {
      await cluster.execute(replica, sql)
    }
    return cluster
  })

  it('is told by GTIDs all the same', SLOW, async () => {
    const { cluster, connect, read, write, onReplica } = world
    const [status] = await cluster.execute(cluster.replicas[0] as SandboxServer, 'SHOW SLAVE STATUS')
    expect(status).toMatchObject({ Using_Gtid: 'No' })
    const proxy = await world.start()
    const client = await connect(proxy)
    const written = await write(client)
    await onReplica(client)
    expect(await read(client)).toBe(written)
    await world.late(proxy, cluster.replicas, async () => {
      const again = await write(client)
      expect(await read(client)).toBe(again)
      expect(await read(await connect(proxy))).toBe(again)
    })
    await onReplica(client)
  })
})
