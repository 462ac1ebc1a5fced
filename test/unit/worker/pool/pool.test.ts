import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import { InitConnectError } from '../../../../src/worker/backend/backend-connect.js'
import { Keep } from '../../../../src/worker/state/residue.js'
import { FakeHolder, PoolWorld, WAIT_MS } from './pool-fixture.js'

let world: PoolWorld

beforeEach(() => {
  vi.useFakeTimers()
  world = new PoolWorld()
})

afterEach(() => {
  vi.clearAllTimers()
  vi.useRealTimers()
})

/** Lets what is awaited come through, without time passing. */
const flush = () => vi.advanceTimersByTimeAsync(0)

/** Connections of so many sessions, none of them at rest. */
async function inUse(count: number): Promise<{ holders: FakeHolder[]; backends: Backend[] }> {
  const holders = Array.from({ length: count }, (_, index) => new FakeHolder(`user ${index}`))
  const backends: Backend[] = []
  for (const holder of holders) backends.push(await world.get(holder))
  return { holders, backends }
}

describe('who gets a connection', () => {
  it('opens one where none is idle, and shares what rests', async () => {
    const { holders, backends } = await inUse(1)
    const second = new FakeHolder('second')
    expect(world.pool.take(world.primary, 'a', second)).toBeNull()
    world.pool.rest(backends[0], Keep.nothing)
    expect(await world.get(second)).toBe(backends[0])
    expect(holders[0].taken).toEqual(backends)
    expect(world.connects).toBe(1)
  })

  it('a session finds what it left, as long as nobody else has needed it', async () => {
    const { holders, backends } = await inUse(1)
    world.pool.rest(backends[0], Keep.nothing)
    world.pool.wake(backends[0])
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBeNull()
    expect(holders[0].taken).toEqual([])
  })

  it('connections of different profiles are never mixed, nor is one that has none', async () => {
    world.share = 3
    const [a, none] = [await world.get(new FakeHolder(), 'a'), await world.get(new FakeHolder(), null)]
    world.pool.rest(a, Keep.nothing)
    world.pool.rest(none, Keep.nothing)
    expect(none.shelf).toBeNull()
    const b = await world.get(new FakeHolder(), 'b')
    expect([a, none]).not.toContain(b)
    expect(await world.get(new FakeHolder(), 'a')).toBe(a)
    world.pool.release(none, false)
    expect(none.state).toBe('closing')
  })

  it('a question of ours borrows any idle one that nobody would miss, and gives it back', async () => {
    world.share = 3
    const [a, b] = [await world.get(new FakeHolder(), 'a'), await world.get(new FakeHolder(), 'b')]
    expect(world.pool.borrow(world.primary)).toBeNull()
    world.pool.rest(a, Keep.insertId)
    expect(world.pool.borrow(world.primary)).toBeNull()
    world.pool.rest(b, Keep.nothing)
    expect(world.pool.borrow(world.primary)).toBe(b)
    expect(world.pool.borrow(world.primary)).toBeNull()
    world.pool.release(b, false)
    expect(await world.get(new FakeHolder(), 'b')).toBe(b)
  })

  it('waits when all are in use, and is served in the order of coming', async () => {
    const { backends } = await inUse(2)
    const log: string[] = []
    for (const name of ['1st', '2nd', '3rd']) void world.getNoted(new FakeHolder(name), log)
    await flush()
    expect(log).toEqual([])
    world.pool.rest(backends[1], Keep.nothing)
    await flush()
    expect(log).toEqual(['1st'])
    world.pool.release(backends[0], false)
    await flush()
    expect(log).toEqual(['1st', '2nd'])
    expect(world.pool.take(world.primary, 'a', new FakeHolder('late'))).toBeNull()
    world.pool.release(backends[1], false)
    await flush()
    expect(log).toEqual(['1st', '2nd', '3rd'])
    expect(world.connects).toBe(2)
  })

  it('nobody overtakes those who wait', async () => {
    const { backends } = await inUse(2)
    const log: string[] = []
    void world.getNoted(new FakeHolder('other profile'), log, 'b')
    void world.getNoted(new FakeHolder('same profile'), log, 'a')
    world.pool.rest(backends[0], Keep.nothing)
    await flush()
    expect(backends[0].state).toBe('closing')
    world.pool.rest(backends[1], Keep.nothing)
    await flush()
    expect(log).toEqual([])
    world.endQuit()
    await flush()
    expect(log).toEqual(['other profile', 'same profile'])
  })

  it('tells those whose time is over, and gives them nothing later', async () => {
    const { backends } = await inUse(2)
    const log: string[] = []
    const late = new FakeHolder('late')
    void world.getNoted(late, log)
    await vi.advanceTimersByTimeAsync(WAIT_MS)
    expect(log).toEqual(['late: sluice: primary:3306 has all connections it may have'])
    world.pool.rest(backends[0], Keep.nothing)
    await flush()
    expect(backends[0].shelf).not.toBeNull()
  })

  it('whoever has no use for a connection any more leaves the queue', async () => {
    const { backends } = await inUse(2)
    let wanted = true
    const customer = world.customer(new FakeHolder(), 'a', () => wanted)
    const served = world.pool.obtain(world.primary, customer, 1000, WAIT_MS).catch((error: Error) => error)
    const log: string[] = []
    void world.getNoted(new FakeHolder('next'), log)
    wanted = false
    await vi.advanceTimersByTimeAsync(50)
    expect(await served).toBeInstanceOf(Error)
    world.pool.rest(backends[0], Keep.nothing)
    await flush()
    expect(log).toEqual(['next'])
  })
})

