import { describe, expect, it } from 'vitest'
import { StatsHistory } from '../../../../src/control/metrics/stats-history.js'
import { MonitorLog } from '../../../../src/control/monitor/monitor-log.js'
import { noCounters } from '../../../../src/control/workers/counters-merge.js'
import { monotonicMs } from '../../../../src/shared/clock.js'

describe('what the monitor has seen', () => {
  it('is dated in microseconds since 1970, no two looks alike', () => {
    const log = new MonitorLog()
    const askedMs = monotonicMs() - 1000
    const span = { askedMs, answeredMs: askedMs + 0.5 }
    log.note('db1:3306', 'ping', span, null, null)
    log.note('db1:3306', 'ping', span, null, 'timeout')
    const [[, first], [, second]] = [...log.of('ping')]
    expect(Math.abs(first.startUs / 1000 - (Date.now() - 1000))).toBeLessThan(1000)
    expect(first).toMatchObject({ tookUs: 500, error: null })
    expect(second.startUs).toBeGreaterThan(first.startUs)
    expect(log.count('ping')).toEqual({ ok: 1, failed: 1 })
    expect(log.latencyUs('db1:3306')).toBe(500)
  })

  it('is bounded for each server and kind, and forgotten with the server', () => {
    const log = new MonitorLog()
    for (let i = 0; i < 2000; i++) log.note('db1:3306', 'ping', { askedMs: i, answeredMs: i }, null, null)
    log.note('db2:3306', 'read_only', { askedMs: 0, answeredMs: 1 }, 1, null)
    expect([...log.of('ping')]).toHaveLength(600)
    log.keepOnly(new Set(['db2:3306']))
    expect([...log.of('ping')]).toHaveLength(0)
    expect([...log.of('read_only')]).toMatchObject([['db2:3306', { value: 1 }]])
  })
})

describe('how the counters were', () => {
  it('is remembered each minute for a day, and each hour for a month', () => {
    const counters = noCounters()
    const history = new StatsHistory(() => counters)
    history.stop()
    const begin = 1_700_000_000_000
    for (let minute = 0; minute < 3 * 24 * 60; minute++) {
      counters.global.questions = minute
      history.take(begin + minute * 60_000)
    }
    expect(history.minutes).toHaveLength(1440)
    expect(history.minutes.at(-1)).toMatchObject({ questions: 3 * 24 * 60 - 1 })
    // The first and the last hour are not whole.
    expect(history.hours).toHaveLength(73)
    expect(history.hours.every(({ timestamp }) => timestamp % 3600 === 0)).toBe(true)
    expect(history.hours[1].questions - history.hours[0].questions).toBe(60)
  })
})
