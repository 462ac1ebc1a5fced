import { describe, expect, it } from 'vitest'
import { type NamingOptions, temporaryTables } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

function tables(text: string, options: Partial<NamingOptions> = {}) {
  const buffer = Buffer.from(`xx${text}yy`)
  return temporaryTables(buffer, 2, buffer.length - 2, { ...OPTIONS, ...options })
}

describe('temporary tables that a statement creates', () => {
  it.each<[string, string]>([
    ['CREATE TEMPORARY TABLE t (a INT)', 's.t'],
    ['create temporary table if not exists t as select 1;', 's.t'],
    ['CREATE OR REPLACE TEMPORARY TABLE db.t LIKE other', 'db.t'],
    ['CREATE TEMPORARY TABLE `odd ``name` (a INT)', 's.odd `name'],
    ['CREATE /* c */ TEMPORARY TABLE `db` . T SELECT 1 -- done', 'db.T'],
    ['/*! CREATE TEMPORARY TABLE t (a INT) */', 's.t'],
    ['CREATE TEMPORARY TABLE größe (a INT)', 's.größe'],
  ])('%s', (text, name) => {
    expect(tables(text)).toEqual({ created: [name], dropped: [] })
  })

  it('are in double quotes under ANSI_QUOTES', () => {
    const text = 'CREATE TEMPORARY TABLE "a""b" (a INT)'
    expect(tables(text, { ansiQuotes: true })).toEqual({ created: ['s.a"b'], dropped: [] })
    expect(tables(text)).toBeNull()
  })
})

describe('tables that a statement drops', () => {
  it.each<[string, string[]]>([
    ['DROP TEMPORARY TABLE t', ['s.t']],
    ['DROP TABLE IF EXISTS t, db.u RESTRICT', ['s.t', 'db.u']],
    ['drop temporary tables a,`b`,c cascade;', ['s.a', 's.b', 's.c']],
    ['DROP TABLE t WAIT 10', ['s.t']],
    ['DROP TABLE t NOWAIT', ['s.t']],
  ])('%s', (text, names) => {
    expect(tables(text)).toEqual({ created: [], dropped: names })
  })

  it('may be sequences on MariaDB', () => {
    const options = { flavor: 'mariadb' } as const
    expect(tables('CREATE TEMPORARY SEQUENCE q START 5', options)).toEqual({ created: ['s.q'], dropped: [] })
    expect(tables('DROP SEQUENCE IF EXISTS q, r', options)).toEqual({ created: [], dropped: ['s.q', 's.r'] })
    expect(tables('CREATE TEMPORARY SEQUENCE q')).toBeNull()
  })
})

describe('an ALTER TABLE', () => {
  it('without RENAME changes no names', () => {
    expect(tables('ALTER TABLE t ADD COLUMN b INT DEFAULT 1')).toEqual({ created: [], dropped: [] })
  })

  it.each(['ALTER TABLE t RENAME TO u', 'ALTER TABLE t ADD b INT, RENAME u', 'RENAME TABLE t TO u'])(
    '%s: a table may have got another name',
    (text) => {
      expect(tables(text)).toBeNull()
    },
  )
})

describe('what temporary tables a statement leaves cannot be told', () => {
  it.each([
    ['it creates an ordinary table', 'CREATE TABLE t (a INT)'],
    ['several statements', 'DROP TABLE t; CREATE TEMPORARY TABLE t (a INT)'],
    ['a part that runs on some versions', 'DROP TABLE t /*!80100 , u */'],
    ['a part that runs on one flavour', 'CREATE TEMPORARY TABLE /*!100500 IF NOT EXISTS */ t (a INT)'],
    ['a name with a dot', 'CREATE TEMPORARY TABLE `a.b` (a INT)'],
    ['a schema with a dot', 'DROP TABLE `a.b`.c'],
    ['something unknown behind the names', 'DROP TABLE t EVER'],
    ['no name', 'DROP TABLE'],
    ['no table', 'DROP VIEW v'],
    ['a name that does not end', 'DROP TABLE `t'],
    ['a string that does not end', "CREATE TEMPORARY TABLE t SELECT 'a"],
    ['a procedure', 'CALL p()'],
    ['nothing', ''],
  ])('%s', (_, text) => {
    expect(tables(text)).toBeNull()
  })

  it('a name that is no UTF-8', () => {
    const text = Buffer.from('DROP TABLE \xe9t', 'latin1')
    expect(temporaryTables(text, 0, text.length, OPTIONS)).toBeNull()
  })

  it('a name without a schema in a session without one', () => {
    expect(tables('DROP TABLE t', { schema: '' })).toBeNull()
    expect(tables('DROP TABLE db.t', { schema: '' })).toEqual({ created: [], dropped: ['db.t'] })
  })
})
