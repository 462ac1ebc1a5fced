import type { ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, rejection, until } from './observe.js'

const CLIENTS = 8
/** Comments are no part of a digest. */
const NOTHING = '/* a comment */'

describe.each(['mysql', 'mariadb'] as const)('statistics of a proxy in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 10), (2, 20), (3, 30)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { workers: 2, consistency: { level: 'eventual' } })
  })

  /** Rows of statements that name this suite's column aliases, so that those of drivers are left out. */
  async function digests(where: string, table = 'stats_mysql_query_digest') {
    const rows = await admin(proxy, `SELECT * FROM ${table} WHERE ${where} ORDER BY hostgroup, digest_text`)
    return rows.map(({ digest, first_seen, last_seen, sum_time, min_time, max_time, ...row }) => {
      expect(digest).toMatch(/^0x[0-9A-F]{16}$/)
      const [first, last] = [Number(first_seen), Number(last_seen)]
      expect(first).toBeGreaterThan(Date.now() / 1000 - 3600)
      expect(last).toBeGreaterThanOrEqual(first)
      expect(last).toBeLessThanOrEqual(Date.now() / 1000 + 1)
      if (row['count_star'] !== '0') expect(Number(max_time)).toBeGreaterThan(0)
      expect(Number(min_time)).toBeLessThanOrEqual(Number(max_time))
      expect(Number(sum_time)).toBeGreaterThanOrEqual(Number(max_time))
      return { ...row }
    })
  }

  it('count as slow what takes longer than mysql-long_query_time, which can be changed at run time', async () => {
    const client = await proxy.connect({ database })
    const slow = async () => {
      const [row] = await admin(
        proxy,
        "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name = 'Slow_queries'",
      )
      return Number(row['Variable_Value'])
    }
    await admin(proxy, 'SET mysql-long_query_time = 20000')
    await admin(proxy, 'LOAD MYSQL VARIABLES TO RUNTIME')
    const before = await slow()
    await client.query('SELECT SLEEP(0.2)')
    await admin(proxy, 'SET mysql-long_query_time = 150')
    await admin(proxy, 'LOAD MYSQL VARIABLES TO RUNTIME')
    await client.query('SELECT SLEEP(0.2)')
    // Nothing else runs: the second one alone is slow, when it has been counted.
    await until('the slow statement', async () => (await slow()) > before)
    expect(await slow()).toBe(before + 1)
    await admin(proxy, 'SET mysql-long_query_time = 1000')
    await admin(proxy, 'LOAD MYSQL VARIABLES TO RUNTIME')
  })

  it('are those of the moment in which they are read', async () => {
    const client = await proxy.connect({ database })
    const read = async () => {
      const [row] = await admin(
        proxy,
        `SELECT (SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name = 'Questions') AS questions,
          (SELECT SUM(Queries) FROM stats_mysql_connection_pool) AS queries,
          (SELECT Total_cnt FROM stats_mysql_commands_counters WHERE Command = 'SELECT') AS selects`,
      )
      return [row['questions'], row['queries'], row['selects']].map(Number)
    }
    let before = await read()
    for (let round = 0; round < 20; round++) {
      await client.query('SELECT 1')
      const after = await read()
      expect(after).toEqual(before.map((count) => count + 1))
      before = after
    }
  })

  it('count executions, rows and errors by digest exactly, over all workers and both protocols', async () => {
    await admin(proxy, 'TRUNCATE TABLE stats.stats_mysql_query_digest')
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.connect({ database })))
    await Promise.all(
      clients.map(async (client, own) => {
        for (let round = 0; round < 5; round++) {
          await client.query(`SELECT v AS textual FROM t WHERE id IN (${own % 3}, ${round}, 9)`)
          await client.execute('SELECT v AS prepared FROM t WHERE id <= ?', [2])
        }
      }),
    )
    await clients[0].query('UPDATE t SET v = v + 0 WHERE id < 3')
    const [ok] = await clients[0].query<ResultSetHeader>('UPDATE t SET v = v + 1 WHERE id < 3')
    expect(ok.affectedRows).toBe(2)
    await rejection(clients[0].query('UPDATE t SET v = v + 1, w = 2 WHERE id < 3'))
    const common = { schemaname: database, username: cluster.accounts.app.user, client_address: '' }
    const reads = (text: string, count: number, rows: number) => ({
      ...common,
      hostgroup: '1',
      digest_text: text,
      count_star: String(count),
      sum_rows_affected: '0',
      sum_rows_sent: String(rows),
      errors: '0',
    })
    // Of ids 0, 1, 2 with 0 to 4: how many of 1, 2, 3 are among them.
    let rows = 0
    for (let own = 0; own < CLIENTS; own++)
      for (let round = 0; round < 5; round++) rows += new Set([own % 3, round].filter((id) => id >= 1 && id <= 3)).size
    expect(await digests("digest_text LIKE '% AS %'")).toEqual([
      reads('SELECT v AS prepared FROM t WHERE id<=?', 5 * CLIENTS, 10 * CLIENTS),
      reads('SELECT v AS textual FROM t WHERE id IN (?,...)', 5 * CLIENTS, rows),
    ])
    // MariaDB and MySQL count as affected what has changed, or what was found where the client asks for that (as mysql2 does).
    expect(await digests("digest_text LIKE 'UPDATE%'")).toEqual([
      {
        ...common,
        hostgroup: '0',
        digest_text: 'UPDATE t SET v=v+? WHERE id<?',
        count_star: '2',
        sum_rows_affected: '4',
        sum_rows_sent: '0',
        errors: '0',
      },
      {
        ...common,
        hostgroup: '0',
        digest_text: 'UPDATE t SET v=v+?,w=? WHERE id<?',
        count_star: '1',
        sum_rows_affected: '0',
        sum_rows_sent: '0',
        errors: '1',
      },
    ])
  })

  it('begin anew when the _reset table is read: what it shows is in no later reading', async () => {
    const client = await proxy.connect({ database })
    for (let i = 0; i < 3; i++) await client.query(`SELECT ${i} AS before_reset`)
    const where = "digest_text LIKE '%_reset'"
    expect(await digests(where, 'stats_mysql_query_digest_reset')).toMatchObject([{ count_star: '3' }])
    expect(await digests(where)).toEqual([])
    await client.query('SELECT 1 AS after_reset')
    expect(await digests(where)).toMatchObject([{ digest_text: 'SELECT ? AS after_reset', count_star: '1' }])
  })

  it('lose nothing of many digests, which are told in pieces', async () => {
    const client = await proxy.connect({ database })
    await admin(proxy, 'TRUNCATE stats_mysql_query_digest')
    for (let i = 0; i < 1500; i++) await client.query(`SELECT 1 AS many_${i} ${NOTHING}`)
    expect(
      await admin(
        proxy,
        "SELECT COUNT(*) AS n, SUM(count_star) AS sum FROM stats_mysql_query_digest WHERE digest_text LIKE '%many%'",
      ),
    ).toMatchObject([{ n: '1500', sum: '1500' }])
  })

  it('name the errors of servers', async () => {
    const client = await proxy.connect({ database })
    await admin(proxy, 'SELECT * FROM stats_mysql_errors_reset')
    for (let i = 0; i < 2; i++) await rejection(client.query(`SELECT * FROM missing_${i} ${NOTHING}`))
    await rejection(client.execute('INSERT INTO t VALUES (1, ?)', [5]))
    const rows = await admin(
      proxy,
      'SELECT hostgroup, port, username, schemaname, errno, count_star, last_error FROM stats_mysql_errors ORDER BY errno',
    )
    const { user } = cluster.accounts.app
    expect(rows).toMatchObject([
      { hostgroup: '0', port: String(cluster.primary.port), username: user, errno: '1062', count_star: '1' },
      expect.objectContaining({ schemaname: database, errno: '1146' }),
      ...(rows.length === 3 ? [expect.objectContaining({ errno: '1146' })] : []),
    ])
    expect(rows[1]['last_error']).toMatch(/missing_\d/)
    expect(rows.slice(1).reduce((sum, row) => sum + Number(row['count_star']), 0)).toBe(2)
  })

  it('count by verb', async () => {
    // Workers tell these counters once a second: those of one that has served nobody else are known.
    const fresh = await startProxy(cluster)
    const client = await fresh.connect({ database })
    const counted = async () => {
      const rows = await admin(fresh, 'SELECT Command, Total_cnt FROM stats_mysql_commands_counters')
      return new Map(rows.map((row) => [row['Command'], Number(row['Total_cnt'])]))
    }
    const statements = [
      ['CREATE_TABLE', 'CREATE TABLE verbs (id INT PRIMARY KEY)'],
      ['START_TRANSACTION', 'START TRANSACTION'],
      ['INSERT', 'INSERT INTO verbs VALUES (1)'],
      ['SELECT_FOR_UPDATE', 'SELECT * FROM verbs FOR UPDATE'],
      ['COMMIT', 'COMMIT'],
      ['DELETE', 'DELETE FROM verbs'],
      ['DROP_TABLE', 'DROP TABLE verbs'],
    ] as const
    for (const [, sql] of statements) await client.query(sql)
    await until('the counters have been told', async () => {
      const now = await counted()
      return statements.every(([verb]) => now.get(verb) === 1)
    })
  })

  it('show what connections and statements there are', async () => {
    const client = await proxy.connect({ database })
    await client.execute('SELECT v AS info FROM t WHERE id = ? OR v = ?', [1, 2])
    expect(
      await admin(
        proxy,
        "SELECT ref_count_client, num_columns, num_params, schemaname FROM stats_mysql_prepared_statements_info WHERE query LIKE '% AS info %'",
      ),
    ).toMatchObject([{ ref_count_client: '1', num_columns: '1', num_params: '2', schemaname: database }])
    const { user } = cluster.accounts.app
    const free = await admin(proxy, 'SELECT * FROM stats_mysql_free_connections')
    expect(free.length).toBeGreaterThan(0)
    expect(free.every((row) => row['user'] === user)).toBe(true)
    const [users] = await admin(proxy, `SELECT * FROM stats_mysql_users WHERE username = '${user}'`)
    const sessions = await admin(proxy, `SELECT COUNT(*) AS n FROM stats_mysql_processlist WHERE user = '${user}'`)
    expect(users['frontend_connections']).toBe(sessions[0]['n'])
  })

  it('show what the monitor has seen of each server', async () => {
    for (const kind of ['connect', 'ping', 'read_only']) {
      const rows = await admin(
        proxy,
        `SELECT DISTINCT port FROM monitor.mysql_server_${kind}_log WHERE ${kind === 'read_only' ? '' : `${kind}_`}error IS NULL`,
      )
      expect(rows.map((row) => Number(row['port'])).sort(), kind).toEqual(
        cluster.servers.map(({ port }) => port).sort(),
      )
    }
    const [primary] = await admin(
      proxy,
      `SELECT DISTINCT read_only FROM mysql_server_read_only_log WHERE port = ${cluster.primary.port}`,
    )
    expect(primary['read_only']).toBe('0')
    const lags = await admin(proxy, 'SELECT DISTINCT port FROM mysql_server_replication_lag_log WHERE error IS NULL')
    expect(lags.map((row) => Number(row['port']))).not.toContain(cluster.primary.port)
    expect(lags).toHaveLength(cluster.replicas.length)
    const latencies = await admin(proxy, 'SELECT Latency_us FROM stats_mysql_connection_pool')
    expect(latencies.every((row) => Number(row['Latency_us']) > 0)).toBe(true)
  })

  it('can be read whole, in text and prepared, without a NULL in any of stats', async () => {
    const client = await proxy.connect({ port: proxy.adminPort, user: 'admin', password: 'admin' })
    for (const schema of ['stats', 'monitor', 'stats_history']) {
      const [tables] = await client.query<RowDataPacket[]>(`SHOW TABLES FROM ${schema}`)
      expect(tables.length).toBeGreaterThan(3)
      for (const name of tables.map((row) => Object.values(row)[0] as string)) {
        const [text] = await client.query<RowDataPacket[]>(`SELECT * FROM ${schema}.${name}`)
        await client.execute(`SELECT * FROM ${schema}.${name}`)
        if (schema === 'stats')
          expect(
            text.flatMap((row) => Object.values(row)),
            name,
          ).not.toContain(null)
      }
    }
  })

  it('outlive the workers that have counted them, and begin anew once', async () => {
    const client = await proxy.connect({ database })
    await client.query('SELECT v AS outlives FROM t WHERE id = 1')
    await client.query('SELECT no_such_outlives FROM t').catch(() => {})
    await client.end()
    const counted = async () => [
      await digests("digest_text LIKE '%outlives%'"),
      await admin(proxy, "SELECT errno, count_star FROM stats_mysql_errors WHERE last_error LIKE '%outlives%'"),
    ]
    const before = await counted()
    expect(before.map((rows) => rows.length > 0)).toEqual([true, true])
    const pids = proxy.workerPids()
    await admin(proxy, 'PROXYSQL RESTART')
    await until('the workers to have ended', () => !proxy.workerPids().some((pid) => pids.includes(pid)))
    expect(await counted()).toEqual(before)
    await admin(proxy, 'SELECT 1 FROM stats_mysql_query_digest_reset LIMIT 1')
    await admin(proxy, 'SELECT 1 FROM stats_mysql_errors_reset LIMIT 1')
    expect(await counted()).toEqual([[], []])
  })
})

