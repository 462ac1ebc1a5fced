import { Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import mysql, { type Connection, type ConnectionOptions } from 'mysql2/promise'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { nativeHash } from '../../protocol/index.js'
import { startAdmin } from '../../src/control/admin/server.js'
import type { ControlView, RunningService } from '../../src/control/view.js'
import type { TlsMaterial } from '../../src/shared/snapshot.js'
import { type Certificate, makeAuthority, makeCertificate } from '../helpers/certificates.js'
import { type HandLoginOptions, loginByHand } from '../helpers/tls-client.js'
import { compileEngineThread } from '../unit/control/admin/engine-thread.js'
import { fixtureView } from '../unit/control/admin/fixture.js'

const ELSEWHERE = '192.0.2.7'
const ELSEWHERE_TOO = '2001:db8::7'
const ACCESS_DENIED = 1045
const HAS_TO_WAIT = 1129

/** A hundred statements one after the other take their time on a busy machine. */
const A_BUSY_MACHINE_MS = 120_000
vi.setConfig({ testTimeout: A_BUSY_MACHINE_MS })

const log = pino({ level: 'silent' })
const thread = compileEngineThread()
const services: RunningService[] = []

async function start(view: ControlView): Promise<number> {
  const service = await startAdmin(view, log, { engineThread: thread.url, statementDeadlineMs: 25_000 })
  services.push(service)
  return Number(service.address.split(':').at(-1))
}

afterEach(() => vi.restoreAllMocks())
afterAll(async () => {
  for (const service of services) await service.close()
  thread.remove()
})

/** From now on connections that this process accepts are those of another machine, as far as their address tells. */
function clientsComeFrom(address: string): void {
  const emit = Server.prototype.emit
  vi.spyOn(Server.prototype, 'emit').mockImplementation(function (this: Server, event, ...args) {
    if (String(event) === 'connection') Object.defineProperty(args[0] as Socket, 'remoteAddress', { value: address })
    return emit.call(this, event, ...args)
  })
}

async function using<T>(options: ConnectionOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await mysql.createConnection({
    host: '127.0.0.1',
    user: 'admin',
    password: 'admin',
    connectTimeout: A_BUSY_MACHINE_MS,
    ...options,
  })
  connection.on('error', () => {})
  try {
    return await work(connection)
  } finally {
    connection.destroy()
  }
}

/** Error number of a login; 0: it was let in. */
const outcome = (options: ConnectionOptions): Promise<number> =>
  using(options, async () => 0).catch((error: { errno: number }) => error.errno)

describe('TLS of the admin port', () => {
  let authority: Certificate
  let own: Certificate

  beforeAll(async () => {
    authority = await makeAuthority('Sluice test authority')
    own = await makeCertificate('admin', authority, { names: ['localhost'], addresses: ['127.0.0.1'] })
  })

  const material = (mode: TlsMaterial['mode'], certificate = own): TlsMaterial => ({
    ...certificate,
    mode,
    ca: mode === 'verify_ca' ? authority.cert : null,
    ticketKeys: Buffer.alloc(48, 7).toString('base64'),
  })
  const portWith = (mode: TlsMaterial['mode']) => start(fixtureView({ tls: material(mode) }))

  async function login(port: number, tlsOptions?: TlsOptions, more: HandLoginOptions = {}) {
    const made = await loginByHand(port, {
      username: 'admin',
      password: 'admin',
      ...(tlsOptions !== undefined && { tlsOptions }),
      ...more,
    })
    const certificate = made.tls?.getPeerX509Certificate()
    const { error, tls } = made
    const seen = { errno: error?.errno ?? 0, version: tls?.getProtocol() ?? null, authorized: tls?.authorized ?? null }
    made.socket.destroy()
    return { ...seen, subject: certificate?.subject ?? null }
  }

  it.each(['preferred', 'required', 'verify_ca'] as const)(
    '%s: shows the certificate of the client port, over TLS 1.2 and 1.3',
    async (mode) => {
      const port = await portWith(mode)
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const options = { minVersion: version, maxVersion: version, ca: authority.cert }
        expect(await login(port, options)).toEqual({ errno: 0, version, authorized: true, subject: 'CN=admin' })
      }
      expect((await login(port, {}, { password: 'wrong' })).errno).toBe(ACCESS_DENIED)
    },
  )

  it('refuses TLS 1.1, whatever else this process allows', async () => {
    const port = await portWith('preferred')
    const old: TlsOptions = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    await expect(login(port, old)).rejects.toThrow(/protocol version/)
    expect((await login(port)).errno).toBe(0)
  })

  it.each([
    ['preferred', 0],
    ['required', 3159],
    ['verify_ca', 3159],
  ] as const)('%s: answers who comes without TLS with %i', async (mode, errno) => {
    const port = await portWith(mode)
    expect((await login(port)).errno).toBe(errno)
    // Whether the password was right is told to nobody then.
    expect((await login(port, undefined, { password: 'wrong' })).errno).toBe(errno === 0 ? ACCESS_DENIED : errno)
  })

  it('required: lets a unix socket in without TLS, whose permissions guard it', async () => {
    const view = fixtureView({ tls: material('required') })
    const path = join(tmpdir(), `sluice-admin-${process.pid}.sock`)
    const service = await startAdmin(
      { ...view, config: { ...view.config, admin: { ...view.config.admin!, listen: [{ path }] } } },
      log,
      { engineThread: thread.url },
    )
    services.push(service)
    expect((await login(0, undefined, { path })).errno).toBe(0)
  })

  it('off: offers none', async () => {
    const port = await start(fixtureView({ tls: null }))
    expect((await login(port)).errno).toBe(0)
    await expect(using({ port, ssl: { rejectUnauthorized: false } }, async () => 0)).rejects.toMatchObject({
      code: 'HANDSHAKE_NO_SSL_SUPPORT',
    })
  })

  it('takes a new certificate, or a new mode, for the next connection', async () => {
    let tls = material('preferred')
    const view = fixtureView()
    const port = await start({ ...view, snapshot: () => ({ ...view.snapshot(), tls }) })
    expect((await login(port, {})).subject).toBe('CN=admin')
    tls = material('required', await makeCertificate('renewed', authority))
    expect((await login(port, {})).subject).toBe('CN=renewed')
    expect((await login(port)).errno).toBe(3159)
  })
})

