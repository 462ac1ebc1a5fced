import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Exchange } from '../../../../src/worker/backend/backend.js'
import { Lanes } from '../../../../src/worker/execution/lanes.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { serverEntry, snapshotOf } from '../fixture.js'
import { FakeHolder, PoolWorld } from '../pool/pool-fixture.js'

const PROFILE = 'a'
const DEPTH_MAX = 4

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A pool with one idle connection to the primary. */
async function lanesOfPrimary() {
  const world = new PoolWorld()
  world.pool.release(await world.get(new FakeHolder()), false)
  const lanes = new Lanes(world.pool, () => Date.now())
  const find = (candidate = world.primary) =>
    lanes.find(candidate, PROFILE, new SessionState(''), DEPTH_MAX, Date.now())
  const read: Exchange = {
    received: () => {},
    finished: (lane) => lanes.leave(lane, Date.now()),
    lost: () => {},
    crashed: () => {},
  }
  const send = (lane: NonNullable<ReturnType<typeof find>>): void => {
    lanes.enter(lane, Date.now())
    lane.begin(read)
  }
  return { world, find, send }
}

describe('a lane', () => {
  it('takes the reads of several sessions while one is in flight', async () => {
    const { find, send } = await lanesOfPrimary()
    const lane = find()!
    send(lane)
    expect(find()).toBe(lane)
  })

  it('takes no read for its server in another role before all that was sent to it in the old one is answered', async () => {
    const { world, find, send } = await lanesOfPrimary()
    const lane = find()!
    send(lane)
    world.view.applySnapshot(snapshotOf([serverEntry('replica', 0), serverEntry('primary', 1)], { version: 2 }))
    const demoted = world.view.online(1)[0]
    expect(demoted.entry.host).toBe('primary')
    expect(find(demoted)).toBeNull()
    expect(lane.target.hostgroup).toBe(0)
    world.answer(lane)
    expect(find(demoted)).toBe(lane)
    expect(lane.target.hostgroup).toBe(1)
  })
})
