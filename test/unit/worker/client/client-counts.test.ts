import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ClientBook } from '../../../../src/control/workers/client-book.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'
import type { CountedBy, CountsByName } from '../../../../src/shared/ipc.js'
import { ClientCounts } from '../../../../src/worker/client/client-counts.js'

const CLIENT = '10.0.0.7'

/** Workers and the control plane's book, joined without processes. */
class Joined {
  readonly limits: ClientCounts[] = []
  limit = 1_000
  readonly handles: WorkerHandle[] = []
  readonly book = new ClientBook('address', () => this.handles)

  start(): number {
    const index = this.limits.length
    const limit = new ClientCounts(
      () => this.limit,
      (counts) => this.book.took(handle, JSON.parse(JSON.stringify(counts)) as CountsByName),
    )
    limit.configure(true)
    const tellClients = (by: CountedBy, counts: CountsByName) => {
      expect(by).toBe('address')
      limit.learn(counts)
    }
    const handle = { tellClients } as WorkerHandle
    this.limits.push(limit)
    this.handles.push(handle)
    this.book.workerCame(handle)
    return index
  }

  end(index: number): void {
    const [gone] = this.handles.splice(index, 1)
    this.limits.splice(index, 1)
    this.book.workerGone(gone)
  }

  counts(): number[] {
    return this.limits.map((limit) => limit.count(CLIENT))
  }
}

describe('client connections by name', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const told = () => vi.advanceTimersByTime(100)

  it('are known in all workers, wherever they come and go', () => {
    const joined = new Joined()
    for (let i = 0; i < 3; i++) joined.start()
    joined.limits[0].enter(CLIENT)
    joined.limits[0].enter(CLIENT)
    joined.limits[1].enter(CLIENT)
    expect(joined.counts()).toEqual([2, 1, 0])
    told()
    expect(joined.counts()).toEqual([3, 3, 3])
    joined.limits[0].leave(CLIENT)
    told()
    expect(joined.counts()).toEqual([2, 2, 2])
    joined.limits[0].leave(CLIENT)
    joined.limits[1].leave(CLIENT)
    told()
    expect(joined.counts()).toEqual([0, 0, 0])
  })

  it('of a worker that died are gone; one that takes its place knows of the others', () => {
    const joined = new Joined()
    for (let i = 0; i < 2; i++) joined.start()
    joined.limits[0].enter(CLIENT)
    joined.limits[1].enter(CLIENT)
    told()
    joined.end(0)
    expect(joined.counts()).toEqual([1])
    joined.start()
    expect(joined.counts()).toEqual([1, 1])
  })

  it('are exactly as many as the limit allows when they come one behind the other, however they are spread', () => {
    const joined = new Joined()
    joined.limit = 5
    for (let i = 0; i < 3; i++) joined.start()
    let random = 12345
    const nextWorker = () => {
      random = (random * 1103515245 + 12345) % 2 ** 31
      return joined.limits[random % 3]
    }
    const inside: ClientCounts[] = []
    for (let i = 0; i < 100; i++) {
      const worker = nextWorker()
      expect(worker.isFull(CLIENT)).toBe(inside.length >= 5)
      if (worker.isFull(CLIENT)) inside.splice(i % 5, 1)[0].leave(CLIENT)
      else inside.push(worker) && worker.enter(CLIENT)
      vi.advanceTimersByTime(0)
      expect(inside.length).toBeLessThanOrEqual(5)
    }
  })

  it('far below the limit are told in one message for all that comes within a moment', () => {
    const tell = vi.fn()
    const counts = new ClientCounts(() => 10_000, tell)
    counts.configure(true)
    for (let i = 0; i < 20; i++) {
      counts.enter(CLIENT)
      vi.advanceTimersByTime(1)
    }
    expect(tell).not.toHaveBeenCalled()
    told()
    expect(tell).toHaveBeenCalledExactlyOnceWith({ [CLIENT]: 20 })
  })

  it('are told when a limit is set later, and forgotten when nobody tells them any more', () => {
    const tell = vi.fn()
    let limit = 0
    const counts = new ClientCounts(() => limit, tell)
    counts.configure(true)
    counts.enter(CLIENT)
    told()
    expect(counts.isFull(CLIENT)).toBe(false)
    expect(tell).not.toHaveBeenCalled()
    limit = 3
    counts.configure(true)
    told()
    expect(tell).toHaveBeenCalledExactlyOnceWith({ [CLIENT]: 1 })
    limit = 0
    counts.configure(true)
    told()
    expect(tell).toHaveBeenLastCalledWith({ [CLIENT]: 0 })
    counts.leave(CLIENT)
    told()
    expect(tell).toHaveBeenCalledTimes(2)
    limit = 3
    counts.enter(CLIENT)
    counts.learn({ [CLIENT]: 5 })
    expect(counts.count(CLIENT)).toBe(6)
    expect(counts.isFull(CLIENT)).toBe(true)
    counts.forgetOthers()
    expect(counts.count(CLIENT)).toBe(1)
    expect(counts.isFull(CLIENT)).toBe(false)
  })

  it('are of nobody else where there is no other worker', () => {
    const tell = vi.fn()
    const counts = new ClientCounts(() => 1, tell)
    counts.configure(false)
    counts.enter(CLIENT)
    told()
    expect(tell).not.toHaveBeenCalled()
    expect(counts.isFull(CLIENT)).toBe(true)
  })
})
