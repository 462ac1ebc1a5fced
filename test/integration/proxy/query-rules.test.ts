import type { Connection, ResultSetHeader } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, running, until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
const PORT = 'SELECT @@port AS port'
const NOT_ALLOWED = { errno: 1148, sqlState: '42000' }

describe.each<Engine>(['mysql', 'mariadb'])('query rules in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let reports: SandboxServer
  let database: string
  let client: Connection
  const opened: Connection[] = []

  const connect = async (): Promise<Connection> => {
    const connection = await proxy.connect({ database })
    opened.push(connection)
    return connection
  }

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v VARCHAR(50))`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 'one'), (2, 'two')`)
    await cluster.waitForReplicas()
    reports = cluster.replicas[0]
    const servers = [...cluster.servers.map((one) => serverConfig(one)), serverConfig(reports, { hostgroup: 5 })]
    const query_rules = [
      { rule_id: 1, match_pattern: 'to_reports', destination_hostgroup: 5, apply: 1 },
      { rule_id: 2, match_pattern: 'to_primary', destination_hostgroup: 0, apply: 1 },
      { rule_id: 3, match_pattern: 'to_readers', destination_hostgroup: 1, apply: 1 },
      { rule_id: 4, match_pattern: 'to_nowhere', destination_hostgroup: 8, apply: 1 },
      {
        rule_id: 10,
        match_pattern: "'rewrite me (\\w+)'",
        replace_pattern: "'rewritten \\1', CONNECTION_ID() > 0",
        apply: 1,
      },
      { rule_id: 11, match_pattern: 'SELECT v FROM old_t', replace_pattern: 'SELECT v FROM t', apply: 1 },
      { rule_id: 12, match_pattern: 'gr.{1,2}ss', replace_pattern: 'klein', re_modifiers: 'CASELESS,GLOBAL', apply: 1 },
      {
        rule_id: 13,
        match_pattern: 'SELECT_TO_UPDATE (\\d)',
        replace_pattern: "UPDATE t SET v = 'new' WHERE id = \\1",
        apply: 1,
      },
      {
        rule_id: 20,
        match_digest: '^DELETE FROM \\w+$',
        error_msg: 'DELETE without WHERE is not allowed here',
        apply: 1,
      },
      { rule_id: 21, match_pattern: 'say_ok', OK_msg: 'it is said', apply: 1 },
      { rule_id: 30, match_pattern: 'wait_a_little', delay: 300, apply: 1 },
      { rule_id: 31, match_pattern: 'not_too_long', timeout: 300, apply: 1 },
      { rule_id: 40, match_pattern: 'begin_chain', flagOUT: 7 },
      { rule_id: 41, match_pattern: 'begin_chain', error_msg: 'the chain was not followed', apply: 1 },
      { rule_id: 42, flagIN: 7, match_digest: '^SELECT', destination_hostgroup: 5 },
      { rule_id: 43, flagIN: 7, match_pattern: 'and_refuse', error_msg: 'end of the chain', apply: 1 },
      { rule_id: 50, match_pattern: 'then_flag', next_query_flagIN: 9, apply: 1 },
      { rule_id: 51, flagIN: 9, match_pattern: 'now_refused', error_msg: 'flag 9', apply: 1 },
      { rule_id: 52, flagIN: 9, match_pattern: 'flag_off', next_query_flagIN: 0, apply: 1 },
      { rule_id: 70, match_pattern: 'write_it_down', log: 1, apply: 1 },
      { rule_id: 80, match_pattern: 'any_replica', attributes: '{"sluice": {"consistency": "eventual"}}', apply: 1 },
      { rule_id: 81, match_pattern: 'surely', attributes: '{"sluice": {"consistency": "strong"}}', apply: 1 },
      { rule_id: 82, match_pattern: 'copied', mirror_hostgroup: 5, apply: 1 },
      { rule_id: 83, match_pattern: 'turned', mirror_flagOUT: 11, apply: 1 },
      {
        rule_id: 84,
        flagIN: 11,
        match_pattern: 'turned',
        replace_pattern: 'turned_over',
        destination_hostgroup: 5,
        apply: 1,
      },
      { rule_id: 85, match_pattern: 'count_me', apply: 1 },
      { rule_id: 90, active: 0, error_msg: 'this rule is not active' },
    ]
    const query_rules_fast_routing = [{ username: '', schemaname: 'information_schema', destination_hostgroup: 5 }]
    proxy = await startProxy(cluster, { servers, query_rules, query_rules_fast_routing, workers: 2 })
    client = await connect()
  }, SLOW.timeout)

  afterEach(() => {
    for (const connection of opened.splice(0)) if (connection !== client) connection.destroy()
  })

  const both = async (sql: string): Promise<unknown[]> => {
    const text = await value(client, sql)
    const [rows] = await client.execute<never>(sql)
    return [text, Object.values(rows[0] as object)[0]]
  }

  describe('destination_hostgroup', () => {
    it('sends text and prepared statements to the hostgroup, whatever the split says', SLOW, async () => {
      expect(await both(`${PORT} /* to_reports */`)).toEqual([reports.port, reports.port])
      expect(await both(`${PORT} /* to_primary */`)).toEqual([cluster.primary.port, cluster.primary.port])
      const replicas = cluster.replicas.map(({ port }) => port)
      // Sessions that have not seen anything of the primary yet, as soon as a replica has what was written before they began.
      await until('a new session to read a replica', async () =>
        replicas.includes(Number(await value(await connect(), `${PORT} /* to_readers */`))),
      )
    })

    it('a write goes there as well: the server has the last word', SLOW, async () => {
      const error = await rejection(client.query('INSERT INTO t VALUES (9, "to_reports")'))
      expect(error.errno).toBe(1290)
    })

    it('a transaction stays where it is', SLOW, async () => {
      await client.query('BEGIN')
      expect(await value(client, `${PORT} /* to_reports */`)).toBe(cluster.primary.port)
      await client.query('ROLLBACK')
    })

    it('a read that a rule sends to the readers sees what its session wrote', SLOW, async () => {
      for (let i = 0; i < 20; i++) {
        await client.query('REPLACE INTO t VALUES (3, ?)', [`v${i}`])
        expect(await value(client, 'SELECT v /* to_readers */ FROM t WHERE id = 3')).toBe(`v${i}`)
      }
    })

    it('without a server there the statement is held, and then refused', SLOW, async () => {
      const short = await startProxy(cluster, {
        limits: { connect_timeout_server_max: 300 },
        query_rules: [{ rule_id: 4, match_pattern: 'to_nowhere', destination_hostgroup: 8 }],
      })
      const impatient = await short.connect()
      const error = await rejection(impatient.query('SELECT 1 /* to_nowhere */'))
      expect(error).toMatchObject({ errno: 9001, message: expect.stringContaining('while reaching hostgroup 8') })
    })

    it('fast routing goes by the schema that is selected', SLOW, async () => {
      const other = await proxy.connect({ database: 'information_schema' })
      expect(await value(other, PORT)).toBe(reports.port)
      expect(await value(other, `${PORT} /* to_primary */`)).toBe(cluster.primary.port)
      await other.query(`USE ${database}`)
      expect(await value(other, 'SELECT COUNT(*) FROM t WHERE id = 1')).toBe(1)
    })
  })

  describe('replace_pattern', () => {
    it('another text is executed, with its own effects', SLOW, async () => {
      const [rows] = await client.query<never[]>("SELECT 'rewrite me please'")
      expect(Object.values(rows[0])).toEqual(['rewritten please', 1])
      const [prepared] = await client.execute<never[]>("SELECT 'rewrite me please', ?", [5])
      expect(Object.values(prepared[0])).toEqual(
        ['rewritten please', 1, '5'].map((one) => (one === '5' ? expect.anything() : one)),
      )
      const [result] = await client.query<ResultSetHeader>('SELECT_TO_UPDATE 2')
      expect(result.affectedRows).toBe(1)
      expect(await value(client, 'SELECT v FROM t WHERE id = 2')).toBe('new')
    })

    it('a prepared statement is the rewritten one, and two that are rewritten alike are two', SLOW, async () => {
      const sql = 'SELECT v FROM old_t WHERE id = ?'
      for (const id of [1, 1]) {
        const [rows] = await client.execute<never[]>(sql, [id])
        expect(rows).toEqual([{ v: 'one' }])
      }
      expect((await client.execute('SELECT v FROM t WHERE id = ?', [1]))[0]).toEqual([{ v: 'one' }])
    })

    it('keeps characters of every client as they are', SLOW, async () => {
      const latin = await proxy.connect({ database, charset: 'latin1_swedish_ci' })
      const [rows] = await latin.query<never[]>("SELECT 'groß, gross, größ' AS a, 'ñ' AS b")
      expect(rows).toEqual([{ a: 'groß, klein, größ', b: 'ñ' }])
      const [utf8] = await client.query<never[]>("SELECT '日本 gröss' AS a")
      expect(utf8).toEqual([{ a: '日本 klein' }])
    })
  })

  describe('answers of their own', () => {
    it('error_msg refuses the statement, prepared or not, and the session goes on', SLOW, async () => {
      const refused = { ...NOT_ALLOWED, message: 'DELETE without WHERE is not allowed here' }
      expect(await rejection(client.query('DELETE FROM t'))).toMatchObject(refused)
      expect(await rejection(client.execute('DELETE FROM t'))).toMatchObject(refused)
      await client.query('DELETE FROM t WHERE id = 99')
      expect(await value(client, 'SELECT COUNT(*) > 0 FROM t')).toBe(1)
    })

    it('OK_msg answers it, and no server hears of it', SLOW, async () => {
      const [ok] = await client.query<ResultSetHeader>('UPDATE t SET v = 0 /* say_ok */')
      expect(ok).toMatchObject({ affectedRows: 0, info: 'it is said' })
      const [executed] = await client.execute<ResultSetHeader>('UPDATE t SET v = 0 /* say_ok */')
      expect(executed).toMatchObject({ affectedRows: 0 })
      expect(await value(client, 'SELECT COUNT(*) FROM t WHERE v = "0"')).toBe(0)
    })
  })

  describe('time', () => {
    it('delay holds the statement back', SLOW, async () => {
      const before = performance.now()
      expect(await both('SELECT 1 /* wait_a_little */')).toEqual([1, 1])
      expect(performance.now() - before).toBeGreaterThanOrEqual(600)
    })

    it('a session that ends while its statement is held back leaves nothing running', SLOW, async () => {
      const other = await connect()
      // Its answer never comes.
      void other.query('SELECT SLEEP(30) /* wait_a_little and_go */').catch(() => {})
      await until('the statement to be held back', async () => {
        const [row] = await admin(proxy, "SELECT COUNT(*) AS n FROM stats_mysql_processlist WHERE info LIKE '%and_go%'")
        return row['n'] === '1'
      })
      other.destroy()
      await until('the session to be gone', async () => {
        const [row] = await admin(proxy, "SELECT COUNT(*) AS n FROM stats_mysql_processlist WHERE info LIKE '%and_go%'")
        return row['n'] === '0'
      })
      // One that is held back for as long, and came later: the other's time is over, too.
      await client.query('SELECT 1 /* wait_a_little */')
      await until('nothing to run', async () => {
        const counts = await Promise.all(cluster.servers.map((server) => running(cluster, server, 'and_go')))
        return counts.every((count) => count === 0)
      })
    })

    it('timeout ends the statement on its server', SLOW, async () => {
      const error = await rejection(client.query('SELECT 1 FROM t WHERE SLEEP(30) /* not_too_long */'))
      expect(error.errno).toBe(engine === 'mysql' ? 3024 : 1969)
      expect(error.message).toContain('300 ms exceeded')
      for (const server of cluster.servers) expect(await running(cluster, server, 'not_too_long')).toBe(0)
    })
  })

  describe('chains', () => {
    it('flagOUT leads to the rules of that flagIN', SLOW, async () => {
      expect(await both(`${PORT} /* begin_chain */`)).toEqual([reports.port, reports.port])
      expect(await rejection(client.query('SELECT 1 /* begin_chain and_refuse */'))).toMatchObject({
        ...NOT_ALLOWED,
        message: 'end of the chain',
      })
    })

    it('next_query_flagIN holds for the statements that come, until another rule or a reset', SLOW, async () => {
      expect(await value(client, 'SELECT 1 /* now_refused */')).toBe(1)
      await client.query('SELECT 1 /* then_flag */')
      expect((await rejection(client.query('SELECT 1 /* now_refused */'))).message).toBe('flag 9')
      expect((await rejection(client.execute('SELECT 1 /* now_refused */'))).message).toBe('flag 9')
      await client.query('SELECT 1 /* flag_off */')
      expect(await value(client, 'SELECT 1 /* now_refused */')).toBe(1)
      await client.query('SELECT 1 /* then_flag */')
      await (client as unknown as { reset(): Promise<void> }).reset()
      await client.query(`USE ${database}`)
      expect(await value(client, 'SELECT 1 /* now_refused */')).toBe(1)
    })
  })

  it('log writes one line for the statement', SLOW, async () => {
    await client.query("SELECT 'secret' /* write_it_down */")
    const line = await until('the line', () =>
      proxy.log().find(({ msg, rules }) => msg === 'query' && rules !== undefined),
    )
    expect(line).toMatchObject({ rules: [70], user: 'app', schema: database, text: 'SELECT ?' })
    expect(line['timeMs']).toBeGreaterThan(0)
  })

  it('consistency of a rule is that of its statements', SLOW, async () => {
    const routed = async (sql: string): Promise<string> => {
      const [row] = await admin(proxy, `EXPLAIN ROUTE ${sql}`)
      return Object.values(row).join(' ')
    }
    expect(await routed('SELECT 1 /* any_replica */')).toContain('eventual')
    expect(await routed('SELECT 1 /* surely */')).toContain('strong')
    expect(await value(client, `${PORT} /* surely */`)).toBe(cluster.primary.port)
    // What a session sets for itself counts more.
    const fresh = await connect()
    await fresh.query('SET sluice_consistency = session')
    await until('reads on a replica', async () => (await value(fresh, `${PORT} /* surely */`)) !== cluster.primary.port)
  })

  describe('mirrors', () => {
    const onReports = (marker: string): Promise<number> => running(cluster, reports, marker)

    it('a copy is executed by the mirror hostgroup, and its answer is nobody’s', SLOW, async () => {
      const answered = await value(client, `SELECT IF(@@port = ${reports.port}, SLEEP(1), 7) /* copied */`)
      // Where a replica has answered that is the mirror as well, it has slept.
      expect([0, 7]).toContain(answered)
      await client.query('BEGIN')
      await client.query('SELECT 1 /* copied in_a_transaction */')
      await client.query('ROLLBACK')
    })

    it('a chain of its own may rewrite the copy, and say where it goes', SLOW, async () => {
      const other = await connect()
      expect(
        await value(other, `SELECT /* sluice: primary */ IF(@@port = ${reports.port}, SLEEP(2), 7) /* turned */`),
      ).toBe(7)
      await until('the copy to run', async () => (await onReports('turned_over')) === 1)
      await until('the copy to be over', async () => (await onReports('turned_over')) === 0)
    })

    it('a copy that fails is nobody’s matter, and all are counted', SLOW, async () => {
      const [result] = await client.query<ResultSetHeader>('REPLACE INTO t VALUES (7, "copied")')
      expect(result.affectedRows).toBeGreaterThanOrEqual(1)
      expect(await value(client, 'SELECT v FROM t WHERE id = 7 /* to_primary */')).toBe('copied')
      await until('three copies', async () => {
        const rows = await admin(proxy, "SELECT * FROM stats_mysql_global WHERE Variable_Name LIKE 'Sluice_Mirrors%'")
        const counts = Object.fromEntries(rows.map((row) => [row['Variable_Name'], row['Variable_Value']]))
        return counts['Sluice_Mirrors_Sent'] === '3' && counts['Sluice_Mirrors_Dropped'] === '0'
      })
    })
  })

  it('hits are counted over all workers, of active rules', SLOW, async () => {
    const hits = async (): Promise<Record<string, number>> => {
      const rows = await admin(proxy, 'SELECT * FROM stats_mysql_query_rules')
      return Object.fromEntries(rows.map(({ rule_id, hits: count }) => [rule_id, Number(count)]))
    }
    const before = await hits()
    expect(before['90']).toBeUndefined()
    expect(before['85']).toBe(0)
    const clients = await Promise.all(Array.from({ length: 6 }, connect))
    for (const one of clients) await one.query('SELECT 1 /* count_me */')
    await until('the hits', async () => (await hits())['85'] === 6)
  })
})
