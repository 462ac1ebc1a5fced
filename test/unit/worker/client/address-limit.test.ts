import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AddressBook } from '../../../../src/control/workers/address-counts.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'
import type { AddressCounts } from '../../../../src/shared/ipc.js'
import { AddressLimit } from '../../../../src/worker/client/address-limit.js'

const CLIENT = '10.0.0.7'

/** Workers and the control plane's book, joined without processes. */
class Joined {
  readonly limits: AddressLimit[] = []
  readonly handles: WorkerHandle[] = []
  readonly book = new AddressBook(() => this.handles)

  start(): number {
    const index = this.limits.length
    const limit = new AddressLimit((counts) =>
      this.book.took(handle, JSON.parse(JSON.stringify(counts)) as AddressCounts),
    )
    limit.tellOthers(true)
    const handle = { tellAddresses: (counts: AddressCounts) => limit.learn(counts) } as WorkerHandle
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

describe('connections by address', () => {
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

  it('are told when a limit is set later, and forgotten when nobody tells them any more', () => {
    const tell = vi.fn()
    const limit = new AddressLimit(tell)
    limit.enter(CLIENT)
    told()
    expect(tell).not.toHaveBeenCalled()
    limit.tellOthers(true)
    told()
    expect(tell).toHaveBeenCalledExactlyOnceWith({ [CLIENT]: 1 })
    limit.tellOthers(false)
    limit.leave(CLIENT)
    limit.tellOthers(true)
    told()
    expect(tell).toHaveBeenLastCalledWith({ [CLIENT]: 0 })
    limit.enter(CLIENT)
    limit.learn({ [CLIENT]: 5 })
    expect(limit.count(CLIENT)).toBe(6)
    limit.forgetOthers()
    expect(limit.count(CLIENT)).toBe(1)
  })
})
