import { createHash } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { EngineHost } from '../../../../src/control/admin/engine/host.js'
import type { SqlValue } from '../../../../src/control/admin/engine/messages.js'
import { DATABASES, HISTORY_TABLES, STATS_TABLES, TABLES } from '../../../../src/control/admin/engine/schema.js'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import { StatementGuard } from '../../../../src/control/admin/guard.js'
import type { AdminSession, Role } from '../../../../src/control/admin/session.js'
import { AuditLog } from '../../../../src/control/audit-log.js'
import type { Config } from '../../../../src/control/config/config-schema.js'
import { EVENTS_PER_KIND, EventLog } from '../../../../src/control/event-log.js'
import type { Operations } from '../../../../src/control/view.js'
import { UsageError } from '../../../../src/shared/errors.js'
import { compileEngineThread } from './engine-thread.js'
import { type FixtureOptions, fixtureView, GTID, processRow } from './fixture.js'

const log = pino({ level: 'silent' })
const thread = compileEngineThread()
const engine = new EngineHost(log, { threadUrl: thread.url })
const guard = new StatementGuard(
  new AuditLog(log, null),
  () => {},
  () => false,
)
const executor = new AdminExecutor({ view: fixtureView(), engine, log, guard }, [
  {
    match: (sql) => /^explain route/i.test(sql),
    columns: ['class'],
    run: () => ({ kind: 'rows', columns: ['class'], rows: [['read']] }),
  },
])

beforeAll(() => engine.start())
afterAll(async () => {
  await engine.close()
  thread.remove()
})

const sessionOf = (role: Role): AdminSession => ({
  user: role,
  role,
  address: '127.0.0.1',
  connectionId: 5,
  database: role === 'stats' ? 'stats' : 'main',
  warnings: [],
})

async function all(sql: string, params: SqlValue[] = [], session = sessionOf('admin'), by = executor) {
  const result = await by.execute(sql, params, session)
  if (result.kind !== 'rows') throw new Error(`no rows: ${sql}`)
  return result
}

async function objects(sql: string, params: SqlValue[] = []) {
  const { columns, rows } = await all(sql, params)
  return rows.map((row) => Object.fromEntries(row.map((cell, at) => [columns[at], cell])))
}

const errnoOf = async (sql: string, session = sessionOf('admin')) => {
  const error = await executor.execute(sql, [], session).then(
    () => new Error('no error'),
    (reason: Error) => reason,
  )
  expect(error.message).toMatch(/^sluice: /)
  return error as Error & { errno: number }
}

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

