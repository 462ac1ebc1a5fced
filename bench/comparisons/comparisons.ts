/** Sluice compared with itself: the same load, or nearly, under other conditions, in alternating rounds. */

export interface Case {
  readonly name: string
  readonly workload: string
  /** More keys of Sluice's configuration. Cases with the same keys share one Sluice. */
  readonly config: Readonly<Record<string, unknown>>
  /** To each server; undefined: as many as are asked for. */
  readonly serverConnections?: number
}

/** What is measured in turns; ratios refer to the first case of the group. */
export interface Group {
  /** What its cases have in common; `64 clients`. */
  readonly name: string
  readonly connections: number
  /** Of the replicas, behind the primary. */
  readonly delayMs: number
  readonly cases: readonly Case[]
}

export interface Comparison {
  readonly summary: string
  /** What the report says of its numbers. */
  readonly note: string
  readonly replicas: number
  groups(settings: { connections: number | undefined; serverConnections: number | undefined }): readonly Group[]
}

const CLIENTS = [16, 64, 256, 1024]
const DELAYS_MS = [0, 5, 500]
const DEFAULT_CLIENTS = 64
/** Short reads of several sessions in flight on one server connection; 1: none but one. */
const PIPELINE_DEPTHS = [1, 4, 8, 16]
const ALONE = { limits: { pipeline_depth: 1 } }
/** To each server, where clients are to share them. */
const SHARED_CONNECTIONS = 16
const FEW_CONNECTIONS = 4

const multiplexing: Comparison = {
  summary: `multiplexing on and off at ${CLIENTS.join(', ')} clients`,
  note:
    'Point selects by the text protocol, as fast as they are answered. Off: each client keeps a server connection; on: all ' +
    'clients share as many as the row says. The last row alone has `pipeline_depth` at its default.',
  replicas: 0,
  groups: ({ connections, serverConnections = SHARED_CONNECTIONS }) =>
    (connections === undefined ? CLIENTS : [connections]).map((clients) => ({
      name: `${clients} clients`,
      connections: clients,
      delayMs: 0,
      cases: [
        { name: 'off', workload: 'point-select', config: { multiplexing: false } },
        { name: `on, ${serverConnections}`, workload: 'point-select', config: ALONE, serverConnections },
        { name: 'on, no limit', workload: 'point-select', config: ALONE },
        { name: 'on, several in flight', workload: 'point-select', config: {} },
      ],
    })),
}

const pipelining: Comparison = {
  summary: `${PIPELINE_DEPTHS.join(', ')} reads in flight on a server connection, at ${CLIENTS.join(', ')} clients`,
  note:
    'Point selects by the text protocol and as prepared statements, as fast as they are answered; what each case is called ' +
    'after is its `pipeline_depth`.',
  replicas: 0,
  groups: ({ connections, serverConnections }) =>
    (connections === undefined ? CLIENTS : [connections]).flatMap((clients) =>
      ['point-select', 'prepared-point-select'].map((workload) => ({
        name: `${clients} clients, ${workload}`,
        connections: clients,
        delayMs: 0,
        cases: PIPELINE_DEPTHS.map((depth) => ({
          name: String(depth),
          workload,
          config: { limits: { pipeline_depth: depth } },
          ...(serverConnections === undefined ? {} : { serverConnections }),
        })),
      })),
    ),
}

const consistency: Comparison = {
  summary: `each consistency level with replicas ${DELAYS_MS.join(', ')} ms behind`,
  note:
    '5 % of the statements of each client are writes. What replicas get from the primary goes through a relay that gives ' +
    'every byte on so much later (a network of that latency; besides, a timer of 1 ms resolution), also with 0 ms. The ' +
    'share is that of all SELECTs, as the servers count them.',
  replicas: 2,
  groups: ({ connections = DEFAULT_CLIENTS, serverConnections }) =>
    DELAYS_MS.map((delayMs) => ({
      name: `${delayMs} ms`,
      connections,
      delayMs,
      cases: [
        { name: 'strong', workload: 'few-writes', config: { consistency: { level: 'strong' } } },
        { name: 'global', workload: 'few-writes', config: { consistency: { level: 'global' } } },
        { name: 'session', workload: 'few-writes', config: { consistency: { level: 'session' } } },
        { name: 'token', workload: 'few-writes-causal', config: { consistency: { level: 'session' } } },
        { name: 'eventual', workload: 'few-writes', config: { consistency: { level: 'eventual' } } },
      ].map((one) => (serverConnections === undefined ? one : { ...one, serverConnections })),
    })),
}

