import { expect } from 'vitest'
import type { Ask } from './ask.js'

/** What tools that change the configuration send. All that they add they also take away. */

const SERVERS = ['LOAD MYSQL SERVERS TO RUNTIME', 'SAVE MYSQL SERVERS TO DISK']
const USERS = ['LOAD MYSQL USERS TO RUNTIME', 'SAVE MYSQL USERS FROM RUNTIME', 'SAVE MYSQL USERS TO DISK']
const RULES = ['LOAD MYSQL QUERY RULES TO RUNTIME', 'SAVE MYSQL QUERY RULES TO DISK']

async function each(ask: Ask, statements: readonly string[]): Promise<void> {
  for (const sql of statements) await ask(sql)
}

/** orchestrator's hook, before and after a failover, in hostgroups of its own: writer 91, reader 92. */
export async function orchestrator(ask: Ask): Promise<void> {
  const insert = 'INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (?, ?, ?), (?, ?, ?)'
  await ask(insert, { affected: 2 }, [91, '127.0.0.2', 3306, 92, '127.0.0.3', 3306])
  await ask(SERVERS[0])
  const keys = 'WHERE hostname=? AND port=? AND hostgroup_id=?'
  const old = ['127.0.0.2', 3306, 91]
  await ask(`UPDATE mysql_servers SET weight=0 ${keys}`, { affected: 1 }, old)
  await ask(`UPDATE mysql_servers SET status='OFFLINE_SOFT' ${keys}`, { affected: 1 }, old)
  await ask(SERVERS[0])
  const columns = ['hostgroup_id', 'hostname', 'port', 'status', 'weight', 'max_connections', 'comment']
  const list = `SELECT ${columns.join(', ')} FROM runtime_mysql_servers`
  await ask(
    `${list} WHERE hostgroup_id = ? ORDER BY hostname, port`,
    { columns, rows: [['91', '127.0.0.2', '3306', 'OFFLINE_SOFT', '0', '1000', '']] },
    [91],
  )

  await ask(`DELETE FROM mysql_servers ${keys}`, { affected: 1 }, old)
  const replace = 'REPLACE INTO mysql_servers (hostgroup_id, hostname, port'
  await ask(`${replace}) VALUES (?, ?, ?)`, { affected: 1 }, [91, '127.0.0.3', 3306])
  await ask(`DELETE FROM mysql_servers ${keys}`, { affected: 1 }, ['127.0.0.3', 3306, 92])
  await ask(`${replace}, status) VALUES (?, ?, ?, 'OFFLINE_SOFT')`, { affected: 1 }, [92, '127.0.0.2', 3306])
  await each(ask, SERVERS)
  const { rows } = await ask(`${list} ORDER BY hostgroup_id, hostname, port`, { columns })
  expect(rows.filter(([hostgroup]) => hostgroup === '91' || hostgroup === '92')).toEqual([
    ['91', '127.0.0.3', '3306', expect.stringMatching(/ONLINE|SHUNNED/), '1', '1000', ''],
    ['92', '127.0.0.2', '3306', 'OFFLINE_SOFT', '1', '1000', ''],
  ])

  await ask('DELETE FROM mysql_servers WHERE hostgroup_id IN (91, 92)', { affected: 2 })
  await each(ask, SERVERS)
}

