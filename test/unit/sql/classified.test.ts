import { describe, expect, it } from 'vitest'
import { Classifier, Effect, explainEffects, Hint, StatementKind, StatementKindName } from '../../../src/sql/index.js'
import { classify, OPTIONS } from './options.js'

describe('hints', () => {
  it.each([
    ['/* sluice: primary */ SELECT 1', Hint.primary, -1],
    ['/*sluice:primary*/SELECT 1', Hint.primary, -1],
    ['SELECT /* SLUICE: Replica */ 1', Hint.replica, -1],
    ['SELECT 1 /* sluice: replica */', Hint.replica, -1],
    ['SELECT 1; /* sluice: replica */', Hint.replica, -1],
    ['/* hostgroup=2 */ SELECT 1', Hint.none, 2],
    ['/* ;hostgroup=2;create_new_connection=1 */ SELECT 1', Hint.none, 2],
    ['/* sluice: hostgroup=7 */ SELECT 1', Hint.none, 7],
    ['/* sluice: primary, hostgroup=7 */ UPDATE t SET a = 1', Hint.primary, 7],
    ['/* sluice: replica */ SELECT 1 /* sluice: primary */', Hint.primary, -1],
    ['/* hostgroup=0 */ SET autocommit=0', Hint.none, 0],
    ['COMMIT /* sluice: primary */', Hint.primary, -1],
  ])('of a comment are found wherever it stands: %s', (text, hint, hostgroup) => {
    const found = classify(text)
    expect([found.hint, found.hostgroup]).toEqual([hint, hostgroup])
  })

  it.each([
    ["SELECT '/* sluice: primary */'"],
    ['SELECT "/* hostgroup=1 */"'],
    ['SELECT `/* hostgroup=1 */`'],
    ['SELECT /*+ sluice: primary */ 1'],
    ['SELECT /*+ hostgroup=1 */ 1'],
    ['SELECT 1 -- sluice: primary'],
    ['SELECT 1 # sluice: primary'],
    ['/* primary */ SELECT 1'],
    ['/* about hostgroup=1 */ SELECT 1'],
    ['/* sluice primary */ SELECT 1'],
    ['/* hostgroup=x */ SELECT 1'],
    ['/* hostgroup= */ SELECT 1'],
    ['/* hostgroup=99999999999 */ SELECT 1'],
    ['/* hostgroup=2147483648 */ SELECT 1'],
    ['/* hostgroups=2 */ SELECT 1'],
    ['/* sluice */ SELECT 1'],
    ['/**/ SELECT 1'],
  ])('are not seen in strings, optimizer hints, line comments or ordinary prose: %s', (text) => {
    const found = classify(text)
    expect([found.hint, found.hostgroup, found.causal, found.consistency]).toEqual([Hint.none, -1, null, null])
  })

  it('carry a causal key and a consistency level', () => {
    const found = classify('/* sluice: replica causal=user-42; consistency=session */ SELECT 1')
    expect(found).toMatchObject({ hint: Hint.replica, causal: 'user-42', consistency: 'session', kind: 'read' })
  })

  it('do not outlive their statement', () => {
    classify('/* sluice: primary hostgroup=3 causal=x consistency=y */ USE a')
    expect(classify('SELECT 1')).toMatchObject({
      hint: 0,
      hostgroup: -1,
      causal: null,
      consistency: null,
      schema: null,
    })
  })

  it('are read from the given range alone', () => {
    const buffer = Buffer.from('/* sluice: primary */ SELECT 1 FOR UPDATE; /* hostgroup=1 */')
    const found = new Classifier().classify(buffer, 22, 30, OPTIONS)
    expect([found.kind, found.hint, found.hostgroup, found.effects]).toEqual([StatementKind.read, 0, -1, 0])
  })
})

describe('what callers need of the text', () => {
  it.each([
    ['USE db', 'db'],
    ['USE `my``db` ;', 'my``db'],
    ['/* c */ use $x1 -- c', '$x1'],
  ])('USE tells the schema: %s', (text, schema) => {
    expect(classify(text).schema).toBe(schema)
  })

  it('USE takes "x" for a schema under ANSI_QUOTES', () => {
    expect(classify('USE "a b"', { ansiQuotes: true })).toMatchObject({ kind: 'use', schema: 'a b' })
    expect(classify('USE "a b"').kind).toBe('unknown')
  })

  it.each([
    ['KILL 15', '15'],
    ['KILL QUERY 16;', '16'],
    ['PREPARE s FROM "x"', 's'],
    ['EXECUTE `s t` USING @a', 's t'],
    ['DEALLOCATE PREPARE s', 's'],
    ['DROP PREPARE s', 's'],
    ['SAVEPOINT a', 'a'],
    ['ROLLBACK TO SAVEPOINT b', 'b'],
    ['KILL @id', null],
  ])('KILL, PREPARE and SAVEPOINT tell their argument: %s', (text, argument) => {
    expect(classify(text).argument).toBe(argument)
  })

  it('the first word is told, whatever stands before it', () => {
    expect(classify('/* c */ \n Select 1').keyword).toBe('Select')
    expect(classify('').keyword).toBeNull()
  })

  it('statements are counted, empty ones not', () => {
    expect(classify('SELECT 1;;').statements).toBe(1)
    expect(classify('SELECT 1; DELETE FROM t; SELECT 2;').statements).toBe(3)
    expect(classify(' ; ').statements).toBe(0)
  })
})

