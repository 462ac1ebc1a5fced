import { describe, expect, it } from 'vitest'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import { DEFAULT_QUERY_CACHE, type Invalidation, type QueryCacheSettings } from '../../../../src/shared/snapshot.js'
import type { CachePeers } from '../../../../src/worker/cache/cache-peers.js'
import { type CachedAnswer, ResultCache } from '../../../../src/worker/cache/result-cache.js'
import { keysOf, TableMarks } from '../../../../src/worker/cache/table-marks.js'

const STARTED = 1_000

class Peers implements CachePeers {
  state: CachePeers['state'] = 'alone'
  get hearsAll(): boolean {
    return this.state !== 'cut'
  }
  readonly begins: ((known: boolean) => void)[] = []

  begin(): Promise<boolean> {
    return new Promise((resolve) => this.begins.push(resolve))
  }

  announce(): Promise<boolean> {
    return Promise.resolve(true)
  }

  ended(): void {}
}

function world(settings: Partial<QueryCacheSettings> = {}, workers = 1) {
  const clock = { now: STARTED }
  const peers = new Peers()
  const counters = newGlobalCounters()
  const all = { ...DEFAULT_QUERY_CACHE, invalidation: 'table' as Invalidation, ...settings }
  const cache = new ResultCache(peers, counters, all, workers, () => clock.now)
  const answer = (tables: readonly string[], more: Partial<CachedAnswer> = {}): CachedAnswer => ({
    bytes: Buffer.from('answer'),
    rows: 1,
    asOf: clock.now,
    shownUntil: clock.now,
    marks: cache.marksOfRead(tables, false),
    ...more,
  })
  /** Keeps an answer that was read now, and lets a moment pass. */
  const keep = (key: string, tables: readonly string[], ttlMs = 60_000): void => {
    clock.now++
    cache.keep(key, answer(tables), ttlMs)
    clock.now++
  }
  const write = (tables: readonly string[] | null): void => {
    const marks = cache.began(tables)
    clock.now++
    cache.ended(marks, false)
  }
  // The first question turns it on.
  expect(cache.answerBytesMax(false)).toBeGreaterThanOrEqual(0)
  return { cache, clock, peers, counters, answer, keep, write }
}

describe('an answer', () => {
  it('is given until its time is over', () => {
    const { cache, clock, keep, counters } = world()
    keep('k', ['s.t'], 100)
    expect(cache.find('k')?.bytes.toString()).toBe('answer')
    clock.now += 98
    expect(cache.find('k')).not.toBeNull()
    clock.now += 2
    expect(cache.find('k')).toBeNull()
    expect(counters).toMatchObject({ queryCacheGet: 3, queryCacheSet: 1, queryCachePurged: 1 })
    expect(cache.size).toBe(0)
  })

  it('makes room for others, those used least first', () => {
    const { cache, keep } = world({ bytesMax: 2_000 })
    for (const key of ['a', 'b', 'c', 'd']) keep(key, [])
    expect(cache.find('a')).not.toBeNull()
    keep('e', [])
    expect(cache.find('b')).toBeNull()
    expect(cache.find('a')).not.toBeNull()
    expect(cache.memoryBytes).toBeLessThanOrEqual(2_000)
    expect(cache.size).toBe(4)
  })

  it('takes no more of a worker than its part of the memory', () => {
    expect(world({ bytesMax: 8_000, answerBytesMax: 1 << 20 }, 4).cache.answerBytesMax(false)).toBe(2_000)
    expect(world({ bytesMax: 0 }).cache.answerBytesMax(false)).toBe(0)
  })

  it('is not replaced by one of a replica that is behind', () => {
    const { cache, clock, keep, answer } = world()
    keep('k', ['s.t'])
    const { asOf } = cache.find('k')!
    cache.keep('k', answer(['s.t'], { asOf: asOf - 1 }), 60_000)
    expect(cache.find('k')!.asOf).toBe(asOf)
    cache.keep('k', answer(['s.t'], { asOf: clock.now }), 60_000)
    expect(cache.find('k')!.asOf).toBe(clock.now)
  })

  it('is gone after a flush, and one that was being read then is not kept', () => {
    const { cache, clock, keep, answer } = world()
    keep('k', ['s.t'])
    const underWay = answer(['s.t'])
    clock.now++
    cache.clear()
    expect(cache.find('k')).toBeNull()
    cache.keep('k', underWay, 60_000)
    expect(cache.find('k')).toBeNull()
    expect(cache.size).toBe(0)
  })

  it('is gone when it was kept under other settings', () => {
    const { cache, keep } = world()
    keep('k', ['s.t'])
    cache.configure({ ...DEFAULT_QUERY_CACHE, invalidation: 'table', waitMs: 70 }, 1)
    expect(cache.find('k')).not.toBeNull()
    expect(cache.waitMs).toBe(70)
    cache.configure({ ...DEFAULT_QUERY_CACHE, invalidation: 'schema' }, 1)
    expect(cache.find('k')).toBeNull()
  })
})

