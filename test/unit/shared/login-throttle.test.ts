import { describe, expect, it } from 'vitest'
import { LoginThrottle } from '../../../src/shared/login-throttle.js'

const BACK_OFF = { firstMs: 1000, maxMs: 60_000 }

describe('an address whose logins fail', () => {
  const fail = (throttle: LoginThrottle, times: number, limit = 3, now = 0) => {
    for (let i = 0; i < times; i++) throttle.failed('10.0.0.1', now, limit)
  }

  it('waits after so many failures in a row, twice as long after each more, up to a minute', () => {
    const throttle = new LoginThrottle(BACK_OFF)
    fail(throttle, 2)
    expect(throttle.waitOf('10.0.0.1', 0)).toBe(0)
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map(() => {
      fail(throttle, 1)
      return throttle.waitOf('10.0.0.1', 0)
    })
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    expect(throttle.waitOf('10.0.0.1', 59_999)).toBe(1)
    expect(throttle.waitOf('10.0.0.1', 60_000)).toBe(0)
  })

  it('is as good as new after a login that succeeds', () => {
    const throttle = new LoginThrottle(BACK_OFF)
    fail(throttle, 5)
    throttle.succeeded('10.0.0.1')
    expect(throttle.waitOf('10.0.0.1', 0)).toBe(0)
    fail(throttle, 2)
    expect(throttle.waitOf('10.0.0.1', 0)).toBe(0)
  })

  it('keeps nobody else waiting', () => {
    const throttle = new LoginThrottle(BACK_OFF)
    fail(throttle, 5)
    expect(throttle.waitOf('10.0.0.2', 0)).toBe(0)
  })

  it('never waits where the limit is 0', () => {
    const throttle = new LoginThrottle(BACK_OFF)
    fail(throttle, 1000, 0)
    expect(throttle.waitOf('10.0.0.1', 0)).toBe(0)
  })
  it('is forgotten when ten thousand others failed since', () => {
    const throttle = new LoginThrottle(BACK_OFF)
    fail(throttle, 5)
    for (let other = 0; other < 10_000; other++) throttle.failed(`other ${other}`, 0, 3)
    expect(throttle.waitOf('10.0.0.1', 0)).toBe(0)
  })
})
