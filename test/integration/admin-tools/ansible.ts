import { expect } from 'vitest'
import { type Ask, record, type Value } from './ask.js'

/**
 * What the modules of Ansible's collection community.proxysql send: each looks whether the thing is there as wanted, inserts
 * or updates it, reads it back, saves and loads; and the same for its absence. A second run has to find nothing to do.
 */

const VERSION = /^\d+\.\d+\.\d+/

/** All modules begin with this. */
async function connect(ask: Ask): Promise<void> {
  await ask('select version();', { columns: ['version()'], rows: [[expect.stringMatching(VERSION)]] })
}

interface Thing {
  readonly table: string
  /** Name of the count that the module asks for. */
  readonly count: string
  readonly key: Readonly<Record<string, Value>>
  readonly data: Readonly<Record<string, Value>>
  readonly section: string
  /** What a SELECT of the row shows otherwise than `data`: passwords. */
  readonly shown?: Readonly<Record<string, unknown>>
}

const where = (columns: Readonly<Record<string, Value>>) =>
  Object.keys(columns)
    .map((column, at) => `${at === 0 ? 'WHERE' : '  AND'} ${column} = ?`)
    .join('\n  ')

function count(ask: Ask, { table, count: name }: Thing, columns: Thing['key'], found: number) {
  const sql = `SELECT count(*) AS \`${name}\`\n  FROM ${table}\n  ${where(columns)}`
  return ask(sql, { columns: [name], rows: [[String(found)]] }, Object.values(columns))
}

async function saveAndLoad(ask: Ask, section: string): Promise<void> {
  await ask(`SAVE ${section} TO DISK`)
  await ask(`LOAD ${section} TO RUNTIME`)
}

async function present(ask: Ask, thing: Thing): Promise<void> {
  const { table, key, data } = thing
  await count(ask, thing, { ...key, ...data }, 0)
  await count(ask, thing, key, 0)
  const columns = [...Object.keys(key), ...Object.keys(data)]
  const insert = `INSERT INTO ${table} (\n ${columns.join(',\n')})\nVALUES (${columns.map(() => '? ').join(',')})`
  await ask(insert, { affected: 1 }, [...Object.values(key), ...Object.values(data)])
  await read(ask, thing, data)
  await saveAndLoad(ask, thing.section)
  await count(ask, thing, { ...key, ...data }, 1)
}

async function change(ask: Ask, thing: Thing, data: Thing['data']): Promise<void> {
  await count(ask, thing, { ...thing.key, ...data }, 0)
  await count(ask, thing, thing.key, 1)
  const set = Object.keys(data).map((column) => `${column} = ?`)
  const values = [...Object.values(data), ...Object.values(thing.key)]
  await ask(`UPDATE ${thing.table}\nSET ${set.join(',\n    ')}\n${where(thing.key)}`, { affected: 1 }, values)
  await read(ask, thing, data)
  await saveAndLoad(ask, thing.section)
  await count(ask, thing, { ...thing.key, ...data }, 1)
}

async function absent(ask: Ask, thing: Thing): Promise<void> {
  await count(ask, thing, thing.key, 1)
  await ask(`DELETE FROM ${thing.table}\n${where(thing.key)}`, { affected: 1 }, Object.values(thing.key))
  await saveAndLoad(ask, thing.section)
  await count(ask, thing, thing.key, 0)
}

/** The modules hand the row on as they have read it: every column, every value a text. */
async function read(ask: Ask, { table, key, shown }: Thing, data: Thing['data']): Promise<void> {
  const answer = await ask(`SELECT *\n FROM ${table}\n ${where(key)}`, {}, Object.values(key))
  const texts = Object.entries({ ...key, ...data }).map(([column, value]) => [
    column,
    value === null ? null : `${value}`,
  ])
  expect(record(answer)).toMatchObject({ ...Object.fromEntries(texts), ...shown })
}

/** proxysql_backend_servers */
export async function backendServers(ask: Ask): Promise<void> {
  await connect(ask)
  const thing: Thing = {
    table: 'mysql_servers',
    count: 'host_count',
    key: { hostgroup_id: 71, hostname: '127.0.0.9', port: 3306 },
    data: {
      status: 'OFFLINE_SOFT',
      weight: 5,
      max_connections: 100,
      max_replication_lag: 60,
      use_ssl: 0,
      comment: "it's\nnew",
    },
    section: 'MYSQL SERVERS',
  }
  await present(ask, thing)
  const runtime = 'SELECT status, weight FROM runtime_mysql_servers WHERE hostgroup_id = 71'
  await ask(runtime, { rows: [['OFFLINE_SOFT', '5']] })
  await change(ask, thing, { status: 'OFFLINE_HARD', weight: 7, comment: '' })
  await ask(runtime, { rows: [['OFFLINE_HARD', '7']] })
  await absent(ask, thing)
  await ask(runtime, { rows: [] })
}

