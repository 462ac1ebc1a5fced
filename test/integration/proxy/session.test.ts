import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { type Connection, createConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import { Capability, Command, encodeQuery } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, RawClient } from '../../helpers/raw-client.js'
import { until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
const MIB = 1 << 20

/** What a session sets up, and an expression that tells. */
const STATES: readonly [string, string][] = [
  ['SET NAMES latin1', "CONCAT(@@character_set_client, @@character_set_results, @@collation_connection, HEX('ä'))"],
  ['SET NAMES utf8mb4 COLLATE utf8mb4_bin', "CONCAT(@@collation_connection, COLLATION('x'))"],
  ['SET CHARACTER SET latin1', 'CONCAT(@@character_set_client, @@character_set_results, @@collation_connection)'],
  ['SET character_set_results = NULL', "COALESCE(@@character_set_results, 'none')"],
  ["SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", "@@sql_mode || 'x'"],
  ["SET @@sql_mode = ''", "CONCAT(@@sql_mode, '.')"],
  ["SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')", '@@sql_mode'],
  ["SET time_zone = '+05:30'", 'CONCAT(@@time_zone, FROM_UNIXTIME(0))'],
  [
    "SET @@time_zone = '-03:00', @zone = 1, @@sql_notes = 0",
    'CONCAT(@@time_zone, FROM_UNIXTIME(0), @@sql_notes, @zone)',
  ],
  ["SET SESSION time_zone = '+01:00'; SET time_zone = DEFAULT", '@@time_zone'],
  // The driver's login has put IGNORE_SPACE into it.
  ['SET @@sql_mode := DEFAULT', '@@sql_mode'],
  ["SET @@time_zone = '+01:00'; SET @@time_zone = DEFAULT", '@@time_zone'],
  [
    'SET character_set_connection = latin1; SET collation_connection = utf8mb4_bin; SET character_set_connection = latin1',
    'CONCAT(@@character_set_connection, @@collation_connection)',
  ],
  [
    'SET collation_connection = latin1_bin; SET character_set_connection = latin1; SET collation_connection = utf8mb4_bin',
    'CONCAT(@@character_set_connection, @@collation_connection)',
  ],
  [
    "SET @text = 'it''s', @number = -1.5, @nothing = NULL, @bytes = x'00ff'",
    'CONCAT(@text, @number, HEX(@bytes), @nothing IS NULL)',
  ],
  ['SET @sum = 1 + 1, @later := (SELECT COUNT(*) FROM t)', "CONCAT(@sum, '/', @later)"],
  ['SELECT 7, 8 INTO @seven, @eight', 'CONCAT(@seven, @eight)'],
  ["SET @`odd name` = 'x'", '@`odd name`'],
  ['SET timestamp = 1000000000.5', 'CONCAT(NOW(6), UNIX_TIMESTAMP())'],
  ['SET timestamp = 1000000000; SET timestamp = DEFAULT', 'YEAR(NOW()) > 2020'],
  ['SET group_concat_max_len = 4, div_precision_increment = 9', 'CONCAT(@@group_concat_max_len, 1 / 3)'],
  ["SET lc_time_names = 'de_DE'", "DAYNAME('2024-02-29')"],
  ["SET optimizer_switch = 'mrr=off'", '@@optimizer_switch'],
  ["SET @fired = 1; INSERT INTO fires VALUES ('x')", '@fired'],
  // What its OUT parameter has set is told by nobody.
  ['CALL gives_seven(@seven_given)', '@seven_given'],
  ['CALL sets_state()', 'CONCAT(@@time_zone, @@lc_time_names)'],
  ["PREPARE p FROM 'SET time_zone = ''+07:00'''; EXECUTE p", '@@time_zone'],
  ["SET time_zone = '+08:00', time_zone = '+09:00'", '@@time_zone'],
  ['USE mysql', 'DATABASE()'],
]

describe.each<Engine>(['mysql', 'mariadb'])('a session on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string
  const isolation = engine === 'mysql' ? '@@transaction_isolation' : '@@tx_isolation'

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    const run = (sql: string): Promise<unknown> => cluster.execute(cluster.primary, sql)
    await run(`CREATE TABLE ${database}.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(50))`)
    await run(`INSERT INTO ${database}.t (v) VALUES ('one'), ('two'), ('three')`)
    await run(`CREATE TABLE ${database}.big (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)`)
    await run(`CREATE TABLE ${database}.fires (v VARCHAR(50))`)
    await run(`CREATE TRIGGER ${database}.fired BEFORE INSERT ON ${database}.fires FOR EACH ROW SET @fired = 2`)
    await run(
      `CREATE PROCEDURE ${database}.sets_state() BEGIN SET time_zone = '+06:00'; SET lc_time_names = 'fr_FR'; END`,
    )
    await run(`CREATE PROCEDURE ${database}.gives_seven(OUT given INT) SET given = 7`)
    await run(
      `CREATE PROCEDURE ${database}.several() BEGIN SELECT 1 AS a; SELECT 2 AS b; INSERT INTO t (v) VALUES ('p'); END`,
    )
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { limits: { max_allowed_packet: 200 * MIB } })
  })

  const connect = (options = {}): Promise<Connection> => proxy.connect({ database, ...options })

  async function connectDirectly(options = {}): Promise<Connection> {
    const { user, password } = cluster.accounts.app
    return await createConnection({
      host: '127.0.0.1',
      port: cluster.primary.port,
      user,
      password,
      database,
      ...options,
    })
  }

  async function onReplica(client: Connection): Promise<void> {
    await until('reads to go to a replica', async () => (await value(client, 'SELECT @@port')) !== cluster.primary.port)
  }

  describe('has the same state wherever a statement runs', () => {
    it.each([...STATES, ['SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', isolation]])(
      'after %s',
      async (sets, expression) => {
        const [client, direct] = [await connect(), await connectDirectly()]
        // Both kinds of connections are there before, so that the state has to be brought to them.
        await client.query('/* sluice: primary */ SELECT 1')
        for (let i = 0; i < 6; i++) await client.query('/* hostgroup=1 */ SELECT 1')
        for (const sql of sets.split('; ')) {
          await client.query(sql)
          await direct.query(sql)
        }
        const expected = await value(direct, `SELECT ${expression}`)
        direct.destroy()
        expect(await value(client, `/* sluice: primary */ SELECT ${expression}`), 'on the primary').toEqual(expected)
        for (let i = 0; i < 6; i++) expect(await value(client, `SELECT ${expression}`), 'by itself').toEqual(expected)
        if (/@(sum|seven|fired)/.test(expression)) return
        for (let i = 0; i < 6; i++) {
          expect(await value(client, `/* hostgroup=1 */ SELECT ${expression}`), 'on a replica').toEqual(expected)
        }
      },
    )

    it('after SET CHARACTER SET, which takes the collation of the schema', async () => {
      const schema = await createDatabase(cluster)
      await cluster.execute(cluster.primary, `ALTER DATABASE ${schema} COLLATE utf8mb4_bin`)
      await cluster.waitForReplicas()
      const client = await connect({ database: schema })
      await client.query('/* sluice: primary */ SET CHARACTER SET latin1')
      // What Sluice asks for itself comes later.
      expect(await value(client, 'SELECT ROW_COUNT()')).toBe(0)
      const charsets = 'CONCAT(@@character_set_client, @@collation_connection)'
      for (const hint of ['/* hostgroup=1 */', '/* sluice: primary */']) {
        expect(await value(client, `${hint} SELECT ${charsets}`), hint).toBe('latin1utf8mb4_bin')
      }
    })

    it('after several statements at once, one of them SET NAMES', async () => {
      const client = await connect({ multipleStatements: true })
      await client.query('SELECT 1; SET NAMES utf8mb4 COLLATE utf8mb4_bin')
      for (const hint of ['/* hostgroup=1 */', '/* sluice: primary */']) {
        expect(await value(client, `${hint} SELECT @@collation_connection`), hint).toBe('utf8mb4_bin')
      }
    })

    it('after COM_INIT_DB, and after one that was refused', async () => {
      const client = await RawClient.connect({ port: proxy.port })
      await client.command(Command.INIT_DB, Buffer.from(database))
      await client.command(Command.INIT_DB, Buffer.from('no_such_schema'))
      expect(client.facts.errno).toBe(1049)
      for (const hint of ['', '/* sluice: primary */ ', '/* hostgroup=1 */ ']) {
        expect((await client.query(`${hint}SELECT DATABASE()`)).toString('latin1')).toContain(database)
      }
      await client.close()
    })
  })

  describe('keeps to the connection that holds what it has set up', () => {
    it('a temporary table, until it is dropped', async () => {
      const client = await connect()
      await client.query('CREATE TEMPORARY TABLE mine (id INT)')
      await client.query('INSERT INTO mine VALUES (1), (2)')
      for (let i = 0; i < 5; i++) expect(await value(client, 'SELECT COUNT(*) FROM mine')).toBe(2)
    })

    it('LOCK TABLES, until UNLOCK TABLES', async () => {
      const client = await connect()
      await client.query('LOCK TABLES t READ')
      for (let i = 0; i < 5; i++) expect(await value(client, 'SELECT COUNT(*) > 0 FROM t')).toBe(1)
      await expect(client.query('SELECT * FROM big')).rejects.toMatchObject({ errno: 1100 })
      await client.query('UNLOCK TABLES')
      await client.query('SELECT COUNT(*) FROM big')
      await onReplica(client)
    })

    it('and ends with COMMIT RELEASE and ROLLBACK RELEASE', async () => {
      for (const sql of ['COMMIT RELEASE', 'ROLLBACK AND NO CHAIN RELEASE']) {
        const client = await connect()
        const ended = new Promise((resolve) => client.once('end', resolve))
        await client.query(sql)
        await ended
      }
    })

    it('GET_LOCK, which shuts others out until RELEASE_LOCK', async () => {
      const [one, two] = [await connect(), await connect()]
      const name = `${database}_lock`
      expect(await value(one, `SELECT GET_LOCK('${name}', 0)`)).toBe(1)
      await one.query('SELECT 1')
      expect(await value(two, `SELECT GET_LOCK('${name}', 0)`)).toBe(0)
      expect(await value(one, `SELECT RELEASE_LOCK('${name}')`)).toBe(1)
      expect(await value(two, `SELECT GET_LOCK('${name}', 0)`)).toBe(1)
      await two.query(`SELECT RELEASE_LOCK('${name}')`)
    })
  })

  describe('is told of its last statement, wherever that ran', () => {
    it('LAST_INSERT_ID after reads in between, ROW_COUNT, FOUND_ROWS', async () => {
      const client = await connect()
      const [{ insertId }] = await client.query<ResultSetHeader>("INSERT INTO t (v) VALUES ('x'), ('y')")
      expect(await value(client, 'SELECT ROW_COUNT()')).toBe(2)
      await onReplica(client)
      expect(await value(client, 'SELECT LAST_INSERT_ID()')).toBe(insertId)
      await client.query('SELECT id FROM t ORDER BY id LIMIT 3')
      expect(await value(client, 'SELECT FOUND_ROWS()')).toBe(3)
      await client.query("UPDATE t SET v = 'z' WHERE id = ?", [insertId])
      expect(await value(client, 'SELECT ROW_COUNT()')).toBe(1)
    })

    it('SHOW WARNINGS and SHOW ERRORS after reads and writes', async () => {
      const client = await connect()
      const codes = async (sql = 'SHOW WARNINGS'): Promise<number[]> =>
        (await client.query<RowDataPacket[]>(sql))[0].map(({ Code }) => Code as number)
      for (let i = 0; i < 5; i++) {
        await client.query("SELECT CAST('x' AS SIGNED) FROM t LIMIT 1")
        expect(await codes()).toEqual([1292])
        await client.query("INSERT IGNORE INTO t (id, v) VALUES (1, 'again')")
        expect(await codes()).toEqual([1062])
        await expect(client.query('SELECT * FROM no_such_table')).rejects.toMatchObject({ errno: 1146 })
        expect(await codes('SHOW ERRORS')).toEqual([1146])
        await client.query('SELECT COUNT(*) FROM t')
        expect(await codes()).toEqual([])
      }
    })
  })

  describe('gets whole answers', () => {
    it('of several statements, the failing one last', async () => {
      const client = await connect({ multipleStatements: true })
      const [results] = await client.query<RowDataPacket[][]>(
        'SELECT 1 AS a; SELECT 2 AS b; SET @m = 3; SELECT @m AS c',
      )
      expect(results.map((rows) => (Array.isArray(rows) ? { ...rows[0] } : 'OK'))).toEqual([
        { a: 1 },
        { b: 2 },
        'OK',
        { c: 3 },
      ])
      await expect(client.query('SELECT 1; SELECT nope; SELECT 3')).rejects.toMatchObject({ errno: 1054 })
      expect(await value(client, 'SELECT 5')).toBe(5)
      const plain = await connect()
      await expect(plain.query('SELECT 1; SELECT 2')).rejects.toMatchObject({ errno: 1064 })
    })

    it('of a CALL with several results', async () => {
      const client = await connect()
      const [results] = await client.query<RowDataPacket[][]>('CALL several()')
      expect(results.slice(0, 2)).toEqual([[{ a: 1 }], [{ b: 2 }]])
      expect((results[2] as unknown as ResultSetHeader).affectedRows).toBe(1)
    })

    it('rows over 16 MB, both ways, and a 64 MB INSERT that is passed on as it comes', SLOW, async () => {
      const [client, raw] = [await connect(), await RawClient.connect({ port: proxy.port, database })]
      for (const size of [16 * MIB - 1, 17 * MIB, 64 * MIB]) {
        const bytes = Buffer.alloc(size / 2, randomBytes(1 << 10))
        await raw.query(Buffer.concat([Buffer.from("INSERT INTO big (b) VALUES (x'"), hexOf(bytes), Buffer.from("')")]))
        expect(raw.facts.errno).toBe(0)
        const [[row]] = await client.query<RowDataPacket[]>('/* sluice: primary */ SELECT b FROM big WHERE id = ?', [
          raw.facts.lastInsertId,
        ])
        expect((row['b'] as Buffer).equals(bytes)).toBe(true)
        await raw.query(`SELECT REPEAT('x', ${size})`)
        expect(raw.facts.errno).toBe(0)
        expect(raw.facts.rows).toBe(1)
        await raw.query('DELETE FROM big')
      }
      await raw.close()
    })

    it('of LOAD DATA LOCAL INFILE', async () => {
      const client = await connect({ flags: ['LOCAL_FILES'] })
      const lines = Array.from({ length: 5000 }, (_, i) => `${100_000 + i}\tline ${i}\n`).join('')
      const [{ affectedRows }] = await client.query<ResultSetHeader>({
        sql: "LOAD DATA LOCAL INFILE 'any name' INTO TABLE t",
        infileStreamFactory: () => Readable.from([Buffer.from(lines)]),
      } as never)
      expect(affectedRows).toBe(5000)
      expect(await value(client, 'SELECT COUNT(*) FROM t WHERE id >= 100000')).toBe(5000)
      await client.query('DELETE FROM t WHERE id >= 100000')
    })

    it('of LOAD DATA LOCAL INFILE that was sent behind another statement', async () => {
      const raw = await RawClient.connect({ port: proxy.port, database })
      const statements = ['SELECT 1', "LOAD DATA LOCAL INFILE 'any name' INTO TABLE t"]
      const commands = statements.map((sql) => encodeQuery(sql, raw.capabilities))
      await raw.pipeline(commands, [], Buffer.from('200000\tone\n200001\ttwo\n'))
      expect(raw.facts).toMatchObject({ errno: 0, affectedRows: 2 })
      await raw.query('DELETE FROM t WHERE id >= 200000')
      await raw.close()
    })
  })

  it('is as after its login when it has been reset', async () => {
    const client = await connect()
    await client.query("SET time_zone = '+05:00', @x = 1")
    await client.query('CREATE TEMPORARY TABLE mine (id INT)')
    await client.query('BEGIN')
    await client.query("INSERT INTO t (v) VALUES ('rolled back')")
    await client.reset()
    expect(String(await value(client, "SELECT CONCAT(@@time_zone, COALESCE(@x, 'unset'), DATABASE())"))).toBe(
      `SYSTEMunset${database}`,
    )
    expect(await value(client, "SELECT COUNT(*) FROM t WHERE v = 'rolled back'")).toBe(0)
    await expect(client.query('SELECT * FROM mine')).rejects.toMatchObject({ errno: 1146 })
  })

  describe('logs in', () => {
    it("with a schema, and not with an unknown one, a wrong password or an unknown name, in the server's words", async () => {
      expect(await value(await connect(), 'SELECT DATABASE()')).toBe(database)
      for (const options of [
        { database: 'no_such_schema' },
        { password: 'wrong' },
        { user: 'nobody' },
        { password: '' },
      ]) {
        const told = async (attempt: Promise<Connection>): Promise<unknown> =>
          attempt.then(
            () => 'logged in',
            ({ errno, sqlState, message }) => ({ errno, sqlState, message }),
          )
        expect(await told(connect(options)), JSON.stringify(options)).toEqual(await told(connectDirectly(options)))
      }
    })

    it('over TLS, and has its statements answered', async () => {
      const client = await connect({ ssl: { rejectUnauthorized: false } })
      expect(await value(client, "SELECT REPEAT('x', 100000)")).toHaveLength(100_000)
      await client.query("INSERT INTO t (v) VALUES ('over TLS')")
      expect(await value(client, "SELECT COUNT(*) FROM t WHERE v = 'over TLS'")).toBe(1)
    })
  })

  describe('prepares statements', () => {
    it('that run on replicas, and within transactions on the primary, types sent or not', async () => {
      const client = await RawClient.connect({ port: proxy.port, database })
      await client.command(Command.STMT_PREPARE, Buffer.from('SELECT ? + 1, @@port'), 1)
      const { statementId } = client.facts
      const onPrimary = async (packet: Buffer): Promise<boolean> => {
        const answer = await client.command(Command.STMT_EXECUTE, packet)
        expect(client.facts.errno, answer.toString('latin1')).toBe(0)
        expect(answer.includes(int64(42n))).toBe(true)
        return answer.includes(int64(BigInt(cluster.primary.port)))
      }
      // Not before a replica has what other sessions have written before this one began.
      await until('reads to go to a replica', async () => !(await onPrimary(executeBigint(statementId, 41n, true))))
      await client.query('BEGIN')
      expect(await onPrimary(executeBigint(statementId, 41n, false))).toBe(true)
      await client.query('COMMIT')
      // Not before a replica has all that was seen on the primary.
      await until('reads to go to a replica', async () => !(await onPrimary(executeBigint(statementId, 41n, false))))
      for (let i = 0; i < 8; i++) expect(await onPrimary(executeBigint(statementId, 41n, false))).toBe(false)
      await client.close()
    })

    // The driver's login has put IGNORE_SPACE into sql_mode: COUNT (*) is a call of the built-in function.
    it('that mean the same on further servers, whatever sql_mode and character set have become', async () => {
      const client = await connect()
      const sql = "SELECT COUNT (*), COLLATION('x') FROM t WHERE ? = 1"
      await client.query("SET NAMES utf8mb4 COLLATE 'utf8mb4_bin'")
      const prepared = await client.prepare(sql)
      await client.query("SET @@sql_mode = '', character_set_connection = latin1")
      await client.query('BEGIN') // on the primary, which has not seen the statement
      const [[row]] = (await prepared.execute([1])) as RowDataPacket[][]
      expect(Object.values(row)[1]).toBe('utf8mb4_bin')
      await client.query('COMMIT')
      await expect(client.query(sql.replace('?', '1'))).rejects.toMatchObject({ errno: 1064 })
      await prepared.close()
    })

    it('that are read with the collation that was set right before, which the server has not told', async () => {
      const client = await connect()
      await client.query('/* sluice: primary */ SET NAMES latin1, collation_connection = utf8mb4_bin')
      const prepared = await client.prepare("SELECT COLLATION('x') FROM t WHERE ? = 1")
      for (const sql of ['DO 0', 'BEGIN']) {
        await client.query(sql)
        const [[row]] = (await prepared.execute([1])) as RowDataPacket[][]
        expect(Object.values(row)).toEqual(['utf8mb4_bin'])
      }
      await client.query('COMMIT')
      await prepared.close()
    })

    it('whose parameters come ahead in pieces', async () => {
      const client = await RawClient.connect({ port: proxy.port, database })
      await client.command(Command.STMT_PREPARE, Buffer.from('SELECT LENGTH(?), @@port'), 1)
      const id = int32(client.facts.statementId)
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 10; i++) client.tell(longData(id, Buffer.alloc(200_000, 'x')))
        const answer = await client.command(
          Command.STMT_EXECUTE,
          Buffer.concat([id, Buffer.from([0, 1, 0, 0, 0, 0, 1, 0xfc, 0])]),
        )
        expect(client.facts.errno, answer.toString('latin1')).toBe(0)
        expect(answer.includes(int32(2_000_000))).toBe(true)
      }
      await client.close()
    })

    it('with cursors, whose rows are fetched where they are', async () => {
      for (const capabilities of [PLAIN_CAPABILITIES, PLAIN_CAPABILITIES | Capability.DEPRECATE_EOF]) {
        const client = await RawClient.connect({ port: proxy.port, database, capabilities })
        await client.command(Command.STMT_PREPARE, Buffer.from('SELECT id FROM t WHERE id <= 3 ORDER BY id'), 1)
        const id = int32(client.facts.statementId)
        await client.command(Command.STMT_EXECUTE, Buffer.concat([id, Buffer.from([1, 1, 0, 0, 0])]), 5)
        expect(client.facts.rows).toBe(0)
        const rows: number[] = []
        for (let i = 0; i < 2; i++) {
          await client.command(Command.STMT_FETCH, Buffer.concat([id, int32(2)]), 3)
          rows.push(client.facts.rows)
        }
        expect(rows).toEqual([2, 1])
        await client.command(Command.STMT_RESET, id)
        expect(client.facts.errno).toBe(0)
        await client.close()
      }
    })

    it('and closes them; what was never prepared or is wrong is refused as a server does', async () => {
      const [client, direct] = [await connect(), await connectDirectly()]
      for (const sql of ['SELEC 1', 'SELECT * FROM no_such_table', 'SELECT ?, ? FROM']) {
        const told = (attempt: Promise<unknown>): Promise<unknown> =>
          attempt.then(
            () => 'done',
            ({ errno, message }) => ({ errno, message }),
          )
        expect(await told(client.execute(sql))).toEqual(await told(direct.execute(sql)))
      }
      direct.destroy()
      for (let i = 0; i < 50; i++) {
        // The driver goes on using a closed statement of the same text.
        const statement = await client.prepare(`SELECT ? AS x, v FROM t WHERE id = ? /* ${i} */`)
        const [rows] = await statement.execute([i, 1])
        expect(rows).toEqual([{ x: i, v: 'one' }])
        await statement.close()
      }
      const raw = await RawClient.connect({ port: proxy.port })
      await raw.command(Command.STMT_EXECUTE, Buffer.concat([int32(99), Buffer.from([0, 1, 0, 0, 0])]))
      expect(raw.facts.errno).toBe(1243)
      await raw.close()
    })
  })

  it('that tracks its state sees what it would see without Sluice, and no GTIDs', async () => {
    const capabilities = PLAIN_CAPABILITIES | Capability.SESSION_TRACK | Capability.DEPRECATE_EOF
    const statements = [
      "INSERT INTO t (v) VALUES ('tracked')",
      "SET time_zone = '+01:00'",
      'SET sql_notes = 1',
      `USE ${database}`,
      'SET NAMES latin1',
      'BEGIN',
      "INSERT INTO t (v) VALUES ('tracked')",
      'COMMIT',
      'SET @x = 1',
      'SET autocommit = 0',
      'SET autocommit = 1',
    ]
    const answers = async (port: number): Promise<string[]> => {
      const client = await RawClient.connect({ port, database, capabilities })
      await client.query("DELETE FROM t WHERE v = 'tracked'")
      await client.query('ALTER TABLE t AUTO_INCREMENT = 1000')
      const found: string[] = []
      for (const sql of statements) found.push((await client.query(sql)).toString('latin1'))
      await client.close()
      return found
    }
    expect(await answers(proxy.port)).toEqual(await answers(cluster.primary.port))
  })
})

function hexOf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('hex'), 'latin1')
}

function int32(n: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(n)
  return bytes
}

function int64(n: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(n)
  return bytes
}

/** Payload of COM_STMT_EXECUTE with one BIGINT: id, no cursor, one iteration, no NULLs, types or none, the value. */
function executeBigint(id: number, n: bigint, withTypes: boolean): Buffer {
  const types = withTypes ? [1, 8, 0] : [0]
  return Buffer.concat([int32(id), Buffer.from([0, 1, 0, 0, 0, 0, ...types]), int64(n)])
}

/** COM_STMT_SEND_LONG_DATA for the first parameter, as a packet. */
function longData(id: Buffer, data: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(7 + data.length, 0, 3)
  return Buffer.concat([header, Buffer.from([Command.STMT_SEND_LONG_DATA]), id, Buffer.from([0, 0]), data])
}
