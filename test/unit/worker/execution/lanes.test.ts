import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Command } from '../../../../protocol/index.js'
import { Effect } from '../../../../src/sql/index.js'
import type { Backend, Exchange } from '../../../../src/worker/backend/backend.js'
import { DEPTH_MOST, fitsLane, Lanes } from '../../../../src/worker/execution/lanes.js'
import { CommandInHand } from '../../../../src/worker/session/command.js'
import { Hold, Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { serverEntry, snapshotOf, USER } from '../fixture.js'
import { FakeHolder, LOGIN, PoolWorld } from '../pool/pool-fixture.js'

const PROFILE = 'a'
const DEPTH_MAX = 4

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A pool with so many idle connections to the primary, of as many as there may be. */
async function lanesOfPrimary({ idle = 1, share = 2 } = {}) {
  const world = new PoolWorld()
  world.share = share
  const opened = await Promise.all(Array.from({ length: idle }, () => world.get(new FakeHolder())))
  for (const backend of opened) world.pool.release(backend, false)
  const killed: Backend[] = []
  const told: string[] = []
  const lanes = new Lanes(
    world.pool,
    () => Date.now(),
    (lane) => {
      killed.push(lane)
      lane.killing = new Promise(() => {})
    },
  )
  const find = (candidate = world.primary) =>
    lanes.find(candidate, PROFILE, new SessionState(''), DEPTH_MAX, Date.now())
  const send = (lane: Backend, name = 'read'): Exchange => {
    const read: Exchange = {
      received: () => {},
      finished: (backend) => {
        told.push(`${name} answered`)
        lanes.leave(backend, Date.now())
      },
      displaced: () => told.push(`${name} displaced`),
      heldUp: () => told.push(`${name} held others up`),
      lost: () => {},
      crashed: () => {},
    }
    lanes.enter(lane, LOGIN, Date.now())
    lane.move('busy')
    lane.begin(read)
    lanes.write(lane, Buffer.from([1]))
    return read
  }
  return { world, lanes, find, send, killed, told }
}

/** The turn of the event loop is over. */
const nextTurn = () => vi.advanceTimersByTime(0)

describe('a lane', () => {
  it('takes all reads of one turn of the event loop until it is full, and writes them at once', async () => {
    const { world, find, send } = await lanesOfPrimary({ idle: 2 })
    const lanes = Array.from({ length: DEPTH_MAX + 1 }, () => {
      const lane = find()!
      send(lane)
      return lane
    })
    expect(new Set(lanes.slice(0, DEPTH_MAX)).size).toBe(1)
    expect(lanes[DEPTH_MAX]).not.toBe(lanes[0])
    expect(lanes[0].corked).toBe(true)
    nextTurn()
    expect(lanes[0].corked).toBe(false)
    expect(world.sockets.get(lanes[0])!.written).toHaveLength(DEPTH_MAX)
  })

  it('is left alone by the next turn while others are idle', async () => {
    const { find, send } = await lanesOfPrimary({ idle: 2 })
    const first = find()!
    send(first)
    nextTurn()
    const second = find()!
    expect(second).not.toBe(first)
    send(second)
    nextTurn()
    // Nobody is idle any more: behind the one with the fewest in flight.
    send(first)
    expect(find()).toBe(first)
    nextTurn()
    expect(find()).toBe(second)
  })

  it('takes more than it should where the server gives no more connections, and never more than the most', async () => {
    const { find, send } = await lanesOfPrimary({ idle: 1, share: 1 })
    const lane = find()!
    for (let depth = 0; depth < DEPTH_MOST; depth++) {
      expect(find()).toBe(depth === 0 ? null : lane)
      send(lane)
      nextTurn()
    }
    expect(find()).toBeNull()
  })

  it('is not overfilled where the server may have one more', async () => {
    const { find, send } = await lanesOfPrimary({ idle: 1, share: 2 })
    const lane = find()!
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      send(lane)
      nextTurn()
    }
    expect(find()).toBeNull()
  })

  it('comes to rest when somebody waits for a connection, however many reads there are', async () => {
    const { world, find, send } = await lanesOfPrimary({ idle: 2, share: 2 })
    const [first, second] = [find()!, null as Backend | null]
    send(first)
    nextTurn()
    const other = find()!
    send(other)
    nextTurn()
    const log: string[] = []
    const waiter = world.getNoted(new FakeHolder('writer'), log)
    expect(second).toBeNull()
    for (let count = 0; count < 3; count++) {
      expect(find()).toBe(other)
      send(other)
    }
    world.answer(first)
    expect(await waiter).toBe(first)
  })

  it.each([
    ['a client has set global variables', ({ target }: Backend) => Object.assign(target.known, { globalsSet: 1 })],
    ['accounts have been changed', (lane: Backend) => Object.assign(lane, { outdated: true })],
  ])('takes no more reads when %s: a new connection would have others', async (_, change) => {
    const { find, send } = await lanesOfPrimary()
    const lane = find()!
    send(lane)
    expect(find()).toBe(lane)
    change(lane)
    expect(find()).toBeNull()
  })

  it('is not opened on an idle connection from before a client set global variables', async () => {
    const { world, find } = await lanesOfPrimary()
    for (const idle of world.sockets.keys()) idle.target.known.globalsSet++
    expect(find()).toBeNull()
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

describe('a read that takes long', () => {
  it('has one of those behind it executed elsewhere, and all when that is answered first', async () => {
    const { world, find, send, told } = await lanesOfPrimary()
    const lane = find()!
    for (const name of ['slow', 'short', 'other', 'another']) send(lane, name)
    vi.advanceTimersByTime(30)
    expect(told).toEqual(['short displaced'])
    lane.target.known.answered++
    vi.advanceTimersByTime(10)
    expect(told.slice(1)).toEqual(['slow held others up', 'other displaced', 'another displaced'])
    world.answer(lane)
    expect(told.slice(4)).toEqual(['slow answered'])
    expect(lane.state).toBe('idle')
  })

  it('has all behind it executed elsewhere as well when the first of them is answered by another server', async () => {
    const { find, send, told, lanes } = await lanesOfPrimary()
    const lane = find()!
    for (const name of ['slow', 'short', 'other']) send(lane, name)
    vi.advanceTimersByTime(30)
    expect(told).toEqual(['short displaced'])
    lanes.overtook(lane)
    vi.advanceTimersByTime(10)
    expect(told.slice(1)).toEqual(['slow held others up', 'other displaced'])
  })

  it('has no others executed twice while the server answers nobody', async () => {
    const { find, send, told } = await lanesOfPrimary()
    const lane = find()!
    for (let count = 0; count < DEPTH_MAX; count++) send(lane, String(count))
    vi.advanceTimersByTime(5_000)
    expect(told).toEqual(['1 displaced'])
  })

  it('has no others executed twice while the server answers what came before', async () => {
    const { find, send, told } = await lanesOfPrimary()
    const lane = find()!
    lane.target.known.inFlight = 3
    for (let count = 0; count < DEPTH_MAX; count++) send(lane, String(count))
    vi.advanceTimersByTime(15)
    lane.target.known.answered += 3
    vi.advanceTimersByTime(50)
    expect(told).toEqual(['1 displaced'])
    lane.target.known.answered++
    vi.advanceTimersByTime(10)
    expect(told).toContain('3 displaced')
  })

  it('gets no others behind it while a connection can be opened for them', async () => {
    const { find, send } = await lanesOfPrimary({ idle: 1, share: 2 })
    const lane = find()!
    send(lane)
    nextTurn()
    expect(find()).toBe(lane)
    vi.advanceTimersByTime(11)
    expect(find()).toBeNull()
  })

  it('is ended on its server when nobody waits for it or for what is behind it', async () => {
    const { find, send, killed, lanes } = await lanesOfPrimary()
    const lane = find()!
    const slow = send(lane, 'slow')
    lanes.abandon(lane, slow)
    vi.advanceTimersByTime(200)
    expect(killed).toEqual([])
    vi.advanceTimersByTime(100)
    expect(killed).toEqual([lane])
    expect(lane.endedOnPurpose).toBe(true)
  })

  it('is not ended when its answer comes soon', async () => {
    const { world, find, send, killed, lanes } = await lanesOfPrimary()
    const lane = find()!
    lanes.abandon(lane, send(lane))
    world.answer(lane)
    vi.advanceTimersByTime(1_000)
    expect(killed).toEqual([])
    expect(lane.state).toBe('idle')
  })
})

describe('a connection that a KILL is on its way to', () => {
  it('takes no reads, and is used by nobody afterwards', async () => {
    const { world, find, send } = await lanesOfPrimary({ idle: 1, share: 1 })
    const lane = find()!
    send(lane)
    lane.killing = new Promise(() => {})
    expect(find()).toBeNull()
    world.answer(lane)
    expect(lane.state).toBe('closing')
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

  it('not where FOUND_ROWS() tells afterwards what its connection alone knows', () => {
    expect(fits({ effects: Effect.sqlCalcFoundRows })).toBe(false)
  })

  it('not as a PREPARE', () => {
    expect(fits({ code: Command.STMT_PREPARE })).toBe(false)
  })
})
