import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import { leaveServers } from '../../../../src/worker/pool/leave-servers.js'
import { keepUp, spareConnections } from '../../../../src/worker/pool/pool-upkeep.js'
import { warmUp } from '../../../../src/worker/pool/pool-warming.js'
import { Keep } from '../../../../src/worker/state/residue.js'
import { snapshotOf } from '../fixture.js'
import { FakeHolder, PoolWorld, WAIT_MS } from './pool-fixture.js'

const { limits } = snapshotOf([])
let world: PoolWorld

beforeEach(() => {
  vi.useFakeTimers()
  world = new PoolWorld()
  world.share = 20
})
afterEach(() => {
  vi.clearAllTimers()
  vi.useRealTimers()
})

async function resting(count: number, keep: number = Keep.nothing, holder = new FakeHolder()): Promise<Backend[]> {
  const backends = await Promise.all(Array.from({ length: count }, () => world.get(holder)))
  for (const backend of backends) world.pool.rest(backend, keep)
  return backends
}

const up = ({ freeConnectionsPct = 0, ...more }: Partial<typeof limits> = {}) =>
  keepUp(world.pool, { ...limits, ...more }, Date.now(), () => spareConnections(world.share, freeConnectionsPct))
const open = (backends: readonly Backend[]) => backends.filter(({ state }) => state === 'idle').length

describe('idle connections', () => {
  it('beyond the part that is kept are closed after a while, and that is no suspicion of their server', async () => {
    const backends = await resting(6)
    up({ freeConnectionsPct: 10 })
    expect(open(backends)).toBe(6)
    await vi.advanceTimersByTimeAsync(6000)
    up({ freeConnectionsPct: 10 })
    expect(open(backends)).toBe(2)
    world.endQuit()
    expect(world.suspicions).toEqual([])
  })

  it('of which a session may still ask something are not closed, and one is kept whatever the limit says', async () => {
    const asked = await resting(3, Keep.diagnostics)
    await vi.advanceTimersByTimeAsync(6000)
    up({ freeConnectionsPct: 0 })
    expect(open(asked)).toBe(3)
    for (const backend of asked) world.pool.lower(backend)
    const free = asked.map((backend) => {
      world.pool.release(backend, false)
      return backend
    })
    await vi.advanceTimersByTimeAsync(6000)
    up({ freeConnectionsPct: 0 })
    expect(open(free)).toBe(1)
  })

  it('that the server does not end are ended without it: they count until then', async () => {
    const [backend] = await resting(1)
    world.pool.release(backend, false)
    world.pool.close(backend)
    const [server] = world.pool.servers
    await vi.advanceTimersByTimeAsync(4000)
    up()
    expect([server.all, backend.state]).toEqual([1, 'closing'])
    await vi.advanceTimersByTimeAsync(2000)
    up()
    expect([server.all, backend.state]).toEqual([0, 'closed'])
  })

  it('to a server that is left are closed, after a while also where a session may still ask something', async () => {
    const [free, asked] = await Promise.all([world.get(new FakeHolder()), world.get(new FakeHolder())])
    world.pool.rest(free, Keep.nothing)
    world.pool.rest(asked, Keep.diagnostics)
    const other = (id: string) => id === 'another'
    leaveServers(world.pool, other, Date.now(), 1000)
    expect(open([free, asked])).toBe(2)
    leaveServers(world.pool, () => true, Date.now(), 1000)
    expect(open([free])).toBe(0)
    expect(open([asked])).toBe(1)
    await vi.advanceTimersByTimeAsync(1100)
    leaveServers(world.pool, () => true, Date.now(), 1000)
    expect(open([asked])).toBe(0)
    world.endQuit()
    expect(world.suspicions).toEqual([])
  })

  it('that are too old are closed, not all at the same time', async () => {
    const backends = await resting(10)
    for (const [index, backend] of backends.entries()) Object.assign(backend, { threadId: index * 10 })
    const closed: number[] = []
    for (let ms = 0; ms < 1300; ms += 25) {
      await vi.advanceTimersByTimeAsync(25)
      up({ freeConnectionsPct: 100, connectionMaxAgeMs: 1000 })
      closed.push(10 - open(backends))
    }
    expect([closed[38], closed.at(-1)]).toEqual([0, 10])
    expect(new Set(closed).size).toBeGreaterThan(4)
  })

  it('are pinged, once per interval, and can be used meanwhile', async () => {
    const [backend] = await resting(1)
    const written = () => world.sockets.get(backend)!.written.length
    await vi.advanceTimersByTimeAsync(1001)
    up({ pingIntervalServerMs: 1000 })
    up({ pingIntervalServerMs: 1000 })
    expect([written(), backend.depth]).toEqual([1, 1])
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBe(backend)
    world.answer(backend)
    expect([backend.state, backend.depth]).toEqual(['idle', 0])
    await vi.advanceTimersByTimeAsync(60_000)
    up()
    expect(backend.state).toBe('idle')
  })

  it('that do not answer a ping are ended, used meanwhile or not: nothing else would come through either', async () => {
    const [used, idle] = await resting(2)
    await vi.advanceTimersByTimeAsync(1001)
    up({ pingIntervalServerMs: 1000 })
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).not.toBeNull()
    // However long this process was stopped meanwhile, that it has read nothing yet says nothing.
    await vi.advanceTimersByTimeAsync(60_000)
    const states = () => {
      up({ pingIntervalServerMs: 1000 })
      return [used.state, idle.state]
    }
    for (let look = 0; look < 4; look++) expect(states()).toEqual(['idle', 'idle'])
    states()
    expect(states()).toEqual(['closed', 'closed'])
    expect(world.suspicions).toContain('no answer to COM_PING')
  })
})

