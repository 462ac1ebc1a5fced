import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../../src/control/config/config.js'
import { parseAttributes } from '../../../../src/control/config/rule-columns.js'
import { PublishedRules } from '../../../../src/control/workers/published-rules.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-rules-'))
const file = join(folder, 'sluice.yaml')
afterAll(() => rmSync(folder, { recursive: true }))

function load(rules: string) {
  writeFileSync(file, `servers: [ { host: db1 } ]\n${rules}`, { mode: 0o640 })
  return loadConfig(file, { HOME: '/home/somebody' }).queryRules
}

function problem(rules: string): string {
  try {
    load(rules)
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, '')
  }
  throw new Error('the rules were accepted')
}

describe('query rules of a configuration', () => {
  it('have the columns of mysql_query_rules as keys, and what is left out is not there', () => {
    expect(load('query_rules: [ { rule_id: 5 } ]').rules).toEqual([
      {
        ruleId: 5,
        active: true,
        flagIN: 0,
        negateMatchPattern: false,
        caseless: true,
        global: false,
        apply: false,
      },
    ])
  })

  it('say what each column says', () => {
    const { rules, fastRouting } = load(`
query_rules:
  - { rule_id: 1, active: 0, username: app, schemaname: shop, flagIN: 3, client_addr: "10.%", proxy_addr: 10.0.0.1, proxy_port: 6033,
      digest: 0xab, match_digest: "^SELECT", match_pattern: "(\\\\d+)", re_modifiers: "caseless, GLOBAL", flagOUT: 4,
      replace_pattern: "\\\\1", destination_hostgroup: 2, cache_ttl: 500, cache_empty_result: 0, cache_timeout: 9, reconnect: 1,
      timeout: 100, retries: 2, delay: 7, next_query_flagIN: 8, mirror_flagOUT: 9, mirror_hostgroup: 6, error_msg: no, OK_msg: yes,
      sticky_conn: 1, multiplex: 2, log: 1, apply: 1, comment: why,
      attributes: '{"flagOUTs": [], "sluice": {"consistency": "EVENTUAL", "max_replication_lag": "500ms", "causal": "k"}}' }
query_rules_fast_routing:
  - { username: "", schemaname: shop, destination_hostgroup: 3 }
`)
    expect(rules[0]).toEqual({
      ruleId: 1,
      active: false,
      username: 'app',
      schemaname: 'shop',
      flagIN: 3,
      clientAddr: '10.%',
      proxyAddr: '10.0.0.1',
      proxyPort: 6033,
      digest: '0x00000000000000AB',
      matchDigest: '^SELECT',
      matchPattern: '(\\d+)',
      negateMatchPattern: false,
      caseless: true,
      global: true,
      flagOUT: 4,
      replacePattern: '\\1',
      destinationHostgroup: 2,
      cacheTtl: 500,
      cacheEmptyResult: false,
      cacheTimeoutMs: 9,
      timeoutMs: 100,
      retries: 2,
      delayMs: 7,
      nextQueryFlagIN: 8,
      mirrorFlagOUT: 9,
      mirrorHostgroup: 6,
      errorMsg: 'no',
      okMsg: 'yes',
      stickyConn: true,
      multiplex: 2,
      log: true,
      apply: true,
      consistency: 'eventual',
      maxReplicationLagMs: 500,
      causal: 'k',
    })
    expect(fastRouting).toEqual([{ username: '', schemaname: 'shop', flagIN: 0, destinationHostgroup: 3 }])
  })

  it('gtid_from_hostgroup asks for reads of what was written, which is a level of consistency here', () => {
    expect(load('query_rules: [ { rule_id: 5, gtid_from_hostgroup: 0 } ]').rules[0].consistency).toBe('session')
  })

  it.each([
    ['{ rule_id: 0 }', 'query_rules[0].rule_id: expected a whole number from 1 to'],
    ['{ rule_id: 1 }, { rule_id: 1 }', 'query_rules[1].rule_id: rule 1: another row has this rule_id'],
    ['{ rule_id: 1, digest: abc }', 'query_rules[0].digest: expected 0x and up to 16 hexadecimal digits, got "abc"'],
    ['{ rule_id: 1, re_modifiers: MULTILINE }', 'query_rules[0].re_modifiers: expected CASELESS, GLOBAL'],
    ['{ rule_id: 1, retries: 1001 }', 'query_rules[0].retries: expected a whole number from 0 to 1000, got "1001"'],
    ['{ rule_id: 1, multiplex: 3 }', 'query_rules[0].multiplex: expected a whole number from 0 to 2'],
    ['{ rule_id: 8, match_digest: "(" }', 'query_rules[0].match_digest: rule 8: expected a regular expression'],
    ['{ rule_id: 8, replace_pattern: x }', 'query_rules[0].replace_pattern: rule 8: expected match_pattern next to it'],
    ['{ rule_id: 1, destination: 3 }', 'query_rules[0].destination: unknown key'],
    [
      `{ rule_id: 8, attributes: '{"sluice": {"consistancy": "x"}}' }`,
      'query_rules[0].attributes: rule 8: unknown key "consistancy" under "sluice"; did you mean "consistency"?',
    ],
  ])('a mistake names row and column: %s', (rows, message) => {
    expect(problem(`query_rules: [ ${rows} ]`)).toContain(`sluice.yaml:2: ${message}`)
  })
})

