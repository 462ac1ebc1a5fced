import { describe, expect, it } from 'vitest'
import { Answer, Capability, Command, encodeQuery, MariadbCapability } from '../../../../protocol/index.js'
import { newRuling } from '../../../../src/rules/ruling.js'
import { CommitTimes } from '../../../../src/shared/commit-times.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import {
  DEFAULT_CONSISTENCY,
  DEFAULT_QUERY_CACHE,
  type Invalidation,
  type Snapshot,
} from '../../../../src/shared/snapshot.js'
import { Classifier, EMPTY_CATALOGUE } from '../../../../src/sql/index.js'
import type { BackendLogin } from '../../../../src/worker/backend/backend-login.js'
import type { CachePeers } from '../../../../src/worker/cache/cache-peers.js'
import type { PendingAnswer } from '../../../../src/worker/cache/pending-answers.js'
import { type CachedAnswer, ResultCache } from '../../../../src/worker/cache/result-cache.js'
import { keyOfCommand, SessionMark } from '../../../../src/worker/cache/result-key.js'
import {
  type Asking,
  captureFor,
  isRepeatableAnswer,
  isWorthWaiting,
  satisfies,
  waitMsOf,
} from '../../../../src/worker/cache/result-use.js'
import { TableMark } from '../../../../src/worker/cache/table-marks.js'
import { CausalKeys } from '../../../../src/worker/consistency/causal-keys.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { Hold, Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionText } from '../../../../src/worker/session/session-text.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import type { Statements } from '../../../../src/worker/statements/statements.js'
import { Digests } from '../../../../src/worker/statistics/digests.js'
import { fakeBackend, serverEntry, snapshotOf, USER } from '../fixture.js'

const CAPABILITIES = Capability.PROTOCOL_41
const NOW = 10_000

function world(
  more: Partial<Snapshot> = {},
  invalidation: Invalidation = 'table',
  peers: CachePeers['state'] = 'alone',
) {
  const snapshot = snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)], more)
  const view = new TopologyView(snapshot)
  const told: CachePeers = {
    state: peers,
    hearsAll: peers !== 'cut',
    begin: async () => true,
    announce: async () => true,
    ended: () => {},
  }
  const settings = { ...DEFAULT_QUERY_CACHE, invalidation }
  const cache = new ResultCache(told, newGlobalCounters(), settings, 1, () => 1)
  const commits = CommitTimes.open('')
  const causal = new CausalKeys(
    { state: 'alone', hearsAll: true, announce: async () => true, publish: () => {} },
    1,
    100,
    DEFAULT_CONSISTENCY.tokenTtlMs,
  )
  const context = {
    view,
    classifier: new Classifier(),
    classifyOptions: {
      flavor: snapshot.greeting.flavor,
      ansiQuotes: false,
      noBackslashEscapes: false,
      truncated: false,
      schema: '',
      catalogue: EMPTY_CATALOGUE,
    },
    digests: new Digests(snapshot.digests, () => 0),
  }
  const ask = (sql: string, user = USER): Asking & { command: CommandInHand } => {
    const state = new SessionState('s')
    const text = new SessionText(context, state, CAPABILITIES)
    const facts = new SessionFacts(user)
    const command = new CommandInHand()
    const packet = encodeQuery(sql, CAPABILITIES)
    command.take(packet, 4, packet.length, COMMAND_RULES.get(Command.QUERY)!, NOW)
    text.understand(command)
    command.cacheTtlMs = 1_000
    const login = { username: 'app', capabilities: CAPABILITIES, mariadbCapabilities: 0 } as BackendLogin
    return {
      command,
      statement: null,
      statements: null as unknown as Statements,
      facts,
      state,
      text,
      backends: { login },
    }
  }
  return { ask, cache, view, causal, commits, context: { view, cache, causal, commits } }
}

const { ask } = world()

