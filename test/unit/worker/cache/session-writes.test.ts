import { describe, expect, it } from 'vitest'
import { Capability, Command, encodeQuery } from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import { DEFAULT_QUERY_CACHE, type Invalidation } from '../../../../src/shared/snapshot.js'
import { Classifier, EMPTY_CATALOGUE } from '../../../../src/sql/index.js'
import type { CachePeers } from '../../../../src/worker/cache/cache-peers.js'
import { ResultCache } from '../../../../src/worker/cache/result-cache.js'
import { SessionWrites, type Writing } from '../../../../src/worker/cache/session-writes.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionText } from '../../../../src/worker/session/session-text.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import type { Statements } from '../../../../src/worker/statements/statements.js'
import { Digests } from '../../../../src/worker/statistics/digests.js'
import { serverEntry, snapshotOf, USER } from '../fixture.js'

const CAPABILITIES = Capability.PROTOCOL_41 | Capability.MULTI_STATEMENTS
const AUTOCOMMIT = 0x0002
const IN_TRANSACTION = 0x0003

/** One session that writes, and what other workers are told of it. */
class World {
  readonly clock = { now: 1 }
  readonly told: (readonly string[] | null)[] = []
  readonly ends: boolean[] = []
  readonly peers: CachePeers = {
    state: 'connected',
    hearsAll: true,
    begin: async () => true,
    announce: async (_write, keys) => {
      this.told.push(keys)
      return true
    },
    ended: (_write, lost) => this.ends.push(lost),
  }
  readonly cache: ResultCache
  readonly writes: SessionWrites
  readonly #writing: Writing & { command: CommandInHand }

  constructor(invalidation: Invalidation = 'table', noted = true) {
    const settings = { ...DEFAULT_QUERY_CACHE, invalidation }
    this.cache = new ResultCache(this.peers, newGlobalCounters(), settings, 2, () => this.clock.now)
    if (noted) this.note()
    this.writes = new SessionWrites(this.cache)
    const snapshot = snapshotOf([serverEntry('primary', 0)])
    const classifyOptions = {
      flavor: 'mysql' as const,
      ansiQuotes: false,
      noBackslashEscapes: false,
      truncated: false,
      schema: '',
      catalogue: EMPTY_CATALOGUE,
    }
    const view = new TopologyView(snapshot)
    const digests = new Digests(snapshot.digests, () => 0)
    const state = new SessionState('s')
    const text = new SessionText({ view, classifier: new Classifier(), classifyOptions, digests }, state, CAPABILITIES)
    const facts = new SessionFacts(USER)
    const command = new CommandInHand()
    this.#writing = { command, statement: null, statements: null as unknown as Statements, facts, state, text }
  }

  /** Another worker begins to keep answers. */
  note(): void {
    this.cache.othersBegan(99, [])
  }

