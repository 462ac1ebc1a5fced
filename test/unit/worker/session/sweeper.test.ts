import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { monotonicMs } from '../../../../src/shared/clock.js'
import { Sweeper } from '../../../../src/worker/session/sweeper.js'

describe('sessions are looked through', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** When a sweeper sweeps within `ms`, in ms since its start, if each sweep says that the next is due after `pause`. */
  function sweeps(pause: number, ms: number): number[] {
    const begin = monotonicMs()
    const found: number[] = []
    const sweeper = new Sweeper((now) => {
      found.push(Math.round(now - begin))
      return now + pause
    })
    sweeper.start()
    vi.advanceTimersByTime(ms)
    sweeper.stop()
    vi.advanceTimersByTime(5_000)
    return found
  }

  it('when the next of them is due', () => {
    expect(sweeps(300, 1_000)).toEqual([50, 350, 650, 950])
  })

  it('once a second where none is', () => {
    expect(sweeps(Number.POSITIVE_INFINITY, 2_100)).toEqual([50, 1_050, 2_050])
  })

  it('twenty times a second at most', () => {
    expect(sweeps(0, 210)).toEqual([50, 100, 150, 200])
  })

  it('no more after one of them has ended it', () => {
    let count = 0
    const sweeper = new Sweeper((now) => {
      count++
      sweeper.stop()
      return now
    })
    sweeper.start()
    vi.advanceTimersByTime(5_000)
    expect(count).toBe(1)
  })
})
