import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { DEFAULT_MONITOR, type MonitorConfig, type ServerConfig } from '../../src/control/config/config-schema.js'
import { Monitor } from '../../src/control/monitor/monitor.js'
import { initialTopology, observe } from '../../src/control/topology/topology.js'
import type { TopologyEvent, TopologyState } from '../../src/control/topology/topology-types.js'
import { isWriter } from '../../src/control/topology/topology-writer.js'
import type { Cluster, Engine, SandboxServer } from '../../src/sandbox/index.js'
import { monotonicMs } from '../../src/shared/clock.js'
import { type HealthReport, NO_SERVER_TLS, type ServerHealth } from '../../src/shared/snapshot.js'
import { ownCluster } from '../helpers/cluster.js'

const ENGINES: readonly Engine[] = ['mysql', 'mariadb']
const PAIR = { writer: 0, reader: 1 }
const MAX_LAG_S = 1
/** What the documentation promises. */
const DEATH_FOUND_MS = 3000

const CONFIG: MonitorConfig = {
  user: 'monitor',
  password: 'monitor',
  connectIntervalMs: DEFAULT_MONITOR.connect_interval,
  connectTimeoutMs: DEFAULT_MONITOR.connect_timeout,
  pingIntervalMs: DEFAULT_MONITOR.ping_interval,
  pingTimeoutMs: DEFAULT_MONITOR.ping_timeout,
  pingMaxFailures: DEFAULT_MONITOR.ping_max_failures,
  readOnlyIntervalMs: DEFAULT_MONITOR.read_only_interval,
  readOnlyTimeoutMs: DEFAULT_MONITOR.read_only_timeout,
  replicationLagIntervalMs: DEFAULT_MONITOR.replication_lag_interval,
  replicationLagTimeoutMs: DEFAULT_MONITOR.replication_lag_timeout,
  replicationLagGraceMs: DEFAULT_MONITOR.replication_lag_grace,
  routinesIntervalMs: 1000,
  accountsIntervalMs: 10_000,
}

/** Monitor and topology as the control plane joins them. */
class Watch {
  topology: TopologyState
  readonly events: TopologyEvent[] = []
  reports = 0
  last: HealthReport | null = null
  readonly monitor: Monitor
  readonly servers: readonly ServerConfig[]

  constructor(cluster: Cluster) {
    const servers = cluster.servers.map(({ port }, index): ServerConfig => {
      const address = {
        id: `127.0.0.1:${port}`,
        host: '127.0.0.1',
        port,
        hostgroup: index === 0 ? PAIR.writer : PAIR.reader,
      }
      const limits = { weight: 1, maxConnections: 100, maxReplicationLag: MAX_LAG_S }
      const tls = { tls: NO_SERVER_TLS, tlsFiles: { ca: null, cert: null, key: null } }
      return { ...address, ...limits, ...tls, status: 'ONLINE', proxyProtocol: 'off', compression: 'off', comment: '' }
    })
    this.servers = servers
    const rules = { servers, replicationHostgroups: [PAIR], maxFailures: CONFIG.pingMaxFailures }
    this.topology = initialTopology(rules)
    this.monitor = new Monitor(servers, CONFIG, pino({ level: 'silent' }), {
      observed: (observation) => {
        const now = { monotonicMs: monotonicMs(), dateMs: Date.now() }
        const { state, effects } = observe(this.topology, [{ observation, atMs: now.monotonicMs }], now)
        this.topology = state
        for (const effect of effects) if (effect.kind === 'log') this.events.push(effect.event)
      },
      health: (report) => {
        this.reports++
        this.last = report
      },
      learned: () => {},
      primaryOf: () => {
        const holder = this.topology.writers.get(PAIR.writer)
        return holder !== undefined && isWriter(this.topology, PAIR, holder) ? holder : null
      },
    })
  }

  health(server: SandboxServer): ServerHealth {
    return this.monitor.health().servers.find(({ id }) => id === `127.0.0.1:${server.port}`)!
  }

  /** `hostgroup status` of a server. */
  row(server: SandboxServer): string {
    const entry = this.topology.entries.find(({ id }) => id === `127.0.0.1:${server.port}`)
    return `${entry?.hostgroup} ${entry?.status}`
  }

