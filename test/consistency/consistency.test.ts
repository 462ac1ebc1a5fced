import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../src/sandbox/index.js'
import type { Random } from '../fuzz/random.js'
import { createDatabase, ownCluster } from '../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, startProxy } from '../helpers/proxy.js'
import { ALL, boundLockWaits, type Disturbance, disturb, QUICK } from './disturbance.js'
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
/** Between two failovers of the short run, and of long ones. */
const SHORT_REIGN_MS = 1_000
const LONG_REIGN_MS = 3_000
/** A long run forgets its history and begins anew so often. */
const ROUND_SECONDS = 20
const UNGUARDED_SECONDS = 3
const UNGUARDED_ROUNDS_MAX = 10
/** A busy machine needs more than one for what runs have to have to prove something. */
const GUARDED_ROUNDS_MAX = 4
const PROVEN = { writes: 50, reads: 200, replicaReads: 20 }
const STALE_READS = [
  'committed-reads (all)',
  'monotonic-reads (session)',
  'monotonic-reads (token)',
  'read-your-writes (session)',
  'read-your-writes (token)',
]
const CLIENTS = 12
const SLOW = { timeout: 180_000 }
/** Milliseconds; short, so that many reads meet its end. */
const CAUSAL_WAIT_MS = 10
const SEEN = { causal_wait: CAUSAL_WAIT_MS, new_sessions_see_commits: true }

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

  const start = (consistency: ConfigOverrides, monitor: ConfigOverrides = {}): Promise<RunningProxy> =>
    startProxy(cluster, { workers: 2, consistency: { ...SEEN, ...consistency }, monitor })

  async function run(
    options: Pick<RunOptions, 'proxy' | 'seconds' | 'disturb' | 'tellsTokens'>,
    seed = SEED,
  ): Promise<RunResult> {
    const result = await runClients({ cluster, database, seed: `${engine} ${seed}`, clients: CLIENTS, ...options })
    console.log(`${engine}, seed ${seed}: ${describeRun(result)}`)
    return result
  }

  /** Runs without a violation, until there was enough of everything. Resolves with the errors that were met. */
  async function prove(proxy: RunningProxy, disturb: RunOptions['disturb']): Promise<string[]> {
    const errors = new Set<string>()
    const total = { writes: 0, reads: 0, replicaReads: 0 }
    const kinds = Object.keys(PROVEN) as (keyof typeof PROVEN)[]
    const lacks = (): boolean => kinds.some((kind) => total[kind] <= PROVEN[kind])
    for (let round = 1; round <= GUARDED_ROUNDS_MAX && lacks(); round++) {
      const result = await run({ proxy, seconds: SHORT_SECONDS, disturb }, round === 1 ? SEED : `${SEED}/${round}`)
      expect(result.violations.length, describeRun(result)).toBe(0)
      for (const kind of kinds) total[kind] += result[kind]
      for (const text of result.errors.keys()) errors.add(text)
    }
    // Or the runs would have proven nothing.
    expect(lacks(), JSON.stringify(total)).toBe(false)
    return [...errors]
  }

  const happened = (what: string) => console.log(`${engine}, ${performance.now().toFixed(1)} ms: ${what}`)

  /** All replicas at the same time. */
  async function disturbReplicas(
    random: Random,
    until: number,
    kindsOf: (replica: SandboxServer) => readonly Disturbance[] = () => QUICK,
  ): Promise<void> {
    const all = cluster.replicas.map((replica) =>
      disturb(replica, { cluster, random, kinds: kindsOf(replica), until, happened }),
    )
    await Promise.all(all)
  }

  /**
   * The primary's role wanders, as planned by an operator who waits for its successor: nothing that was acknowledged is lost.
   * Under each primary one replica is behind from the beginning, and the others are disturbed.
   * @returns how often it has
   */
  async function failOver(random: Random, until: number, reignMs: number): Promise<number> {
    let failovers = 0
    while (performance.now() < until) {
      const next = random.pick(cluster.replicas)
      await cluster.promote(next)
      failovers++
      happened(`${next.name} on ${next.port} is the primary`)
      const late = random.pick(cluster.replicas)
      const reignUntil = Math.min(until, performance.now() + reignMs)
      await disturbReplicas(random, reignUntil, (replica) => (replica === late ? ['delay'] : QUICK))
    }
    return failovers
  }

  it('sessions and tokens see what they wrote and never less than before, whatever replicas do', SLOW, async () => {
    const proxy = await start({ level: 'session' })
    const errors = await prove(proxy, disturbReplicas)
    expect(errors.filter((text) => !EXPECTED_ERRORS.test(text))).toEqual([])
  })

  it('the same through changes of the primary', SLOW, async () => {
    await boundLockWaits(cluster)
    // What a server has must not be judged by a replication status that is older than the change.
    const proxy = await start({ level: 'session' }, { replication_lag_interval: 2_000, read_only_interval: 50 })
    let failovers = 0
    await prove(proxy, async (random, until) => {
      failovers += await failOver(random, until, SHORT_REIGN_MS)
    })
    expect(failovers).toBeGreaterThan(1)
    await cluster.waitForReplicas()
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
      await boundLockWaits(cluster)
      const proxy = await start({ level: 'session' })
      for (let round = 1; round <= rounds; round++) {
        const isFailover = round % 2 === 0
        const result = await run(
          {
            proxy,
            seconds: ROUND_SECONDS,
            disturb: async (random, until) => {
              if (isFailover) await failOver(random, until, LONG_REIGN_MS)
              else await disturbReplicas(random, until, () => ALL)
            },
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
  })
})
