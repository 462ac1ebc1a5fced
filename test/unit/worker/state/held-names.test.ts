import { expect, it } from 'vitest'
import { Effect, StatementKind } from '../../../../src/sql/index.js'
import { HeldNames } from '../../../../src/worker/state/held-names.js'
import { OPTIONS as LEXICAL } from '../../sql/options.js'

const text = (sql: string) => ({ buffer: Buffer.from(sql), start: 0, end: Buffer.byteLength(sql) })
const OPTIONS = { ...LEXICAL, schema: 'shop' }

it('temporary tables last until the last one is dropped, by whichever name', () => {
  const names = new HeldNames()
  expect(names.learnTables(text('CREATE TEMPORARY TABLE a (n INT)'), OPTIONS)).toBe(true)
  expect(names.learnTables(text('CREATE TEMPORARY TABLE shop.b (n INT)'), OPTIONS)).toBe(true)
  expect(names.learnTables(text('DROP TABLE shop.a'), OPTIONS)).toBe(true)
  expect(names.learnTables(text('DROP TEMPORARY TABLE b'), OPTIONS)).toBe(false)
  names.tablesUnknown()
  expect(names.learnTables(text('DROP TABLE c'), OPTIONS)).toBe(true)
  names.clear()
  expect(names.hasTables).toBe(false)
})

it('a lock that was taken twice has to be released twice, and RELEASE_ALL_LOCKS releases all', () => {
  const names = new HeldNames()
  const take = () => names.learnLocks(text("SELECT GET_LOCK('l', 1)"), LEXICAL, Effect.advisoryLock)
  const release = (sql: string) => names.learnLocks(text(sql), LEXICAL, Effect.releasesAdvisoryLock)
  expect([take(), take()]).toEqual([true, true])
  expect([release("DO RELEASE_LOCK('l')"), release("DO RELEASE_LOCK('l')")]).toEqual([true, false])
  take()
  expect(release('DO RELEASE_ALL_LOCKS()')).toBe(false)
})

it('a lock whose name is not known lasts until all are released', () => {
  const names = new HeldNames()
  expect(names.learnLocks(text('SELECT GET_LOCK(@name, 1)'), LEXICAL, Effect.advisoryLock)).toBe(true)
  expect(names.learnLocks(text("DO RELEASE_LOCK('l')"), LEXICAL, Effect.releasesAdvisoryLock)).toBe(true)
  expect(names.learnLocks(text('DO RELEASE_ALL_LOCKS()'), LEXICAL, Effect.releasesAdvisoryLock)).toBe(false)
})

it('a statement that is prepared anew under its name is one; names have no case', () => {
  const names = new HeldNames()
  names.learnPrepared('p', StatementKind.prepare)
  expect(names.learnPrepared('P', StatementKind.prepare)).toBe(true)
  expect(names.learnPrepared('p', StatementKind.deallocate)).toBe(false)
  expect(names.learnPrepared('', StatementKind.prepare)).toBe(true)
  expect(names.learnPrepared('p', StatementKind.deallocate)).toBe(true)
})

it('handlers last until the last one is closed', () => {
  const names = new HeldNames()
  expect(names.learnHandlers(text('HANDLER a OPEN'), LEXICAL)).toBe(true)
  expect(names.learnHandlers(text('HANDLER a READ FIRST'), LEXICAL)).toBe(true)
  expect(names.learnHandlers(text('HANDLER a CLOSE'), LEXICAL)).toBe(false)
})
