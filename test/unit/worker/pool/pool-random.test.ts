import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import type { BackendHolder } from '../../../../src/worker/pool/pool-terms.js'
import { Keep } from '../../../../src/worker/state/residue.js'
import { seededRandom } from '../fixture.js'
import { PoolWorld, WAIT_MS } from './pool-fixture.js'

/** SLUICE_PROPERTY_SEED: the seed that a run has printed. */
const SEED = Number(process.env['SLUICE_PROPERTY_SEED'] ?? Date.now() % 1_000_000)
const RUNS = 40
const STEPS = 150
const PROFILES = ['a', 'b', 'c', null]

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.clearAllTimers()
  vi.useRealTimers()
})

/** What a session does with the pool, and nothing else. */
class Player implements BackendHolder {
  readonly profile: string | null
  readonly #world: PoolWorld
  backend: Backend | null = null
  state: 'idle' | 'waiting' | 'using' = 'idle'
  waitingSince = 0
  ended = false

  constructor(world: PoolWorld, profile: string | null) {
    this.#world = world
    this.profile = profile
  }

  backendTaken(backend: Backend): void {
    if (this.state === 'using') throw new Error('a connection in use was taken away')
    this.#lose(backend)
  }

  backendGone(backend: Backend): void {
    this.#lose(backend)
  }

  #lose(backend: Backend): void {
    if (backend !== this.backend) throw new Error('told of a connection that it does not have')
    this.backend = null
    if (this.state === 'using') this.state = 'idle'
  }

  /** A statement begins. */
  use(): void {
    const { pool } = this.#world
    if (this.backend !== null && !pool.yieldsToWaiting(this.backend)) {
      pool.wake(this.backend)
      this.state = 'using'
      return
    }
    this.state = 'waiting'
    this.waitingSince = Date.now()
    const customer = this.#world.customer(this, this.profile, () => !this.ended)
    const taken = this.profile === null ? null : pool.take(this.#world.primary, this.profile, this)
    const got = taken === null ? pool.obtain(this.#world.primary, customer, 1000, WAIT_MS) : Promise.resolve(taken)
    void got.then(
      (backend) => {
        this.backend = backend
        this.state = 'using'
        if (this.ended) this.#release(false)
        else pool.wake(backend)
      },
      () => {
        this.state = 'idle'
      },
    )
  }

  rest(keep: number): void {
    this.state = 'idle'
    this.#world.pool.rest(this.backend!, keep)
  }

  end(dirty: boolean): void {
    this.ended = true
    if (this.backend !== null) this.#release(dirty)
  }

  #release(dirty: boolean): void {
    const { backend } = this
    this.backend = null
    this.state = 'idle'
    this.#world.pool.release(backend!, dirty)
  }
}

/** All that has to hold whatever has happened. */
function check(world: PoolWorld, players: readonly Player[]): void {
  for (const server of world.pool.servers) {
    // Those included that the server may still have.
    expect(server.all).toBeLessThanOrEqual(world.share)
    expect(server.opening).toBeGreaterThanOrEqual(0)
    const inUse = [...server.backends].filter(({ shelf }) => shelf === null).length
    expect(world.gauges()).toEqual({ used: inUse, free: server.idle })
    expect(inUse + server.idle).toBe(server.backends.size)
    const waiting = players.filter(({ state, ended }) => state === 'waiting' && !ended)
    expect(server.waiters.filter(({ isWanted }) => isWanted()).length).toBeLessThanOrEqual(waiting.length)
    // Who waits does so for a reason.
    if (server.waiters.length > 0) expect(server.all).toBe(world.share)
  }
  const held = players.map(({ backend }) => backend).filter((backend) => backend !== null)
  expect(new Set(held).size).toBe(held.length)
  for (const { backend, profile, state } of players) {
    if (backend === null) continue
    expect(backend.profile).toBe(profile)
    expect(backend.state).toBe('idle')
    if (state === 'using') expect(backend.shelf).toBeNull()
  }
  for (const { state, waitingSince } of players) {
    if (state === 'waiting') expect(Date.now() - waitingSince).toBeLessThanOrEqual(WAIT_MS)
  }
}

async function play(seed: number): Promise<void> {
  const world = new PoolWorld()
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  world.share = 1 + below(4)
  const players: Player[] = []
  const doSomething = (): void => {
    const player = players[below(players.length)]
    const dice = below(20)
    if (player === undefined || (dice === 0 && players.length < 12)) {
      players.push(new Player(world, PROFILES[below(PROFILES.length)]))
    } else if (dice === 1) player.end(below(2) === 0)
    else if (dice === 2) {
      const open = [...world.sockets.keys()].filter(({ state }) => state !== 'closed')
      if (open.length > 0) world.end(open[below(open.length)])
    } else if (dice === 3 && player.backend !== null) world.pool.lower(player.backend)
    else if (player.ended) players.splice(players.indexOf(player), 1)
    else if (player.state === 'idle') player.use()
    else if (player.state === 'using') player.rest([Keep.nothing, Keep.insertId, Keep.diagnostics][below(3)])
  }
  for (let step = 0; step < STEPS; step++) {
    doSomething()
    await vi.advanceTimersByTimeAsync(below(3) === 0 ? below(200) : 0)
    for (const backend of world.sockets.keys()) if (backend.state === 'syncing') world.answer(backend)
    if (below(4) === 0) world.endQuit()
    await vi.advanceTimersByTimeAsync(0)
    check(world, players)
  }
  // Nobody is forgotten: all that wait get a connection as soon as the others rest, or are told.
  for (let round = 0; players.some(({ state }) => state === 'waiting'); round++) {
    expect(round).toBeLessThan(100)
    for (const player of players) if (player.state === 'using') player.end(false)
    for (const player of players) if (player.state === 'idle' && !player.ended) player.end(false)
    world.endQuit()
    await vi.advanceTimersByTimeAsync(25)
    check(world, players)
  }
  for (const player of players) if (!player.ended) player.end(false)
  await vi.advanceTimersByTimeAsync(25)
  expect(world.gauges().used).toBe(0)
}

it('however sessions come, go, wait and lose their connections: caps hold, counts add up, nobody shares or is forgotten', {
  timeout: 60_000,
}, async () => {
  console.log(`seed ${SEED}`)
  for (let run = 0; run < RUNS; run++) {
    try {
      await play(SEED + run)
    } catch (error) {
      throw new Error(`seed ${SEED}, run ${run}: ${(error as Error).message}`, { cause: error })
    }
  }
})
