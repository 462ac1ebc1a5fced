import type { CommandModule } from 'yargs'
import { RuleSet } from './rules/index.js'
import { CommitTimes } from './shared/commit-times.js'
import { UsageError } from './shared/errors.js'
import type { RouteExplanation } from './shared/explanation.js'
import { NO_QUERY_RULES, type QueryRules } from './shared/query-rules.js'
import {
  DEFAULT_CONSISTENCY,
  DEFAULT_DIGESTS,
  DEFAULT_QUERY_CACHE,
  type Flavor,
  NO_SERVER_TLS,
  type ServerEntry,
  type Snapshot,
} from './shared/snapshot.js'
import { Classifier, EMPTY_CATALOGUE } from './sql/index.js'
import { CausalKeys, type CausalPeers } from './worker/consistency/causal-keys.js'
import { type ExplainContext, explainRoute } from './worker/routing/explain.js'
import { LearnedWrites } from './worker/routing/learned-writes.js'
import { TopologyView } from './worker/routing/topology-view.js'
import { Digests } from './worker/statistics/digests.js'

interface ExplainOptions {
  sql: string
  config?: string | undefined
  flavor: string
  user: string
  schema: string
  json: boolean
}

export const explainCommand: CommandModule<object, ExplainOptions> = {
  command: 'explain <sql>',
  describe: 'Say how a statement is classified, where it would go, and why',
  builder: (yargs) =>
    yargs
      .positional('sql', { type: 'string', demandOption: true, describe: 'The statement' })
      .option('config', { type: 'string', requiresArg: true, describe: 'Configuration file whose servers are meant' })
      .option('flavor', { choices: ['mysql', 'mariadb'], default: 'mysql', describe: 'Whose syntax' })
      .option('user', { type: 'string', default: '', requiresArg: true, describe: 'As this account' })
      .option('schema', { type: 'string', default: '', requiresArg: true, describe: 'In this schema' })
      .option('json', { type: 'boolean', default: false, describe: 'Print one JSON object' }),
  handler: async ({ sql, config, flavor, user, schema, json }) => {
    try {
      const { snapshot, rules } =
        config === undefined
          ? { snapshot: tutorialSnapshot(flavor as Flavor), rules: NO_QUERY_RULES }
          : await configured(config, flavor as Flavor)
      const explanation = explain(sql, snapshot, user, schema, rules)
      process.stdout.write(json ? `${JSON.stringify(explanation)}\n` : asText(explanation))
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      process.stderr.write(`sluice: ${error.message}\n`)
      process.exitCode = 2
    }
  },
}

/** Explains a statement of a fresh session (autocommit, no transaction, nothing written yet), as a worker with this snapshot does. */
export function explain(
  sql: string,
  snapshot: Snapshot,
  user = '',
  schema = '',
  rules = NO_QUERY_RULES,
): RouteExplanation {
  const view = new TopologyView(snapshot)
  const { tokensMax, tokenTtlMs } = snapshot.consistency
  const context: ExplainContext = {
    view,
    classifier: new Classifier(),
    classifyOptions: {
      flavor: view.flavor,
      ansiQuotes: false,
      noBackslashEscapes: false,
      truncated: false,
      schema: '',
      catalogue: EMPTY_CATALOGUE,
    },
    causal: new CausalKeys(ALONE, -1, tokensMax, tokenTtlMs),
    commits: CommitTimes.open(''),
    learned: new LearnedWrites(),
    digests: new Digests(snapshot.digests, Math.random),
    rules: new RuleSet(rules),
    findUser: (name) => snapshot.users.find((one) => one.name === name) ?? null,
  }
  const answer = explainRoute({ sql, user, schema, session: 0 }, null, context, 0)
  if ('problem' in answer) throw new UsageError(answer.problem)
  return answer
}

const ALONE: CausalPeers = { state: 'alone', hearsAll: true, announce: () => Promise.resolve(true), publish: () => {} }

