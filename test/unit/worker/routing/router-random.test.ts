import { describe, expect, it } from 'vitest'
import type { ServerEntry, ServerStatus } from '../../../../src/shared/snapshot.js'
import { Hint, StatementKindName } from '../../../../src/sql/index.js'
import { newDecision, type RouteInput, route } from '../../../../src/worker/routing/router.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { fakeBackend, needOf, seededRandom, serverEntry, snapshotOf, USER } from '../fixture.js'
import { routeInput } from './fixture.js'

const STATUSES: readonly ServerStatus[] = ['ONLINE', 'SHUNNED', 'OFFLINE_SOFT', 'OFFLINE_HARD']
const ROUNDS = 3000
const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 2 ** 31)

describe('weights', () => {
  it('reads are spread over the replicas in proportion to their weights', () => {
    const weights = [1, 3, 6]
    const replicas = weights.map((weight, index) => serverEntry(`replica${index}`, 1, { weight }))
    const view = new TopologyView(snapshotOf([serverEntry('primary', 0), ...replicas]))
    const random = seededRandom(42)
    const counts = new Map<string, number>()
    const total = 20_000
    for (let i = 0; i < total; i++) {
      const host = route(routeInput(view, { random: random() }), newDecision()).candidate!.entry.host
      counts.set(host, (counts.get(host) ?? 0) + 1)
    }
    for (const [index, weight] of weights.entries()) {
      expect(Math.abs(counts.get(`replica${index}`)! / total - weight / 10)).toBeLessThan(0.02)
    }
  })

  it('a replica of weight 0 is read from only when no other replica is there', () => {
    const servers = (other: ServerStatus) => [
      serverEntry('primary', 0),
      serverEntry('spare', 1, { weight: 0 }),
      serverEntry('replica', 1, { weight: 1, status: other }),
      serverEntry('spare2', 1, { weight: 0 }),
    ]
    for (const random of [0, 0.25, 0.5, 0.75, 0.999999]) {
      const both = new TopologyView(snapshotOf(servers('ONLINE')))
      expect(route(routeInput(both, { random }), newDecision()).candidate?.entry.host).toBe('replica')
      const spares = new TopologyView(snapshotOf(servers('SHUNNED')))
      expect(route(routeInput(spares, { random }), newDecision()).candidate?.entry.host).toMatch(/^spare/)
    }
  })

  it('several replicas of weight 0 share the reads when they are all there is', () => {
    const spares = ['a', 'b', 'c'].map((name) => serverEntry(name, 1, { weight: 0 }))
    const view = new TopologyView(snapshotOf([serverEntry('primary', 0), ...spares]))
    const random = seededRandom(7)
    const seen = new Set<string>()
    for (let i = 0; i < 200; i++)
      seen.add(route(routeInput(view, { random: random() }), newDecision()).candidate!.entry.host)
    expect([...seen].sort()).toEqual(['a', 'b', 'c'])
  })
})

describe(`random topologies (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]

  function randomServers(): ServerEntry[] {
    return Array.from({ length: below(7) }, (_, index) =>
      serverEntry(`server${index}`, below(4), {
        status: random() < 0.6 ? 'ONLINE' : oneOf(STATUSES),
        weight: random() < 0.3 ? 0 : below(100),
      }),
    )
  }

  function randomInput(view: TopologyView, servers: readonly ServerEntry[]): RouteInput {
    const facts = new SessionFacts({ ...USER, defaultHostgroup: below(3) })
    if (random() < 0.2) facts.statusFlags = 0
    if (random() < 0.2) facts.consistency.wrote(below(20), '', 'mysql')
    const excluded = new Set(servers.filter(() => random() < 0.2).map(({ id }) => id))
    return {
      ...routeInput(view, { random: random() }),
      kind: below(StatementKindName.length),
      effects: random() < 0.5 ? 0 : below(2 ** 31),
      hint: oneOf([Hint.none, Hint.none, Hint.primary, Hint.replica]),
      hintHostgroup: random() < 0.1 ? below(4) : -1,
      facts,
      need: needOf(facts),
      excluded: random() < 0.5 ? null : excluded,
    }
  }

  it('a statement goes to a server that is ONLINE in the hostgroup that was decided, not excluded, and to weight 0 last', () => {
    for (let round = 0; round < ROUNDS; round++) {
      const servers = randomServers()
      const pairs = random() < 0.8 ? [{ writer: 0, reader: 1 }] : []
      const view = new TopologyView(snapshotOf(servers, { replicationHostgroups: pairs }))
      for (const { entry } of [0, 1, 2, 3].flatMap((hostgroup) => [...view.online(hostgroup)])) {
        expect(entry.status).toBe('ONLINE')
      }
      for (const candidate of view.online(1)) candidate.coversPrimaryAt = below(20)
      const input = randomInput(view, servers)
      const { candidate, backend, hostgroup } = route(input, newDecision())
      expect(backend, `round ${round}`).toBeNull()
      const online = servers.filter(
        (server) => server.hostgroup === hostgroup && server.status === 'ONLINE' && !input.excluded?.has(server.id),
      )
      if (candidate === null) {
        // A statement is held only when the hostgroup it needs has nobody.
        expect(online, `round ${round}`).toEqual([])
        continue
      }
      expect(online, `round ${round}`).toContain(candidate.entry)
      const wroteBefore = input.facts.consistency.lastWriteAt >= 0
      if (candidate.entry.weight === 0 && !wroteBefore) {
        expect(Math.max(...online.map(({ weight }) => weight)), `round ${round}`).toBe(0)
      }
    }
  })

  it('a pinned session stays on its connection, whatever the servers are like', () => {
    const { backend } = fakeBackend()
    for (let round = 0; round < ROUNDS; round++) {
      const servers = randomServers()
      const input = randomInput(new TopologyView(snapshotOf(servers)), servers)
      input.facts.addPin(oneOf(Object.values(Pin)), backend)
      const decided = route(input, newDecision())
      expect(decided.backend, `round ${round}`).toBe(backend)
      expect(decided.candidate, `round ${round}`).toBeNull()
    }
  })
})
