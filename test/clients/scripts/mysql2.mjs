/** mysql2: a driver in JavaScript, text and binary protocol, compression. */
import { createReadStream, readFileSync } from 'node:fs'
import { attempt, cases, ENV, load, say, show, sleep } from './shared.mjs'

const mysql = load('mysql2/promise')

const BASE = {
  host: ENV.host,
  port: Number(ENV.port),
  user: ENV.user,
  password: ENV.password,
  database: ENV.db,
  charset: 'utf8mb4',
  timezone: 'Z',
  supportBigNumbers: true,
  bigNumberStrings: true,
  dateStrings: true,
}

async function connect(more = {}) {
  const connection = await mysql.createConnection({ ...BASE, ...more })
  connection.on('error', () => {})
  return connection
}

function column(field) {
  if (field === undefined) return 'none'
  const { catalog, schema, table, orgTable, name, orgName, characterSet, columnLength, columnType, flags, decimals } =
    field
  return [catalog, schema, table, orgTable, name, orgName, characterSet, columnLength, columnType, flags, decimals]
}

function sayResult(name, rows, fields) {
  if (!Array.isArray(rows)) return say(name, rows)
  const isMulti = Array.isArray(fields) && fields.some((set) => Array.isArray(set) || set === undefined)
  if (isMulti) {
    for (const [index, set] of rows.entries()) sayResult(name, set, fields[index])
    return
  }
  say(name, 'columns', (fields ?? []).map(column))
  for (const row of rows) say(name, row)
}

const text = (name, connection, sql, params) =>
  attempt(name, async () => sayResult(name, ...(await connection.query({ sql, values: params, rowsAsArray: true }))))
const prepared = (name, connection, sql, params = []) =>
  attempt(name, async () => sayResult(name, ...(await connection.execute({ sql, values: params, rowsAsArray: true }))))
const value = async (connection, sql) => Object.values((await connection.query({ sql, rowsAsArray: true }))[0][0])[0]

async function logins() {
  const variants = {
    'login-tcp': {},
    'login-tls': { host: 'localhost', ssl: { ca: readFileSync(ENV.ca) } },
    'login-tls-unverified': { ssl: { rejectUnauthorized: false } },
    'login-socket': { socketPath: ENV.socket },
    'login-no-schema': { database: undefined },
    'login-wrong-password': { password: 'wrong' },
    'login-no-password': { password: undefined },
    'login-unknown-user': { user: 'matrix_nobody' },
    'login-unknown-schema': { database: 'no_such_schema' },
    'login-denied-schema': { database: 'mysql' },
    'login-latin1': { charset: 'LATIN1_GERMAN1_CI' },
    'login-collation': { charset: 'UTF8MB4_UNICODE_CI' },
    'login-sjis': { charset: 'SJIS_JAPANESE_CI' },
    'login-attributes': { connectAttributes: { program_name: 'matrix' } },
    'login-compressed': { compress: true },
  }
  for (const [name, options] of Object.entries(variants)) {
    await attempt(name, async () => {
      const connection = await connect(options)
      await text(name, connection, 'SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit')
      say(name, connection.connection._handshakePacket?.serverVersion)
      await connection.end()
    })
  }
}

async function allCases() {
  const connection = await connect()
  for (const { kind, name, sql, params } of cases()) {
    await (kind === 'text' ? text : prepared)(name, connection, sql, params)
  }
  await connection.end()
  if (ENV.quick) return
  // The whole list once more in the binary protocol; what cannot be prepared says so.
  const other = await connect()
  for (const { kind, name, sql } of cases()) {
    if (kind === 'text') await prepared(`binary-${name}`, other, sql)
  }
  await other.end()
}

