import { expect, it, vi } from 'vitest'
import { ChangeExchange } from '../../../../src/control/workers/change-exchange.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'

const GLOBALS = { globalsOf: ['a:1'], accounts: false }
const ACCOUNTS = { globalsOf: [], accounts: true }

function world(states: readonly string[]) {
  const workers = states.map((state) => ({ state, tellChange: vi.fn(), acknowledgeChange: vi.fn() }))
  const exchange = new ChangeExchange(() => workers as unknown as WorkerHandle[])
  const handle = (index: number) => workers[index] as unknown as WorkerHandle & (typeof workers)[0]
  return { exchange, handle }
}

it('a change is acknowledged when all others know it, also those that drain', () => {
  const { exchange, handle } = world(['serving', 'serving', 'draining', 'starting'])
  exchange.announce(handle(0), 7, ACCOUNTS)
  expect(handle(0).tellChange).not.toHaveBeenCalled()
  expect(handle(3).tellChange).not.toHaveBeenCalled()
  for (const index of [1, 2]) {
    expect(handle(0).acknowledgeChange).not.toHaveBeenCalled()
    const [id, change] = handle(index).tellChange.mock.calls[0]
    expect(change).toEqual(ACCOUNTS)
    exchange.taken(handle(index), id)
  }
  expect(handle(0).acknowledgeChange).toHaveBeenCalledExactlyOnceWith(7)
})

it('a worker that ends is not waited for', () => {
  const { exchange, handle } = world(['serving', 'serving'])
  exchange.announce(handle(0), 7, ACCOUNTS)
  exchange.workerGone(handle(1))
  expect(handle(0).acknowledgeChange).toHaveBeenCalledExactlyOnceWith(7)
})

it('a worker that comes later is told whose global variables were set, and nothing else', () => {
  const { exchange, handle } = world(['serving', 'starting'])
  exchange.announce(handle(0), 7, ACCOUNTS)
  exchange.greet(handle(1))
  expect(handle(1).tellChange).not.toHaveBeenCalled()
  exchange.announce(handle(0), 8, GLOBALS)
  exchange.announce(handle(0), 9, GLOBALS)
  exchange.greet(handle(1))
  expect(handle(1).tellChange).toHaveBeenCalledExactlyOnceWith(0, GLOBALS)
})
