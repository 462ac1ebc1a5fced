import { describe, expect, it, vi } from 'vitest'
import { CommitTimes } from '../../../../src/shared/commit-times.js'
import type { FromWorker } from '../../../../src/shared/ipc.js'
import { OthersWay } from '../../../../src/worker/announcements.js'
import { CacheChannel } from '../../../../src/worker/cache/cache-peers.js'

function channel(workers = 2) {
  const sent: FromWorker[] = []
  return {
    sent,
    peers: new CacheChannel(
      (message) => sent.push(message),
      new OthersWay(
        () => workers,
        CommitTimes.open(''),
        async () => false,
      ),
    ),
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('writes that other workers have to know of', () => {
  it('are told one after the other, and together where one is on its way', async () => {
    const { sent, peers } = channel()
    const first = peers.announce(1, ['s.a'])
    const second = peers.announce(2, ['s.b'])
    const third = peers.announce(3, null)
    expect(sent).toEqual([{ type: 'cache-announce', request: 1, writes: [[1, ['s.a']]] }])
    peers.acknowledged(1)
    expect(await first).toBe(true)
    const rest = [
      [2, ['s.b']],
      [3, null],
    ]
    expect(sent[1]).toEqual({ type: 'cache-announce', request: 2, writes: rest })
    peers.acknowledged(1)
    peers.acknowledged(2)
    expect(await Promise.all([second, third])).toEqual([true, true])
    expect(sent).toHaveLength(2)
  })

  it('are not waited for longer than 200 ms', async () => {
    vi.useFakeTimers()
    try {
      const { sent, peers } = channel()
      const slow = peers.announce(1, null)
      const next = peers.announce(2, null)
      await vi.advanceTimersByTimeAsync(200)
      expect(await slow).toBe(false)
      expect(sent).toHaveLength(2)
      peers.acknowledged(2)
      expect(await next).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  it('end together, once per turn', async () => {
    const { sent, peers } = channel()
    void peers.announce(1, null)
    peers.acknowledged(1)
    await turn()
    void peers.announce(2, null)
    peers.acknowledged(2)
    peers.ended(1, false)
    peers.ended(2, true)
    await turn()
    const ends = [
      [1, false],
      [2, true],
    ]
    expect(sent.at(-1)).toEqual({ type: 'cache-written', writes: ends })
  })

  it('that are given up before they were told are not told', async () => {
    const { sent, peers } = channel()
    void peers.announce(1, null)
    void peers.announce(2, null)
    peers.ended(2, false)
    peers.acknowledged(1)
    await turn()
    expect(sent).toEqual([
      { type: 'cache-announce', request: 1, writes: [[1, null]] },
      { type: 'cache-announce', request: 2, writes: [] },
    ])
  })

  it('concern nobody where there is one worker', () => {
    expect(channel(1).peers.state).toBe('alone')
  })
})
