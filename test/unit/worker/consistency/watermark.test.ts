import { describe, expect, it } from 'vitest'
import { parseGtidSet } from '../../../../src/shared/gtid.js'
import { Watermark } from '../../../../src/worker/consistency/watermark.js'
import { KnownServer } from '../../../../src/worker/routing/known-server.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { seededRandom, serverEntry, snapshotOf } from '../fixture.js'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 2 ** 31)

function replicas(): [Candidate, Candidate] {
  const view = new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('a', 1), serverEntry('b', 1)]))
  const [a, b] = view.online(1)
  return [a, b]
}

function readOn(mark: Watermark, { target: { known } }: Candidate, now: number): void {
  mark.sawOnReplica(known, known.incarnation, now, true)
}

describe('what was seen', () => {
  it('on a replica is there as long as that is neither restarted nor replaced, and elsewhere when it is covered', () => {
    const mark = new Watermark()
    const [a, b] = replicas()
    readOn(mark, a, 100)
    expect([mark.isMetBy(a), mark.isMetBy(b)]).toEqual([true, false])
    b.coversPrimaryAt = 100
    expect(mark.isMetBy(b)).toBe(false)
    b.coversPrimaryAt = 100.001
    expect(mark.isMetBy(b)).toBe(true)
    a.target.known.doubt(101)
    expect(mark.isMetBy(a)).toBe(false)
  })

  it('on the primary is on no replica before it is covered, whichever was read before', () => {
    const mark = new Watermark()
    const [a] = replicas()
    readOn(mark, a, 100)
    mark.sawOnPrimary(101)
    expect(mark.isMetBy(a)).toBe(false)
    a.coversPrimaryAt = 200
    expect(mark.isMetBy(a)).toBe(true)
  })

  it('on a replica that did not have all before is asked of every other, and of that one too', () => {
    const mark = new Watermark()
    const [a, b] = replicas()
    mark.sawOnPrimary(100)
    mark.sawOnReplica(a.target.known, a.target.known.incarnation, 110, false)
    expect([mark.isMetBy(a), mark.isMetBy(b)]).toEqual([false, false])
  })

  it('of an answer that was on its way while its server was doubted is not there any more', () => {
    const mark = new Watermark()
    const [a] = replicas()
    const { known } = a.target
    const sent = known.incarnation
    known.doubt(105)
    mark.sawOnReplica(known, sent, 110, true)
    expect(mark.isMetBy(a)).toBe(false)
  })
})

describe('what was written', () => {
  it('leaves what was seen on a replica there: only the write itself is missing', () => {
    const mark = new Watermark()
    const [a] = replicas()
    readOn(mark, a, 100)
    mark.wrote(110, `${UUID}:7`, 'mysql')
    expect(mark.isMetBy(a)).toBe(false)
    a.gtids = parseGtidSet(`${UUID}:1-7`, 'mysql')
    expect(mark.isMetBy(a)).toBe(true)
  })

  it('is asked again of a server that was restarted', () => {
    const mark = new Watermark()
    const [a] = replicas()
    mark.wrote(110, `${UUID}:7`, 'mysql')
    a.gtids = parseGtidSet(`${UUID}:1-7`, 'mysql')
    expect(mark.hasWritten(a)).toBe(true)
    a.target.known.doubt(120)
    a.gtids = null
    expect(mark.hasWritten(a)).toBe(false)
  })

  it('with GTIDs of a history that a failover has ended is told by time', () => {
    const mark = new Watermark()
    const [a] = replicas()
    mark.wrote(110, `${UUID}:1000`, 'mysql')
    a.gtids = parseGtidSet('aaaaaaaa-71ca-11e1-9e33-c80aa9429562:1-5', 'mysql')
    expect(mark.isMetBy(a)).toBe(false)
    a.coversPrimaryAt = 111
    expect(mark.isMetBy(a)).toBe(true)
  })

  it('without GTIDs and without coverage is waited for as long as is configured', () => {
    const mark = new Watermark()
    const [a] = replicas()
    mark.wrote(110, '', 'mysql')
    expect(mark.isMetBy(a, 110)).toBe(false)
    expect(mark.isMetBy(a, 111)).toBe(true)
  })

  it('is inherited by who the client becomes next', () => {
    const [before, after] = [new Watermark(), new Watermark()]
    const [a] = replicas()
    before.wrote(110, `${UUID}:7`, 'mysql')
    after.inherit(before)
    expect(after.isMetBy(a)).toBe(false)
  })
})

