import { describe, expect, it, vi } from 'vitest'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import type { Operations } from '../../../../src/control/view.js'
import { UsageError } from '../../../../src/shared/errors.js'
import { all, engine, errnoOf, executor, guard, log, sessionOf } from './executor-fixture.js'
import { fixtureView } from './fixture.js'

describe('refusals', () => {
  it.each([
    ["UPDATE runtime_mysql_servers SET hostgroup_id=0 WHERE hostname='db1'", 1290, /LOAD MYSQL SERVERS TO RUNTIME/],
    ["INSERT INTO stats.stats_mysql_global VALUES ('x', 'y')", 1290, /only be read/],
    ["INSERT INTO stats_mysql_global VALUES ('x', 'y')", 1290, /only be read/],
    ['DELETE FROM nowhere', 1146, /'nowhere'/],
    ['DELETE FROM nowhere.mysql_users', 1049, /expected one of main/],
    ['DELETE mysql_users', 1064, /expected DELETE FROM/],
    ['UPDATE mysql_servers SET nope = 1', 1054, /no such column: nope/],
    ['UPDATE mysql_servers SET weight = -1', 3819, /weight >= 0/],
    ['INSERT INTO mysql_servers (hostname) VALUES (NULL)', 1048, /mysql_servers.hostname/],
    ["INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (0, '127.0.0.1', 3307)", 1062, /REPLACE/],
    ["INSERT INTO mysql_servers VALUES (1, 'a')", 1105, /15 columns but 2 values/],
    ['INSERT INTO mysql_servers (hostname) VALUES (?)', 1064, /expected 1 values/],
    ["INSERT INTO mysql_users (username) VALUES ('x') RETURNING username", 1064, /no RETURNING/],
    ["INSERT INTO mysql_users (username, comment) VALUES ('x', x'ff00')", 1105, /column comment: expected a text/],
    ["INSERT INTO global_variables VALUES ('mysql-max_conections', '5')", 1105, /unknown variable/],
    ["INSERT INTO global_variables VALUES ('max_connections', '5')", 1105, /expected a name of mysql-/],
    [
      "UPDATE global_variables SET variable_value = 'many' WHERE variable_name = 'mysql-max_connections'",
      1105,
      /global_variables \('mysql-max_connections'\), column variable_value: expected a whole number from 1 to 1000000, got "many"/,
    ],
    ["SET mysql-max_connections='many'", 1105, /expected a whole number from 1 to 1000000, got "many"/],
    ['SET mysql-nonesuch = 1', 1193, /'mysql-nonesuch'/],
    ["SET mysql-monitor_enabled = 'false'", 1105, /expected true: without its monitor/],
    ['SET mysql-max_connections = 1, mysql-wait_timeout = 2', 1064, /one variable at a time/],
    ['LOAD MYSQL SERVERS', 1064, /expected TO RUNTIME, FROM MEMORY, FROM DISK, TO MEMORY, FROM CONFIG/],
    ['LOAD MYSQL SERVERS TO DISK', 1064, /after LOAD MYSQL SERVERS/],
    ['LOAD MYSQL SERVERS FROM DISK', 1105, /has not been saved to disk/],
    ['LOAD MYSQL USER nobody TO RUNTIME', 1105, /no user 'nobody'/],
    ["SELECT CONFIG INTO OUTFILE '/nowhere/at/all/sluice.yaml/x'", 1105, /cannot be written|ENO|EACC/],
    ["SELECT CONFIG INTO OUTFILE ''", 1064, /expected the path/],
    ['LOAD DATA', 1064, /expected LOAD and one of MYSQL SERVERS/],
    ['SET GLOBAL max_connections = 5', 1235, /SHOW VARIABLES/],
    ['KILL CONNECTION 5', 1094, /Unknown thread id: 5/],
    ['KILL QUERY all', 1064, /the number of a session .*, got all/],
    ['KILL 1 2', 1064, /expected KILL \[CONNECTION\|QUERY\]/],
    ['PROXYSQL DANCE', 1235, /expected PAUSE, RESUME/],
    ['TRUNCATE TABLE mysql_servers', 1235, /expected TRUNCATE of stats_mysql_query_digest/],
    ['TRUNCATE TABLE', 1235, /expected TRUNCATE of/],
    ['TRUNCATE stats.stats_mysql_errors now', 1064, /name of a table/],
    ['TRUNCATE main.stats_mysql_errors', 1049, /expected one of stats/],
    ['', 1065, /expected one statement/],
    ['-- nothing', 1065, /expected one statement/],
    ['SELECT 1; SELECT 2', 1064, /one statement at a time/],
    ['SELEC 1', 1064, /expected SELECT, .* at "SELEC"/],
    ['SELECT 1 FROM', 1064, /syntax error/],
    ['SELECT x FROM mysql_servers', 1054, /no such column: x/],
    ['SELECT * FROM nowhere', 1146, /no such table: nowhere/],
    ['SHOW TABLES FROM nowhere', 1049, /expected one of main, disk/],
    ['USE nowhere', 1049, /expected one of main/],
    ['SHOW CREATE TABLE nowhere', 1146, /SHOW TABLES/],
    ['SHOW TABLES LIKE', 1064, /expected LIKE 'pattern'/],
    ['SELECT @@nothing', 1193, /'nothing'/],
    ['SELECT @a', 1064, /found "@a"/],
    ['select $$', 1064, /found "\$\$"/],
    ["SELECT 'open", 1064, /closing '/],
    ['SELECT nonesuch(1)', 1305, /no such function/],
    ['PRAGMA journal_mode', 1064, /expected SELECT/],
    ["ATTACH 'out.txt' AS x", 1064, /expected SELECT/],
    ['VACUUM', 1064, /expected SELECT/],
    ['CREATE TABLE x (y)', 1064, /expected SELECT/],
    ['DROP TABLE mysql_servers', 1064, /expected SELECT/],
    ["SELECT load_extension('x')", 1305, /no such function/],
    ["SELECT writefile('out.txt', 'y')", 1305, /no such function/],
    ['SELECT 1) UNION SELECT 2 FROM (SELECT 2', 1064, /no closing parenthesis/],
  ])('%s', async (sql, errno, text) => {
    const error = await errnoOf(sql)
    expect(error.message).toMatch(text)
    expect(error.errno).toBe(errno)
  })

  it.each<[string, keyof Operations, readonly unknown[]]>([
    ['PROXYSQL PAUSE', 'pause', []],
    ['proxysql  resume;', 'resume', []],
    ['SLUICE START', 'resume', []],
    ['PROXYSQL STOP', 'stopServing', []],
    ['PROXYSQL RESTART', 'restartWorkers', []],
    ['PROXYSQL SHUTDOWN', 'shutdown', ['drain', 'admin@127.0.0.1']],
    ['PROXYSQL SHUTDOWN SLOW', 'shutdown', ['slow', 'admin@127.0.0.1']],
    ['SLUICE KILL', 'shutdown', ['kill', 'admin@127.0.0.1']],
    ['PROXYSQL FLUSH MYSQL CLIENT HOSTS', 'forgetFailedLogins', []],
    ['KILL 1', 'killSession', [1, false]],
    ['KILL CONNECTION 1', 'killSession', [1, false]],
    ['KILL QUERY 1', 'killSession', [1, true]],
  ])('%s is for administrators, and does it', async (sql, operation, expected) => {
    const called: unknown[][] = []
    const operations = {
      [operation]: async (...args: unknown[]) => {
        called.push(args)
        return true
      },
    }
    const view = fixtureView({ operations })
    const own = new AdminExecutor({ view, engine, log, guard }, [])
    await expect(own.execute(sql, [], sessionOf('stats'))).rejects.toMatchObject({ errno: 1235 })
    expect(await own.execute(sql, [], sessionOf('admin'))).toMatchObject({ kind: 'ok' })
    await vi.waitFor(() => expect(called).toEqual([expected]))
    const told = view.events().filter(({ kind }) => kind === 'admin')
    expect(told.length).toBe(sql.startsWith('KILL') ? 0 : 1)
  })

  it('tells why an operation was not done, and that it was not', async () => {
    const restartWorkers = async () => {
      throw new UsageError('worker 3 ended with exit code 3 before it listened')
    }
    const view = fixtureView({ operations: { restartWorkers } })
    const own = new AdminExecutor({ view, engine, log, guard }, [])
    await expect(own.execute('PROXYSQL RESTART', [], sessionOf('admin'))).rejects.toMatchObject({
      errno: 1105,
      message: 'sluice: worker 3 ended with exit code 3 before it listened',
    })
    expect(view.events().filter(({ kind }) => kind === 'admin')).toEqual([])
  })

  it('PROXYSQL RELOAD TLS says what is wrong with the files, and is for administrators', async () => {
    expect(await executor.execute('PROXYSQL RELOAD TLS', [], sessionOf('admin'))).toMatchObject({ kind: 'ok' })
    await expect(executor.execute('PROXYSQL RELOAD TLS', [], sessionOf('stats'))).rejects.toThrow('sluice: ')
    const tlsProblem = 'sluice.yaml: tls.key: key.pem: is not the key of cert.pem'
    const broken = new AdminExecutor({ view: fixtureView({ tlsProblem }), engine, log, guard }, [])
    await expect(broken.execute('PROXYSQL RELOAD TLS', [], sessionOf('admin'))).rejects.toMatchObject({
      errno: 1105,
      message: `sluice: TLS not reloaded: ${tlsProblem}`,
    })
  })

  it('lets the statistics account change nothing', async () => {
    const stats = sessionOf('stats')
    for (const sql of [
      'DELETE FROM mysql_servers',
      'WITH x AS (SELECT 1) DELETE FROM disk.mysql_users',
      'SET mysql-threads = 1',
    ]) {
      expect((await errnoOf(sql, stats)).errno).toBe(1142)
    }
    for (const sql of [
      'LOAD MYSQL USERS TO RUNTIME',
      'SAVE MYSQL USERS TO DISK',
      'CHECKSUM MYSQL USERS',
      'SAVE CONFIG TO FILE x',
    ]) {
      expect((await errnoOf(sql, stats)).message).toMatch(/statistics only/)
    }
  })

  it('keeps the statistics account from the configuration, however the table is written', async () => {
    const stats = sessionOf('stats')
    for (const name of [
      'mysql_users',
      'runtime_mysql_users',
      '`mysql_users`',
      '"MYSQL_USERS"',
      "'mysql_users'",
      '[mysql_users]',
      'disk.mysql_users',
    ]) {
      expect((await errnoOf(`SELECT * FROM ${name}`, stats)).errno).toBe(1142)
    }
    expect((await errnoOf('SHOW MYSQL USERS', stats)).errno).toBe(1142)
    expect((await errnoOf('SELECT CONFIG FILE', stats)).message).toMatch(/statistics only/)
    expect((await all('SELECT * FROM runtime_mysql_servers', [], stats)).rows).toHaveLength(3)
    expect((await all('SHOW TABLES', [], stats)).rows.flat()).toContain('stats_mysql_global')
  })
})
