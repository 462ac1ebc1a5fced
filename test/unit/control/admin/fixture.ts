import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { stringify } from 'yaml'
import type { Config } from '../../../../src/control/config/config-schema.js'
import { ConfigStore } from '../../../../src/control/config-store/store.js'
import { EventLog } from '../../../../src/control/event-log.js'
import type { HistorySample } from '../../../../src/control/metrics/stats-history.js'
import { MonitorLog } from '../../../../src/control/monitor/monitor-log.js'
import type { ControlView, Operations, WorkerView } from '../../../../src/control/view.js'
import { monotonicMs } from '../../../../src/shared/clock.js'
import { newGlobalCounters, newServerCounters, type WorkerCounters } from '../../../../src/shared/counters.js'
import { UsageError } from '../../../../src/shared/errors.js'
import type { ProcessRow } from '../../../../src/shared/ipc.js'
import { NO_QUERY_RULES } from '../../../../src/shared/query-rules.js'
import {
  DEFAULT_CONSISTENCY,
  DEFAULT_DIGESTS,
  DEFAULT_QUERY_CACHE,
  type HealthReport,
  NO_SERVER_TLS,
  type ServerEntry,
  type Snapshot,
  type TlsMaterial,
} from '../../../../src/shared/snapshot.js'
import type { DigestRow, WorkerTable, WorkerTables } from '../../../../src/shared/worker-tables.js'

const server = (hostgroup: number, port: number, more: Partial<ServerEntry> = {}): ServerEntry => ({
  id: `127.0.0.1:${port}`,
  hostgroup,
  host: '127.0.0.1',
  port,
  status: 'ONLINE',
  statusReason: '',
  weight: 1,
  maxConnections: 1000,
  maxReplicationLag: 0,
  tls: NO_SERVER_TLS,
  proxyProtocol: 'off',
  compression: 'off',
  comment: '',
  ...more,
})

const LIMITS = {
  maxConnections: 10_000,
  maxConnectionsPerAddress: 0,
  maxFailedLogins: 0,
  connectTimeoutServerMaxMs: 10_000,
  connectTimeoutServerMs: 1000,
  handshakeTimeoutMs: 10_000,
  waitTimeoutMs: 28_800_000,
  netWriteTimeoutMs: 60_000,
  maxTransactionTimeMs: 14_400_000,
  maxTransactionIdleTimeMs: 14_400_000,
  defaultQueryTimeoutMs: 36_000_000,
  longPinTimeMs: 60_000,
  maxAllowedPacket: 67_108_864,
  maxBufferedCommand: 1_048_576,
  maxStmtsCache: 10_000,
  maxStmtsPerConnection: 500,
  freeConnectionsPct: 10,
  connectionWarming: false,
  throttleConnectionsPerSecToHostgroup: 1_000_000,
  connectionMaxAgeMs: 0,
  pingIntervalServerMs: 10_000,
  pipelineDepth: 1,
  pipelineFrom: 4,
  pipelineQueryTimeMs: 2,
  diagnosticsHoldMs: 1000,
  longQueryMs: 1000,
  shutdownTimeoutMs: 20_000,
  workerHangMs: 10_000,
}

export const GTID = '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7'

export function processRow(sessionId: number, user: string, info = ''): ProcessRow {
  return {
    threadId: 1,
    sessionId,
    user,
    db: 'shop',
    clientHost: '10.0.0.9',
    clientPort: 40_000 + sessionId,
    hostgroup: 1,
    localServerHost: '127.0.0.1',
    localServerPort: 50_000,
    serverHost: '127.0.0.1',
    serverPort: 3308,
    command: info === '' ? 'Sleep' : 'Query',
    timeMs: 12,
    info,
    statusFlags: 2,
    extendedInfo: '{}',
  }
}

