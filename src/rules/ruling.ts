import type { ConsistencyLevel } from '../shared/snapshot.js'
import type { CompiledRule } from './compiled-rule.js'

/** What the rules say of a statement. Statements that are alike share one: it is not changed once it is made. */
export interface Ruling {
  /** The rules that matched, in their order. */
  readonly matched: readonly CompiledRule[]
  /** -1: where the statement would go without rules. */
  readonly hostgroup: number
  /** Who names the hostgroup; empty: nobody. */
  readonly hostgroupReason: string
  readonly errorMsg: string | null
  readonly okMsg: string | null
  /** 0: as is configured for all. */
  readonly timeoutMs: number
  readonly delayMs: number
  /** -1: as for all. */
  readonly retries: number
  /** -1: the session's next statements begin where this one did. */
  readonly nextQueryFlagIN: number
  /** A copy is executed by this hostgroup (-1: where rules send it), beginning at `mirrorFlagIN` (-1: with no rule). */
  readonly mirrorHostgroup: number
  readonly mirrorFlagIN: number
  /** null: nothing is said of it. */
  readonly multiplex: 0 | 1 | 2 | null
  readonly log: boolean
  /** 0: the answer is not to be kept. */
  readonly cacheTtlMs: number
  readonly cacheEmptyResult: boolean
  /** -1: as for all. */
  readonly cacheTimeoutMs: number
  /** No write ends the answer while it is kept. */
  readonly cacheByTimeAlone: boolean
  readonly consistency: ConsistencyLevel | null
  /** -1: nothing is said of it. */
  readonly maxReplicationLagMs: number
  /** Name of a causal key; empty: none. */
  readonly causal: string
  /** The text that is executed instead; null: the client's own. */
  readonly rewritten: string | null
  /** Why it was not rewritten as a rule says; empty: it was. */
  readonly notRewritten: string
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export function newRuling(): Mutable<Ruling> & { matched: CompiledRule[] } {
  return {
    matched: [],
    hostgroup: -1,
    hostgroupReason: '',
    errorMsg: null,
    okMsg: null,
    timeoutMs: 0,
    delayMs: 0,
    retries: -1,
    nextQueryFlagIN: -1,
    mirrorHostgroup: -1,
    mirrorFlagIN: -1,
    multiplex: null,
    log: false,
    cacheTtlMs: 0,
    cacheEmptyResult: true,
    cacheTimeoutMs: -1,
    cacheByTimeAlone: false,
    consistency: null,
    maxReplicationLagMs: -1,
    causal: '',
    rewritten: null,
    notRewritten: '',
  }
}

export type RulingInTheMaking = ReturnType<typeof newRuling>

/** Adds what a rule says: of each column the last rule that has one counts. */
export function add(compiled: CompiledRule, into: RulingInTheMaking): void {
  const { rule } = compiled
  into.matched.push(compiled)
  if (rule.destinationHostgroup !== undefined) {
    into.hostgroup = rule.destinationHostgroup
    into.hostgroupReason = compiled.hostgroupReason
  }
  into.errorMsg = rule.errorMsg ?? into.errorMsg
  into.okMsg = rule.okMsg ?? into.okMsg
  into.timeoutMs = rule.timeoutMs ?? into.timeoutMs
  into.delayMs = rule.delayMs ?? into.delayMs
  into.retries = rule.retries ?? into.retries
  into.nextQueryFlagIN = rule.nextQueryFlagIN ?? into.nextQueryFlagIN
  into.mirrorHostgroup = rule.mirrorHostgroup ?? into.mirrorHostgroup
  into.mirrorFlagIN = rule.mirrorFlagOUT ?? into.mirrorFlagIN
  into.multiplex = rule.multiplex ?? (rule.stickyConn === true ? 0 : into.multiplex)
  into.log = rule.log ?? into.log
  into.cacheTtlMs = rule.cacheTtl ?? into.cacheTtlMs
  into.cacheEmptyResult = rule.cacheEmptyResult ?? into.cacheEmptyResult
  into.cacheTimeoutMs = rule.cacheTimeoutMs ?? into.cacheTimeoutMs
  into.cacheByTimeAlone = into.cacheByTimeAlone || rule.invalidation === 'off'
  into.consistency = rule.consistency ?? into.consistency
  into.maxReplicationLagMs = rule.maxReplicationLagMs ?? into.maxReplicationLagMs
  into.causal = rule.causal ?? into.causal
}
