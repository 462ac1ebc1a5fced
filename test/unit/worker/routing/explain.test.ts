import { describe, expect, it } from 'vitest'
import { explain } from '../../../../src/explain.js'
import { RuleSet } from '../../../../src/rules/index.js'
import { CommitTimes } from '../../../../src/shared/commit-times.js'
import type { RouteExplanation } from '../../../../src/shared/explanation.js'
import { NO_QUERY_RULES } from '../../../../src/shared/query-rules.js'
import {
  DEFAULT_CONSISTENCY,
  type ServerEntry,
  type ServerStatus,
  type Snapshot,
} from '../../../../src/shared/snapshot.js'
import { Classifier, EMPTY_CATALOGUE, StatementKind } from '../../../../src/sql/index.js'
import { CausalKeys } from '../../../../src/worker/consistency/causal-keys.js'
import { type ExplainContext, explainRoute } from '../../../../src/worker/routing/explain.js'
import { explainServers } from '../../../../src/worker/routing/explain-servers.js'
import { LearnedWrites } from '../../../../src/worker/routing/learned-writes.js'
import { ASKS_REPLICAS, newDecision, Reason, type RouteInput, route } from '../../../../src/worker/routing/router.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { originOf, SessionRules } from '../../../../src/worker/rules/session-rules.js'
import type { Session } from '../../../../src/worker/session/session.js'
import { Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionText } from '../../../../src/worker/session/session-text.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { Digests } from '../../../../src/worker/statistics/digests.js'
import { fakeBackend, seededRandom, serverEntry, snapshotOf, USER } from '../fixture.js'
import { routeInput } from './fixture.js'

const NOW = 1_000

function contextOf(snapshot: Snapshot): ExplainContext {
  const view = new TopologyView(snapshot)
  return {
    view,
    classifier: new Classifier(),
    classifyOptions: {
      flavor: 'mysql',
      ansiQuotes: false,
      noBackslashEscapes: false,
      truncated: false,
      schema: '',
      catalogue: EMPTY_CATALOGUE,
    },
    causal: new CausalKeys(
      { state: 'alone', hearsAll: true, announce: () => Promise.resolve(true), publish: () => {} },
      -1,
      DEFAULT_CONSISTENCY.tokensMax,
      DEFAULT_CONSISTENCY.tokenTtlMs,
    ),
    commits: CommitTimes.open(''),
    learned: new LearnedWrites(),
    digests: new Digests(snapshot.digests, () => 0),
    rules: new RuleSet(NO_QUERY_RULES),
    findUser: (name) => snapshot.users.find((user) => user.name === name) ?? null,
  }
}

const ADDRESS = { host: '10.0.0.7', port: 1, local: false, endpoints: null }

/** As much of a session as decides. */
function sessionOf(context: ExplainContext, facts: SessionFacts): Session {
  const state = new SessionState('shop')
  const text = new SessionText(context, state, 0)
  const rules = new SessionRules(context, state, originOf(facts.user.name, ADDRESS))
  const execution = { facts, state, text, rules, backends: { own: () => null } }
  return { id: 1_073_741_889, user: facts.user.name, phase: 'ready', execution } as unknown as Session
}

const whyOf = ({ servers }: RouteExplanation) =>
  Object.fromEntries(servers.map(({ server, hostgroup, why }) => [`${server.split(':')[0]} ${hostgroup}`, why]))

const SERVERS = [
  serverEntry('primary', 0),
  serverEntry('near', 1),
  serverEntry('spare', 1, { weight: 0 }),
  serverEntry('gone', 1, { status: 'SHUNNED', statusReason: 'no answer' }),
  serverEntry('leaving', 1, { status: 'OFFLINE_SOFT' }),
  serverEntry('archive', 7),
]
const SNAPSHOT = snapshotOf(SERVERS)