describe('what may be answered from the cache', () => {
  it.each([
    ['SELECT 1'],
    ['SELECT * FROM t WHERE id = 1'],
    ['select count(*), max(x) from a join b using (i) group by c'],
    ['WITH c AS (SELECT 1) SELECT * FROM c'],
    ['(SELECT 1) UNION (SELECT 2)'],
    ['TABLE t'],
    ['SELECT DATE_FORMAT(d, "%Y"), DATABASE(), VERSION(), UNIX_TIMESTAMP(d) FROM t'],
    ['SELECT "NOW()", `rand` FROM t -- UUID()'],
    ['/* sluice: consistency=eventual */ SELECT 1'],
  ])('%s', (sql) => {
    expect(isRepeatableAnswer(ask(sql))).toBe(true)
  })

  it.each([
    ...'NOW() now(6) CURRENT_TIMESTAMP CURRENT_TIMESTAMP() LOCALTIME LOCALTIMESTAMP() CURDATE() CURRENT_DATE CURTIME()'.split(
      ' ',
    ),
    ...'CURRENT_TIME SYSDATE() UTC_DATE UTC_TIME() UTC_TIMESTAMP UNIX_TIMESTAMP() RAND() RAND(1) UUID() UUID_SHORT()'.split(
      ' ',
    ),
    ...'RANDOM_BYTES(8) SLEEP(0) CONNECTION_ID() LAST_INSERT_ID() LAST_INSERT_ID(5) FOUND_ROWS() ROW_COUNT()'.split(
      ' ',
    ),
    ...'GET_LOCK("a",1) RELEASE_LOCK("a") IS_FREE_LOCK("a") IS_USED_LOCK("a") LOAD_FILE("f") CURRENT_ROLE()'.split(' '),
    ...'@v @v:=1 @@version @@session.sql_mode @@global.max_connections @@identity my_function() s.f(1)'.split(' '),
    ...'MASTER_POS_WAIT("f",1) WAIT_FOR_EXECUTED_GTID_SET("x") PS_CURRENT_THREAD_ID()'.split(' '),
  ])('not with %s', (expression) => {
    expect(isRepeatableAnswer(ask(`SELECT ${expression} FROM t`))).toBe(false)
  })

  it.each([
    ['SELECT * FROM t FOR UPDATE'],
    ['SELECT * FROM t LOCK IN SHARE MODE'],
    ['SELECT * FROM t FOR SHARE'],
    ['SELECT * FROM t INTO OUTFILE "f"'],
    ['SELECT a INTO @v FROM t'],
    ['SELECT SQL_CALC_FOUND_ROWS * FROM t'],
    ['SELECT 1; SELECT 2'],
    ['INSERT INTO t VALUES (1)'],
    ['UPDATE t SET a = 1'],
    ['SHOW WARNINGS'],
    ['SHOW STATUS'],
    ['SHOW PROCESSLIST'],
    ['CALL p()'],
    ['DO 1'],
    ['SET @a = 1'],
    ['BEGIN'],
    ['/* sluice: primary */ SELECT 1'],
    ['/* sluice: replica */ SELECT 1'],
  ])('not %s', (sql) => {
    expect(isRepeatableAnswer(ask(sql))).toBe(false)
  })

  it('not in a transaction, nor without autocommit, nor before a transaction that was announced', () => {
    for (const flags of [0x0003, 0x0000, 0x2003]) {
      const asking = ask('SELECT 1')
      asking.facts.statusFlags = flags
      expect(isRepeatableAnswer(asking)).toBe(false)
    }
    const asking = ask('SELECT 1')
    asking.facts.addHold(Hold.nextTransaction, fakeBackend().backend)
    expect(isRepeatableAnswer(asking)).toBe(false)
  })

  it('not while something keeps the session to its connection, which a temporary table may', () => {
    for (const pin of [Pin.temporaryTable, Pin.lockTables, Pin.sessionState, Pin.authentication]) {
      const asking = ask('SELECT 1')
      asking.facts.addPin(pin, fakeBackend().backend)
      expect(isRepeatableAnswer(asking)).toBe(false)
    }
  })

  it('not where the session has to be told of a loss first, or reads what is not committed', () => {
    const lost = ask('SELECT 1')
    lost.facts.lost = 'temporary table'
    expect(isRepeatableAnswer(lost)).toBe(false)
    const dirty = ask('SELECT 1')
    dirty.state.setVariable('transaction_isolation', 'READ-UNCOMMITTED')
    expect(isRepeatableAnswer(dirty)).toBe(false)
    const clean = ask('SELECT 1')
    clean.state.setVariable('transaction_isolation', 'READ-COMMITTED')
    expect(isRepeatableAnswer(clean)).toBe(true)
  })

  it('no cursors, and with CACHE_METADATA no executions', () => {
    const cursor = ask('SELECT 1')
    cursor.command.answer = Answer.cursor
    expect(isRepeatableAnswer(cursor)).toBe(false)
    const execute = ask('SELECT 1')
    execute.command.code = Command.STMT_EXECUTE
    const statement = { longDataOn: null } as unknown as Asking['statement']
    expect(isRepeatableAnswer({ ...execute, statement })).toBe(true)
    const login = { ...execute.backends.login, mariadbCapabilities: MariadbCapability.CACHE_METADATA }
    expect(isRepeatableAnswer({ ...execute, statement, backends: { login } })).toBe(false)
  })
})

