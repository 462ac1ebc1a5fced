import { describe, expect, it } from 'vitest'
import { parseGtidSet } from '../../../../src/shared/gtid.js'
import type { ReadNeed } from '../../../../src/worker/consistency/read-need.js'
import { newDecision, Reason, route } from '../../../../src/worker/routing/router.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { needOf, serverEntry, snapshotOf, USER } from '../fixture.js'
import { routeInput } from './fixture.js'

const WAIT_MS = 1000
const NOW = 5000

/** A session that has read from the primary again and again, and a replica without GTIDs that is a moment behind. */
function decide(change: (candidate: Candidate, need: ReadNeed, facts: SessionFacts) => void = () => {}) {
  const view = new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)]))
  const [candidate] = view.online(1) as [Candidate]
  candidate.target.known.wasToldByLog = true
  candidate.coversPrimaryAt = NOW - 300
  candidate.lagMs = 0
  const facts = new SessionFacts(USER)
  facts.consistency.sawOnPrimary(NOW - 1)
  for (let read = 0; read < 3; read++) facts.consistency.forcedToPrimary()
  const need = needOf(facts)
  need.waitMs = WAIT_MS
  change(candidate, need, facts)
  const decision = route(routeInput(view, { facts, need, now: NOW }), newDecision())
  return { server: decision.candidate?.entry.host, reason: decision.reason, catchUp: decision.catchUp }
}

describe('a session that reads on and on from a primary without GTIDs', () => {
  it('waits for a report of what a replica has', () => {
    expect(decide()).toEqual({ server: 'replica', reason: Reason.waits, catchUp: true })
  })

  it.each<[string, Parameters<typeof decide>[0]]>([
    ['has read there for the first time', (_, __, { consistency }) => consistency.stayStuck()],
    [
      'is not to wait for so long as a report may take',
      (_, need) => {
        need.waitMs = 99
      },
    ],
    [
      'is not to wait at all',
      (_, need) => {
        need.waitMs = 0
      },
    ],
    ['has waited in vain a moment ago', ({ target }) => target.known.waitedInVain(NOW)],
    [
      'finds replicas too far behind',
      (candidate) => {
        candidate.lagMs = WAIT_MS + 1
      },
    ],
    [
      'finds replicas whose lag is not known',
      (candidate) => {
        candidate.lagMs = null
      },
    ],
    [
      'finds replicas of which nothing is known now',
      (candidate) => {
        candidate.coversPrimaryAt = -1
      },
    ],
    [
      'finds replicas of which nothing ever told',
      ({ target }) => {
        target.known.wasToldByLog = false
      },
    ],
    [
      'asks for a position',
      (_, need) => {
        need.position = parseGtidSet('3e11fa47-71ca-11e1-9e33-c80aa9429562:1', 'mysql')
      },
    ],
  ])('reads from the primary when it %s', (_, change) => {
    expect(decide(change)).toMatchObject({ server: 'primary', catchUp: false })
  })
})