describe('a statement of a session that has just begun', () => {
  it('tells class, place and reason, and why each server was or was not taken', () => {
    const read = explain('SELECT 1', SNAPSHOT)
    expect(read).toMatchObject({ class: 'read', effects: [], hostgroup: 1, chosen: 'near:3306', reason: Reason.read })
    expect(whyOf(read)).toEqual({
      'primary 0': 'its hostgroup was not needed: there is a server in the one that comes first',
      'near 1': Reason.read,
      'spare 1': 'its weight is 0, and there are others',
      'gone 1': 'no answer',
      'leaving 1': 'it is OFFLINE_SOFT',
    })
    const write = explain('DELETE FROM t', SNAPSHOT)
    expect(write).toMatchObject({ class: 'write', hostgroup: 0, chosen: 'primary:3306', reason: Reason.write })
    expect(whyOf(write)).toMatchObject({
      'primary 0': Reason.write,
      'near 1': `replicas were not asked: ${Reason.write}`,
    })
  })

  it('follows hints, and names those that it does not understand', () => {
    expect(explain('/* hostgroup=7 */ SELECT 1', SNAPSHOT)).toMatchObject({ hostgroup: 7, chosen: 'archive:3306' })
    expect(explain('/* sluice: consistency=perfect */ SELECT 1', SNAPSHOT)).toMatchObject({
      consistency: 'strong (not understood: consistency=perfect)',
      chosen: 'primary:3306',
      reason: Reason.strong,
    })
  })

  it('says that it is held where no server is there', () => {
    const nobody = explain(
      'DELETE FROM t',
      snapshotOf([serverEntry('primary', 0, { status: 'SHUNNED' }), serverEntry('near', 1)]),
    )
    expect(nobody).toMatchObject({ chosen: '', reason: Reason.noServer })
    expect(whyOf(nobody)).toEqual({
      'primary 0': 'it is SHUNNED',
      'near 1': 'it does not take the place of hostgroup 0, which has no server online',
    })
  })

  it('says that a replica is slow to answer', () => {
    const slow = 'its ping latency is over 50 ms'
    const servers = [serverEntry('primary', 0), serverEntry('near', 1), serverEntry('far', 1, { slow })]
    expect(whyOf(explain('SELECT 1', snapshotOf(servers)))).toMatchObject({ 'far 1': `${slow}, and there are others` })
  })

  it('says that a hostgroup is not used, and why', () => {
    const servers = [serverEntry('one', 0), serverEntry('two', 0)]
    const hostgroupAttributes = [{ hostgroup: 0, maxOnlineServers: 1 }]
    const crowded = explain('DELETE FROM t', snapshotOf(servers, { hostgroupAttributes }))
    expect(crowded).toMatchObject({ chosen: '', reason: Reason.crowded })
    const why = 'its hostgroup is not used: 2 servers are ONLINE there, max_num_online_servers is 1'
    expect(whyOf(crowded)).toEqual({ 'one 0': why, 'two 0': why })
  })

  it('is read under the schema and settings of the account that is named', () => {
    const users = [USER, { ...USER, name: 'batch', defaultHostgroup: 7 }]
    const snapshot = snapshotOf(SERVERS, { users })
    expect(explain('DELETE FROM t', snapshot, 'batch')).toMatchObject({ hostgroup: 7, chosen: 'archive:3306' })
    expect(() => explain('SELECT 1', snapshot, 'nobody')).toThrow(/user 'nobody' is not configured/)
    const open = { ...snapshot, passThrough: { defaultHostgroup: 7, recheckMs: 0 } }
    expect(explain('DELETE FROM t', open, 'nobody')).toMatchObject({ hostgroup: 7 })
  })
})

