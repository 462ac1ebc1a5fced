import { describe, expect, it } from 'vitest'
import { type LexicalOptions, parseSet, type SetAssignment } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

function parse(text: string, options: Partial<LexicalOptions> = {}): SetAssignment[] | null {
  const buffer = Buffer.from(`xx${text}yy`)
  return parseSet(buffer, 2, buffer.length - 2, { ...OPTIONS, ...options })
}

const session = (name: string, valueText: string): SetAssignment => ({
  scope: 'session',
  name,
  valueText,
  literal: true,
})

describe('SET statements as assignments', () => {
  it.each<[string, SetAssignment[]]>([
    ["SET sql_mode = 'ANSI'", [session('sql_mode', "'ANSI'")]],
    ['set SQL_MODE=ANSI;', [session('sql_mode', 'ANSI')]],
    ['SET @@sql_mode := ""', [session('sql_mode', '""')]],
    ['SET @@SESSION.`Sql_Mode` = 0', [session('sql_mode', '0')]],
    ['SET LOCAL a = -1, b = +2.5e3', [session('a', '-1'), session('b', '+2.5e3')]],
    ["SET a = 'x' 'y' , b = _utf8mb4'z'", [session('a', "'x' 'y'"), session('b', "_utf8mb4'z'")]],
    ['SET /* c */ a /* d */ = /* e */ 1 -- f', [session('a', '1')]],
    ['/*! SET a = 1 */', [session('a', '1')]],
    ['/*!40101 SET NAMES utf8 */;', [{ ...session('names', 'utf8'), special: 'names' }]],
    ['SET autocommit = 0', [session('autocommit', '0')]],
    ['SET a = DEFAULT', [{ ...session('a', 'DEFAULT'), special: 'default' }]],
    ['SET a = NULL, b = TRUE', [session('a', 'NULL'), session('b', 'TRUE')]],
    ['SET GLOBAL a = 1', [{ ...session('a', '1'), scope: 'global' }]],
    ['SET @@global.a = 1', [{ ...session('a', '1'), scope: 'global' }]],
    ['SET GLOBAL x.y = 1', [{ ...session('x.y', '1'), scope: 'global' }]],
    ['SET PERSIST a = 1', [{ ...session('a', '1'), scope: 'persist' }]],
    ['SET @@persist_only.a = 1', [{ ...session('a', '1'), scope: 'persist_only' }]],
    ['SET NAMES utf8mb4', [{ ...session('names', 'utf8mb4'), special: 'names' }]],
    [
      "SET NAMES 'utf8mb4' COLLATE utf8mb4_bin, a = 1",
      [{ ...session('names', "'utf8mb4' COLLATE utf8mb4_bin"), special: 'names' }, session('a', '1')],
    ],
    ['SET NAMES DEFAULT', [{ ...session('names', 'DEFAULT'), special: 'names' }]],
    ['SET CHARACTER SET latin1', [{ ...session('character set', 'latin1'), special: 'charset' }]],
    ["SET CHARSET 'latin1'", [{ ...session('character set', "'latin1'"), special: 'charset' }]],
    ["SET tx_isolation = 'SERIALIZABLE'", [session('transaction_isolation', "'SERIALIZABLE'")]],
    ['SET SESSION tx_read_only = ON', [session('transaction_read_only', 'ON')]],
    ["SET @A = 'x'", [{ scope: 'user_variable', name: 'a', valueText: "'x'", literal: true }]],
    ['SET @`a b` := 1', [{ scope: 'user_variable', name: 'a b', valueText: '1', literal: true }]],
    ['SET @a = @b', [{ scope: 'user_variable', name: 'a', valueText: '@b', literal: false }]],
    [
      'SET @a = (SELECT 1, 2), b = 3',
      [{ scope: 'user_variable', name: 'a', valueText: '(SELECT 1, 2)', literal: false }, session('b', '3')],
    ],
    ['SET a = CONCAT(@@a, ";", 1)', [{ ...session('a', 'CONCAT(@@a, ";", 1)'), literal: false }]],
    ['SET a = 1 + 1', [{ ...session('a', '1 + 1'), literal: false }]],
    ['SET a = ?', [{ ...session('a', '?'), literal: false }]],
  ])('%s', (text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  it('GLOBAL holds for the assignments behind it, as on the servers, but @@global does not', () => {
    const scopes = (text: string) => parse(text)?.map((one) => one.scope)
    expect(scopes('SET GLOBAL a = 1, b = 2, @c = 3, d = 4')).toEqual(['global', 'global', 'user_variable', 'global'])
    expect(scopes('SET GLOBAL a = 1, SESSION b = 2, c = 3')).toEqual(['global', 'session', 'session'])
    expect(scopes('SET GLOBAL a = 1, @@b = 2')).toEqual(['global', 'session'])
    expect(scopes('SET @@global.a = 1, b = 2')).toEqual(['global', 'session'])
  })

  it('@@transaction_isolation without a scope is for the next transaction, as on the servers', () => {
    expect(parse("SET @@transaction_isolation = 'SERIALIZABLE'")).toEqual([
      { ...session('transaction_isolation', "'SERIALIZABLE'"), scope: 'next_transaction' },
    ])
    expect(parse('SET @@tx_read_only = 1')?.[0]?.scope).toBe('next_transaction')
    expect(parse("SET transaction_isolation = 'SERIALIZABLE'")?.[0]?.scope).toBe('session')
    expect(parse("SET @@session.transaction_isolation = 'SERIALIZABLE'")?.[0]?.scope).toBe('session')
  })

  it('SET TRANSACTION gives the variables that it stands for', () => {
    expect(parse('SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY')).toEqual([
      { ...session('transaction_isolation', "'READ-COMMITTED'"), scope: 'next_transaction' },
      { ...session('transaction_read_only', '1'), scope: 'next_transaction' },
    ])
    expect(parse('SET SESSION TRANSACTION READ WRITE')).toEqual([session('transaction_read_only', '0')])
    expect(parse('SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ')?.[0]?.scope).toBe('global')
    expect(parse('SET LOCAL TRANSACTION ISOLATION LEVEL SERIALIZABLE')).toEqual([
      session('transaction_isolation', "'SERIALIZABLE'"),
    ])
    expect(parse('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')?.[0]?.valueText).toBe("'READ-UNCOMMITTED'")
  })

  it('a string is cut where the session sees its end', () => {
    expect(parse("SET a = 'x\\', b = 'y'")).toBeNull()
    expect(parse("SET a = 'x\\', b = 'y'", { noBackslashEscapes: true })).toHaveLength(2)
    expect(parse('SET "a" = 1', { ansiQuotes: true })).not.toBeNull()
    expect(parse('SET "a" = 1')).toBeNull()
    expect(parse('SET sql_mode = "ANSI"', { ansiQuotes: true })).toEqual([session('sql_mode', '"ANSI"')])
  })

  it.each([
    [''],
    ['SELECT 1'],
    ['SET'],
    ['SET a'],
    ['SET a ='],
    ['SET a = 1,'],
    ['SET a = 1, b'],
    ['SET a = (1'],
    ['SET a = 1)'],
    ["SET a = 'x"],
    ['SET a = 1; SELECT 2'],
    ['SET a = 1; SET b = 2'],
    ['SET 1 = 1'],
    ['SET @a = b'],
    ['SET @a = DEFAULT'],
    ["SET PASSWORD = 'x'"],
    ["SET PASSWORD FOR a = 'x'"],
    ['SET ROLE r'],
    ['SET DEFAULT ROLE r TO u'],
    ['SET RESOURCE GROUP g'],
    ['SET STATEMENT a = 1 FOR SELECT 1'],
    ['SET TRANSACTION'],
    ['SET TRANSACTION READ'],
    ['SET TRANSACTION ISOLATION LEVEL READ'],
    ['SET TRANSACTION ISOLATION LEVEL COMMITTED'],
    ['SET NAMES'],
    ['SET NAMES utf8 COLLATE'],
    ['SET NAMES 5'],
    ['SET a = 1 /*!80000 , b = 2 */'],
    ['/*!80000 SET a = 1 */'],
  ])('is not understood, and says so: %s', (text) => {
    expect(parse(text)).toBeNull()
  })
})
