import { describe, expect, it } from 'vitest'
import { Hint, StatementKind } from '../../../../src/sql/index.js'
import { DryRuns } from '../../../../src/worker/routing/dry-run.js'
import { newDecision, Reason, type RouteInput, route } from '../../../../src/worker/routing/router.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { CommandInHand } from '../../../../src/worker/session/command.js'
import { Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { fakeBackend, serverEntry, snapshotOf, USER } from '../fixture.js'
import { routeInput } from './fixture.js'

const DRY = { ...USER, dryRun: true }
const PAIR = [serverEntry('primary', 0), serverEntry('replica', 1), serverEntry('archive', 7)]

function decide(more: Partial<RouteInput> = {}, facts = new SessionFacts(DRY)) {
  const input = routeInput(new TopologyView(snapshotOf(PAIR)), { facts, ...more })
  const { candidate, hostgroup, reason, wouldGo, catchUp } = route(input, newDecision())
  return { server: candidate?.entry.host, hostgroup, reason, wouldGo, catchUp }
}

describe('a user with a dry run', () => {
  it.each<[string, Partial<RouteInput>, string]>([
    ['a read', {}, Reason.read],
    ['a read-only transaction', { kind: StatementKind.beginReadOnly }, Reason.read],
    ['a hint for a replica', { hint: Hint.replica }, Reason.hintReplica],
    ['a hint for the replicas’ hostgroup', { hintHostgroup: 1 }, Reason.hintHostgroup],
  ])('%s stays on the primary, and why it would have gone is known', (_name, more, wouldGo) => {
    const expected = { server: 'primary', hostgroup: 0, reason: Reason.dryRun, wouldGo, catchUp: false }
    expect(decide(more)).toEqual(expected)
  })

  it('what belongs on the primary is there for its own reason', () => {
    expect(decide({ kind: StatementKind.write })).toMatchObject({
      server: 'primary',
      reason: Reason.write,
      wouldGo: '',
    })
    const wrote = new SessionFacts(DRY)
    wrote.consistency.wrote(5, '', 'mysql')
    expect(decide({}, wrote)).toMatchObject({ server: 'primary', reason: Reason.ownWrites, wouldGo: '' })
    expect(decide({ hintHostgroup: 7 })).toMatchObject({ server: 'archive', wouldGo: '' })
    const pinned = new SessionFacts(DRY)
    pinned.addPin(Pin.transaction, fakeBackend().backend)
    expect(decide({}, pinned)).toMatchObject({ reason: Reason.pinned, wouldGo: '' })
  })

  it('others go where they always go', () => {
    expect(decide({}, new SessionFacts(USER))).toMatchObject({ server: 'replica', reason: Reason.read, wouldGo: '' })
  })

  it('is counted by place and reason, and nobody else is', () => {
    const runs = new DryRuns()
    const command = Object.assign(new CommandInHand(), { code: 3, reason: Reason.dryRun, wouldGo: Reason.read })
    runs.count(DRY, command)
    runs.count(DRY, command)
    runs.count(USER, command)
    runs.count(DRY, Object.assign(new CommandInHand(), { code: 3, reason: Reason.write }))
    runs.count(DRY, Object.assign(new CommandInHand(), { code: 0x16, reason: Reason.write }))
    expect(runs.report()).toEqual([
      { user: 'app', place: 'replica', reason: Reason.read, count: 2 },
      { user: 'app', place: 'primary', reason: Reason.write, count: 1 },
    ])
  })
})