describe('a write', () => {
  const ends: readonly [Invalidation, readonly string[] | null, boolean][] = [
    ['table', ['s.t'], true],
    ['table', ['s.u', 's.t'], true],
    ['table', ['s.u'], false],
    ['table', ['other.t'], false],
    ['table', null, true],
    ['table', [], false],
    ['schema', ['s.u'], true],
    ['schema', ['other.t'], false],
    ['schema', null, true],
    ['any', ['other.u'], true],
    ['any', null, true],
    ['any', [], false],
  ]

  it.each(ends)('with invalidation by %s of %j ends what has read s.t: %s', (invalidation, tables, gone) => {
    const { cache, keep, write } = world({ invalidation })
    keep('k', ['s.t'])
    write(tables)
    expect(cache.find('k') === null).toBe(gone)
  })

  it('keeps answers from being given from its beginning on', () => {
    const { cache, keep } = world()
    keep('k', ['s.t'])
    cache.began(['s.t'])
    expect(cache.find('k')).toBeNull()
  })

  it('keeps what was read before its end from being kept', () => {
    const { cache, clock, answer } = world()
    clock.now++
    const before = answer(['s.t'])
    clock.now++
    const marks = cache.began(['s.t'])
    clock.now++
    const meanwhile = answer(['s.t'])
    cache.keep('k', meanwhile, 60_000)
    clock.now++
    cache.ended(marks, false)
    for (const old of [before, meanwhile, answer(['s.t'])]) cache.keep('k', old, 60_000)
    expect(cache.find('k')).toBeNull()
    clock.now++
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).not.toBeNull()
  })

  it('of which several are in flight lasts until the last of them ends', () => {
    const { cache, clock, answer } = world()
    const first = cache.began(['s.t'])
    const second = cache.began(['s.t'])
    cache.ended(first, false)
    clock.now++
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).toBeNull()
    cache.ended(second, false)
    clock.now++
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).not.toBeNull()
  })

  it('whose end is not known may come about for a while', () => {
    const { cache, clock, answer } = world()
    cache.ended(cache.began(['s.t']), true)
    clock.now += 5_000
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).toBeNull()
    clock.now += 6_000
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).not.toBeNull()
  })

  it('ends what a replica has answered that may lack it', () => {
    const { cache, clock, answer, write } = world()
    clock.now++
    const covered = clock.now
    write(['s.t'])
    clock.now++
    cache.keep('k', answer(['s.t'], { asOf: covered }), 60_000)
    cache.keep('unknown', answer(['s.t'], { asOf: -1 }), 60_000)
    expect(cache.find('k')).toBeNull()
    expect(cache.find('unknown')).toBeNull()
  })

  it('ends nothing where invalidation is off', () => {
    const { cache, keep } = world({ invalidation: 'off' })
    keep('k', ['s.t'])
    expect(cache.notesWrites).toBe(false)
    cache.ended(cache.began(null), false)
    expect(cache.find('k')).not.toBeNull()
  })

  it('does not end what a rule lets time alone end, which needs nobody to tell of writes', () => {
    const { cache, clock, answer, write } = world({ invalidation: 'any' })
    cache.keep('k', answer([], { marks: cache.marksOfRead(['s.t'], true) }), 1_000)
    clock.now++
    write(null)
    expect(cache.find('k')).not.toBeNull()
    clock.now += 1_000
    expect(cache.find('k')).toBeNull()
    const peers = new Peers()
    peers.state = 'cut'
    const alone = new ResultCache(peers, newGlobalCounters(), DEFAULT_QUERY_CACHE, 2, () => clock.now)
    expect(alone.answerBytesMax(true)).toBeGreaterThan(0)
    expect(alone.notesWrites).toBe(false)
    expect(peers.begins).toHaveLength(0)
  })
})

