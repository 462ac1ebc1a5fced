import { describe, expect, it } from 'vitest'
import { CommitTimes } from '../../../../src/shared/commit-times.js'
import { DEFAULT_CONSISTENCY } from '../../../../src/shared/snapshot.js'
import { ReadNeed } from '../../../../src/worker/consistency/read-need.js'
import { committedBy, SessionConsistency } from '../../../../src/worker/consistency/session-consistency.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { serverEntry, snapshotOf } from '../fixture.js'

const NOW = 1000

function writtenAt(...times: readonly number[]): CommitTimes {
  const commits = CommitTimes.open('')
  for (const time of times) commits.note(0, time)
  return commits
}

function by(
  level: 'eventual' | 'session' | 'token' | 'global',
  session: SessionConsistency,
  commits: CommitTimes,
  on = true,
) {
  return committedBy(level, session, { ...DEFAULT_CONSISTENCY, newSessionsSeeCommits: on }, commits, 0, NOW)
}

function replica(): Candidate {
  return new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('a', 1)])).online(1)[0] as Candidate
}

describe('what others have written through the proxy', () => {
  it('before a session began has to be there for its first read, what they have written since has not', () => {
    const session = new SessionConsistency(500)
    expect(by('session', session, writtenAt(400))).toBe(400)
    expect(by('token', session, writtenAt(400))).toBe(400)
    expect(by('session', session, writtenAt(600))).toBe(500)
    expect(by('session', session, writtenAt())).toBe(-1)
  })

  it('is not asked for any more once the session has seen something, up to its reset', () => {
    const [onPrimary, onReplica] = [new SessionConsistency(500), new SessionConsistency(500)]
    onPrimary.sawOnPrimary(700)
    onReplica.sawOnReplica(replica().target.known, 0, 700, true)
    for (const session of [onPrimary, onReplica]) {
      expect(by('session', session, writtenAt(400))).toBe(-1)
      session.reset(800)
      expect(by('session', session, writtenAt(750))).toBe(750)
    }
  })

  it('is still asked for after an answer from the result cache, which may be older', () => {
    const session = new SessionConsistency(500)
    session.sawCached(300)
    expect(by('session', session, writtenAt(400))).toBe(400)
  })

  it('has to be there for each read at the level global, for none at eventual, and for no first one where that is switched off', () => {
    const session = new SessionConsistency(500)
    session.sawOnPrimary(700)
    expect(by('global', session, writtenAt(900))).toBe(900)
    expect(by('eventual', new SessionConsistency(500), writtenAt(400))).toBe(-1)
    expect(by('session', new SessionConsistency(500), writtenAt(400), false)).toBe(-1)
    expect(by('global', new SessionConsistency(500), writtenAt(400), false)).toBe(400)
  })
})

describe('a replica has what was committed', () => {
  function need(committedBy: number, committedProven = false, pinnedUntil = -1): ReadNeed {
    return Object.assign(new ReadNeed(), { committedBy, committedProven, pinnedUntil })
  }

  it('when it covers the primary at a later moment', () => {
    const candidate = replica()
    expect(need(-1).isMetBy(candidate)).toBe(true)
    candidate.coversPrimaryAt = 400
    expect(need(400).isMetBy(candidate)).toBe(false)
    expect(need(400).shortageOf(candidate)).toBe('committed')
    candidate.coversPrimaryAt = 400.001
    expect(need(400).isMetBy(candidate)).toBe(true)
    expect(need(400).shortageOf(candidate)).toBe(null)
  })

  it('as far as is known where nothing tells: new sessions believe it, the level global does not, and a pin counts', () => {
    const candidate = replica()
    expect(need(400).isMetBy(candidate)).toBe(true)
    expect(need(400, true).isMetBy(candidate)).toBe(false)
    expect(need(400, true, 401).isMetBy(candidate)).toBe(true)
    // It gives GTIDs, and what it has will be told in a moment.
    candidate.target.known.givesGtids = true
    expect(need(400).isMetBy(candidate)).toBe(false)
    // Its place in the primary's binary log has told it, and will again.
    candidate.target.known.givesGtids = false
    candidate.target.known.wasToldByLog = true
    expect(need(400).isMetBy(candidate)).toBe(false)
  })

  it('after a wait for what the primary has, which is asked for: the GTIDs of others are not known', () => {
    const candidate = replica()
    candidate.coversPrimaryAt = 300
    expect(need(400).gtidsFor(candidate)).toBe(null)
    expect(need(200).gtidsFor(candidate)).toBe('')
  })
})
