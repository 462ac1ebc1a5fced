import { describe, expect, it } from 'vitest'
import { CausalKeys, type CausalPeers } from '../../../../src/worker/consistency/causal-keys.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { serverEntry, snapshotOf } from '../fixture.js'

const STARTED = 1000
const TTL = 60_000
const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'

function peers(state: CausalPeers['state'] = 'alone', published: unknown[] = []): CausalPeers {
  return {
    state,
    hearsAll: state !== 'cut',
    announce: async () => true,
    publish: (key, position) => published.push([key, position]),
  }
}

function replica(coversPrimaryAt: number): Candidate {
  const [candidate] = new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)])).online(1)
  candidate.coversPrimaryAt = coversPrimaryAt
  return candidate
}

describe('a causal key', () => {
  it('that is not known asks for what was committed before the worker was there, and for no more', () => {
    const keys = new CausalKeys(peers(), STARTED, 100, TTL)
    expect(keys.at('new').isMetBy(replica(999))).toBe(false)
    expect(keys.at('new').isMetBy(replica(1001))).toBe(true)
  })

  it('asks for what was written under it, and for nothing of others', () => {
    const keys = new CausalKeys(peers(), STARTED, 100, TTL)
    keys.written('one', { at: 5000, gtids: `${UUID}:7` }, 'mysql')
    expect(keys.at('one').isMetBy(replica(4999))).toBe(false)
    expect(keys.at('one').isMetBy(replica(5001))).toBe(true)
    expect(keys.at('two').isMetBy(replica(2000))).toBe(true)
  })

  it('that was forgotten for want of room is still not read too early', () => {
    const keys = new CausalKeys(peers(), STARTED, 2, TTL)
    keys.written('first', { at: 5000, gtids: '' }, 'mysql')
    keys.written('second', { at: 5001, gtids: '' }, 'mysql')
    keys.written('third', { at: 5002, gtids: '' }, 'mysql')
    expect(keys.size).toBe(2)
    expect(keys.at('first').isMetBy(replica(4999))).toBe(false)
    expect(keys.at('first').isMetBy(replica(5003))).toBe(true)
  })

  it('keeps what it asks for when the configuration changes', () => {
    const keys = new CausalKeys(peers(), STARTED, 100, TTL)
    keys.written('one', { at: 5000, gtids: '' }, 'mysql')
    keys.configure(50, 1000)
    expect(keys.at('one').isMetBy(replica(4999))).toBe(false)
  })
})

describe('with other workers', () => {
  it('a key is held from an announcement to its position, which is then asked for', () => {
    const keys = new CausalKeys(peers('connected'), STARTED, 100, TTL)
    keys.announced('one', 5000)
    expect(keys.isHeld('one', 5001)).toBe(true)
    expect(keys.isHeld('two', 5001)).toBe(false)
    keys.published('one', { at: 5002, gtids: '' }, 'mysql')
    expect(keys.isHeld('one', 5003)).toBe(false)
    expect(keys.at('one').isMetBy(replica(5001))).toBe(false)
  })

  it('a key under which two write is held until both are done', () => {
    const keys = new CausalKeys(peers('connected'), STARTED, 100, TTL)
    keys.announced('one', 5000)
    keys.announced('one', 5000)
    keys.published('one', null, 'mysql')
    expect(keys.isHeld('one', 5001)).toBe(true)
    keys.published('one', null, 'mysql')
    expect(keys.isHeld('one', 5001)).toBe(false)
  })

  it('a worker that died holds a key no longer than keys are remembered', () => {
    const keys = new CausalKeys(peers('connected'), STARTED, 100, TTL)
    keys.announced('one', 5000)
    expect(keys.isHeld('one', 5000 + TTL)).toBe(false)
  })

  it('every key is read from the primary while the control plane is gone', () => {
    expect(new CausalKeys(peers('cut'), STARTED, 100, TTL).isHeld('any', 5000)).toBe(true)
  })

  it('what was written is published, and so is that nothing was', () => {
    const published: unknown[] = []
    const keys = new CausalKeys(peers('connected', published), STARTED, 100, TTL)
    keys.written('one', { at: 5000, gtids: '' }, 'mysql')
    keys.written('one', null, 'mysql')
    expect(published).toEqual([
      ['one', { at: 5000, gtids: '' }],
      ['one', null],
    ])
  })

  it('positions that come in another order than they were written add up', () => {
    const keys = new CausalKeys(peers('connected'), STARTED, 100, TTL)
    keys.published('one', { at: 6000, gtids: '' }, 'mysql')
    keys.published('one', { at: 5000, gtids: '' }, 'mysql')
    expect(keys.at('one').isMetBy(replica(5500))).toBe(false)
    expect(keys.at('one').isMetBy(replica(6001))).toBe(true)
  })
})
