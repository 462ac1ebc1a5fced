import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import { Capability } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, RawClient } from '../../helpers/raw-client.js'
import { rejection, until } from './observe.js'

const TLS = { ssl: { rejectUnauthorized: false } }
const RECHECK_MS = 300
const UNLIMITED = { max_failed_logins: 0 }

describe.each<Engine>(['mysql', 'mariadb'])('accounts that only the servers know, on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let account = 0

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    proxy = await startProxy(cluster, {
      users: [],
      pass_through: { recheck_interval: RECHECK_MS },
      limits: UNLIMITED,
    })
  })

  const execute = (sql: string) => cluster.execute(cluster.primary, sql)

  /** A new account with all rights; returns its name. */
  async function createAccount(password: string, how = `IDENTIFIED BY '${password}'`): Promise<string> {
    const name = `pt_${engine}_${process.pid}_${account++}`
    await execute(`CREATE USER ${name} ${how}`)
    await execute(`GRANT ALL ON *.* TO ${name}`)
    await cluster.waitForReplicas()
    return name
  }

  const connect = (user: string, password: string, options: ConnectionOptions = {}): Promise<Connection> =>
    proxy.connect({ user, password, ...options })
  const row = async (connection: Connection, sql: string): Promise<RowDataPacket> =>
    (await connection.query<RowDataPacket[]>(sql))[0][0]

  for (const [way, options] of [
    ['over TLS', TLS],
    ['without TLS', {}],
  ] as const) {
    it(`log in ${way}, the first time and again, and are who they say`, async () => {
      const name = await createAccount('secret one')
      for (let i = 0; i < 3; i++) {
        const client = await connect(name, 'secret one', options)
        expect(await row(client, 'SELECT CURRENT_USER() AS me')).toEqual({ me: `${name}@%` })
        expect(await row(client, 'SELECT 1 AS one FROM mysql.user LIMIT 1')).toEqual({ one: 1 })
        await client.query('DO 1')
      }
    })

    it(`are refused ${way} with a wrong password, in the server's words`, async () => {
      const name = await createAccount('secret two')
      const direct = { ...options, port: cluster.primary.port }
      const { message } = await rejection(connect(name, 'wrong', engine === 'mysql' ? direct : { port: direct.port }))
      expect(message).toContain(`Access denied for user '${name}'@`)
      const refusal = { errno: 1045, sqlState: '28000', message }
      await expect(connect(name, 'wrong', options)).rejects.toMatchObject(refusal)
      await connect(name, 'secret two', options)
      await expect(connect(name, 'wrong', options)).rejects.toMatchObject(refusal)
      await connect(name, 'secret two', options)
      await expect(connect(name, '', options)).rejects.toMatchObject({
        message: message.replace('YES', 'NO'),
      })
    })
  }

  it('an account that does not exist cannot be told from a wrong password', async () => {
    for (const options of [TLS, {}]) {
      await expect(connect('nobody_at_all', 'x', options)).rejects.toMatchObject({
        errno: 1045,
        message: expect.stringMatching(/^Access denied for user 'nobody_at_all'@'.+' \(using password: YES\)$/),
      })
    }
  })

  it('an account without a password logs in with none, and not with one', async () => {
    const name = await createAccount('', '')
    for (const options of [TLS, {}]) {
      expect(await row(await connect(name, '', options), 'SELECT CURRENT_USER() AS me')).toEqual({ me: `${name}@%` })
      await expect(connect(name, 'x', options)).rejects.toMatchObject({ errno: 1045 })
    }
  })

  it('a changed password is good at once, and the old one soon no more', async () => {
    const name = await createAccount('before')
    await connect(name, 'before', TLS)
    await execute(`ALTER USER ${name} IDENTIFIED BY 'after'`)
    await connect(name, 'after', TLS)
    await until('the old password to be refused', async () => {
      try {
        await (await connect(name, 'before', TLS)).end()
        return false
      } catch (error) {
        expect(error).toMatchObject({ errno: 1045 })
        return true
      }
    })
    await connect(name, 'after', TLS)
  })

  it('a dropped account is refused soon, though it was let in a moment ago', async () => {
    const name = await createAccount('dropped')
    await connect(name, 'dropped', TLS)
    await execute(`DROP USER ${name}`)
    await until('the account to be refused', async () => {
      const outcome = await connect(name, 'dropped', TLS).catch((error: { errno: number }) => error)
      return 'errno' in outcome && outcome.errno === 1045
    })
  })

  it('reads of an account whose password Sluice has seen go to the replicas', async () => {
    const name = await createAccount('reads')
    const client = await connect(name, 'reads', { ...TLS, database: await createDatabase(cluster) })
    expect(await row(client, 'SELECT @@read_only AS replica')).toEqual({ replica: 1 })
    await client.query('CREATE TEMPORARY TABLE t (a INT)')
    expect(await row(client, 'SELECT @@read_only AS replica')).toEqual({ replica: 0 })
  })

  it("a locked account is told so in the server's words", async () => {
    const name = await createAccount('locked')
    await connect(name, 'locked', TLS)
    await execute(`ALTER USER ${name} ACCOUNT LOCK`)
    const errno = engine === 'mysql' ? 3118 : 4151
    await until('the lock to be seen', async () => {
      const outcome = await connect(name, 'locked', TLS).catch((error: { errno: number }) => error)
      return 'errno' in outcome && outcome.errno === errno
    })
  })

  it('an expired password is refused, or may be changed by a client that can', async () => {
    const name = await createAccount('expired')
    await execute(`ALTER USER ${name} PASSWORD EXPIRE`)
    await cluster.waitForReplicas()
    // MariaDB lets every client in to change it, unless disconnect_on_expired_password is on.
    if (engine === 'mysql') {
      const other = RawClient.connect({ port: proxy.port, username: name, password: 'expired' })
      await expect(other).rejects.toThrow(/^1862 /)
    }
    const capabilities = PLAIN_CAPABILITIES | Capability.CAN_HANDLE_EXPIRED_PASSWORDS
    const client = await RawClient.connect({ port: proxy.port, username: name, password: 'expired', capabilities })
    expect((await client.query('SELECT 1')).readUInt16LE(5)).toBe(1820)
    expect((await client.query("SET PASSWORD = PASSWORD('fresh')"))[4]).toBe(engine === 'mysql' ? 0xff : 0x00)
    if (engine === 'mysql') expect((await client.query("ALTER USER USER() IDENTIFIED BY 'fresh'"))[4]).toBe(0x00)
    await client.query("SET SESSION sql_mode = 'ANSI_QUOTES'")
    const answer = await client.query('SELECT @@sql_mode')
    expect(answer.toString('latin1')).toContain('ANSI_QUOTES')
    await client.close()
    await connect(name, 'fresh', TLS)
  })

  it('an unknown schema is refused as by the server', async () => {
    const name = await createAccount('schema')
    await expect(connect(name, 'schema', { ...TLS, database: 'no_such_schema' })).rejects.toMatchObject({ errno: 1049 })
  })

  it('a client may become somebody else, and leaves all behind that it had', async () => {
    const [one, two] = [await createAccount('one'), await createAccount('two')]
    const database = await createDatabase(cluster)
    const client = await connect(one, 'one', TLS)
    await client.query('SET @a = 5, SESSION sql_mode = ?', ['ANSI_QUOTES'])
    await client.query('START TRANSACTION')
    await client.query(`CREATE TEMPORARY TABLE ${database}.t (a INT)`)
    await client.changeUser({ user: two, password: 'two', database })
    expect(await row(client, 'SELECT CURRENT_USER() AS me, DATABASE() AS db, @a AS a')).toEqual({
      me: `${two}@%`,
      db: database,
      a: null,
    })
    expect((await row(client, 'SELECT @@sql_mode AS mode'))['mode']).not.toContain('ANSI_QUOTES')
    await expect(client.query('SELECT * FROM t')).rejects.toMatchObject({ errno: 1146 })
    await client.changeUser({ user: one, password: 'one' })
    expect(await row(client, 'SELECT CURRENT_USER() AS me')).toEqual({ me: `${one}@%` })
  })

  it('a refused change of the user ends the session on MySQL, and leaves it who it was on MariaDB', async () => {
    const name = await createAccount('stays')
    for (const port of [cluster.primary.port, proxy.port]) {
      const client = await createConnection({ host: '127.0.0.1', port, user: name, password: 'stays' })
      client.on('error', () => {})
      await expect(client.changeUser({ user: name, password: 'wrong' })).rejects.toMatchObject({ errno: 1045 })
      const after = await row(client, 'SELECT CURRENT_USER() AS me').catch(() => null)
      expect(after).toEqual(engine === 'mysql' ? null : { me: `${name}@%` })
      client.destroy()
    }
  })

  it('a session that writes and then changes its user reads what it wrote', async () => {
    const [one, two] = [await createAccount('w1'), await createAccount('w2')]
    const database = await createDatabase(cluster)
    const client = await connect(one, 'w1', TLS)
    await client.query(`CREATE TABLE ${database}.seen (a INT)`)
    for (let i = 0; i < 20; i++) {
      await client.query(`INSERT INTO ${database}.seen VALUES (?)`, [i])
      await client.changeUser(i % 2 === 0 ? { user: two, password: 'w2' } : { user: one, password: 'w1' })
      expect(await row(client, `SELECT COUNT(*) AS n FROM ${database}.seen`)).toEqual({ n: i + 1 })
    }
  })

  it('passwords are in no log', async () => {
    const name = await createAccount('do-not-log-me')
    await connect(name, 'do-not-log-me', TLS)
    await connect(name, 'do-not-log-me-either', TLS).catch(() => {})
    const text = readFileSync(join(proxy.configPath, '..', 'sluice.log'), 'utf8')
    expect(text).toContain(name)
    expect(text).not.toContain('do-not-log-me')
  })

  if (engine === 'mariadb') {
    it('a client that knows mysql_native_password alone is asked by the primary itself, and stays there', async () => {
      const name = await createAccount('native')
      const client = await connect(name, 'native')
      expect(await row(client, 'SELECT @@read_only AS replica, CURRENT_USER() AS me')).toEqual({
        replica: 0,
        me: `${name}@%`,
      })
      await client.query('SET @a = 5')
      await client.query({ sql: 'SELECT 1' })
      await (client as unknown as { reset(): Promise<void> }).reset()
      expect(await row(client, 'SELECT @a AS a, @@read_only AS replica')).toEqual({ a: null, replica: 0 })
      await client.query("SET SESSION sql_mode = 'ANSI_QUOTES'")
      expect(await row(client, 'SELECT @@sql_mode AS mode')).toEqual({ mode: 'ANSI_QUOTES' })
    })

    it('such a client goes on with nothing of what it has set up after a refused change of its user', async () => {
      const name = await createAccount('native stays')
      const database = await createDatabase(cluster)
      const seen = async (port: number, wanted: { password?: string; database?: string }) => {
        const login = { user: name, password: 'native stays', database }
        const client = await createConnection({ host: '127.0.0.1', port, ...login })
        await client.query("SET NAMES koi8r, @a = 5, sql_mode = 'ANSI_QUOTES'")
        await client.query('CREATE TEMPORARY TABLE kept (a INT)')
        const refusal = await client.changeUser({ ...login, ...wanted }).catch(({ errno }) => errno)
        const state = await row(
          client,
          'SELECT @a, @@sql_mode, DATABASE(), CURRENT_USER(), @@character_set_client, @@collation_connection, @@read_only',
        )
        const kept = await client.query('SELECT * FROM kept').catch(({ errno }) => errno)
        client.destroy()
        return { refusal, state, kept }
      }
      for (const wanted of [{ password: 'wrong' }, { database: 'no_such_schema' }]) {
        expect(await seen(proxy.port, wanted)).toEqual(await seen(cluster.primary.port, wanted))
      }
    })

    it('where the monitor may read the hashes, such a client reads from the replicas, too', async () => {
      const name = await createAccount('native hash')
      await execute(`GRANT SELECT ON mysql.user TO ${cluster.accounts.monitor.user}`)
      try {
        const informed = await startProxy(cluster, {
          users: [],
          limits: UNLIMITED,
          monitor: { ...cluster.accounts.monitor, accounts_interval: 1000 },
        })
        await until('the hashes to be known', async () => {
          const client = await informed.connect({ user: name, password: 'native hash' })
          const { replica } = await row(client, 'SELECT @@read_only AS replica')
          await client.end()
          return replica === 1
        })
        await expect(informed.connect({ user: name, password: 'wrong' })).rejects.toMatchObject({ errno: 1045 })
      } finally {
        await execute(`REVOKE SELECT ON mysql.user FROM ${cluster.accounts.monitor.user}`)
      }
    })
  }
})