describe('what is kept of an answer', () => {
  it.each([
    ['SHOW TABLES'],
    ['DESCRIBE t'],
    ['SELECT * FROM information_schema.tables'],
    ['SELECT * FROM t JOIN performance_schema.threads'],
    ['SELECT * FROM mysql.user'],
    ['SELECT * FROM sys.version'],
  ])('nothing of %s', (sql) => {
    const { ask, cache } = world()
    expect(captureFor(ask(sql), 'k', cache)).toBeNull()
  })

  it('what the rule says', () => {
    const { ask, cache } = world()
    expect(captureFor(ask('SELECT * FROM t'), 'k', cache)).not.toBeNull()
    const off = new ResultCache(cache.peers, newGlobalCounters(), { ...DEFAULT_QUERY_CACHE, bytesMax: 0 }, 1, () => 1)
    expect(captureFor(ask('SELECT * FROM t'), 'k', off)).toBeNull()
  })
})

describe('what a session may be given', () => {
  const answer = (asOf: number, shownUntil = asOf + 1, marks = [new TableMark(0)]): CachedAnswer => ({
    bytes: Buffer.alloc(0),
    rows: 1,
    asOf,
    shownUntil,
    marks,
  })

  it('at the level session: what was read after its last write', () => {
    const { ask, context } = world()
    const asking = ask('SELECT 1')
    expect(satisfies(answer(5_000), asking, context, NOW)).toBe(true)
    asking.facts.consistency.wrote(6_000, '', 'mysql')
    expect(satisfies(answer(5_000), asking, context, NOW)).toBe(false)
    expect(satisfies(answer(6_000), asking, context, NOW)).toBe(false)
    expect(satisfies(answer(6_001), asking, context, NOW)).toBe(true)
  })

  it('at the level session: what was read before its last read only where writes are heard of, and end it', () => {
    for (const [peers, ends, given] of [
      ['alone', true, true],
      ['connected', true, true],
      ['cut', true, false],
      ['alone', false, false],
    ] as const) {
      const { ask, context } = world({}, 'any', peers)
      const asking = ask('SELECT 1')
      asking.facts.consistency.sawOnPrimary(6_000)
      const old = answer(5_000, 5_001, ends ? [new TableMark(0)] : [])
      expect(satisfies(old, asking, context, NOW), `${peers} ${ends}`).toBe(given)
      expect(satisfies(answer(6_001), asking, context, NOW)).toBe(true)
    }
  })

  it('at the level eventual: everything that is not too old; at the level strong: nothing', () => {
    const { ask, context } = world()
    const eventual = ask('SELECT 1', { ...USER, consistency: 'eventual' })
    eventual.facts.consistency.wrote(6_000, '', 'mysql')
    expect(satisfies(answer(5_000), eventual, context, NOW)).toBe(true)
    expect(satisfies(answer(-1), eventual, context, NOW)).toBe(true)
    const strong = ask('/* sluice: consistency=strong */ SELECT 1')
    expect(satisfies(answer(9_999), strong, context, NOW)).toBe(false)
  })

  it('at the level global: what was read after the last write of anybody, where no write ends answers', () => {
    const { ask, context, commits } = world()
    commits.note(0, 6_000)
    const asking = ask('/* sluice: consistency=global */ SELECT 1')
    expect(satisfies(answer(6_000, 6_001, []), asking, context, NOW)).toBe(false)
    expect(satisfies(answer(6_001, 6_002, []), asking, context, NOW)).toBe(true)
    expect(satisfies(answer(5_000), asking, context, NOW)).toBe(true)
    expect(satisfies(answer(5_000, 5_001, []), ask('SELECT 1'), context, NOW)).toBe(true)
  })

  it('under a causal key: what was read after what was written and seen under it', () => {
    const { ask, context, causal } = world()
    const asking = ask('/* sluice: causal=k */ SELECT 1')
    causal.written('k', { at: 5_000, gtids: '' }, 'mysql')
    expect(satisfies(answer(5_000), asking, context, NOW)).toBe(false)
    expect(satisfies(answer(5_001), asking, context, NOW)).toBe(true)
    causal.at('k').sawCached(7_000)
    expect(satisfies(answer(6_000), asking, context, NOW)).toBe(false)
    causal.announced('k', NOW)
    expect(satisfies(answer(9_000), asking, context, NOW)).toBe(false)
  })

  it('with a limit of lag: what is no older; with a position: nothing', () => {
    const { ask, context } = world()
    expect(satisfies(answer(9_600), ask('/* sluice: max_lag=500ms */ SELECT 1'), context, NOW)).toBe(true)
    expect(satisfies(answer(9_400), ask('/* sluice: max_lag=500ms */ SELECT 1'), context, NOW)).toBe(false)
    const limited = { ...USER, maxReplicationLagMs: 500 }
    expect(satisfies(answer(9_400), ask('SELECT 1', limited), context, NOW)).toBe(false)
    const position = '/* sluice: position=3e11fa47-71ca-11e1-9e33-c80aa9429562:1 */ SELECT 1'
    expect(satisfies(answer(9_999), ask(position), context, NOW)).toBe(false)
  })

  it('of a replica of which nobody knows what it has: what is older than what the operator takes for known', () => {
    const { ask, context } = world({ consistency: { ...DEFAULT_CONSISTENCY, pinMs: 1_000 } })
    const asking = ask('SELECT 1')
    asking.facts.consistency.wrote(6_000, '', 'mysql')
    expect(satisfies(answer(-1, 6_500), asking, context, NOW)).toBe(false)
    expect(satisfies(answer(-1, 7_001), asking, context, NOW)).toBe(true)
  })
})

