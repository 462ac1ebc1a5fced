import { type Connection, createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { Random } from '../../fuzz/random.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { describeStep, makeSteps } from './state-isolation-steps.js'
import { difference, Side, variablesOf } from './state-isolation-twin.js'

/**
 * Random sessions over very few server connections; each is also played on a server of its own, and must be answered alike.
 *
 * SLUICE_PROPERTY_RUNS: how many sessions for each engine. SLUICE_PROPERTY_SEED: the seed that a run has printed; the steps
 * of each session are the same then, the order among sessions is not.
 */
const RUNS = Number(process.env['SLUICE_PROPERTY_RUNS'] ?? 24)
const SEED = process.env['SLUICE_PROPERTY_SEED'] ?? String(Date.now() % 1_000_000)
const STEPS = 60
/** Of each server. */
const SERVER_CONNECTIONS = 3
/** At a time. */
const SESSIONS = 8
/** Fewer than SERVER_CONNECTIONS, or they would keep all others from going on. */
const PINNING_SESSIONS = 2
/** What is the moment's or the server's history; LAST_INSERT_ID() is asked for by name. */
const NEVER_ALIKE = /^(pseudo_thread_id|timestamp|rand_seed[12]|last_gtid|gtid_.*|identity|last_insert_id)$/
const FAILURES_SHOWN_MAX = 3
/** Pino's. */
const LOG_LEVEL_ERROR = 50
const PREFIX = `isolation_${process.pid}`

interface Failure {
  readonly session: number
  readonly text: string
}

describe.each<Engine>(['mysql', 'mariadb'])('sessions on %s that share server connections', (engine) => {
  let cluster: Cluster
  /** One server that knows nothing of the proxy. */
  let reference: Cluster
  let proxy: RunningProxy
  let ignored: ReadonlySet<string>
  const accounts = ['one', 'two', 'three'].map((name) => ({ user: `${PREFIX}_${name}`, password: name }))
  const schemasOf = (slot: number): readonly [string, string] => [`${PREFIX}_${slot}_a`, `${PREFIX}_${slot}_b`]
  const slots = Array.from({ length: SESSIONS }, (_, slot) => slot)

  beforeAll(async () => {
    console.log(`seed ${SEED}`)
    ;[cluster, reference] = await Promise.all([sharedCluster(engine), sharedCluster(engine, { replicas: 0 })])
    await onBoth([
      ...slots.flatMap((slot) => schemasOf(slot).map((schema) => `CREATE DATABASE ${schema}`)),
      ...accounts.map(({ user, password }) => `CREATE USER ${user} IDENTIFIED BY '${password}'`),
      ...accounts.map(({ user }) => `GRANT ALL ON \`${PREFIX}_%\`.* TO ${user}`),
    ])
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, {
      servers: cluster.servers.map((server) => serverConfig(server, { max_connections: SERVER_CONNECTIONS })),
      // A busy machine is no reason to be told less of the last statement.
      limits: { diagnostics_hold: 60_000 },
      users: accounts.map(({ user, password }) => ({ name: user, password })),
    })
    ignored = await unlikeFromTheStart()
  })

  afterAll(async () => {
    await onBoth([
      ...slots.flatMap((slot) => schemasOf(slot).map((schema) => `DROP DATABASE IF EXISTS ${schema}`)),
      ...accounts.map(({ user }) => `DROP USER IF EXISTS ${user}`),
    ])
  })

  async function onBoth(statements: readonly string[]): Promise<void> {
    for (const { primary } of [cluster, reference]) {
      const root = await createConnection(primary.root())
      for (const sql of statements) await root.query(sql)
      await root.end()
    }
  }

  /** System variables that say on which server a session is, or what Sluice asks a server to tell it. */
  async function unlikeFromTheStart(): Promise<Set<string>> {
    const unlike = new Set<string>()
    const [account] = accounts
    const connections = await Promise.all([
      createConnection({ host: '127.0.0.1', port: reference.primary.port, ...account }),
      ...cluster.servers.map(({ port }) => createConnection({ host: '127.0.0.1', port, ...account })),
      createConnection({ host: '127.0.0.1', port: proxy.port, ...account }),
    ])
    const compare = async (scope: string, asked: readonly Connection[]) => {
      const [first, ...others] = await Promise.all(asked.map((connection) => variablesOf(connection, scope)))
      for (const other of others) {
        for (const [name, value] of first) if (other.get(name) !== value || NEVER_ALIKE.test(name)) unlike.add(name)
        for (const name of other.keys()) if (!first.has(name)) unlike.add(name)
      }
    }
    await compare('SESSION', connections)
    await compare('GLOBAL', connections.slice(0, -1))
    await Promise.all(connections.map((connection) => connection.end()))
    return unlike
  }

  /** Plays one session on both sides until an answer differs. */
  async function play(session: number, slot: number, pins: boolean): Promise<Failure | null> {
    const random = new Random(`${engine} ${SEED} ${session}`)
    const schemas = schemasOf(slot)
    const { steps, setUpLength } = makeSteps(
      random,
      { engine, schemas, name: schemas[0], users: accounts.length, pins },
      STEPS,
    )
    const user = random.below(accounts.length)
    const side = (port: number, behind: Cluster) =>
      Side.open({ port, accounts, schemas, ignored, settle: () => behind.waitForReplicas() }, user)
    const [direct, proxied] = await Promise.all([side(reference.primary.port, reference), side(proxy.port, cluster)])
    try {
      for (const [index, step] of steps.entries()) {
        const [expected, found] = await Promise.all([direct.perform(step), proxied.perform(step)])
        if (expected === found) continue
        const before = steps.slice(setUpLength, index + 1).map((one) => `  ${describeStep(one)}`)
        const title = `session ${session} of user ${user} in ${schemas}, after the set-up:`
        return { session, text: [title, ...before, difference(expected, found)].join('\n') }
      }
      return null
    } finally {
      await Promise.all([direct.close(), proxied.close()])
    }
  }

  it(`${RUNS} random sessions see what they would see on a connection of their own`, {
    timeout: 30_000 + RUNS * 2_000,
  }, async () => {
    const waiting = Array.from({ length: RUNS }, (_, session) => session)
    const failures: Failure[] = []
    // Each slot plays session after session in its schemas; the first few are those that may hold connections.
    const playAll = async (slot: number): Promise<void> => {
      for (let session = waiting.shift(); session !== undefined; session = waiting.shift()) {
        const failure = await play(session, slot, slot < PINNING_SESSIONS)
        if (failure !== null) failures.push(failure)
      }
    }
    await Promise.all(slots.map(playAll))
    const errors = proxy.log().filter((line) => Number(line['level']) >= LOG_LEVEL_ERROR)
    const shown = [
      ...failures.slice(0, FAILURES_SHOWN_MAX).map(({ text }) => text),
      ...errors.slice(0, FAILURES_SHOWN_MAX).map((line) => JSON.stringify(line)),
    ]
    expect(failures.length, `seed ${SEED}, ${failures.length} sessions differ:\n${shown.join('\n\n')}`).toBe(0)
  })

  it.runIf(engine === 'mysql')(
    'a SET that fails at its last variable has set those before it, here as there',
    async () => {
      // The privilege for the last one is looked at when the first one has been set, and an ERR packet has no session state.
      const set = 'SET default_week_format = 3, max_error_count = DEFAULT'
      const answers = [reference.primary.port, proxy.port].map(async (port) => {
        const connection = await createConnection({ host: '127.0.0.1', port, ...accounts[0] })
        const error = await connection.query(set).catch(({ errno }) => errno)
        const [rows] = await connection.query('SELECT @@default_week_format AS week')
        await connection.end()
        return { error, rows }
      })
      const [direct, proxied] = await Promise.all(answers)
      expect(direct).toEqual({ error: 1227, rows: [{ week: 3 }] })
      expect(proxied).toEqual(direct)
    },
  )
})
