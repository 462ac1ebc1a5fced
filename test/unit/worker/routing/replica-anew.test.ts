import { describe, expect, it } from 'vitest'
import { parseGtidSet } from '../../../../src/shared/gtid.js'
import { newDecision, Reason, type RouteInput, route } from '../../../../src/worker/routing/router.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { needOf, serverEntry, snapshotOf, USER } from '../fixture.js'
import { routeInput } from './fixture.js'

const SERVERS = [serverEntry('primary', 0), serverEntry('a', 1), serverEntry('b', 1)]
const WAIT_MS = 10
/** Later than any session of these tests is to wait for a choice. */
const LATER = 60_000

/** A session that has read from `a` a moment ago, so that `b` is not known to have all that it has seen. */
function world({ waitMs = WAIT_MS, lagMs = 0 } = {}) {
  const view = new TopologyView(snapshotOf(SERVERS))
  const [a, b] = view.online(1)
  for (const candidate of [a, b]) {
    candidate.gtids = parseGtidSet('3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5', 'mysql')
    candidate.coversPrimaryAt = 1
    candidate.lagMs = lagMs
  }
  const facts = new SessionFacts(USER)
  facts.consistency.choseAnew(0)
  const { known } = a.target
  facts.consistency.sawOnReplica(known, known.incarnation, 2, true)
  const need = needOf(facts)
  need.waitMs = waitMs
  const decide = (more: Partial<RouteInput>) => {
    const decision = route(routeInput(view, { facts, need, ...more }), newDecision())
    const { candidate, reason, catchUp, choseAnew } = decision
    return { server: candidate?.entry.host, reason, catchUp, choseAnew }
  }
  /** Of many choices. */
  const servers = (now: number) =>
    new Set(Array.from({ length: 50 }, (_, i) => decide({ now, random: (i + 0.5) / 50 }).server))
  return { decide, servers, facts, b }
}

const STAYS = { server: 'a', reason: Reason.read, catchUp: false, choseAnew: false }

describe('a session that reads without a pause', () => {
  it('stays on the replica that it has read from last', () => {
    expect(world().servers(100)).toEqual(new Set(['a']))
  })

  it('chooses among all replicas after a while, and waits for another one to have what it has seen', () => {
    const { decide, servers } = world()
    expect(servers(LATER)).toEqual(new Set(['a', 'b']))
    expect(decide({ now: LATER, random: 0.99 })).toEqual({
      server: 'b',
      reason: Reason.moves,
      catchUp: true,
      choseAnew: true,
    })
    expect(decide({ now: LATER, random: 0 })).toEqual({ ...STAYS, choseAnew: true })
  })

  it('does not choose again until as much time has passed', () => {
    const { servers, facts } = world()
    facts.consistency.choseAnew(LATER)
    expect(servers(LATER + 100)).toEqual(new Set(['a']))
    expect(servers(2 * LATER)).toEqual(new Set(['a', 'b']))
  })

  it('stays where it is when reads are not to wait (causal_wait 0)', () => {
    expect(world({ waitMs: 0 }).servers(LATER)).toEqual(new Set(['a']))
  })

  it('does not choose a replica that is too far behind, or that was waited for in vain a moment ago', () => {
    expect(world({ lagMs: WAIT_MS + 1 }).servers(LATER)).toEqual(new Set(['a']))
    const { servers, b } = world()
    b.target.known.waitedInVain(LATER)
    expect(servers(LATER)).toEqual(new Set(['a']))
  })

  it('goes to another replica that is known to have all that it has seen, without waiting', () => {
    const { decide, b } = world()
    b.coversPrimaryAt = 100
    expect(decide({ now: LATER, random: 0.99 })).toEqual({ ...STAYS, server: 'b' })
  })
})
