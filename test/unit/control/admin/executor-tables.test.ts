import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { DATABASES, HISTORY_TABLES, STATS_TABLES, TABLES } from '../../../../src/control/admin/engine/schema.js'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import { all, engine, executor, guard, log, objects, sessionOf } from './executor-fixture.js'
import { fixtureView, GTID } from './fixture.js'

describe('tables', () => {
  // Reading every table reads those that reset what they show, too: that view is for no other test.
  const everything = new AdminExecutor({ view: fixtureView(), engine, log, guard }, [])

  it('has every table of the interface in its schema, readable, and SHOW TABLES lists exactly those', async () => {
    for (const database of DATABASES) {
      const names = Object.keys(TABLES[database]).sort()
      expect((await all(`SHOW TABLES FROM ${database}`)).rows.map(([name]) => name)).toEqual(names)
      for (const name of names) await all(`SELECT * FROM ${database}.${name}`, [], sessionOf('admin'), everything)
    }
  })

  it('shows runtime_mysql_servers as the workers have it, status included', async () => {
    const rows = await objects('SELECT * FROM runtime_mysql_servers ORDER BY port')
    expect(rows).toHaveLength(3)
    expect(rows[0]).toEqual({
      hostgroup_id: '0',
      hostname: '127.0.0.1',
      port: '3307',
      gtid_port: '0',
      status: 'ONLINE',
      weight: '1',
      compression: '0',
      max_connections: '1000',
      max_replication_lag: '0',
      use_ssl: '0',
      max_latency_ms: '0',
      comment: "the primary's own",
      ssl_mode: '',
      compression_algorithm: 'zlib',
      proxy_protocol: 'off',
    })
    expect(rows.map((row) => row['status'])).toEqual(['ONLINE', 'ONLINE', 'SHUNNED'])
    expect((await objects("SELECT status FROM mysql_servers WHERE port = '3309'"))[0]['status']).toBe('ONLINE')
  })

  it('never shows a password in clear', async () => {
    const hash = `*${createHash('sha1').update(createHash('sha1').update('app').digest()).digest('hex').toUpperCase()}`
    const rows = await objects('SELECT username, password FROM mysql_users ORDER BY username')
    expect(rows).toEqual([
      { username: 'app', password: hash },
      { username: 'open', password: '' },
    ])
    const config = (await all('SELECT CONFIG FILE')).rows[0][0] as string
    expect(config).toContain('port: 3308')
    expect(config).not.toMatch(/monitor-secret|4711|password: app/)
    const dump = JSON.stringify((await all('SELECT * FROM global_variables')).rows)
    expect(dump).not.toContain('monitor-secret')
  })

  it('counts in stats_mysql_connection_pool per server and hostgroup, a server that is leaving included', async () => {
    const rows = await objects('SELECT * FROM stats_mysql_connection_pool ORDER BY srv_port')
    expect(rows.map((row) => [row['srv_port'], row['status'], row['Queries']])).toEqual([
      ['3307', 'ONLINE', '3'],
      ['3308', 'ONLINE', '11'],
      ['3309', 'SHUNNED', '0'],
      ['3399', 'OFFLINE_HARD', '0'],
    ])
    expect(rows[0]).toMatchObject({
      hostgroup: '0',
      ConnUsed: '2',
      ConnFree: '1',
      ConnOK: '9',
      ConnERR: '4',
      MaxConnUsed: '5',
      Bytes_data_sent: '700',
      Bytes_data_recv: '900',
    })
  })

  it('has no NULL in any column of the statistics', async () => {
    for (const name of Object.keys(TABLES.stats)) {
      const { rows } = await all(`SELECT * FROM stats.${name}`, [], sessionOf('admin'), everything)
      expect(rows.flat(), name).not.toContain(null)
    }
  })

  it('lists sessions, and connections per user', async () => {
    const sessions = await objects('SELECT SessionID, user, command, info FROM stats_mysql_processlist ORDER BY 1')
    expect(sessions[0]).toEqual({ SessionID: '1', user: 'app', command: 'Query', info: 'SELECT 1' })
    expect(await objects('SELECT * FROM stats_mysql_users')).toEqual([
      { username: 'app', frontend_connections: '2', frontend_max_connections: '50' },
      { username: 'open', frontend_connections: '1', frontend_max_connections: '0' },
    ])
  })

  it('gives the latency histogram per verb, a GTID set with its number of transactions, and global counters', async () => {
    const [insert] = await objects("SELECT * FROM stats_mysql_commands_counters WHERE Command = 'INSERT'")
    expect(insert).toMatchObject({ Total_Time_us: '6000', Total_cnt: '3', cnt_100us: '1', cnt_5ms: '2', cnt_INFs: '0' })
    expect(await objects('SELECT SUM(Total_cnt) AS n, COUNT(*) AS rows FROM stats_mysql_commands_counters')).toEqual([
      { n: '3', rows: '54' },
    ])
    expect(await objects('SELECT * FROM stats_mysql_gtid_executed')).toEqual([
      { hostname: '127.0.0.1', port: '3307', gtid_executed: GTID, events: '6' },
    ])
    expect(await objects('SELECT * FROM stats_mysql_query_rules')).toEqual([
      { rule_id: '2', hits: '41' },
      { rule_id: '7', hits: '0' },
    ])
    const status = Object.fromEntries((await all('SELECT * FROM stats_mysql_global')).rows as [string, string][])
    expect(status).toMatchObject({
      Questions: '14',
      Client_Connections_connected: '3',
      Server_Connections_created: '20',
    })
    expect(Number(status['ProxySQL_Uptime'])).toBeGreaterThanOrEqual(90)
  })

  it('has one row for each place and digest, whichever workers have counted it', async () => {
    expect(await objects("SELECT * FROM stats_mysql_query_digest WHERE schemaname = 'shop'")).toEqual([
      {
        hostgroup: '1',
        schemaname: 'shop',
        username: 'app',
        client_address: '',
        digest: '0xF6B75AEFCE610D0D',
        digest_text: 'SELECT c FROM sbtest1 WHERE id=?',
        count_star: '5',
        first_seen: '1699999999',
        last_seen: '1700000005',
        sum_time: '1600',
        min_time: '90',
        max_time: '610',
        sum_rows_affected: '0',
        sum_rows_sent: '5',
        errors: '1',
      },
    ])
    expect(await objects('SELECT hostname, port, errno, count_star, last_error FROM stats_mysql_errors')).toEqual([
      {
        hostname: '127.0.0.1',
        port: '3307',
        errno: '1146',
        count_star: '2',
        last_error: "Table 'shop.x' doesn't exist",
      },
    ])
  })

  it('begins to count anew with TRUNCATE and with a reading of a _reset table, and not with any other', async () => {
    const asked: string[] = []
    const view = fixtureView()
    const workerRows: typeof view.workerRows = (table, reset) => {
      asked.push(`${table}${reset ? ' reset' : ''}`)
      return view.workerRows(table, reset)
    }
    const own = new AdminExecutor({ view: { ...view, workerRows }, engine, log, guard }, [])
    const run = (sql: string) => own.execute(sql, [], sessionOf('admin'))
    await run('SELECT * FROM stats_mysql_query_digest')
    await run('SELECT * FROM stats_mysql_query_digest_reset')
    await run('TRUNCATE stats_mysql_query_digest')
    await run('truncate  table stats.stats_mysql_query_digest')
    await run('SELECT * FROM stats.stats_mysql_errors_reset')
    await own.describe('SELECT * FROM stats_mysql_query_digest_reset', sessionOf('admin'))
    await run('SHOW CREATE TABLE stats_mysql_query_digest_reset')
    expect(asked).toEqual(['digests', 'digests reset', 'digests reset', 'digests reset', 'errors reset'])
  })

  it('shows what the monitor has seen, with NULL for no error, and how the counters were', async () => {
    expect(
      await objects('SELECT ping_success_time_us AS us, ping_error AS error FROM monitor.mysql_server_ping_log'),
    ).toEqual([
      { us: '250', error: null },
      { us: '0', error: 'timeout' },
    ])
    expect(await objects('SELECT hostname, port, repl_lag FROM mysql_server_replication_lag_log')).toEqual([
      { hostname: '127.0.0.1', port: '3308', repl_lag: '2' },
    ])
    expect(await objects('SELECT * FROM stats_history.system_cpu')).toEqual([
      { timestamp: '1700000000', tms_utime: '40', tms_stime: '20' },
    ])
  })

  it('of statistics have no NULL', async () => {
    for (const table of [...Object.keys(STATS_TABLES), ...Object.keys(HISTORY_TABLES)]) {
      const { rows } = await all(`SELECT * FROM ${table}`)
      expect(rows.flat(), table).not.toContain(null)
    }
  })
})