async function valueTypes() {
  const connection = await connect({ dateStrings: false, decimalNumbers: true, bigNumberStrings: false })
  await text('js-types', connection, 'SELECT * FROM all_types ORDER BY id')
  await prepared('js-types-binary', connection, 'SELECT * FROM all_types ORDER BY id')
  const values = [true, 12, -1.5, 'Grüße 😀', Buffer.from([0, 1, 255]), new Date('2024-01-02T03:04:05.678Z'), null]
  await prepared('js-parameters', connection, 'SELECT ? a, ? b, ? c, ? d, HEX(?) e, ? f, ? g', values)
  await prepared('js-json', connection, 'SELECT ? AS j', [{ a: [1, 'ü'] }])
  await prepared('js-big', connection, 'SELECT ? AS big', [12345678901234567890n])
  await prepared(
    'round-trip',
    connection,
    'INSERT INTO all_types (id, c_big_u, c_decimal, c_double, c_bit, c_datetime_fsp, c_time_fsp, c_year, c_char, c_varbinary, c_set, c_json)' +
      ' VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    [
      20,
      '18446744073709551615',
      '1.2345',
      0.1,
      5,
      '2024-05-06 07:08:09.123456',
      '-10:11:12.5',
      2024,
      'x',
      Buffer.from('ab\0'),
      'a,b',
      '{"a":1}',
    ],
  )
  await prepared('round-trip-read', connection, 'SELECT * FROM all_types WHERE id = 20')
  await connection.end()
}

async function statements() {
  const connection = await connect()
  const statement = await connection.prepare({
    sql: 'SELECT id, name FROM items WHERE id > ? ORDER BY id',
    rowsAsArray: true,
  })
  for (const param of [0, 2, '1', null]) {
    await attempt('statement', async () => sayResult('statement', ...(await statement.execute([param]))))
  }
  await text('statement-ddl', connection, 'ALTER TABLE items ADD COLUMN extra INT DEFAULT 7')
  await attempt('statement-after-ddl', async () => sayResult('statement-after-ddl', ...(await statement.execute([0]))))
  const star = await connection.prepare({ sql: 'SELECT * FROM items WHERE id = ?', rowsAsArray: true })
  await attempt('star', async () => sayResult('star', ...(await star.execute([1]))))
  await text('star-ddl', connection, 'ALTER TABLE items DROP COLUMN extra')
  await attempt('star-after-ddl', async () => sayResult('star-after-ddl', ...(await star.execute([1]))))
  await statement.close()
  await attempt('statement-closed', async () => sayResult('statement-closed', ...(await statement.execute([0]))))
  const many = []
  for (let n = 0; n < 60; n++) many.push(await connection.prepare(`SELECT ${n} + ? AS total`))
  const sums = []
  for (const [n, one] of many.entries()) sums.push((await one.execute([n]))[0][0].total)
  say('many-statements', sums)
  for (const one of many) await one.close()
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
    'multi-write-first': "INSERT INTO work (v) VALUES ('w'); SELECT COUNT(*) FROM work WHERE v = 'w'",
    'multi-set': 'SET @m = 3; SELECT @m; SET NAMES latin1; SELECT @@character_set_client; SET NAMES utf8mb4',
    'multi-use': `USE information_schema; SELECT DATABASE(); USE ${ENV.db}; SELECT DATABASE()`,
    'multi-call': "CALL several_sets(); SELECT 'after'",
    'multi-transaction':
      "BEGIN; INSERT INTO work (v) VALUES ('mt'); SELECT COUNT(*) FROM work WHERE v = 'mt'; ROLLBACK",
    'multi-usable': 'SELECT 1',
  }
  for (const [name, sql] of Object.entries(texts)) await text(name, connection, sql)
  await connection.end()
  const plain = await connect()
  await text('multi-refused', plain, 'SELECT 1; SELECT 2')
  await plain.end()
}

