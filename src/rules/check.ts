import type { QueryRule, QueryRules } from '../shared/query-rules.js'
import { Pattern, PatternError } from './pattern.js'
import { Replacement } from './replacement.js'

/** What is wrong with a rule: the first thing that is. */
export interface RuleProblem {
  /** Where the row is in its list. */
  readonly table: 'query_rules' | 'query_rules_fast_routing'
  readonly index: number
  /** ProxySQL's name of the column. */
  readonly column: string
  /** A sentence that begins with `expected`, or says what the row collides with. */
  readonly message: string
}

/** Checks what no column can be checked for by itself, patterns included, also of rules that are not active. */
export function checkRules({ rules, fastRouting }: Omit<QueryRules, 'version'>): RuleProblem | null {
  const seen = new Set<number>()
  for (const [index, rule] of rules.entries()) {
    const problem = seen.has(rule.ruleId) ? TAKEN : checkRule(rule)
    seen.add(rule.ruleId)
    if (problem !== null) return { table: 'query_rules', index, ...problem }
  }
  const routes = new Set<string>()
  for (const [index, { username, schemaname, flagIN }] of fastRouting.entries()) {
    const key = JSON.stringify([username, schemaname, flagIN])
    if (!routes.has(key)) {
      routes.add(key)
      continue
    }
    const message = 'another row has this username, schemaname and flagIN'
    return { table: 'query_rules_fast_routing', index, column: 'username', message }
  }
  return null
}

type Problem = Pick<RuleProblem, 'column' | 'message'>

const TAKEN: Problem = { column: 'rule_id', message: 'another row has this rule_id' }

function checkRule(rule: QueryRule): Problem | null {
  const { matchDigest, matchPattern, replacePattern, caseless } = rule
  const pattern = matchPattern === undefined ? null : new Pattern(matchPattern, caseless)
  return (
    (matchDigest === undefined ? null : patternProblem('match_digest', new Pattern(matchDigest, caseless))) ??
    (pattern === null ? null : patternProblem('match_pattern', pattern)) ??
    (replacePattern === undefined ? null : replacementProblem(replacePattern, pattern, rule.negateMatchPattern))
  )
}

function patternProblem(column: string, pattern: Pattern): Problem | null {
  try {
    pattern.check()
    return null
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    return { column, message: `expected ${error.message}` }
  }
}

function replacementProblem(template: string, pattern: Pattern | null, negated: boolean): Problem | null {
  const column = 'replace_pattern'
  if (pattern === null) return { column, message: 'expected match_pattern next to it' }
  if (negated) return { column, message: 'expected negate_match_pattern 0 next to it: there is no match to replace' }
  try {
    const { groupMax } = new Replacement(template)
    const { groupCount } = pattern
    if (groupMax <= groupCount) return null
    return { column, message: `expected groups up to \\${groupCount}, which match_pattern has, got \\${groupMax}` }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { column, message: `expected ${error.message}` }
  }
}