describe('an answer that another session has asked for', () => {
  const pendingOf = (cache: ResultCache, asOf: number | null, writtenAt = 0): PendingAnswer => {
    const pending = cache.pending.begin('k', [new TableMark(writtenAt)])!
    if (asOf !== null) pending.sent(asOf)
    return pending
  }

  it('is waited for where it would be given, as far as is known', () => {
    const { ask, cache, context } = world()
    const fresh = ask('SELECT 1')
    const unsent = pendingOf(cache, null)
    expect(isWorthWaiting(unsent, fresh, context, NOW)).toBe(true)
    expect(isWorthWaiting(unsent, ask('/* sluice: consistency=strong */ SELECT 1'), context, NOW)).toBe(false)
    unsent.sent(5_000)
    expect(isWorthWaiting(unsent, fresh, context, NOW)).toBe(true)
    const wrote = ask('SELECT 1')
    wrote.facts.consistency.wrote(6_000, '', 'mysql')
    expect(isWorthWaiting(unsent, wrote, context, NOW)).toBe(false)
    expect(isWorthWaiting(unsent, ask('/* sluice: max_lag=500ms */ SELECT 1'), context, NOW)).toBe(false)
  })

  it('is not while a write is in flight that ends it', () => {
    const { ask, cache, context } = world()
    const pending = pendingOf(cache, 5_000)
    const [mark] = pending.marks
    mark!.begin()
    expect(isWorthWaiting(pending, ask('SELECT 1'), context, NOW)).toBe(false)
    mark!.end(5_000, false)
    expect(isWorthWaiting(pending, ask('SELECT 1'), context, NOW)).toBe(false)
  })

  it('is waited for as long as the rule says, else as is configured', () => {
    const { ask, cache } = world()
    const { command } = ask('SELECT 1')
    expect(waitMsOf(command, cache)).toBe(DEFAULT_QUERY_CACHE.waitMs)
    for (const cacheTimeoutMs of [0, 70]) {
      command.ruling = { ...newRuling(), cacheTimeoutMs }
      expect(waitMsOf(command, cache)).toBe(cacheTimeoutMs)
    }
    command.ruling = newRuling()
    expect(waitMsOf(command, cache)).toBe(DEFAULT_QUERY_CACHE.waitMs)
  })

  it('is one for each statement: who captures second fills for nobody', () => {
    const { ask, cache } = world()
    const first = captureFor(ask('SELECT * FROM t'), 'k', cache)
    const second = captureFor(ask('SELECT * FROM t'), 'k', cache)
    expect(cache.pending.size).toBe(1)
    second!.drop()
    expect(cache.pending.size).toBe(1)
    first!.drop()
    expect(cache.pending.size).toBe(0)
  })
})