describe('what a session may still ask for', () => {
  it('what can be had elsewhere is given away first', async () => {
    world.share = 3
    const { backends } = await inUse(3)
    world.pool.rest(backends[0], Keep.diagnostics)
    world.pool.rest(backends[1], Keep.insertId)
    world.pool.rest(backends[2], Keep.nothing)
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBe(backends[2])
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBe(backends[1])
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBeNull()
  })

  it('warnings keep a connection from those who wait for a time, not for ever', async () => {
    world.share = 1
    const { holders, backends } = await inUse(1)
    world.pool.rest(backends[0], Keep.diagnostics)
    const log: string[] = []
    void world.getNoted(new FakeHolder('next'), log)
    await vi.advanceTimersByTimeAsync(world.holdMs - 50)
    expect(log).toEqual([])
    await vi.advanceTimersByTimeAsync(100)
    expect(log).toEqual(['next'])
    expect(holders[0].taken).toEqual(backends)
  })

  it('a session that never pauses gives way as soon as it cannot ask any more', async () => {
    world.share = 1
    const { backends } = await inUse(1)
    const log: string[] = []
    world.pool.rest(backends[0], Keep.diagnostics)
    expect(world.pool.yieldsToWaiting(backends[0])).toBe(false)
    void world.getNoted(new FakeHolder('next'), log)
    await flush()
    expect(log).toEqual([])
    expect(world.pool.yieldsToWaiting(backends[0])).toBe(true)
    await flush()
    expect(log).toEqual(['next'])
  })

  it('what was left on one connection is worth nothing after a statement on another', async () => {
    const { backends } = await inUse(1)
    world.pool.rest(backends[0], Keep.diagnostics)
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBeNull()
    world.pool.lower(backends[0])
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBe(backends[0])
  })

  it('an idle session of one account does not keep another account waiting, whatever it may still ask for', async () => {
    world.share = 1
    for (const [keep, afterMs] of [
      [Keep.nothing, 0],
      [Keep.insertId, 0],
      [Keep.diagnostics, world.holdMs + 50],
    ]) {
      const holder = new FakeHolder('idle')
      const backend = await world.get(holder, 'a')
      world.pool.rest(backend, keep)
      const log: string[] = []
      const other = world.getNoted(new FakeHolder('other'), log, 'b')
      await vi.advanceTimersByTimeAsync(afterMs)
      // It is asked what is lost with its connection, and that says nothing of the server.
      expect(holder.taken).toEqual([backend])
      // The server has its connection for as long as it has not ended it.
      expect(log).toEqual([])
      world.endQuit()
      await flush()
      expect(log).toEqual(['other'])
      expect(holder.gone).toEqual([])
      world.end((await other)!)
      world.suspicions.length = 0
    }
  })

  it('a connection that a KILL is on its way to is neither given away nor closed until it has come', async () => {
    world.share = 1
    const { backends } = await inUse(1)
    backends[0].keepUntil = Date.now() + 1000
    world.pool.rest(backends[0], Keep.nothing)
    const log: string[] = []
    void world.getNoted(new FakeHolder('next'), log, 'b')
    await vi.advanceTimersByTimeAsync(950)
    world.pool.wake(backends[0])
    world.pool.release(backends[0], false)
    await flush()
    expect([log, backends[0].state]).toEqual([[], 'idle'])
    await vi.advanceTimersByTimeAsync(100)
    expect([log, backends[0].state]).toEqual([[], 'closing'])
    world.endQuit()
    await flush()
    expect(log).toEqual(['next'])
  })
})