const newSessions: Comparison = {
  summary: `sessions of one statement that see what others have written before, or not, with replicas ${DELAYS_MS.join(', ')} ms behind`,
  note:
    'A login for each statement; of six clients one writes. `off` is `new_sessions_see_commits: false`. The share is that of all ' +
    'SELECTs, as the servers count them, with those by which Sluice asks servers how far they are.',
  replicas: 2,
  groups: ({ connections = DEFAULT_CLIENTS, serverConnections }) =>
    DELAYS_MS.map((delayMs) => ({
      name: `${delayMs} ms`,
      connections,
      delayMs,
      cases: [
        { name: 'off', workload: 'connect-per-query', config: { consistency: { new_sessions_see_commits: false } } },
        { name: 'on', workload: 'connect-per-query', config: {} },
      ].map((one) => (serverConnections === undefined ? one : { ...one, serverConnections })),
    })),
}

const states: Comparison = {
  summary: `sessions without, with the same and with different variables over ${FEW_CONNECTIONS} server connections`,
  note:
    'Point selects by the text protocol over few server connections. Alike: all sessions have set the same three system ' +
    'variables and one user variable; different: each has other values, so that nearly every statement finds a connection ' +
    'with the state of another session.',
  replicas: 0,
  groups: ({ connections = DEFAULT_CLIENTS, serverConnections = FEW_CONNECTIONS }) => [
    {
      name: `${connections} clients`,
      connections,
      delayMs: 0,
      cases: [
        { name: 'none', workload: 'point-select', config: {}, serverConnections },
        { name: 'alike', workload: 'alike-states', config: {}, serverConnections },
        { name: 'different', workload: 'different-states', config: {}, serverConnections },
      ],
    },
  ],
}

const digests: Comparison = {
  summary: 'statistics by digest off, on, and of one statement in 100',
  note: 'Point selects, as fast as they are answered, by the text protocol and as prepared statements.',
  replicas: 0,
  groups: ({ connections = DEFAULT_CLIENTS, serverConnections }) =>
    (['point-select', 'prepared-point-select'] as const).map((workload) => ({
      name: workload,
      connections,
      delayMs: 0,
      cases: [
        { name: 'off', workload, config: { query_digests: { enabled: false } } },
        { name: 'on', workload, config: { query_digests: { enabled: true } } },
        { name: 'one in 100', workload, config: { query_digests: { sample: 100 } } },
      ].map((one) => (serverConnections === undefined ? one : { ...one, serverConnections })),
    })),
}

/** Every SELECT, for longer than a run. */
const CACHED = {
  query_rules: [{ rule_id: 1, match_digest: '^SELECT', cache_ttl: 600_000, apply: 1 }],
  query_cache: { invalidation: 'table' },
}

const cache: Comparison = {
  summary: 'point selects answered by the result cache and by the server',
  note:
    'Cached: a rule lets every SELECT be answered from the result cache; with writes, each of them ends all answers, since ' +
    'there is one table.',
  replicas: 0,
  groups: ({ connections = DEFAULT_CLIENTS }) =>
    ['point-select', 'prepared-point-select', 'few-writes'].map((workload) => ({
      name: `${connections} clients, ${workload}`,
      connections,
      delayMs: 0,
      cases: [
        { name: 'server', workload, config: {} },
        { name: 'cached', workload, config: CACHED },
      ],
    })),
}

export const COMPARISONS = {
  multiplexing,
  pipelining,
  consistency,
  'new-sessions': newSessions,
  states,
  digests,
  cache,
} as const
export type ComparisonName = keyof typeof COMPARISONS

export function isComparison(name: string): name is ComparisonName {
  return Object.hasOwn(COMPARISONS, name)
}
