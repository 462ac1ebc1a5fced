import { pino } from 'pino'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { EngineHost, type EngineHostOptions } from '../../../../src/control/admin/engine/host.js'
import type { EngineRequest, RowSet, TableContents } from '../../../../src/control/admin/engine/messages.js'
import { compileEngineThread } from './engine-thread.js'

const thread = compileEngineThread()
const hosts: EngineHost[] = []

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close()
})
afterAll(() => thread.remove())

/** A host whose results are rows. */
function newHost(options: EngineHostOptions = {}) {
  const host = new EngineHost(pino({ level: 'silent' }), { threadUrl: thread.url, ...options })
  hosts.push(host)
  return {
    start: () => host.start(),
    close: () => host.close(),
    run: async (wanted: EngineRequest) => (await host.run(wanted)) as RowSet,
  }
}

const SESSION = { user: 'admin@localhost', database: 'main', connectionId: 1, version: '1.2.3' }
const request = (sql: string, fill: readonly TableContents[] = []): EngineRequest => ({
  fill,
  sql,
  params: [],
  session: SESSION,
  answer: 'rows',
})
const BOMB = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n'

const servers = (rows: TableContents['rows']): TableContents => ({
  database: 'main',
  table: 'mysql_servers',
  columns: ['hostname', 'port'],
  rows,
})

describe('EngineHost', () => {
  it('runs statements in the order in which they came', async () => {
    const host = newHost()
    const results = await Promise.all([1, 2, 3].map((n) => host.run(request(`SELECT ${n} AS n`))))
    expect(results.map((result) => result.rows)).toEqual([[['1']], [['2']], [['3']]])
  })

  it('ends the statement that runs too long, and no other that waits', async () => {
    const host = newHost({ deadlineMs: 200 })
    const bomb = host.run(request(BOMB))
    const next = host.run(request('SELECT 1 AS n'))
    await expect(bomb).rejects.toMatchObject({ errno: 3024, message: expect.stringContaining('200 ms') })
    expect((await next).rows).toEqual([['1']])
  })

  it('describes a statement that would never end', async () => {
    const host = newHost({ deadlineMs: 2000 })
    expect((await host.run({ ...request(BOMB), answer: 'describe' })).columns).toEqual(['count(*)'])
  })

  it('fills all tables or none', async () => {
    const host = newHost()
    const count = 'SELECT count(*) AS c FROM mysql_servers'
    await host.run(request(count, [servers([['a', 1]])]))
    const bad = host.run(request(count, [servers([]), { ...servers([['b', 70_000]]), database: 'disk' }]))
    await expect(bad).rejects.toMatchObject({ message: expect.stringContaining('CHECK constraint failed') })
    expect((await host.run(request(count))).rows).toEqual([['1']])
  })

  it('replaces an engine that grew too large', async () => {
    const host = newHost({ externalBytesMax: 64 << 20, deadlineMs: 25_000 })
    const count = 'SELECT count(*) AS c FROM mysql_servers'
    await host.run(request(count, [servers([['a', 1]])]))
    expect((await host.run(request('SELECT length(randomblob(80000000)) AS l'))).rows).toEqual([['80000000']])
    // A new engine: its tables are as empty as at the start.
    expect((await host.run(request(count))).rows).toEqual([['0']])
  })

  it('refuses a result that is too large, and goes on', async () => {
    const host = newHost()
    const large = "SELECT replace(hex(zeroblob(1000000)), '0', 'xx') FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9))"
    await expect(host.run(request(large))).rejects.toMatchObject({ message: expect.stringContaining('32 MB') })
    expect((await host.run(request('SELECT 1 AS n'))).rows).toEqual([['1']])
  })

  it('says that it is gone when its thread cannot start, and after it was closed', async () => {
    const broken = newHost({ threadUrl: new URL('file:///nowhere/thread.js') })
    await expect(broken.start()).rejects.toMatchObject({ errno: 1105 })
    const closed = newHost()
    await closed.close()
    await expect(closed.run(request('SELECT 1'))).rejects.toMatchObject({ message: expect.stringContaining('closes') })
  })

  it('fails what is running when it is closed', async () => {
    const host = newHost()
    const running = host.run(request(BOMB))
    const waiting = host.run(request('SELECT 1'))
    const settled = Promise.allSettled([running, waiting])
    await host.start()
    await host.close()
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })
})
