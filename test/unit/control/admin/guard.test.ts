import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, describe, expect, it } from 'vitest'
import { syntaxError } from '../../../../src/control/admin/errors.js'
import { effectOf, StatementGuard } from '../../../../src/control/admin/guard.js'
import { newSession } from '../../../../src/control/admin/session.js'
import { withoutSecrets } from '../../../../src/control/admin/statement-secrets.js'
import { AuditLog } from '../../../../src/control/audit-log.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-audit-'))
const path = join(folder, 'audit.jsonl')
const silent = pino({ level: 'silent' })
const session = newSession('ops', 'admin', '10.0.0.9', 7, undefined)
const lines = (file = path) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('what a statement may do', () => {
  it.each([
    ["UPDATE mysql_servers SET status='OFFLINE_SOFT'", 'changes'],
    ['  /* runbook 7 */ -- step one\n delete from mysql_users', 'changes'],
    ['/*!40101 SET mysql-max_connections=5 */', 'changes'],
    ['LOAD  MYSQL SERVERS TO RUNTIME', 'changes'],
    ['SAVE MYSQL USERS TO DISK;', 'changes'],
    ['TRUNCATE stats_mysql_query_digest', 'changes'],
    ["SET mysql-monitor_password='x'", 'changes'],
    ['SET GLOBAL mysql-threads = 4', 'changes'],
    ['SET @@global.admin-read_only = 1', 'changes'],
    ['WITH x AS (SELECT 1) INSERT INTO mysql_servers (hostname) SELECT * FROM x', 'changes'],
    ["WITH x AS (SELECT 1) SELECT replace('a', 'b', 'c')", 'none'],
    ['PROXYSQL PAUSE', 'acts'],
    ['sluice shutdown', 'acts'],
    ['KILL QUERY 7', 'acts'],
    ['SET NAMES utf8mb4', 'none'],
    ['SET autocommit=0', 'none'],
    ['SHOW TABLES', 'none'],
    ['SELECT * FROM mysql_users', 'none'],
    ["EXPLAIN ROUTE UPDATE t SET a = 'x\\'", 'none'],
    ["UPDATE mysql_users SET password = 'open", 'none'],
  ])('%s', (sql, effect) => {
    expect(effectOf(sql)).toBe(effect)
  })
})

describe('a statement in a log', () => {
  it.each([
    ["UPDATE mysql_servers  SET comment='a',\n weight=5", "UPDATE mysql_servers SET comment='a', weight=5"],
    [
      "UPDATE mysql_users SET password='s3cret', comment='kept' WHERE username='app'",
      "UPDATE mysql_users SET password='***', comment='kept' WHERE username='app'",
    ],
    [
      "UPDATE mysql_users SET comment='kept',`password` = 's3' || lower(\"S3\") || 3 WHERE username='app'",
      "UPDATE mysql_users SET comment='kept',`password` = '***' || lower('***') || '***' WHERE username='app'",
    ],
    [
      "INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('app','s3cret',0), ('b', 's3', 1)",
      "INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('app','***',0), ('b', '***', 1)",
    ],
    ["REPLACE INTO mysql_users VALUES ('app', 's3cret', 1)", "REPLACE INTO mysql_users VALUES ('app', '***', 1)"],
    [
      "INSERT INTO mysql_users (username, password) SELECT 'app', 's3cret'",
      "INSERT INTO mysql_users (username, password) SELECT '***', '***'",
    ],
    ["DELETE FROM mysql_users WHERE password = 's3cret'", "DELETE FROM mysql_users WHERE password = '***'"],
    ["SET mysql-monitor_password = 's3cret'", "SET mysql-monitor_password = '***'"],
    ["SET mysql-monitor_username = 'mon'", "SET mysql-monitor_username = 'mon'"],
    ['SET admin-admin_credentials="admin:s3cret"', "SET admin-admin_credentials='***'"],
    [
      "UPDATE global_variables SET variable_value='s3cret' WHERE variable_name='mysql-monitor_password'",
      "UPDATE global_variables SET variable_value='***' WHERE variable_name='mysql-monitor_password'",
    ],
    [
      "UPDATE global_variables SET variable_value='7' WHERE variable_name='mysql-threads'",
      "UPDATE global_variables SET variable_value='7' WHERE variable_name='mysql-threads'",
    ],
    [
      "UPDATE global_variables SET variable_value='s3cret' WHERE variable_name LIKE '%word'",
      "UPDATE global_variables SET variable_value='***' WHERE variable_name LIKE '***'",
    ],
    ["UPDATE mysql_users SET password='s3cret", 'UPDATE ... (not understood)'],
  ])('%s', (sql, shown) => {
    expect(withoutSecrets(sql)).toBe(shown)
  })

  it('is cut when it is long', () => {
    expect(withoutSecrets(`DELETE FROM mysql_servers WHERE comment = '${'x'.repeat(9_999)}'`).length).toBeLessThan(
      2_100,
    )
  })
})

