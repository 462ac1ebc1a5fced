import { describe, expect, it } from 'vitest'
import { RuleSet, type Ruling } from '../../../src/rules/index.js'
import type { FastRoute, QueryRule } from '../../../src/shared/query-rules.js'
import { digest, list, ORIGIN, rule, source } from './fixture.js'

const SELECT = digest('SELECT * FROM orders WHERE id=?', 7)
const TEXT = 'SELECT * FROM orders WHERE id=42'

function ask(
  rules: readonly QueryRule[],
  { origin = ORIGIN, by = SELECT, text = TEXT, flagIN = 0, routes = [] as readonly FastRoute[] } = {},
): Ruling | null {
  return new RuleSet(list(rules, routes)).scope(origin).rule(by, source(text), flagIN)
}

const ids = (ruling: Ruling | null): number[] => (ruling?.matched ?? []).map(({ rule }) => rule.ruleId)

describe('what a rule asks for', () => {
  it.each<[string, Partial<QueryRule>, boolean]>([
    ['nothing', {}, true],
    ['the user', { username: 'app' }, true],
    ['another user', { username: 'App' }, false],
    ['the schema', { schemaname: 'shop' }, true],
    ['another schema', { schemaname: 'shop2' }, false],
    ['user and schema', { username: 'app', schemaname: 'shop' }, true],
    ['user and another schema', { username: 'app', schemaname: 'other' }, false],
    ['the address', { clientAddr: '10.0.0.7' }, true],
    ['another address', { clientAddr: '10.0.0.70' }, false],
    ['a range of addresses', { clientAddr: '10.0.%' }, true],
    ['another range', { clientAddr: '10.1.%' }, false],
    ['a point that is no wildcard', { clientAddr: '10.0.0%7' }, true],
    ['any address', { clientAddr: '%' }, true],
    ['where the client has connected to', { proxyAddr: '10.0.0.1', proxyPort: 6033 }, true],
    ['another port', { proxyPort: 6034 }, false],
    ['another address of the proxy', { proxyAddr: '10.0.0.2' }, false],
    ['the digest', { digest: SELECT.hex }, true],
    ['another digest', { digest: digest('', 8).hex }, false],
    ['a pattern of the digest', { matchDigest: '^select .* from ORDERS' }, true],
    ['the same, and case matters', { matchDigest: '^select .* from ORDERS', caseless: false }, false],
    ['a pattern of the text', { matchPattern: 'id=42$' }, true],
    ['literals, which the digest does not have', { matchDigest: 'id=42' }, false],
    ['a pattern, negated', { matchPattern: 'id=42$', negateMatchPattern: true }, false],
    ['a pattern of the digest, negated', { matchDigest: '^UPDATE', negateMatchPattern: true }, true],
    ['another flag', { flagIN: 3 }, false],
    ['nothing, but it is not active', { active: false }, false],
  ])('%s', (_name, more, matches) => {
    expect(ids(ask([rule(1, more)]))).toEqual(matches ? [1] : [])
  })

  it('a statement without a digest is matched by no rule that asks for one, negated or not', () => {
    const rules = [
      rule(1, { digest: SELECT.hex }),
      rule(2, { matchDigest: 'x', negateMatchPattern: true }),
      rule(3, { username: 'app' }),
    ]
    expect(ids(new RuleSet(list(rules)).scope(ORIGIN).rule(null, source(TEXT), 0))).toEqual([3])
  })
})

describe('chains', () => {
  it('rules are looked at in the order of their ids, whatever the order of the rows', () => {
    const rules = [rule(3, { delayMs: 3 }), rule(1, { delayMs: 1 }), rule(2, { digest: SELECT.hex, delayMs: 2 })]
    const ruling = ask(rules)
    expect(ids(ruling)).toEqual([1, 2, 3])
    expect(ruling?.delayMs).toBe(3)
  })

  it('apply ends the search', () => {
    expect(ids(ask([rule(1), rule(2, { apply: true }), rule(3)]))).toEqual([1, 2])
  })

  it('flagOUT leads to the rules behind that ask for it', () => {
    const rules = [
      rule(1, { flagIN: 5 }),
      rule(2, { flagOUT: 5 }),
      rule(3),
      rule(4, { flagIN: 5, flagOUT: 6 }),
      rule(5, { flagIN: 5 }),
      rule(6, { flagIN: 6, apply: true }),
    ]
    expect(ids(ask(rules))).toEqual([2, 4, 6])
  })

  it('begins with the flag of the session', () => {
    const rules = [rule(1), rule(2, { flagIN: 5 })]
    expect(ids(ask(rules, { flagIN: 5 }))).toEqual([2])
  })

  it('a rule that the text decides on may lead elsewhere for one statement and not for another of the digest', () => {
    const set = new RuleSet(
      list([rule(1, { matchPattern: 'id=1$', flagOUT: 9 }), rule(2, { username: 'app' }), rule(3, { flagIN: 9 })]),
    )
    const scope = set.scope(ORIGIN)
    expect(ids(scope.rule(SELECT, source('SELECT * FROM orders WHERE id=1'), 0))).toEqual([1, 3])
    expect(ids(scope.rule(SELECT, source('SELECT * FROM orders WHERE id=2'), 0))).toEqual([2])
  })

  it('of each column the last rule that has one counts', () => {
    const ruling = ask([
      rule(1, { destinationHostgroup: 3, cacheTtl: 5, timeoutMs: 7 }),
      rule(2, { destinationHostgroup: 4, cacheEmptyResult: false }),
    ])
    expect(ruling).toMatchObject({ hostgroup: 4, cacheTtlMs: 5, cacheEmptyResult: false, timeoutMs: 7 })
    expect(ruling?.hostgroupReason).toBe('query rule 2 names hostgroup 4')
  })
})

