/** mariadb: MariaDB Connector/Node.js, text and binary protocol, pipelining, bulk execution. */
import { createReadStream, readFileSync } from 'node:fs'
import { attempt, cases, ENV, load, say, show, sleep } from './shared.mjs'

const mariadb = load('mariadb')

const BASE = {
  host: ENV.host,
  port: Number(ENV.port),
  user: ENV.user,
  password: ENV.password,
  database: ENV.db,
  timezone: 'Z',
  bigIntAsNumber: false,
  insertIdAsNumber: true,
  checkDuplicate: false,
  metaAsArray: true,
  rowsAsArray: true,
  dateStrings: true,
  allowPublicKeyRetrieval: true,
  connectTimeout: 10_000,
}

async function connect(more = {}) {
  const connection = await mariadb.createConnection({ ...BASE, ...more })
  connection.on('error', () => {})
  return connection
}

function column(field) {
  const { collation, columnLength, columnType, flags, scale, type } = field
  return [
    field.db(),
    field.schema(),
    field.table(),
    field.orgTable(),
    field.name(),
    field.orgName(),
    collation?.name,
    columnLength,
    columnType,
    flags,
    scale,
    type,
  ]
}

function sayResult(name, result) {
  if (
    Array.isArray(result) &&
    result.length === 2 &&
    Array.isArray(result[1]) &&
    typeof result[1][0]?.name === 'function'
  ) {
    say(name, 'columns', result[1].map(column))
    for (const row of result[0]) say(name, row)
  } else if (Array.isArray(result) && result.every((item) => Array.isArray(item) || item?.affectedRows !== undefined)) {
    for (const item of result) sayResult(name, item)
  } else say(name, result)
}

const text = (name, connection, sql, params) =>
  attempt(name, async () => sayResult(name, await connection.query(sql, params)))
const prepared = (name, connection, sql, params = []) =>
  attempt(name, async () => sayResult(name, await connection.execute(sql, params)))

async function logins() {
  const variants = {
    'login-tcp': {},
    'login-tls': { host: 'localhost', ssl: { ca: readFileSync(ENV.ca) } },
    'login-socket': { socketPath: ENV.socket },
    'login-no-schema': { database: undefined },
    'login-wrong-password': { password: 'wrong' },
    'login-no-password': { password: undefined },
    'login-unknown-user': { user: 'matrix_nobody' },
    'login-unknown-schema': { database: 'no_such_schema' },
    'login-denied-schema': { database: 'mysql' },
    'login-collation': { collation: 'UTF8MB4_UNICODE_CI' },
    'login-charset': { charset: 'LATIN1' },
    'login-compressed': { compress: true },
    'login-timezone': { timezone: '+02:00' },
    'login-session-variables': { sessionVariables: { wait_timeout: 4321 }, initSql: "SET @first = 'yes'" },
    'login-query-timeout': { queryTimeout: 5000 },
    'login-attributes': { connectAttributes: { program: 'matrix' } },
    'login-found-rows': { foundRows: false },
  }
  for (const [name, options] of Object.entries(variants)) {
    await attempt(name, async () => {
      const connection = await connect(options)
      await text(
        name,
        connection,
        'SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @@time_zone, @first, @@wait_timeout',
      )
      await text(`${name}-same`, connection, "UPDATE items SET name = 'one' WHERE id = 1")
      if (options.compress) await text(`${name}-big`, connection, "SELECT REPEAT('long text ', 500000)")
      say(name, connection.serverVersion())
      await connection.end()
    })
  }
}

async function allCases() {
  const connection = await connect()
  for (const { kind, name, sql, params } of cases())
    await (kind === 'text' ? text : prepared)(name, connection, sql, params)
  const other = await connect()
  for (const { kind, name, sql } of cases()) if (kind === 'text') await prepared(`binary-${name}`, other, sql)
  await connection.end()
  await other.end()
}