describe('default passwords', () => {
  it.each([
    ['in clear', 'admin', 'stats'],
    ['as hashes', nativeHash('admin'), nativeHash('stats')],
  ])('%s are accepted from the local host only, at a login and at a change of user', async (_, admin, stats) => {
    const port = await start(fixtureView({ users: { admin, stats, ops: 'Secret-4711' } }))
    const accounts = [
      { user: 'admin', password: 'admin' },
      { user: 'stats', password: 'stats' },
    ]
    for (const account of accounts) expect(await outcome({ port, ...account })).toBe(0)
    for (const address of [ELSEWHERE, ELSEWHERE_TOO, `::ffff:${ELSEWHERE}`]) {
      clientsComeFrom(address)
      for (const account of accounts) {
        const error = await using({ port, ...account }, async () => null).catch((reason: unknown) => reason)
        // As for any wrong password.
        const where = address.replace('::ffff:', '')
        const message = expect.stringContaining(`Access denied for user '${account.user}'@'${where}'`)
        expect(error).toMatchObject({ errno: ACCESS_DENIED, message })
      }
      await using({ port, user: 'ops', password: 'Secret-4711' }, async (connection) => {
        await connection.query('SELECT 1')
        await expect(connection.changeUser(accounts[0])).rejects.toMatchObject({ errno: ACCESS_DENIED })
      })
      vi.restoreAllMocks()
    }
    for (const account of accounts) expect(await outcome({ port, ...account })).toBe(0)
  })

  it('that were changed are accepted from everywhere', async () => {
    const port = await start(fixtureView({ users: { admin: 'changed', stats: 'admin' } }))
    clientsComeFrom(ELSEWHERE)
    expect(await outcome({ port, password: 'changed' })).toBe(0)
    expect(await outcome({ port, user: 'stats', password: 'admin' })).toBe(0)
  })
})

describe('who guesses passwords', () => {
  const right = { user: 'ops', password: 'Secret-4711' }
  const wrong = { user: 'ops', password: 'a guess' }

  it('has to wait, the right password or not, at that address alone', async () => {
    const port = await start(fixtureView())
    clientsComeFrom(ELSEWHERE)
    for (let attempt = 0; attempt < 10; attempt++) expect(await outcome({ port, ...wrong })).toBe(ACCESS_DENIED)
    expect(await outcome({ port, ...wrong })).toBe(HAS_TO_WAIT)
    expect(await outcome({ port, ...right })).toBe(HAS_TO_WAIT)
    vi.restoreAllMocks()
    clientsComeFrom(ELSEWHERE_TOO)
    expect(await outcome({ port, ...right })).toBe(0)
  })

  it('guesses by changing the user as well, over TLS as well', async () => {
    const { cert, key } = await makeCertificate('admin', null)
    const port = await start(
      fixtureView({ tls: { cert, key, mode: 'preferred', ca: null, ticketKeys: Buffer.alloc(48).toString('base64') } }),
    )
    for (let attempt = 0; attempt < 10; attempt++) {
      const ssl = attempt % 2 === 0 ? { ssl: { rejectUnauthorized: false } } : {}
      await using({ port, ...ssl }, async (connection) => {
        await expect(connection.changeUser(wrong)).rejects.toMatchObject({ errno: ACCESS_DENIED })
      })
    }
    expect(await outcome({ port, ...right })).toBe(HAS_TO_WAIT)
    expect(await outcome({ port })).toBe(0)
  })

  it('begins anew with each login that succeeds', async () => {
    const port = await start(fixtureView())
    for (let attempt = 0; attempt < 25; attempt++) {
      expect(await outcome({ port, ...(attempt % 8 === 7 ? right : wrong) })).toBe(
        attempt % 8 === 7 ? 0 : ACCESS_DENIED,
      )
    }
  })
})

