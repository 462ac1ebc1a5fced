import { expect, it } from 'vitest'
import type { ServerConfig } from '../../../../src/control/config/config-schema.js'
import { MAX_FAILURES, READER, row, World, WRITER } from './topology-world.js'

/** A small generator that can be repeated from its seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const NAMES = ['a', 'b', 'c', 'd']

it('whatever is seen in whatever order: one writer, nobody lost, nobody takes over from a healthy writer', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
  const random = randomFrom(seed)
  for (let round = 0; round < 60; round++) {
    const servers: ServerConfig[] = NAMES.map((name) =>
      row(name, random(4) === 0 ? WRITER : READER, { maxReplicationLag: random(2) * 2 }),
    )
    const world = new World(servers)
    for (let step = 0; step < 200; step++) {
      const where = `seed ${seed}, round ${round}, step ${step}`
      const before = world.state
      randomObservation(world, random)
      checkInvariants(world, before, where)
    }
    settle(world)
    expect(world.rows(), `seed ${seed}, round ${round}: after everything is well`).toEqual(['0:a', '1:b', '1:c', '1:d'])
  }
})

function randomObservation(world: World, random: (below: number) => number): void {
  const server = NAMES[random(NAMES.length)]
  world.later(random(500))
  switch (random(6)) {
    case 0:
      world.fails(server, 1 + random(MAX_FAILURES))
      break
    case 1:
      world.see({ kind: 'blind', server, reason: 'monitor: access denied' })
      break
    case 2:
      world.writable(server, random(2) === 0)
      break
    case 3:
      world.replica(server, null, 'replication applier is stopped')
      break
    default:
      world.replica(server, random(5000))
  }
}

function checkInvariants(world: World, before: World['state'], where: string): void {
  const { entries, writers, nodes, refused } = world.state
  const inWriterHostgroup = entries.filter(({ hostgroup }) => hostgroup === WRITER)
  expect(inWriterHostgroup.length, `${where}: writers`).toBeLessThanOrEqual(1)
  expect(entries.map(({ id }) => id).sort(), `${where}: every server has one row`).toEqual(NAMES)
  for (const { id, hostgroup, status, statusReason } of entries) {
    const node = nodes.get(id)!
    if (hostgroup === WRITER) {
      expect(node.readOnly, `${where}: ${id} writes`).not.toBe(true)
      if (node.failures < MAX_FAILURES) expect(status, `${where}: writer ${id} is not shunned for lag`).toBe('ONLINE')
    }
    if (node.failures >= MAX_FAILURES) expect(status, `${where}: ${id} does not answer`).toBe('SHUNNED')
    expect(statusReason === '', `${where}: a reason for every status but ONLINE`).toBe(status === 'ONLINE')
    if (hostgroup === READER && status === 'ONLINE' && node.seen) {
      expect(node.lagMs, `${where}: reads of ${id} without known lag`).not.toBeNull()
    }
  }
  const [old, now] = [before.writers.get(WRITER), writers.get(WRITER)]
  if (old !== undefined && now !== old) {
    const left = nodes.get(old)!
    expect(left.readOnly === true || left.failures >= MAX_FAILURES, `${where}: ${now} took over from ${old}`).toBe(true)
  }
  for (const id of refused.keys()) expect(id, `${where}: the writer is not refused`).not.toBe(now)
}

/** a becomes the only writable server and everybody replicates well. */
function settle(world: World): void {
  for (let i = 0; i < 2; i++) for (const name of ['b', 'c', 'd']) world.replica(name)
  world.replica('a').writable('a')
  for (const name of ['b', 'c', 'd']) world.replica(name)
  world.later(2000)
  for (const name of NAMES.slice(1)) world.replica(name)
}
