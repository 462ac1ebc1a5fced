import { describe, expect, it, vi } from 'vitest'
import { CausalExchange } from '../../../../src/control/workers/causal-exchange.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'

const POSITION = { at: 5000, gtids: '0-1-7' }

function world(states: readonly string[] = ['serving', 'serving', 'serving']) {
  const workers = states.map((state) => ({
    state,
    announceCausal: vi.fn(),
    acknowledgeCausal: vi.fn(),
    publishCausal: vi.fn(),
  }))
  const exchange = new CausalExchange(() => workers as unknown as WorkerHandle[])
  const handle = (index: number) => workers[index] as unknown as WorkerHandle & (typeof workers)[0]
  return { exchange, handle, workers }
}

/** The number under which a worker was told of its last announcement. */
function told(handle: { announceCausal: ReturnType<typeof vi.fn> }): number {
  return handle.announceCausal.mock.calls.at(-1)![0] as number
}

describe('an announcement', () => {
  it('is acknowledged to its worker when all others have taken it', () => {
    const { exchange, handle } = world()
    exchange.announce(handle(0), 11, 'cart')
    expect(handle(0).announceCausal).not.toHaveBeenCalled()
    expect(handle(1).announceCausal.mock.calls[0][1]).toBe('cart')
    exchange.taken(handle(1), told(handle(1)))
    exchange.taken(handle(1), told(handle(1)))
    expect(handle(0).acknowledgeCausal).not.toHaveBeenCalled()
    exchange.taken(handle(2), told(handle(2)))
    expect(handle(0).acknowledgeCausal).toHaveBeenCalledExactlyOnceWith(11)
    exchange.taken(handle(2), told(handle(2)))
    expect(handle(0).acknowledgeCausal).toHaveBeenCalledOnce()
  })

  it('is acknowledged at once where nobody else serves', () => {
    const { exchange, handle } = world(['serving', 'starting', 'draining'])
    exchange.announce(handle(0), 11, 'cart')
    expect(handle(0).acknowledgeCausal).toHaveBeenCalledExactlyOnceWith(11)
    expect(handle(1).announceCausal).not.toHaveBeenCalled()
    expect(handle(2).announceCausal).not.toHaveBeenCalled()
  })

  it('does not wait for a worker that is gone, nor for one that has come since', () => {
    const { exchange, handle, workers } = world()
    exchange.announce(handle(0), 11, 'cart')
    exchange.taken(handle(1), told(handle(1)))
    workers[2].state = 'gone'
    exchange.workerGone(handle(2))
    expect(handle(0).acknowledgeCausal).toHaveBeenCalledExactlyOnceWith(11)
  })

  it('of a worker that is gone is forgotten', () => {
    const { exchange, handle } = world()
    exchange.announce(handle(0), 11, 'cart')
    exchange.workerGone(handle(0))
    for (const index of [1, 2]) exchange.taken(handle(index), told(handle(index)))
    expect(handle(0).acknowledgeCausal).not.toHaveBeenCalled()
  })

  it('is told apart from those of others, though workers number theirs alike', () => {
    const { exchange, handle } = world(['serving', 'serving'])
    exchange.announce(handle(0), 1, 'cart')
    exchange.announce(handle(1), 1, 'cart')
    exchange.taken(handle(0), told(handle(0)))
    expect(handle(1).acknowledgeCausal).toHaveBeenCalledExactlyOnceWith(1)
    expect(handle(0).acknowledgeCausal).not.toHaveBeenCalled()
  })
})

it('a position goes to all others that serve, also that nothing was written', () => {
  const { exchange, handle } = world(['serving', 'serving', 'starting'])
  exchange.publish(handle(0), 'cart', POSITION)
  exchange.publish(handle(0), 'cart', null)
  expect(handle(1).publishCausal.mock.calls).toEqual([
    ['cart', POSITION],
    ['cart', null],
  ])
  expect(handle(0).publishCausal).not.toHaveBeenCalled()
  expect(handle(2).publishCausal).not.toHaveBeenCalled()
})
