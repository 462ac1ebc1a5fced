import { describe, expect, it } from 'vitest'
import { chooseByLoad, leastLagging } from '../../../../src/worker/routing/replica-choice.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { seededRandom, serverEntry, snapshotOf } from '../fixture.js'

const all = (): boolean => true

function candidates(weights: readonly number[]): readonly Candidate[] {
  return new TopologyView(
    snapshotOf(weights.map((weight, index) => serverEntry(`replica${index}`, 1, { weight }))),
  ).online(1)
}

/** Shares of reads. */
function shares(list: readonly Candidate[], total = 20_000): number[] {
  const random = seededRandom(11)
  const counts = new Map<Candidate, number>()
  for (let i = 0; i < total; i++) {
    const chosen = chooseByLoad(list, all, random())!
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
  }
  return list.map((candidate) => (counts.get(candidate) ?? 0) / total)
}

describe('a choice by load', () => {
  it('spreads reads by weight where replicas are alike', () => {
    const [one, three] = shares(candidates([1, 3]))
    expect(one).toBeCloseTo(0.25, 1)
    expect(three).toBeCloseTo(0.75, 1)
  })

  it('gives less to a replica that is slow, and still asks it', () => {
    const list = candidates([1, 1, 1])
    list[0].target.known.ended(50)
    list[1].target.known.ended(5)
    list[2].target.known.ended(5)
    const [slow, fast] = shares(list)
    expect(slow).toBeLessThan(0.2)
    expect(slow).toBeGreaterThan(0.05)
    expect(fast).toBeGreaterThan(0.38)
  })

  it('gives less to a replica that is busy for its weight', () => {
    const list = candidates([1, 1])
    for (let i = 0; i < 5; i++) list[0].target.known.started()
    expect(shares(list)[0]).toBeLessThan(0.35)
    const weighted = candidates([1, 10])
    // Ten times as much in flight as the light one is what its weight is for.
    weighted[0].target.known.started()
    for (let i = 0; i < 10; i++) weighted[1].target.known.started()
    expect(shares(weighted)[1]).toBeCloseTo(10 / 11, 1)
  })

  it('does not mind latencies that differ by less than matters', () => {
    const list = candidates([1, 1])
    list[0].target.known.ended(0.2)
    list[1].target.known.ended(1.5)
    expect(shares(list)[0]).toBeCloseTo(0.5, 1)
  })

  it('takes none that is not wanted, and null when none is', () => {
    const list = candidates([1, 1])
    expect(chooseByLoad(list, (candidate) => candidate === list[1], 0)).toBe(list[1])
    expect(chooseByLoad(list, () => false, 0.5)).toBeNull()
  })
})

describe('the least lagging', () => {
  it('is the one with the least known lag', () => {
    const list = candidates([1, 1, 1])
    list[0].lagMs = 500
    list[1].lagMs = 100
    expect(leastLagging(list, all)).toBe(list[1])
    expect(leastLagging(list, (candidate) => candidate === list[2])).toBeNull()
  })
})
