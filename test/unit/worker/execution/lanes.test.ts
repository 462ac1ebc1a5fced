import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Command } from '../../../../protocol/index.js'
import { Effect } from '../../../../src/sql/index.js'
import type { Backend, Exchange } from '../../../../src/worker/backend/backend.js'
import { fitsLane, Lanes } from '../../../../src/worker/execution/lanes.js'
import { CommandInHand } from '../../../../src/worker/session/command.js'
import { Hold, Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { serverEntry, snapshotOf, USER } from '../fixture.js'
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

describe('a read fits a lane', () => {
  const OWN = {} as Backend
  const fits = (how: { effects?: number; code?: number; status?: number; hold?: number; pin?: number } = {}) => {
    const command = new CommandInHand()
    const facts = new SessionFacts(USER, how.status)
    command.code = how.code ?? Command.QUERY
    command.effects = how.effects ?? 0
    command.repeatable = true
    if (how.hold !== undefined) facts.addHold(how.hold, OWN)
    if (how.pin !== undefined) facts.addPin(how.pin, OWN)
    return fitsLane(command, facts)
  }

  it('where it leaves nothing behind and asks for nothing of one connection', () => {
    expect(fits()).toBe(true)
    expect(fits({ effects: Effect.readsUserVariable })).toBe(true)
    expect(fits({ hold: Hold.userVariables })).toBe(true)
  })

  it('not where it reads a user variable whose value one connection alone knows', () => {
    expect(fits({ effects: Effect.readsUserVariable, hold: Hold.userVariables })).toBe(false)
  })

  it('not where it begins a transaction, or the one that SET TRANSACTION was for', () => {
    expect(fits({ status: 0 })).toBe(false)
    expect(fits({ hold: Hold.nextTransaction })).toBe(false)
    expect(fits({ pin: Pin.transaction })).toBe(false)
  })

  it('not as a PREPARE', () => {
    expect(fits({ code: Command.STMT_PREPARE })).toBe(false)
  })
})
