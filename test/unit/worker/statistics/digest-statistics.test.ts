import { describe, expect, it } from 'vitest'
import { DEFAULT_DIGESTS } from '../../../../src/shared/snapshot.js'
import { DigestStatistics, type Outcome } from '../../../../src/worker/statistics/digest-statistics.js'
import { Digests, type StatementDigest } from '../../../../src/worker/statistics/digests.js'
import { ServerErrors } from '../../../../src/worker/statistics/server-errors.js'
import { OPTIONS } from '../../sql/options.js'

const digests = new Digests(DEFAULT_DIGESTS, () => 1)

function digestOf(text: string): StatementDigest {
  const buffer = Buffer.from(text)
  return digests.of(buffer, 0, buffer.length, OPTIONS, false)
}

const outcome = (latencyUs: number, more: Partial<Outcome> = {}): Outcome => ({
  latencyUs,
  rowsAffected: 0,
  rowsSent: 0,
  failed: false,
  ...more,
})

const SELECT = digestOf('SELECT 1')

describe('statistics by digest', () => {
  it('add up what executions of one digest in one place have come to', () => {
    const statistics = new DigestStatistics(100)
    const scope = statistics.scopeOf(null, 'app', 'shop', '10.0.0.9')
    statistics.count(scope, 1, SELECT, outcome(300, { rowsSent: 2 }), 1, 1000)
    statistics.count(scope, 1, SELECT, outcome(100, { rowsSent: 3, failed: true }), 1, 2000)
    statistics.count(scope, 1, SELECT, outcome(200, { rowsAffected: 5 }), 1, 4000)
    expect([...statistics.report(false, 5000, 1_700_000_005_000)]).toEqual([
      {
        hostgroup: 1,
        schema: 'shop',
        user: 'app',
        client: '10.0.0.9',
        digest: SELECT.hex,
        text: 'SELECT ?',
        count: 3,
        firstSeen: 1_700_000_001_000,
        lastSeen: 1_700_000_004_000,
        sumUs: 600,
        minUs: 100,
        maxUs: 300,
        rowsAffected: 5,
        rowsSent: 5,
        errors: 1,
      },
    ])
  })

  it('tell users, schemas, addresses, hostgroups and digests apart, and sessions that are alike not', () => {
    const statistics = new DigestStatistics(100)
    const scope = statistics.scopeOf(null, 'app', 'shop', '')
    expect(statistics.scopeOf(null, 'app', 'shop', '')).toBe(scope)
    expect(statistics.scopeOf(scope, 'app', 'shop', '')).toBe(scope)
    const scopes = [
      scope,
      statistics.scopeOf(scope, 'other', 'shop', ''),
      statistics.scopeOf(scope, 'app', 'other', ''),
      statistics.scopeOf(scope, 'app', 'shop', '10.0.0.9'),
    ]
    for (const one of scopes)
      for (const hostgroup of [0, 1])
        for (const digest of [SELECT, digestOf('SELECT 1, 2')])
          statistics.count(one, hostgroup, digest, outcome(1), 1, 1)
    expect(statistics.size).toBe(16)
    expect([...statistics.report(false, 1, 1)].every(({ count }) => count === 1)).toBe(true)
  })

  it('of a sample stand for as many as it was taken from; the shortest and longest are as they were', () => {
    const statistics = new DigestStatistics(100)
    const scope = statistics.scopeOf(null, 'app', '', '')
    statistics.count(scope, 0, SELECT, outcome(70, { rowsSent: 2, rowsAffected: 1, failed: true }), 50, 1)
    const [row] = statistics.report(false, 1, 1)
    expect(row).toMatchObject({
      count: 50,
      sumUs: 3500,
      minUs: 70,
      maxUs: 70,
      rowsSent: 100,
      rowsAffected: 50,
      errors: 50,
    })
  })

  it('begin anew at once: what is counted while the rows are told is in the next reading and in none twice', () => {
    const statistics = new DigestStatistics(100)
    const scope = statistics.scopeOf(null, 'app', '', '')
    for (let i = 0; i < 10; i++) statistics.count(scope, 0, digestOf(`SELECT a FROM t${i}`), outcome(1), 1, 1)
    let told = 0
    for (const { count } of statistics.report(true, 1, 1)) {
      told += count
      statistics.count(scope, 0, digestOf('SELECT a FROM t9'), outcome(1), 1, 2)
    }
    expect(told).toBe(10)
    expect([...statistics.report(false, 1, 1)]).toMatchObject([{ text: 'SELECT a FROM t9', count: 10 }])
  })

  it('make room: rows that were counted in lately stay', () => {
    const statistics = new DigestStatistics(50)
    const scope = statistics.scopeOf(null, 'app', '', '')
    for (let i = 0; i < 1000; i++) {
      statistics.count(scope, 0, digestOf(`SELECT b FROM t${i}`), outcome(1), 1, i)
      statistics.count(scope, 0, SELECT, outcome(1), 1, i)
    }
    expect(statistics.size).toBe(50)
    expect(statistics.evictions).toBe(951)
    expect([...statistics.report(false, 1, 1)].find(({ text }) => text === 'SELECT ?')?.count).toBe(1000)
    statistics.rowsMax = 5
    expect(statistics.size).toBe(5)
  })

  it('count the rows of a cursor with the execution that has opened it', () => {
    const statistics = new DigestStatistics(50)
    const scope = statistics.scopeOf(null, 'app', '', '')
    statistics.count(scope, 0, SELECT, outcome(40), 1, 1)
    statistics.countMoreRows(scope, 0, SELECT, 7, 2)
    expect([...statistics.report(false, 1, 1)]).toMatchObject([{ count: 1, rowsSent: 7, sumUs: 40 }])
    statistics.countMoreRows(scope, 1, SELECT, 7, 2)
    expect([...statistics.report(false, 1, 1)][1]).toMatchObject({ count: 0, rowsSent: 7, minUs: 0 })
  })
})

describe('errors of servers', () => {
  it('are counted by server, user, schema and number, with the last message', () => {
    const errors = new ServerErrors()
    const scope = new DigestStatistics(1).scopeOf(null, 'app', 'shop', '')
    errors.note(scope, 0, 'db1:3306', 1146, "Table 'shop.x' doesn't exist", 1000)
    errors.note(scope, 0, 'db1:3306', 1146, "Table 'shop.y' doesn't exist", 2000)
    errors.note(scope, 0, 'db1:3306', 1062, 'x'.repeat(10_000), 2000)
    expect(errors.report(true)).toEqual([
      expect.objectContaining({ errno: 1062, lastError: 'x'.repeat(512) }),
      {
        hostgroup: 0,
        server: 'db1:3306',
        user: 'app',
        client: '',
        schema: 'shop',
        errno: 1146,
        count: 2,
        firstSeen: 1000,
        lastSeen: 2000,
        lastError: "Table 'shop.y' doesn't exist",
      },
    ])
    expect(errors.report(false)).toEqual([])
  })

  it('are bounded', () => {
    const errors = new ServerErrors()
    const statistics = new DigestStatistics(1)
    for (let i = 0; i < 5000; i++) errors.note(statistics.scopeOf(null, `u${i}`, '', ''), 0, 'db1:3306', 1045, '', i)
    expect(errors.report(false)).toHaveLength(1000)
  })
})