/** Percona's proxysql-admin: --enable, --adduser, --syncusers, --disable. */
export async function proxysqlAdmin(ask: Ask): Promise<void> {
  const before = (await ask("SELECT variable_value FROM global_variables WHERE variable_name='mysql-monitor_username'"))
    .rows
  await ask("update global_variables set variable_value='monitor' where variable_name='mysql-monitor_username'", {
    affected: 1,
  })
  await ask("update global_variables set variable_value='monitor' where variable_name='mysql-monitor_password'", {
    affected: 1,
  })
  await each(ask, ['LOAD MYSQL VARIABLES TO RUNTIME', 'SAVE MYSQL VARIABLES TO DISK'])
  await ask("SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-monitor_username'", {
    rows: before,
  })

  await ask("SELECT username FROM mysql_users where username='pxc_app'", { rows: [] })
  await ask("INSERT INTO mysql_users (username,password,active,default_hostgroup) values ('pxc_app','secret',1,60)", {
    affected: 1,
  })
  await each(ask, USERS)
  await ask("SELECT username FROM mysql_users where username='pxc_app'", { columns: ['username'], rows: [['pxc_app']] })
  await ask('SELECT username,password FROM mysql_users', {
    rows: expect.arrayContaining([['pxc_app', '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7']]),
  })

  await ask('DELETE FROM mysql_servers WHERE hostgroup_id in (60,61)', { affected: 0 })
  const insert = 'INSERT INTO mysql_servers (hostname,hostgroup_id,port,weight,comment) VALUES'
  await ask(`${insert} ('127.0.0.4',60,3306,1000000,'WRITE');`, { affected: 1 })
  await ask(`${insert} ('127.0.0.5',61,3306,1000,'READ');`, { affected: 1 })
  const columns = ['hostname', 'hostgroup_id', 'port', 'weight', 'comment']
  await ask(`SELECT ${columns.join()} FROM mysql_servers WHERE hostgroup_id=60`, {
    columns,
    rows: [['127.0.0.4', '60', '3306', '1000000', 'WRITE']],
  })
  const rules =
    'INSERT INTO mysql_query_rules (username,destination_hostgroup,active,match_digest,apply) ' +
    "values('pxc_app',60,1,'^SELECT.*FOR UPDATE',1),('pxc_app',61,1,'^SELECT ',1);"
  await ask(rules, { affected: 2 })
  await each(ask, [...SERVERS, ...RULES])
  await ask("SELECT match_digest FROM runtime_mysql_query_rules WHERE username='pxc_app' ORDER BY rule_id", {
    rows: [['^SELECT.*FOR UPDATE'], ['^SELECT ']],
  })

  await ask('DELETE FROM SCHEDULER WHERE ID=10;', { affected: 0 })
  const job =
    'INSERT  INTO SCHEDULER (id,active,interval_ms,filename,arg1,arg2,arg3,arg4,arg5) ' +
    "VALUES (10,0,10000,'/usr/bin/proxysql_galera_checker',60,61,1,1,'/var/lib/proxysql/proxysql_galera_check.log');"
  await ask(job, { affected: 1 })
  await each(ask, ['LOAD SCHEDULER TO RUNTIME', 'SAVE SCHEDULER TO DISK'])

  await ask('DELETE FROM mysql_users WHERE default_hostgroup in (60,61);', { affected: 1 })
  await ask('DELETE FROM mysql_servers WHERE hostgroup_id in (60,61);', { affected: 2 })
  await ask('DELETE FROM SCHEDULER WHERE ID IN (10);', { affected: 1 })
  await ask('DELETE FROM mysql_query_rules WHERE destination_hostgroup in (60,61)', { affected: 2 })
  await each(ask, ['LOAD MYSQL USERS TO RUNTIME', 'SAVE MYSQL USERS TO DISK', 'LOAD SCHEDULER TO RUNTIME'])
  await each(ask, ['SAVE SCHEDULER TO DISK', ...SERVERS, ...RULES])
}

const RULE = 'INSERT INTO mysql_query_rules (username, %s_hostgroup, active, digest, apply, comment)'
const MIRROR = 'Mirror by readyset scheduler at'
const ADDED = 'Added by readyset scheduler at'

/**
 * ReadySet's scheduler: statements that are worth a cache are found in the digests, mirrored for a while, then sent there.
 * `schema` is where the account app has read rows with a statement of this run alone.
 */
export async function readyset(ask: Ask, schema: string): Promise<void> {
  await ask(
    "INSERT INTO mysql_servers (hostgroup_id, hostname, port, comment) VALUES (99, '127.0.0.6', 3307, 'Readyset')",
    { affected: 1 },
  )
  await ask(
    "SELECT hostname, port, status, comment FROM mysql_servers WHERE hostgroup_id = 99 AND status IN ('ONLINE', 'SHUNNED', 'OFFLINE_SOFT')",
    { columns: ['hostname', 'port', 'status', 'comment'], rows: [['127.0.0.6', '3307', 'ONLINE', 'Readyset']] },
  )
  for (const status of ['SHUNNED', 'OFFLINE_SOFT', 'ONLINE']) {
    const update = `UPDATE mysql_servers SET status = '${status}' WHERE hostgroup_id = 99 AND hostname = '127.0.0.6' AND port = 3307`
    await ask(update, { affected: 1 })
    await each(ask, SERVERS)
  }
  const find = `SELECT s.digest_text, s.digest, s.schemaname
            FROM stats_mysql_query_digest s 
            LEFT JOIN mysql_query_rules q 
            USING(digest) 
            WHERE s.hostgroup IN (0, 1)
            AND s.username = 'app'
            AND s.schemaname NOT IN ('sys', 'information_schema', 'performance_schema', 'mysql')
            AND s.schemaname = '${schema}'
            AND s.digest_text LIKE 'SELECT%FROM%'
            AND digest_text NOT LIKE '%?=?%'
            AND s.sum_rows_sent > 0
            AND q.rule_id IS NULL
            ORDER BY s.sum_rows_sent DESC`
  const columns = ['digest_text', 'digest', 'schemaname']
  const digests = await ask(find, { columns, rows: expect.arrayContaining([expect.any(Array)]) })
  const [text, digest] = digests.rows[0]
  expect(text).toMatch(/^SELECT .* FROM/)
  expect(digest).toMatch(/^0x[0-9A-F]{16}$/)

  const at = '2026-01-02 03:04:05'
  await ask(`${RULE.replace('%s', 'mirror')} VALUES ('app', 99, 1, '${digest}', 1, '${MIRROR}: ${at}')`, {
    affected: 1,
  })
  await each(ask, RULES)
  const rest = digests.rows.filter(([, other]) => other !== digest)
  expect((await ask(find)).rows).toHaveLength(rest.length)
  await ask(`SELECT digest FROM mysql_query_rules WHERE comment LIKE '${MIRROR}%' OR comment LIKE '${ADDED}%'`, {
    columns: ['digest'],
    rows: [[digest]],
  })
  const mirrored = `SELECT rule_id, comment FROM mysql_query_rules WHERE comment LIKE '${MIRROR}: ____-__-__ __:__:__';`
  const [id, comment] = (await ask(mirrored, { columns: ['rule_id', 'comment'] })).rows[0]
  const set = `mirror_hostgroup = NULL, destination_hostgroup = 99, comment = '${comment}\n ${ADDED}: ${at}'`
  await ask(`UPDATE mysql_query_rules SET ${set} WHERE rule_id = ${id}`, { affected: 1 })
  await each(ask, RULES)
  await ask(
    `SELECT mirror_hostgroup, destination_hostgroup FROM runtime_mysql_query_rules WHERE digest = '${digest}'`,
    {
      rows: [[null, '99']],
    },
  )
  await ask(mirrored, { rows: [] })

  await ask('DELETE FROM mysql_query_rules WHERE destination_hostgroup = 99', { affected: 1 })
  await ask('DELETE FROM mysql_servers WHERE hostgroup_id = 99', { affected: 1 })
  await each(ask, [...RULES, ...SERVERS])
}

