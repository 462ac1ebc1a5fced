import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createConnection as connectSocket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import mysql, { type Connection, type ConnectionOptions } from 'mysql2/promise'
import { pino } from 'pino'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAdmin } from '../../src/control/admin/server.js'
import type { ControlView, RunningService } from '../../src/control/view.js'
import { obtainServer } from '../../src/sandbox/index.js'
import { compileEngineThread } from '../unit/control/admin/engine-thread.js'
import { fixtureView, processRow } from '../unit/control/admin/fixture.js'

const log = pino({ level: 'silent' })
const thread = compileEngineThread()
const services: RunningService[] = []
let tls: { key: string; cert: string }
let view: ControlView
let port: number

const runClient = promisify(execFile)
const portOf = (service: RunningService) => Number(service.address.split(':').at(-1))

async function start(of: ControlView, options: { statementDeadlineMs?: number } = {}): Promise<number> {
  // Long enough for a busy machine; the tests about the limit set it themselves.
  const service = await startAdmin(of, log, { engineThread: thread.url, statementDeadlineMs: 25_000, ...options })
  services.push(service)
  return portOf(service)
}

beforeAll(async () => {
  const made = await generate([{ name: 'commonName', value: 'sluice' }], { keySize: 2048, algorithm: 'sha256' })
  tls = { key: made.private, cert: made.cert }
  view = fixtureView({ tls: { ...tls, mode: 'preferred', ca: null, ticketKeys: Buffer.alloc(48).toString('base64') } })
  port = await start(view)
})

afterAll(async () => {
  for (const service of services) await service.close()
  thread.remove()
})

const connect = (options: ConnectionOptions = {}): Promise<Connection> =>
  mysql.createConnection({ host: '127.0.0.1', port, user: 'admin', password: 'admin', ...options })

async function using<T>(options: ConnectionOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connect(options)
  try {
    return await work(connection)
  } finally {
    connection.destroy()
  }
}

/** What a connection attempt ends with. */
const failure = (options: ConnectionOptions): Promise<{ errno?: number; message: string }> =>
  using(options, async () => ({ message: 'connected' })).catch((error) => error)