async function procedures() {
  const connection = await connect()
  for (const name of ['several_sets', 'that_fails', 'that_warns']) {
    for (const [way, run] of [
      ['call', text],
      ['call-prepared', prepared],
    ]) {
      await run(`${way}-${name}`, connection, `CALL ${name}()`)
      await text(`${way}-${name}-warnings`, connection, 'SHOW WARNINGS')
    }
  }
  await text('call-out', connection, "SET @w = 'word'")
  await text('call-out', connection, 'CALL with_out(21, @d, @w)')
  await text('call-out', connection, 'SELECT @d, @w')
  await prepared('call-out-prepared', connection, 'CALL with_out(?, ?, ?)', [21, 0, 'word'])
  await prepared('call-out-variables', connection, 'CALL with_out(?, @d, @w)', [4])
  await prepared('call-out-variables', connection, 'SELECT @d, @w')
  await connection.end()
}

async function transactions() {
  const [one, other] = [await connect(), await connect()]
  await one.beginTransaction()
  await prepared('tx-insert', one, 'INSERT INTO work (v) VALUES (?)', ['tx'])
  await prepared('tx-sees', one, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await prepared('tx-other-sees', other, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await one.rollback()
  await prepared('tx-rolled-back', one, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await one.beginTransaction()
  await text('tx-again', one, "INSERT INTO work (v) VALUES ('tx')")
  await one.commit()
  await text('tx-committed', one, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
  await one.beginTransaction()
  await text('tx-lock', one, 'UPDATE items SET amount = 9 WHERE id = 1')
  await text('tx-wait', other, 'SET innodb_lock_wait_timeout = 1')
  await text('tx-wait-timeout', other, 'UPDATE items SET amount = 8 WHERE id = 1')
  await one.end()
  await sleep(200)
  await text('tx-after-end', other, 'SELECT amount FROM items WHERE id = 1 FOR UPDATE')
  await other.end()
}

async function infile() {
  const connection = await connect({ flags: ['LOCAL_FILES'] })
  const sql = (file, table = 'loaded', how = '') => ({
    sql: `LOAD DATA LOCAL INFILE '${file}' ${how} INTO TABLE ${table} FIELDS TERMINATED BY ','`,
    infileStreamFactory: (path) => createReadStream(path),
  })
  const runs = {
    infile: sql(`${ENV.files}/rows.csv`),
    'infile-empty': sql(`${ENV.files}/empty.csv`),
    'infile-missing': sql(`${ENV.files}/missing.csv`),
    'infile-big': sql(`${ENV.files}/big.csv`, 'loaded', 'REPLACE'),
    'infile-bad-table': sql(`${ENV.files}/rows.csv`, 'nowhere'),
    'infile-not-allowed': { sql: sql(`${ENV.files}/rows.csv`).sql },
  }
  for (const [name, options] of Object.entries(runs)) {
    await attempt(name, async () => sayResult(name, ...(await connection.query(options))))
    await text(`${name}-warnings`, connection, 'SHOW WARNINGS')
  }
  await text('infile-rows', connection, 'SELECT * FROM loaded WHERE id < 10 ORDER BY id')
  await text('infile-usable', connection, 'SELECT COUNT(*) FROM loaded')
  await connection.end()
}

async function commands() {
  const connection = await connect()
  await attempt('ping', async () => show(await connection.ping()))
  await text('kept', connection, 'SET @kept = 1')
  const state = 'SELECT CURRENT_USER(), DATABASE(), @kept, @@character_set_client, @@sql_mode'
  const changes = {
    'change-user': { user: ENV.other_user, password: ENV.other_password, database: ENV.db },
    'change-user-no-schema': { user: ENV.user, password: ENV.password, database: 'information_schema' },
    'change-user-charset': { user: ENV.user, password: ENV.password, database: ENV.db, charset: 'LATIN1_SWEDISH_CI' },
    'change-user-wrong': { user: ENV.other_user, password: 'wrong' },
  }
  for (const [name, options] of Object.entries(changes)) {
    await attempt(name, async () => show(await connection.changeUser(options)))
    await text(`${name}-afterwards`, connection, state)
  }
  await connection.end().catch(() => {})
  const next = await connect()
  await text('reset-before', next, "SET @kept = 2, NAMES latin1, sql_mode = 'ANSI'")
  await text('reset-before', next, 'CREATE TEMPORARY TABLE scratch (id INT)')
  const statement = await next.prepare('SELECT 1')
  await attempt('reset', async () => show(await next.reset()))
  await text('reset-afterwards', next, state)
  await text('reset-temporary', next, 'SELECT * FROM scratch')
  await attempt('reset-statement', async () => show((await statement.execute())[0]))
  await next.end().catch(() => {})
}

async function flags() {
  for (const flag of [
    'FOUND_ROWS',
    '-FOUND_ROWS',
    'IGNORE_SPACE',
    'INTERACTIVE',
    'NO_SCHEMA',
    '-DEPRECATE_EOF',
    '-SESSION_TRACK',
    '-CONNECT_ATTRS',
  ]) {
    const connection = await connect({ flags: [flag] })
    const name = `flag${flag}`
    await text(name, connection, "UPDATE items SET name = 'one' WHERE id = 1")
    await prepared(name, connection, 'UPDATE items SET name = ? WHERE id = 1', ['one'])
    await text(`${name}-space`, connection, 'SELECT COUNT (*) FROM items')
    await text(`${name}-schema`, connection, `SELECT id FROM ${ENV.db}.items LIMIT 1`)
    await text(`${name}-mode`, connection, 'SELECT @@sql_mode, @@wait_timeout = @@interactive_timeout')
    await connection.end()
  }
}

async function big() {
  for (const compress of [false, true]) {
    const connection = await connect({ compress })
    const way = compress ? 'big-compressed' : 'big'
    // mysql2 mistakes the order of compressed packets of 16 MB and more.
    const sizes = compress ? [1 << 20, 3 << 20] : [1 << 20, (1 << 24) - 40, 17 << 20]
    for (const size of sizes) {
      const body = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, n) => n)))
      await text(`${way}-store`, connection, 'REPLACE INTO big VALUES (1, ?)', [body])
      await prepared(`${way}-store-prepared`, connection, 'REPLACE INTO big VALUES (?, ?)', [2, body])
      await text(`${way}-fetch`, connection, 'SELECT id, body, SHA2(body, 256) FROM big ORDER BY id')
      await prepared(`${way}-fetch-prepared`, connection, 'SELECT id, body, id FROM big WHERE id = ?', [2])
    }
    await text(
      `${way}-many-rows`,
      connection,
      'SELECT COUNT(*), SUM(a.n * b.n) FROM numbers a JOIN numbers b ON b.n < 10',
    )
    const [rows] = await connection.query(
      'SELECT a.n, b.label FROM numbers a JOIN numbers b ON b.n < 20 ORDER BY a.n, b.n',
    )
    say(`${way}-many-rows`, rows.length, JSON.stringify(rows))
    await connection.end()
  }
}

