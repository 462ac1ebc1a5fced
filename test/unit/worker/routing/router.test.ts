import { describe, expect, it } from 'vitest'
import { parseGtidSet } from '../../../../src/shared/gtid.js'
import type { Snapshot } from '../../../../src/shared/snapshot.js'
import { Effect, Hint, StatementKind, StatementKindName } from '../../../../src/sql/index.js'
import { isRepeatable, newDecision, Reason, type RouteInput, route } from '../../../../src/worker/routing/router.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { Hold, Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { fakeBackend, needOf, serverEntry, snapshotOf, USER } from '../fixture.js'
import { routeInput } from './fixture.js'

const PAIR = snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)])
const ALONE = snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1, { status: 'SHUNNED' })])
const NO_PRIMARY = snapshotOf([serverEntry('primary', 0, { status: 'SHUNNED' }), serverEntry('replica', 1)])
const NO_PAIRS = snapshotOf([serverEntry('primary', 0), serverEntry('other', 5)], { replicationHostgroups: [] })

const NOW = 1000

const REASON_ON_PRIMARY: Readonly<Record<string, string>> = {
  begin: Reason.transaction,
  primaryRead: Reason.effects,
  explainWrite: Reason.effects,
  show: Reason.effects,
}

function decide(snapshot: Snapshot, more: Partial<RouteInput> = {}) {
  const { backend, candidate, hostgroup, reason } = route(routeInput(new TopologyView(snapshot), more), newDecision())
  return { backend, server: candidate?.entry.host ?? null, hostgroup, reason }
}

function facts(change: (facts: SessionFacts) => void): SessionFacts {
  const made = new SessionFacts(USER)
  change(made)
  return made
}

const kindsAt = (place: string) =>
  ({
    replica: ['read', 'do', 'beginReadOnly'],
    last: ['diagnostics'],
    own: ['set', 'use', 'empty', 'commit', 'rollback', 'savepoint'],
  })[place]!

describe('a fresh session', () => {
  it.each(StatementKindName)('sends %s to where its kind belongs', (name) => {
    const kind = StatementKind[name as keyof typeof StatementKind]
    const { server, reason } = decide(PAIR, { kind })
    const expected = kindsAt('replica').includes(name)
      ? { server: 'replica', reason: Reason.read }
      : kindsAt('last').includes(name)
        ? { server: 'primary', reason: Reason.lastStatement }
        : kindsAt('own').includes(name)
          ? { server: 'primary', reason: Reason.session }
          : { server: 'primary', reason: REASON_ON_PRIMARY[name] ?? Reason.write }
    expect({ server, reason }).toEqual(expected)
  })

  it.each([
    'lockingRead',
    'intoFile',
    'setsUserVariable',
    'advisoryLock',
    'releasesAdvisoryLock',
    'readsLastInsertId',
    'setsLastInsertId',
    'readsConnectionId',
    'sequence',
    'unknownFunction',
    'temporaryTable',
    'setsGlobal',
    'leavesConnectionState',
  ] as const)('keeps a read with the effect %s on the primary, and never repeats it', (name) => {
    const effects = Effect[name]
    expect(decide(PAIR, { effects })).toMatchObject({ server: 'primary', reason: Reason.effects })
    expect(isRepeatable({ kind: StatementKind.read, effects })).toBe(false)
  })

  it.each(['readsSystemVariable', 'nonDeterministic', 'readsUserVariable', 'sqlCalcFoundRows'] as const)(
    'reads from a replica with the effect %s, and may repeat it',
    (name) => {
      const effects = Effect[name]
      expect(decide(PAIR, { effects })).toMatchObject({ server: 'replica', reason: Reason.read })
      expect(isRepeatable({ kind: StatementKind.read, effects })).toBe(true)
    },
  )

  it('repeats nothing but reads', () => {
    const repeatable = StatementKindName.filter((_, kind) => isRepeatable({ kind, effects: 0 }))
    expect(repeatable).toEqual(['read', 'do'])
  })
})