describe('a statement of a session', () => {
  it('stays where the session is pinned, and tells what the session has', () => {
    const context = contextOf(SNAPSHOT)
    const facts = new SessionFacts(USER)
    facts.addPin(Pin.temporaryTable, fakeBackend('primary').backend)
    facts.consistency.wrote(NOW - 40, '3e11fa47-71ca-11e1-9e33-c80aa9429562:7', 'mysql')
    const session = sessionOf(context, facts)
    const question = { sql: 'SELECT 1', user: '', schema: '', session: session.id }
    const answer = explainRoute(question, session, context, NOW) as RouteExplanation
    expect(answer).toMatchObject({ chosen: 'primary:3306', reason: Reason.pinned })
    expect(answer.session).toMatchObject({
      user: 'app',
      schema: 'shop',
      pins: ['temporary table'],
      keptOn: 'primary:3306',
      wroteMsAgo: 40,
      seenMsAgo: null,
      writtenGtids: '3e11fa47-71ca-11e1-9e33-c80aa9429562:7',
    })
    expect(whyOf(answer)['near 1']).toBe('the statement stays on a connection that the session has')
  })

  it('names what each replica lacks', () => {
    const context = contextOf(SNAPSHOT)
    const facts = new SessionFacts(USER)
    facts.consistency.wrote(NOW, '', 'mysql')
    const asked = (sql: string) =>
      explainRoute(
        { sql, user: '', schema: '', session: 1 },
        sessionOf(context, facts),
        context,
        NOW,
      ) as RouteExplanation
    const own = asked('SELECT 1')
    expect(own).toMatchObject({ chosen: 'primary:3306', reason: Reason.ownWrites })
    expect(whyOf(own)).toMatchObject({ 'near 1': 'it is not known to have what this session wrote' })
    facts.consistency.level = 'eventual'
    expect(whyOf(asked('/* sluice: max_lag=5ms */ SELECT 1'))['near 1']).toBe('its lag is not known')
    for (const candidate of context.view.online(1)) candidate.lagMs = 1_234
    expect(whyOf(asked('/* sluice: max_lag=5ms */ SELECT 1'))['near 1']).toBe(
      'its lag of 1234 ms is over the 5 ms that were asked for',
    )
  })

  it('is not changed by being asked, and nothing is counted', () => {
    const context = contextOf(SNAPSHOT)
    const facts = new SessionFacts(USER)
    const before = JSON.stringify(facts)
    const question = { sql: 'SET autocommit = 0', user: '', schema: '', session: 1 }
    explainRoute(question, sessionOf(context, facts), context, NOW)
    expect(JSON.stringify(facts)).toBe(before)
    expect(context.view.online(0)[0]?.target.known.inFlight).toBe(0)
  })
})

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 2 ** 31)

describe(`random topologies (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const STATUSES: readonly ServerStatus[] = ['ONLINE', 'ONLINE', 'ONLINE', 'SHUNNED', 'OFFLINE_SOFT']

  function randomInput(): RouteInput {
    const below = (limit: number) => Math.floor(random() * limit)
    const servers: ServerEntry[] = Array.from({ length: 1 + below(6) }, (_, index) =>
      serverEntry(`server${index}`, below(2), { status: STATUSES[below(5)], weight: below(3) }),
    )
    const view = new TopologyView(snapshotOf(servers))
    for (const candidate of view.online(1)) {
      candidate.coversPrimaryAt = below(20)
      if (random() < 0.3) candidate.target.known.breaker.failed(NOW, 0, false)
    }
    const facts = new SessionFacts(USER)
    if (random() < 0.5) facts.consistency.wrote(below(20), '', 'mysql')
    const kind = random() < 0.7 ? StatementKind.read : StatementKind.write
    return routeInput(view, { kind, facts, random: random() })
  }

  it('exactly the server that the router has chosen is shown as chosen; one that would do as well may be', () => {
    for (let round = 0; round < 3_000; round++) {
      const input = randomInput()
      const decision = route(input, newDecision())
      const shown = explainServers({ decision, input })
      const chosen = shown.filter((server) => server.chosen).map(({ server }) => server)
      expect(chosen, `round ${round}`).toEqual(decision.candidate === null ? [] : [decision.candidate.entry.id])
      const alike = shown.filter(({ why }) => why.startsWith('it would do as well')).map(({ server }) => server)
      const reachable = new Set<string | undefined>()
      for (let draw = 0; draw < 100; draw++) {
        reachable.add(route({ ...input, random: draw / 100 }, newDecision()).candidate?.entry.id)
      }
      // Of two that are drawn the less busy one is taken: each is drawn alone for some chance.
      for (const server of alike) expect([...reachable], `round ${round}`).toContain(server)
      if (ASKS_REPLICAS.has(decision.reason) && decision.reason !== Reason.read) {
        expect(alike.filter((server) => input.view.online(1).some(({ entry }) => entry.id === server))).toEqual([])
      }
    }
  })
})
