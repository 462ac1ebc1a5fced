/**
 * What query rules cost a statement, once its digest is known: few rules and many, by digest, by user, by patterns. Run it after a
 * build: `node dist/bench/micro/rules.js`.
 */
import { type RuleDigest, RuleSet, type Scope, type TextSource } from '../../src/rules/index.js'
import type { QueryRule } from '../../src/shared/query-rules.js'
import { runMicro } from './harness.js'

/** Statements that differ in more than their literals, which come in turn. */
const DIGESTS = 500
const MANY = 10_000

const digests = Array.from(
  { length: DIGESTS },
  (_, i): RuleDigest => ({ hex: hex(i), text: `SELECT c FROM t${i} WHERE id=?` }),
)
const texts = digests.map((_, i): TextSource => {
  const bytes = Buffer.from(`SELECT c FROM t${i} WHERE id=${i * 7919}`)
  return { cut: false, read: () => bytes.toString('utf8') }
})

function hex(number: number): string {
  return `0x${number.toString(16).toUpperCase().padStart(16, '0')}`
}

function rules(count: number, more: (i: number) => Partial<QueryRule>): Scope {
  const rows = Array.from({ length: count }, (_, i) => ({
    ruleId: i + 1,
    active: true,
    flagIN: 0,
    negateMatchPattern: false,
    caseless: true,
    global: false,
    apply: true,
    destinationHostgroup: 1,
    ...more(i),
  }))
  const set = new RuleSet({ version: 1, rules: rows, fastRouting: [] })
  return set.scope({
    username: 'user7',
    schemaname: 'shop',
    clientAddr: '10.0.0.7',
    proxyAddr: '10.0.0.1',
    proxyPort: 6033,
  })
}

let at = 0
function ask(scope: Scope): () => number {
  return () => {
    at = (at + 1) % DIGESTS
    return scope.rule(digests[at], texts[at], 0)?.hostgroup ?? 0
  }
}

function firstTime(scopeOf: () => Scope): () => number {
  let scope = scopeOf()
  let left = DIGESTS
  return () => {
    if (left-- === 0) {
      scope = scopeOf()
      left = DIGESTS - 1
    }
    return scope.rule(digests[left % DIGESTS], texts[left % DIGESTS], 0)?.hostgroup ?? 0
  }
}

const byDigest = (i: number): Partial<QueryRule> => ({ digest: hex(i) })
const byUser = (i: number): Partial<QueryRule> => ({ username: `user${i}` })
const byDigestPattern = (i: number): Partial<QueryRule> => ({ matchDigest: `^SELECT .* FROM t${i} WHERE` })
const byTextPattern = (i: number): Partial<QueryRule> => ({ matchPattern: `^SELECT .* FROM other${i} WHERE` })

runMicro('query rules', [
  { name: 'no rule', operations: 1, run: ask(rules(0, byDigest)) },
  { name: '10 rules by digest', operations: 1, run: ask(rules(10, byDigest)) },
  { name: `${MANY} rules by digest`, operations: 1, run: ask(rules(MANY, byDigest)) },
  { name: '10 rules by user', operations: 1, run: ask(rules(10, byUser)) },
  { name: `${MANY} rules by user`, operations: 1, run: ask(rules(MANY, byUser)) },
  { name: '10 rules with match_digest', operations: 1, run: ask(rules(10, byDigestPattern)) },
  {
    name: '10 rules with match_digest, digest not met before',
    operations: 1,
    run: firstTime(() => rules(10, byDigestPattern)),
  },
  { name: '10 rules with match_pattern, none of which matches', operations: 1, run: ask(rules(10, byTextPattern)) },
])

function load(name: string, count: number, more: (i: number) => Partial<QueryRule>): void {
  const before = performance.now()
  rules(count, more)
  process.stdout.write(`  ${name.padEnd(56)} ${(performance.now() - before).toFixed(1).padStart(9)} ms\n`)
}
load(`index of ${MANY} rules by digest`, MANY, byDigest)
load(`index of ${MANY} rules with match_digest`, MANY, byDigestPattern)
