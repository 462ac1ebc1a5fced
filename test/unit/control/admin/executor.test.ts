import { createHash } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineHost } from '../../../../src/control/admin/engine/host.js'
import type { SqlValue } from '../../../../src/control/admin/engine/messages.js'
import { DATABASES, TABLES } from '../../../../src/control/admin/engine/schema.js'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import type { AdminSession, Role } from '../../../../src/control/admin/session.js'
import { compileEngineThread } from './engine-thread.js'
import { fixtureView, GTID } from './fixture.js'

const log = pino({ level: 'silent' })
const thread = compileEngineThread()
const engine = new EngineHost(log, { threadUrl: thread.url })
const executor = new AdminExecutor({ view: fixtureView(), engine, log }, [
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
  connectionId: 5,
  database: role === 'stats' ? 'stats' : 'main',
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
  const everything = new AdminExecutor({ view: fixtureView(), engine, log }, [])

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

  it('gives the latency histogram per class, a GTID set with its number of transactions, and global counters', async () => {
    const [write] = await objects("SELECT * FROM stats_mysql_commands_counters WHERE Command = 'WRITE'")
    expect(write).toMatchObject({ Total_Time_us: '6000', Total_cnt: '3', cnt_100us: '1', cnt_5ms: '2', cnt_INFs: '0' })
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
    ['select version();', 'version()', /^\d+\.\d+\.\d+/],
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
    })
    expect((await objects('SHOW WORKERS'))[0]).toEqual({
      worker: '1',
      pid: '101',
      state: 'serving',
      snapshot_version: '7',
    })
    expect((await all('SHOW EVENTS')).rows).toEqual([
      ['2026-01-02 03:04:05.678', '127.0.0.1:3309', 'SHUNNED', 'no answer'],
    ])
    expect((await all('SHOW PROMETHEUS METRICS')).rows[0][0]).toContain('sluice_client_connections 3')
    expect((await all('SHOW WARNINGS')).rows).toEqual([])
  })
})

describe('refusals', () => {
  it.each([
    ["UPDATE mysql_servers SET hostgroup_id=0 WHERE hostname='db1'", 1290, /servers: in \/etc\/sluice\/sluice\.yaml/],
    ["INSERT INTO mysql_users (username) VALUES ('x')", 1290, /users: in/],
    ['REPLACE INTO mysql_servers(hostgroup_id,hostname,port) VALUES(1,2,3)', 1290, /servers:/],
    ['DELETE FROM global_variables', 1290, /limits:/],
    ['LOAD  MYSQL SERVERS TO RUNTIME', 1290, /servers: and replication_hostgroups:/],
    ['SAVE MYSQL USERS TO DISK', 1290, /users:/],
    ["SET mysql-max_connections='5'", 1290, /limits:/],
    ["SELECT CONFIG INTO OUTFILE 'out.txt'", 1290, /writes no files/],
    ['LOAD DATA', 1064, /expected LOAD or SAVE/],
    ['SET GLOBAL max_connections = 5', 1235, /SHOW VARIABLES/],
    ['KILL CONNECTION 5', 1235, /KILL/],
    ['PROXYSQL SHUTDOWN', 1235, /SIGTERM/],
    ['TRUNCATE stats_mysql_query_digest', 1235, /two readings/],
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
    ["WITH x AS (SELECT 1) INSERT INTO mysql_servers SELECT 1, 'a'", 1064, /syntax error/],
    ["SELECT load_extension('x')", 1305, /no such function/],
    ["SELECT writefile('out.txt', 'y')", 1305, /no such function/],
    ['SELECT 1) UNION SELECT 2 FROM (SELECT 2', 1064, /no closing parenthesis/],
  ])('%s', async (sql, errno, text) => {
    const error = await errnoOf(sql)
    expect(error.message).toMatch(text)
    expect(error.errno).toBe(errno)
  })

  it('PROXYSQL RELOAD TLS says what is wrong with the files, and is for administrators', async () => {
    expect(await executor.execute('PROXYSQL RELOAD TLS', [], sessionOf('admin'))).toMatchObject({ kind: 'ok' })
    await expect(executor.execute('PROXYSQL RELOAD TLS', [], sessionOf('stats'))).rejects.toThrow('sluice: ')
    const tlsProblem = 'sluice.yaml: tls.key: key.pem: is not the key of cert.pem'
    const broken = new AdminExecutor({ view: fixtureView({ tlsProblem }), engine, log }, [])
    await expect(broken.execute('PROXYSQL RELOAD TLS', [], sessionOf('admin'))).rejects.toMatchObject({
      errno: 1105,
      message: `sluice: TLS not reloaded: ${tlsProblem}`,
    })
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
