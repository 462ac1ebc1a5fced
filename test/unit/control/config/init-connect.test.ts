import { expect, it } from 'vitest'
import type { ConfigDocument } from '../../../../src/control/config/config-file.js'
import { readInitConnect } from '../../../../src/control/config/init-connect.js'

const DOCUMENT = {
  fail: (path: readonly unknown[], message: string): never => {
    throw new Error(`${path.join('.')}: ${message}`)
  },
} as unknown as ConfigDocument

const read = (text: string) => readInitConnect(text, ['init_connect'], DOCUMENT)

it('takes settings of the session, and statements that are over when they are answered', () => {
  const statements = [
    "SET time_zone = '+00:00', @origin = 'a;b'",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE'",
    'SET @@session.lock_wait_timeout = 5',
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
    'SET ROLE reporting',
    'SELECT 1',
    'DO 1',
    'CALL app.begin()',
    'INSERT INTO app.audit VALUES (CONNECTION_ID())',
  ]
  expect(read(`${statements.join(';\n')};`)).toEqual(statements)
  expect(read(' ; ')).toEqual([])
})

it.each([
  ['SET NAMES latin1', 'expected no names (the character set is the client’s own)'],
  ['SET CHARACTER SET utf8mb4', 'expected no character set (the character set is the client’s own)'],
  ['SET character_set_results = NULL', 'expected no character_set_results'],
  ['SET collation_connection = latin1_bin', 'expected no collation_connection'],
  ['SET autocommit = 0', 'expected no autocommit (autocommit is the session’s own)'],
  ["SET session_track_system_variables = ''", 'expected no session_track_system_variables'],
  ['SET sql_auto_is_null = 1', 'expected no sql_auto_is_null'],
  ["SET sql_mode = 'ansi_quotes'", 'expected a literal sql_mode without ANSI_QUOTES'],
  ["SET sql_mode = 'ORACLE'", 'expected a literal sql_mode without ANSI_QUOTES'],
  ["SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", 'expected a literal sql_mode without ANSI_QUOTES'],
  ['SET GLOBAL max_connections = 5', 'expected variables of the session, not of the server'],
  ['SET TRANSACTION READ ONLY', 'expected what holds for longer than one transaction'],
  ["SET PASSWORD = 'x'", 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'],
  ['SET RESOURCE GROUP batch', 'expected a SET of variables or ROLE'],
  ['BEGIN', 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'],
  ['USE app', 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'],
  ['LOCK TABLES t READ', 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'],
  ['CREATE TEMPORARY TABLE t (id INT)', 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'],
  ['nonsense', 'expected SET, SELECT, DO, CALL, INSERT, UPDATE or DELETE'],
  ["SELECT GET_LOCK('a', 1)", 'expected nothing that holds a lock or a temporary table'],
])('refuses %s, and says what was expected', (statement, expected) => {
  expect(() => read(`DO 1; ${statement}`)).toThrow(`init_connect: ${expected}`)
  expect(() => read(`DO 1; ${statement}`)).toThrow(`got ${JSON.stringify(statement)}`)
})

it('refuses a text with an open quote', () => {
  expect(() => read("SET @a = 'x")).toThrow('expected statements with a semicolon between them')
})