/** proxysql_mysql_users, with a password in clear and with `encrypt_password` */
export async function mysqlUsers(ask: Ask): Promise<void> {
  await connect(ask)
  const hash = '*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29' // of "test"
  const user: Thing = {
    table: 'mysql_users',
    count: 'user_count',
    key: { username: 'ansible_a', backend: 1, frontend: 1 },
    data: { password: hash, active: 1, default_hostgroup: 1, transaction_persistent: 1, max_connections: 50 },
    section: 'MYSQL USERS',
  }
  await present(ask, user)
  await change(ask, user, { active: 0, max_connections: 60 })
  await ask("SELECT active FROM runtime_mysql_users WHERE username='ansible_a'", { rows: [['0']] })
  await absent(ask, user)
  const insert = 'INSERT INTO mysql_users (username, backend, frontend, password) VALUES (? , ? , ? , ? )'
  await ask(insert, { affected: 1 }, ['ansible_b', 1, 1, 'test'])
  const shown = "SELECT password FROM mysql_users WHERE username='ansible_b'"
  await ask(shown, { rows: [[hash]] })
  await absent(ask, { ...user, key: { username: 'ansible_b', backend: 1, frontend: 1 } })
}

/** proxysql_query_rules: the id of a new rule is the one that the driver reports as its last */
export async function queryRules(ask: Ask): Promise<void> {
  await connect(ask)
  const rule = { active: 1, username: 'ansible_r', match_pattern: "^SELECT.*'x'", destination_hostgroup: 1, apply: 1 }
  const count = (found: number) =>
    ask(
      `SELECT count(*) AS \`rule_count\`\n FROM mysql_query_rules\n ${where(rule)}`,
      { columns: ['rule_count'], rows: [[String(found)]] },
      Object.values(rule),
    )
  await count(0)
  const insert = `INSERT INTO mysql_query_rules (\n${Object.keys(rule).join(',\n')})\nVALUES (? ,? ,? ,? ,? )`
  const { insertId } = await ask(insert, { affected: 1 }, Object.values(rule))
  await saveAndLoad(ask, 'MYSQL QUERY RULES')
  const id = insertId ?? (await ask("SELECT max(rule_id) FROM mysql_query_rules WHERE username='ansible_r'")).rows[0][0]
  const answer = await ask('SELECT *\n FROM mysql_query_rules\nWHERE rule_id = ?', {}, [Number(id)])
  expect(record(answer)).toMatchObject({ rule_id: String(id), flagIN: '0', flagOUT: null, cache_ttl: null, apply: '1' })
  await ask('SELECT hits FROM stats_mysql_query_rules WHERE rule_id = ?', { rows: [['0']] }, [Number(id)])
  await count(1)
  const more = 'UPDATE mysql_query_rules\nSET cache_ttl = ?,\n    log = ?\nWHERE rule_id = ?'
  await ask(more, { affected: 1 }, [5000, 1, Number(id)])
  await ask(`DELETE FROM mysql_query_rules\n ${where(rule)}`, { affected: 1 }, Object.values(rule))
  await saveAndLoad(ask, 'MYSQL QUERY RULES')
}

/** proxysql_query_rules_fast_routing */
export async function fastRouting(ask: Ask): Promise<void> {
  await connect(ask)
  const thing: Thing = {
    table: 'mysql_query_rules_fast_routing',
    count: 'rule_count',
    key: { username: 'ansible_f', schemaname: 'shop', flagIN: 0 },
    data: { destination_hostgroup: 1, comment: 'by a module' },
    section: 'MYSQL QUERY RULES',
  }
  await present(ask, thing)
  await change(ask, thing, { destination_hostgroup: 0 })
  await absent(ask, thing)
}

/** proxysql_replication_hostgroups */
export async function replicationHostgroups(ask: Ask): Promise<void> {
  await connect(ask)
  const thing: Thing = {
    table: 'mysql_replication_hostgroups',
    count: 'repl_groups',
    key: { writer_hostgroup: 81, reader_hostgroup: 82 },
    data: { comment: 'cluster one' },
    section: 'MYSQL SERVERS',
  }
  await present(ask, thing)
  await change(ask, thing, { check_type: 'super_read_only' })
  await absent(ask, thing)
}

