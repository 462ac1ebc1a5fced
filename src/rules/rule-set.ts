import type { FastRoute, QueryRules } from '../shared/query-rules.js'
import { CompiledRule, type Origin, type RuleDigest } from './compiled-rule.js'
import { Plan, type TextSource } from './plan.js'
import type { Ruling } from './ruling.js'

/** Plans and scopes that are remembered at most; when there are more, all are forgotten and made again as needed. */
const PLANS_MAX = 20_000
const SCOPES_MAX = 10_000

/**
 * The rules of a moment, found by what they ask for: however many there are, a statement is compared with those that can
 * match it. What depends on its origin and digest alone is decided once.
 */
export class RuleSet {
  readonly version: number
  /** In their order. */
  readonly rules: readonly CompiledRule[]
  readonly isEmpty: boolean
  /** Whether a statement's digest is needed. */
  readonly asksForDigest: boolean
  /** The shortest timeout that a rule gives, in ms; Infinity: none does. */
  readonly timeoutMsMin: number

  /** Rules that ask for a digest, and those that do not. */
  readonly #byDigest = new Map<string, CompiledRule[]>()
  readonly #byOrigin: OriginIndex
  readonly #routes = new Map<string, number>()
  readonly #scopes = new Map<string, Scope>()
  #plans = 0
  #generation = 0

  /** @param list checked (`checkRules`) */
  constructor({ version, rules, fastRouting }: QueryRules) {
    this.version = version
    this.rules = rules
      .filter(({ active }) => active)
      .sort((a, b) => a.ruleId - b.ruleId)
      .map((rule) => new CompiledRule(rule))
    this.isEmpty = this.rules.length === 0 && fastRouting.length === 0
    this.asksForDigest = this.rules.some((rule) => rule.asksForDigest)
    this.timeoutMsMin = shortestTimeout(this.rules)
    for (const compiled of this.rules) {
      const { digest } = compiled.rule
      if (digest !== undefined) addTo(this.#byDigest, digest, compiled)
    }
    this.#byOrigin = new OriginIndex(
      this.rules.filter(({ rule }) => rule.digest === undefined),
      this.rules,
      fastRouting,
    )
    for (const route of fastRouting) this.#routes.set(routeKey(route), route.destinationHostgroup)
  }