describe('digests', () => {
  it('of what the result cache has answered stand in hostgroup -1', async () => {
    const cluster = await sharedCluster('mysql')
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1), (2)`)
    await cluster.waitForReplicas()
    const rule = { rule_id: 1, active: 1, match_digest: '^SELECT id AS kept', cache_ttl: 600_000, apply: 1 }
    const proxy = await startProxy(cluster, { query_rules: [rule], consistency: { level: 'eventual' } })
    const client = await proxy.connect({ database })
    let sent = 0
    // Answers are kept once it is known how old a replica's are.
    const rows = await until('an answer of the result cache', async () => {
      expect((await client.query('SELECT id AS kept FROM t'))[0]).toHaveLength(2)
      sent++
      const found = await admin(
        proxy,
        "SELECT hostgroup, count_star, sum_rows_sent FROM stats_mysql_query_digest WHERE digest_text LIKE '% kept %' ORDER BY 1",
      )
      return found[0]['hostgroup'] === '-1' && found
    })
    expect(rows).toEqual([
      { hostgroup: '-1', count_star: '1', sum_rows_sent: '2' },
      { hostgroup: '1', count_star: String(sent - 1), sum_rows_sent: String(2 * (sent - 1)) },
    ])
  }, 120_000)

  it('are not counted when they are off, and are told apart by address where that is asked for', async () => {
    const cluster = await sharedCluster('mysql')
    const off = await startProxy(cluster, { query_digests: { enabled: false } })
    const tracked = await startProxy(cluster, { query_digests: { track_hostname: true } })
    for (const proxy of [off, tracked]) await (await proxy.connect()).query('SELECT 1 AS seen')
    expect(await admin(off, 'SELECT * FROM stats_mysql_query_digest')).toEqual([])
    expect(
      await admin(tracked, "SELECT client_address FROM stats_mysql_query_digest WHERE digest_text LIKE '%seen'"),
    ).toMatchObject([{ client_address: '127.0.0.1' }])
    const variables = await admin(off, "SHOW VARIABLES LIKE 'mysql-query_digests'")
    expect(variables).toMatchObject([{ Value: 'false' }])
  })
})
