import { describe, expect, it } from 'vitest'
import { DATABASES } from '../../../../src/control/admin/engine/schema.js'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import { EVENTS_PER_KIND, EventLog } from '../../../../src/control/event-log.js'
import { all, engine, guard, log, objects, sessionOf } from './executor-fixture.js'
import { fixtureView, processRow } from './fixture.js'

describe('SHOW', () => {
  it('lists tables by pattern, schemas, columns and the definition of a table', async () => {
    expect((await all("SHOW TABLES LIKE 'runtime_mysql_s%'")).rows.flat()).toEqual([
      'runtime_mysql_servers',
      'runtime_mysql_servers_ssl_params',
    ])
    expect((await all("show tables from stats like 'stats\\_mysql\\_g%'")).rows.flat()).toEqual([
      'stats_mysql_global',
      'stats_mysql_gtid_executed',
    ])
    expect((await all('SHOW DATABASES')).rows.map((row) => row[1])).toEqual([...DATABASES])
    expect((await all('SHOW SCHEMAS')).columns).toEqual(['seq', 'name', 'file'])
    expect((await all('SHOW CREATE TABLE mysql_servers')).rows[0][1]).toMatch(/^CREATE TABLE mysql_servers \(/)
    expect((await all('SHOW CREATE TABLE `stats`.`stats_mysql_global`')).rows[0][0]).toBe('stats_mysql_global')
    expect((await objects('DESCRIBE mysql_users'))[0]).toMatchObject({ Field: 'username', Null: 'NO', Key: 'PRI' })
  })

  it('shows variables and status by pattern', async () => {
    expect(await objects("SHOW MYSQL VARIABLES LIKE 'mysql-threads'")).toEqual([
      { Variable_name: 'mysql-threads', Value: '2' },
    ])
    expect((await all('SHOW ADMIN VARIABLES')).rows.every(([name]) => name?.toString().startsWith('admin-'))).toBe(true)
    expect(await objects("SHOW GLOBAL VARIABLES WHERE Variable_name = 'mysql-threads'")).toHaveLength(1)
    expect(await objects("SHOW MYSQL STATUS LIKE 'Questions'")).toEqual([{ Variable_name: 'Questions', Value: '14' }])
  })

  it('shows sessions, servers, users, topology, workers, events and metrics', async () => {
    expect((await all('SHOW PROCESSLIST')).columns).toEqual([
      'SessionID',
      'user',
      'db',
      'hostgroup',
      'command',
      'time_ms',
      'info',
    ])
    expect((await all('SHOW FULL PROCESSLIST')).columns).toHaveLength(16)
    expect((await all('SHOW MYSQL SERVERS')).rows).toHaveLength(3)
    expect((await all('SHOW MYSQL USERS')).rows).toHaveLength(2)
    expect((await objects('SHOW TOPOLOGY'))[2]).toMatchObject({
      server: '127.0.0.1:3309',
      role: 'reader',
      status: 'SHUNNED',
      status_reason: 'no answer',
      alive: '0',
      lag_ms: '',
      source: '',
      writer_since: '',
      refused: 'writable beside the writer',
    })
    expect(await objects('SHOW TOPOLOGY')).toMatchObject([
      { source: '', writer_since: '2026-01-02 03:04:05.678', refused: '' },
      { source: '127.0.0.1:3307', writer_since: '', refused: '' },
      {},
    ])
    expect(await objects('SHOW WORKERS')).toEqual([
      {
        worker: '1',
        pid: '101',
        state: 'serving',
        snapshot_version: '7',
        uptime_s: expect.stringMatching(/^\d\d+$/),
        sessions: '3',
        connections_used: '2',
        connections_free: '1',
        questions: '14',
        memory_mb: '50.0',
        cpu_s: '1.5',
        cpu_percent: '12.5',
      },
      expect.objectContaining({ worker: '2', state: 'starting', sessions: '', cpu_percent: '' }),
    ])
    expect((await all('SHOW EVENTS')).rows).toEqual([
      ['2026-01-02 03:04:05.678', 'topology', '127.0.0.1:3309', 'SHUNNED', 'no answer', ''],
    ])
    expect((await all('SHOW PROMETHEUS METRICS')).rows[0][0]).toContain('sluice_client_connections 3')
    expect((await all('SHOW WARNINGS')).rows).toEqual([])
  })
})

describe('events and pins', () => {
  const view = fixtureView({
    processlist: async () => [
      processRow(1, 'app'),
      {
        ...processRow(2, 'batch', 'SELECT 2'),
        kept: { server: '127.0.0.1:3307', hostgroup: 0, pins: ['transaction'], holds: ['XA', 'PREPARE'], keptMs: 900 },
      },
      {
        ...processRow(3, 'app'),
        kept: { server: '127.0.0.1:3307', hostgroup: 0, pins: [], holds: ['HANDLER'], keptMs: 70_000 },
      },
    ],
  })
  const own = new AdminExecutor({ view, engine, log, guard }, [])
  for (let number = 1; number <= 3; number++) view.note({ kind: 'worker', what: `worker ${number} ended`, why: 'x' })
  view.note({ kind: 'config', what: 'LOAD MYSQL SERVERS TO RUNTIME', why: 'asked for', who: 'admin@127.0.0.1' })
  const whats = async (sql: string) => (await all(sql, [], sessionOf('stats'), own)).rows.map((row) => row[3])

  it('are filtered by kind, by condition, and cut to the newest', async () => {
    expect(await whats("SHOW EVENTS LIKE 'work%'")).toEqual(['worker 1 ended', 'worker 2 ended', 'worker 3 ended'])
    expect(await whats("SHOW EVENTS WHERE who <> ''")).toEqual(['LOAD MYSQL SERVERS TO RUNTIME'])
    expect(await whats('SHOW EVENTS LIMIT 2')).toEqual(['worker 3 ended', 'LOAD MYSQL SERVERS TO RUNTIME'])
    expect(await whats("SHOW EVENTS LIKE 'worker' LIMIT 1;")).toEqual(['worker 3 ended'])
    expect(await whats("SHOW EVENTS WHERE kind = 'worker' AND what LIKE '%2%' LIMIT 5")).toEqual(['worker 2 ended'])
    await expect(whats('SHOW EVENTS FROM here')).rejects.toMatchObject({ errno: 1064 })
  })

  it('name the connection that a session keeps, and why, the longest first', async () => {
    const { columns, rows } = await all('SHOW PINS', [], sessionOf('stats'), own)
    expect(columns.slice(0, 8)).toEqual([
      'session',
      'user',
      'client',
      'hostgroup',
      'server',
      'pins',
      'holds',
      'kept_ms',
    ])
    expect(rows.map((row) => row.slice(0, 9))).toEqual([
      ['3', 'app', '10.0.0.9:40003', '0', '127.0.0.1:3307', '', 'HANDLER', '70000', 'Sleep'],
      ['2', 'batch', '10.0.0.9:40002', '0', '127.0.0.1:3307', 'transaction', 'XA, PREPARE', '900', 'Query'],
    ])
    expect((await all("SHOW PINS LIKE 'bat%'", [], sessionOf('stats'), own)).rows.length).toBe(1)
  })

  it('of one kind do not push out those of another, and long texts are cut', () => {
    const events = new EventLog()
    events.note({ kind: 'topology', server: 'a', what: 'first', why: '' })
    for (let at = 0; at <= EVENTS_PER_KIND; at++) events.note({ kind: 'pin', what: `${at}`, why: 'y'.repeat(9_999) })
    const all = events.all()
    expect(all.length).toBe(EVENTS_PER_KIND + 1)
    expect([all[0]?.what, all[1]?.what, all.at(-1)?.what]).toEqual(['first', '1', String(EVENTS_PER_KIND)])
    expect(all.at(-1)?.why.length).toBeLessThan(1_000)
  })
})
