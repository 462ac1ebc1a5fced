import { expect, it } from 'vitest'
import { type Origin, type RuleDigest, RuleSet } from '../../../src/rules/index.js'
import type { FastRoute, QueryRule } from '../../../src/shared/query-rules.js'
import { seededRandom } from '../worker/fixture.js'
import { digest, list, rule, source } from './fixture.js'

interface Outcome {
  readonly matched: readonly number[]
  readonly hostgroup: number
  readonly text: string
}

/** The rules one by one, as ProxySQL's documentation tells it: nothing is looked up, nothing is remembered. */
function naive(
  rules: readonly QueryRule[],
  routes: readonly FastRoute[],
  origin: Origin,
  by: RuleDigest | null,
  original: string,
  flagIN: number,
): Outcome {
  const matched: number[] = []
  let flag = flagIN
  let hostgroup = -1
  let text = original
  let ended = false
  for (const one of [...rules].sort((a, b) => a.ruleId - b.ruleId)) {
    if (!one.active || one.flagIN !== flag) continue
    if (one.username !== undefined && one.username !== origin.username) continue
    if (one.schemaname !== undefined && one.schemaname !== origin.schemaname) continue
    if (one.proxyAddr !== undefined && one.proxyAddr !== origin.proxyAddr) continue
    if (one.proxyPort !== undefined && one.proxyPort !== origin.proxyPort) continue
    const address = one.clientAddr
    if (address?.endsWith('%') === true && !origin.clientAddr.startsWith(address.slice(0, -1))) continue
    if (address !== undefined && !address.endsWith('%') && address !== origin.clientAddr) continue
    if (one.digest !== undefined && one.digest !== by?.hex) continue
    const flags = `${one.caseless ? 'i' : ''}${one.global ? 'g' : ''}`
    const negated = one.negateMatchPattern
    if (one.matchDigest !== undefined) {
      if (by === null || by.text.search(new RegExp(one.matchDigest, flags)) >= 0 === negated) continue
    }
    if (one.matchPattern !== undefined) {
      const pattern = new RegExp(one.matchPattern, flags)
      if (text.search(pattern) >= 0 === negated) continue
      if (one.replacePattern !== undefined) text = text.replace(pattern, one.replacePattern)
    }
    matched.push(one.ruleId)
    hostgroup = one.destinationHostgroup ?? hostgroup
    flag = one.flagOUT ?? flag
    if (one.apply) {
      ended = true
      break
    }
  }
  if (!ended) {
    const of = (username: string): FastRoute | undefined =>
      routes.find((r) => r.username === username && r.schemaname === origin.schemaname && r.flagIN === flag)
    hostgroup = (of(origin.username) ?? of(''))?.destinationHostgroup ?? hostgroup
  }
  return { matched, hostgroup, text }
}

const USERS = ['ann', 'bob', 'eve']
const SCHEMAS = ['', 's1', 's2']
const ADDRESSES = ['10.0.0.1', '10.0.1.2', 'localhost']
const ADDRESS_PATTERNS = ['10.0.0.1', '10.0.%', '10.0.1.%', '%', 'localhost', '192.%']
const PATTERNS = ['^a', 'b+', 'c$', 'A', '[xy]', '^$', 'ab|ba', '.']
const DIGESTS = Array.from({ length: 8 }, (_, i) => digest(['ab', 'abc', 'x', 'BA', 'cc', '', 'yb', 'q'][i], i))
const TEXTS = ['abc', 'xxb', 'A', 'ccc', 'bab', 'q', '']

it('the indexed rules decide as rules looked at one by one', () => {
  const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 2 ** 31)
  const random = seededRandom(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]
  const maybe = <T>(probability: number, value: () => T): T | undefined =>
    random() < probability ? value() : undefined
  const randomRule = (ruleId: number): QueryRule => {
    const matchPattern = maybe(0.2, () => oneOf(PATTERNS))
    const negateMatchPattern = random() < 0.2
    return rule(ruleId, {
      active: random() < 0.9,
      flagIN: random() < 0.6 ? 0 : below(4),
      username: maybe(0.3, () => oneOf(USERS)),
      schemaname: maybe(0.2, () => oneOf(SCHEMAS)),
      clientAddr: maybe(0.15, () => oneOf(ADDRESS_PATTERNS)),
      proxyAddr: maybe(0.1, () => oneOf(ADDRESSES)),
      proxyPort: maybe(0.1, () => below(3)),
      digest: maybe(0.3, () => oneOf(DIGESTS).hex),
      matchDigest: maybe(0.2, () => oneOf(PATTERNS)),
      matchPattern,
      negateMatchPattern,
      caseless: random() < 0.7,
      global: random() < 0.3,
      replacePattern:
        matchPattern !== undefined && !negateMatchPattern ? maybe(0.5, () => oneOf(['z', 'ab', ''])) : undefined,
      flagOUT: maybe(0.25, () => below(4)),
      destinationHostgroup: maybe(0.4, () => below(9)),
      apply: random() < 0.15,
    })
  }
  for (let round = 0; round < 300; round++) {
    const rules = Array.from({ length: 1 + below(25) }, (_, i) => randomRule(i + 1)).sort(() => random() - 0.5)
    const routes = Array.from({ length: below(4) }, () => ({
      username: random() < 0.3 ? '' : oneOf(USERS),
      schemaname: oneOf(SCHEMAS),
      flagIN: below(3),
      destinationHostgroup: 10 + below(5),
    })).filter(
      (r, i, all) =>
        all.findIndex(
          (o) => `${o.username} ${o.schemaname} ${o.flagIN}` === `${r.username} ${r.schemaname} ${r.flagIN}`,
        ) === i,
    )
    const set = new RuleSet(list(rules, routes))
    for (let i = 0; i < 80; i++) {
      const origin: Origin = {
        username: oneOf([...USERS, 'zoe']),
        schemaname: oneOf([...SCHEMAS, 's3']),
        clientAddr: oneOf(ADDRESSES),
        proxyAddr: oneOf(ADDRESSES),
        proxyPort: below(3),
      }
      const by = random() < 0.1 ? null : oneOf(DIGESTS)
      const text = oneOf(TEXTS)
      const flagIN = random() < 0.8 ? 0 : below(4)
      const found = set.scope(origin).rule(by, source(text), flagIN)
      const outcome: Outcome = {
        matched: (found?.matched ?? []).map((one) => one.rule.ruleId),
        hostgroup: found?.hostgroup ?? -1,
        text: found?.rewritten ?? text,
      }
      const expected = naive(rules, routes, origin, by, text, flagIN)
      expect(
        outcome,
        `SLUICE_TEST_SEED=${seed} round ${round}: ${JSON.stringify({ rules, routes, origin, by, text, flagIN })}`,
      ).toEqual(expected)
    }
  }
}, 60_000)