describe('the facts of a session', () => {
  it.each<[string, (facts: SessionFacts) => void, Partial<RouteInput>, object]>([
    ['autocommit off', (f) => (f.statusFlags = 0), {}, { server: 'primary', reason: Reason.autocommitOff }],
    [
      'SET TRANSACTION for the next one',
      (f) => f.addHold(Hold.nextTransaction, fakeBackend().backend),
      {},
      { server: 'primary', reason: Reason.nextTransaction },
    ],
    [
      'user variables on the primary, read',
      (f) => f.addHold(Hold.userVariables, fakeBackend().backend),
      { effects: Effect.readsUserVariable },
      { server: 'primary', reason: Reason.userVariables },
    ],
    [
      'user variables on the primary, not read',
      (f) => f.addHold(Hold.userVariables, fakeBackend().backend),
      {},
      { server: 'replica', reason: Reason.read },
    ],
    [
      'a write that no replica is known to have',
      (f) => f.consistency.wrote(5, '', 'mysql'),
      {},
      { server: 'primary', reason: Reason.ownWrites },
    ],
    [
      'such a write, but a hint for the replica',
      (f) => f.consistency.wrote(5, '', 'mysql'),
      { hint: Hint.replica },
      { server: 'replica', reason: Reason.hintReplica },
    ],
  ])('%s', (_name, change, more, expected) => {
    expect(decide(PAIR, { facts: facts(change), ...more })).toMatchObject(expected)
  })

  it('a pin wins over kind, hints and the state of the servers', () => {
    const { backend } = fakeBackend('elsewhere', { hostgroup: 1 })
    const pinned = facts((f) => f.addPin(Pin.transaction, backend))
    for (const snapshot of [PAIR, ALONE, NO_PRIMARY]) {
      for (const more of [{}, { kind: StatementKind.write }, { hint: Hint.primary }, { hintHostgroup: 5 }]) {
        const decided = decide(snapshot, { facts: pinned, ...more })
        expect(decided).toEqual({ backend, server: null, hostgroup: 1, reason: Reason.pinned })
      }
    }
  })

  it('asks about the statement before where that ran, and on the primary when that connection is gone', () => {
    const { backend } = fakeBackend('replica', { hostgroup: 1 })
    const after = facts((f) => (f.last = backend))
    const counted = { effects: Effect.readsRowCount }
    expect(decide(PAIR, { facts: after, kind: StatementKind.diagnostics }).backend).toBe(backend)
    expect(decide(PAIR, { facts: after, ...counted }).backend).toBe(backend)
    backend.destroy('test')
    expect(decide(PAIR, { facts: after, ...counted })).toMatchObject({ backend: null, server: 'primary' })
  })

  it('sends what concerns the session to a connection that it has', () => {
    const own = fakeBackend('replica', { hostgroup: 1 }).backend
    expect(decide(PAIR, { kind: StatementKind.set, own }).backend).toBe(own)
    expect(decide(PAIR, { kind: StatementKind.set, own, effects: Effect.setsGlobal })).toMatchObject({
      backend: null,
      server: 'primary',
    })
  })

  it('sends a savepoint to where the transaction is or will be', () => {
    const own = fakeBackend('replica', { hostgroup: 1 }).backend
    const without = facts((f) => (f.statusFlags = 0))
    expect(decide(PAIR, { kind: StatementKind.savepoint, own }).backend).toBe(own)
    expect(decide(PAIR, { kind: StatementKind.savepoint, own, facts: without })).toMatchObject({
      backend: null,
      server: 'primary',
    })
    const onPrimary = fakeBackend('primary').backend
    expect(decide(PAIR, { kind: StatementKind.savepoint, own: onPrimary, facts: without }).backend).toBe(onPrimary)
  })

  it('reads its own writes from a replica as soon as that is known to have them, by GTID or by time', () => {
    const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
    const wrote = facts((f) => f.consistency.wrote(5, `${uuid}:7`, 'mysql'))
    const view = new TopologyView(PAIR)
    const [replica] = view.online(1)
    expect(decide(PAIR, { facts: wrote, view }).server).toBe('primary')
    replica.gtids = parseGtidSet(`${uuid}:1-6`, 'mysql')
    expect(decide(PAIR, { facts: wrote, view }).server).toBe('primary')
    replica.gtids = parseGtidSet(`${uuid}:1-7`, 'mysql')
    expect(decide(PAIR, { facts: wrote, view }).server).toBe('replica')
    wrote.consistency.wrote(9, '', 'mysql')
    expect(decide(PAIR, { facts: wrote, view }).server).toBe('primary')
    replica.coversPrimaryAt = 9
    expect(decide(PAIR, { facts: wrote, view }).server).toBe('primary')
    replica.coversPrimaryAt = 9.001
    expect(decide(PAIR, { facts: wrote, view }).server).toBe('replica')
  })
})

