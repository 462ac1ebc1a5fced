import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineHost } from '../../../../src/control/admin/engine/host.js'
import type { SqlValue } from '../../../../src/control/admin/engine/messages.js'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import type { Config } from '../../../../src/control/config/config-schema.js'
import { all, guard, log, sessionOf, thread } from './executor-fixture.js'
import { type FixtureOptions, fixtureView } from './fixture.js'

describe('writes', () => {
  /** A proxy of their own: what others read stays as it is. */
  const changing = (options: FixtureOptions = {}) => {
    const view = fixtureView(options)
    const by = new AdminExecutor({ view, engine: own, log, guard }, [])
    const session = sessionOf('admin')
    const run = (sql: string, params: SqlValue[] = []) => by.execute(sql, params, session)
    const read = async (sql: string) => (await all(sql, [], session, by)).rows
    return { view, run, read, by, session }
  }
  let own: EngineHost
  beforeEach(async () => {
    own = new EngineHost(log, { threadUrl: thread.url })
    await own.start()
  })
  afterEach(() => own.close())

  it('change rows of memory: any statement of SQLite, and what it has done is counted', async () => {
    const { run, read } = changing()
    expect(await run("UPDATE mysql_servers SET hostgroup_id = 0 WHERE port = '3308'")).toMatchObject({
      affectedRows: 1,
    })
    expect(await run('UPDATE mysql_servers SET weight = ? WHERE port > ?', [5, 3307])).toMatchObject({
      affectedRows: 2,
    })
    expect(
      await run("INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (3, 'db1'), (3, 'db2'), (3, \"db3\")"),
    ).toMatchObject({ affectedRows: 3, lastInsertId: 0 })
    expect(await run("REPLACE INTO mysql_servers(hostgroup_id,hostname,port) VALUES(3,'db1',3306);")).toMatchObject({
      affectedRows: 1,
    })
    expect(
      await run("WITH x AS (SELECT 'db2' AS h) DELETE FROM main.mysql_servers WHERE hostname IN (SELECT h FROM x)"),
    ).toMatchObject({ affectedRows: 1 })
    expect(
      await run("INSERT IGNORE mysql_servers (hostgroup_id, hostname) VALUES (3, 'db3'), (3, 'db4')"),
    ).toMatchObject({ affectedRows: 1 })
    expect(
      await run(
        'INSERT INTO mysql_servers SELECT 4, hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment, ssl_mode, compression_algorithm, proxy_protocol FROM mysql_servers WHERE hostgroup_id = 3',
      ),
    ).toMatchObject({ affectedRows: 3 })
    expect(await read('SELECT hostgroup_id, hostname, port, weight FROM mysql_servers ORDER BY 1, 2, 3')).toEqual([
      ['0', '127.0.0.1', '3307', '1'],
      ['0', '127.0.0.1', '3308', '5'],
      ['1', '127.0.0.1', '3309', '5'],
      ['3', 'db1', '3306', '1'],
      ['3', 'db3', '3306', '1'],
      ['3', 'db4', '3306', '1'],
      ['4', 'db1', '3306', '1'],
      ['4', 'db3', '3306', '1'],
      ['4', 'db4', '3306', '1'],
    ])
    expect(await read('SELECT count(*) FROM runtime_mysql_servers')).toEqual([['3']])
  })

  it('of the disk are there at the next start, and tell the id of a row that was numbered', async () => {
    const { run, read } = changing()
    expect(await run("INSERT INTO disk.scheduler (interval_ms, filename) VALUES (1000, '/bin/true')")).toMatchObject({
      lastInsertId: 1,
    })
    expect(await run("INSERT INTO disk.scheduler (interval_ms, filename) VALUES (1000, '/bin/true')")).toMatchObject({
      lastInsertId: 2,
    })
    expect(await read('SELECT count(*) FROM scheduler')).toEqual([['0']])
    await run('LOAD SCHEDULER FROM DISK')
    expect(await read('SELECT id, filename FROM scheduler')).toEqual([
      ['1', '/bin/true'],
      ['2', '/bin/true'],
    ])
  })

  it('take ProxySQL’s number of values for ProxySQL’s columns', async () => {
    const { run, read } = changing()
    await run("INSERT INTO mysql_servers VALUES (2,'db1',3306,0,'ONLINE',1,0,1000,0,0,0,'(a, b)')")
    expect(await read("SELECT comment, proxy_protocol FROM mysql_servers WHERE hostname='db1'")).toEqual([
      ['(a, b)', 'off'],
    ])
    const copy =
      "SELECT 3, hostname, port, gtid_port, status, weight, 0, MAX(1, 2), 0, 0, 0, (SELECT 'a') FROM mysql_servers"
    await run(`INSERT INTO mysql_servers ${copy} WHERE hostname = 'db1'`)
    await run("REPLACE INTO mysql_servers SELECT 4, 'db1', 3306, 0, 'ONLINE', 1, 0, 1000, 0, 0, 0, ''")
    // As many as there are with Sluice's own.
    await run('INSERT OR IGNORE INTO mysql_servers SELECT * FROM mysql_servers')
    expect(await read("SELECT hostgroup_id, comment FROM mysql_servers WHERE hostname='db1'")).toEqual([
      ['2', '(a, b)'],
      ['3', 'a'],
      ['4', ''],
    ])
  })

  it('that fail leave nothing behind, however they ask for it', async () => {
    const { run, read } = changing()
    for (const how of ['', 'OR FAIL', 'OR ROLLBACK', 'OR ABORT']) {
      const sql = `INSERT ${how} INTO mysql_users (username) VALUES ('new'), ('app')`
      await expect(run(sql)).rejects.toMatchObject({ errno: 1062 })
    }
    await expect(
      run("UPDATE global_variables SET variable_value = '0' WHERE variable_name LIKE 'mysql-max%'"),
    ).rejects.toMatchObject({ errno: 1105 })
    expect(await read("SELECT count(*) FROM mysql_users WHERE username = 'new'")).toEqual([['0']])
    expect(
      await read("SELECT variable_value FROM global_variables WHERE variable_name = 'mysql-max_connections'"),
    ).toEqual([['10000']])
  })

  it('never show a password, and never lose one: the hash of a row that is changed or copied stands for it', async () => {
    const applied: Config[] = []
    const { run, read } = changing({ applied: (config) => applied.push(config) })
    await run("UPDATE mysql_users SET max_connections = 7, password = password WHERE username = 'app'")
    await run(
      "INSERT INTO mysql_users (username, password) SELECT 'copy', password FROM mysql_users WHERE username = 'app'",
    )
    await run("INSERT INTO mysql_users (username, password) VALUES ('fresh', 'clear')")
    expect(JSON.stringify(await read('SELECT * FROM mysql_users'))).not.toMatch(/"app",\s*"app"|clear/)
    await run('LOAD MYSQL USERS TO RUN')
    expect(applied.at(-1)?.users.map(({ name, password, passwordHash }) => [name, password, passwordHash])).toEqual([
      ['app', 'app', null],
      ['open', '', null],
      ['copy', 'app', null],
      ['fresh', 'clear', null],
    ])
    expect(JSON.stringify(await read('SELECT * FROM runtime_mysql_users'))).not.toContain('clear')
  })

  it('never show a password to a statement that was prepared after they ran', async () => {
    const { run, read, by, session } = changing()
    await run("INSERT INTO mysql_users (username, password) VALUES ('fresh', 'clear')")
    await by.describe('SELECT password FROM mysql_users', session)
    expect(JSON.stringify(await read('SELECT * FROM mysql_users'))).not.toContain('clear')
  })

  it('outlive the engine: a statement that ran too long takes its thread with it, and nothing else', async () => {
    await own.close()
    own = new EngineHost(log, { threadUrl: thread.url, deadlineMs: 2000 })
    const { run: write, read: look } = changing()
    await write('UPDATE mysql_servers SET weight = 9')
    const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n'
    await expect(write(`UPDATE mysql_servers SET weight = (${endless})`)).rejects.toMatchObject({ errno: 3024 })
    expect(await look('SELECT DISTINCT weight FROM mysql_servers')).toEqual([['9']])
  })

  it('come one after the other, also with LOAD among them', async () => {
    const { run, read, view } = changing()
    const statements = Array.from({ length: 30 }, (_, at) => [
      run('INSERT INTO mysql_users (username) VALUES (?)', [`user${at}`]),
      run('LOAD MYSQL USERS TO RUNTIME'),
      run(`UPDATE mysql_users SET max_connections = max_connections + 1 WHERE username = 'user${at}'`),
      run(at % 2 === 0 ? 'SAVE MYSQL USERS TO DISK' : 'SELECT count(*) FROM mysql_users'),
    ])
    await Promise.all(statements.flat())
    expect(await read("SELECT count(*), min(max_connections) FROM mysql_users WHERE username LIKE 'user%'")).toEqual([
      ['30', '10001'],
    ])
    expect(view.store.runtime.table('mysql_users').all()).toHaveLength(32)
  })

  it('SET changes a variable of memory; LOAD tells by warnings what there is to know', async () => {
    const { run, read } = changing()
    for (const sql of [
      "SET mysql-max_connections='55'",
      'set @@mysql-wait_timeout = 1000',
      'SET GLOBAL mysql-multiplexing = false',
    ]) {
      expect(await run(sql)).toMatchObject({ kind: 'ok', affectedRows: 1 })
    }
    expect(
      await read(
        "SHOW VARIABLES WHERE Variable_name IN ('mysql-max_connections', 'mysql-wait_timeout', 'mysql-multiplexing')",
      ),
    ).toEqual([
      ['mysql-max_connections', '55'],
      ['mysql-multiplexing', 'false'],
      ['mysql-wait_timeout', '1000'],
    ])
    const inRuntime =
      "SELECT variable_value FROM runtime_global_variables WHERE variable_name = 'mysql-max_connections'"
    expect(await read('SELECT @@mysql-max_connections')).toEqual([['55']])
    expect(await read(inRuntime)).toEqual([['10000']])
    await run('LOAD MYSQL VARIABLES TO RUNTIME')
    expect(await read('SELECT @@mysql-max_connections')).toEqual([['55']])
    expect(await read(inRuntime)).toEqual([['55']])
    await run('DELETE FROM mysql_servers')
    expect(await run('LOAD MYSQL SERVERS FROM MEM')).toMatchObject({ warnings: 1 })
    expect(await read('SHOW WARNINGS')).toEqual([['Warning', '1105', expect.stringContaining('there are no servers')]])
    await run('SAVE MYSQL SERVERS TO MEM')
    expect(await read('SHOW WARNINGS')).toEqual([])
  })

  it('are seen by CHECKSUM and runtime_checksums_values', async () => {
    const { run, read } = changing()
    const before = await read("SELECT version, checksum FROM runtime_checksums_values WHERE name = 'mysql_users'")
    const [[, memory]] = await read('CHECKSUM MYSQL USERS')
    expect(await read('CHECKSUM MEMORY MYSQL USERS')).toEqual([['MYSQL USERS', memory]])
    expect(before[0][1]).toBe(memory)
    await run('DELETE FROM mysql_users')
    expect((await read('CHECKSUM MYSQL USERS'))[0][1]).not.toBe(memory)
    await run('LOAD MYSQL USERS TO RUNTIME')
    const [after] = await read("SELECT version, checksum FROM runtime_checksums_values WHERE name = 'mysql_users'")
    expect(after).toEqual(['2', (await read('CHECKSUM MYSQL USERS'))[0][1]])
    expect((await read('CHECKSUM DISK MYSQL USERS'))[0][1]).toBe(after[1])
  })
})
