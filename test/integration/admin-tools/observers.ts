import { expect } from 'vitest'
import type { Ask, Cell } from './ask.js'

/** What tools that watch send: exporters, status scripts, clients that look around. */

const isNumber = (text: Cell) => text !== null && Number.isFinite(Number(text))

/** Exporters read every value into a string: none may be NULL. */
function noNulls(rows: readonly (readonly Cell[])[]): void {
  expect(rows.flat()).not.toContain(null)
}

const POOL = ['hostgroup', 'srv_host', 'srv_port']
const POOL_MORE = ['status', 'ConnUsed', 'ConnFree', 'ConnOK', 'ConnERR', 'MaxConnUsed', 'Queries', 'Queries_GTID_sync']
const POOL_LAST = ['Bytes_data_sent', 'Bytes_data_recv', 'Latency_us']

/** Percona's proxysql_exporter: the collectors' queries, and what is parsed of their answers. A client is connected meanwhile. */
export async function exporter(ask: Ask): Promise<void> {
  const global = await ask('SELECT Variable_Name, Variable_Value FROM stats_mysql_global', {
    columns: ['Variable_Name', 'Variable_Value'],
  })
  noNulls(global.rows)
  const known = ['Active_Transactions', 'Client_Connections_aborted', 'Client_Connections_connected']
  const more = [
    'Client_Connections_created',
    'Client_Connections_non_idle',
    'ProxySQL_Uptime',
    'Questions',
    'Slow_queries',
  ]
  for (const name of [...known, ...more]) {
    expect(isNumber(global.rows.find(([variable]) => variable === name)?.[1] ?? null), name).toBe(true)
  }

  const pool = await ask('SELECT hostgroup, srv_host, srv_port, * FROM stats_mysql_connection_pool', {
    columns: [...POOL, ...POOL, ...POOL_MORE, ...POOL_LAST],
  })
  expect(pool.rows.length).toBeGreaterThanOrEqual(3)
  for (const row of pool.rows) {
    expect(row[6]).toMatch(/^(ONLINE|SHUNNED|OFFLINE_SOFT|OFFLINE_HARD)$/)
    expect(row.slice(7).every(isNumber)).toBe(true)
  }

  const hosts = 'SELECT COUNT(cli_host) as connection_count, cli_host FROM stats_mysql_processlist GROUP BY cli_host'
  const list = await ask(hosts, { columns: ['connection_count', 'cli_host'] })
  expect(Number(list.rows.find(([, host]) => host === '127.0.0.1')?.[0])).toBeGreaterThan(0)

  const users = await ask('SELECT username, frontend_connections FROM stats_mysql_users', {
    columns: ['username', 'frontend_connections'],
  })
  expect(Number(users.rows.find(([name]) => name === 'app')?.[1])).toBeGreaterThan(0)

  const detailed =
    'SELECT user, db, cli_host, hostgroup, COUNT(*) as count from stats_mysql_processlist group by user, db, cli_host, hostgroup'
  const sessions = await ask(detailed, { columns: ['user', 'db', 'cli_host', 'hostgroup', 'count'] })
  noNulls(sessions.rows)
  expect(sessions.rows.length).toBeGreaterThan(0)

  const memory = await ask('select Variable_Name, Variable_Value  from stats_memory_metrics', {
    columns: ['Variable_Name', 'Variable_Value'],
  })
  expect(memory.rows.length).toBeGreaterThan(0)
  expect(memory.rows.every(([, value]) => isNumber(value))).toBe(true)
}

/** proxysql-status of Percona's proxysql-admin: all tables of main, stats and monitor. */
export async function status(ask: Ask): Promise<void> {
  for (const [show, database] of [
    ['SHOW TABLES ', 'main'],
    ["SHOW TABLES  LIKE 'runtime_%'", 'main'],
    ['SHOW TABLES FROM stats', 'stats'],
    ['SHOW TABLES FROM monitor', 'monitor'],
  ]) {
    const tables = (await ask(show, { columns: ['tables'] })).rows.map(([table]) => table)
    expect(tables.length).toBeGreaterThan(4)
    for (const table of tables) {
      const { rows } = await ask(`SELECT * FROM ${database}.${table}`)
      if (database === 'stats') noNulls(rows)
    }
  }
  await ask('SHOW TABLES FROM nowhere', { error: 1049 })
  const interfaces = "SELECT * FROM runtime_global_variables WHERE variable_name='mysql-interfaces'"
  await ask(interfaces, {
    columns: ['variable_name', 'variable_value'],
    rows: [['mysql-interfaces', expect.stringMatching(/:\d+/)]],
  })
}

