import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../src/sandbox/index.js'
import { Random } from '../fuzz/random.js'
import { createDatabase, ownCluster } from '../helpers/cluster.js'
import { type ConfigOverrides, type RunningProxy, serverConfig, startProxy } from '../helpers/proxy.js'
import { metric } from '../integration/proxy/observe.js'
import { Recorder } from './history.js'
import { describeViolation, type Violation, verify } from './verifier.js'

/**
 * Sessions that are answered from the result cache see what they wrote and never less than before; and where reads otherwise
 * go to the primary, nobody sees less than anybody has been told before. SLUICE_CONSISTENCY_SEED repeats what clients do.
 */
const SEED = process.env['SLUICE_CONSISTENCY_SEED'] ?? String(Date.now() % 1_000_000)
const SECONDS = 5
/** A busy machine takes longer for what a run has to have to prove something. */
const SECONDS_MAX = 25
const WRITES_MIN = 40
const CLIENTS = 8
/** Each is a register of its own, so that a write ends the answers of one. */
const TABLES = 5
const CACHE_TTL_MS = 60_000
const WRITE_PAUSE_MS_MAX = 120
const ATTEMPTS_MAX = 3
const SLOW = { timeout: 240_000 }

interface Run {
  readonly violations: readonly Violation[]
  readonly reads: number
  readonly writes: number
  readonly hits: number
}

describe.each<Engine>(['mysql', 'mariadb'])('answers from the result cache on %s', (engine) => {
  let cluster: Cluster
  let database: string

  beforeAll(async () => {
    console.log(`seed ${SEED}`)
    cluster = await ownCluster(engine)
    database = await createDatabase(cluster)
    for (let i = 0; i < TABLES; i++) {
      await cluster.execute(cluster.primary, `CREATE TABLE ${database}.r${i} (v BIGINT NOT NULL)`)
      await cluster.execute(cluster.primary, `INSERT INTO ${database}.r${i} VALUES (0)`)
    }
    await cluster.waitForReplicas()
  })

  const start = (invalidation: string, more: ConfigOverrides = {}): Promise<RunningProxy> =>
    startProxy(cluster, {
      workers: 2,
      query_rules: [{ rule_id: 1, match_digest: '^SELECT', cache_ttl: CACHE_TTL_MS, apply: 1 }],
      query_cache: { invalidation },
      ...more,
    })

  /** @param asOne all clients together are promised what one session is */
  async function run(proxy: RunningProxy, asOne: boolean): Promise<Run> {
    const recorder = new Recorder()
    const began = performance.now()
    const goesOn = (): boolean => {
      const seconds = (performance.now() - began) / 1000
      return seconds < SECONDS || (seconds < SECONDS_MAX && writesOf(recorder) < WRITES_MIN)
    }
    const clients = Array.from({ length: CLIENTS }, async (_, index) => {
      const random = new Random(`${engine} ${SEED} ${index}`)
      const client = new Client(await proxy.connect({ database }), recorder, random, asOne ? 0 : index)
      while (goesOn()) await client.step()
    })
    await Promise.all(clients)
    // Counters come once a second.
    await pause(1_500)
    const { operations } = recorder
    const reads = operations.filter(({ kind }) => kind === 'read').length
    const hits = await metric(proxy, 'sluice_query_cache_hits_total')
    const result = { violations: verify(operations), reads, writes: operations.length - reads, hits }
    console.log(`${engine}: ${result.writes} writes, ${reads} reads, ${hits} of them from the cache`)
    return result
  }

  function expectNone({ violations }: Run): void {
    expect(violations.length, violations.slice(0, 10).map(describeViolation).join('\n')).toBe(0)
  }

  it.each(['table', 'schema', 'any'])('are never older than what anybody was told, ended by %s', SLOW, async (by) => {
    const attempt = async (): Promise<{ result: Run; lost: number }> => {
      const proxy = await start(by, { servers: [serverConfig(cluster.primary)] })
      const result = await run(proxy, true)
      expectNone(result)
      return { result, lost: await metric(proxy, 'sluice_query_cache_announcements_lost_total') }
    }
    // A write does not wait for ever for a worker that a busy machine does not let run: then less is answered from the cache.
    let { result, lost } = await attempt()
    for (let i = 1; i < ATTEMPTS_MAX && lost > 0; i++) ({ result, lost } = await attempt())
    expect(lost).toBe(0)
    expect(result.writes).toBeGreaterThanOrEqual(WRITES_MIN)
    expect(result.hits).toBeGreaterThan(20)
  })

  it('are never older than what their session was told, whichever replica was asked', SLOW, async () => {
    const result = await run(await start('table'), false)
    expectNone(result)
    expect(result.writes).toBeGreaterThanOrEqual(WRITES_MIN)
    expect(result.hits).toBeGreaterThan(20)
  })

  it('are old where nobody looks', SLOW, async () => {
    const { violations } = await run(await start('off', { consistency: { level: 'eventual' } }), false)
    expect(violations.length).toBeGreaterThan(0)
  })
})

