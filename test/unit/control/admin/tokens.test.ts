import { describe, expect, it } from 'vitest'
import { pattern } from '../../../../src/control/admin/pattern.js'
import { sqlText, tablesNamed } from '../../../../src/control/admin/sql-text.js'
import { STATEMENT_LENGTH_MAX, scan } from '../../../../src/control/admin/tokens.js'

const texts = (sql: string) => scan(sql).map((token) => token.text)

describe('scan', () => {
  it.each([
    ['SELECT  a.`b c`,"d" FROM [e] ;;', ['SELECT', 'a', '.', '`b c`', ',', '"d"', 'FROM', '[e]']],
    ["a='it''s' -- end", ['a', '=', "'it''s'"]],
    ["a='back\\' # end", ['a', '=', "'back\\'"]],
    ['1.5e-3+.5+0x1F', ['1.5e-3', '+', '.5', '+', '0x1F']],
    ['a<>b||c>=d', ['a', '<>', 'b', '||', 'c', '>=', 'd']],
    ['/* one */ a /*!40101 b */ /*M!100100 c */ /*M d */', ['a', 'b', 'c']],
    ['a--b', ['a', '-', '-', 'b']],
    ['@@global.mysql-max_connections-1', ['@@global.mysql-max_connections-1']],
    ['@@autocommit-1', ['@@autocommit', '-', '1']],
    ['größe', ['größe']],
  ])('cuts %s', (sql, expected) => {
    expect(texts(sql)).toEqual(expected)
  })

  it('takes quotes off names and texts, doubled ones once', () => {
    expect(scan('`a``b` "c""d" \'e\'\'f\' [g"h]').map((token) => token.value)).toEqual(['a`b', 'c"d', "e'f", 'g"h'])
  })

  it.each(["'a", '"a', '`a', '[a', '/* a', '@a', ':a', '$a', '@@', 'a;b', '(a', 'a)', ')('])(
    'refuses %s, saying what was expected',
    (sql) => {
      expect(() => scan(sql)).toThrow(/^sluice: expected /)
    },
  )

  it('refuses a statement that is too long before it looks at it', () => {
    expect(() => scan(' '.repeat(STATEMENT_LENGTH_MAX + 1))).toThrow(/at most 1048576 characters/)
  })
})

describe('sqlText', () => {
  it('takes double quotes for a name where one exists, else for a text', () => {
    const sql = 'SELECT "hostname", "Other" AS "mine" FROM "mysql_servers" WHERE comment = "it\'s" ORDER BY "mine"'
    expect(sqlText(scan(sql))).toBe(
      'SELECT "hostname", \'Other\' AS "mine" FROM "mysql_servers" WHERE comment = \'it\'\'s\' ORDER BY "mine"',
    )
  })

  it('puts values in the place of variables, under their own name where they are a column', () => {
    const variables = () => new Map([['mysql-threads', "4'"]])
    expect(sqlText(scan('SELECT @@mysql-threads, @@autocommit + 1, @@autocommit AS a'), variables)).toBe(
      "SELECT '4''' AS \"@@mysql-threads\", '1' + 1, '1' AS a",
    )
  })

  it('finds the tables that a statement names, however they are quoted', () => {
    const named = tablesNamed(
      scan('SELECT * FROM stats.`Stats_MySQL_Global` a JOIN "mysql_users" USING (x), \'disk\'.[scheduler]'),
    )
    expect([...named].sort()).toEqual(['mysql_users', 'scheduler', 'stats_mysql_global'])
  })
})

describe('pattern', () => {
  it('takes keywords in any case, optional ones, choices, single tokens and the rest', () => {
    const show = pattern('SHOW [FULL] {TABLES|COLUMNS} FROM <database> ...')
    const match = show.match(scan("show columns from `x` like 'y'"))
    expect(match?.keywords).toEqual(['SHOW', 'COLUMNS', 'FROM'])
    expect(match?.taken.get('database')?.value).toBe('x')
    expect(match?.rest.map((token) => token.text)).toEqual(['like', "'y'"])
    expect(show.match(scan('SHOW FULL TABLES FROM x'))?.keywords).toContain('FULL')
  })

  it.each(['SHOW', 'SHOW TABLES', 'SHOW TABLES FROM', "SHOW 'TABLES' FROM x", 'SHOWTABLES FROM x'])(
    'leaves %s to others',
    (sql) => {
      expect(pattern('SHOW [FULL] {TABLES|COLUMNS} FROM <database> ...').match(scan(sql))).toBeNull()
    },
  )

  it('without dots at its end takes nothing more', () => {
    expect(pattern('SHOW WORKERS').match(scan('SHOW WORKERS NOW'))).toBeNull()
  })
})