/** proxysql_mysql_hostgroup_attributes, which writes all columns, those without a wish with ProxySQL's defaults */
export async function hostgroupAttributes(ask: Ask): Promise<void> {
  await connect(ask)
  const thing: Thing = {
    table: 'mysql_hostgroup_attributes',
    count: 'attributes',
    key: { hostgroup_id: 1 },
    data: {
      max_num_online_servers: 1_000_000,
      autocommit: -1,
      free_connections_pct: 10,
      init_connect: '',
      multiplex: 0,
      connection_warming: 0,
      throttle_connections_per_sec: 1_000_000,
      ignore_session_variables: '',
      hostgroup_settings: '',
      servers_defaults: '',
      comment: 'by a module',
    },
    section: 'MYSQL SERVERS',
  }
  await present(ask, thing)
  await change(ask, thing, { multiplex: 1 })
  await absent(ask, thing)
}

/** proxysql_global_variables */
export async function globalVariables(ask: Ask): Promise<void> {
  await connect(ask)
  const name = 'mysql-max_stmts_per_connection'
  const get = 'SELECT *\n FROM global_variables\n WHERE variable_name = ?'
  const count =
    'SELECT count(*) AS `variable_count`\n FROM global_variables\n WHERE variable_name = ? and variable_value = ?'
  const columns = ['variable_name', 'variable_value']
  const before = (await ask(get, { columns, rows: [[name, expect.any(String)]] }, [name])).rows[0][1]
  for (const value of ['77', before]) {
    await ask(count, { columns: ['variable_count'], rows: [['0']] }, [name, value])
    const set = 'UPDATE global_variables\n SET variable_value = ?\n WHERE variable_name = ?'
    await ask(set, { affected: 1 }, [value, name])
    await saveAndLoad(ask, 'MYSQL VARIABLES')
    await ask(`SELECT variable_value FROM runtime_global_variables WHERE variable_name='${name}'`, { rows: [[value]] })
  }
  await ask(get, { rows: [] }, ['mysql-no_such_variable'])
}

/** proxysql_scheduler, whose common code sends two blanks; active=0, so that nothing runs here */
export async function scheduler(ask: Ask): Promise<void> {
  await connect(ask)
  const job = { active: 0, interval_ms: 10_000, filename: '/bin/true', arg1: 'one', comment: 'by a module' }
  const count = (found: number) =>
    ask(
      `SELECT count(*) AS \`schedule_count\`\n FROM scheduler\n ${where(job)}`,
      { rows: [[`${found}`]] },
      Object.values(job),
    )
  await count(0)
  const insert = `INSERT INTO scheduler (\n${Object.keys(job).join(',\n')})\nVALUES (?, ?, ?, ?, ?)`
  await ask(insert, { affected: 1 }, Object.values(job))
  await ask('SAVE  SCHEDULER TO DISK')
  await ask('LOAD  SCHEDULER TO RUNTIME')
  await ask("SELECT filename, arg1, arg2 FROM runtime_scheduler WHERE comment='by a module'", {
    rows: [['/bin/true', 'one', null]],
  })
  await count(1)
  await ask(`DELETE FROM scheduler\n ${where(job)}`, { affected: 1 }, Object.values(job))
  await ask('SAVE  SCHEDULER TO DISK')
  await ask('LOAD  SCHEDULER TO RUNTIME')
}

const SECTIONS = [
  'MYSQL USERS',
  'MYSQL SERVERS',
  'MYSQL QUERY RULES',
  'MYSQL VARIABLES',
  'ADMIN VARIABLES',
  'SCHEDULER',
]
const WAYS = [
  'SAVE FROM RUNTIME',
  'SAVE TO MEMORY',
  'SAVE TO DISK',
  'SAVE FROM MEMORY',
  'LOAD FROM DISK',
  'LOAD TO MEMORY',
]
const MORE_WAYS = ['LOAD FROM CONFIG', 'LOAD TO RUNTIME', 'LOAD FROM MEMORY']

/** proxysql_manage_config: every way for every section */
export async function manageConfig(ask: Ask): Promise<void> {
  await connect(ask)
  for (const way of [...WAYS, ...MORE_WAYS]) {
    const [action, direction, layer] = way.split(' ')
    for (const section of SECTIONS) await ask(`${action} ${section} ${direction} ${layer}`)
  }
}

/** proxysql_info: all tables */
export async function info(ask: Ask): Promise<void> {
  await connect(ask)
  const { rows } = await ask('show tables', { columns: ['tables'] })
  const tables = rows.map(([table]) => table)
  expect(tables).toEqual(
    expect.arrayContaining(['global_variables', 'mysql_servers', 'runtime_mysql_users', 'scheduler']),
  )
  for (const table of tables) await ask(`select * from ${table}`)
  await ask('select * from runtime_mysql_servers', { rows: expect.arrayContaining([expect.any(Array)]) })
}
