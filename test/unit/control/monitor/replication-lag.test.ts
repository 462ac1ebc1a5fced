import { describe, expect, it } from 'vitest'
import type { Channel } from '../../../../src/control/monitor/monitor-queries.js'
import { judgeLag, type LagReading } from '../../../../src/control/monitor/replication-lag.js'

const GRACE_MS = 10_000
const NOW = 50_000

function channel(changes: Partial<Channel> = {}): Channel {
  return {
    source: 'primary:3306',
    name: '',
    receiver: 'running',
    applierRuns: true,
    secondsBehind: 0,
    executed: null,
    receiverError: '',
    applierError: '',
    ...changes,
  }
}

function reading(changes: Partial<LagReading> = {}): LagReading {
  return { channels: [channel()], channelsProblem: '', applierMs: null, behindMs: 0, primaryAlive: true, ...changes }
}

const judge = (changes: Partial<LagReading>, memory: { lagMs: number; atMs: number } | null = null) =>
  judgeLag(reading(changes), memory, NOW, GRACE_MS)

describe('the lag of a replica', () => {
  it('is the applier’s in milliseconds where the server tells, whole seconds otherwise', () => {
    expect(judge({ applierMs: 12.4, channels: [channel({ secondsBehind: 9 })] })).toMatchObject({
      lagMs: 12,
      lagReason: '',
    })
    expect(judge({ channels: [channel({ secondsBehind: 9 })] }).lagMs).toBe(9000)
  })

  it('is the worst of all channels', () => {
    expect(judge({ channels: [channel({ secondsBehind: 1 }), channel({ secondsBehind: 4 })] }).lagMs).toBe(4000)
  })

  it('is never less than what the positions prove: a receiver that hangs looks like no lag otherwise', () => {
    expect(judge({ applierMs: 0, behindMs: 7000 }).lagMs).toBe(7000)
  })

  it.each([
    [{ receiver: 'stopped' as const, receiverError: 'error 1236' }, 'replication receiver is stopped: error 1236'],
    [{ applierRuns: false, applierError: 'duplicate key' }, 'replication applier is stopped: duplicate key'],
    [{ applierRuns: false, name: 'east' }, 'replication applier is stopped (channel east)'],
  ])('is not known while a thread is stopped: %o', (changes, reason) => {
    const verdict = judge(
      { channels: [channel({ secondsBehind: null, ...changes })], applierMs: 0 },
      { lagMs: 5, atMs: NOW - 10 },
    )
    expect(verdict).toMatchObject({ lagMs: null, lagReason: reason })
  })

  it('is not known without a channel or without the right to look', () => {
    expect(judge({ channels: [] })).toMatchObject({ lagMs: null, lagReason: 'replication is not configured' })
    expect(judge({ channels: null, channelsProblem: 'no grant' })).toMatchObject({ lagMs: null, lagReason: 'no grant' })
  })

  it('grows from the last known one while the server says NULL though both threads run, for the grace only', () => {
    const channels = [channel({ secondsBehind: null })]
    expect(judge({ channels }, { lagMs: 100, atMs: NOW - 400 }).lagMs).toBe(500)
    expect(judge({ channels }, { lagMs: 100, atMs: NOW - GRACE_MS - 1 }).lagMs).toBeNull()
    expect(judge({ channels }, null).lagMs).toBeNull()
  })

  it('grows likewise while the receiver reconnects to a primary that lives', () => {
    const channels = [channel({ receiver: 'connecting', secondsBehind: null, receiverError: 'timeout' })]
    expect(judge({ channels, applierMs: 0 }, { lagMs: 0, atMs: NOW - 3000 }).lagMs).toBe(3000)
    expect(judge({ channels, applierMs: 0 }, { lagMs: 0, atMs: NOW - GRACE_MS - 1 })).toMatchObject({
      lagMs: null,
      lagReason: 'replication receiver is reconnecting: timeout',
    })
  })

  it('is the applier’s while the primary is down: nothing new is missed', () => {
    const channels = [channel({ receiver: 'connecting', secondsBehind: null })]
    const long = { lagMs: 20, atMs: NOW - 60_000 }
    expect(judge({ channels, applierMs: 3, primaryAlive: false }, long).lagMs).toBe(3)
    expect(judge({ channels, primaryAlive: false }, long).lagMs).toBe(20)
  })

  it('remembers only what was certain', () => {
    expect(judge({ applierMs: 8 }).memory).toEqual({ lagMs: 8, atMs: NOW })
    const memory = { lagMs: 1, atMs: NOW - 100 }
    expect(judge({ channels: [channel({ secondsBehind: null })] }, memory).memory).toBe(memory)
  })
})