describe('rewriting', () => {
  it.each<[string, Partial<QueryRule>, string | null]>([
    ['the first match', { matchPattern: '\\d', replacePattern: 'N' }, 'SELECT * FROM orders WHERE id=N2'],
    ['all matches', { matchPattern: '\\d', replacePattern: 'N', global: true }, 'SELECT * FROM orders WHERE id=NN'],
    [
      'groups',
      { matchPattern: 'FROM (\\w+) WHERE (.*)', replacePattern: 'FROM old.\\1 WHERE (\\2) -- \\0\\\\' },
      'SELECT * FROM old.orders WHERE (id=42) -- FROM orders WHERE id=42\\',
    ],
    [
      'a group that did not take part',
      { matchPattern: '(x)?id', replacePattern: '<\\1>' },
      'SELECT * FROM orders WHERE <>=42',
    ],
    ['an empty match, everywhere', { matchPattern: 'q*', replacePattern: '', global: true }, null],
    ['what is the same', { matchPattern: 'orders', replacePattern: 'orders' }, null],
  ])('%s', (_name, more, rewritten) => {
    expect(ask([rule(1, more)])?.rewritten ?? null).toBe(rewritten)
  })

  it('rules behind see the text as it is by then, and the digest of what the client has sent', () => {
    const rules = [
      rule(1, { matchPattern: 'orders', replacePattern: 'orders_v2' }),
      rule(2, { matchPattern: 'orders_v2', replacePattern: 'o', delayMs: 1 }),
      rule(3, { matchDigest: 'FROM orders WHERE', log: true }),
    ]
    const ruling = ask(rules)
    expect(ruling).toMatchObject({ rewritten: 'SELECT * FROM o WHERE id=42', log: true, delayMs: 1 })
  })

  it('a text of which only the beginning is known stays as it is, and the ruling says so', () => {
    const set = new RuleSet(list([rule(7, { matchPattern: 'orders', replacePattern: 'x' })]))
    const ruling = set.scope(ORIGIN).rule(SELECT, source(TEXT, true), 0)
    expect(ruling?.rewritten).toBeNull()
    expect(ruling?.notRewritten).toContain('rule 7')
  })
})

describe('fast routing', () => {
  const route = (username: string, schemaname: string, destinationHostgroup: number, flagIN = 0): FastRoute => ({
    username,
    schemaname,
    flagIN,
    destinationHostgroup,
  })

  it('names the hostgroup by user and schema, or by schema for everybody', () => {
    const routes = [route('app', 'shop', 4), route('', 'shop', 5), route('', 'other', 6)]
    expect(ask([], { routes })).toMatchObject({ hostgroup: 4, hostgroupReason: 'fast routing names hostgroup 4' })
    expect(ask([], { routes, origin: { ...ORIGIN, username: 'x' } })?.hostgroup).toBe(5)
    expect(ask([], { routes, origin: { ...ORIGIN, schemaname: 'other' } })?.hostgroup).toBe(6)
    expect(ask([], { routes, origin: { ...ORIGIN, schemaname: 'none' } })).toBeNull()
  })

  it('comes after the rules, with the flag that they have left, unless one of them ends the search', () => {
    const routes = [route('app', 'shop', 4), route('app', 'shop', 5, 2)]
    expect(ask([rule(1, { destinationHostgroup: 1 })], { routes })?.hostgroup).toBe(4)
    expect(ask([rule(1, { flagOUT: 2 })], { routes })?.hostgroup).toBe(5)
    expect(ask([rule(1, { destinationHostgroup: 1, apply: true })], { routes })?.hostgroup).toBe(1)
  })
})

describe('what is decided once', () => {
  it('a digest that no pattern of a text concerns is not read again', () => {
    const set = new RuleSet(list([rule(1, { matchDigest: 'orders' }), rule(2, { matchPattern: 'x', flagIN: 8 })]))
    const text = source(TEXT)
    const scope = set.scope(ORIGIN)
    const first = scope.rule(SELECT, text, 0)
    expect(scope.rule(SELECT, text, 0)).toBe(first)
    expect(text.reads).toBe(0)
  })

  it('origins that no rule tells apart have one scope', () => {
    const set = new RuleSet(list([rule(1, { username: 'app' }), rule(2, { clientAddr: '10.0.%' })]))
    const scope = set.scope(ORIGIN)
    expect(set.scope({ ...ORIGIN, schemaname: 'another', clientAddr: '10.0.9.9', proxyPort: 1 })).toBe(scope)
    expect(set.scope({ ...ORIGIN, username: 'b' })).not.toBe(scope)
    expect(set.scope({ ...ORIGIN, clientAddr: '10.1.9.9' })).not.toBe(scope)
  })

  it('no schema is a schema that a rule can name, and none of those that no rule names', () => {
    const set = new RuleSet(list([rule(1, { schemaname: '' })]))
    const of = (schemaname: string): Ruling | null => set.scope({ ...ORIGIN, schemaname }).rule(SELECT, source(TEXT), 0)
    expect(ids(of(''))).toEqual([1])
    expect(of('shop')).toBeNull()
  })

  it('is bounded: after very many digests the rules still decide', () => {
    const set = new RuleSet(list([rule(1, { matchDigest: '7$' })]))
    const scope = set.scope(ORIGIN)
    for (let i = 0; i < 25_000; i++) {
      const found = scope.rule(digest(`SELECT ${i}`, i), source(''), 0)
      if ((found !== null) !== (i % 10 === 7)) throw new Error(`digest ${i} was decided wrongly`)
    }
  }, 60_000)
})