describe('a text that is only a beginning', () => {
  it.each([
    ['SELECT 1'],
    ['SELECT 1 FOR UPDATE'],
    ['TABLE t'],
    ['SHOW TABLES'],
    ['DO 1'],
    ['COMMIT'],
    ['SET a = 1'],
    [''],
  ])('is not taken for more than it shows: %s', (text) => {
    expect(classify(text, { truncated: true }).kind).toBe('unknown')
  })

  it.each([
    ["INSERT INTO t VALUES (1, 'abc", 'write'],
    ['INSERT INTO t VALUES (1), (2', 'write'],
    ['UPDATE t SET a = (1', 'write'],
    ["LOAD DATA LOCAL INFILE 'x' INTO TABLE t (a", 'loadDataLocal'],
    ['CALL p(1, ', 'call'],
    ['CREATE PROCEDURE p() BEGIN SELECT 1;', 'ddl'],
    ['SELECT 1; SELECT 2', 'multi'],
  ])('is known when no continuation can change it: %s', (text, kind) => {
    expect(classify(text, { truncated: true }).kind).toBe(kind)
  })
})

describe('lexical modes', () => {
  it('a backslash ends no string unless NO_BACKSLASH_ESCAPES', () => {
    expect(classify("SELECT 'a\\' FOR UPDATE -- '").kind).toBe('read')
    expect(classify("SELECT 'a\\' FOR UPDATE -- '", { noBackslashEscapes: true }).kind).toBe('primaryRead')
  })

  it('double quotes hold an identifier under ANSI_QUOTES, so that a function may be called by it', () => {
    expect(classify('SELECT "f"(1)', { ansiQuotes: true }).effects).toContain('unknownFunction')
  })

  it('a backslash behind a byte above ASCII is not trusted in such character sets', () => {
    const text = Buffer.from([...Buffer.from("SELECT '"), 0xbf, 0x5c, ...Buffer.from("' FOR UPDATE -- '")])
    const classifier = new Classifier()
    expect(classifier.classify(text, 0, text.length, OPTIONS).kind).toBe(StatementKind.read)
    const careful = { ...OPTIONS, backslashTrailBytes: true }
    expect(classifier.classify(text, 0, text.length, careful).kind).toBe(StatementKind.unknown)
    expect(classify("SELECT 'a\\'b'", { backslashTrailBytes: true }).kind).toBe('read')
  })

  it('more version gates than can be told apart are not understood', () => {
    const gates = Array.from({ length: 9 }, (_, i) => `/*!8000${i} + 1 */`).join(' ')
    expect(classify(`SELECT 1 ${gates}`).kind).toBe('unknown')
    expect(classify(`SELECT 1 ${gates.slice(0, -16)}`).kind).toBe('read')
  })

  it('a gated comment can hide nothing: every server version is considered', () => {
    expect(classify("SELECT 1 /*!99999 , ' */ , f(1) /*!99999 ' */").effects).toContain('unknownFunction')
    expect(classify('SELECT 1 /*!80000 -- */ FOR UPDATE').effects).toContain('lockingRead')
    expect(classify('/*!99999 SELECT 1 */ DELETE FROM t').kind).toBe('write')
    expect(classify('/*!80000 START */ /*!99999 TRANSACTION */').kind).toBe('unknown')
  })

  it('deeply nested text is read to its end', () => {
    const depth = 100_000
    expect(classify(`SELECT ${'('.repeat(depth)}1${')'.repeat(depth)} FOR UPDATE`).kind).toBe('primaryRead')
    expect(classify(`${'('.repeat(depth)}SELECT 1${')'.repeat(depth)}`).kind).toBe('read')
    expect(classify(`${'EXPLAIN '.repeat(depth)}SELECT 1`).kind).toBe('read')
    expect(classify(`${'WITH c AS (SELECT 1) '.repeat(depth)}SELECT 1`).kind).not.toBe('multi')
  })
})

describe('the tables', () => {
  it('every kind has a name', () => {
    expect(StatementKindName).toEqual(Object.keys(StatementKind).sort(byNumber))
  })

  it('every effect is one bit of its own below 2^31', () => {
    const bits = Object.values(Effect)
    expect(new Set(bits).size).toBe(bits.length)
    for (const bit of bits) expect(bit > 0 && (bit & (bit - 1)) === 0).toBe(true)
  })

  it('effects print as their names', () => {
    expect(explainEffects(0)).toEqual([])
    expect(explainEffects(Effect.lockingRead | Effect.nonDeterministic)).toEqual(['lockingRead', 'nonDeterministic'])
  })
})

function byNumber(a: string, b: string): number {
  return StatementKind[a as keyof typeof StatementKind] - StatementKind[b as keyof typeof StatementKind]
}