describe('a port that was made read-only', () => {
  it('refuses changes of everybody until PROXYSQL READWRITE, as admin-read_only says', async () => {
    const view = fixtureView()
    const port = await start(view)
    await using({ port }, async (connection) => {
      const readOnly = async () => (await connection.query('SELECT @@admin-read_only AS on_'))[0]
      const change = 'UPDATE mysql_servers SET weight = 7'
      await connection.query('PROXYSQL READONLY')
      expect(await readOnly()).toEqual([{ on_: 'true' }])
      for (const sql of [change, 'SAVE MYSQL SERVERS TO DISK', "SET admin-read_only = 'false'"]) {
        await expect(connection.query(sql)).rejects.toMatchObject({ errno: 1290 })
        await expect(
          using({ port, user: 'ops', password: 'Secret-4711' }, (ops) => ops.execute(sql)),
        ).rejects.toMatchObject({ errno: 1290 })
      }
      await connection.query('PROXYSQL READWRITE')
      expect(await readOnly()).toEqual([{ on_: 'false' }])
      await connection.query(change)
      // By the variable, it takes a LOAD.
      await connection.query("SET admin-read_only = 'true'")
      await connection.query(change)
      await connection.query('LOAD ADMIN VARIABLES TO RUNTIME')
      await expect(connection.query(change)).rejects.toMatchObject({ errno: 1290 })
    })
  })
})

/** Each kind of statement that changes something, or tells what only administrators may know. */
const NOT_FOR_STATS = [
  "INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (9, 'x')",
  'INSERT INTO main.mysql_servers SELECT * FROM runtime_mysql_servers',
  'INSERT OR REPLACE INTO disk.mysql_users (username) VALUES (1)',
  "REPLACE INTO mysql_users (username, password) VALUES ('stats', 'x')",
  'UPDATE mysql_servers SET weight = 7',
  "UPDATE global_variables SET variable_value = 'x:x' WHERE variable_name = 'admin-admin_credentials'",
  'UPDATE OR IGNORE `mysql_servers` SET weight = 7',
  'DELETE FROM mysql_servers',
  '/* SELECT */ DELETE FROM "mysql_servers"',
  'WITH one AS (SELECT 1) DELETE FROM mysql_servers',
  'WITH one AS (SELECT 1) UPDATE mysql_users SET active = 0',
  "WITH one AS (SELECT 1) INSERT INTO scheduler (interval_ms, filename) SELECT 1000, '/bin/false' FROM one",
  'UPDATE stats_mysql_query_rules SET hits = 0',
  "SET mysql-max_connections = '7'",
  "SET GLOBAL mysql-max_connections = '7'",
  "SET @@mysql-max_connections = '7'",
  "SET admin-admin_credentials = 'x:x'",
  'LOAD MYSQL SERVERS TO RUNTIME',
  'LOAD MYSQL USER app TO RUNTIME',
  'LOAD MYSQL VARIABLES FROM DISK',
  'LOAD ADMIN VARIABLES FROM CONFIG',
  'SAVE MYSQL USERS TO DISK',
  'SAVE MYSQL QUERY RULES FROM RUNTIME',
  "SAVE CONFIG TO FILE '/tmp/sluice-stats.yaml'",
  "SELECT CONFIG INTO OUTFILE '/tmp/sluice-stats.yaml'",
  'SELECT CONFIG FILE',
  'CHECKSUM MEMORY MYSQL USERS',
  'TRUNCATE stats_mysql_query_digest',
  'TRUNCATE TABLE stats.stats_mysql_errors',
  ...[
    ...['PAUSE', 'RESUME', 'START', 'STOP', 'RESTART', 'SHUTDOWN', 'SHUTDOWN SLOW', 'KILL', 'READONLY', 'READWRITE'],
    ...['RELOAD TLS', 'FLUSH LOGS', 'FLUSH QUERY CACHE', 'FLUSH MYSQL CLIENT HOSTS'],
  ].flatMap((operation) => [`PROXYSQL ${operation}`, `SLUICE ${operation}`]),
  'KILL 1',
  'KILL CONNECTION 1',
  'KILL QUERY 1',
  'CREATE TABLE main.own (a INT)',
  'CREATE TRIGGER t AFTER INSERT ON mysql_servers BEGIN SELECT 1; END',
  'DROP TABLE mysql_servers',
  'ALTER TABLE mysql_servers RENAME TO own',
  "ATTACH DATABASE '/tmp/sluice-stats.db' AS own",
  'VACUUM',
  'PRAGMA writable_schema = 1',
  'SELECT * FROM mysql_users',
  'SELECT * FROM runtime_mysql_users',
  'SELECT * FROM disk.mysql_users',
  'SELECT * FROM [mysql_users]',
  'SELECT hostname FROM mysql_servers UNION SELECT password FROM mysql_users',
  'SELECT (SELECT password FROM "mysql_users") AS p',
  'SELECT * FROM global_variables',
  'SELECT * FROM runtime_global_variables',
  'SELECT @@mysql-monitor_password',
  'SELECT @@admin-admin_credentials',
  'SHOW MYSQL USERS',
  'SHOW MYSQL VARIABLES',
  "SHOW VARIABLES LIKE '%password%'",
]