function writesOf({ operations }: Recorder): number {
  return operations.filter(({ kind }) => kind === 'write').length
}

/** Writes and reads registers at random, and records what it sees. */
class Client {
  readonly #connection: Connection
  readonly #recorder: Recorder
  readonly #random: Random
  readonly #session: number

  constructor(connection: Connection, recorder: Recorder, random: Random, session: number) {
    this.#connection = connection
    this.#recorder = recorder
    this.#random = random
    this.#session = session
  }

  async step(): Promise<void> {
    const register = this.#random.below(TABLES)
    const kind = this.#random.below(100)
    if (kind < 3) await this.#write(register)
    else if (kind < 5) await this.#transaction(register)
    else await this.#read(register, kind < 15)
    if (kind < 5) await pause(this.#random.below(WRITE_PAUSE_MS_MAX))
  }

  async #update(register: number): Promise<number> {
    const sql = `UPDATE r${register} SET v = LAST_INSERT_ID(v + 1)`
    const [header] = this.#random.once(2)
      ? await this.#connection.execute<ResultSetHeader>(sql)
      : await this.#connection.query<ResultSetHeader>(sql)
    return header.insertId
  }

  async #write(register: number): Promise<void> {
    const begin = this.#recorder.now()
    const version = await this.#update(register)
    this.#wrote(register, begin, version)
  }

  async #transaction(register: number): Promise<void> {
    await this.#connection.query('BEGIN')
    const begin = this.#recorder.now()
    const version = await this.#update(register)
    if (this.#random.once(3)) await this.#connection.query(`SELECT v FROM r${(register + 1) % TABLES}`)
    if (this.#random.once(5)) {
      await this.#connection.query('ROLLBACK')
      return
    }
    await this.#connection.query(this.#random.pick(['COMMIT', 'COMMIT', 'START TRANSACTION READ ONLY']))
    this.#wrote(register, begin, version)
    await this.#connection.query('COMMIT')
  }

  #wrote(register: number, begin: number, version: number): void {
    const end = this.#recorder.now()
    const session = this.#session
    this.#recorder.add({ kind: 'write', session, token: null, begin, end, register, version, acknowledged: true })
  }

  /** @param asked of a server, whatever the cache has */
  async #read(register: number, asked: boolean): Promise<void> {
    const sql = `SELECT v${asked ? ', RAND()' : ''} FROM r${register}`
    const begin = this.#recorder.now()
    const [rows] = this.#random.once(3)
      ? await this.#connection.execute<RowDataPacket[]>(sql)
      : await this.#connection.query<RowDataPacket[]>(sql)
    const end = this.#recorder.now()
    const values = [[register, Number(rows[0]!['v'])] as const]
    const session = this.#session
    this.#recorder.add({ kind: 'read', session, token: null, begin, end, level: 'session', values, server: 0 })
  }
}
