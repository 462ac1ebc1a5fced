import { expect, it } from 'vitest'
import { LATENCY_POLLS } from '../../../../src/control/topology/latency-gates.js'
import { READER, row, World, WRITER } from './topology-world.js'

const LIMIT = 50
const servers = () => [
  row('a', WRITER, { maxLatencyMs: LIMIT }),
  row('b', READER, { maxLatencyMs: LIMIT }),
  row('c', READER, { maxLatencyMs: LIMIT }),
]

function running(replicasMin = 0): World {
  return new World(servers(), undefined, { replicasMin }).writable('a').replica('b').replica('c')
}

/** Polls that took so long, one behind the other. */
function took(world: World, server: string, ...latencies: number[]): World {
  const role = { readOnly: server !== 'a', replicating: server !== 'a', lagMs: 0, lagReason: '' }
  for (const latencyMs of latencies) world.see({ kind: 'answered', server, ...role, latencyMs })
  return world
}

const polls = (latencyMs: number): number[] => Array(LATENCY_POLLS).fill(latencyMs)
const slow = (world: World): string[] =>
  world.state.entries.filter((entry) => entry.slow !== undefined).map(({ id }) => id)

it('a replica is slow when so many polls in a row were over its limit, and stays ONLINE', () => {
  const world = took(running(), 'b', 60, 60)
  expect(slow(world)).toEqual([])
  took(world, 'b', 60)
  expect(slow(world)).toEqual(['b'])
  expect(world.rows()).toEqual(['0:a', '1:b', '1:c'])
  expect(world.effects).toContainEqual({ kind: 'publish' })
})

it('single long polls make nobody slow', () => {
  const world = running()
  for (let i = 0; i < 5; i++) took(world, 'b', 500, 500, 10)
  expect(slow(world)).toEqual([])
})

it('it is so until as many in a row were well below; both are told of once', () => {
  const world = took(running(), 'b', ...polls(60))
  took(world, 'b', 10, 10, 60, 45, 45, 45, 10, 10)
  expect(slow(world)).toEqual(['b'])
  took(world, 'b', 10)
  expect(slow(world)).toEqual([])
  expect(world.log()).toEqual([
    'b: slow in hostgroup 1: reads go to others (its ping latency is over 50 ms)',
    'b: no longer slow in hostgroup 1 (over: its ping latency is over 50 ms)',
  ])
})

it('the writer never is, nor a replica that becomes it', () => {
  const world = took(running(), 'a', ...polls(500))
  expect(slow(world)).toEqual([])
  took(world, 'b', ...polls(60))
  expect(slow(world.replica('a').writable('b'))).toEqual(['a'])
})

it('the quickest of the slow ones stay in use where replicas_min needs them', () => {
  const world = took(took(running(1), 'b', ...polls(90)), 'c', ...polls(60))
  expect(slow(world)).toEqual(['b'])
  expect(slow(took(took(running(2), 'b', ...polls(90)), 'c', ...polls(60)))).toEqual([])
  expect(slow(took(took(running(), 'b', ...polls(90)), 'c', ...polls(60)))).toEqual(['b', 'c'])
})

it('a replica that does not answer is none of those that replicas_min asks for', () => {
  const world = took(running(1), 'b', ...polls(90))
  expect(slow(world)).toEqual(['b'])
  expect(slow(world.fails('c'))).toEqual([])
})

it('a limit of a server’s own counts instead of the one for all, and 0 is none', () => {
  const of = (maxLatencyMs: number, defaultMaxLatencyMs: number) =>
    slow(took(new World([row('x', 5, { maxLatencyMs })], [], { defaultMaxLatencyMs }), 'x', ...polls(60)))
  expect([of(0, 50), of(0, 100), of(100, 50), of(50, 100), of(0, 0)]).toEqual([['x'], [], [], ['x'], []])
})