describe('what becomes of a connection', () => {
  it('a dirty one is reset before anybody else gets it', async () => {
    world.share = 1
    const { backends } = await inUse(1)
    const [backend] = backends
    const log: string[] = []
    void world.getNoted(new FakeHolder('next'), log)
    world.pool.release(backend, true)
    await flush()
    expect(backend.state).toBe('syncing')
    expect([log, world.gauges()]).toEqual([[], { used: 1, free: 0 }])
    const sent = Buffer.concat(world.sockets.get(backend)!.written)
    expect(sent.readUInt8(4)).toBe(0x1f)
    world.answer(backend)
    await flush()
    expect(log).toEqual(['next'])
  })

  it('one that rests is reset as well, and is out of reach meanwhile', async () => {
    const { backends } = await inUse(1)
    world.pool.rest(backends[0], Keep.nothing)
    world.pool.release(backends[0], true)
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBeNull()
    expect(world.gauges()).toEqual({ used: 1, free: 0 })
    world.answer(backends[0])
    expect(world.gauges()).toEqual({ used: 0, free: 1 })
  })

  it('one that is lost while it is reset makes room', async () => {
    world.share = 1
    const { backends } = await inUse(1)
    const log: string[] = []
    void world.getNoted(new FakeHolder('next'), log)
    world.pool.release(backends[0], true)
    world.end(backends[0])
    await flush()
    expect([log, world.connects, world.gauges()]).toEqual([['next'], 2, { used: 1, free: 0 }])
  })

  it('one that has only a question of ours in flight is kept when its session ends', async () => {
    const { backends } = await inUse(1)
    backends[0].begin({ received() {}, finished() {}, lost() {}, crashed() {} })
    world.pool.release(backends[0], false)
    expect(backends[0].state).toBe('idle')
    expect(world.pool.take(world.primary, 'a', new FakeHolder())).toBe(backends[0])
  })

  it('one whose statement is still running is ended', async () => {
    const { backends } = await inUse(1)
    backends[0].move('busy')
    backends[0].begin({ received() {}, finished() {}, lost() {}, crashed() {} })
    world.pool.release(backends[0], false)
    expect([backends[0].state, world.suspicions]).toEqual(['closed', []])
  })

  it('those of sessions that have ended are given before those that a session would like to find again', async () => {
    world.share = 4
    const { backends } = await inUse(4)
    world.pool.rest(backends[0], Keep.nothing)
    for (const backend of backends.slice(1)) world.pool.release(backend, false)
    // The one used last is the warmest.
    const order = [1, 2, 3, 4].map(() => world.pool.take(world.primary, 'a', new FakeHolder()))
    expect(order).toEqual([backends[3], backends[2], backends[1], backends[0]])
  })
})

describe('the gauges', () => {
  it('are right however a connection ends', async () => {
    world.share = 6
    const { holders, backends } = await inUse(6)
    expect(world.gauges()).toEqual({ used: 6, free: 0 })
    world.pool.rest(backends[0], Keep.nothing)
    world.pool.rest(backends[1], Keep.diagnostics)
    world.pool.release(backends[2], false)
    expect(world.gauges()).toEqual({ used: 3, free: 3 })
    world.end(backends[0])
    expect([world.gauges(), holders[0].gone, world.suspicions.length]).toEqual([{ used: 3, free: 2 }, [backends[0]], 1])
    world.pool.close(backends[1])
    expect(world.gauges()).toEqual({ used: 3, free: 1 })
    world.endQuit()
    world.end(backends[2])
    world.end(backends[3])
    expect([world.gauges(), world.suspicions.length]).toEqual([{ used: 2, free: 0 }, 2])
    world.pool.closeServer('primary:3306', 'offline')
    expect(world.gauges()).toEqual({ used: 0, free: 0 })
  })

  it('follow a connection into another hostgroup, in use or at rest', async () => {
    const { backends } = await inUse(2)
    world.pool.rest(backends[1], Keep.nothing)
    const there = { ...world.primary, entry: { ...world.primary.entry, hostgroup: 1 } }
    for (const backend of backends) world.pool.retarget(backend, there)
    const of = () => world.pool.report().map(({ hostgroup, connUsed, connFree }) => [hostgroup, connUsed, connFree])
    expect(of()).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ])
    world.pool.wake(backends[1])
    expect(of()[1]).toEqual([1, 2, 0])
  })
})

