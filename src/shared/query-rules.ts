import type { ConsistencyLevel } from './snapshot.js'

/**
 * A row of mysql_query_rules, active or not. Every column that a row leaves NULL is absent here, so that thousands of rows
 * travel light. Names and meanings are those of ProxySQL's columns (admin documentation, "mysql_query_rules").
 */
export interface QueryRule {
  /** Rules are looked at in its order. At least 1, and unique. */
  readonly ruleId: number
  readonly active: boolean

  // What has to be so.
  readonly username?: string
  readonly schemaname?: string
  readonly flagIN: number
  /** `%` stands for any characters. */
  readonly clientAddr?: string
  readonly proxyAddr?: string
  readonly proxyPort?: number
  /** `0x` and 16 hexadecimal digits in upper case. */
  readonly digest?: string
  readonly matchDigest?: string
  readonly matchPattern?: string
  /** Turns both patterns round. */
  readonly negateMatchPattern: boolean
  readonly caseless: boolean
  /** `replacePattern` replaces all that matches, and not the first alone. */
  readonly global: boolean

  // What is done then.
  readonly flagOUT?: number
  readonly replacePattern?: string
  readonly destinationHostgroup?: number
  /** Milliseconds, at least 1. */
  readonly cacheTtl?: number
  readonly cacheEmptyResult?: boolean
  /** How long it waits for the answer to the same statement of another session; 0: not at all. */
  readonly cacheTimeoutMs?: number
  readonly timeoutMs?: number
  readonly retries?: number
  readonly delayMs?: number
  readonly nextQueryFlagIN?: number
  readonly mirrorFlagOUT?: number
  readonly mirrorHostgroup?: number
  readonly errorMsg?: string
  readonly okMsg?: string
  readonly stickyConn?: boolean
  /** 0: the session keeps its connections; 1: it shares them again; 2: as it is, whatever this statement does. */
  readonly multiplex?: 0 | 1 | 2
  readonly log?: boolean
  /** No further rule is looked at. */
  readonly apply: boolean

  // Sluice's own, from `attributes`.
  readonly consistency?: ConsistencyLevel
  readonly maxReplicationLagMs?: number
  readonly causal?: string
  /** Its answers in the result cache are ended by their time alone, whatever is configured for all. */
  readonly invalidation?: 'off'
}

/** A row of mysql_query_rules_fast_routing: looked at where no rule with `apply` has matched. */
export interface FastRoute {
  /** Empty: everybody. */
  readonly username: string
  readonly schemaname: string
  readonly flagIN: number
  readonly destinationHostgroup: number
}

/** All rules of a moment, whole and immutable. They travel apart from the snapshot, which names their version. */
export interface QueryRules {
  /** Counts up from 0, which is that of no rules. */
  readonly version: number
  readonly rules: readonly QueryRule[]
  readonly fastRouting: readonly FastRoute[]
}

export const NO_QUERY_RULES: QueryRules = { version: 0, rules: [], fastRouting: [] }
