import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { seededRandom, serverEntry } from '../fixture.js'
import { Client, type Member, ShareWorld } from './share-world.js'

/** SLUICE_PROPERTY_SEED: the seed that a run has printed. */
const SEED = Number(process.env['SLUICE_PROPERTY_SEED'] ?? Date.now() % 1_000_000)
const RUNS = 25
const WAIT_MS = 10_000
/** A connection that nobody uses is lent within this time, whoever has it. */
const LENT_MS = 800

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.clearAllTimers()
  vi.useRealTimers()
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** Workers that all serve. */
async function begin(workers: number, cap: number, delayMs = (): number => 1): Promise<ShareWorld> {
  const world = new ShareWorld(workers, cap, delayMs)
  await pass(50)
  expect(world.serving.length).toBe(workers)
  return world
}

/** Clients of one worker that each want a connection to themselves. */
function hold(member: Member, count: number): Client[] {
  const clients = Array.from({ length: count }, () => new Client(member))
  for (const client of clients) client.begin(WAIT_MS).catch(() => {})
  return clients
}

const served = (clients: readonly Client[]): number => clients.filter(({ waitedMs }) => waitedMs !== null).length

describe('connections of a server over all workers', () => {
  it('are divided evenly at first, what cannot be divided by number', async () => {
    expect((await begin(3, 8)).shares).toEqual([3, 3, 2])
    expect((await begin(3, 2)).shares).toEqual([1, 1, 0])
  })

  it('are all for one worker where the others need none', async () => {
    const world = await begin(2, 3)
    const clients = hold(world.members[1], 4)
    await pass(200)
    expect(served(clients)).toBe(3)
    expect(world.shares).toEqual([0, 3])
    clients[0].end()
    await pass(50)
    expect(served(clients)).toBe(4)
    expect(world.most).toBe(3)
  })

  it('serve the worker that has no share, and go from one to the other when each wants the only one', async () => {
    const world = await begin(2, 1)
    const count = [0, 0]
    for (let at = 0; at < 2; at++) {
      const busy = async (): Promise<void> => {
        for (;;) {
          const client = new Client(world.members[at])
          await client.begin(WAIT_MS)
          count[at]++
          await new Promise((resolve) => setTimeout(resolve, 5))
          client.end()
        }
      }
      for (let i = 0; i < 3; i++) void busy()
    }
    await pass(5_000)
    expect(Math.min(...count)).toBeGreaterThan(150)
    expect(world.most).toBe(1)
  })

  it('go to a worker that wants its fair part, from one that has more and never rests', async () => {
    const world = await begin(2, 4)
    const busy = async (): Promise<void> => {
      for (;;) {
        const client = new Client(world.members[0])
        await client.begin(WAIT_MS)
        await new Promise((resolve) => setTimeout(resolve, 5))
        client.end()
      }
    }
    for (let i = 0; i < 20; i++) void busy()
    await pass(2_000)
    expect(world.shares).toEqual([4, 0])
    const clients = hold(world.members[1], 2)
    await pass(400)
    expect(served(clients)).toBe(2)
    expect(world.shares).toEqual([2, 2])
    expect(world.most).toBe(4)
  })

  it('that lie idle between the statements of others are lent when they have done so for a while', async () => {
    const world = await begin(2, 4)
    const [first] = hold(world.members[0], 1)
    await pass(50)
    first.rest()
    const clients = hold(world.members[1], 4)
    await pass(200)
    expect(served(clients)).toBe(3)
    await pass(300)
    expect(served(clients)).toBe(4)
    expect(world.most).toBe(4)
  })

  it('are even again some time after nobody has waited', async () => {
    const world = await begin(2, 10)
    const clients = hold(world.members[0], 9)
    await pass(200)
    for (const client of clients) client.end()
    expect(world.shares).toEqual([9, 1])
    await pass(9_000)
    expect(world.shares).toEqual([9, 1])
    await pass(4_000)
    expect(world.shares).toEqual([5, 5])
  })

  it('are free again when their worker dies; the next one begins with what is free', async () => {
    const world = await begin(2, 4)
    const [a, b] = world.members
    hold(b, 3)
    await pass(200)
    expect(world.shares).toEqual([1, 3])
    const clients = hold(b, 1)
    hold(a, 1)
    await pass(200)
    expect(served(clients)).toBe(0)
    world.die(a)
    await pass(200)
    expect(served(clients)).toBe(1)
    const next = world.start(1)
    await pass(50)
    expect(next.isServing).toBe(true)
    expect(world.shares).toEqual([4, 0])
    world.die(b)
    await pass(1_100)
    expect(world.shares).toEqual([2])
  })

  it('stay as they are without a control plane', async () => {
    const world = await begin(2, 4)
    hold(world.members[1], 3)
    await pass(200)
    for (const { up, down } of world.members) up.isCut = down.isCut = true
    const clients = [hold(world.members[0], 2), hold(world.members[1], 1)]
    await pass(5_000)
    expect(clients.map(served)).toEqual([1, 0])
    expect(world.shares).toEqual([1, 3])
  })

  it('follow the limit, down and up', async () => {
    const world = await begin(2, 8)
    const clients = hold(world.members[0], 6)
    await pass(200)
    world.setCap(4)
    await pass(50)
    expect(world.shares.reduce((sum, share) => sum + share)).toBeLessThanOrEqual(4)
    for (const client of clients) client.end()
    await pass(200)
    expect(world.connections).toBeLessThanOrEqual(4)
    world.setCap(9)
    await pass(50)
    expect(world.shares).toEqual([5, 4])
  })

  it('of a hostgroup with a lower limit than another one of the same server are that part of the share', async () => {
    const { members } = await begin(2, 8)
    const [{ shares, candidate }] = members
    const as = (maxConnections: number) =>
      shares.in({ ...candidate, entry: serverEntry('primary', 1, { maxConnections }) })
    expect([8, 4, 3, 1].map(as)).toEqual([4, 2, 1, 1])
  })
})