/** Puppet's providers: all names in back-ticks, numbers as texts where something is changed. */
export async function puppet(ask: Ask): Promise<void> {
  const variables = await ask('SHOW GLOBAL VARIABLES', { columns: ['Variable_name', 'Value'] })
  expect(variables.rows.map(([name]) => name)).toEqual(
    expect.arrayContaining(['mysql-max_connections', 'admin-version']),
  )
  await ask("SET mysql-max_connections = '9000'")
  await ask("SELECT variable_value FROM global_variables WHERE variable_name='mysql-max_connections'", {
    rows: [['9000']],
  })
  await ask("SET mysql-max_connections = '10000'")

  const columns = 'password, active, use_ssl, default_hostgroup, default_schema, schema_locked, transaction_persistent'
  const insert =
    'INSERT INTO mysql_users (`username`, `password`, `active`, `use_ssl`, `default_hostgroup`, `default_schema`, ' +
    ' `schema_locked`, `transaction_persistent`, `fast_forward`, `backend`, `frontend`, `max_connections`) ' +
    " VALUES ('puppet_u', '*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29', 1, 0, 1, '', 0, 0, 0, 1, 1, 10000)"
  await ask(insert, { affected: 1 })
  await ask("UPDATE mysql_users SET `default_hostgroup` = '0', `max_connections` = '20' WHERE username = 'puppet_u'", {
    affected: 1,
  })
  await ask(
    `SELECT ${columns}, fast_forward, backend, frontend, max_connections FROM mysql_users WHERE username = 'puppet_u'`,
    {
      rows: [['*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29', '1', '0', '0', '', '0', '0', '0', '1', '1', '20']],
    },
  )
  await each(ask, ['LOAD MYSQL USERS TO RUNTIME', 'SAVE MYSQL USERS TO DISK'])
  await ask("SELECT max_connections, transaction_persistent FROM runtime_mysql_users WHERE username = 'puppet_u'", {
    rows: [['20', '0']],
  })
  await ask("DELETE FROM mysql_users WHERE username = 'puppet_u'", { affected: 1 })
  await each(ask, ['LOAD MYSQL USERS TO RUNTIME', 'SAVE MYSQL USERS TO DISK'])

  const names =
    '`rule_id`, `active`, `username`, `schemaname`, `flagIN`, `flagOUT`, `apply`, `client_addr`, `proxy_addr`, `proxy_port`, ' +
    '`destination_hostgroup`, `digest`, `match_digest`, `match_pattern`, `negate_match_pattern`, `replace_pattern`, `cache_ttl`, ' +
    '`reconnect`, `timeout`, `retries`, `delay`, `error_msg`, `log`, `comment`, `mirror_flagOUT`, `mirror_hostgroup`'
  const values =
    "'7001', 1, 'puppet_r', NULL, 0, NULL, '1', NULL, NULL, NULL, '1', NULL, '^SELECT', NULL, 0, NULL, NULL, " +
    "NULL, '5000', NULL, NULL, NULL, NULL, 'by puppet', NULL, NULL"
  await ask(`INSERT INTO \`mysql_query_rules\` (${names}) VALUES (${values})`, { affected: 1 })
  await ask("UPDATE `mysql_query_rules` SET `timeout` = '6000', `comment` = NULL WHERE `rule_id` = '7001'", {
    affected: 1,
  })
  await ask("SELECT `timeout`, `comment`, `apply` FROM `mysql_query_rules` WHERE rule_id = '7001'", {
    rows: [['6000', null, '1']],
  })
  await each(ask, RULES)
  await ask("DELETE FROM `mysql_query_rules` WHERE `rule_id` = '7001'", { affected: 1 })
  await each(ask, RULES)
}