  /** What holds for all statements from one origin. The same object for origins that no rule tells apart. */
  scope(origin: Origin): Scope {
    const key = this.#byOrigin.key(origin)
    const known = this.#scopes.get(key)
    if (known !== undefined) return known
    if (this.#scopes.size >= SCOPES_MAX) this.#scopes.clear()
    const scope = new Scope(this, origin, this.#byOrigin.rulesFor(origin))
    this.#scopes.set(key, scope)
    return scope
  }

  /** Rules for an origin that match a digest, in their order. @param rules those for the origin without a digest of their own */
  matching(origin: Origin, rules: readonly CompiledRule[], digest: RuleDigest | null): CompiledRule[] {
    const own = digest === null ? undefined : this.#byDigest.get(digest.hex)
    const all =
      own === undefined
        ? rules
        : merge(
            own.filter((rule) => rule.takes(origin)),
            rules,
          )
    return all.filter((rule) => rule.matchesDigest(digest))
  }

  /** Of mysql_query_rules_fast_routing; -1: none. */
  fastRoute({ username, schemaname }: Origin, flagIN: number): number {
    if (this.#routes.size === 0) return -1
    const own = this.#routes.get(routeKey({ username, schemaname, flagIN }))
    return own ?? this.#routes.get(routeKey({ username: '', schemaname, flagIN })) ?? -1
  }

  /** Statements that each rule has matched since this was asked last; null: none. */
  takeHits(): Record<number, number> | null {
    let taken: Record<number, number> | null = null
    for (const compiled of this.rules) {
      if (compiled.hits === 0) continue
      taken ??= {}
      taken[compiled.rule.ruleId] = compiled.hits
      compiled.hits = 0
    }
    return taken
  }

  /** Counts one more plan. @returns a number that changes whenever all plans are to be forgotten */
  planned(): number {
    if (++this.#plans > PLANS_MAX) {
      this.#plans = 1
      this.#generation++
    }
    return this.#generation
  }

  get generation(): number {
    return this.#generation
  }
}

/** What the rules say of statements from one origin. */
export class Scope {
  readonly #set: RuleSet
  readonly #origin: Origin
  readonly #rules: readonly CompiledRule[]
  /** By the digest's own identity; of those that begin with flag 0, and with others. */
  readonly #plans = new Map<RuleDigest | null, Plan>()
  readonly #flagged = new Map<number, Map<RuleDigest | null, Plan>>()
  #generation: number

  constructor(set: RuleSet, origin: Origin, rules: readonly CompiledRule[]) {
    this.#set = set
    this.#origin = origin
    this.#rules = rules
    this.#generation = set.generation
  }

  /** What the rules say of a statement, whose hits are not counted yet; null: nothing. */
  rule(digest: RuleDigest | null, source: TextSource, flagIN: number): Ruling | null {
    if (this.#generation !== this.#set.generation) this.#forget()
    const plans = flagIN === 0 ? this.#plans : this.#flagged.get(flagIN)
    const plan = plans?.get(digest) ?? this.#plan(digest, flagIN)
    return plan.rule(source)
  }

  #plan(digest: RuleDigest | null, flagIN: number): Plan {
    const generation = this.#set.planned()
    if (this.#generation !== generation) this.#forget()
    const rules = this.#set.matching(this.#origin, this.#rules, digest)
    const plan = new Plan(rules, flagIN, (flag) => this.#set.fastRoute(this.#origin, flag))
    let plans = flagIN === 0 ? this.#plans : this.#flagged.get(flagIN)
    if (plans === undefined) {
      plans = new Map()
      this.#flagged.set(flagIN, plans)
    }
    plans.set(digest, plan)
    return plan
  }

  #forget(): void {
    this.#generation = this.#set.generation
    this.#plans.clear()
    this.#flagged.clear()
  }
}

/** Finds the rules for an origin among those without a digest, and tells origins apart as far as any rule does. */
class OriginIndex {
  readonly #byUserAndSchema = new Map<string, CompiledRule[]>()
  readonly #byUser = new Map<string, CompiledRule[]>()
  readonly #bySchema = new Map<string, CompiledRule[]>()
  readonly #others: CompiledRule[] = []
  /** What rules and routes ask for. */
  readonly #users: ReadonlySet<string>
  readonly #schemas: ReadonlySet<string>
  readonly #proxyAddrs: ReadonlySet<string>
  readonly #proxyPorts: ReadonlySet<number>
  readonly #clientAddrs: ReadonlySet<string>
  /** One rule for each pattern of addresses. */
  readonly #wildcards: readonly CompiledRule[]

  constructor(withoutDigest: readonly CompiledRule[], all: readonly CompiledRule[], fastRouting: readonly FastRoute[]) {
    for (const compiled of withoutDigest) this.#add(compiled)
    const named = [...all.map(({ rule }) => rule), ...fastRouting]
    this.#users = given(named.map(({ username }) => username))
    this.#schemas = given(named.map(({ schemaname }) => schemaname))
    this.#proxyAddrs = given(all.map(({ rule }) => rule.proxyAddr))
    this.#proxyPorts = given(all.map(({ rule }) => rule.proxyPort))
    const clientAddrs = given(all.map(({ rule }) => rule.clientAddr))
    this.#clientAddrs = new Set([...clientAddrs].filter((address) => !address.includes('%')))
    this.#wildcards = [...clientAddrs]
      .filter((address) => address.includes('%'))
      .map((clientAddr) => new CompiledRule({ ...ANY, clientAddr }))
  }

  #add(compiled: CompiledRule): void {
    const { username, schemaname } = compiled.rule
    if (username !== undefined && schemaname !== undefined)
      addTo(this.#byUserAndSchema, pairKey(username, schemaname), compiled)
    else if (username !== undefined) addTo(this.#byUser, username, compiled)
    else if (schemaname !== undefined) addTo(this.#bySchema, schemaname, compiled)
    else this.#others.push(compiled)
  }

  /** Equal for origins that no rule tells apart. */
  key(origin: Origin): string {
    const { username, schemaname, clientAddr, proxyAddr, proxyPort } = origin
    return [
      this.#users.has(username) ? username : ANOTHER,
      this.#schemas.has(schemaname) ? schemaname : ANOTHER,
      this.#clientAddrs.has(clientAddr) ? clientAddr : ANOTHER,
      this.#proxyAddrs.has(proxyAddr) ? proxyAddr : ANOTHER,
      this.#proxyPorts.has(proxyPort) ? proxyPort : ANOTHER,
      this.#wildcards.map((wildcard) => (wildcard.takes(origin) ? '1' : '0')).join(''),
    ].join('\n')
  }

  rulesFor(origin: Origin): CompiledRule[] {
    const { username, schemaname } = origin
    const lists = [
      this.#byUserAndSchema.get(pairKey(username, schemaname)),
      this.#byUser.get(username),
      this.#bySchema.get(schemaname),
      this.#others,
    ]
    const found = lists.reduce<readonly CompiledRule[]>(
      (all, list) => (list === undefined ? all : merge(all, list)),
      [],
    )
    return found.filter((rule) => rule.takes(origin))
  }
}

/** Stands for every name that no rule knows; no name is so, the empty one is one. */
const ANOTHER = '\0'
const ANY = {
  ruleId: 0,
  active: true,
  flagIN: 0,
  negateMatchPattern: false,
  caseless: true,
  global: false,
  apply: false,
}

function given<T>(values: readonly (T | undefined)[]): Set<T> {
  return new Set(values.filter((value) => value !== undefined))
}

function pairKey(username: string, schemaname: string): string {
  return `${username}\n${schemaname}`
}

function routeKey({ username, schemaname, flagIN }: Omit<FastRoute, 'destinationHostgroup'>): string {
  return `${flagIN}\n${username}\n${schemaname}`
}

function addTo(index: Map<string, CompiledRule[]>, key: string, rule: CompiledRule): void {
  const list = index.get(key)
  if (list === undefined) index.set(key, [rule])
  else list.push(rule)
}

/** Two lists in the rules' order as one. */
function merge(a: readonly CompiledRule[], b: readonly CompiledRule[]): readonly CompiledRule[] {
  if (a.length === 0) return b
  if (b.length === 0) return a
  return [...a, ...b].sort((left, right) => left.rule.ruleId - right.rule.ruleId)
}

function shortestTimeout(rules: readonly CompiledRule[]): number {
  let shortest = Number.POSITIVE_INFINITY
  for (const { rule } of rules) {
    const { timeoutMs = 0 } = rule
    if (timeoutMs > 0 && timeoutMs < shortest) shortest = timeoutMs
  }
  return shortest
}
