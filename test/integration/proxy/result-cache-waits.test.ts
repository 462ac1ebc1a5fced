import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, connectionOf, rejection, running, until } from './observe.js'

const SLOW = { timeout: 60_000 }
const CLIENTS = 20
/** Longer than any test. */
const FOR_EVER_MS = 60_000

/** Settings of the cache, and columns of the rule. */
type Terms = Partial<Record<'wait' | 'max_result' | 'timeout' | 'cache_timeout', number>> & { invalidation?: string }

describe.each<Engine>(['mysql', 'mariadb'])('sessions that ask the same at once, of %s', (engine) => {
  let cluster: Cluster
  let database: string
  let proxy: RunningProxy
  let operator: Connection
  /** Holds the locks that statements wait for. */
  let root: Connection
  let marks = 0
  let [metBefore, inVainBefore] = [0, 0]

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    for (const table of ['t', 'u']) {
      await cluster.execute(cluster.primary, `CREATE TABLE ${database}.${table} (id INT PRIMARY KEY, v VARCHAR(100))`)
      await cluster.execute(cluster.primary, `INSERT INTO ${database}.${table} VALUES (1, 'one'), (2, NULL)`)
    }
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { servers: [serverConfig(cluster.primary)] })
    const login = { user: 'admin', password: 'admin' }
    operator = await createConnection({ host: '127.0.0.1', port: proxy.adminPort, ...login })
    root = await createConnection({ ...cluster.primary.root(), database })
  }, SLOW.timeout)

  const opened: Connection[] = []

  afterEach(async () => {
    await root.query('UNLOCK TABLES')
    for (const connection of opened.splice(0)) connection.destroy()
  })

  afterAll(async () => {
    await root?.end()
    operator?.destroy()
  })

  /** Caches what is read of `t`, which nobody is answered before `unlock`. */
  async function start({ invalidation = 'table', wait = FOR_EVER_MS, max_result = 1 << 20, ...rule }: Terms = {}) {
    const columns = { cache_ttl: FOR_EVER_MS, log: 1, ...rule }
    for (const sql of [
      `SET mysql-query_cache_invalidation = '${invalidation}'`,
      `SET mysql-query_cache_wait = ${wait}`,
      `SET mysql-query_cache_max_result = ${max_result}`,
      'LOAD MYSQL VARIABLES TO RUNTIME',
      'DELETE FROM mysql_query_rules',
      `INSERT INTO mysql_query_rules (rule_id, active, match_digest, ${Object.keys(columns)}, apply)
       VALUES (1, 1, '^SELECT', ${Object.values(columns)}, 1)`,
      'LOAD MYSQL QUERY RULES TO RUNTIME',
    ])
      await operator.query(sql)
    // After such a change, and before the first answer, what is read is not relied on for a moment.
    const [first] = await connect(1)
    const { Query_Cache_count_SET: kept } = await counts()
    const sql = `SELECT v /* ${newMark()} */ FROM u WHERE id = 1`
    await until('answers to be kept', async () => {
      await first!.query(sql)
      return (await counts())['Query_Cache_count_SET']! > kept!
    })
    ;[metBefore, inVainBefore] = await waits([0, 0])
    await lock()
  }

  const lock = (): Promise<unknown> => root.query('LOCK TABLES t WRITE')
  const unlock = (): Promise<unknown> => root.query('UNLOCK TABLES')

  async function connect(count: number): Promise<Connection[]> {
    const clients = await Promise.all(Array.from({ length: count }, () => proxy.connect({ database })))
    opened.push(...clients)
    return clients
  }

  const newMark = (): string => `mark ${++marks} ${engine}`
  const read = async (client: Connection, mark: string, prepared = false): Promise<unknown> => {
    const sql = `SELECT v /* ${mark} */ FROM t WHERE id = 1`
    const [[row]] = await (prepared ? client.execute<RowDataPacket[]>(sql) : client.query<RowDataPacket[]>(sql))
    return row!['v']
  }
  const untilRunning = (mark: string, count: number): Promise<unknown> =>
    until(`${count} to ask a server`, async () => (await running(cluster, cluster.primary, mark)) === count)

  const counts = async (): Promise<Record<string, number>> => {
    const rows = await admin(proxy, "SELECT * FROM stats_mysql_global WHERE Variable_Name LIKE '%Query_Cache%'")
    return Object.fromEntries(rows.map((row) => [row['Variable_Name'], Number(row['Variable_Value'])]))
  }
  /** How many have waited since `start`, and were given the answer, or not. */
  const waits = async (before = [metBefore, inVainBefore]): Promise<[number, number]> => {
    const { Sluice_Query_Cache_Waits_Met: met, Sluice_Query_Cache_Waits_In_Vain: inVain } = await counts()
    return [met! - before[0]!, inVain! - before[1]!]
  }
  /** Sessions that wait for another's answer. */
  const waiting = async (): Promise<number> =>
    (await admin(proxy, "SELECT * FROM stats_mysql_processlist WHERE extended_info LIKE '%has asked for the same%'"))
      .length
  const untilWaiting = (count: number): Promise<unknown> =>
    until(`${count} to wait`, async () => (await waiting()) === count)

  /** One client has asked a server, and the others wait for what it gets. */
  async function stampede(mark: string, count = CLIENTS, prepared = false) {
    const [first, ...others] = await connect(count)
    if (prepared) for (const one of [first!, ...others]) await one.prepare(`SELECT v /* ${mark} */ FROM t WHERE id = 1`)
    const answer = read(first!, mark, prepared)
    answer.catch(() => {})
    await untilRunning(mark, 1)
    const answers = others.map((one) => read(one, mark, prepared))
    for (const one of answers) one.catch(() => {})
    await untilWaiting(others.length)
    return { first: first!, others, answer, answers }
  }

  it.each([
    ['text', false],
    ['prepared', true],
  ])('one asks a server, and all have its answer: %s', SLOW, async (_name, prepared) => {
    await start()
    const linesOf = (log: Record<string, unknown>[]) =>
      log.filter(({ msg, text }) => msg === 'query' && String(text).includes('FROM t')).length
    const linesBefore = linesOf(proxy.log())
    const before = await counts()
    const mark = newMark()
    const { answer, answers } = await stampede(mark, CLIENTS, prepared)
    expect(await running(cluster, cluster.primary, mark)).toBe(1)
    await unlock()
    expect(await Promise.all([answer, ...answers])).toEqual(Array(CLIENTS).fill('one'))
    expect(await waits()).toEqual([CLIENTS - 1, 0])
    const after = await counts()
    expect(after['Query_Cache_count_GET']! - before['Query_Cache_count_GET']!).toBe(CLIENTS)
    expect(after['Query_Cache_count_GET_OK']! - before['Query_Cache_count_GET_OK']!).toBe(CLIENTS - 1)
    expect(after['Query_Cache_count_SET']! - before['Query_Cache_count_SET']!).toBe(1)
    // A rule's log and the digests have all of them: -1 stands for the cache.
    await until('all lines', () => linesOf(proxy.log()) - linesBefore === (prepared ? 2 : 1) * CLIENTS)
    const digests = await admin(
      proxy,
      "SELECT hostgroup, count_star FROM stats_mysql_query_digest_reset WHERE digest_text LIKE '%FROM t%' ORDER BY hostgroup",
    )
    expect(digests.map(({ hostgroup, count_star }) => [hostgroup, count_star])).toEqual([
      ['-1', String(CLIENTS - 1)],
      ['0', '1'],
    ])
  })

  it('a rule’s delay holds back what goes to a server, and nothing that the cache answers', SLOW, async () => {
    await start()
    await unlock()
    const [client, other] = await connect(2)
    const mark = newMark()
    expect(await read(client!, mark)).toBe('one')
    await operator.query('UPDATE mysql_query_rules SET delay = 1200000')
    await operator.query('LOAD MYSQL QUERY RULES TO RUNTIME')
    expect(await read(client!, mark)).toBe('one')
    read(other!, newMark()).catch(() => {})
    await until('another statement to be held back', async () => {
      const rows = await admin(proxy, "SELECT * FROM stats_mysql_processlist WHERE info LIKE '%FROM t %'")
      return rows.length === 1
    })
  })

  it('when the statement fails, or its session ends, the others ask themselves at once', SLOW, async () => {
    await start()
    for (const end of ['killed', 'gone']) {
      const mark = newMark()
      const { first, answer, answers } = await stampede(mark)
      if (end === 'gone') first.destroy()
      else {
        await cluster.execute(cluster.primary, `KILL QUERY ${await connectionOf(cluster, cluster.primary, mark)}`)
        expect((await rejection(answer)).errno).toBe(1317)
      }
      await untilRunning(mark, CLIENTS - 1)
      await unlock()
      expect(await Promise.all(answers), end).toEqual(Array(CLIENTS - 1).fill('one'))
      await lock()
    }
    expect(await waits()).toEqual([0, 2 * (CLIENTS - 1)])
  })

  it('an answer that is too long, or has warnings, is given to nobody', SLOW, async () => {
    await start({ max_result: 2_000 })
    for (const [expression, at] of [
      ["REPEAT(CONCAT(v, 'x'), 1000)", 1],
      ['v + 0', 2],
    ]) {
      const mark = newMark()
      const sql = `SELECT ${expression} /* ${mark} */ FROM t WHERE id = 1`
      const clients = await connect(5)
      const first = clients[0]!.query(sql)
      await untilRunning(mark, 1)
      const others = clients.slice(1).map((one) => one.query(sql))
      await untilWaiting(4)
      await unlock()
      await Promise.all([first, ...others])
      expect(await waits()).toEqual([0, 4 * Number(at)])
      await lock()
    }
  })

  it('who may not be given the answer does not wait for it', SLOW, async () => {
    await start()
    const mark = newMark()
    const { answer, answers } = await stampede(mark, 3)
    const [wrote, strong, inTransaction] = await connect(3)
    await wrote!.query("UPDATE u SET v = 'written' WHERE id = 1")
    await strong!.query("SET sluice_consistency = 'strong'")
    await inTransaction!.query('BEGIN')
    const theirs = [wrote!, strong!, inTransaction!].map((one) => read(one, mark))
    await untilRunning(mark, 4)
    expect(await waiting()).toBe(2)
    await unlock()
    expect(await Promise.all([answer, ...answers, ...theirs])).toEqual(Array(6).fill('one'))
    expect(await waits()).toEqual([2, 0])
  })

  it('a write that ends the answer while it is waited for: those who wait ask themselves', SLOW, async () => {
    await start({ invalidation: 'any' })
    const mark = newMark()
    const { answer, answers } = await stampede(mark)
    const [writer] = await connect(1)
    await writer!.query("UPDATE u SET v = 'elsewhere' WHERE id = 1")
    await untilRunning(mark, CLIENTS)
    await unlock()
    expect(await Promise.all([answer, ...answers])).toEqual(Array(CLIENTS).fill('one'))
    expect(await waits()).toEqual([0, CLIENTS - 1])
  })

  it('a wait is over after the time of the rule, else of the configuration; 0 is none', SLOW, async () => {
    for (const [terms, none] of [
      [{ wait: 0 }, true],
      [{ cache_timeout: 0 }, true],
      [{ wait: 3_000 }, false],
      [{ cache_timeout: 3_000 }, false],
    ] as [Terms, boolean][]) {
      await start(terms)
      const mark = newMark()
      const [first, ...others] = await connect(4)
      const answer = read(first!, mark)
      await untilRunning(mark, 1)
      const answers = others.map((one) => read(one, mark))
      if (!none) await untilWaiting(3)
      await untilRunning(mark, 4)
      await unlock()
      expect(await Promise.all([answer, ...answers])).toEqual(Array(4).fill('one'))
      expect(await waits(), JSON.stringify(terms)).toEqual([0, none ? 0 : 3])
    }
  })

  it('a statement that waits can be killed, has its limit of time, and may lose its client', SLOW, async () => {
    await start({ timeout: 5_000 })
    const mark = newMark()
    const { first, others, answer, answers } = await stampede(mark, 5)
    const [killed, gone] = others as [Connection, Connection]
    gone.destroy()
    await untilWaiting(3)
    const [killer] = await connect(1)
    await killer!.query(`KILL QUERY ${killed.threadId}`)
    expect((await rejection(answers[0]!)).errno).toBe(1317)
    // Those that go on waiting, and the one that they wait for.
    const errno = engine === 'mysql' ? 3024 : 1969
    for (const late of [answer, answers[2]!, answers[3]!]) expect((await rejection(late)).errno).toBe(errno)
    await unlock()
    for (const one of [first, killed]) expect(await read(one, mark)).toBe('one')
  })
})