describe('statements that tools send', () => {
  it('names columns as they were written, repeated ones too, and also when there are no rows', async () => {
    const wide = await all('SELECT hostgroup, srv_host, srv_port, * FROM stats_mysql_connection_pool')
    expect(wide.columns.slice(0, 5)).toEqual(['hostgroup', 'srv_host', 'srv_port', 'hostgroup', 'srv_host'])
    expect(wide.rows[0]).toHaveLength(17)
    const none = await all('SELECT hostgroup, *, COUNT(*) FROM stats_mysql_connection_pool WHERE 0 GROUP BY 1')
    expect(none.rows).toEqual([])
    expect(none.columns).toEqual([...wide.columns.slice(0, 1), ...wide.columns.slice(3), 'COUNT(*)'])
  })

  it.each([
    ['SELECT count(*) AS `host_count` FROM mysql_servers WHERE hostgroup_id = 1', 'host_count', '2'],
    ['select  count(*)  from  "runtime_mysql_servers"  where  status = "ONLINE" ; ;', 'count(*)', '2'],
    [
      'SELECT COUNT(cli_host) as connection_count, cli_host FROM stats_mysql_processlist GROUP BY cli_host',
      'connection_count',
      '3',
    ],
    ['(SELECT 1 AS one)', 'one', '1'],
    ['WITH t AS (SELECT 2 AS two) SELECT * FROM t', 'two', '2'],
    ['VALUES (3)', 'column1', '3'],
    ['select version();', 'version()', /^2\.7\.0-sluice-\d+\.\d+\.\d+/],
    ['SELECT @@version_comment LIMIT 1', '@@version_comment', '(Sluice Admin)'],
    ['SELECT @@GLOBAL.max_allowed_packet', '@@GLOBAL.max_allowed_packet', '1048576'],
    ['SELECT @@mysql-max_connections', '@@mysql-max_connections', '10000'],
    ['SELECT DATABASE()', 'DATABASE()', 'main'],
    ['SELECT /* hint */ 1 -- the end', '1', '1'],
    ['/*!40101 SELECT 4 AS four */', 'four', '4'],
    [
      "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-interfaces'",
      'variable_value',
      '127.0.0.1:6033',
    ],
    [
      'SELECT a.hostname FROM runtime_mysql_servers a JOIN runtime_mysql_servers b ON a.port < b.port WHERE b.status="SHUNNED" LIMIT 1',
      'hostname',
      '127.0.0.1',
    ],
  ])('answers %s', async (sql, column, value) => {
    const result = await all(sql)
    expect(result.columns[0]).toBe(column)
    const cell = result.rows[0][0]
    if (value instanceof RegExp) expect(cell).toMatch(value)
    else expect(cell).toBe(value)
  })

  it('answers what Connector/J asks when it connects', async () => {
    const sql =
      '/* mysql-connector-j-9.1.0 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, ' +
      '@@character_set_client AS character_set_client, @@sql_mode AS sql_mode, @@transaction_isolation AS transaction_isolation, ' +
      '@@wait_timeout AS wait_timeout'
    expect((await objects(sql))[0]).toMatchObject({ auto_increment_increment: '1', character_set_client: 'utf8mb4' })
  })

  it.each([
    'SET NAMES utf8mb4',
    'SET autocommit=1',
    'set session transaction read only',
    'BEGIN',
    'COMMIT',
    'USE stats;',
  ])('accepts %s', async (sql) => {
    expect((await executor.execute(sql, [], sessionOf('admin'))).kind).toBe('ok')
  })

  it('binds parameters, and tells their number and the columns before anything runs', async () => {
    const sql = 'SELECT hostname, port FROM mysql_servers WHERE port = ? OR comment = ?'
    expect(await executor.describe(sql, sessionOf('admin'))).toEqual({ parameters: 2, columns: ['hostname', 'port'] })
    expect(await objects(sql, [3308, "the primary's own"])).toHaveLength(2)
    expect(
      (await executor.execute(sql, [1], sessionOf('admin')).catch((error: Error) => error)) as Error,
    ).toMatchObject({
      errno: 1064,
    })
    expect((await executor.describe('SHOW PROCESSLIST', sessionOf('admin'))).columns).toContain('SessionID')
  })

  it('leaves EXPLAIN ROUTE and its like to extra commands, whatever their dialect', async () => {
    expect((await all("EXPLAIN ROUTE SELECT @a := 'x\\'")).columns).toEqual(['class'])
  })
})
