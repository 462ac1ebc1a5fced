import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Lane } from '../../../../bench/load/lane.js'
import { ClosedLoop, OpenLoop } from '../../../../bench/load/pacer.js'

class FakeLane {
  readonly begun: number[] = []
  begin(intendedAt: number): void {
    this.begun.push(intendedAt)
  }
}

function lane(): Lane & FakeLane {
  return new FakeLane() as unknown as Lane & FakeLane
}

describe('the closed loop', () => {
  it('begins an operation when the last one is answered, until it is stopped', () => {
    const loop = new ClosedLoop()
    const one = lane()
    loop.free(one, 10)
    loop.stop()
    loop.free(one, 20)
    expect(one.begun).toEqual([10])
  })
})

describe('the open loop', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('begins operations at fixed times, whoever is free', () => {
    const start = performance.now()
    const late: number[] = []
    const loop = new OpenLoop(100, start, (ms) => late.push(ms))
    const lanes = [lane(), lane(), lane()]
    for (const one of lanes) loop.free(one, start)
    vi.advanceTimersByTime(25)
    loop.stop()
    const begun = lanes.flatMap((one) => one.begun.map((at) => at - start)).sort((one, other) => one - other)
    expect(begun).toEqual([0, 10, 20])
    expect(late).toEqual([0, 0, 0])
  })

  it('counts from when an operation was due, if all lanes were busy then', () => {
    const start = performance.now()
    const late: number[] = []
    const loop = new OpenLoop(100, start, (ms) => late.push(ms))
    const only = lane()
    loop.free(only, start)
    vi.advanceTimersByTime(35)
    expect(only.begun).toHaveLength(1)
    loop.free(only, performance.now())
    loop.stop()
    expect(only.begun.map((at) => at - start)).toEqual([0, 10])
    expect(late).toEqual([0, 25])
  })

  it('begins nothing after its stop', () => {
    const start = performance.now()
    const loop = new OpenLoop(1000, start, () => {})
    const only = lane()
    loop.stop()
    loop.free(only, start + 50)
    vi.advanceTimersByTime(50)
    expect(only.begun).toEqual([])
  })
})