describe('the stats account', () => {
  const login = { user: 'stats', password: 'stats' }
  let applied: unknown[]
  let done: string[]
  let view: ControlView
  let port: number

  beforeAll(async () => {
    applied = []
    done = []
    const note = (name: string) => async () => void done.push(name)
    view = fixtureView({
      applied: (config) => applied.push(config),
      operations: {
        ...Object.fromEntries(['pause', 'resume', 'stopServing', 'restartWorkers'].map((name) => [name, note(name)])),
        shutdown: (how) => done.push(`shutdown ${how}`),
        forgetFailedLogins: () => done.push('forgetFailedLogins'),
        killSession: async () => done.push('killSession') > 0,
      },
    })
    port = await start(view)
  })

  /** All that statements could change of the configuration, without what the store knows of it itself. */
  const rows = () =>
    ['mysql_servers', 'mysql_users', 'mysql_query_rules', 'global_variables', 'scheduler'].flatMap((table) =>
      [view.store.memory, view.store.runtime, view.store.disk].map((layer) => layer.table(table).all()),
    )

  it.each([
    ['in text', (connection: Connection, sql: string) => connection.query(sql)],
    ['prepared', (connection: Connection, sql: string) => connection.execute(sql)],
    ['behind another statement', (connection: Connection, sql: string) => connection.query(`SELECT 1; ${sql}`)],
    ['before another statement', (connection: Connection, sql: string) => connection.query(`${sql}; SELECT 1`)],
  ])('changes nothing and reads no secret, %s', async (_, send) => {
    const before = JSON.stringify(rows())
    await using({ port, ...login, multipleStatements: true }, async (connection) => {
      for (const sql of NOT_FOR_STATS) {
        const errno = await send(connection, sql).then(
          () => 0,
          (error: { errno: number }) => error.errno,
        )
        expect({ sql, errno }).toEqual({ sql, errno: expect.toSatisfy((number) => number > 0) })
      }
      expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: '1' }])
    })
    expect(JSON.stringify(rows())).toBe(before)
    expect({ applied, done }).toEqual({ applied: [], done: [] })
  })

  it('reads statistics, and where servers are', async () => {
    await using({ port, ...login }, async (connection) => {
      for (const table of ['stats_mysql_connection_pool', 'runtime_mysql_servers', 'monitor.mysql_server_ping_log']) {
        expect((await connection.query(`SELECT * FROM ${table}`))[0]).not.toEqual([])
        expect((await connection.execute(`SELECT * FROM ${table}`))[0]).not.toEqual([])
      }
    })
  })

  // What is refused above is refused for who asks, not for how it is written.
  it('is the only one that is refused most of it', async () => {
    const own = await start(fixtureView())
    await using({ port: own, user: 'ops', password: 'Secret-4711' }, async (connection) => {
      const refusals: string[] = []
      for (const sql of NOT_FOR_STATS) await connection.query(sql).catch(() => refusals.push(sql))
      expect(refusals.length).toBeLessThan(NOT_FOR_STATS.length / 4)
    })
  })
})