async function valueTypes() {
  const connection = await connect({ dateStrings: false, rowsAsArray: false, metaAsArray: false })
  for (const [name, run] of [
    ['js-types', text],
    ['js-types-binary', prepared],
  ])
    await run(name, connection, 'SELECT * FROM all_types ORDER BY id')
  const values = [
    true,
    12,
    -1.5,
    'Grüße 😀',
    Buffer.from([0, 1, 255]),
    new Date('2024-01-02T03:04:05.678Z'),
    null,
    12345678901234567890n,
  ]
  for (const [name, run] of [
    ['js-parameters', text],
    ['js-parameters-binary', prepared],
  ])
    await run(name, connection, 'SELECT ? a, ? b, ? c, ? d, HEX(?) e, ? f, ? g, ? h', values)
  await connection.end()
}

async function batches() {
  const connection = await connect()
  const rows = Array.from({ length: 500 }, (_, n) => [`batch ${n}`])
  for (const bulk of [true, false]) {
    await attempt('batch', async () =>
      show(await connection.batch({ sql: 'INSERT INTO work (v) VALUES (?)', bulk }, rows)),
    )
    await text('batch-count', connection, "SELECT COUNT(*), MIN(v), MAX(v) FROM work WHERE v LIKE 'batch%'")
    // One type for each column: 3.5.4 ends with an exception of its own where MariaDB gets several batches.
    const several = [
      [1, 'a', 1.5],
      [2, null, null],
      [3, 'ü😀', -2.5],
    ]
    await attempt('batch-types', async () =>
      show(
        await connection.batch(
          { sql: "REPLACE INTO items (id, name, amount) VALUES (? + 1000, IFNULL(?, 'none'), ?)", bulk },
          several,
        ),
      ),
    )
    await text('batch-types-read', connection, 'SELECT id, LENGTH(name), amount FROM items WHERE id > 1000 ORDER BY id')
    await attempt('batch-error', async () =>
      show(
        await connection.batch({ sql: 'INSERT INTO items (id, name) VALUES (?, ?)', bulk }, [
          [2001, 'x'],
          [1, 'dup'],
          [2002, 'y'],
        ]),
      ),
    )
    await text('batch-error-read', connection, 'SELECT COUNT(*) FROM items WHERE id > 2000')
    await text('batch-clean', connection, 'DELETE FROM items WHERE id > 2000')
  }
  await connection.end()
}

async function statements() {
  const connection = await connect()
  const statement = await connection.prepare('SELECT id, name FROM items WHERE id > ? AND id < 1000 ORDER BY id')
  for (const param of [0, 2, '1', null])
    await attempt('statement', async () => sayResult('statement', await statement.execute([param])))
  await text('statement-ddl', connection, 'ALTER TABLE items ADD COLUMN extra INT DEFAULT 7')
  const star = await connection.prepare('SELECT * FROM items WHERE id = ?')
  await attempt('star', async () => sayResult('star', await star.execute([1])))
  await text('star-ddl', connection, 'ALTER TABLE items DROP COLUMN extra')
  await attempt('star-after-ddl', async () => sayResult('star-after-ddl', await star.execute([1])))
  await attempt('statement-after-ddl', async () => sayResult('statement-after-ddl', await statement.execute([2])))
  await attempt('statement-stream', async () => {
    let count = 0
    for await (const _ of statement.executeStream([0])) count++
    return String(count)
  })
  statement.close()
  star.close()
  await attempt('pipelined', async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => connection.execute('SELECT ? + ? AS n', [n, n])),
    )
    return show(answers.map(([rows]) => rows[0][0]))
  })
  await attempt('pipelined-errors', async () => {
    const texts = [
      'SELECT 1',
      'SELEC',
      "INSERT INTO work (v) VALUES ('p')",
      'SELECT * FROM nowhere',
      "SELECT COUNT(*) FROM work WHERE v = 'p'",
    ]
    const answers = await Promise.allSettled(texts.map((sql) => connection.query(sql)))
    return show(
      answers.map(({ value, reason }) =>
        reason ? [reason.errno, reason.sqlState] : Array.isArray(value) ? value[0] : value,
      ),
    )
  })
  await prepared('long-parameter', connection, 'SELECT LENGTH(?) AS len, SHA2(?, 256) AS hash', [
    'x'.repeat(2_000_000),
    Buffer.alloc(3_000_000, 7),
  ])
  await connection.end()
}

