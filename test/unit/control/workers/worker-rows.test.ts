import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'
import { WorkerRows } from '../../../../src/control/workers/worker-rows.js'

const handle = (): WorkerHandle => ({}) as WorkerHandle

describe('rows that workers tell', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are gathered from all of them, in as many pieces as they like', async () => {
    const [a, b] = [handle(), handle()]
    const rows = new WorkerRows(() => [a, b])
    const asked = vi.fn()
    const gathered = rows.gather(asked)
    expect(asked.mock.calls).toEqual([
      [a, 1],
      [b, 1],
    ])
    rows.told(a, 1, [1, 2], false)
    rows.told(b, 1, [10], true)
    rows.told(a, 1, [3], true)
    expect(await gathered).toEqual([1, 2, 10, 3])
  })

  it('are those that have come when nobody has said anything for a second; a worker that goes on is waited for', async () => {
    const [a, b] = [handle(), handle()]
    const rows = new WorkerRows(() => [a, b])
    const gathered = rows.gather(() => {})
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(900)
      rows.told(a, 1, [i], i === 4)
    }
    await vi.advanceTimersByTimeAsync(1000)
    expect(await gathered).toEqual([0, 1, 2, 3, 4])
    rows.told(b, 1, ['late'], true)
  })

  it('do not wait for a worker that has ended, nor for any when there is none', async () => {
    const [a, b] = [handle(), handle()]
    const rows = new WorkerRows(() => [a, b])
    const gathered = rows.gather(() => {})
    rows.told(a, 1, ['a'], true)
    rows.workerGone(b)
    expect(await gathered).toEqual(['a'])
    expect(await new WorkerRows(() => []).gather(() => {})).toEqual([])
  })
})