/** A primary and its replicas as prefixes of one history, a clock, and a monitor that polls them one after the other. */
class World {
  readonly random: () => number
  readonly candidates: Candidate[]
  readonly view: TopologyView
  now = 1000
  /** Number of the last transaction on the primary, and when each was committed. */
  committed = 0
  applied: number[]
  /** Of the primary, oldest first: when it was asked and what it had. */
  readonly polls: { readonly at: number; readonly had: number }[] = []

  constructor(random: () => number) {
    this.random = random
    const servers = ['a', 'b', 'c'].map((name) => serverEntry(name, 1))
    this.view = new TopologyView(snapshotOf([serverEntry('primary', 0), ...servers]))
    this.candidates = [...this.view.online(1)]
    this.applied = this.candidates.map(() => 0)
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit)
  }

  step(): void {
    this.now += this.random() * 4
    const index = this.below(this.candidates.length)
    const candidate = this.candidates[index]
    switch (this.below(8)) {
      case 0:
        this.applied[index] = this.applied[index] + this.below(this.committed - this.applied[index] + 1)
        return
      case 1:
        this.applied[index] = this.committed
        return
      case 2:
        this.polls.push({ at: this.now, had: this.committed })
        return
      case 3:
      case 4:
        return this.pollReplica(index, candidate)
      case 5:
        if (this.random() < 0.9) return
        // A crash that loses what was applied last; its connections are lost with it.
        this.applied[index] = this.below(this.applied[index] + 1)
        this.view.doubt(candidate.entry.id, this.now)
        return
      default:
        // Others write.
        this.committed++
    }
  }

  private pollReplica(index: number, candidate: Candidate): void {
    const covered = this.polls.filter(({ had }) => had <= this.applied[index]).at(-1)?.at ?? -1
    const { known } = candidate.target
    if (known.doubtedAt >= 0 && covered <= known.doubtedAt) return
    candidate.coversPrimaryAt = Math.max(covered, candidate.coversPrimaryAt)
    candidate.gtids = this.applied[index] === 0 ? null : parseGtidSet(`${UUID}:1-${this.applied[index]}`, 'mysql')
  }
}

describe(`sessions in a world of lagging, crashing replicas (seed ${seed})`, () => {
  it('read all that they wrote, and never less than they saw', () => {
    const random = seededRandom(seed)
    let fromReplicas = 0
    for (let round = 0; round < 60; round++) {
      const world = new World(random)
      const sessions = Array.from({ length: 4 }, () => ({ mark: new Watermark(), least: 0, own: 0 }))
      for (let i = 0; i < 1500; i++) {
        world.step()
        const session = sessions[world.below(sessions.length)]
        const { mark } = session
        if (random() < 0.1) {
          world.committed++
          session.own = world.committed
          mark.wrote(world.now, random() < 0.8 ? `${UUID}:${world.committed}` : '', 'mysql')
          continue
        }
        const index = world.candidates.findIndex((candidate) => mark.isMetBy(candidate))
        const seen = index < 0 ? world.committed : world.applied[index]
        const where = `round ${round}, step ${i}, on ${index < 0 ? 'the primary' : world.candidates[index].entry.host}`
        expect(seen, `own writes: ${where}`).toBeGreaterThanOrEqual(session.own)
        expect(seen, `seen before: ${where}`).toBeGreaterThanOrEqual(session.least)
        session.least = seen
        if (index < 0) mark.sawOnPrimary(world.now)
        else {
          fromReplicas++
          readOn(mark, world.candidates[index], world.now)
        }
      }
    }
    expect(fromReplicas).toBeGreaterThan(1000)
  })

  it('would see less if only their own writes counted, so the test means something', () => {
    const random = seededRandom(seed)
    const world = new World(random)
    let least = 0
    let backwards = 0
    for (let i = 0; i < 3000; i++) {
      world.step()
      const seen = world.applied[world.below(3)]
      if (seen < least) backwards++
      least = Math.max(least, seen)
    }
    expect(backwards).toBeGreaterThan(10)
  })
})

describe('a server that is known', () => {
  it('is doubted when the monitor had to connect anew, but not by its first report', () => {
    const known = new KnownServer('a:3306')
    known.reported(3)
    expect(known.incarnation).toBe(0)
    known.reported(3)
    known.reported(4)
    expect(known.incarnation).toBe(1)
  })
})