describe('mysql2', () => {
  it('reads tables in text and in binary, every value a text', async () => {
    await using({}, async (connection) => {
      const [text, fields] = await connection.query('SELECT hostgroup_id, hostname, port FROM runtime_mysql_servers')
      const [binary] = await connection.execute('SELECT hostgroup_id, hostname, port FROM runtime_mysql_servers')
      expect(text).toEqual(binary)
      expect(text).toContainEqual({ hostgroup_id: '1', hostname: '127.0.0.1', port: '3308' })
      expect(fields.map((field) => field.columnType)).toEqual([253, 253, 253])
    })
  })

  it('binds numbers, texts, NULL and bytes in prepared statements, and prepares the same one again', async () => {
    await using({}, async (connection) => {
      const sql = 'SELECT ? AS a, ? AS b, ? AS c, hostname FROM mysql_servers WHERE port = ? AND comment = ?'
      const values = [1.5, 'Grüße', null, 3307, "the primary's own"]
      for (let run = 0; run < 3; run++) {
        const [rows] = await connection.execute(sql, values)
        expect(rows).toEqual([{ a: '1.5', b: 'Grüße', c: null, hostname: '127.0.0.1' }])
      }
      const [bytes] = await connection.execute("SELECT hex(?) AS h, ? = 'text' AS same", [
        Buffer.from([0xff, 0x00]),
        Buffer.from('text'),
      ])
      expect(bytes).toEqual([{ h: 'FF00', same: '1' }])
      await connection.unprepare(sql)
    })
  })

  it('tells what was wrong and goes on, in text and when preparing', async () => {
    await using({}, async (connection) => {
      await expect(connection.query('SELECT * FROM nowhere')).rejects.toMatchObject({ errno: 1146, sqlState: '42S02' })
      await expect(connection.execute('SELECT nope FROM mysql_servers')).rejects.toMatchObject({ errno: 1054 })
      await expect(connection.query("UPDATE runtime_mysql_servers SET status='ONLINE'")).rejects.toMatchObject({
        errno: 1290,
      })
      await expect(connection.execute('LOAD MYSQL SERVERS TO NOWHERE')).rejects.toMatchObject({ errno: 1064 })
      const [rows] = await connection.query('SELECT 1 AS one')
      expect(rows).toEqual([{ one: '1' }])
    })
  })

  it('changes tables, in text and prepared, and says how many rows', async () => {
    const own = await start(fixtureView())
    await using({ port: own }, async (connection) => {
      const insert = 'INSERT INTO mysql_servers (hostgroup_id, hostname, port, comment) VALUES (?, ?, ?, ?)'
      for (const port of [3306, 3307]) {
        expect((await connection.execute(insert, [5, 'db5', port, "it's"]))[0]).toMatchObject({ affectedRows: 1 })
      }
      expect((await connection.query(insert, [5, 'db5', 3308, 'Grüße']))[0]).toMatchObject({ affectedRows: 1 })
      const [updated] = await connection.execute('UPDATE mysql_servers SET weight = ? WHERE hostgroup_id = ?', [3, 5])
      expect(updated).toMatchObject({ affectedRows: 3 })
      const [schedule] = await connection.query("INSERT INTO scheduler (interval_ms, filename) VALUES (500, '/x')")
      expect(schedule).toMatchObject({ affectedRows: 1, insertId: 1 })
      expect((await connection.query('LOAD MYSQL SERVERS TO RUNTIME'))[0]).toMatchObject({ warningStatus: 0 })
      const [rows] = await connection.execute(
        'SELECT comment, weight FROM mysql_servers WHERE port > 3306 AND hostname = ?',
        ['db5'],
      )
      expect(rows).toEqual([
        { comment: "it's", weight: '3' },
        { comment: 'Grüße', weight: '3' },
      ])
    })
  })

  it('logs in with TLS and without', async () => {
    await using({ ssl: { ca: tls.cert, checkServerIdentity: () => undefined } as never }, async (connection) => {
      expect((await connection.query('SELECT USER() AS u'))[0]).toEqual([{ u: 'admin@localhost' }])
    })
    await using({ user: 'ops', password: 'Secret-4711' }, async (connection) => {
      expect((await connection.query('SELECT CURRENT_USER() AS u'))[0]).toEqual([{ u: 'ops@localhost' }])
    })
  })

  it('accepts any schema, PING, RESET and a change of user, whose rights hold from then on', async () => {
    await using({ database: 'shop' }, async (connection) => {
      expect((await connection.query('SELECT DATABASE() AS d'))[0]).toEqual([{ d: 'main' }])
      await connection.query('USE stats')
      expect((await connection.query('SELECT DATABASE() AS d'))[0]).toEqual([{ d: 'stats' }])
      await connection.ping()
      await connection.reset()
      expect((await connection.query('SELECT DATABASE() AS d'))[0]).toEqual([{ d: 'main' }])
      await connection.changeUser({ user: 'stats', password: 'stats' })
      await expect(connection.query('SELECT * FROM mysql_users')).rejects.toMatchObject({ errno: 1142 })
      await expect(connection.changeUser({ user: 'ops', password: 'wrong' })).rejects.toMatchObject({ errno: 1045 })
    })
  })

  it('reads a result of 100,000 rows, and is refused more', async () => {
    const many = (count: number) =>
      `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ${count}) SELECT x, 'filler' AS f FROM n`
    await using({}, async (connection) => {
      const [rows] = await connection.query(many(100_000))
      expect((rows as { x: string }[]).at(-1)).toEqual({ x: '100000', f: 'filler' })
      await expect(connection.query(many(100_001))).rejects.toMatchObject({
        message: expect.stringMatching(/100000 rows/),
      })
    })
  })

  it('serves many clients at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        using({}, async (connection) => (await connection.execute('SELECT ? AS at', [at]))[0]),
      ),
    )
    expect(answers.flat()).toEqual(Array.from({ length: 40 }, (_, at) => ({ at: String(at) })))
  })
})