describe('opening', () => {
  it('never has more connections under way than there may be', async () => {
    let open = (): void => {}
    world.gate = new Promise((resolve) => {
      open = resolve
    })
    const log: string[] = []
    for (let i = 0; i < 5; i++) void world.getNoted(new FakeHolder(String(i)), log)
    await flush()
    expect(world.connects).toBe(2)
    open()
    await flush()
    expect(log).toEqual(['0', '1'])
  })

  it('a failure makes room for the next in the queue', async () => {
    world.share = 1
    let open = (): void => {}
    world.gate = new Promise((resolve) => {
      open = resolve
    })
    world.isDown = true
    const log: string[] = []
    void world.getNoted(new FakeHolder('1st'), log)
    void world.getNoted(new FakeHolder('2nd'), log)
    open()
    await flush()
    expect(log).toEqual(['1st: refused', '2nd: refused'])
    expect(world.gauges()).toEqual({ used: 0, free: 0 })
  })

  it('a server that refuses init_connect is no suspect, is told of once, and is left alone for a while', async () => {
    const refusal = { errno: 1193, sqlState: 'HY000', message: 'Unknown system variable' }
    world.failure = new InitConnectError('primary:3306 does not execute it', refusal)
    const log: string[] = []
    for (let i = 0; i < 3; i++) await world.getNoted(new FakeHolder('it'), log)
    expect(log).toEqual(Array(3).fill('it: primary:3306 does not execute it'))
    expect([world.suspicions, world.initRefusals]).toEqual([[], ['primary:3306 does not execute it']])
    void world.getNoted(new FakeHolder('later'), log)
    await vi.advanceTimersByTimeAsync(50)
    expect(world.connects).toBe(3)
    world.failure = null
    await vi.advanceTimersByTimeAsync(1500)
    expect(log.at(-1)).toBe('later')
  })

  it('after failures in a row nobody tries until the pause is over, then one does, and all get theirs when it succeeds', async () => {
    world.isDown = true
    const log: string[] = []
    for (let i = 0; i < 3; i++) await world.getNoted(new FakeHolder('early'), log)
    expect(world.connects).toBe(3)
    for (let i = 0; i < 2; i++) void world.getNoted(new FakeHolder(String(i)), log)
    await vi.advanceTimersByTimeAsync(900)
    expect(world.connects).toBe(3)
    world.isDown = false
    await vi.advanceTimersByTimeAsync(500)
    expect([world.connects, log.slice(3)]).toEqual([5, ['0', '1']])
  })

  it('those who wait are served at once when the monitor sees the server come back', async () => {
    world.isDown = true
    const log: string[] = []
    for (let i = 0; i < 3; i++) await world.getNoted(new FakeHolder('early'), log)
    void world.getNoted(new FakeHolder('waits'), log)
    world.isDown = false
    const { breaker } = world.primary.target.known
    breaker.reported(false, 1)
    breaker.reported(true, 1)
    await vi.advanceTimersByTimeAsync(25)
    expect(log.at(-1)).toBe('waits')
  })

  it('connections that work are used while no new ones can be had', async () => {
    const { backends } = await inUse(1)
    world.isDown = true
    const log: string[] = []
    for (let i = 0; i < 3; i++) await world.getNoted(new FakeHolder('early'), log)
    void world.getNoted(new FakeHolder('waits'), log)
    await flush()
    world.pool.rest(backends[0], Keep.nothing)
    await flush()
    expect(log.at(-1)).toBe('waits')
  })

  it('those who wait for a server that is taken offline are told to look elsewhere', async () => {
    await inUse(2)
    const log: string[] = []
    void world.getNoted(new FakeHolder('waits'), log)
    await flush()
    world.pool.closeServer('primary:3306', 'offline')
    await flush()
    expect(log[0]).toMatch(/^waits: /)
  })

  it('is limited per second', async () => {
    world.share = 100
    world.perSecond = 3
    const log: string[] = []
    for (let i = 0; i < 7; i++) void world.getNoted(new FakeHolder(String(i)), log)
    await flush()
    expect(log).toEqual(['0', '1', '2'])
    await vi.advanceTimersByTimeAsync(1050)
    expect(log.length).toBe(6)
    await vi.advanceTimersByTimeAsync(1000)
    expect(log.length).toBe(7)
  })
})

describe('a connection that logs in while something is changed that it begins with', () => {
  async function changedMeanwhile(change: () => void): Promise<Backend> {
    let open = (): void => {}
    world.gate = new Promise((resolve) => {
      open = resolve
    })
    const opened = world.get(new FakeHolder())
    change()
    open()
    return opened
  }

  it("is nobody else's when it was accounts", async () => {
    const backend = await changedMeanwhile(() => world.pool.accountsChanged())
    world.pool.rest(backend, Keep.nothing)
    expect(world.pool.take(world.primary, 'a', new FakeHolder('other'))).toBeNull()
  })

  it('is reset for the next one when it was global variables', async () => {
    const backend = await changedMeanwhile(() => world.view.globalsSet('primary:3306'))
    backend.aimAt(world.primary.target)
    expect(backend.applied.tainted).toBe(false)
    world.pool.rest(backend, Keep.nothing)
    expect(world.pool.take(world.primary, 'a', new FakeHolder('other'))).toBe(backend)
    expect(backend.applied.tainted).toBe(true)
  })
})
