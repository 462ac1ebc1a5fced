import type { Origin, RuleDigest, TextSource } from '../../../src/rules/index.js'
import type { FastRoute, QueryRule, QueryRules } from '../../../src/shared/query-rules.js'

export function rule(ruleId: number, more: Partial<QueryRule> = {}): QueryRule {
  return {
    ruleId,
    active: true,
    flagIN: 0,
    negateMatchPattern: false,
    caseless: true,
    global: false,
    apply: false,
    ...more,
  }
}

export function list(rules: readonly QueryRule[], fastRouting: readonly FastRoute[] = []): QueryRules {
  return { version: 1, rules, fastRouting }
}

export const ORIGIN: Origin = {
  username: 'app',
  schemaname: 'shop',
  clientAddr: '10.0.0.7',
  proxyAddr: '10.0.0.1',
  proxyPort: 6033,
}

export function digest(text: string, number = 1): RuleDigest {
  return { hex: `0x${number.toString(16).toUpperCase().padStart(16, '0')}`, text }
}

export function source(text: string, cut = false): TextSource & { reads: number } {
  return {
    reads: 0,
    cut,
    read() {
      this.reads++
      return text
    },
  }
}