describe('warming', () => {
  const warm = ({ pct = 50, isWarmed = true, relatives = ['primary:3306', 'replica:3306'] } = {}) =>
    warmUp(
      world.pool,
      limits,
      () => spareConnections(world.share, pct),
      isWarmed ? [{ candidate: world.primary, relatives: new Set(relatives) }] : [],
      () => 0.5,
    )

  it('opens a few connections per second for the accounts that use the server, up to the part that is kept', async () => {
    await world.get(new FakeHolder())
    const free: number[] = []
    for (let second = 0; second < 5; second++) {
      warm()
      await vi.advanceTimersByTimeAsync(1000)
      free.push(world.gauges().free)
    }
    expect(free).toEqual([3, 6, 9, 10, 10])
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).not.toBeNull()
  })

  it('is off unless configured, opens none for accounts that do not use the server, and none beyond the cap', async () => {
    warm()
    await vi.advanceTimersByTimeAsync(1000)
    expect(world.connects).toBe(0)
    await world.get(new FakeHolder())
    warm({ isWarmed: false })
    await vi.advanceTimersByTimeAsync(1000)
    world.share = 1
    warm({ pct: 100 })
    await vi.advanceTimersByTimeAsync(1000)
    expect(world.connects).toBe(1)
  })

  it('counts accounts that use the other servers of the same data, and no others', async () => {
    const replica = world.view.online(1)[0]
    await world.pool.obtain(replica, world.customer(new FakeHolder()), 1000, WAIT_MS)
    warm({ relatives: ['primary:3306'] })
    await vi.advanceTimersByTimeAsync(1000)
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBeNull()
    warm()
    await vi.advanceTimersByTimeAsync(1000)
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).not.toBeNull()
  })

  it('leaves a server alone that refuses', async () => {
    await world.get(new FakeHolder())
    world.isDown = true
    for (let second = 0; second < 4; second++) {
      warm()
      await vi.advanceTimersByTimeAsync(100)
    }
    await vi.advanceTimersByTimeAsync(500)
    expect(world.connects).toBeLessThanOrEqual(1 + 3 + 1)
    expect(world.gauges()).toEqual({ used: 1, free: 0 })
  })
})