async function multi() {
  const connection = await connect({ multipleStatements: true })
  const texts = {
    multi: "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'",
    'multi-error': 'SELECT 1; SELECT * FROM nowhere; SELECT 2',
    'multi-transaction':
      "BEGIN; INSERT INTO work (v) VALUES ('mt'); SELECT COUNT(*) FROM work WHERE v = 'mt'; ROLLBACK",
    'multi-usable': 'SELECT 1',
  }
  for (const [name, sql] of Object.entries(texts)) await text(name, connection, sql)
  for (const procedure of ['several_sets', 'that_fails', 'that_warns']) {
    await text(`call-${procedure}`, connection, `CALL ${procedure}()`)
    await text(`call-${procedure}-warnings`, connection, 'SHOW WARNINGS')
    await prepared(`call-prepared-${procedure}`, connection, `CALL ${procedure}()`)
  }
  await text('call-out', connection, "SET @w = 'word'")
  await text('call-out', connection, 'CALL with_out(21, @d, @w)')
  await text('call-out', connection, 'SELECT @d, @w')
  await prepared('call-out-prepared', connection, 'CALL with_out(?, ?, ?)', [21, 0, 'word'])
  await connection.end()
  await text('multi-refused', await connect(), 'SELECT 1; SELECT 2')
}

async function transactions() {
  const connection = await connect()
  await connection.beginTransaction()
  await prepared('tx', connection, 'INSERT INTO work (v) VALUES (?)', ['tx'])
  await text('tx', connection, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await connection.rollback()
  await text('tx-rolled-back', connection, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await connection.beginTransaction()
  await text('tx', connection, "INSERT INTO work (v) VALUES ('tx')")
  await connection.commit()
  await text('tx-committed', connection, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await connection.end()
}

async function infile() {
  const connection = await connect({ permitLocalInfile: true })
  const sql = `LOAD DATA LOCAL INFILE '${ENV.files}/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','`
  const runs = {
    infile: sql,
    'infile-empty': sql.replace('rows', 'empty'),
    'infile-missing': sql.replace('rows', 'none'),
    'infile-big': sql.replace('rows', 'big').replace(' INTO', ' REPLACE INTO'),
    'infile-bad-table': sql.replace('loaded', 'nowhere'),
  }
  for (const [name, statement] of Object.entries(runs)) {
    await text(name, connection, statement)
    await text(`${name}-warnings`, connection, 'SHOW WARNINGS')
  }
  await attempt('infile-stream', async () => {
    const infileStreamFactory = () => createReadStream(`${ENV.files}/rows.csv`)
    return show(await connection.query({ sql: sql.replace(' INTO', ' REPLACE INTO'), infileStreamFactory }))
  })
  await text('infile-rows', connection, 'SELECT * FROM loaded WHERE id < 10 ORDER BY id')
  await connection.end()
  await text('infile-not-allowed', await connect(), sql)
}

async function commands() {
  const connection = await connect()
  await attempt('ping', async () => show(await connection.ping()))
  await text('kept', connection, 'SET @kept = 1')
  const state = 'SELECT CURRENT_USER(), DATABASE(), @kept, @@character_set_client'
  for (const [name, options] of Object.entries({
    'change-user': { user: ENV.other_user, password: ENV.other_password, database: ENV.db },
    'change-user-back': { user: ENV.user, password: ENV.password, database: 'information_schema' },
    'change-user-wrong': { user: ENV.other_user, password: 'wrong' },
  })) {
    await attempt(name, async () => show(await connection.changeUser(options)))
    await text(`${name}-afterwards`, connection, state)
  }
  const next = await connect()
  await text('reset', next, "SET @kept = 2, NAMES latin1, sql_mode = 'ANSI'")
  await attempt('reset', async () => show(await next.reset()))
  await text('reset-afterwards', next, `${state}, @@sql_mode`)
  await next.end()
}

async function big() {
  for (const compress of [false, true]) {
    const connection = await connect({ compress, maxAllowedPacket: 256 << 20 })
    const way = compress ? 'big-compressed' : 'big'
    for (const size of [1 << 20, (1 << 24) - 40, 17 << 20]) {
      const body = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, n) => n)))
      await text(`${way}-store`, connection, 'REPLACE INTO big VALUES (1, ?)', [body])
      await prepared(`${way}-store-prepared`, connection, 'REPLACE INTO big VALUES (?, ?)', [2, body])
      await text(`${way}-fetch`, connection, 'SELECT id, body, SHA2(body, 256) FROM big ORDER BY id')
      await prepared(`${way}-fetch-prepared`, connection, 'SELECT id, body, id FROM big WHERE id = ?', [2])
    }
    await attempt(`${way}-stream`, async () => {
      let rows = 0
      for await (const _ of connection.queryStream('SELECT a.n, a.label FROM numbers a JOIN numbers b ON b.n < 10'))
        rows++
      return String(rows)
    })
    await connection.end()
  }
}

