import { describe, expect, it } from 'vitest'
import {
  AVOID_MS,
  CircuitBreaker,
  FAILURES_MAX,
  NEXT_BREAKER,
  PAUSE_FIRST_MS,
  PAUSE_MAX_MS,
  PAUSE_SPREAD,
} from '../../../../src/worker/pool/circuit-breaker.js'

/** A breaker that has just opened at time 0. */
function opened(random = 0): CircuitBreaker {
  const breaker = new CircuitBreaker()
  for (let i = 0; i < FAILURES_MAX; i++) breaker.failed(0, random, breaker.tried())
  return breaker
}

/** Lets the pause end, and the probe after it fail. @returns when */
function failProbe(breaker: CircuitBreaker, from: number): number {
  let now = from
  while (!breaker.mayOpen(now)) now++
  breaker.failed(now, 0, breaker.tried())
  return now
}

describe('a circuit breaker', () => {
  it('names only states that exist, and closes from each of them', () => {
    for (const events of Object.values(NEXT_BREAKER)) {
      for (const state of Object.values(events)) expect(Object.keys(NEXT_BREAKER)).toContain(state)
      expect([events.answered, events.alive]).toEqual(['closed', 'closed'])
    }
  })

  it('lets connections be opened until so many attempts in a row have failed; others are preferred after the first', () => {
    const breaker = new CircuitBreaker()
    for (let i = 1; i < FAILURES_MAX; i++) {
      breaker.failed(0, 0, breaker.tried())
      expect([breaker.mayOpen(0), breaker.isAvoided(AVOID_MS - 1), breaker.isAvoided(AVOID_MS)]).toEqual([
        true,
        true,
        false,
      ])
    }
    breaker.failed(0, 0, breaker.tried())
    expect([breaker.state, breaker.mayOpen(0)]).toEqual(['open', false])
  })

  it('counts failures in a row only', () => {
    const breaker = new CircuitBreaker()
    for (let i = 0; i < 10; i++) {
      for (let j = 1; j < FAILURES_MAX; j++) breaker.failed(0, 0, false)
      breaker.answered()
    }
    expect([breaker.state, breaker.isAvoided(0)]).toEqual(['closed', false])
  })

  it('after its pause allows one attempt, on whose outcome the others wait', () => {
    const breaker = opened()
    expect(breaker.mayOpen(PAUSE_FIRST_MS - 1)).toBe(false)
    expect([breaker.mayOpen(PAUSE_FIRST_MS), breaker.isAvoided(PAUSE_FIRST_MS)]).toEqual([true, false])
    expect(breaker.tried()).toBe(true)
    expect([breaker.mayOpen(PAUSE_FIRST_MS), breaker.isAvoided(PAUSE_FIRST_MS)]).toEqual([false, true])
    breaker.answered()
    expect([breaker.state, breaker.mayOpen(PAUSE_FIRST_MS)]).toEqual(['closed', true])
  })

  it('pauses twice as long after each probe that fails, up to a limit, and anew after the server has answered', () => {
    const breaker = opened()
    const pauses: number[] = []
    let last = 0
    for (let i = 0; i < 6; i++) {
      const now = failProbe(breaker, last)
      pauses.push(now - last)
      last = now
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, PAUSE_MAX_MS, PAUSE_MAX_MS])
    breaker.answered()
    for (let i = 0; i < FAILURES_MAX; i++) breaker.failed(last, 0, false)
    expect(failProbe(breaker, last) - last).toBe(PAUSE_FIRST_MS)
  })

  it('spreads its pauses', () => {
    const breaker = opened(0.999)
    expect(breaker.mayOpen(PAUSE_FIRST_MS * (1 + PAUSE_SPREAD * 0.99))).toBe(false)
    expect(breaker.mayOpen(PAUSE_FIRST_MS * (1 + PAUSE_SPREAD))).toBe(true)
  })

  it('is not kept open by attempts that began before it opened', () => {
    const breaker = opened()
    for (let i = 0; i < 100; i++) breaker.failed(PAUSE_FIRST_MS / 2, 0, false)
    expect(breaker.mayOpen(PAUSE_FIRST_MS)).toBe(true)
    breaker.tried()
    breaker.failed(PAUSE_FIRST_MS, 0, false)
    expect(breaker.state).toBe('probing')
  })

  it('closes when the monitor sees the server come back, and not because it has been there for the monitor all along', () => {
    const breaker = opened()
    breaker.reported(true, 1)
    breaker.reported(true, 1)
    expect(breaker.state).toBe('open')
    breaker.reported(false, 1)
    expect(breaker.state).toBe('open')
    breaker.reported(true, 1)
    expect([breaker.state, breaker.isAvoided(0)]).toEqual(['closed', false])
  })

  it('closes when the server has been restarted between two looks of the monitor', () => {
    const breaker = opened()
    breaker.reported(true, 1)
    breaker.reported(true, 2)
    expect(breaker.state).toBe('closed')
  })
})