describe('writes', () => {
  /** A proxy of their own: what others read stays as it is. */
  const changing = (options: FixtureOptions = {}) => {
    const view = fixtureView(options)
    const by = new AdminExecutor({ view, engine: own, log, guard }, [])
    const session = sessionOf('admin')
    const run = (sql: string, params: SqlValue[] = []) => by.execute(sql, params, session)
    const read = async (sql: string) => (await all(sql, [], session, by)).rows
    return { view, run, read, by, session }
  }
  let own: EngineHost
  beforeEach(async () => {
    own = new EngineHost(log, { threadUrl: thread.url })
    await own.start()
  })
  afterEach(() => own.close())

  it('change rows of memory: any statement of SQLite, and what it has done is counted', async () => {
    const { run, read } = changing()
    expect(await run("UPDATE mysql_servers SET hostgroup_id = 0 WHERE port = '3308'")).toMatchObject({
      affectedRows: 1,
    })
    expect(await run('UPDATE mysql_servers SET weight = ? WHERE port > ?', [5, 3307])).toMatchObject({
      affectedRows: 2,
    })
    expect(
      await run("INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (3, 'db1'), (3, 'db2'), (3, \"db3\")"),
    ).toMatchObject({ affectedRows: 3, lastInsertId: 0 })
    expect(await run("REPLACE INTO mysql_servers(hostgroup_id,hostname,port) VALUES(3,'db1',3306);")).toMatchObject({
      affectedRows: 1,
    })
    expect(
      await run("WITH x AS (SELECT 'db2' AS h) DELETE FROM main.mysql_servers WHERE hostname IN (SELECT h FROM x)"),
    ).toMatchObject({ affectedRows: 1 })
    expect(
      await run("INSERT IGNORE mysql_servers (hostgroup_id, hostname) VALUES (3, 'db3'), (3, 'db4')"),
    ).toMatchObject({ affectedRows: 1 })
    expect(
      await run(
        'INSERT INTO mysql_servers SELECT 4, hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment, ssl_mode, compression_algorithm, proxy_protocol FROM mysql_servers WHERE hostgroup_id = 3',
      ),
    ).toMatchObject({ affectedRows: 3 })
    expect(await read('SELECT hostgroup_id, hostname, port, weight FROM mysql_servers ORDER BY 1, 2, 3')).toEqual([
      ['0', '127.0.0.1', '3307', '1'],
      ['0', '127.0.0.1', '3308', '5'],
      ['1', '127.0.0.1', '3309', '5'],
      ['3', 'db1', '3306', '1'],
      ['3', 'db3', '3306', '1'],
      ['3', 'db4', '3306', '1'],
      ['4', 'db1', '3306', '1'],
      ['4', 'db3', '3306', '1'],
      ['4', 'db4', '3306', '1'],
    ])
    expect(await read('SELECT count(*) FROM runtime_mysql_servers')).toEqual([['3']])
  })

  it('of the disk are there at the next start, and tell the id of a row that was numbered', async () => {
    const { run, read } = changing()
    expect(await run("INSERT INTO disk.scheduler (interval_ms, filename) VALUES (1000, '/bin/true')")).toMatchObject({
      lastInsertId: 1,
    })
    expect(await run("INSERT INTO disk.scheduler (interval_ms, filename) VALUES (1000, '/bin/true')")).toMatchObject({
      lastInsertId: 2,
    })
    expect(await read('SELECT count(*) FROM scheduler')).toEqual([['0']])
    await run('LOAD SCHEDULER FROM DISK')
    expect(await read('SELECT id, filename FROM scheduler')).toEqual([
      ['1', '/bin/true'],
      ['2', '/bin/true'],
    ])
  })

  it('take ProxySQL’s number of values for ProxySQL’s columns', async () => {
    const { run, read } = changing()
    await run("INSERT INTO mysql_servers VALUES (2,'db1',3306,0,'ONLINE',1,0,1000,0,0,0,'(a, b)')")
    expect(await read("SELECT comment, proxy_protocol FROM mysql_servers WHERE hostname='db1'")).toEqual([
      ['(a, b)', 'off'],
    ])
    const copy =
      "SELECT 3, hostname, port, gtid_port, status, weight, 0, MAX(1, 2), 0, 0, 0, (SELECT 'a') FROM mysql_servers"
    await run(`INSERT INTO mysql_servers ${copy} WHERE hostname = 'db1'`)
    await run("REPLACE INTO mysql_servers SELECT 4, 'db1', 3306, 0, 'ONLINE', 1, 0, 1000, 0, 0, 0, ''")
    // As many as there are with Sluice's own.
    await run('INSERT OR IGNORE INTO mysql_servers SELECT * FROM mysql_servers')
    expect(await read("SELECT hostgroup_id, comment FROM mysql_servers WHERE hostname='db1'")).toEqual([
      ['2', '(a, b)'],
      ['3', 'a'],
      ['4', ''],
    ])
  })

  it('that fail leave nothing behind, however they ask for it', async () => {
    const { run, read } = changing()
    for (const how of ['', 'OR FAIL', 'OR ROLLBACK', 'OR ABORT']) {
      const sql = `INSERT ${how} INTO mysql_users (username) VALUES ('new'), ('app')`
      await expect(run(sql)).rejects.toMatchObject({ errno: 1062 })
    }
    await expect(
      run("UPDATE global_variables SET variable_value = '0' WHERE variable_name LIKE 'mysql-max%'"),
    ).rejects.toMatchObject({ errno: 1105 })
    expect(await read("SELECT count(*) FROM mysql_users WHERE username = 'new'")).toEqual([['0']])
    expect(
      await read("SELECT variable_value FROM global_variables WHERE variable_name = 'mysql-max_connections'"),
    ).toEqual([['10000']])
  })

  it('never show a password, and never lose one: the hash of a row that is changed or copied stands for it', async () => {
    const applied: Config[] = []
    const { run, read } = changing({ applied: (config) => applied.push(config) })
    await run("UPDATE mysql_users SET max_connections = 7, password = password WHERE username = 'app'")
    await run(
      "INSERT INTO mysql_users (username, password) SELECT 'copy', password FROM mysql_users WHERE username = 'app'",
    )
    await run("INSERT INTO mysql_users (username, password) VALUES ('fresh', 'clear')")
    expect(JSON.stringify(await read('SELECT * FROM mysql_users'))).not.toMatch(/"app",\s*"app"|clear/)
    await run('LOAD MYSQL USERS TO RUN')
    expect(applied.at(-1)?.users.map(({ name, password, passwordHash }) => [name, password, passwordHash])).toEqual([
      ['app', 'app', null],
      ['open', '', null],
      ['copy', 'app', null],
      ['fresh', 'clear', null],
    ])
    expect(JSON.stringify(await read('SELECT * FROM runtime_mysql_users'))).not.toContain('clear')
  })

  it('never show a password to a statement that was prepared after they ran', async () => {
    const { run, read, by, session } = changing()
    await run("INSERT INTO mysql_users (username, password) VALUES ('fresh', 'clear')")
    await by.describe('SELECT password FROM mysql_users', session)
    expect(JSON.stringify(await read('SELECT * FROM mysql_users'))).not.toContain('clear')
  })

  it('outlive the engine: a statement that ran too long takes its thread with it, and nothing else', async () => {
    await own.close()
    own = new EngineHost(log, { threadUrl: thread.url, deadlineMs: 2000 })
    const { run: write, read: look } = changing()
    await write('UPDATE mysql_servers SET weight = 9')
    const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n'
    await expect(write(`UPDATE mysql_servers SET weight = (${endless})`)).rejects.toMatchObject({ errno: 3024 })
    expect(await look('SELECT DISTINCT weight FROM mysql_servers')).toEqual([['9']])
  })

  it('come one after the other, also with LOAD among them', async () => {
    const { run, read, view } = changing()
    const statements = Array.from({ length: 30 }, (_, at) => [
      run('INSERT INTO mysql_users (username) VALUES (?)', [`user${at}`]),
      run('LOAD MYSQL USERS TO RUNTIME'),
      run(`UPDATE mysql_users SET max_connections = max_connections + 1 WHERE username = 'user${at}'`),
      run(at % 2 === 0 ? 'SAVE MYSQL USERS TO DISK' : 'SELECT count(*) FROM mysql_users'),
    ])
    await Promise.all(statements.flat())
    expect(await read("SELECT count(*), min(max_connections) FROM mysql_users WHERE username LIKE 'user%'")).toEqual([
      ['30', '10001'],
    ])
    expect(view.store.runtime.table('mysql_users').all()).toHaveLength(32)
  })

  it('SET changes a variable of memory; LOAD tells by warnings what there is to know', async () => {
    const { run, read } = changing()
    for (const sql of [
      "SET mysql-max_connections='55'",
      'set @@mysql-wait_timeout = 1000',
      'SET GLOBAL mysql-multiplexing = false',
    ]) {
      expect(await run(sql)).toMatchObject({ kind: 'ok', affectedRows: 1 })
    }
    expect(
      await read(
        "SHOW VARIABLES WHERE Variable_name IN ('mysql-max_connections', 'mysql-wait_timeout', 'mysql-multiplexing')",
      ),
    ).toEqual([
      ['mysql-max_connections', '55'],
      ['mysql-multiplexing', 'false'],
      ['mysql-wait_timeout', '1000'],
    ])
    const inRuntime =
      "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-max_connections'"
    expect(await read('SELECT @@mysql-max_connections')).toEqual([['55']])
    expect(await read(inRuntime)).toEqual([['10000']])
    await run('LOAD MYSQL VARIABLES TO RUNTIME')
    expect(await read('SELECT @@mysql-max_connections')).toEqual([['55']])
    expect(await read(inRuntime)).toEqual([['55']])
    await run('DELETE FROM mysql_servers')
    expect(await run('LOAD MYSQL SERVERS FROM MEM')).toMatchObject({ warnings: 1 })
    expect(await read('SHOW WARNINGS')).toEqual([['Warning', '1105', expect.stringContaining('there are no servers')]])
    await run('SAVE MYSQL SERVERS TO MEM')
    expect(await read('SHOW WARNINGS')).toEqual([])
  })

  it('are seen by CHECKSUM and runtime_checksums_values', async () => {
    const { run, read } = changing()
    const before = await read("SELECT version, checksum FROM runtime_checksums_values WHERE name = 'mysql_users'")
    const [[, memory]] = await read('CHECKSUM MYSQL USERS')
    expect(await read('CHECKSUM MEMORY MYSQL USERS')).toEqual([['MYSQL USERS', memory]])
    expect(before[0][1]).toBe(memory)
    await run('DELETE FROM mysql_users')
    expect((await read('CHECKSUM MYSQL USERS'))[0][1]).not.toBe(memory)
    await run('LOAD MYSQL USERS TO RUNTIME')
    const [after] = await read("SELECT version, checksum FROM runtime_checksums_values WHERE name = 'mysql_users'")
    expect(after).toEqual(['2', (await read('CHECKSUM MYSQL USERS'))[0][1]])
    expect((await read('CHECKSUM DISK MYSQL USERS'))[0][1]).toBe(after[1])
  })
})