describe('with other workers', () => {
  it('nothing is kept before they all tell of their writes', async () => {
    const { cache, clock, peers, answer } = world()
    const asked = world()
    asked.peers.state = 'connected'
    peers.state = 'connected'
    // `world` has asked while it was alone; another one begins connected.
    const other = new ResultCache(asked.peers, newGlobalCounters(), DEFAULT_QUERY_CACHE, 2, () => clock.now)
    expect(other.answerBytesMax(false)).toBe(0)
    expect(other.notesWrites).toBe(true)
    expect(asked.peers.begins).toHaveLength(1)
    expect(other.answerBytesMax(false)).toBe(0)
    expect(asked.peers.begins).toHaveLength(1)
    asked.peers.begins[0]!(true)
    await Promise.resolve()
    expect(other.answerBytesMax(false)).toBeGreaterThan(0)
    expect(cache.isCurrent(answer([]).marks, clock.now + 1)).toBe(true)
  })

  it('it is asked again when they did not all answer', async () => {
    const peers = new Peers()
    peers.state = 'connected'
    const cache = new ResultCache(peers, newGlobalCounters(), DEFAULT_QUERY_CACHE, 2, () => STARTED)
    expect(cache.answerBytesMax(false)).toBe(0)
    peers.begins[0]!(false)
    await Promise.resolve()
    expect(cache.answerBytesMax(false)).toBe(0)
    expect(peers.begins).toHaveLength(2)
  })

  it('their writes end answers as the own ones do', () => {
    const { cache, clock, keep, answer } = world()
    keep('k', ['s.t'])
    keep('u', ['s.u'])
    cache.othersBegan(7, [[1, ['s.t']]])
    cache.othersBegan(7, [[1, ['s.t']]])
    expect(cache.find('k')).toBeNull()
    expect(cache.find('u')).not.toBeNull()
    cache.othersEnded(7, [[1, false]])
    cache.othersEnded(7, [[1, false]])
    clock.now++
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).not.toBeNull()
  })

  it('what a worker was writing when it died may come about yet', () => {
    const { cache, clock, answer } = world()
    cache.othersBegan(7, [[1, ['s.t']]])
    cache.otherGone(7)
    clock.now += 1_000
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).toBeNull()
    clock.now += 10_000
    cache.keep('k', answer(['s.t']), 60_000)
    expect(cache.find('k')).not.toBeNull()
  })

  it('nothing is kept, nor relied on, while the way to them is cut', () => {
    const { cache, peers } = world()
    peers.state = 'cut'
    expect(cache.answerBytesMax(false)).toBe(0)
    expect(cache.hearsWrites).toBe(false)
  })
})

describe('names of tables', () => {
  it('are compared by table, by schema, or not at all', () => {
    expect(keysOf(['a.x', 'a.y', 'b.x'], 'table')).toEqual(['a.x', 'a.y', 'b.x'])
    expect(keysOf(['a.x', 'a.y', 'b.x'], 'schema')).toEqual(['a', 'b'])
    expect(keysOf(['a.x'], 'any')).toBeNull()
    expect(keysOf([], 'any')).toEqual([])
    expect(keysOf(null, 'table')).toBeNull()
  })

  it('are forgotten when there are too many, and then nothing is relied on that has read them', () => {
    const marks = new TableMarks(0)
    const [, old] = marks.ofRead(['s.old'])
    const [busy] = marks.ofWrite(['s.busy'])
    busy!.begin()
    const [written] = marks.ofWrite(['s.written'])
    written!.begin()
    written!.end(500, false)
    for (let i = 0; i < 20_000; i++) marks.ofRead([`s.t${i}`])
    expect(marks.size).toBeLessThanOrEqual(10_001)
    expect(old!.isCovered(1_000_000)).toBe(false)
    expect(marks.ofRead(['s.busy'])[1]).toBe(busy)
    const [again] = marks.ofWrite(['s.written'])
    expect(again!.isCovered(400)).toBe(false)
    expect(again!.isCovered(501)).toBe(true)
  })
})