async function kill() {
  for (const how of ['QUERY', 'CONNECTION']) {
    const name = `kill-${how.toLowerCase()}`
    const [victim, killer] = [await connect(), await connect()]
    const [[[shown]]] = await victim.query('SELECT CONNECTION_ID()')
    say(name, 'ids agree', String(victim.threadId) === String(shown))
    const slept = text(`${name}-victim`, victim, 'SELECT SLEEP(4) AS slept')
    await sleep(400)
    const began = Date.now()
    await text(name, killer, `KILL ${how} ${victim.threadId}`)
    await slept
    say(name, 'in time', Date.now() - began < 3000)
    await text(`${name}-afterwards`, victim, 'SELECT 1')
    await killer.end()
    victim.destroy()
  }
  await attempt('destroy-while-busy', async () => {
    const victim = await connect()
    const slept = text('destroy-while-busy', victim, 'SELECT SLEEP(4)')
    await sleep(300)
    victim.destroy()
    await slept
  })
  const connection = await connect({ queryTimeout: 300 })
  await text('query-timeout', connection, 'SELECT SLEEP(2)')
  await text('query-timeout-usable', connection, 'SELECT 1')
  await connection.end()
}

async function expiry() {
  const connection = await connect()
  await text('expiry', connection, 'SET SESSION wait_timeout = 1')
  await sleep(2500)
  await text('expiry', connection, 'SELECT 1')
  connection.destroy()
}

async function pooled() {
  const pool = mariadb.createPool({ ...BASE, connectionLimit: 5, resetAfterUse: true })
  const rows = await Promise.all(Array.from({ length: 40 }, (_, n) => pool.execute('SELECT ? + 1 AS n', [n])))
  say(
    'pool',
    rows.map(([found]) => found[0][0]),
  )
  const connection = await pool.getConnection()
  await connection.query("SET @kept = 5, time_zone = '+03:00'")
  await connection.release()
  await text('pool-reset', pool, 'SELECT @kept, @@time_zone')
  await pool.end()
}

for (const part of [
  logins,
  allCases,
  valueTypes,
  batches,
  statements,
  multi,
  transactions,
  infile,
  commands,
  big,
  kill,
  expiry,
  pooled,
]) {
  await attempt(part.name, part)
}
process.exit(0)