it('whatever messages cross: never more connections than the limit, and none idle while somebody waits', async () => {
  console.log(`seed ${SEED}`)
  for (let run = 0; run < RUNS; run++) {
    const random = seededRandom(SEED + run)
    const below = (limit: number): number => Math.floor(random() * limit)
    const workers = 2 + below(3)
    let cap = 1 + below(9)
    const slowest = 1 + below(30)
    const world = await begin(workers, cap, () => 1 + below(slowest))
    const clients = new Set<Client>()
    for (let step = 0; step < 150; step++) {
      const { serving } = world
      const dice = below(100)
      if (dice < 60 && serving.length > 0 && clients.size < 12) {
        // Clients land unevenly.
        const client = new Client(serving[Math.min(below(serving.length), below(serving.length))], 'ab'[below(2)])
        clients.add(client)
        const holdMs = below(60)
        const leave = (): void => {
          if (random() < 0.5) client.rest()
          else client.end()
          clients.delete(client)
        }
        client.begin(WAIT_MS).then(
          () => setTimeout(leave, holdMs),
          (error) => {
            clients.delete(client)
            if (!client.member.isDead) throw error
          },
        )
      } else if (dice < 62 && serving.length > 0) {
        const member = serving[below(serving.length)]
        world.die(member)
        setTimeout(() => world.start(member.number), below(100))
      } else if (dice < 64) {
        const next = 1 + below(9)
        if (next > cap) world.setCap(next)
        cap = Math.max(cap, next)
      }
      await pass(below(40))
      expect(world.most, `run ${run}`).toBeLessThanOrEqual(cap)
    }
    await pass(LENT_MS)
    expect(world.serving.length).toBe(workers)
    const last = hold(world.serving[below(workers)], cap)
    await pass(LENT_MS)
    expect(served(last), `run ${run}`).toBe(cap)
    for (const client of last) client.end()
    const less = 1 + below(cap)
    world.setCap(less)
    await pass(LENT_MS)
    world.most = world.connections
    const more = world.serving.map((member) => hold(member, 3))
    await pass(LENT_MS)
    expect(world.most, `run ${run}`).toBeLessThanOrEqual(less)
    expect(served(more.flat()), `run ${run}`).toBe(Math.min(less, 3 * workers))
    vi.clearAllTimers()
  }
}, 120_000)
