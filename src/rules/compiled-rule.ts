import type { QueryRule } from '../shared/query-rules.js'
import { Pattern } from './pattern.js'
import { Replacement } from './replacement.js'

/** Where a statement comes from. */
export interface Origin {
  readonly username: string
  /** Empty: none is selected. */
  readonly schemaname: string
  /** `localhost` for a unix socket. */
  readonly clientAddr: string
  /** Where the client has connected to; empty for a unix socket. */
  readonly proxyAddr: string
  /** 0 for a unix socket. */
  readonly proxyPort: number
}

/** What is known of all statements that differ in their literals only. Alike ones are one object. */
export interface RuleDigest {
  /** `0x` and 16 hexadecimal digits in upper case. */
  readonly hex: string
  readonly text: string
}

/** A rule that is active, made ready to be asked. */
export class CompiledRule {
  readonly rule: QueryRule
  /** Statements that it matched. */
  hits = 0
  readonly hostgroupReason: string
  readonly pattern: Pattern | null
  readonly replacement: Replacement | null
  readonly #digestPattern: Pattern | null
  readonly #clientAddr: RegExp | null

  constructor(rule: QueryRule) {
    this.rule = rule
    this.hostgroupReason = `query rule ${rule.ruleId} names hostgroup ${rule.destinationHostgroup}`
    this.pattern = rule.matchPattern === undefined ? null : new Pattern(rule.matchPattern, rule.caseless)
    this.replacement = rule.replacePattern === undefined ? null : new Replacement(rule.replacePattern)
    this.#digestPattern = rule.matchDigest === undefined ? null : new Pattern(rule.matchDigest, rule.caseless)
    this.#clientAddr = rule.clientAddr === undefined ? null : wildcard(rule.clientAddr)
  }

  /** Whether it holds for what comes from there. */
  takes({ username, schemaname, clientAddr, proxyAddr, proxyPort }: Origin): boolean {
    const { rule } = this
    return (
      (rule.username === undefined || rule.username === username) &&
      (rule.schemaname === undefined || rule.schemaname === schemaname) &&
      (rule.proxyAddr === undefined || rule.proxyAddr === proxyAddr) &&
      (rule.proxyPort === undefined || rule.proxyPort === proxyPort) &&
      (this.#clientAddr === null || this.#clientAddr.test(clientAddr))
    )
  }

  /** @param digest null: the statement has none */
  matchesDigest(digest: RuleDigest | null): boolean {
    const { rule } = this
    if (rule.digest !== undefined && rule.digest !== digest?.hex) return false
    if (this.#digestPattern === null) return true
    return digest !== null && this.#digestPattern.isFoundIn(digest.text) !== rule.negateMatchPattern
  }

  /** @param text as it is by now: rules before this one may have rewritten it */
  matchesText(text: string): boolean {
    return this.pattern === null || this.pattern.isFoundIn(text) !== this.rule.negateMatchPattern
  }

  /** Whether the digest decides for it, or the text does. */
  get asksForDigest(): boolean {
    return this.rule.digest !== undefined || this.#digestPattern !== null
  }
}

/** `10.0.%`: one of Sluice's own making, which has no repetition within another, ends soon for any address. */
function wildcard(pattern: string): RegExp {
  const parts = pattern.split('%').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's')
}