  reason(server: SandboxServer): string {
    return this.topology.entries.find(({ id }) => id === `127.0.0.1:${server.port}`)?.statusReason ?? ''
  }
}

const soon = (check: () => void, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 20 })

describe.each(ENGINES)('the monitor on %s', (engine) => {
  let cluster: Cluster
  let watch: Watch

  beforeAll(async () => {
    cluster = await ownCluster(engine)
    await cluster.execute(cluster.primary, 'CREATE TABLE demo.seen (id INT PRIMARY KEY AUTO_INCREMENT, note INT)')
    await cluster.waitForReplicas()
    watch = new Watch(cluster)
    watch.monitor.start()
    await watch.monitor.firstRound(5000)
  })
  afterAll(async () => {
    await watch?.monitor.stop()
  })

  // Otherwise workers would take each server for the default one, MySQL, until it is seen again.
  it('goes on knowing its servers when it is told to look at them otherwise', () => {
    const { facts, greeting } = watch.monitor.learned()
    expect(facts.map(({ flavor }) => flavor)).toEqual([engine, engine, engine])
    const alive = watch.monitor.health().servers.map(({ id }) => [id, true])
    for (const config of [{ ...CONFIG, pingIntervalMs: CONFIG.pingIntervalMs + 1 }, CONFIG]) {
      watch.monitor.reconfigure(watch.servers, config)
      expect(watch.monitor.learned()).toMatchObject({ facts, greeting })
      expect(watch.monitor.health().servers.map((server) => [server.id, server.alive])).toEqual(alive)
    }
  })

  const write = () => cluster.execute(cluster.primary, 'INSERT INTO demo.seen (note) VALUES (1)')

  it('knows every server’s flavor, version and role after the first round', () => {
    const { facts, greeting } = watch.monitor.learned()
    expect(facts.map(({ flavor, readOnly }) => [flavor, readOnly])).toEqual([
      [engine, false],
      [engine, true],
      [engine, true],
    ])
    expect(greeting).toMatchObject({ flavor: engine, serverVersion: facts[0].version })
    expect(facts[0].version).toContain(cluster.version)
    expect(greeting.mariadbCapabilities !== 0).toBe(engine === 'mariadb')
    expect(cluster.servers.map((server) => watch.row(server))).toEqual(['0 ONLINE', '1 ONLINE', '1 ONLINE'])
  })

  it('says of replicas without lag that they are complete up to a moment ago', async () => {
    await write()
    await cluster.waitForReplicas()
    const written = monotonicMs()
    await soon(() => {
      for (const replica of cluster.replicas) {
        const { alive, lagMs, coversPrimaryAt, gtidExecuted } = watch.health(replica)
        expect({ alive, lagMs }).toEqual({ alive: true, lagMs: 0 })
        expect(coversPrimaryAt).toBeGreaterThan(written)
        expect(gtidExecuted).toBe(watch.health(cluster.primary).gtidExecuted)
      }
    })
    expect(watch.health(cluster.primary)).toMatchObject({ lagMs: 0, coversPrimaryAt: Number.MAX_SAFE_INTEGER })
  })

  it('reports health only when something has changed', async () => {
    const before = watch.reports
    await soon(() => expect(watch.reports).toBeGreaterThan(before))
    expect(watch.last?.servers).toHaveLength(3)
  })

  it('finds stored functions that say they only read, and no others', async () => {
    const create = (name: string, access: string) =>
      cluster.execute(cluster.primary, `CREATE FUNCTION demo.${name}() RETURNS INT DETERMINISTIC ${access} RETURN 1`)
    await create('Price', 'READS SQL DATA')
    await create('constant', 'NO SQL')
    await create('plain', '')
    await create('writer', 'MODIFIES SQL DATA')
    await soon(() => {
      const ours = watch.monitor.learned().readOnlyFunctions.filter((name) => name.startsWith('demo.'))
      expect(ours).toEqual(['demo.constant', 'demo.price'])
    })
  })

  it('measures lag below a second, sets a replica aside over its limit and takes it back', async () => {
    const [late, other] = cluster.replicas
    await cluster.setReplicaDelay(late, 3)
    await write()
    const written = monotonicMs()
    await soon(() => expect(watch.health(late).lagMs).toBeGreaterThan(100))
    expect(watch.health(late).lagMs).toBeLessThan(monotonicMs() - written + 1500)
    // Replication was restarted to set the delay: the replica may be aside for that first.
    await soon(() => expect(watch.reason(late)).toBe(`replication lag is over ${MAX_LAG_S} s`))
    expect(watch.row(late)).toBe('1 SHUNNED')
    expect(watch.health(late).coversPrimaryAt).toBeLessThan(written)
    expect(watch.row(other)).toBe('1 ONLINE')
    await cluster.setReplicaDelay(late, 0)
    await soon(() => expect(watch.row(late)).toBe('1 ONLINE'))
    expect(watch.health(late).coversPrimaryAt).toBeGreaterThan(written)
  })

  it('takes no reads from a replica whose replication is stopped', async () => {
    const [replica] = cluster.replicas
    await cluster.stopReplication(replica)
    await soon(() => expect(watch.reason(replica)).toMatch(/^replication (applier|receiver) is stopped/))
    expect(watch.row(replica)).toBe('1 SHUNNED')
    expect(watch.health(replica).lagMs).toBeNull()
    await cluster.startReplication(replica)
    await soon(() => expect(watch.row(replica)).toBe('1 ONLINE'))
  })

  it('finds a server that hangs within three seconds, and that it is back', async () => {
    const [replica] = cluster.replicas
    const paused = monotonicMs()
    replica.pause()
    try {
      await soon(() => expect(watch.row(replica)).toBe('1 SHUNNED'))
      expect(monotonicMs() - paused).toBeLessThan(DEATH_FOUND_MS)
      expect(watch.reason(replica)).toMatch(/^does not answer: no (answer|login) within/)
    } finally {
      replica.resume()
    }
    await soon(() => expect(watch.row(replica)).toBe('1 ONLINE'))
  })

  it('finds a server that was killed within a second, and that it is back', async () => {
    const [replica] = cluster.replicas
    const killed = monotonicMs()
    await replica.kill()
    await soon(() => expect(watch.row(replica)).toBe('1 SHUNNED'))
    expect(monotonicMs() - killed).toBeLessThan(1000 + DEATH_FOUND_MS / 3)
    await replica.start()
    await soon(() => expect(watch.row(replica)).toBe('1 ONLINE'))
  })

  it('keeps lag and reads of the replicas while the primary is down', async () => {
    await cluster.primary.kill()
    await soon(() => expect(watch.row(cluster.primary)).toBe('0 SHUNNED'))
    await soon(() => expect(cluster.replicas.map((replica) => watch.row(replica))).toEqual(['1 ONLINE', '1 ONLINE']))
    expect(cluster.replicas.map((replica) => watch.health(replica).lagMs)).toEqual([0, 0])
    await cluster.primary.start()
    await soon(() => expect(watch.row(cluster.primary)).toBe('0 ONLINE'))
  })

  it('follows a switchover within a second, without a refusal', async () => {
    const old = cluster.primary
    const [next] = cluster.replicas
    await cluster.promote(next)
    const promoted = monotonicMs()
    await soon(() => expect([watch.row(next), watch.row(old).slice(0, 1)]).toEqual(['0 ONLINE', '1']))
    expect(monotonicMs() - promoted).toBeLessThan(1000)
    expect(watch.events.filter(({ what }) => what.includes('refused'))).toEqual([])
    await soon(() => expect(watch.row(old)).toBe('1 ONLINE'))
    const written = monotonicMs()
    await write()
    await soon(() => expect(watch.health(old).coversPrimaryAt).toBeGreaterThan(written))
  })

  it('looks at once when a worker suspects a server', async () => {
    const slow = new Monitor(
      [{ ...watch.topology.rules.servers[0] }],
      { ...CONFIG, pingIntervalMs: 600_000, readOnlyIntervalMs: 600_000, replicationLagIntervalMs: 600_000 },
      pino({ level: 'silent' }),
      { observed: () => polls++, health: () => {}, learned: () => {}, primaryOf: () => null },
    )
    let polls = 0
    slow.start()
    await slow.firstRound(5000)
    const before = polls
    slow.suspect(watch.topology.rules.servers[0].id)
    await soon(() => expect(polls).toBeGreaterThan(before), 1000)
    await slow.stop()
  })
})
