import { type Connection, createConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { rejection, until, value } from './observe.js'

const SLOW = { timeout: 120_000 }
const CLIENTS = 12
/** Sets of rules that are loaded one after the other under traffic. */
const SETS = 24

describe.each<Engine>(['mysql', 'mariadb'])('query rules that are changed while clients work, on %s', (engine) => {
  let cluster: Cluster
  let database: string
  let proxy: RunningProxy
  let operator: Connection

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(
      cluster.primary,
      `CREATE TABLE ${database}.notes (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(20))`,
    )
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.notes (note) VALUES ('first')`)
    await cluster.waitForReplicas()
    const [one, other] = cluster.replicas
    const servers = [
      ...cluster.servers.map((server) => serverConfig(server)),
      serverConfig(one, { hostgroup: 5 }),
      serverConfig(other, { hostgroup: 6 }),
      serverConfig(cluster.primary, { hostgroup: 7 }),
    ]
    proxy = await startProxy(cluster, { servers, workers: 2 })
    const login = { user: 'admin', password: 'admin' }
    operator = await createConnection({ host: '127.0.0.1', port: proxy.adminPort, ...login })
  }, SLOW.timeout)

  afterAll(() => operator?.destroy())

  const load = async (...statements: string[]): Promise<void> => {
    for (const sql of statements) await operator.query(sql)
    await operator.query('LOAD MYSQL QUERY RULES TO RUNTIME')
  }

  beforeEach(() => load('DELETE FROM mysql_query_rules'))

  const hits = async (): Promise<Record<string, number>> => {
    const [rows] = await operator.query<RowDataPacket[]>('SELECT rule_id, hits FROM stats_mysql_query_rules')
    return Object.fromEntries(rows.map((row) => [row['rule_id'], Number(row['hits'])]))
  }

  it('each statement is judged by one set, which is the new one once it is loaded; hits add up', SLOW, async () => {
    const ports = cluster.replicas.map(({ port }) => port)
    const traffic = new Traffic(ports)
    await load(...insertSet(0))
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.connect({ database })))
    const work = Promise.all(
      clients.map((client, at) => (at % 3 === 0 ? traffic.steer(client) : traffic.rewrite(client))),
    )
    try {
      for (let set = 1; set <= SETS; set++) {
        traffic.loading = set
        await load(...(set % 3 === 0 ? insertSet(set) : updateSet(set)))
        traffic.loaded = set
        const { answers } = traffic
        await until('clients to be answered', () => traffic.failures.length > 0 || traffic.answers >= answers + CLIENTS)
        expect(traffic.failures).toEqual([])
      }
    } finally {
      traffic.over = true
      await work
    }
    expect(traffic.failures).toEqual([])
    expect(traffic.seen.size).toBeGreaterThan(SETS / 2)
    await until('all hits to be told', async () => (await hits())['2'] === traffic.seen.get(SETS))
    const told = await hits()
    expect(told['1']).toBe(traffic.seen.get(SETS))
    expect(told['3']).toBe(0)
    expect(told['12']).toBe(told['11'])
    expect(told['11']).toBeGreaterThanOrEqual(traffic.steeredByLast)
    expect(told['11']).toBeLessThanOrEqual(traffic.steeredByLast + traffic.steeredMeanwhile)
    expect(told['13']).toBe(0)
  })

  it('a statement that is prepared already goes by the rules of its execution', SLOW, async () => {
    const client = await proxy.connect({ database })
    const [one] = cluster.replicas
    const statement = await client.prepare('SELECT @@port AS port FROM notes WHERE SLEEP(?) = 0 LIMIT 1 /* lasting */')
    const execute = async (seconds = 0): Promise<unknown> => {
      const [rows] = (await statement.execute([seconds])) as unknown as [RowDataPacket[]]
      return rows[0]?.['port']
    }
    const rule = (columns: string, values: string): Promise<void> =>
      load(
        'DELETE FROM mysql_query_rules',
        `INSERT INTO mysql_query_rules (rule_id, active, match_pattern, apply, ${columns}) VALUES (1, 1, 'lasting', 1, ${values})`,
      )
    await rule('destination_hostgroup', '5')
    expect(await execute()).toBe(one.port)
    await rule('destination_hostgroup', '7')
    expect(await execute()).toBe(cluster.primary.port)
    await rule('error_msg', "'not now'")
    expect(await rejection(execute())).toMatchObject({ errno: 1148, message: 'not now' })
    await rule('OK_msg', "'enough'")
    expect((await statement.execute([0]))[0]).toMatchObject({ affectedRows: 0 })
    await rule('timeout', '300')
    expect((await rejection(execute(30))).errno).toBe(engine === 'mysql' ? 3024 : 1969)
    await rule('delay', '400')
    const before = performance.now()
    await execute()
    expect(performance.now() - before).toBeGreaterThanOrEqual(400)
    await load('DELETE FROM mysql_query_rules')
    expect(await execute()).toEqual(expect.any(Number))
    expect(await hits()).toEqual({})
  })

  it('a timeout of a rule counts instead of the one for all, longer or shorter', SLOW, async () => {
    const [[{ variable_value: before }]] = (await operator.query(
      "SELECT variable_value FROM global_variables WHERE variable_name = 'mysql-default_query_timeout'",
    )) as unknown as [[{ variable_value: string }]]
    try {
      await operator.query("SET mysql-default_query_timeout = '1000'")
      await operator.query('LOAD MYSQL VARIABLES TO RUNTIME')
      await load(
        "INSERT INTO mysql_query_rules (rule_id, active, match_pattern, timeout, apply) VALUES (1, 1, 'patient', 60000, 1)",
      )
      const client = await proxy.connect({ database })
      const limited = rejection(client.query('SELECT 1 FROM notes WHERE SLEEP(30)'))
      const other = await proxy.connect({ database })
      expect(await value(other, 'SELECT SLEEP(2.5) /* patient */')).toBe(0)
      expect((await limited).errno).toBe(engine === 'mysql' ? 3024 : 1969)
    } finally {
      await operator.query(`SET mysql-default_query_timeout = '${before}'`)
      await operator.query('LOAD MYSQL VARIABLES TO RUNTIME')
    }
  })

  it(
    'a mirror gets the writes and calls of the text protocol, from when it is loaded to when it is not',
    SLOW,
    async () => {
      const client = await proxy.connect({ database })
      const counted = async (note: string): Promise<number> => {
        const sql = `SELECT COUNT(*) AS n FROM ${database}.notes WHERE note = ?`
        return (await cluster.execute<{ n: number }[]>(cluster.primary, sql, [note]))[0].n
      }
      const insert = (note: string): string => `INSERT INTO notes (note) VALUES ('${note}')`
      await client.query(insert('before'))
      await load(
        `INSERT INTO mysql_query_rules (rule_id, active, match_digest, mirror_hostgroup, apply)
       VALUES (1, 1, '^(INSERT|CALL)', 7, 1)`,
      )
      const [{ insertId }] = await client.query<ResultSetHeader>(insert('copied'))
      await until('the copy', async () => (await counted('copied')) === 2)
      // The client is told of its own row alone.
      expect(await value(client, `SELECT COUNT(*) FROM notes WHERE note = 'copied' AND id = ${insertId}`)).toBe(1)
      await client.query(`CREATE PROCEDURE noted() ${insert('called')}`)
      await client.query('CALL noted()')
      await until('the copy of the call', async () => (await counted('called')) === 2)
      await client.beginTransaction()
      await client.query(insert('in a transaction'))
      await client.commit()
      await client.execute('INSERT INTO notes (note) VALUES (?)', ['prepared'])
      await load('DELETE FROM mysql_query_rules')
      await client.query(insert('after'))
      // Whatever was copied has been executed when a later copy has.
      await load(
        `INSERT INTO mysql_query_rules (rule_id, active, match_pattern, mirror_hostgroup, apply) VALUES (1, 1, 'last', 7, 1)`,
      )
      await client.query(insert('last'))
      await until('the last copy', async () => (await counted('last')) === 2)
      for (const once of ['before', 'in a transaction', 'prepared', 'after']) expect(await counted(once), once).toBe(1)
    },
  )

  it(
    'multiplex: 0 gives a session connections of its own, 2 leaves it as it is, 1 shares them again',
    SLOW,
    async () => {
      const rule = (rule_id: number, multiplex: number) => ({
        ...{ rule_id, match_pattern: `multiplex ${multiplex}`, multiplex },
        ...{ destination_hostgroup: 5, apply: 1 },
      })
      const alone = await startProxy(cluster, {
        servers: [serverConfig(cluster.primary), serverConfig(cluster.replicas[0], { hostgroup: 5 })],
        query_rules: [
          ...[rule(1, 0), rule(2, 1), rule(3, 2)],
          { rule_id: 4, match_pattern: 'no word of it', destination_hostgroup: 5, apply: 1 },
        ],
        workers: 1,
      })
      let marks = 0
      const processes = engine === 'mysql' ? 'performance_schema.processlist' : 'information_schema.PROCESSLIST'
      /** The connection that a statement runs on. To ask for CONNECTION_ID() would hold it. */
      const idOf = async (client: Connection, words: string, prepared = false): Promise<number> => {
        const sql = `SELECT ID AS id FROM ${processes} WHERE INFO LIKE '%mark ${++marks}, %' /* mark ${marks}, ${words} */`
        const [rows] = await (prepared ? client.execute<RowDataPacket[]>(sql) : client.query<RowDataPacket[]>(sql))
        expect(rows).toHaveLength(1)
        return Number(rows[0]['id'])
      }
      /** The connection of one more session, which keeps it: it was another's if there was one to be had. */
      const taken = async (): Promise<number> => {
        const client = await alone.connect({ database })
        const id = await idOf(client, 'no word of it')
        expect(await idOf(client, 'multiplex 0')).toBe(id)
        return id
      }
      const own = await alone.connect({ database })
      const id = await idOf(own, 'multiplex 0')
      expect(await taken()).not.toBe(id)
      expect(await idOf(own, 'multiplex 2')).toBe(id)
      expect(await taken()).not.toBe(id)
      expect(await idOf(own, 'multiplex 1')).toBe(id)
      expect(await taken()).toBe(id)
      // It gets another one, and 2 does not make that its own.
      const next = await idOf(own, 'multiplex 2')
      expect(next).not.toBe(id)
      expect(await taken()).toBe(next)
      const prepared = await idOf(own, 'multiplex 0', true)
      expect(await taken()).not.toBe(prepared)
      expect(await idOf(own, 'multiplex 1', true)).toBe(prepared)
      expect(await taken()).toBe(prepared)
    },
  )
})

/**
 * Rules of which the last can be reached only through the first: the answer to `'first'` and `'second'` names the set twice, and
 * the hostgroup is 5 or 6, in turns. One that mixed two sets would be refused.
 */
function rowsOf(set: number): readonly [number, string][] {
  const turn = set % 2 === 0 ? 5 : 6
  return [
    [1, `match_pattern = '''first''', replace_pattern = '''${set}''', flagIN = 0, flagOUT = ${1000 + set}, apply = 0`],
    [2, `match_pattern = '''second''', replace_pattern = '''${set}''', flagIN = ${1000 + set}, apply = 1`],
    [3, `match_pattern = '''second''', error_msg = 'mixed', flagIN = ${1001 + set}, apply = 1`],
    [11, `match_pattern = 'steered', flagIN = 0, flagOUT = ${2000 + set}, apply = 0`],
    [12, `match_pattern = 'steered', destination_hostgroup = ${turn}, flagIN = ${2000 + set}, apply = 1`],
    [13, `match_pattern = 'steered', error_msg = 'mixed', flagIN = ${2001 + set}, apply = 1`],
  ]
}

const updateSet = (set: number): string[] =>
  rowsOf(set).map(([id, columns]) => `UPDATE mysql_query_rules SET ${columns} WHERE rule_id = ${id}`)

const insertSet = (set: number): string[] => [
  'DELETE FROM mysql_query_rules',
  ...rowsOf(set).map(([id]) => `INSERT INTO mysql_query_rules (rule_id, active) VALUES (${id}, 1)`),
  ...updateSet(set),
]

/** What clients see while sets are loaded. */
class Traffic {
  /** The set of which the LOAD has begun last, and the one of which it has ended. */
  loading = 0
  loaded = 0
  over = false
  answers = 0
  readonly failures: string[] = []
  /** Statements that were rewritten, by the set that did it. */
  readonly seen = new Map<number, number>()
  /** Executions that the last set has steered for certain, and those of which it may have. */
  steeredByLast = 0
  steeredMeanwhile = 0
  readonly #ports: readonly number[]

  constructor(ports: readonly number[]) {
    this.#ports = ports
  }

  rewrite(client: Connection): Promise<void> {
    return this.#repeat(async (before) => {
      const [[row]] = await client.query<RowDataPacket[]>({ sql: "SELECT 'first', 'second'", rowsAsArray: true })
      const [first, second] = row as unknown as [string, string]
      const set = Number(first)
      if (first !== second) throw new Error(`judged by ${first} and ${second}`)
      if (!(set >= before && set <= this.loading)) throw new Error(`judged by ${first} of ${before} to ${this.loading}`)
      this.seen.set(set, (this.seen.get(set) ?? 0) + 1)
    })
  }

  steer(client: Connection): Promise<void> {
    return this.#repeat(async (before) => {
      const [[{ port }]] = await client.execute<RowDataPacket[]>('SELECT @@port AS port /* steered */')
      const sets = Array.from({ length: this.loading - before + 1 }, (_, at) => before + at)
      const set = sets.find((one) => this.#ports[one % 2] === port)
      if (set === undefined) throw new Error(`sent to ${port} by one of ${sets}`)
      if (before === SETS) this.steeredByLast++
      else if (this.loading === SETS) this.steeredMeanwhile++
    })
  }

  async #repeat(statement: (before: number) => Promise<void>): Promise<void> {
    while (!this.over) {
      try {
        await statement(this.loaded)
        this.answers++
      } catch (error) {
        this.failures.push((error as Error).message)
        return
      }
    }
  }
}
