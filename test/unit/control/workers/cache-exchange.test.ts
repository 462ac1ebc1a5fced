import { describe, expect, it } from 'vitest'
import { CacheExchange } from '../../../../src/control/workers/cache-exchange.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'

/** As much of a worker's handle as is told anything. */
class FakeHandle {
  readonly told: unknown[][] = []
  readonly pid: number
  state: string

  constructor(pid: number, state = 'serving') {
    this.pid = pid
    this.state = state
  }

  tellCacheWrites(...args: unknown[]): void {
    this.told.push(['writes', ...args])
  }

  acknowledgeCache(...args: unknown[]): void {
    this.told.push(['known', ...args])
  }

  tellCacheWritten(...args: unknown[]): void {
    this.told.push(['written', ...args])
  }

  tellCacheGone(...args: unknown[]): void {
    this.told.push(['gone', ...args])
  }

  flushCache(...args: unknown[]): void {
    this.told.push(['flush', ...args])
  }
}

function world(...states: string[]) {
  const fakes = states.map((state, i) => new FakeHandle(100 + i, state))
  const handles = fakes as unknown as WorkerHandle[]
  const exchange = new CacheExchange(() => handles.filter(({ state }) => (state as string) !== 'exited'))
  return { fakes, handles, exchange }
}

describe('a write of one worker', () => {
  it('is known when all others have taken it', () => {
    const { fakes, handles, exchange } = world('serving', 'serving', 'draining')
    exchange.announce(handles[0]!, 5, [[1, ['s.t']]])
    expect(fakes[1]!.told).toEqual([['writes', 1, 100, [[1, ['s.t']]]]])
    expect(fakes[2]!.told).toEqual(fakes[1]!.told)
    exchange.taken(handles[1]!, 1)
    exchange.taken(handles[1]!, 1)
    expect(fakes[0]!.told).toEqual([])
    exchange.taken(handles[2]!, 1)
    expect(fakes[0]!.told).toEqual([['known', 5]])
    exchange.written(handles[0]!, [[1, false]])
    expect(fakes[1]!.told.at(-1)).toEqual(['written', 100, [[1, false]]])
  })

  it('is known at once where there are no others, and when those that have not taken it are gone', () => {
    const alone = world('serving')
    alone.exchange.announce(alone.handles[0]!, 1, [])
    expect(alone.fakes[0]!.told).toEqual([['known', 1]])
    const { fakes, handles, exchange } = world('serving', 'serving')
    exchange.announce(handles[0]!, 1, [])
    fakes[1]!.state = 'exited'
    exchange.workerGone(handles[1]!)
    expect(fakes[0]!.told).toEqual([
      ['gone', 101],
      ['known', 1],
    ])
  })

  it('is told to a worker that comes later, unless nobody keeps answers', () => {
    const { fakes, handles, exchange } = world('serving', 'starting')
    exchange.greet(handles[1]!)
    expect(fakes[1]!.told).toEqual([])
    exchange.announce(handles[0]!, 1, [
      [1, ['s.t']],
      [2, null],
    ])
    // It may not hear anything yet, and is not waited for.
    expect(fakes[0]!.told).toEqual([['known', 1]])
    exchange.written(handles[0]!, [[1, false]])
    fakes[1]!.told.length = 0
    exchange.greet(handles[1]!)
    expect(fakes[1]!.told).toEqual([
      ['writes', 0, 0, []],
      ['writes', 0, 100, [[2, null]]],
    ])
  })
})

describe('a flush', () => {
  it('is done when all workers have done it', async () => {
    const { fakes, handles, exchange } = world('serving', 'serving', 'starting')
    let done = false
    const flushed = exchange.flush().then(() => {
      done = true
    })
    expect(fakes.map(({ told }) => told)).toEqual([[['flush', 1]], [['flush', 1]], [['flush', 1]]])
    exchange.taken(handles[0]!, 1)
    await Promise.resolve()
    expect(done).toBe(false)
    exchange.taken(handles[1]!, 1)
    await flushed
    expect(done).toBe(true)
  })
})
