import { pino } from 'pino'
import { afterAll, beforeAll, expect } from 'vitest'
import { EngineHost } from '../../../../src/control/admin/engine/host.js'
import type { SqlValue } from '../../../../src/control/admin/engine/messages.js'
import { AdminExecutor } from '../../../../src/control/admin/executor.js'
import { StatementGuard } from '../../../../src/control/admin/guard.js'
import type { AdminSession, Role } from '../../../../src/control/admin/session.js'
import { AuditLog } from '../../../../src/control/audit-log.js'
import { compileEngineThread } from './engine-thread.js'
import { fixtureView } from './fixture.js'

/* An executor of admin statements over a fixed proxy, which lives for one file of tests. */

export const log = pino({ level: 'silent' })
export const thread = compileEngineThread()
export const engine = new EngineHost(log, { threadUrl: thread.url })
export const guard = new StatementGuard(
  new AuditLog(log, null),
  () => {},
  () => false,
)
export const executor = new AdminExecutor({ view: fixtureView(), engine, log, guard }, [
  {
    match: (sql) => /^explain route/i.test(sql),
    columns: ['class'],
    run: () => ({ kind: 'rows', columns: ['class'], rows: [['read']] }),
  },
])

beforeAll(() => engine.start())
afterAll(async () => {
  await engine.close()
  thread.remove()
})

export const sessionOf = (role: Role): AdminSession => ({
  user: role,
  role,
  address: '127.0.0.1',
  connectionId: 5,
  database: role === 'stats' ? 'stats' : 'main',
  warnings: [],
})

export async function all(sql: string, params: SqlValue[] = [], session = sessionOf('admin'), by = executor) {
  const result = await by.execute(sql, params, session)
  if (result.kind !== 'rows') throw new Error(`no rows: ${sql}`)
  return result
}

export async function objects(sql: string, params: SqlValue[] = []) {
  const { columns, rows } = await all(sql, params)
  return rows.map((row) => Object.fromEntries(row.map((cell, at) => [columns[at], cell])))
}

export const errnoOf = async (sql: string, session = sessionOf('admin')) => {
  const error = await executor.execute(sql, [], session).then(
    () => new Error('no error'),
    (reason: Error) => reason,
  )
  expect(error.message).toMatch(/^sluice: /)
  return error as Error & { errno: number }
}