describe('SHOW', () => {
  it('lists tables by pattern, schemas, columns and the definition of a table', async () => {
    expect((await all("SHOW TABLES LIKE 'runtime_mysql_s%'")).rows.flat()).toEqual([
      'runtime_mysql_servers',
      'runtime_mysql_servers_ssl_params',
    ])
    expect((await all("show tables from stats like 'stats\\_mysql\\_g%'")).rows.flat()).toEqual([
      'stats_mysql_global',
      'stats_mysql_gtid_executed',
    ])
    expect((await all('SHOW DATABASES')).rows.map((row) => row[1])).toEqual([...DATABASES])
    expect((await all('SHOW SCHEMAS')).columns).toEqual(['seq', 'name', 'file'])
    expect((await all('SHOW CREATE TABLE mysql_servers')).rows[0][1]).toMatch(/^CREATE TABLE mysql_servers \(/)
    expect((await all('SHOW CREATE TABLE `stats`.`stats_mysql_global`')).rows[0][0]).toBe('stats_mysql_global')
    expect((await objects('DESCRIBE mysql_users'))[0]).toMatchObject({ Field: 'username', Null: 'NO', Key: 'PRI' })
  })

  it('shows variables and status by pattern', async () => {
    expect(await objects("SHOW MYSQL VARIABLES LIKE 'mysql-threads'")).toEqual([
      { Variable_name: 'mysql-threads', Value: '2' },
    ])
    expect((await all('SHOW ADMIN VARIABLES')).rows.every(([name]) => name?.toString().startsWith('admin-'))).toBe(true)
    expect(await objects("SHOW GLOBAL VARIABLES WHERE Variable_name = 'mysql-threads'")).toHaveLength(1)
    expect(await objects("SHOW MYSQL STATUS LIKE 'Questions'")).toEqual([{ Variable_name: 'Questions', Value: '14' }])
  })

  it('shows sessions, servers, users, topology, workers, events and metrics', async () => {
    expect((await all('SHOW PROCESSLIST')).columns).toEqual([
      'SessionID',
      'user',
      'db',
      'hostgroup',
      'command',
      'time_ms',
      'info',
    ])
    expect((await all('SHOW FULL PROCESSLIST')).columns).toHaveLength(16)
    expect((await all('SHOW MYSQL SERVERS')).rows).toHaveLength(3)
    expect((await all('SHOW MYSQL USERS')).rows).toHaveLength(2)
    expect((await objects('SHOW TOPOLOGY'))[2]).toMatchObject({
      server: '127.0.0.1:3309',
      role: 'reader',
      status: 'SHUNNED',
      status_reason: 'no answer',
      alive: '0',
      lag_ms: '',
      source: '',
      writer_since: '',
      refused: 'writable beside the writer',
    })
    expect(await objects('SHOW TOPOLOGY')).toMatchObject([
      { source: '', writer_since: '2026-01-02 03:04:05.678', refused: '' },
      { source: '127.0.0.1:3307', writer_since: '', refused: '' },
      {},
    ])
    expect(await objects('SHOW WORKERS')).toEqual([
      {
        worker: '1',
        pid: '101',
        state: 'serving',
        snapshot_version: '7',
        uptime_s: expect.stringMatching(/^\d\d+$/),
        sessions: '3',
        connections_used: '2',
        connections_free: '1',
        questions: '14',
        memory_mb: '50.0',
        cpu_s: '1.5',
        cpu_percent: '12.5',
      },
      expect.objectContaining({ worker: '2', state: 'starting', sessions: '', cpu_percent: '' }),
    ])
    expect((await all('SHOW EVENTS')).rows).toEqual([
      ['2026-01-02 03:04:05.678', 'topology', '127.0.0.1:3309', 'SHUNNED', 'no answer', ''],
    ])
    expect((await all('SHOW PROMETHEUS METRICS')).rows[0][0]).toContain('sluice_client_connections 3')
    expect((await all('SHOW WARNINGS')).rows).toEqual([])
  })
})

describe('events and pins', () => {
  const view = fixtureView({
    processlist: async () => [
      processRow(1, 'app'),
      {
        ...processRow(2, 'batch', 'SELECT 2'),
        kept: { server: '127.0.0.1:3307', hostgroup: 0, pins: ['transaction'], holds: ['XA', 'PREPARE'], keptMs: 900 },
      },
      {
        ...processRow(3, 'app'),
        kept: { server: '127.0.0.1:3307', hostgroup: 0, pins: [], holds: ['HANDLER'], keptMs: 70_000 },
      },
    ],
  })
  const own = new AdminExecutor({ view, engine, log, guard }, [])
  for (let number = 1; number <= 3; number++) view.note({ kind: 'worker', what: `worker ${number} ended`, why: 'x' })
  view.note({ kind: 'config', what: 'LOAD MYSQL SERVERS TO RUNTIME', why: 'asked for', who: 'admin@127.0.0.1' })
  const whats = async (sql: string) => (await all(sql, [], sessionOf('stats'), own)).rows.map((row) => row[3])

  it('are filtered by kind, by condition, and cut to the newest', async () => {
    expect(await whats("SHOW EVENTS LIKE 'work%'")).toEqual(['worker 1 ended', 'worker 2 ended', 'worker 3 ended'])
    expect(await whats("SHOW EVENTS WHERE who <> ''")).toEqual(['LOAD MYSQL SERVERS TO RUNTIME'])
    expect(await whats('SHOW EVENTS LIMIT 2')).toEqual(['worker 3 ended', 'LOAD MYSQL SERVERS TO RUNTIME'])
    expect(await whats("SHOW EVENTS LIKE 'worker' LIMIT 1;")).toEqual(['worker 3 ended'])
    expect(await whats("SHOW EVENTS WHERE kind = 'worker' AND what LIKE '%2%' LIMIT 5")).toEqual(['worker 2 ended'])
    await expect(whats('SHOW EVENTS FROM here')).rejects.toMatchObject({ errno: 1064 })
  })

  it('name the connection that a session keeps, and why, the longest first', async () => {
    const { columns, rows } = await all('SHOW PINS', [], sessionOf('stats'), own)
    expect(columns.slice(0, 8)).toEqual([
      'session',
      'user',
      'client',
      'hostgroup',
      'server',
      'pins',
      'holds',
      'kept_ms',
    ])
    expect(rows.map((row) => row.slice(0, 9))).toEqual([
      ['3', 'app', '10.0.0.9:40003', '0', '127.0.0.1:3307', '', 'HANDLER', '70000', 'Sleep'],
      ['2', 'batch', '10.0.0.9:40002', '0', '127.0.0.1:3307', 'transaction', 'XA, PREPARE', '900', 'Query'],
    ])
    expect((await all("SHOW PINS LIKE 'bat%'", [], sessionOf('stats'), own)).rows.length).toBe(1)
  })

  it('of one kind do not push out those of another, and long texts are cut', () => {
    const events = new EventLog()
    events.note({ kind: 'topology', server: 'a', what: 'first', why: '' })
    for (let at = 0; at <= EVENTS_PER_KIND; at++) events.note({ kind: 'pin', what: `${at}`, why: 'y'.repeat(9_999) })
    const all = events.all()
    expect(all.length).toBe(EVENTS_PER_KIND + 1)
    expect([all[0]?.what, all[1]?.what, all.at(-1)?.what]).toEqual(['first', '1', String(EVENTS_PER_KIND)])
    expect(all.at(-1)?.why.length).toBeLessThan(1_000)
  })
})

describe('refusals', () => {
  it.each([
    ["UPDATE runtime_mysql_servers SET hostgroup_id=0 WHERE hostname='db1'", 1290, /LOAD MYSQL SERVERS TO RUNTIME/],
    ["INSERT INTO stats.stats_mysql_global VALUES ('x', 'y')", 1290, /only be read/],
    ["INSERT INTO stats_mysql_global VALUES ('x', 'y')", 1290, /only be read/],
    ['DELETE FROM nowhere', 1146, /'nowhere'/],
    ['DELETE FROM nowhere.mysql_users', 1049, /expected one of main/],
    ['DELETE mysql_users', 1064, /expected DELETE FROM/],
    ['UPDATE mysql_servers SET nope = 1', 1054, /no such column: nope/],
    ['UPDATE mysql_servers SET weight = -1', 3819, /weight >= 0/],
    ['INSERT INTO mysql_servers (hostname) VALUES (NULL)', 1048, /mysql_servers.hostname/],
    ["INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '127.0.0.1', 3307)", 1062, /REPLACE/],
    ["INSERT INTO mysql_servers VALUES (1, 'a')", 1105, /15 columns but 2 values/],
    ['INSERT INTO mysql_servers (hostname) VALUES (?)', 1064, /expected 1 values/],
    ["INSERT INTO mysql_users (username) VALUES ('x') RETURNING username", 1064, /no RETURNING/],
    ["INSERT INTO mysql_users (username, comment) VALUES ('x', x'ff00')", 1105, /column comment: expected a text/],
    ["INSERT INTO global_variables VALUES ('mysql-max_conections', '5')", 1105, /unknown variable/],
    ["INSERT INTO global_variables VALUES ('max_connections', '5')", 1105, /expected a name of mysql-/],
    [
      "UPDATE global_variables SET variable_value = 'many' WHERE variable_name = 'mysql-max_connections'",
      1105,
      /global_variables \('mysql-max_connections'\), column variable_value: expected a whole number from 1 to 1000000, got "many"/,
    ],
    ["SET mysql-max_connections='many'", 1105, /expected a whole number from 1 to 1000000, got "many"/],
    ['SET mysql-nonesuch = 1', 1193, /'mysql-nonesuch'/],
    ["SET mysql-monitor_enabled = 'false'", 1105, /expected true: without its monitor/],
    ['SET mysql-max_connections = 1, mysql-wait_timeout = 2', 1064, /one variable at a time/],
    ['LOAD MYSQL SERVERS', 1064, /expected TO RUNTIME, FROM MEMORY, FROM DISK, TO MEMORY, FROM CONFIG/],
    ['LOAD MYSQL SERVERS TO DISK', 1064, /after LOAD MYSQL SERVERS/],
    ['LOAD MYSQL SERVERS FROM DISK', 1105, /has not been saved to disk/],
    ['LOAD MYSQL USER nobody TO RUNTIME', 1105, /no user 'nobody'/],
    ["SELECT CONFIG INTO OUTFILE '/nowhere/at/all/sluice.yaml/x'", 1105, /cannot be written|ENO|EACC/],
    ["SELECT CONFIG INTO OUTFILE ''", 1064, /expected the path/],
    ['LOAD DATA', 1064, /expected LOAD and one of MYSQL SERVERS/],
    ['SET GLOBAL max_connections = 5', 1235, /SHOW VARIABLES/],
    ['KILL CONNECTION 5', 1094, /Unknown thread id: 5/],
    ['KILL QUERY all', 1064, /the number of a session .*, got all/],
    ['KILL 1 2', 1064, /expected KILL \[CONNECTION\|QUERY\]/],
    ['PROXYSQL DANCE', 1235, /expected PAUSE, RESUME/],
    ['TRUNCATE TABLE mysql_servers', 1235, /expected TRUNCATE of stats_mysql_query_digest/],
    ['TRUNCATE TABLE', 1235, /expected TRUNCATE of/],
    ['TRUNCATE stats.stats_mysql_errors now', 1064, /name of a table/],
    ['TRUNCATE main.stats_mysql_errors', 1049, /expected one of stats/],
    ['', 1065, /expected one statement/],
    ['-- nothing', 1065, /expected one statement/],
    ['SELECT 1; SELECT 2', 1064, /one statement at a time/],
    ['SELEC 1', 1064, /expected SELECT, .* at "SELEC"/],
    ['SELECT 1 FROM', 1064, /syntax error/],
    ['SELECT x FROM mysql_servers', 1054, /no such column: x/],
    ['SELECT * FROM nowhere', 1146, /no such table: nowhere/],
    ['SHOW TABLES FROM nowhere', 1049, /expected one of main, disk/],
    ['USE nowhere', 1049, /expected one of main/],
    ['SHOW CREATE TABLE nowhere', 1146, /SHOW TABLES/],
    ['SHOW TABLES LIKE', 1064, /expected LIKE 'pattern'/],
    ['SELECT @@nothing', 1193, /'nothing'/],
    ['SELECT @a', 1064, /found "@a"/],
    ['select $$', 1064, /found "\$\$"/],
    ["SELECT 'open", 1064, /closing '/],
    ['SELECT nonesuch(1)', 1305, /no such function/],
    ['PRAGMA journal_mode', 1064, /expected SELECT/],
    ["ATTACH 'out.txt' AS x", 1064, /expected SELECT/],
    ['VACUUM', 1064, /expected SELECT/],
    ['CREATE TABLE x (y)', 1064, /expected SELECT/],
    ['DROP TABLE mysql_servers', 1064, /expected SELECT/],
    ["SELECT load_extension('x')", 1305, /no such function/],
    ["SELECT writefile('out.txt', 'y')", 1305, /no such function/],
    ['SELECT 1) UNION SELECT 2 FROM (SELECT 2', 1064, /no closing parenthesis/],
  ])('%s', async (sql, errno, text) => {
    const error = await errnoOf(sql)
    expect(error.message).toMatch(text)
    expect(error.errno).toBe(errno)
  })

  it.each<[string, keyof Operations, readonly unknown[]]>([
    ['PROXYSQL PAUSE', 'pause', []],
    ['proxysql  resume;', 'resume', []],
    ['SLUICE START', 'resume', []],
    ['PROXYSQL STOP', 'stopServing', []],
    ['PROXYSQL RESTART', 'restartWorkers', []],
    ['PROXYSQL SHUTDOWN', 'shutdown', ['drain', 'admin@127.0.0.1']],
    ['PROXYSQL SHUTDOWN SLOW', 'shutdown', ['slow', 'admin@127.0.0.1']],
    ['SLUICE KILL', 'shutdown', ['kill', 'admin@127.0.0.1']],
    ['PROXYSQL FLUSH MYSQL CLIENT HOSTS', 'forgetFailedLogins', []],
    ['KILL 1', 'killSession', [1, false]],
    ['KILL CONNECTION 1', 'killSession', [1, false]],
    ['KILL QUERY 1', 'killSession', [1, true]],
  ])('%s is for administrators, and does it', async (sql, operation, expected) => {
    const called: unknown[][] = []
    const operations = {
      [operation]: async (...args: unknown[]) => {
        called.push(args)
        return true
      },
    }
    const view = fixtureView({ operations })
    const own = new AdminExecutor({ view, engine, log, guard }, [])
    await expect(own.execute(sql, [], sessionOf('stats'))).rejects.toMatchObject({ errno: 1235 })
    expect(await own.execute(sql, [], sessionOf('admin'))).toMatchObject({ kind: 'ok' })
    await vi.waitFor(() => expect(called).toEqual([expected]))
    const told = view.events().filter(({ kind }) => kind === 'admin')
    expect(told.length).toBe(sql.startsWith('KILL') ? 0 : 1)
  })

  it('tells why an operation was not done, and that it was not', async () => {
    const restartWorkers = async () => {
      throw new UsageError('worker 3 ended with exit code 3 before it listened')
    }
    const view = fixtureView({ operations: { restartWorkers } })
    const own = new AdminExecutor({ view, engine, log, guard }, [])
    await expect(own.execute('PROXYSQL RESTART', [], sessionOf('admin'))).rejects.toMatchObject({
      errno: 1105,
      message: 'sluice: worker 3 ended with exit code 3 before it listened',
    })
    expect(view.events().filter(({ kind }) => kind === 'admin')).toEqual([])
  })

  it('PROXYSQL RELOAD TLS says what is wrong with the files, and is for administrators', async () => {
    expect(await executor.execute('PROXYSQL RELOAD TLS', [], sessionOf('admin'))).toMatchObject({ kind: 'ok' })
    await expect(executor.execute('PROXYSQL RELOAD TLS', [], sessionOf('stats'))).rejects.toThrow('sluice: ')
    const tlsProblem = 'sluice.yaml: tls.key: key.pem: is not the key of cert.pem'
    const broken = new AdminExecutor({ view: fixtureView({ tlsProblem }), engine, log, guard }, [])
    await expect(broken.execute('PROXYSQL RELOAD TLS', [], sessionOf('admin'))).rejects.toMatchObject({
      errno: 1105,
      message: `sluice: TLS not reloaded: ${tlsProblem}`,
    })
  })

  it('lets the statistics account change nothing', async () => {
    const stats = sessionOf('stats')
    for (const sql of [
      'DELETE FROM mysql_servers',
      'WITH x AS (SELECT 1) DELETE FROM disk.mysql_users',
      'SET mysql-threads = 1',
    ]) {
      expect((await errnoOf(sql, stats)).errno).toBe(1142)
    }
    for (const sql of [
      'LOAD MYSQL USERS TO RUNTIME',
      'SAVE MYSQL USERS TO DISK',
      'CHECKSUM MYSQL USERS',
      'SAVE CONFIG TO FILE x',
    ]) {
      expect((await errnoOf(sql, stats)).message).toMatch(/statistics only/)
    }
  })

  it('keeps the statistics account from the configuration, however the table is written', async () => {
    const stats = sessionOf('stats')
    for (const name of [
      'mysql_users',
      'runtime_mysql_users',
      '`mysql_users`',
      '"MYSQL_USERS"',
      "'mysql_users'",
      '[mysql_users]',
      'disk.mysql_users',
    ]) {
      expect((await errnoOf(`SELECT * FROM ${name}`, stats)).errno).toBe(1142)
    }
    expect((await errnoOf('SHOW MYSQL USERS', stats)).errno).toBe(1142)
    expect((await errnoOf('SELECT CONFIG FILE', stats)).message).toMatch(/statistics only/)
    expect((await all('SELECT * FROM runtime_mysql_servers', [], stats)).rows).toHaveLength(3)
    expect((await all('SHOW TABLES', [], stats)).rows.flat()).toContain('stats_mysql_global')
  })
})
