import { describe, expect, it } from 'vitest'
import { type NamingOptions, tablesRead, tablesWritten } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

function ask(of: typeof tablesRead, text: string, options: Partial<NamingOptions> = {}) {
  const buffer = Buffer.from(`xx${text}yy`)
  const names = of(buffer, 2, buffer.length - 2, { ...OPTIONS, ...options })
  return names === null ? null : [...names].sort()
}

const read = (text: string, options?: Partial<NamingOptions>) => ask(tablesRead, text, options)
const written = (text: string, options?: Partial<NamingOptions>) => ask(tablesWritten, text, options)

describe('tables that a query reads', () => {
  it.each<[string, string[]]>([
    ['SELECT 1', []],
    ['SELECT 1 FROM DUAL', []],
    ['SELECT * FROM t', ['s.t']],
    ['select * from T;', ['s.t']],
    ['SELECT * FROM db.t', ['db.t']],
    ['SELECT * FROM `Db` . `odd ``name` AS x', ['db.odd `name']],
    ['SELECT t.a, u.b FROM t, db.u x, `v`', ['db.u', 's.t', 's.v']],
    ['SELECT * FROM a JOIN b ON a.i = b.i LEFT OUTER JOIN c USING (i), d', ['s.a', 's.b', 's.c', 's.d']],
    ['SELECT * FROM a NATURAL JOIN b CROSS JOIN c STRAIGHT_JOIN d', ['s.a', 's.b', 's.c', 's.d']],
    ['SELECT * FROM (a, b JOIN c ON a.x = b.x), d', ['s.a', 's.b', 's.c', 's.d']],
    ['SELECT * FROM a LEFT JOIN (b CROSS JOIN (c, d)) ON f(a.x, b.x), e', ['s.a', 's.b', 's.c', 's.d', 's.e']],
    ['SELECT * FROM (SELECT x, y FROM a WHERE z IN (1, 2)) d, b', ['s.a', 's.b']],
    ['SELECT * FROM ((SELECT 1 FROM a) UNION (SELECT 2 FROM b)) d JOIN c', ['s.a', 's.b', 's.c']],
    ['SELECT (SELECT MAX(x) FROM a), b.x FROM b WHERE EXISTS (SELECT * FROM c WHERE c.i = b.i)', ['s.a', 's.b', 's.c']],
    ['SELECT x FROM a WHERE y = 1 GROUP BY p, q HAVING r > 1 ORDER BY m, n LIMIT 1, 2', ['s.a']],
    ['SELECT x FROM a UNION ALL SELECT y FROM b ORDER BY 1, 2', ['s.a', 's.b']],
    ['(SELECT 1 FROM a) UNION (SELECT 2 FROM b) LIMIT 3, 4', ['s.a', 's.b']],
    ['SELECT 1 FROM a INTERSECT SELECT 1 FROM b EXCEPT SELECT 1 FROM c', ['s.a', 's.b', 's.c']],
    ['TABLE t ORDER BY a, b LIMIT 5', ['s.t']],
    ['TABLE a UNION TABLE db.b', ['db.b', 's.a']],
    ['VALUES ROW(1, 2), ROW(3, 4)', []],
    ['SELECT * FROM (VALUES ROW(1)) v, (TABLE t) w', ['s.t']],
    ['SELECT a FROM t PARTITION (p0, p1) AS x, u', ['s.t', 's.u']],
    ['SELECT a FROM t USE INDEX FOR ORDER BY (i), u', ['s.t', 's.u']],
    ['SELECT a FROM t FORCE INDEX FOR JOIN (i, j) JOIN u', ['s.t', 's.u']],
    ['SELECT a FROM t IGNORE KEY (i), u x', ['s.t', 's.u']],
    ['SELECT * FROM { OJ a LEFT OUTER JOIN b ON a.i = b.i }, c', ['s.a', 's.b', 's.c']],
    ['SELECT EXTRACT(YEAR FROM d), TRIM(BOTH FROM x), SUBSTRING(y FROM 2 FOR 3) FROM t', ['s.t']],
    ["SELECT TRIM(LEADING 'x' FROM (SELECT n FROM a)) FROM b", ['s.a', 's.b']],
    ['SELECT COUNT(*), t.from, t.join FROM t', ['s.t']],
    ['SELECT * FROM JSON_TABLE(\'[1]\', "$[*]" COLUMNS (x INT PATH "$")) j, t', ['s.t']],
    ['SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.i = a.i) l', ['s.a', 's.b']],
    ['SELECT x, SUM(y) FROM t GROUP BY x WITH ROLLUP ORDER BY x', ['s.t']],
    ['SELECT MATCH (a, b) AGAINST ("x" WITH QUERY EXPANSION) FROM t', ['s.t']],
    ['SELECT * FROM t -- FROM u\n WHERE a = "FROM v" /* JOIN w */', ['s.t']],
    ['SELECT /*! STRAIGHT_JOIN */ * FROM t', ['s.t']],
    ['SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b, c) FROM t', ['s.t']],
    // Common table expressions.
    ['WITH c AS (SELECT * FROM a) SELECT * FROM c JOIN b', ['s.a', 's.b']],
    ['WITH c (x, y) AS (SELECT * FROM a), d AS (SELECT * FROM c) SELECT * FROM d, c', ['s.a']],
    ['WITH RECURSIVE c AS (SELECT 1 UNION ALL SELECT n + 1 FROM c, a) SELECT * FROM c', ['s.a']],
    ['WITH t AS (SELECT * FROM t) SELECT * FROM t', ['s.t']],
    ['WITH `c` AS (SELECT 1) SELECT * FROM `c`, db.c', ['db.c']],
    ['WITH c AS (SELECT 1 FROM a) SELECT 1 FROM c UNION SELECT 2 FROM c', ['s.a']],
    ['(WITH c AS (SELECT 1 FROM a) SELECT * FROM c) UNION SELECT * FROM c', ['s.a', 's.c']],
    ['SELECT * FROM (WITH c AS (SELECT 1 FROM a) SELECT * FROM c) x, c', ['s.a', 's.c']],
    ['SELECT * FROM (WITH c AS (SELECT 1 FROM a) SELECT (SELECT 1 FROM c) FROM b) x', ['s.a', 's.b']],
  ])('%s', (text, names) => {
    expect(read(text)).toEqual(names)
  })

  it.each<[string]>([
    ['SHOW TABLES'],
    ['DESCRIBE t'],
    ['EXPLAIN SELECT * FROM t'],
    ['CHECKSUM TABLE t'],
    ['UPDATE t SET a = 1'],
    ['SELECT 1 FROM a; SELECT 2 FROM b'],
    ['SELECT * FROM a /*!80000 JOIN b */'],
    ['SELECT * FROM größe'],
    ['SELECT * FROM a,'],
    ['SELECT * FROM (a'],
    ['SELECT * FROM a)'],
    ['SELECT * FROM t FOR SYSTEM_TIME FROM "2020" TO "2021"'],
    ['SELECT "x'],
    [''],
  ])('cannot be told: %s', (text) => {
    expect(read(text)).toBeNull()
  })

  it('need a schema where they are written without one', () => {
    expect(read('SELECT * FROM t', { schema: '' })).toBeNull()
    expect(read('SELECT * FROM db.t', { schema: '' })).toEqual(['db.t'])
    expect(read('SELECT 1', { schema: '' })).toEqual([])
  })

  it('are in double quotes under ANSI_QUOTES', () => {
    expect(read('SELECT * FROM "t"', { ansiQuotes: true })).toEqual(['s.t'])
    expect(read('SELECT * FROM "t"')).toBeNull()
  })
})