describe('hints', () => {
  it.each<[string, Partial<RouteInput>, object]>([
    ['primary', { hint: Hint.primary }, { server: 'primary', reason: Reason.hintPrimary }],
    [
      'replica, for a write: the server will refuse it',
      { hint: Hint.replica, kind: StatementKind.write },
      { server: 'replica', reason: Reason.hintReplica },
    ],
    [
      'hostgroup=1',
      { hintHostgroup: 1, kind: StatementKind.write },
      { server: 'replica', reason: Reason.hintHostgroup },
    ],
    ['hostgroup=0', { hintHostgroup: 0 }, { server: 'primary', reason: Reason.hintHostgroup }],
    ['a hostgroup that does not exist', { hintHostgroup: 9 }, { server: null, reason: Reason.noServer }],
  ])('%s', (_name, more, expected) => {
    expect(decide(PAIR, more)).toMatchObject(expected)
  })
})

describe('a hostgroup that a query rule names', () => {
  const reason = 'query rule 7 names hostgroup 1'
  const to = (ruleHostgroup: number, more: Partial<RouteInput> = {}) => ({ ruleHostgroup, ruleReason: reason, ...more })
  const THREE = snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1), serverEntry('reports', 5)])

  it.each<[string, Partial<RouteInput>, object]>([
    ['a read to the writer hostgroup', to(0), { server: 'primary', hostgroup: 0, reason }],
    ['a read to a hostgroup of no pair', to(5), { server: 'reports', hostgroup: 5, reason }],
    ['a write to a hostgroup of no pair', to(5, { kind: StatementKind.write }), { server: 'reports', reason }],
    ['a write to the readers', to(1, { kind: StatementKind.write }), { server: 'replica', reason }],
    ['a read to the readers', to(1), { server: 'replica', hostgroup: 1, reason: Reason.read }],
    [
      'a locking read to the readers',
      to(1, { effects: Effect.lockingRead }),
      { server: 'replica', reason: Reason.read },
    ],
    ['a function that may write to the readers', to(1, { effects: Effect.unknownFunction }), { server: 'replica' }],
    [
      'what only the session can answer to the readers',
      to(1, { effects: Effect.readsLastInsertId }),
      { server: 'primary', reason: Reason.effects },
    ],
    [
      'what a replica has refused to the readers',
      to(1, { learned: true }),
      { server: 'primary', reason: Reason.learned },
    ],
    ['a hostgroup without servers', to(9), { server: null, hostgroup: 9, reason: Reason.noServer }],
    ['a hint for another hostgroup', to(5, { hintHostgroup: 0 }), { server: 'primary', reason: Reason.hintHostgroup }],
    ['a hint for the primary', to(5, { hint: Hint.primary }), { server: 'primary', reason: Reason.hintPrimary }],
    ['a hint for a replica', to(5, { hint: Hint.replica }), { server: 'replica', reason: Reason.hintReplica }],
    ['SET of a session without connections', to(5, { kind: StatementKind.set }), { server: 'reports', reason }],
  ])('%s', (_name, more, expected) => {
    expect(decide(THREE, more)).toMatchObject(expected)
  })

  it('a read by rule sees what its session wrote: without a replica that has it the primary of the pair answers', () => {
    const wrote = facts(({ consistency }) => consistency.wrote(NOW, '', 'mysql'))
    const found = decide(THREE, to(1, { facts: wrote, need: needOf(wrote) }))
    expect(found).toMatchObject({ server: 'primary', hostgroup: 0, reason: Reason.ownWrites })
  })

  it('a session that is pinned stays, and what asks about the last statement goes where that ran', () => {
    const { backend } = fakeBackend()
    const pinned = facts((of) => of.addPin(Pin.transaction, backend))
    expect(decide(THREE, to(5, { facts: pinned }))).toMatchObject({ backend, reason: Reason.pinned })
    const asked = facts((of) => {
      of.last = backend
    })
    expect(decide(THREE, to(5, { facts: asked, kind: StatementKind.diagnostics }))).toMatchObject({ backend })
    expect(decide(THREE, to(5, { own: backend, kind: StatementKind.set }))).toMatchObject({ backend })
  })
})