describe('the audit log', () => {
  const audit = new AuditLog(silent, path)
  const events: unknown[] = []
  const guard = new StatementGuard(
    audit,
    (event) => events.push(event),
    () => false,
  )

  it('has a line for each statement that changes something, with its outcome, and none for others', async () => {
    await guard.run(session, "UPDATE mysql_users SET password='s3cret'", async () => 'done')
    await guard.run(session, 'SELECT 1', async () => 'done')
    const failing = guard.run(session, 'LOAD NOTHING', async () => {
      throw syntaxError("expected something, got 's3cret'")
    })
    await expect(failing).rejects.toThrow('expected something')
    expect(lines()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        action: 'statement',
        user: 'ops',
        address: '10.0.0.9',
        statement: "UPDATE mysql_users SET password='***'",
        outcome: 'ok',
      },
      expect.objectContaining({ statement: 'LOAD NOTHING', outcome: 'error 1064 (admin-syntax)' }),
    ])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).not.toContain('s3cret')
  })

  it('has loads among the events, too, with who asked for them', async () => {
    await guard.run(session, 'LOAD  MYSQL SERVERS TO RUNTIME', async () => 'done')
    const what = 'LOAD MYSQL SERVERS TO RUNTIME'
    expect(events).toEqual([{ kind: 'config', what, why: 'asked for', who: 'ops@10.0.0.9' }])
  })

  it('is appended to, and begins anew when it was moved away and is opened again', () => {
    const before = lines().length
    const again = new AuditLog(silent, path)
    again.write({ action: 'login', user: 'ops', address: 'localhost', outcome: 'ok' })
    expect(lines().length).toBe(before + 1)
    renameSync(path, `${path}.1`)
    again.write({ action: 'login', user: 'ops', address: 'localhost', outcome: 'ok' })
    expect(lines(`${path}.1`).length).toBe(before + 2)
    again.reopen()
    again.write({ action: 'login', user: 'new', address: 'localhost', outcome: 'ok' })
    expect(lines()).toMatchObject([{ user: 'new' }])
    again.close()
  })

  it('that cannot be written is told at the start, by its path', () => {
    expect(() => new AuditLog(silent, join(folder, 'no', 'such'))).toThrow(
      /admin\.audit_log: .* cannot be written \(ENOENT\)/,
    )
  })
})

describe('a read-only port', () => {
  it('lets nothing change the configuration, but is administered all the same', async () => {
    let readOnly = true
    const guard = new StatementGuard(
      new AuditLog(silent, null),
      () => {},
      () => readOnly,
    )
    const run = (sql: string) => guard.run(session, sql, async () => 'done')
    for (const sql of ['DELETE FROM mysql_servers', 'LOAD MYSQL USERS TO RUNTIME', 'SET mysql-threads=2']) {
      await expect(run(sql)).rejects.toMatchObject({
        errno: 1290,
        message: expect.stringContaining('PROXYSQL READWRITE'),
      })
    }
    for (const sql of ['SELECT 1', 'SET NAMES utf8', 'PROXYSQL READWRITE', 'KILL 5'])
      expect(await run(sql)).toBe('done')
    readOnly = false
    expect(await run('DELETE FROM mysql_servers')).toBe('done')
  })
})