describe('users of the configuration', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
  })

  it('are let in by a hash, and reach the servers with what their login reveals', async () => {
    const name = `hashed_${process.pid}`
    await cluster.execute(cluster.primary, `CREATE USER ${name} IDENTIFIED BY 'the password'`)
    await cluster.waitForReplicas()
    const rows = await cluster.execute(
      cluster.primary,
      `SELECT authentication_string FROM mysql.user WHERE user = '${name}'`,
    )
    const sha2 = String(Object.values(rows[0] as object)[0])
    const { nativeHash } = await import('../../../protocol/index.js')
    for (const password_hash of [sha2, nativeHash('the password')]) {
      const proxy = await startProxy(cluster, { users: [{ name, password_hash }], pass_through: { enabled: false } })
      for (let i = 0; i < 2; i++) {
        const client = await proxy.connect({ user: name, password: 'the password', ...TLS })
        const [found] = await client.query<RowDataPacket[]>('SELECT CURRENT_USER() AS me')
        expect(found).toEqual([{ me: `${name}@%` }])
        await expect(proxy.connect({ user: name, password: 'wrong', ...TLS })).rejects.toMatchObject({ errno: 1045 })
      }
    }
  })

  it('may be others towards the servers', async () => {
    const { user, password } = cluster.accounts.app
    const proxy = await startProxy(cluster, {
      users: [{ name: 'outside', password: 'outside password', backend_user: user, backend_password: password }],
      pass_through: { enabled: false },
    })
    const client = await proxy.connect({ user: 'outside', password: 'outside password' })
    const [found] = await client.query<RowDataPacket[]>('SELECT CURRENT_USER() AS me')
    expect(found).toEqual([{ me: `${user}@%` }])
    await expect(proxy.connect({ user, password })).rejects.toMatchObject({ errno: 1045 })
  })

  it('an address that fails too often has to wait, and is told so', async () => {
    const proxy = await startProxy(cluster, { limits: { max_failed_logins: 3 } })
    for (let i = 0; i < 3; i++)
      await expect(proxy.connect({ password: 'wrong' })).rejects.toMatchObject({ errno: 1045 })
    await expect(proxy.connect()).rejects.toMatchObject({
      errno: 1129,
      message: /blocked because of many failed logins/,
    })
    await until('the address to be let in again', async () =>
      proxy.connect().then(
        () => true,
        () => false,
      ),
    )
  })
})