describe('the servers', () => {
  it('reads go to the primary when no replica qualifies, and writes wait when there is no primary', () => {
    expect(decide(ALONE)).toMatchObject({ server: 'primary', reason: Reason.noReplica })
    expect(decide(ALONE, { hint: Hint.replica })).toMatchObject({ server: 'primary', reason: Reason.noReplica })
    expect(decide(NO_PRIMARY)).toMatchObject({ server: 'replica', reason: Reason.read })
    const write = decide(NO_PRIMARY, { kind: StatementKind.write })
    expect(write).toMatchObject({ backend: null, server: null, hostgroup: 0, reason: Reason.noServer })
  })

  it('without a reader hostgroup everything goes to the hostgroup of the user', () => {
    expect(decide(NO_PAIRS)).toMatchObject({ server: 'primary', reason: Reason.noReaderHostgroup })
  })

  it('the last server of a hostgroup stays in use, whatever it has refused', () => {
    const view = new TopologyView(PAIR)
    view.online(0)[0].target.known.breaker.failed(NOW, 0, false)
    expect(decide(PAIR, { view, kind: StatementKind.write }).server).toBe('primary')
    const withoutPrimary = new TopologyView(NO_PRIMARY)
    withoutPrimary.online(1)[0].target.known.breaker.failed(NOW, 0, false)
    expect(decide(NO_PRIMARY, { view: withoutPrimary }).server).toBe('replica')
  })

  it('a server that was tried in vain, or has just refused a connection, is left alone', () => {
    expect(decide(PAIR, { excluded: new Set(['replica:3306']) }).server).toBe('primary')
    const view = new TopologyView(PAIR)
    const { breaker } = view.online(1)[0].target.known
    breaker.failed(NOW, 0, false)
    expect(decide(PAIR, { view }).server).toBe('primary')
    breaker.answered()
    expect(decide(PAIR, { view }).server).toBe('replica')
  })
})

describe('servers that are slow to answer (max_latency_ms)', () => {
  const slow = 'its ping latency is over 50 ms'
  const RANDOM = [0, 0.2, 0.4, 0.6, 0.8, 0.99]
  const chosen = (snapshot: Snapshot, more: Partial<RouteInput> = {}) =>
    new Set(RANDOM.map((random) => decide(snapshot, { random, ...more }).server))

  it('get no reads while others can, by hint and hostgroup neither', () => {
    const snapshot = snapshotOf([
      serverEntry('primary', 0),
      serverEntry('near', 1),
      serverEntry('far', 1, { slow, weight: 1000 }),
    ])
    expect(chosen(snapshot)).toEqual(new Set(['near']))
    expect(chosen(snapshot, { hint: Hint.replica })).toEqual(new Set(['near']))
    expect(chosen(snapshot, { hintHostgroup: 1 })).toEqual(new Set(['near']))
    expect(chosen(snapshot, { excluded: new Set(['near:3306']) })).toEqual(new Set(['far']))
  })

  it('get them all the same where all are slow, and not the primary', () => {
    const snapshot = snapshotOf([
      serverEntry('primary', 0),
      serverEntry('far', 1, { slow }),
      serverEntry('farther', 1, { slow }),
    ])
    expect(chosen(snapshot)).toEqual(new Set(['far', 'farther']))
    expect(chosen(snapshot, { hint: Hint.replica })).toEqual(new Set(['far', 'farther']))
  })
})
