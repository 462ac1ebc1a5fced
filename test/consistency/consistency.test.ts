import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../src/sandbox/index.js'
import type { Random } from '../fuzz/random.js'
import { createDatabase, ownCluster } from '../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, startProxy } from '../helpers/proxy.js'
import { ALL, disturb, QUICK } from './disturbance.js'
import { describeRun, type RunOptions, type RunResult, runClients } from './run.js'

/**
 * Sessions and causal tokens are promised never to see less than they wrote or saw, whatever replicas go through.
 *
 * SLUICE_CONSISTENCY_SECONDS: how long the guarded runs of each engine take together; then they also have failovers, hanging
 * replicas and restarts. SLUICE_CONSISTENCY_SEED: the seed that a run has printed, to repeat what clients and servers do
 * (though not the order in which they get to it).
 */
const SECONDS = Number(process.env['SLUICE_CONSISTENCY_SECONDS'] ?? 0)
const SEED = process.env['SLUICE_CONSISTENCY_SEED'] ?? String(Date.now() % 1_000_000)
const SHORT_SECONDS = 7
/** A long run forgets its history and begins anew so often. */
const ROUND_SECONDS = 20
const UNGUARDED_SECONDS = 3
const UNGUARDED_ROUNDS_MAX = 5
const STALE_READS = [
  'monotonic-reads (session)',
  'monotonic-reads (token)',
  'read-your-writes (session)',
  'read-your-writes (token)',
]
const CLIENTS = 12
const SLOW = { timeout: 90_000 }
/** Milliseconds; short, so that many reads meet its end. */
const CAUSAL_WAIT_MS = 10

/** A statement in a transaction on a server that goes away cannot be repeated elsewhere. */
const EXPECTED_ERRORS = /^read-only transaction: /

describe.each<Engine>(['mysql', 'mariadb'])('consistency on %s', (engine) => {
  let cluster: Cluster
  let database: string

  beforeAll(async () => {
    console.log(`seed ${SEED}`)
    cluster = await ownCluster(engine)
    database = await createDatabase(cluster)
  })

  const start = (consistency: ConfigOverrides): Promise<RunningProxy> =>
    startProxy(cluster, { workers: 2, consistency: { causal_wait: CAUSAL_WAIT_MS, ...consistency } })

  async function run(
    options: Pick<RunOptions, 'proxy' | 'seconds' | 'disturb' | 'tellsTokens'>,
    seed = SEED,
  ): Promise<RunResult> {
    const result = await runClients({ cluster, database, seed: `${engine} ${seed}`, clients: CLIENTS, ...options })
    console.log(`${engine}, seed ${seed}: ${describeRun(result)}`)
    return result
  }

  /** All replicas at the same time. */
  async function disturbReplicas(random: Random, until: number, kinds = QUICK): Promise<void> {
    const happened = (what: string) => console.log(`${engine}: ${what}`)
    await Promise.all(cluster.replicas.map((replica) => disturb(replica, { cluster, random, kinds, until, happened })))
  }

  it('sessions and tokens see what they wrote and never less than before, whatever replicas do', SLOW, async () => {
    const proxy = await start({ level: 'session' })
    const result = await run({
      proxy,
      seconds: SHORT_SECONDS,
      disturb: disturbReplicas,
    })
    expect(result.violations.length, describeRun(result)).toBe(0)
    expect([...result.errors.keys()].filter((text) => !EXPECTED_ERRORS.test(text))).toEqual([])
    // Or the run would have proven nothing.
    expect(result.writes).toBeGreaterThan(50)
    expect(result.reads).toBeGreaterThan(200)
    expect(result.replicaReads).toBeGreaterThan(20)
  })

  it('without the guard the same run finds stale reads of every kind', SLOW, async () => {
    const proxy = await start({ level: 'eventual' })
    const [late] = cluster.replicas
    const kinds = new Set<string>()
    await cluster.setReplicaDelay(late, 1)
    try {
      for (let round = 1; round <= UNGUARDED_ROUNDS_MAX && kinds.size < STALE_READS.length; round++) {
        const options = { proxy, seconds: UNGUARDED_SECONDS, tellsTokens: false, disturb: async () => {} }
        const { violations } = await run(options, `${SEED}/${round}`)
        for (const { guarantee, scope } of violations) kinds.add(`${guarantee} (${scope})`)
      }
      expect([...kinds].sort()).toEqual(STALE_READS)
    } finally {
      await cluster.setReplicaDelay(late, 0)
      await cluster.waitForReplicas()
    }
  })

  describe.runIf(SECONDS > 0)('for long', () => {
    const rounds = Math.max(1, Math.round(SECONDS / ROUND_SECONDS))
    const LONG = { timeout: SECONDS * 1000 * 4 + 120_000 }

    it('holds through hanging, restarted and crashed replicas, and failovers', LONG, async () => {
      const proxy = await start({ level: 'session' })
      for (let round = 1; round <= rounds; round++) {
        const isFailover = round % 2 === 0
        const result = await run(
          {
            proxy,
            seconds: ROUND_SECONDS,
            disturb: (random, until) => (isFailover ? failOver(random, until) : disturbReplicas(random, until, ALL)),
          },
          `${SEED}/${round}`,
        )
        expect(result.violations.length, describeRun(result)).toBe(0)
        if (!isFailover) {
          expect([...result.errors.keys()].filter((text) => !EXPECTED_ERRORS.test(text))).toEqual([])
        }
        expect(result.reads).toBeGreaterThan(200)
        await cluster.waitForReplicas()
      }
    })

    /** The primary's role wanders between rounds of disturbed replicas. */
    async function failOver(random: Random, until: number): Promise<void> {
      while (performance.now() < until) {
        await disturbReplicas(random, Math.min(until, performance.now() + 3_000))
        console.log(`${engine}: failover`)
        await cluster.promote(random.pick(cluster.replicas))
      }
    }
  })
})
