import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Command, frame } from '../../../../protocol/index.js'
import { CommitTimes } from '../../../../src/shared/commit-times.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import type { FromWorker } from '../../../../src/shared/ipc.js'
import { StatementKind } from '../../../../src/sql/index.js'
import { OthersWay } from '../../../../src/worker/announcements.js'
import { announceKey, showsUnderKey, writesUnderKey } from '../../../../src/worker/consistency/causal-announce.js'
import { CausalKeys } from '../../../../src/worker/consistency/causal-keys.js'
import { CausalChannel } from '../../../../src/worker/consistency/causal-peers.js'
import { SessionConsistency } from '../../../../src/worker/consistency/session-consistency.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'

/** How long a write waits for the others. */
const ANNOUNCE_MS = 200
const TTL = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** The channel of one of several workers, while the control plane is there or not. */
function channel({ workers = 2, connected = true } = {}) {
  const sent: FromWorker[] = []
  vi.spyOn(process, 'connected', 'get').mockReturnValue(connected)
  return {
    sent,
    channel: new CausalChannel(
      (message) => sent.push(message),
      new OthersWay(
        () => workers,
        CommitTimes.open(''),
        async () => false,
      ),
    ),
  }
}

function commandUnder(key: string, kind: number, code: number = Command.QUERY): CommandInHand {
  const command = new CommandInHand()
  const packet = frame(Buffer.of(code), 0)
  command.take(packet, 4, packet.length, COMMAND_RULES.get(code)!, 0)
  command.kind = kind
  command.wishes = key === '' ? null : { level: null, causal: key, position: null, maxLagMs: -1, unknown: '' }
  return command
}

describe('the way to the other workers', () => {
  it('is there while there are others, and a control plane', () => {
    expect(channel().channel.state).toBe('connected')
    expect(channel({ connected: false }).channel.state).toBe('cut')
    expect(channel({ workers: 1, connected: false }).channel.state).toBe('alone')
  })

  it('an announcement is known when it is acknowledged, each for itself', async () => {
    const { channel: one, sent } = channel()
    const [first, second] = [one.announce('a'), one.announce('b')]
    expect(sent).toEqual([
      { type: 'causal-announce', request: 1, key: 'a' },
      { type: 'causal-announce', request: 2, key: 'b' },
    ])
    one.acknowledged(2)
    expect(await second).toBe(true)
    const late = vi.fn()
    void first.then(late)
    await vi.advanceTimersByTimeAsync(ANNOUNCE_MS - 1)
    expect(late).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(late).toHaveBeenCalledExactlyOnceWith(false)
    // Too late, and twice.
    one.acknowledged(1)
    one.acknowledged(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('a position is sent as it is, also that there is none', () => {
    const { channel: one, sent } = channel()
    one.publish('a', { at: 1, gtids: '' })
    one.publish('a', null)
    expect(sent).toEqual([
      { type: 'causal-publish', key: 'a', position: { at: 1, gtids: '' } },
      { type: 'causal-publish', key: 'a', position: null },
    ])
  })
})

describe('what is announced', () => {
  const { write, read, begin } = StatementKind

  it('is a write under a key, once in a transaction', async () => {
    const consistency = new SessionConsistency(0)
    expect(writesUnderKey(commandUnder('cart', write), consistency)).toBe(true)
    expect(writesUnderKey(commandUnder('cart', begin), consistency)).toBe(true)
    expect(writesUnderKey(commandUnder('cart', read), consistency)).toBe(false)
    expect(writesUnderKey(commandUnder('cart', write, Command.STMT_PREPARE), consistency)).toBe(false)
    consistency.keysWritten = new Set(['cart'])
    expect(writesUnderKey(commandUnder('cart', write), consistency)).toBe(false)
    expect(writesUnderKey(commandUnder('list', write), consistency)).toBe(true)
  })

  it('is what a read under a key shows on the primary, where there are others', () => {
    const consistency = new SessionConsistency(0)
    const keys = (options: Parameters<typeof channel>[0]) => new CausalKeys(channel(options).channel, 0, 10, TTL)
    expect(showsUnderKey(commandUnder('cart', read), consistency, keys({}))).toBe(true)
    expect(showsUnderKey(commandUnder('', read), consistency, keys({}))).toBe(false)
    expect(showsUnderKey(commandUnder('cart', read, Command.STMT_PREPARE), consistency, keys({}))).toBe(false)
    expect(showsUnderKey(commandUnder('cart', read), consistency, keys({ workers: 1 }))).toBe(false)
  })

  it('goes out before the write is sent; that others do not answer is counted, and holds nothing up for long', async () => {
    const { channel: one, sent } = channel()
    const counters = newGlobalCounters()
    const consistency = new SessionConsistency(0)
    const context = { causal: new CausalKeys(one, 0, 10, TTL), counters }
    const known = announceKey(commandUnder('cart', write), consistency, context)
    expect(consistency.keysWritten).toEqual(new Set(['cart']))
    one.acknowledged(1)
    await known
    expect(counters.causalAnnouncementsLost).toBe(0)
    const unknown = announceKey(commandUnder('list', write), consistency, context)
    await vi.advanceTimersByTimeAsync(ANNOUNCE_MS)
    await unknown
    expect(counters.causalAnnouncementsLost).toBe(1)
    expect(sent).toHaveLength(2)
  })

  it('is nothing where there is nobody to tell', async () => {
    const { channel: one, sent } = channel({ workers: 1 })
    const context = { causal: new CausalKeys(one, 0, 10, TTL), counters: newGlobalCounters() }
    await announceKey(commandUnder('cart', write), new SessionConsistency(0), context)
    expect(sent).toEqual([])
  })
})