describe('attributes', () => {
  it.each<[string, unknown]>([
    ['', {}],
    ['{"flagOUTs": [{"id": 1}]}', {}],
    ['{"sluice": {"consistency": "strong"}}', { consistency: 'strong' }],
    ['{"sluice": {"max_replication_lag": 2}}', { maxReplicationLagMs: 2000 }],
    ['{"sluice": {"invalidation": "off"}}', { invalidation: 'off' }],
    ['{"sluice": {"invalidation": "table"}}', '"invalidation" under "sluice": expected "off"'],
    ['[]', 'expected a JSON object, or nothing'],
    ['{', 'expected a JSON object, or nothing'],
    ['{"consistency": "strong"}', 'expected {"sluice":{"consistency":"strong"}}'],
    ['{"sluice": 1}', 'expected an object under "sluice"'],
    [
      '{"sluice": {"consistency": "much"}}',
      '"consistency" under "sluice": expected one of eventual, session, token, global, strong',
    ],
    [
      '{"sluice": {"max_replication_lag": "soon"}}',
      '"max_replication_lag" under "sluice": expected a time such as "500ms" or "5s"',
    ],
    ['{"sluice": {"causal": ""}}', '"causal" under "sluice": expected a text of 1 to 255 characters'],
    [
      '{"sluice": {"constructor": 1}}',
      'unknown key "constructor" under "sluice"; known here: consistency, max_replication_lag, causal, invalidation',
    ],
  ])('%s', (text, expected) => {
    expect(parseAttributes(text)).toEqual(expected)
  })
})

describe('the rules that workers go by', () => {
  const rules = load('query_rules: [ { rule_id: 1 }, { rule_id: 2 }, { rule_id: 3, active: 0 } ]')

  it('have a new version when they have changed, and only then', () => {
    const published = new PublishedRules()
    expect(published.current.version).toBe(0)
    published.take({ rules: [], fastRouting: [] })
    expect(published.current.version).toBe(0)
    published.take(rules)
    published.take({ ...rules })
    expect(published.current).toMatchObject({ version: 1, rules: rules.rules })
    published.take({ ...rules, rules: rules.rules.slice(1) })
    expect(published.current.version).toBe(2)
  })

  it('are counted from when they were loaded', () => {
    const published = new PublishedRules()
    published.take(rules)
    published.count(1, { 1: 5 })
    published.count(1, { 1: 2 })
    published.count(0, { 2: 9 })
    expect([...published.hits]).toEqual([
      [1, 7],
      [2, 0],
    ])
    published.take({ ...rules, rules: rules.rules.slice(1) })
    published.count(1, { 1: 5 })
    expect([...published.hits]).toEqual([[2, 0]])
  })
})
