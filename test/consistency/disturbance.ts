import { setTimeout as pause } from 'node:timers/promises'
import type { Cluster, Engine, SandboxServer } from '../../src/sandbox/index.js'
import type { Random } from '../fuzz/random.js'

/** What replicas go through while clients read from them. Each is undone before the next one. */

export type Disturbance = 'delay' | 'stopped applier' | 'flapping applier' | 'restart' | 'crash' | 'hang'

/** Quick to begin and to end, so that a short run sees many of them. */
export const QUICK: readonly Disturbance[] = ['delay', 'stopped applier', 'flapping applier', 'crash']
export const ALL: readonly Disturbance[] = [...QUICK, 'restart', 'hang']

const APPLIER: Record<Engine, { stop: string; start: string }> = {
  mysql: { stop: 'STOP REPLICA SQL_THREAD', start: 'START REPLICA SQL_THREAD' },
  mariadb: { stop: 'STOP SLAVE SQL_THREAD', start: 'START SLAVE SQL_THREAD' },
}

const LOCK_WAIT_SECONDS = 3

export interface DisturberOptions {
  readonly cluster: Cluster
  readonly random: Random
  readonly kinds: readonly Disturbance[]
  /** performance.now() at which nothing more is begun. */
  readonly until: number
  readonly happened: (what: string) => void
}

/** Disturbs one replica again and again, and leaves it as it was. */
export async function disturb(replica: SandboxServer, options: DisturberOptions): Promise<void> {
  const { random, kinds, until, happened } = options
  while (performance.now() < until) {
    const kind = random.pick(kinds)
    happened(`${replica.name} ${kind}`)
    await HOW[kind](replica, options)
    await pause(random.below(800))
  }
}

const HOW: Record<Disturbance, (replica: SandboxServer, options: DisturberOptions) => Promise<void>> = {
  async delay(replica, { cluster, random, until }) {
    await cluster.setReplicaDelay(replica, 1 + random.below(2))
    await pauseWithin(until, 1_500 + random.below(1_500))
    await cluster.setReplicaDelay(replica, 0)
  },
  async 'stopped applier'(replica, { cluster, random, until }) {
    await cluster.execute(replica, APPLIER[cluster.engine].stop)
    await pauseWithin(until, 300 + random.below(1_200))
    await cluster.execute(replica, APPLIER[cluster.engine].start)
  },
  async 'flapping applier'(replica, { cluster, random }) {
    for (let times = 3 + random.below(5); times > 0; times--) {
      await cluster.execute(replica, APPLIER[cluster.engine].stop)
      await pause(random.below(120))
      await cluster.execute(replica, APPLIER[cluster.engine].start)
      await pause(random.below(120))
    }
  },
  async restart(replica, { random }) {
    await replica.stop()
    await pause(random.below(500))
    await replica.start()
  },
  async crash(replica, { random }) {
    await replica.kill()
    await pause(random.below(500))
    await replica.start()
  },
  async hang(replica, { random, until }) {
    replica.pause()
    await pauseWithin(until, 500 + random.below(4_000))
    replica.resume()
  },
}

/**
 * What becomes the primary's last write waits for all statements that run (SET GLOBAL read_only), and those may wait for a lock
 * of a transaction that waits for it in turn: until their time is over, which for connections made from now on is short.
 */
export async function boundLockWaits(cluster: Cluster): Promise<void> {
  const set = `SET GLOBAL innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`
  await Promise.all(cluster.servers.map((server) => cluster.execute(server, set)))
}

async function pauseWithin(until: number, milliseconds: number): Promise<void> {
  await pause(Math.max(0, Math.min(milliseconds, until - performance.now())))
}