  begin(sql: string): boolean {
    const { command, text } = this.#writing
    const packet = encodeQuery(sql, CAPABILITIES)
    command.take(packet, 4, packet.length, COMMAND_RULES.get(Command.QUERY)!, this.clock.now)
    text.understand(command)
    if (!this.writes.concerns(this.#writing)) return false
    void this.writes.begin(this.#writing)
    return true
  }

  answer(flags: number): void {
    const { facts } = this.#writing
    facts.statusFlags = flags
    this.clock.now++
    if (this.writes.hasBegun || this.writes.concerns(this.#writing)) this.writes.answered(facts)
  }

  run(sql: string, flags = AUTOCOMMIT): void {
    this.begin(sql)
    this.answer(flags)
  }
}

describe('what a session writes', () => {
  it('is told by tables, before it is sent and when it is over', () => {
    const { told, ends, writes, run, begin, answer } = bound(new World())
    expect(begin('UPDATE t SET a = 1')).toBe(true)
    expect(told).toEqual([['s.t']])
    expect(writes.hasBegun).toBe(true)
    expect(ends).toEqual([])
    answer(AUTOCOMMIT)
    expect(ends).toEqual([false])
    run('INSERT INTO db.u VALUES (1)')
    run('CALL p()')
    run('what is this')
    expect(told).toEqual([['s.t'], ['db.u'], null, null])
    expect(ends).toHaveLength(4)
  })

  it('is told by tables or not by name at all, as is configured', () => {
    const bySchema = bound(new World('schema'))
    bySchema.run('UPDATE t JOIN db.u SET a = 1')
    expect(bySchema.told).toEqual([['s.t', 'db.u']])
    const byNothing = bound(new World('any'))
    byNothing.run('UPDATE t SET a = 1')
    expect(byNothing.told).toEqual([null])
  })

  it('concerns nobody where it is a read, or nobody keeps answers', () => {
    const { begin } = bound(new World())
    for (const sql of ['SELECT 1', 'SHOW TABLES', 'SET @a = 1', 'USE db', 'DO 1', 'PREPARE p FROM "SELECT 1"'])
      expect(begin(sql), sql).toBe(false)
    expect(bound(new World('table', false)).begin('UPDATE t SET a = 1')).toBe(false)
    expect(bound(new World('off')).begin('UPDATE t SET a = 1')).toBe(false)
  })

  it('is told once more when it is committed, with all that its transaction has written', () => {
    const { told, ends, run } = bound(new World())
    run('BEGIN', IN_TRANSACTION)
    run('UPDATE t SET a = 1', IN_TRANSACTION)
    run('DELETE FROM u', IN_TRANSACTION)
    run('SELECT * FROM v', IN_TRANSACTION)
    run('COMMIT')
    expect(told).toEqual([['s.t'], ['s.u'], ['s.t', 's.u']])
    expect(ends).toHaveLength(3)
    run('BEGIN', IN_TRANSACTION)
    run('SELECT * FROM v', IN_TRANSACTION)
    run('COMMIT')
    expect(told).toHaveLength(3)
  })

  it.each([
    ['BEGIN', IN_TRANSACTION],
    ['CREATE TABLE n (a INT)', AUTOCOMMIT],
    ['SET autocommit = 1', AUTOCOMMIT],
    ['LOCK TABLES x WRITE', AUTOCOMMIT],
    ['ROLLBACK', AUTOCOMMIT],
  ])('is told once more when %s commits it, or ends it', (sql, flags) => {
    const { told, ends, run } = bound(new World())
    run('UPDATE t SET a = 1', IN_TRANSACTION)
    run(sql, flags)
    expect(told[1]).toContain('s.t')
    expect(ends).toHaveLength(2)
  })

  it('is not told again when it was rolled back or committed before', () => {
    const { told, run } = bound(new World())
    run('UPDATE t SET a = 1', IN_TRANSACTION)
    run('ROLLBACK')
    run('COMMIT')
    expect(told).toEqual([['s.t'], ['s.t']])
  })

  it('may be anything after a statement of a transaction that may have written anything', () => {
    const { told, run } = bound(new World())
    run('BEGIN', IN_TRANSACTION)
    run('CALL p()', IN_TRANSACTION)
    run('COMMIT')
    expect(told).toEqual([null, null])
  })

  it('may be anything in a transaction that began before writes were noted', () => {
    const world = new World('table', false)
    const { told, ends, run, note } = bound(world)
    run('BEGIN', IN_TRANSACTION)
    run('UPDATE t SET a = 1', IN_TRANSACTION)
    note()
    run('COMMIT')
    expect(told).toEqual([null])
    expect(ends).toEqual([false])
    run('UPDATE t SET a = 1')
    expect(told).toEqual([null, ['s.t']])
  })

  it('is told at its end where it was sent before writes were noted', () => {
    const { told, ends, begin, answer, note } = bound(new World('table', false))
    expect(begin('UPDATE t SET a = 1')).toBe(false)
    note()
    answer(AUTOCOMMIT)
    expect(told).toEqual([null])
    expect(ends).toEqual([false])
  })

  it('whose connection is lost may come about yet', () => {
    const { ends, writes, begin } = bound(new World())
    begin('UPDATE t SET a = 1')
    writes.end(true)
    writes.end(true)
    expect(ends).toEqual([true])
  })
})

/** The world's functions by themselves. */
function bound(world: World) {
  return {
    told: world.told,
    ends: world.ends,
    writes: world.writes,
    note: () => world.note(),
    begin: (sql: string) => world.begin(sql),
    answer: (flags: number) => world.answer(flags),
    run: (sql: string, flags?: number) => world.run(sql, flags),
  }
}