describe('tables that a statement writes', () => {
  it.each<[string, string[]]>([
    ['INSERT INTO t VALUES (1, 2)', ['s.t']],
    ['insert low_priority ignore db.t (a, b) select * from u', ['db.t']],
    ['INSERT t SET a = 1 ON DUPLICATE KEY UPDATE a = 2', ['s.t']],
    ['REPLACE INTO `t` (a) VALUES (1)', ['s.t']],
    ['REPLACE DELAYED t VALUES (1)', ['s.t']],
    ['UPDATE t SET a = 1, b = 2 WHERE c = 3', ['s.t']],
    ['UPDATE LOW_PRIORITY IGNORE db.t AS x SET a = 1 ORDER BY b LIMIT 1', ['db.t']],
    ['UPDATE a, b JOIN c ON a.i = c.i SET a.x = 1, b.y = 2', ['s.a', 's.b', 's.c']],
    ['UPDATE a SET x = (SELECT MAX(y) FROM b)', ['s.a', 's.b']],
    ['DELETE FROM t WHERE a = 1', ['s.t']],
    ['DELETE QUICK FROM db.t LIMIT 1', ['db.t']],
    ['DELETE a, b FROM a JOIN b ON a.i = b.i, c', ['s.a', 's.b', 's.c']],
    ['DELETE FROM x USING t AS x JOIN u', ['s.t', 's.u', 's.x']],
    ['DELETE FROM t WHERE a IN (SELECT a FROM u)', ['s.t', 's.u']],
    ['LOAD DATA LOCAL INFILE "f" REPLACE INTO TABLE t FIELDS TERMINATED BY "," (a, @b) SET c = 1', ['s.t']],
    ['LOAD XML INFILE "f" INTO TABLE db.t', ['db.t']],
    ['TRUNCATE t', ['s.t']],
    ['TRUNCATE TABLE db.t', ['db.t']],
    ['CREATE TABLE IF NOT EXISTS t (a INT, b INT)', ['s.t']],
    ['CREATE OR REPLACE TEMPORARY TABLE t SELECT * FROM u', ['s.t']],
    ['CREATE TABLE t LIKE u', ['s.t']],
    ['CREATE UNIQUE INDEX i USING BTREE ON db.t (a)', ['db.t']],
    ['DROP INDEX on_t ON t', ['s.t']],
    ['DROP TABLE IF EXISTS a, db.b CASCADE', ['db.b', 's.a']],
    ['DROP TEMPORARY TABLE a', ['s.a']],
    ['ALTER TABLE t ADD COLUMN b INT, DROP COLUMN c', ['s.t']],
    ['ALTER IGNORE TABLE db.t ENGINE = InnoDB', ['db.t']],
    ['RENAME TABLE a TO b, c TO db.d', ['db.d', 's.a', 's.b', 's.c']],
    ['HANDLER t READ FIRST', []],
    ['LOCK TABLES t WRITE', []],
    ['UNLOCK TABLES', []],
    ['FLUSH TABLES', []],
  ])('%s', (text, names) => {
    expect(written(text)).toEqual(names)
  })

  it.each<[string]>([
    ['CALL p()'],
    ['EXECUTE s'],
    ['DO f()'],
    ['SELECT f()'],
    ['DROP DATABASE db'],
    ['DROP SCHEMA db'],
    ['ALTER DATABASE db CHARACTER SET utf8mb4'],
    ['CREATE VIEW v AS SELECT * FROM t'],
    ['CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1'],
    ['ALTER TABLE a RENAME TO b'],
    ['ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b'],
    ['RENAME USER a TO b'],
    ['GRANT ALL ON *.* TO u'],
    ['WITH c AS (SELECT 1) UPDATE t JOIN c SET a = 1'],
    ['XA COMMIT "x"'],
    ['OPTIMIZE TABLE t'],
    ['INSERT INTO t VALUES (1); DELETE FROM u'],
    ['UPDATE t /*!80000 JOIN u */ SET a = 1'],
    ['UPDATE größe SET a = 1'],
    ['INSERT INTO'],
    ['what is this'],
    [''],
  ])('may be any: %s', (text) => {
    expect(written(text)).toBeNull()
  })

  it('may be any where a name has no schema', () => {
    expect(written('UPDATE t SET a = 1', { schema: '' })).toBeNull()
    expect(written('DELETE FROM db.t', { schema: '' })).toEqual(['db.t'])
  })
})