describe('the key of an answer', () => {
  const keyOf = (asking: Asking, mark = new SessionMark(), address = ''): string | null =>
    keyOfCommand(
      mark.numberOf(asking.facts.user, asking.backends.login, asking.state, address),
      asking.command,
      asking.statement,
      CAPABILITIES,
    )

  it('is the same for sessions that are alike, whatever order their variables were set in', () => {
    const [a, b] = [ask('SELECT 1'), ask('SELECT 1')]
    for (const name of ['sql_mode', 'time_zone']) a.state.setVariable(name, 'x')
    for (const name of ['time_zone', 'sql_mode']) b.state.setVariable(name, 'x')
    expect(keyOf(a)).toBe(keyOf(b))
  })

  const plain = keyOf(ask('SELECT 1'))
  const other = (change: (state: SessionState) => void) => (): Asking => {
    const asking = ask('SELECT 1')
    change(asking.state)
    return asking
  }
  const eofless = { ...ask('SELECT 1').backends.login, capabilities: CAPABILITIES | Capability.DEPRECATE_EOF }
  it.each<[string, () => Asking]>([
    ['another text', () => ask('SELECT  1')],
    ['another user', () => ask('SELECT 1', { ...USER, name: 'other' })],
    ['another hostgroup', () => ask('SELECT 1', { ...USER, defaultHostgroup: 5 })],
    ['another schema', other((state) => state.setSchema('other'))],
    ['a session variable', other((state) => state.setVariable('time_zone', '+01:00'))],
    ['a character set', other((state) => state.setNames("'latin1'"))],
    ['several statements at once', other((state) => state.setMultiStatements(true))],
    ['other capabilities', () => ({ ...ask('SELECT 1'), backends: { login: eofless } })],
  ])('is another one with %s', (_what, asking) => {
    expect(keyOf(asking())).not.toBe(plain)
  })

  it.each([{ hostgroup: 7 }, { cacheByTimeAlone: true }])('is another one where a rule says %o', (says) => {
    const asking = ask('SELECT 1')
    asking.command.ruling = newRuling()
    expect(keyOf(asking)).toBe(plain)
    asking.command.ruling = { ...newRuling(), ...says }
    expect(keyOf(asking)).not.toBe(plain)
  })

  it('is another one after the session has changed, and that of before when it has changed back', () => {
    const asking = ask('SELECT 1')
    const mark = new SessionMark()
    const first = keyOf(asking, mark)
    asking.state.setSchema('other')
    expect(keyOf(asking, mark)).not.toBe(first)
    asking.state.setSchema('s')
    expect(keyOf(asking, mark)).toBe(first)
    expect(keyOf(asking, mark, '10.0.0.1')).not.toBe(first)
  })

  it('is none for a command that is too long', () => {
    expect(keyOf(ask(`SELECT '${'x'.repeat(70_000)}'`))).toBeNull()
  })
})