function counters(): WorkerCounters {
  const primary = newServerCounters('127.0.0.1:3307', 0)
  Object.assign(primary, {
    connUsed: 2,
    connFree: 1,
    connOk: 9,
    connErr: 4,
    maxConnUsed: 5,
    bytesSent: 700,
    bytesReceived: 900,
  })
  Object.assign(primary.byClass.write, { queries: 3, errors: 1, sumUs: 6000, maxUs: 4000 })
  primary.byClass.write.buckets[0] = 1
  primary.byClass.write.buckets[3] = 2
  const replica = newServerCounters('127.0.0.1:3308', 1)
  Object.assign(replica, { connUsed: 1, connOk: 6 })
  Object.assign(replica.byClass.read, { queries: 11, sumUs: 2200, maxUs: 900 })
  replica.byClass.read.buckets[1] = 10
  replica.byClass.read.buckets[11] = 1
  const departed = newServerCounters('127.0.0.1:3399', 1)
  departed.connUsed = 1
  const forgotten = newServerCounters('127.0.0.1:3398', 1)
  forgotten.connOk = 5
  return {
    global: { ...newGlobalCounters(), clientConnectionsConnected: 3, clientConnectionsCreated: 8, questions: 14 },
    servers: [primary, replica, departed, forgotten],
    proxyErrors: { 'too-many-connections': 2 },
    commands: { INSERT: structuredClone(primary.byClass.write) },
    dryRun: [{ user: 'app', place: 'replica', reason: 'it only reads', count: 3 }],
    residentBytes: 50_000_000,
    cpuUs: 1_500_000,
  }
}

const HEALTH: HealthReport = {
  sequence: 4,
  servers: [
    {
      id: '127.0.0.1:3307',
      alive: true,
      lagMs: 0,
      lagReason: '',
      gtidExecuted: GTID,
      toldByLog: false,
      coversPrimaryAt: -1,
      incarnation: 1,
    },
    {
      id: '127.0.0.1:3308',
      alive: true,
      lagMs: 250,
      lagReason: '',
      gtidExecuted: '',
      toldByLog: false,
      coversPrimaryAt: -1,
      incarnation: 1,
    },
    {
      id: '127.0.0.1:3309',
      alive: false,
      lagMs: null,
      lagReason: 'no answer',
      gtidExecuted: '',
      toldByLog: false,
      coversPrimaryAt: -1,
      incarnation: 1,
    },
  ],
}

const DIGEST: DigestRow = {
  hostgroup: 1,
  schema: 'shop',
  user: 'app',
  client: '',
  digest: '0xF6B75AEFCE610D0D',
  text: 'SELECT c FROM sbtest1 WHERE id=?',
  count: 3,
  firstSeen: 1_700_000_000_900,
  lastSeen: 1_700_000_005_100,
  sumUs: 900,
  minUs: 100,
  maxUs: 500,
  rowsAffected: 0,
  rowsSent: 3,
  errors: 1,
}

/** As two workers tell it. */
export const WORKER_ROWS: { readonly [T in WorkerTable]: readonly WorkerTables[T][] } = {
  digests: [
    DIGEST,
    { ...DIGEST, schema: 'stock' },
    { ...DIGEST, count: 2, firstSeen: 1_699_999_999_000, sumUs: 700, minUs: 90, maxUs: 610, rowsSent: 2, errors: 0 },
  ],
  errors: [
    {
      hostgroup: 0,
      server: '127.0.0.1:3307',
      user: 'app',
      client: '',
      schema: 'shop',
      errno: 1146,
      count: 2,
      firstSeen: 1_700_000_000_000,
      lastSeen: 1_700_000_001_000,
      lastError: "Table 'shop.x' doesn't exist",
    },
  ],
  freeConnections: [
    {
      hostgroup: 0,
      server: '127.0.0.1:3307',
      threadId: 77,
      user: 'app',
      schema: 'shop',
      timeZone: '',
      sqlMode: 'ANSI',
      autocommit: true,
      idleMs: 12,
      statistics: '{}',
      info: '{}',
    },
  ],
  preparedStatements: [
    {
      id: 5,
      schema: 'shop',
      digest: DIGEST.digest,
      clients: 2,
      servers: 1,
      columns: 1,
      parameters: 1,
      query: 'SELECT c FROM sbtest1 WHERE id=?',
    },
  ],
  users: [
    { user: 'app', sessions: 1 },
    { user: 'open', sessions: 1 },
    { user: 'app', sessions: 1 },
  ],
}

function monitorLog(): MonitorLog {
  const log = new MonitorLog()
  const span = { askedMs: 10, answeredMs: 10.25 }
  log.note('127.0.0.1:3307', 'connect', span, null, null)
  log.note('127.0.0.1:3307', 'ping', span, null, null)
  log.note('127.0.0.1:3307', 'ping', span, null, 'timeout')
  log.note('127.0.0.1:3307', 'read_only', span, 0, null)
  log.note('127.0.0.1:3308', 'replication_lag', span, 2, null)
  return log
}

const HISTORY_SAMPLE: HistorySample = {
  timestamp: 1_700_000_000,
  userTicks: 40,
  systemTicks: 20,
  clientsAborted: 1,
  clientsConnected: 2,
  clientsCreated: 3,
  serversAborted: 4,
  serversConnected: 5,
  serversCreated: 6,
  questions: 7,
  slowQueries: 8,
  gtidConsistentQueries: 9,
}