// Random queries, made together with the tables that they name. -----------------------------------------------------------

class Queries {
  readonly tables = new Set<string>()
  readonly #random: () => number
  #aliases = 0

  constructor(seed: number) {
    let state = seed >>> 0
    this.#random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
  }

  #pick<X>(...of: X[]): X {
    return of[Math.floor(this.#random() * of.length)] as X
  }

  #name(word: string): string {
    return this.#pick(word, word.toUpperCase(), `\`${word}\``)
  }

  #table(): string {
    const name = this.#pick('t1', 't2', 't3', 't4', 't5', 'select_', 'from1')
    const schema = this.#pick('', '', 'db', 'other')
    this.tables.add(`${schema === '' ? 's' : schema}.${name}`)
    return schema === '' ? this.#name(name) : `${this.#name(schema)}${this.#pick('.', ' . ')}${this.#name(name)}`
  }

  #alias(): string {
    return `${this.#pick(' AS', '')} x${this.#aliases++}`
  }

  #factor(depth: number): string {
    const kind = depth === 0 ? 0 : Math.floor(this.#random() * 6)
    if (kind === 4) return `(${this.query(depth - 1)})${this.#alias()}`
    if (kind === 5) return `(${this.#references(depth - 1)})`
    return `${this.#table()}${this.#pick('', this.#alias())}${this.#pick('', '', ' USE INDEX (i, j)', ' PARTITION (p, q)')}`
  }

  #references(depth: number): string {
    let text = this.#factor(depth)
    while (this.#random() < 0.4) {
      const join = this.#pick(', ', ' JOIN ', ' LEFT JOIN ', ' CROSS JOIN ', ' STRAIGHT_JOIN ')
      text += join + this.#factor(depth)
      const on = join === ', ' ? '' : this.#pick('', 'ON', ' USING (a, b)')
      text += on === 'ON' ? ` ON ${this.#condition(depth)}` : on
    }
    return text
  }

  #condition(depth: number): string {
    const kind = depth === 0 ? 0 : Math.floor(this.#random() * 6)
    if (kind === 3) return `a IN (${this.query(depth - 1)})`
    if (kind === 4) return `EXISTS (${this.query(depth - 1)}) AND b = 'from x, y'`
    return this.#pick('a = 1', 'a.x IN (1, 2, 3)', 'EXTRACT(YEAR FROM a) = 2020', 'f.from = 2', "TRIM('x' FROM b) = ''")
  }

  query(depth: number): string {
    const columns = this.#pick('*', 'a, b', 'COUNT(*), MAX(x)', '')
    const nested = columns === '' ? `(${depth > 0 ? this.query(depth - 1) : 'SELECT 1'}), c` : columns
    let text = `${this.#pick('SELECT', 'select', 'SELECT DISTINCT', 'SELECT STRAIGHT_JOIN')} ${nested}`
    if (this.#random() < 0.9) text += ` FROM ${this.#references(depth)}`
    if (this.#random() < 0.5) text += ` WHERE ${this.#condition(depth)}`
    text += this.#pick('', ' GROUP BY a, b', ' GROUP BY a WITH ROLLUP') + this.#pick('', ' HAVING x > 1')
    text += this.#pick('', ' ORDER BY a, b DESC') + this.#pick('', ' LIMIT 1, 2', ' LIMIT 3')
    if (depth > 0 && this.#random() < 0.2) return `(${text}) UNION ${this.#pick('', 'ALL ')}(${this.query(depth - 1)})`
    return text
  }

  withExpression(depth: number): string {
    return `WITH c${this.#pick('', ' (a, b)')} AS (${this.query(depth)}) ${this.query(depth)} UNION TABLE c`
  }

  update(): string {
    return `UPDATE ${this.#references(2)} SET a = 1, b = (${this.query(1)}) WHERE ${this.#condition(2)}`
  }

  delete(): string {
    return `DELETE FROM ${this.#table()} WHERE ${this.#condition(2)}`
  }
}

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

describe(`random statements (SEED=${SEED})`, () => {
  it('name no table that is not found, and queries name none that is found without reason', () => {
    for (let i = 0; i < 5_000; i++) {
      const queries = new Queries(SEED + i)
      const text = i % 5 === 0 ? queries.withExpression(1) : queries.query(3)
      expect(read(text), text).toEqual([...queries.tables].sort())
    }
  })

  it('change no table that is not found', () => {
    for (let i = 0; i < 5_000; i++) {
      const queries = new Queries(SEED + i)
      const text = i % 2 === 0 ? queries.update() : queries.delete()
      expect(written(text), text).toEqual([...queries.tables].sort())
    }
  })

  it('of any bytes are understood or not, and never more', () => {
    const words = [
      'SELECT',
      'FROM',
      ',',
      '(',
      ')',
      't',
      '.',
      'WITH',
      'AS',
      'JOIN',
      "'x'",
      '`q`',
      ';',
      '/*!',
      '*/',
      '@v',
      '{',
      'TABLE',
    ]
    let state = SEED
    for (let i = 0; i < 20_000; i++) {
      let text = i % 3 === 0 ? 'DELETE ' : 'SELECT '
      for (let n = 0; n < 12; n++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        text += `${words[(state >>> 8) % words.length]} `
      }
      for (const names of [read(text), written(text)]) {
        for (const name of names ?? []) expect(name, text).toMatch(/^[^.]+\./)
      }
    }
  })
})