/** The rest of what the reference of the interface says: joins, back-ticks, schemas, SHOW commands, variables. */
export async function lookingAround(ask: Ask): Promise<void> {
  await ask(
    'SELECT s.hostname, p.Queries FROM mysql_servers s JOIN stats_mysql_connection_pool p ON s.port = p.srv_port',
    {
      columns: ['hostname', 'Queries'],
    },
  )
  await ask(
    'SELECT a.`port`, b.* FROM `runtime_mysql_servers` AS a, main.mysql_servers b WHERE a.port = b.port LIMIT 1',
    {
      columns: expect.arrayContaining(['port', 'hostgroup_id', 'hostname', 'comment']),
    },
  )
  await ask('SELECT COUNT(*) AS `n` FROM mysql_users WHERE username IN (SELECT username FROM runtime_mysql_users)', {
    columns: ['n'],
    rows: [[expect.stringMatching(/^\d+$/)]],
  })
  await ask('select hostname from MYSQL_SERVERS where HOSTGROUP_ID = 0 ;', { rows: [['127.0.0.1']] })
  await ask('SHOW DATABASES', { columns: ['seq', 'name', 'file'] })
  await ask('SHOW SCHEMAS')
  await ask('SHOW CREATE TABLE mysql_servers', { columns: ['table', 'Create Table'] })
  await ask('SHOW FULL PROCESSLIST', { columns: expect.arrayContaining(['SessionID', 'user', 'db', 'info']) })
  await ask('SHOW PROCESSLIST', { columns: expect.arrayContaining(['SessionID', 'user', 'hostgroup', 'time_ms']) })
  for (const scope of ['', 'MYSQL ', 'ALL ', 'GLOBAL ']) {
    await ask(`SHOW ${scope}VARIABLES LIKE 'mysql-max_connections'`, {
      columns: ['Variable_name', 'Value'],
      rows: [['mysql-max_connections', '10000']],
    })
  }
  await ask("SHOW ADMIN VARIABLES LIKE 'admin-v%'", {
    rows: [['admin-version', expect.stringMatching(/^\d+\.\d+\.\d+/)]],
  })
  await ask('SHOW MYSQL STATUS', { columns: ['Variable_name', 'Value'] })
  await ask('SHOW MYSQL USERS', { columns: expect.arrayContaining(['username', 'default_hostgroup']) })
  await ask('SHOW MYSQL SERVERS', { columns: expect.arrayContaining(['hostgroup_id', 'hostname', 'port']) })
  await ask('SHOW PROMETHEUS METRICS')
  await ask('SELECT @@max_allowed_packet', { columns: ['@@max_allowed_packet'] })
  await ask('USE stats')
  await ask('TRUNCATE stats_mysql_query_digest')
  await ask('SELECT * FROM stats_mysql_query_digest_reset')
  await ask(
    'SELECT hostname, port, ping_success_time_us FROM monitor.mysql_server_ping_log WHERE ping_error IS NULL LIMIT 1',
    {
      columns: ['hostname', 'port', 'ping_success_time_us'],
      rows: [['127.0.0.1', expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+$/)]],
    },
  )
  await ask(
    'SELECT name, version, epoch, checksum FROM runtime_checksums_values WHERE name = ?',
    { rows: [['mysql_servers', expect.any(String), expect.any(String), expect.stringMatching(/^0x/)]] },
    ['mysql_servers'],
  )
  await ask('CHECKSUM MYSQL SERVERS', { columns: ['table', 'checksum'] })
  await ask('CHECKSUM DISK MYSQL USERS')
  await ask('CHECKSUM MEMORY MYSQL QUERY RULES')
  await ask('SELECT CONFIG FILE', { columns: ['Data'] })
}

/** What is wrong gets an error that clients know, and changes nothing. */
export async function mistakes(ask: Ask): Promise<void> {
  const servers = 'SELECT * FROM mysql_servers ORDER BY hostgroup_id, hostname, port'
  const before = (await ask(servers)).rows
  await ask('SELEC 1', { error: 1064 })
  await ask('SELECT * FROM nowhere', { error: 1146 })
  await ask('SELECT nope FROM mysql_servers', { error: 1054 })
  await ask("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (1, '127.0.0.9', 70000)", { error: 3819 })
  await ask("INSERT INTO mysql_servers (hostgroup_id, hostname, status) VALUES (1, '127.0.0.9', 'UP')", { error: 3819 })
  await ask('INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (1, ?), (2, ?), (1, ?)', { error: 1062 }, [
    '127.0.0.9',
    '127.0.0.9',
    '127.0.0.9',
  ])
  await ask('INSERT INTO mysql_servers (hostname) VALUES (NULL)', { error: 1048 })
  await ask("UPDATE runtime_mysql_servers SET status='ONLINE'", { error: 1290 })
  await ask("SET mysql-max_connections='many'", { error: 1105 })
  await ask("SET mysql-no_such_variable='1'", { error: 1193 })
  await ask('LOAD MYSQL SERVERS TO NOWHERE', { error: 1064 })
  await ask('LOAD', { error: 1064 })
  await ask(servers, { rows: before })
}
