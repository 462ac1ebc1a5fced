import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, expect, it } from 'vitest'
import { Random } from '../../fuzz/random.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { until, value } from '../proxy/observe.js'
import { Operator } from './operator.js'

/** SLUICE_KILL_ROUNDS: kills in a row; SLUICE_KILL_SEED repeats a run's choices. */
const ROUNDS = Number(process.env['SLUICE_KILL_ROUNDS'] ?? 6)
const SEED = process.env['SLUICE_KILL_SEED'] ?? String(randomInt(2 ** 31))
const MAIN = fileURLToPath(new URL('../../../dist/src/main.js', import.meta.url))
/** Saves that are acknowledged before the kill, at most, and how long after the last of them it comes. */
const SAVES_MAX = 12
const KILL_WITHIN_MS = 40
const START_TIMEOUT_MS = 30_000
/** What a start that is killed as well has come to: has it found the workers left behind, has it started its own. */
const STAGES = ['loading', 'taking over', 'starting workers'] as const

const starts: ChildProcess[] = []
afterAll(() => {
  for (const { pid } of starts) killGroup(pid!)
})

/** A parent that was killed has workers in its group which live on. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of them have ended.
  }
}

/** Waits without a timer, which would be late by more than what is waited for. */
async function busyWait(ms: number): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
}

/** A start that is killed, too, a moment after it has come to a stage. */
async function startAndKill(proxy: RunningProxy, stage: (typeof STAGES)[number], afterMs: number): Promise<void> {
  const before = proxy.workerPids()
  const child = spawn(process.execPath, [MAIN, 'start', '--config', proxy.configPath], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  starts.push(child)
  const exited = once(child, 'exit')
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  const reached = {
    loading: () => true,
    'taking over': () => output.includes('are told to finish'),
    'starting workers': () => proxy.workerPids().some((pid) => !before.includes(pid)),
  }
  await until(stage, reached[stage], START_TIMEOUT_MS)
  await busyWait(afterMs)
  child.kill('SIGKILL')
  await exited
}

it(`a proxy that is killed while operators save starts with the old or the new configuration, whole (seed ${SEED})`, {
  timeout: 60_000 + 30_000 * ROUNDS,
}, async () => {
  const random = new Random(SEED)
  const cluster = await sharedCluster('mysql')
  const database = await createDatabase(cluster)
  await cluster.execute(cluster.primary, `CREATE TABLE ${database}.notes (round INT PRIMARY KEY)`)
  // Sessions of a killed proxy's workers may finish, however long the next start takes here.
  let proxy = await startProxy(cluster, { limits: { shutdown_timeout: 60_000 } })
  const connectAdmin = (): Promise<Connection> =>
    proxy.connect({ port: proxy.adminPort, user: 'admin', password: 'admin' })
  const operator = new Operator(random, { servers: cluster.servers.length, users: 1 })
  await operator.prepare(await connectAdmin())

  for (let round = 1; round <= ROUNDS; round++) {
    const where = `round ${round}, seed ${SEED}`
    const client = await proxy.connect({ database })
    await client.query('START TRANSACTION')
    await client.query(`INSERT INTO notes VALUES (${round})`)

    const work = operator.work([await connectAdmin(), await connectAdmin()])
    const enough = operator.saves + random.below(SAVES_MAX)
    await until('saves', () => operator.saves >= enough)
    await busyWait(random.fraction() * KILL_WITHIN_MS)
    await proxy.stop('SIGKILL')
    expect(await work, where).toEqual([])
    // Its workers serve on.
    expect(await value(client, 'SELECT COUNT(*) FROM notes'), where).toBe(round)

    if (random.once(2)) await startAndKill(proxy, random.pick(STAGES), random.fraction() * KILL_WITHIN_MS)
    proxy = await proxy.startAgain()
    expect(await answersAtOnce(proxy), where).toBe(42)
    expect(await operator.findings(await connectAdmin()), where).toEqual([])
    await client.query('COMMIT')
    client.destroy()
  }
  expect(operator.saves).toBeGreaterThan(0)
  const [row] = await cluster.execute<{ n: number }[]>(cluster.primary, `SELECT COUNT(*) AS n FROM ${database}.notes`)
  expect(row.n).toBe(ROUNDS)
})

/** No second attempt: a proxy that says it is ready has to serve. */
async function answersAtOnce({ port }: RunningProxy): Promise<unknown> {
  const client = await createConnection({ host: '127.0.0.1', port, user: 'app', password: 'app' })
  try {
    return await value(client, 'SELECT 42')
  } finally {
    client.destroy()
  }
}
