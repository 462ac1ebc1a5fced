import { checkRules } from '../../rules/index.js'
import type { FastRoute, QueryRule, QueryRules } from '../../shared/query-rules.js'
import type { ConfigDocument } from './config-file.js'
import type { ConfigFile } from './config-schema.js'
import { parseAttributes, parseReModifiers } from './rule-columns.js'

type RuleRow = ConfigFile['query_rules'][number]

/** The rules of a configuration, in whichever order their rows are. Throws a UsageError that names row and column. */
export function readRules(file: ConfigFile, document: ConfigDocument): Omit<QueryRules, 'version'> {
  const { query_rules: rows, query_rules_fast_routing: routes } = file
  const known = lastRead?.rows === rows && lastRead.routes === routes ? lastRead.result : null
  const result = known ?? readAll(file, document)
  lastRead = { rows, routes, result }
  return result
}

/** Thousands of patterns are not checked again while something else of the configuration changes. */
let lastRead: { readonly rows: object; readonly routes: object; readonly result: Omit<QueryRules, 'version'> } | null =
  null

function readAll(file: ConfigFile, document: ConfigDocument): Omit<QueryRules, 'version'> {
  const rules = file.query_rules.map((row, index) => readRule(row, index, document))
  const fastRouting = file.query_rules_fast_routing.map(readRoute)
  const problem = checkRules({ rules, fastRouting })
  if (problem !== null) {
    const row = problem.table === 'query_rules' ? `rule ${rules[problem.index].ruleId}: ` : ''
    document.fail([problem.table, problem.index, problem.column], row + problem.message)
  }
  return { rules, fastRouting }
}

function readRule(row: RuleRow, index: number, document: ConfigDocument): QueryRule {
  const attributes = parseAttributes(row.attributes)
  if (typeof attributes === 'string')
    document.fail(['query_rules', index, 'attributes'], `rule ${row.rule_id}: ${attributes}`)
  const { caseless, global } = parseReModifiers(row.re_modifiers)!
  return withoutNulls({
    ruleId: row.rule_id,
    active: row.active,
    username: row.username,
    schemaname: row.schemaname,
    flagIN: row.flagIN,
    clientAddr: row.client_addr,
    proxyAddr: row.proxy_addr,
    proxyPort: row.proxy_port,
    digest: row.digest === null ? null : digestOf(row.digest),
    matchDigest: row.match_digest,
    matchPattern: row.match_pattern,
    negateMatchPattern: row.negate_match_pattern,
    caseless,
    global,
    flagOUT: row.flagOUT,
    replacePattern: row.replace_pattern,
    destinationHostgroup: row.destination_hostgroup,
    cacheTtl: row.cache_ttl,
    cacheEmptyResult: row.cache_empty_result,
    cacheTimeoutMs: row.cache_timeout,
    timeoutMs: row.timeout,
    retries: row.retries,
    delayMs: row.delay,
    nextQueryFlagIN: row.next_query_flagIN,
    mirrorFlagOUT: row.mirror_flagOUT,
    mirrorHostgroup: row.mirror_hostgroup,
    errorMsg: row.error_msg,
    okMsg: row.OK_msg,
    stickyConn: row.sticky_conn,
    multiplex: row.multiplex,
    log: row.log,
    apply: row.apply,
    // What it is there for, reading what was written elsewhere, is what this level means.
    consistency: row.gtid_from_hostgroup === null ? null : 'session',
    ...attributes,
  }) as unknown as QueryRule
}

function readRoute(row: ConfigFile['query_rules_fast_routing'][number]): FastRoute {
  const { username, schemaname, flagIN, destination_hostgroup: destinationHostgroup } = row
  return { username, schemaname, flagIN, destinationHostgroup }
}

/** As Sluice writes digests. */
function digestOf(text: string): string {
  return `0x${text.slice(2).toUpperCase().padStart(16, '0')}`
}

function withoutNulls(row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
}