function asText(answer: RouteExplanation): string {
  const { effects, hostgroup, chosen, rule } = answer
  const others = answer.servers.filter((server) => !server.chosen)
  const rows = [
    ['class', answer.class],
    ['effects', effects.length === 0 ? 'none' : effects.join(', ')],
    ...(rule === '' ? [] : [['rule', rule]]),
    ['goes to', `hostgroup ${hostgroup}: ${chosen === '' ? 'no server there' : chosen}`],
    ['because', answer.reason],
    ...others.map((server) => ['not to', `hostgroup ${server.hostgroup}: ${server.server} (${server.why})`]),
  ]
  return `${rows.map(([name, value]) => `${name.padEnd(8)} ${value}`).join('\n')}\n`
}

/** Servers of the configuration as they stand there: roles may differ at run time, when the monitor has looked. */
async function configured(path: string, flavor: Flavor): Promise<{ snapshot: Snapshot; rules: QueryRules }> {
  const { loadConfig } = await import('./control/config/config.js')
  const config = loadConfig(path, process.env)
  const servers = config.servers.map((server): ServerEntry => ({ ...server, statusReason: '' }))
  const snapshot = {
    ...tutorialSnapshot(flavor),
    servers,
    replicationHostgroups: config.replicationHostgroups,
    hostgroupAttributes: config.hostgroupAttributes,
    users: config.users,
    consistency: config.consistency,
    passThrough: config.passThrough,
    nativeHashes: {},
  }
  return { snapshot, rules: { version: 1, ...config.queryRules } }
}

/** Without a configuration: one primary in hostgroup 0, one replica in hostgroup 1. */
function tutorialSnapshot(flavor: Flavor): Snapshot {
  const server = (host: string, hostgroup: number): ServerEntry => ({
    id: host,
    hostgroup,
    host,
    port: 3306,
    status: 'ONLINE',
    statusReason: '',
    weight: 1,
    maxConnections: 1000,
    maxReplicationLag: 0,
    tls: NO_SERVER_TLS,
    proxyProtocol: 'off',
    compression: 'off',
    comment: '',
  })
  return {
    version: 1,
    listen: [],
    servers: [server('primary', 0), server('replica', 1)],
    facts: [],
    replicationHostgroups: [{ writer: 0, reader: 1 }],
    users: [],
    passThrough: null,
    nativeHashes: {},
    greeting: { flavor, serverVersion: '', collation: 255, capabilities: 0, mariadbCapabilities: 0 },
    readOnlyFunctions: [],
    consistency: DEFAULT_CONSISTENCY,
    digests: DEFAULT_DIGESTS,
    queryCache: DEFAULT_QUERY_CACHE,
    limits: {
      maxConnections: 1,
      maxConnectionsPerAddress: 0,
      maxFailedLogins: 0,
      connectTimeoutServerMaxMs: 1,
      connectTimeoutServerMs: 1,
      handshakeTimeoutMs: 1,
      waitTimeoutMs: 0,
      netWriteTimeoutMs: 60_000,
      maxTransactionTimeMs: 0,
      maxTransactionIdleTimeMs: 0,
      defaultQueryTimeoutMs: 0,
      longPinTimeMs: 60_000,
      maxAllowedPacket: 1 << 30,
      maxBufferedCommand: 1 << 20,
      maxStmtsCache: 1,
      maxStmtsPerConnection: 1,
      freeConnectionsPct: 10,
      connectionWarming: false,
      throttleConnectionsPerSecToHostgroup: 1_000_000,
      connectionMaxAgeMs: 0,
      pingIntervalServerMs: 0,
      pipelineDepth: 1,
      pipelineFrom: 0,
      pipelineQueryTimeMs: 2,
      diagnosticsHoldMs: 1000,
      longQueryMs: 1000,
      shutdownTimeoutMs: 1,
      workerHangMs: 0,
    },
    multiplexing: true,
    exclusiveHostgroups: [],
    tls: null,
    proxyProtocolNetworks: [],
    localInfile: true,
    compressionAlgorithms: ['uncompressed'],
    workers: 1,
  }
}
