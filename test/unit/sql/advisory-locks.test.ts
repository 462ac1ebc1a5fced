import { describe, expect, it } from 'vitest'
import { advisoryLocks, type LexicalOptions } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

function locks(text: string, options: Partial<LexicalOptions> = {}) {
  const buffer = Buffer.from(`xx${text}yy`)
  const found = advisoryLocks(buffer, 2, buffer.length - 2, { ...OPTIONS, ...options })
  return found === null ? null : { ...found }
}

describe('advisory locks that a statement takes and releases', () => {
  it.each<[string, string[], string[], boolean]>([
    ["SELECT GET_LOCK('a', 10)", ['a'], [], false],
    ["select get_lock('Mixed Case',-1) as ok;", ['mixed case'], [], false],
    ['SELECT `GET_LOCK` ("it\'s", @timeout + 1)', ["it's"], [], false],
    ["SELECT GET_LOCK('it''s', 1)", ["it's"], [], false],
    ["DO RELEASE_LOCK('a'), RELEASE_LOCK('b')", [], ['a', 'b'], false],
    ["SELECT 1, CONNECTION_ID(), GET_LOCK('a', 0) = 1 AND 2", ['a'], [], false],
    ["SELECT GET_LOCK('a', IF(@x, 1, 2)), GET_LOCK('a', 1)", ['a', 'a'], [], false],
    ["SELECT COALESCE(RELEASE_LOCK('a'), 0) FROM DUAL", [], ['a'], false],
    ["SELECT IF(IFNULL((GET_LOCK('a', 1)), 0) = 1, 'yes', 'no')", ['a'], [], false],
    ["SELECT GET_LOCK('a', 1) INTO @ok", ['a'], [], false],
    ["SELECT /*! RELEASE_LOCK('a') */ -- , RELEASE_LOCK('b')", [], ['a'], false],
    ['SELECT RELEASE_ALL_LOCKS()', [], [], true],
    ["SELECT GET_LOCK('a', 1), RELEASE_ALL_LOCKS(), GET_LOCK('b', 1)", ['b'], [], true],
    ["SELECT GET_LOCK('a', 1), RELEASE_LOCK('a')", ['a'], ['a'], false],
    ["SELECT IS_FREE_LOCK('a'), 'GET_LOCK(1)', IS_USED_LOCK('b') /* GET_LOCK('c', 1) */", [], [], false],
    ["SELECT 1 AS get_lock, 'x' AS `release_lock`", [], [], false],
  ])('%s', (text, taken, released, allReleased) => {
    expect(locks(text)).toEqual({ taken, released, allReleased })
  })
})

it('MariaDB tells lock names apart by their case', () => {
  expect(locks("SELECT GET_LOCK('Abc', 1)", { flavor: 'mariadb' })?.taken).toEqual(['Abc'])
})

describe('what locks are held after a statement cannot be told', () => {
  it.each([
    ['a name that is computed', "SELECT GET_LOCK(CONCAT('a', 'b'), 1)"],
    ['a name of several parts', "SELECT GET_LOCK('a' 'b', 1)"],
    ['a placeholder', 'SELECT GET_LOCK(?, 1)'],
    ['a user variable', 'SELECT RELEASE_LOCK(@name)'],
    ['a name with a character set', "SELECT GET_LOCK(_latin1'a', 1)"],
    ['a number', 'SELECT GET_LOCK(5, 1)'],
    ['a name with a backslash', "SELECT GET_LOCK('a\\'b', 1)"],
    ['one name of two', "SELECT GET_LOCK('a', 1), GET_LOCK(?, 1)"],
    ['a call behind a condition', "SELECT IF(@x, RELEASE_LOCK('a'), 0)"],
    ['a call behind AND', "SELECT @x AND RELEASE_LOCK('a')"],
    ['a call in the timeout of another one', "SELECT GET_LOCK('a', GET_LOCK('b', 1))"],
    ['a call for each row', "SELECT GET_LOCK('a', 1) FROM t"],
    ['a stored function of that name', "SELECT db.GET_LOCK('a')"],
    ['a call on a condition', "SELECT RELEASE_LOCK('a') FROM DUAL WHERE 0"],
    ['a call that LIMIT leaves out', "SELECT RELEASE_LOCK('a') LIMIT 0"],
    ['a call that is repeated', "SELECT BENCHMARK(5, GET_LOCK('a', 1))"],
    ['a call in a subquery', "SELECT (SELECT GET_LOCK('a', 1))"],
    ['a lock that is released first and taken then', "DO RELEASE_LOCK('a'), GET_LOCK('a', 1)"],
    ['another statement', "INSERT INTO t VALUES (GET_LOCK('a', 1))"],
    ['several statements', "DO RELEASE_LOCK('a'); DO 1"],
    ['a part that runs on some versions', "SELECT 1 /*!80100 , GET_LOCK('a', 1) */"],
    ['parentheses that do not match', "SELECT GET_LOCK('a', 1"],
    ['too many parentheses', "SELECT GET_LOCK('a', 1))"],
    ['nothing', ''],
  ])('%s', (_, text) => {
    expect(locks(text)).toBeNull()
  })

  it('a name in double quotes under ANSI_QUOTES', () => {
    expect(locks('SELECT GET_LOCK("a", 1)', { ansiQuotes: true })).toBeNull()
  })

  it('but a backslash is an ordinary character under NO_BACKSLASH_ESCAPES', () => {
    const text = "SELECT GET_LOCK('a\\', 1)"
    expect(locks(text)).toBeNull()
    expect(locks(text, { noBackslashEscapes: true })?.taken).toEqual(['a\\'])
  })
})
