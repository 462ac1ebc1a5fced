import { describe, expect, it } from 'vitest'
import { Command } from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import { ProxyError } from '../../../../src/shared/errors.js'
import { DEFAULT_DIGESTS } from '../../../../src/shared/snapshot.js'
import { VERBS } from '../../../../src/sql/index.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { CommandInHand } from '../../../../src/worker/session/command.js'
import { DigestStatistics } from '../../../../src/worker/statistics/digest-statistics.js'
import { Digests } from '../../../../src/worker/statistics/digests.js'
import { ServerErrors } from '../../../../src/worker/statistics/server-errors.js'
import { type CountContext, StatementCount } from '../../../../src/worker/statistics/statement-count.js'
import { OPTIONS } from '../../sql/options.js'
import { serverEntry, snapshotOf } from '../fixture.js'

const TEXT = Buffer.from('SELECT 1')

function contextOf(more = {}): CountContext {
  const snapshot = snapshotOf([serverEntry('db1', 0)], { digests: { ...DEFAULT_DIGESTS, ...more } })
  return {
    counters: newGlobalCounters(),
    digestStatistics: new DigestStatistics(100),
    serverErrors: new ServerErrors(),
    verbs: [],
    view: new TopologyView(snapshot),
  }
}

function command(code: number): CommandInHand {
  const one = new CommandInHand()
  one.code = code
  one.counted = true
  one.verb = VERBS.indexOf('SELECT')
  one.digest = new Digests(DEFAULT_DIGESTS, () => 1).of(TEXT, 0, TEXT.length, OPTIONS, false)
  one.startedAt = 100
  return one
}

const rowsOf = ({ digestStatistics }: CountContext) => [...digestStatistics.report(false, 0, 0)]

describe('the statements of a session', () => {
  it('that the result cache answers are counted in hostgroup -1, under the schema that they ran with', () => {
    const context = contextOf()
    new StatementCount(context, 'app', '10.0.0.9').fromCache(command(Command.QUERY), 2, 'shop', 100.5)
    expect(rowsOf(context)).toMatchObject([
      { hostgroup: -1, user: 'app', schema: 'shop', client: '', count: 1, sumUs: 500, rowsSent: 2, errors: 0 },
    ])
    expect(context.verbs[VERBS.indexOf('SELECT')]).toMatchObject({ queries: 1, sumUs: 500 })
  })

  it('count with the address where addresses are told apart, and for all that a sample stands for', () => {
    const context = contextOf({ trackHostname: true, sample: 20 })
    new StatementCount(context, 'app', '10.0.0.9').fromCache(command(Command.QUERY), 2, 'shop', 101)
    expect(rowsOf(context)).toMatchObject([{ client: '10.0.0.9', count: 20, sumUs: 20_000, minUs: 1000, rowsSent: 40 }])
    // Verbs are counted one by one.
    expect(context.verbs[VERBS.indexOf('SELECT')]?.queries).toBe(1)
  })

  it('that are not sampled are counted by verb alone', () => {
    const context = contextOf()
    const one = command(Command.QUERY)
    one.counted = false
    new StatementCount(context, 'app', '').fromCache(one, 2, '', 101)
    expect(rowsOf(context)).toEqual([])
    expect(context.verbs[VERBS.indexOf('SELECT')]?.queries).toBe(1)
  })

  it('are errors when their connection is lost', () => {
    const context = contextOf()
    const count = new StatementCount(context, 'app', '')
    const backend = { accounting: { hostgroup: 0 }, target: { id: 'db1:3306' }, follower: { rows: 3 } }
    count.begin('shop')
    const error = new ProxyError('connection-lost', 1053, '08S01', 'sluice: lost')
    count.lost(command(Command.QUERY), backend as unknown as Parameters<StatementCount['lost']>[1], error, 103)
    expect(rowsOf(context)).toMatchObject([{ hostgroup: 0, count: 1, errors: 1, rowsSent: 3, sumUs: 3000 }])
    expect(context.serverErrors.report(false)).toMatchObject([
      { hostgroup: 0, server: 'db1:3306', errno: 1053, schema: 'shop', lastError: 'sluice: lost', count: 1 },
    ])
  })
})