describe('accounts', () => {
  it('refuses wrong passwords and unknown names alike', async () => {
    const own = await start(fixtureView())
    const wrong = await failure({ port: own, password: 'wrong' })
    const unknown = await failure({ port: own, user: 'nobody', password: 'wrong' })
    const blank = await failure({ port: own, user: 'admin', password: '' })
    for (const error of [wrong, unknown, blank]) expect(error.errno).toBe(1045)
    expect(unknown.message).toBe(wrong.message.replace('admin', 'nobody'))
    expect(blank.message).toMatch(/using password: NO/)
  })

  it('lets nobody guess on: after ten failures a name has to wait at its address, other names do not', async () => {
    const own = await start(fixtureView())
    for (let attempt = 0; attempt < 10; attempt++) {
      expect((await failure({ port: own, password: `guess ${attempt}` })).errno).toBe(1045)
    }
    const blocked = await failure({ port: own })
    expect(blocked).toMatchObject({ errno: 1129, message: expect.stringMatching(/'admin' .* for \d+ s/) })
    expect((await failure({ port: own, user: 'stats', password: 'stats' })).message).toBe('connected')
  })
})

describe('limits', () => {
  it('ends a statement that runs too long, while this process goes on, and answers the next one', async () => {
    const own = await start(fixtureView(), { statementDeadlineMs: 300 })
    let ticks = 0
    const ticking = setInterval(() => ticks++, 10)
    await using({ port: own }, async (connection) => {
      const bomb = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n'
      const waiting = using({ port: own }, async (other) => (await other.query('SELECT 7 AS seven'))[0])
      await expect(connection.query(bomb)).rejects.toMatchObject({ errno: 3024 })
      expect(await waiting).toEqual([{ seven: '7' }])
      expect((await connection.query('SELECT count(*) AS c FROM runtime_mysql_servers'))[0]).toEqual([{ c: '3' }])
    })
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(10)
  })

  it('answers nonsense with an error or an end, and stays up', async () => {
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(64, 0xff), Buffer.from([0, 0, 0, 1])]) {
      await new Promise<void>((resolve) => {
        const socket = connectSocket(port, '127.0.0.1')
        socket.on('error', () => {}).on('close', () => resolve())
        socket.once('data', () => socket.end(bytes)).on('data', () => {})
      })
    }
    await using({}, async (connection) => connection.ping())
  })

  it('keeps a session usable while the workers answer late', async () => {
    let release: (() => void) | undefined
    const late = new Promise<void>((resolve) => {
      release = resolve
    })
    const own = await start(
      fixtureView({
        processlist: async () => {
          await late
          return [processRow(9, 'app')]
        },
      }),
    )
    await using({ port: own }, async (connection) => {
      const list = connection.query('SHOW PROCESSLIST')
      await using({ port: own }, async (other) => other.query('SELECT * FROM stats_mysql_global'))
      release?.()
      expect((await list)[0]).toMatchObject([{ SessionID: '9', user: 'app' }])
    })
  })
})

/** The command-line clients that come with the servers. What they send is in admin-wire.test.ts as well. */
describe.each(['mysql', 'mariadb'] as const)('the command-line client of %s', (engine) => {
  it('connects, completes names, and prints what this port answers', async () => {
    const [program, ...before] = (await obtainServer({ engine })).client ?? [engine]
    const statements = 'SHOW TABLES LIKE "runtime_mysql_servers"; SELECT hostname, port FROM mysql_servers LIMIT 1'
    const args = [
      '--no-defaults',
      '-h127.0.0.1',
      `-P${port}`,
      '-uadmin',
      '-padmin',
      '--auto-rehash',
      '--vertical',
      '-Dmain',
    ]
    // The port is served by this very process: it must not stand still while the client runs.
    const run = await runClient(program, [...before, ...args, '-e', statements], {
      timeout: 20_000,
      env: pluginsOf(before),
    })
    expect(run.stderr.replace(/.*insecure.*\n/, '')).toBe('')
    expect(run.stdout).toContain('runtime_mysql_servers')
    expect(run.stdout).toContain('hostname: 127.0.0.1')
  })
})

/**
 * The environment of a client that was unpacked into a folder: MariaDB's looks for the plugins of its logins where the machine
 * has them, unless it is told (Connector/C, `MARIADB_PLUGIN_DIR`).
 * @param loading what stands before the program: its loader, and the folders of its libraries
 */
function pluginsOf(loading: readonly string[]): NodeJS.ProcessEnv {
  const libraries = (loading[loading.indexOf('--library-path') + 1] ?? '').split(':')
  const plugins = libraries.map((folder) => join(folder, 'libmariadb3/plugin')).find((folder) => existsSync(folder))
  return plugins === undefined ? process.env : { ...process.env, MARIADB_PLUGIN_DIR: plugins }
}
