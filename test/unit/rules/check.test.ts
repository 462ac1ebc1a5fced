import { describe, expect, it } from 'vitest'
import { checkRules, Pattern } from '../../../src/rules/index.js'
import type { QueryRule } from '../../../src/shared/query-rules.js'
import { list, rule } from './fixture.js'

describe('what is wrong with rules', () => {
  it.each<[string, Partial<QueryRule>, string, string]>([
    ['a pattern that is none', { matchDigest: '(a' }, 'match_digest', "expected a regular expression in RE2's syntax"],
    ['what only engines that go back have', { matchPattern: '(?=x)' }, 'match_pattern', "RE2's syntax"],
    ['a reference within a pattern', { matchPattern: '(a)\\1' }, 'match_pattern', "RE2's syntax"],
    ['a pattern that is too long', { matchPattern: 'a'.repeat(9000) }, 'match_pattern', 'at most 8192 characters'],
    ['a program that is too large', { matchPattern: '(abcdef){400}' }, 'match_pattern', 'a smaller regular expression'],
    ['nothing to replace', { replacePattern: 'x' }, 'replace_pattern', 'expected match_pattern next to it'],
    [
      'a group that the pattern does not have',
      { matchPattern: '(a)', replacePattern: '\\2' },
      'replace_pattern',
      'expected groups up to \\1',
    ],
    ['a backslash of no meaning', { matchPattern: 'a', replacePattern: '\\x' }, 'replace_pattern', '\\0 to \\9'],
    [
      'no match to replace',
      { matchPattern: 'a', replacePattern: 'x', negateMatchPattern: true },
      'replace_pattern',
      'negate_match_pattern 0',
    ],
  ])('%s', (_name, more, column, message) => {
    const problem = checkRules(list([rule(1), rule(2, more)]))
    expect(problem).toMatchObject({ table: 'query_rules', index: 1, column })
    expect(problem?.message).toContain(message)
  })

  it('rules that are not active are checked as well', () => {
    expect(checkRules(list([rule(1, { active: false, matchPattern: '(' })]))?.column).toBe('match_pattern')
  })

  it('two rules of one number, two routes for one user and schema', () => {
    expect(checkRules(list([rule(1), rule(2), rule(1)]))).toMatchObject({ index: 2, column: 'rule_id' })
    const route = { username: 'a', schemaname: 's', flagIN: 0, destinationHostgroup: 1 }
    expect(checkRules(list([], [route, { ...route, flagIN: 1 }]))).toBeNull()
    expect(checkRules(list([], [route, { ...route, destinationHostgroup: 2 }]))).toMatchObject({
      table: 'query_rules_fast_routing',
      index: 1,
    })
  })
})

describe('time', () => {
  const search = (pattern: Pattern, text: string): number => {
    const before = process.cpuUsage()
    pattern.isFoundIn(text)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }

  it('patterns on which engines that go back take for ever end soon', () => {
    const text = 'x'.repeat(100_000)
    for (const source of ['(x+x+)+y', '(x|xx)+y', '(.*)(.*)(.*)(.*)[yz]', '(x?){300}x{300}[yz]'])
      expect(search(new Pattern(source, true), text), source).toBeLessThan(3_000)
  }, 60_000)

  it('of a long text only as much is searched as the size of the pattern allows', () => {
    const small = new Pattern('a', false)
    const large = new Pattern('(a|b)*a(a|b){300}[cd]', false)
    expect(large.lengthMax).toBeLessThan(30_000)
    expect(small.lengthMax).toBeGreaterThan(1 << 20)
    expect(new Pattern('end$', false).isFoundIn(`${'x'.repeat(1 << 20)}end`)).toBe(true)
    expect(large.isFoundIn(`${'z'.repeat(large.lengthMax)}${'a'.repeat(400)}c`)).toBe(false)
  })
})