/** What a test may want to be different from a proxy in front of one primary and two replicas. */
export interface FixtureOptions {
  readonly workerRows?: typeof WORKER_ROWS
  readonly users?: Readonly<Record<string, string>>
  readonly tls?: TlsMaterial | null
  readonly listenHost?: string
  /** Why its TLS files cannot be read again. */
  readonly tlsProblem?: string
  readonly operations?: Partial<Operations>
  readonly processlist?: () => Promise<readonly ProcessRow[]>
  /** Gets each configuration that is loaded to runtime. */
  readonly applied?: (config: Config) => void
  readonly audit?: ControlView['audit']
  readonly ready?: { readonly ready: boolean; readonly reason: string }
}

const fixtureFolders: string[] = []
// At the end of each test file that uses them: the process may be ended by a signal.
afterAll(() => {
  for (const folder of fixtureFolders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** The same proxy as a file, and what is made of it. Nobody but this process reads it. */
function fixtureStore(
  config: Config,
  servers: readonly ServerEntry[],
  applied: FixtureOptions['applied'],
): ConfigStore {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-fixture-'))
  fixtureFolders.push(folder)
  const path = join(folder, 'sluice.yaml')
  const file = {
    workers: config.workers,
    admin: { listen: '127.0.0.1:0', users: config.admin?.users },
    metrics: { listen: '127.0.0.1:0' },
    monitor: { user: 'monitor', password: 'monitor-secret' },
    servers: config.servers.map(({ host, port, hostgroup, weight, maxReplicationLag, comment }) => ({
      host,
      port,
      hostgroup,
      weight,
      max_replication_lag: maxReplicationLag,
      comment,
    })),
    replication_hostgroups: [{ writer: 0, reader: 1 }],
    users: config.users.map(({ name, password, defaultSchema, maxConnections, useSsl }) => ({
      name,
      password,
      max_connections: maxConnections,
      use_ssl: useSsl,
      ...(defaultSchema === null ? {} : { default_schema: defaultSchema }),
    })),
    datadir: 'data',
  }
  writeFileSync(path, stringify(file), { mode: 0o600 })
  const store = new ConfigStore(path, {})
  store.attach({
    apply: async (next) => {
      applied?.(next)
      return { warnings: [], late: Promise.resolve([]) }
    },
    servers: () => servers,
  })
  return store
}

export function fixtureView(options: FixtureOptions = {}): ControlView {
  const servers = [
    server(0, 3307, { comment: "the primary's own" }),
    server(1, 3308, { weight: 100, maxReplicationLag: 10 }),
    server(1, 3309, { status: 'SHUNNED', statusReason: 'no answer' }),
  ]
  const users = [
    {
      name: 'app',
      password: 'app',
      defaultHostgroup: 0,
      defaultSchema: null,
      maxConnections: 50,
      useSsl: false,
      passwordHash: null,
      backendUser: null,
      backendPassword: null,
      multiplex: true,
    },
    {
      name: 'open',
      password: '',
      defaultHostgroup: 0,
      defaultSchema: 'shop',
      maxConnections: 0,
      useSsl: true,
      passwordHash: null,
      backendUser: null,
      backendPassword: null,
      multiplex: true,
    },
  ]
  const listen = [{ host: '127.0.0.1', port: 6033 }]
  const replicationHostgroups = [{ writer: 0, reader: 1 }]
  const config: Config = {
    path: '/etc/sluice/sluice.yaml',
    queryRules: NO_QUERY_RULES,
    listen,
    workers: 2,
    admin: {
      listen: [{ host: options.listenHost ?? '127.0.0.1', port: 0 }],
      users: options.users ?? { admin: 'admin', stats: 'stats', ops: 'Secret-4711' },
      statsUsers: ['stats'],
    },
    metrics: { listen: { host: '127.0.0.1', port: 0 } },
    api: null,
    monitor: {
      user: 'monitor',
      password: 'monitor-secret',
      connectIntervalMs: 2000,
      connectTimeoutMs: 800,
      pingIntervalMs: 500,
      pingTimeoutMs: 800,
      pingMaxFailures: 3,
      readOnlyIntervalMs: 500,
      readOnlyTimeoutMs: 800,
      replicationLagIntervalMs: 250,
      replicationLagTimeoutMs: 800,
      replicationLagGraceMs: 10_000,
      routinesIntervalMs: 10_000,
      accountsIntervalMs: 10_000,
    },
    servers: servers.map(({ statusReason: _, ...row }) => ({
      ...row,
      tlsFiles: { ca: null, cert: null, key: null },
      status: 'ONLINE' as const,
    })),
    replicationHostgroups,
    users,
    passThrough: null,
    datadir: '/var/lib/sluice',
    tls: { mode: 'preferred', cert: null, key: null, ca: null },
    proxyProtocolNetworks: [],
    localInfile: true,
    compressionAlgorithms: ['zlib', 'zstd', 'uncompressed'],
    limits: LIMITS,
    multiplexing: true,
    serverVersion: null,
    hostgroupAttributes: [],
    initConnect: [],
    exclusiveHostgroups: [],
    consistency: DEFAULT_CONSISTENCY,
    digests: DEFAULT_DIGESTS,
    queryCache: DEFAULT_QUERY_CACHE,
    warnings: [],
  }
  const snapshot: Snapshot = {
    version: 7,
    listen,
    servers,
    facts: [{ id: '127.0.0.1:3307', flavor: 'mysql', version: '9.7.0', readOnly: false }],
    replicationHostgroups,
    users,
    passThrough: null,
    nativeHashes: {},
    greeting: { flavor: 'mysql', serverVersion: '9.7.0', collation: 255, capabilities: 0, mariadbCapabilities: 0 },
    readOnlyFunctions: [],
    limits: LIMITS,
    multiplexing: true,
    exclusiveHostgroups: [],
    consistency: DEFAULT_CONSISTENCY,
    digests: DEFAULT_DIGESTS,
    queryCache: DEFAULT_QUERY_CACHE,
    tls: options.tls ?? null,
    proxyProtocolNetworks: [],
    localInfile: true,
    compressionAlgorithms: ['zlib', 'zstd', 'uncompressed'],
    workers: 2,
  }
  const workers: WorkerView[] = [
    {
      number: 1,
      pid: 101,
      state: 'serving',
      ackedVersion: 7,
      startedMs: monotonicMs() - 60_000,
      load: {
        sessions: 3,
        connectionsUsed: 2,
        connectionsFree: 1,
        questions: 14,
        residentBytes: 50 << 20,
        cpuUs: 1_500_000,
        cpuShare: 0.125,
      },
    },
    { number: 2, pid: 102, state: 'starting', ackedVersion: 6, startedMs: monotonicMs() - 60_000, load: null },
  ]
  const counted = counters()
  const events = new EventLog()
  const shunned = { server: '127.0.0.1:3309', what: 'SHUNNED', why: 'no answer' }
  events.note({ kind: 'topology', ...shunned }, Date.UTC(2026, 0, 2, 3, 4, 5, 678))
  return {
    snapshot: () => snapshot,
    health: () => HEALTH,
    counters: () => counted,
    countNow: async () => {},
    workers: () => workers,
    processlist:
      options.processlist ??
      (async () => [processRow(1, 'app', 'SELECT 1'), processRow(2, 'app'), processRow(3, 'open')]),
    explainRoute: async () => null,
    ruleHits: () =>
      new Map([
        [7, 0],
        [2, 41],
      ]),
    flushQueryCache: async () => {},
    workerRows: async (table) => (options.workerRows ?? WORKER_ROWS)[table],
    monitorLog: () => monitorLog(),
    history: () => ({ minutes: [HISTORY_SAMPLE], hours: [HISTORY_SAMPLE] }),
    operations: {
      pause: async () => {},
      resume: async () => {},
      stopServing: async () => {},
      restartWorkers: async () => {},
      shutdown: () => {},
      forgetFailedLogins: () => {},
      killSession: async (id) => id === 1,
      ...options.operations,
    },
    startedAt: Date.now() - 90_000,
    ready: () => options.ready ?? { ready: true, reason: '' },
    events: () => events.all(),
    note: (event) => events.note(event),
    audit: options.audit ?? { write: () => {}, reopen: () => {} },
    roles: () => ({
      sources: new Map([['127.0.0.1:3308', '127.0.0.1:3307']]),
      writerSince: new Map([[0, Date.UTC(2026, 0, 2, 3, 4, 5, 678)]]),
      refused: new Map([['127.0.0.1:3309', 'writable beside the writer']]),
    }),
    config,
    store: fixtureStore(config, servers, options.applied),
    confirmWriter: async () => ({ kind: 'unknown' }),
    reloadTls: async () => {
      if (options.tlsProblem !== undefined) throw new UsageError(options.tlsProblem)
    },
  }
}
