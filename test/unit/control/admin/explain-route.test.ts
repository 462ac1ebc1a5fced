import { describe, expect, it } from 'vitest'
import { EXPLAIN_ROUTE_COMMAND, parseExplainRoute } from '../../../../src/control/admin/commands/explain-route.js'

const question = (sql: string, more: object = {}) => ({ sql, user: '', schema: '', session: 0, ...more })

describe('EXPLAIN ROUTE', () => {
  it.each([
    ['EXPLAIN ROUTE SELECT 1', question('SELECT 1')],
    ['  explain\n route  SELECT 1 ; ', question('SELECT 1')],
    ["EXPLAIN ROUTE 'SELECT ''a'''", question("SELECT 'a'")],
    ['EXPLAIN ROUTE"SELECT ""a"""', question('SELECT "a"')],
    ["EXPLAIN ROUTE 'a' 'b'", question("'a' 'b'")],
    ['EXPLAIN ROUTE SELECT * FROM t FOR UPDATE', question('SELECT * FROM t FOR UPDATE')],
    ['EXPLAIN ROUTE SELECT * FROM t FOR UPDATE FOR USER app', question('SELECT * FROM t FOR UPDATE', { user: 'app' })],
    [
      "EXPLAIN ROUTE SELECT 'x' FOR USER 'o''neil' SCHEMA `shop`",
      question("SELECT 'x'", { user: "o'neil", schema: 'shop' }),
    ],
    ["EXPLAIN ROUTE 'SELECT 1' for schema shop user app;", question('SELECT 1', { user: 'app', schema: 'shop' })],
    ['EXPLAIN ROUTE SELECT 1 FOR SESSION 1073741889', question('SELECT 1', { session: 1_073_741_889 })],
    ["EXPLAIN ROUTE SELECT ' FOR USER app'", question("SELECT ' FOR USER app'")],
    ["EXPLAIN ROUTE SELECT '\\' FOR USER x' FOR USER app", question("SELECT '\\' FOR USER x'", { user: 'app' })],
  ])('%s', (text, expected) => {
    expect(EXPLAIN_ROUTE_COMMAND.match(text)).toBe(true)
    expect(parseExplainRoute(text)).toEqual(expected)
  })

  it.each([
    ['EXPLAIN ROUTE ;', /expected EXPLAIN ROUTE <statement>/],
    ['EXPLAIN ROUTE FOR USER app', /expected EXPLAIN ROUTE <statement>/],
    ["EXPLAIN ROUTE ''", /expected EXPLAIN ROUTE <statement>/],
    ['EXPLAIN ROUTE SELECT 1 FOR SESSION abc', /expected the number of a session .*, got abc/],
    ['EXPLAIN ROUTE SELECT 1 FOR SESSION 0', /expected the number of a session .*, got 0/],
    ['EXPLAIN ROUTE SELECT 1 FOR USER app SESSION 7', /expected either SESSION or USER and SCHEMA/],
  ])('%s is told what was expected', (text, message) => {
    expect(() => parseExplainRoute(text)).toThrow(message)
  })

  it('is not EXPLAIN of the servers', () => {
    for (const sql of ['EXPLAIN SELECT 1', 'EXPLAIN ROUTES', 'EXPLAIN routeless']) {
      expect(EXPLAIN_ROUTE_COMMAND.match(sql)).toBe(false)
    }
  })
})
