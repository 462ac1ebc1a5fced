import type { CommandModule } from 'yargs'
import { UsageError } from './shared/errors.js'
import { DEFAULT_CONSISTENCY, type Flavor, NO_SERVER_TLS, type ServerEntry, type Snapshot } from './shared/snapshot.js'
import { Classifier, EMPTY_CATALOGUE, explainEffects, StatementKindName } from './sql/index.js'
import { ReadNeed } from './worker/read-need.js'
import { newDecision, route } from './worker/router.js'
import { SessionFacts } from './worker/session-facts.js'
import { TopologyView } from './worker/topology-view.js'
import { hasWishes, wishesOf } from './worker/wishes.js'

interface ExplainOptions {
  sql: string
  config?: string | undefined
  flavor: string
  json: boolean
}

/** What is told of a statement. */
export interface Explanation {
  readonly class: string
  readonly effects: readonly string[]
  readonly hostgroup: number
  /** Servers that it could go to, as `host:port weight N`. */
  readonly servers: readonly string[]
  readonly reason: string
}

export const explainCommand: CommandModule<object, ExplainOptions> = {
  command: 'explain <sql>',
  describe: 'Say how a statement is classified, where it would go, and why',
  builder: (yargs) =>
    yargs
      .positional('sql', { type: 'string', demandOption: true, describe: 'The statement' })
      .option('config', { type: 'string', requiresArg: true, describe: 'Configuration file whose servers are meant' })
      .option('flavor', { choices: ['mysql', 'mariadb'], default: 'mysql', describe: 'Whose syntax' })
      .option('json', { type: 'boolean', default: false, describe: 'Print one JSON object' }),
  handler: async ({ sql, config, flavor, json }) => {
    try {
      const snapshot =
        config === undefined ? tutorialSnapshot(flavor as Flavor) : await configured(config, flavor as Flavor)
      const explanation = explain(sql, snapshot)
      process.stdout.write(json ? `${JSON.stringify(explanation)}\n` : asText(explanation))
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      process.stderr.write(`sluice: ${error.message}\n`)
      process.exitCode = 2
    }
  },
}

/** Explains a statement of a fresh session: autocommit, no transaction, nothing written yet. */
export function explain(sql: string, snapshot: Snapshot): Explanation {
  const view = new TopologyView(snapshot)
  const bytes = Buffer.from(sql)
  const found = new Classifier().classify(bytes, 0, bytes.length, {
    flavor: snapshot.greeting.flavor,
    ansiQuotes: false,
    noBackslashEscapes: false,
    truncated: false,
    schema: '',
    catalogue: EMPTY_CATALOGUE,
  })
  const user = snapshot.users[0] ?? {
    name: '',
    password: '',
    defaultHostgroup: 0,
    defaultSchema: null,
    maxConnections: 0,
  }
  const facts = new SessionFacts(user)
  const need = new ReadNeed()
  need.session = facts.consistency
  need.level = facts.consistency.levelFor(
    hasWishes(found) ? wishesOf(found, bytes, snapshot.greeting.flavor) : null,
    user,
    snapshot.consistency,
  )
  const decision = route(
    {
      kind: found.kind,
      effects: found.effects,
      hint: found.hint,
      hintHostgroup: found.hostgroup,
      facts,
      need,
      learned: false,
      own: null,
      view,
      excluded: null,
      now: 0,
      random: 0,
    },
    newDecision(),
  )
  return {
    class: StatementKindName[found.kind],
    effects: explainEffects(found.effects),
    hostgroup: decision.hostgroup,
    servers: view.online(decision.hostgroup).map(({ entry }) => `${entry.id} weight ${entry.weight}`),
    reason: decision.reason,
  }
}

function asText({ class: kind, effects, hostgroup, servers, reason }: Explanation): string {
  const rows = [
    ['class', kind],
    ['effects', effects.length === 0 ? 'none' : effects.join(', ')],
    ['goes to', `hostgroup ${hostgroup}${servers.length === 0 ? ' (no server there)' : `: ${servers.join(', ')}`}`],
    ['because', reason],
  ]
  return `${rows.map(([name, value]) => `${name.padEnd(8)} ${value}`).join('\n')}\n`
}

/** Servers of the configuration as they stand there: roles may differ at run time, when the monitor has looked. */
async function configured(path: string, flavor: Flavor): Promise<Snapshot> {
  const { loadConfig } = await import('./control/config.js')
  const config = loadConfig(path, process.env)
  const servers = config.servers.map((server): ServerEntry => ({ ...server, statusReason: '' }))
  return {
    ...tutorialSnapshot(flavor),
    servers,
    replicationHostgroups: config.replicationHostgroups,
    users: config.users,
    consistency: config.consistency,
    passThrough: null,
    nativeHashes: {},
  }
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
    limits: {
      maxConnections: 1,
      maxConnectionsPerAddress: 0,
      maxFailedLogins: 0,
      connectTimeoutServerMaxMs: 1,
      connectTimeoutServerMs: 1,
      handshakeTimeoutMs: 1,
      waitTimeoutMs: 0,
      maxTransactionTimeMs: 0,
      maxTransactionIdleTimeMs: 0,
      defaultQueryTimeoutMs: 0,
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
      pipelineQueryTimeMs: 2,
      diagnosticsHoldMs: 1000,
      shutdownTimeoutMs: 1,
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