async function streaming() {
  const connection = await connect()
  let rows = 0
  await attempt('stream', async () => {
    for await (const _ of connection.connection
      .query('SELECT a.n, a.label FROM numbers a JOIN numbers b ON b.n < 10')
      .stream()) {
      rows++
      if (rows % 20_000 === 0) await sleep(50)
    }
    return String(rows)
  })
  await text('stream-usable', connection, 'SELECT 1')
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => connection.query(`SELECT ${n} AS n`)))
  say(
    'pipelined',
    answers.map(([found]) => found[0].n),
  )
  const mixed = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      n % 4 === 0
        ? connection.query("INSERT INTO work (v) VALUES ('mixed')")
        : connection.execute('SELECT ? AS n', [n]),
    ),
  )
  say(
    'pipelined-mixed',
    mixed.map(([found]) => (Array.isArray(found) ? found[0].n : found.affectedRows)),
  )
  await connection.end()
}

async function kill() {
  for (const how of ['QUERY', 'CONNECTION']) {
    for (const by of ['greeting', 'function']) {
      const name = `kill-${how.toLowerCase()}-by-${by}`
      const [victim, killer] = [await connect(), await connect()]
      const shown = await value(victim, 'SELECT CONNECTION_ID()')
      say(name, 'ids agree', String(victim.threadId) === String(shown))
      const slept = text(`${name}-victim`, victim, 'SELECT SLEEP(4) AS slept')
      await sleep(400)
      const began = Date.now()
      await text(name, killer, `KILL ${how} ${by === 'greeting' ? victim.threadId : shown}`)
      await slept
      say(name, 'in time', Date.now() - began < 3000)
      await text(`${name}-afterwards`, victim, 'SELECT 1')
      await killer.end()
      victim.destroy()
    }
  }
  const [victim, killer] = [await connect(), await connect()]
  await text('kill-in-transaction', victim, 'BEGIN')
  await text('kill-in-transaction', victim, "INSERT INTO work (v) VALUES ('killed')")
  await text('kill-in-transaction', killer, `KILL ${await value(victim, 'SELECT CONNECTION_ID()')}`)
  await sleep(300)
  await text('kill-in-transaction-victim', victim, 'SELECT 1')
  await text('kill-in-transaction-gone', killer, "SELECT COUNT(*) FROM work WHERE v = 'killed'")
  await text('kill-unknown', killer, 'KILL 4294967290')
  await killer.end()
  victim.destroy()
}

