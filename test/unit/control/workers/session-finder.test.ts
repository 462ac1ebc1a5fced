import { describe, expect, it, vi } from 'vitest'
import { SessionFinder } from '../../../../src/control/workers/session-finder.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'
import { SESSION_IDS } from '../../../../src/shared/ipc.js'

function world(numbers = [1, 2, 3]) {
  const workers = numbers.map((number) => ({
    number,
    askForSession: vi.fn(),
    answerSession: vi.fn(),
    killSession: vi.fn(),
  }))
  const finder = new SessionFinder(() => workers as unknown as WorkerHandle[])
  const handle = (number: number) =>
    workers.find((one) => one.number === number) as unknown as WorkerHandle & (typeof workers)[0]
  return { finder, handle }
}

const PLACE = { sessionId: 7, user: 'app', connections: [] }
/** Given by worker 2. */
const ID_OF_2 = SESSION_IDS.first + 5 * SESSION_IDS.workersMax + 2

describe('the search for a session', () => {
  it('asks the one worker that can have given a greeting id', () => {
    const { finder, handle } = world()
    finder.find(handle(1), 11, { id: ID_OF_2, server: 's', killer: null })
    expect(handle(3).askForSession).not.toHaveBeenCalled()
    const [search, wanted] = handle(2).askForSession.mock.calls[0]
    expect(wanted).toEqual({ id: ID_OF_2, server: 's', killer: null })
    finder.found(handle(2), search, PLACE)
    expect(handle(1).answerSession).toHaveBeenCalledExactlyOnceWith(11, PLACE)
  })

  it("asks all others for a server's id, and answers with the first that has it", () => {
    const { finder, handle } = world()
    finder.find(handle(1), 12, { id: 34, server: 's', killer: null })
    expect(handle(1).askForSession).not.toHaveBeenCalled()
    const search = handle(2).askForSession.mock.calls[0][0]
    finder.found(handle(2), search, null)
    expect(handle(1).answerSession).not.toHaveBeenCalled()
    finder.found(handle(3), search, PLACE)
    expect(handle(1).answerSession).toHaveBeenCalledExactlyOnceWith(12, PLACE)
  })

  it('ends with nothing when nobody has it, nobody is there to ask, or those that were asked are gone', () => {
    const { finder, handle } = world()
    finder.find(handle(1), 1, { id: 34, server: 's', killer: null })
    const search = handle(2).askForSession.mock.calls[0][0]
    finder.found(handle(2), search, null)
    finder.workerGone(handle(3))
    expect(handle(1).answerSession).toHaveBeenCalledExactlyOnceWith(1, null)
    const alone = world([1])
    alone.finder.find(alone.handle(1), 2, { id: 34, server: 's', killer: null })
    expect(alone.handle(1).answerSession).toHaveBeenCalledExactlyOnceWith(2, null)
  })

  it('ends with nothing when a worker does not answer within a second', () => {
    vi.useFakeTimers()
    try {
      const { finder, handle } = world()
      finder.find(handle(1), 1, { id: 34, server: 's', killer: null })
      vi.advanceTimersByTime(1000)
      expect(handle(1).answerSession).toHaveBeenCalledExactlyOnceWith(1, null)
      finder.found(handle(2), handle(2).askForSession.mock.calls[0][0], PLACE)
      expect(handle(1).answerSession).toHaveBeenCalledTimes(1)
    } finally {
      vi.useRealTimers()
    }
  })

  it('passes a KILL to the worker of the session alone', () => {
    const { finder, handle } = world()
    const kill = { sessionId: ID_OF_2, statementOnly: true, hit: true }
    finder.kill(kill)
    expect(handle(2).killSession).toHaveBeenCalledExactlyOnceWith(kill)
    expect(handle(1).killSession).not.toHaveBeenCalled()
  })
})
