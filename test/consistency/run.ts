import type { Cluster } from '../../src/sandbox/index.js'
import { Random } from '../fuzz/random.js'
import type { RunningProxy } from '../helpers/proxy.js'
import { Client, registerCount, type World } from './client.js'
import { Recorder } from './history.js'
import { describeViolation, type Violation, verify } from './verifier.js'

export interface RunOptions {
  readonly cluster: Cluster
  readonly proxy: RunningProxy
  readonly database: string
  readonly seed: string
  readonly clients: number
  readonly seconds: number
  /** Default true. */
  readonly tellsTokens?: boolean
  /** What is done to the servers meanwhile; begins nothing more after `until`. */
  readonly disturb: (random: Random, until: number) => Promise<void>
}

export interface RunResult {
  readonly violations: readonly Violation[]
  /** How often each error was met. */
  readonly errors: ReadonlyMap<string, number>
  readonly writes: number
  readonly reads: number
  /** Those that one of the run's last replicas answered. */
  readonly replicaReads: number
}

/** Lets clients run while the servers are disturbed, and verifies what they saw. */
export async function runClients(options: RunOptions): Promise<RunResult> {
  const { cluster, proxy, seed, clients, seconds, disturb, tellsTokens = true } = options
  const until = performance.now() + seconds * 1000
  let sessions = 0
  const world: World = {
    recorder: new Recorder(),
    table: await createRegisters(options),
    tellsTokens,
    until,
    errors: new Map(),
    connect: () => proxy.connect(),
    nextSession: () => ++sessions,
  }
  const all = Array.from({ length: clients }, (_, index) => new Client(world, index, new Random(`${seed} ${index}`)))
  await Promise.all([disturb(new Random(`${seed} disturbances`), until), ...all.map((client) => client.run())])
  const { operations } = world.recorder
  const reads = operations.filter((operation) => operation.kind === 'read')
  const fromReplicas = reads.filter(({ server }) => cluster.replicas.some(({ port }) => port === server))
  return {
    violations: verify(operations),
    errors: world.errors,
    writes: operations.length - reads.length,
    reads: reads.length,
    replicaReads: fromReplicas.length,
  }
}

/** What to read first when a run has failed. */
export function describeRun({ violations, errors, writes, reads, replicaReads }: RunResult): string {
  const counts = new Map<string, number>()
  for (const { guarantee, scope } of violations) {
    const kind = `${guarantee} (${scope})`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [
    `${writes} writes, ${reads} reads, ${replicaReads} of them on replicas`,
    `violations: ${[...counts].map(([kind, count]) => `${count} ${kind}`).join(', ') || 'none'}`,
    ...violations.slice(0, 10).map((violation) => `  ${describeViolation(violation)}`),
    `errors: ${errors.size === 0 ? 'none' : ''}`,
    ...[...errors].map(([text, count]) => `  ${count} x ${text}`),
  ].join('\n')
}

async function createRegisters({ cluster, database, clients }: RunOptions): Promise<string> {
  const table = `${database}.registers`
  const rows = Array.from({ length: registerCount(clients) }, (_, index) => `(${index + 1}, 0, 0)`)
  await cluster.execute(cluster.primary, `DROP TABLE IF EXISTS ${table}`)
  await cluster.execute(
    cluster.primary,
    `CREATE TABLE ${table} (id INT PRIMARY KEY, v BIGINT NOT NULL, at INT NOT NULL) ENGINE=InnoDB`,
  )
  await cluster.execute(cluster.primary, `INSERT INTO ${table} VALUES ${rows.join(', ')}`)
  await cluster.waitForReplicas()
  return table
}
