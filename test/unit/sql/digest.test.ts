import { describe, expect, it } from 'vitest'
import { Digester, digestHex, digestText } from '../../../src/sql/index.js'
import { murmur3, murmur3Words } from '../../../src/sql/murmur3.js'
import { OPTIONS } from './options.js'

const digester = new Digester()

function digest(text: string, options = OPTIONS): { text: string; hex: string } {
  const buffer = Buffer.from(text)
  const found = digester.digest(buffer, 0, buffer.length, options)
  return { text: digestText(found), hex: digestHex(found) }
}

describe('the normalised text', () => {
  it.each([
    ['SELECT c FROM sbtest1 WHERE id=50123', 'SELECT c FROM sbtest1 WHERE id=?'],
    ['select  c\n\tfrom sbtest1   where id = 50123 ;', 'select c from sbtest1 where id=?'],
    ["SELECT 'a', \"b\", 1, -1, 1.5e3, 0x1F, x'1F', b'01', N'a', _utf8mb4'a', .5", 'SELECT ?,?,?,?,?,?,?,?,?,?,?'],
    ["SELECT 'it''s', 'a' 'b', 'a\\'b'", 'SELECT ?,?,?'],
    ["SELECT DATE '2024-01-01', a - 5, a -5, a > -5, (-5)", 'SELECT DATE ?,a-?,a-?,a>?,(?)'],
    ['SELECT /* c */ 1 -- d\n + # e\n 2', 'SELECT ?+?'],
    ['/* hostgroup=1 */ SELECT 1', 'SELECT ?'],
    ['SELECT /*! STRAIGHT_JOIN */ a FROM t', 'SELECT STRAIGHT_JOIN a FROM t'],
    ['SELECT * FROM `My Table` AS t, db . u', 'SELECT * FROM `My Table` AS t,db.u'],
    ['SELECT COUNT(*), a * b, COUNT( DISTINCT c ) FROM t', 'SELECT COUNT(*),a*b,COUNT(DISTINCT c) FROM t'],
    ['SELECT @a, @@session.x, ?', 'SELECT @a,@@session.x,?'],
    [
      'SELECT * FROM t WHERE a IS NULL AND b IS NOT TRUE AND c = NULL',
      'SELECT * FROM t WHERE a IS NULL AND b IS NOT TRUE AND c=?',
    ],
    ['SELECT a FROM t WHERE a IN (1)', 'SELECT a FROM t WHERE a IN (?)'],
    ['SELECT a FROM t WHERE a IN (1, 2)', 'SELECT a FROM t WHERE a IN (?,...)'],
    ["SELECT a FROM t WHERE a IN(1,'x',NULL,?, -4)", 'SELECT a FROM t WHERE a IN (?,...)'],
    ['SELECT a FROM t WHERE (a, b) IN ((1, 2), (3, 4), (5, 6))', 'SELECT a FROM t WHERE (a,b) IN ((?,?),...)'],
    ['SELECT a FROM t WHERE a IN (1, b, 2, 3, b)', 'SELECT a FROM t WHERE a IN (?,b,?,...,b)'],
    [
      'SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE c IN (1, 2))',
      'SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE c IN (?,...))',
    ],
    ['SELECT f(1, 2), COALESCE(a, 1, 1) FROM t LIMIT 10, 20', 'SELECT f(?,?),COALESCE(a,?,?) FROM t LIMIT ?,?'],
    ['INSERT INTO t(a, b) VALUES (1, 2)', 'INSERT INTO t(a,b) VALUES (?,?)'],
    ['INSERT INTO t (a,b) VALUES (1,2),(3,4),(5,6)', 'INSERT INTO t(a,b) VALUES (?,?),...'],
    ["INSERT INTO t VALUES (1, NOW()), (2, NOW()), (3, 'x')", 'INSERT INTO t VALUES (?,NOW()),...,(?,?)'],
    [
      'INSERT INTO t (a) VALUES (1), (2) ON DUPLICATE KEY UPDATE a = VALUES(a), b = 2',
      'INSERT INTO t(a) VALUES (?),... ON DUPLICATE KEY UPDATE a=VALUES (a),b=?',
    ],
    ['VALUES ROW(1, 2), ROW(3, 4)', 'VALUES ROW (?,?),...'],
    ['SELECT * FROM (VALUES ROW(1), ROW(2)) v WHERE a = 1', 'SELECT * FROM (VALUES ROW (?),...) v WHERE a=?'],
    ['SELECT 1; SELECT 2', 'SELECT ?;SELECT ?'],
    ["SELECT 'cut off", 'SELECT'],
    ['', ''],
  ])('%s', (text, expected) => {
    expect(digest(text).text).toBe(expected)
  })

  it('is the same whatever the number of values', () => {
    const list = (n: number) => Array.from({ length: n }, (_, i) => i).join(',')
    expect(digest(`SELECT a FROM t WHERE b IN (${list(5000)})`)).toEqual(
      digest(`SELECT a FROM t WHERE b IN (${list(2)})`),
    )
    const rows = (n: number) => Array.from({ length: n }, (_, i) => `(${i},'x')`).join(', ')
    expect(digest(`INSERT INTO t VALUES ${rows(5000)}`)).toEqual(digest(`INSERT INTO t VALUES ${rows(2)}`))
  })

  it('keeps lists that are nested too deeply to fold', () => {
    const nested = `SELECT 1 ${'IN (1, 1, '.repeat(100)}1${')'.repeat(100)}`
    expect(digest(nested).text.length).toBeLessThan(nested.length)
  })

  it('normalising what is normal changes nothing', () => {
    for (const text of [
      'SELECT c FROM t WHERE a=? AND b>?',
      'SELECT a FROM t WHERE x IN (?)',
      'INSERT INTO t(a) VALUES (?)',
    ]) {
      expect(digest(text).text).toBe(text)
    }
  })

  it('follows the session in what is a string', () => {
    expect(digest('SELECT "a"', { ...OPTIONS, ansiQuotes: true }).text).toBe('SELECT "a"')
  })
})

describe('the digest', () => {
  it('is 64 bits in hexadecimal, equal for equal normalised texts and different for others', () => {
    expect(digest('SELECT 1').hex).toMatch(/^0x[0-9A-F]{16}$/)
    expect(digest('SELECT  2').hex).toBe(digest('SELECT 1').hex)
    expect(digest('select 1').hex).not.toBe(digest('SELECT 1').hex)
    expect(digest('SELECT 1, 2').hex).not.toBe(digest('SELECT 1').hex)
  })

  it('never changes between versions: it is stored and matched by rules', () => {
    expect(digest('SELECT c FROM sbtest1 WHERE id=50123').hex).toBe('0xF6B75AEFCE610D0D')
  })

  it('is MurmurHash3_x86_128: the verification value of SMHasher comes out', () => {
    const hashes = Buffer.alloc(256 * 16)
    const key = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    for (let length = 0; length < 256; length++) {
      murmur3(key, length, 256 - length)
      for (let word = 0; word < 4; word++) hashes.writeUInt32LE(murmur3Words[word] as number, length * 16 + word * 4)
    }
    murmur3(hashes, hashes.length, 0)
    expect(murmur3Words[0]).toBe(0xb3ece62a)
  })
})