async function expiry() {
  const connection = await connect()
  await text('expiry-set', connection, 'SET SESSION wait_timeout = 1')
  await text('expiry-value', connection, 'SELECT @@session.wait_timeout')
  await sleep(2500)
  await text('expiry', connection, 'SELECT 1')
  await text('expiry-again', connection, 'SELECT 2')
  connection.destroy()
  const busy = await connect()
  await text('expiry-busy', busy, 'SET SESSION wait_timeout = 1')
  await text('expiry-busy', busy, 'SELECT SLEEP(2)')
  await text('expiry-busy', busy, 'SELECT 1')
  busy.destroy()
  const transaction = await connect()
  await text('expiry-transaction', transaction, 'SET SESSION wait_timeout = 1')
  await text('expiry-transaction', transaction, 'BEGIN')
  await text('expiry-transaction', transaction, "INSERT INTO work (v) VALUES ('expired')")
  await sleep(2500)
  await text('expiry-transaction', transaction, 'COMMIT')
  transaction.destroy()
  const next = await connect()
  await text('expiry-transaction-gone', next, "SELECT COUNT(*) FROM work WHERE v = 'expired'")
  await next.end()
}

async function locks() {
  const [one, other] = [await connect(), await connect()]
  const lock = `'${ENV.db} held'`
  await text('lock-get', one, `SELECT GET_LOCK(${lock}, 0)`)
  await text('lock-refused', other, `SELECT GET_LOCK(${lock}, 0), IS_FREE_LOCK(${lock})`)
  await one.end()
  await sleep(200)
  await text('lock-after-close', other, `SELECT GET_LOCK(${lock}, 2), RELEASE_ALL_LOCKS()`)
  await other.end()
}

async function pooled() {
  const pool = mysql.createPool({ ...BASE, connectionLimit: 5 })
  const rows = await Promise.all(Array.from({ length: 40 }, (_, n) => pool.execute('SELECT ? + 1 AS n', [n])))
  say(
    'pool',
    rows.map(([found]) => found[0].n),
  )
  await pool.end()
  const single = mysql.createPool({ ...BASE, connectionLimit: 1 })
  const seen = []
  for (let n = 0; n < 30; n++) {
    const connection = await single.getConnection()
    await connection.query("INSERT INTO work (v) VALUES ('pooled')")
    const [[row]] = await connection.query("SELECT COUNT(*) AS n FROM work WHERE v = 'pooled'")
    seen.push(Number(row.n) === n + 1)
    connection.release()
  }
  say('pool-read-own-writes', seen.every(Boolean))
  await single.end()
}

const QUICK = [logins, allCases, valueTypes, statements, multi, procedures, transactions, infile, commands, locks]
const LONG = [flags, big, streaming, kill, expiry, pooled]
for (const part of ENV.quick ? QUICK : [...QUICK, ...LONG]) await attempt(part.name, part)
process.exit(0)
