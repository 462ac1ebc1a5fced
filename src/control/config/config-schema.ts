import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { parseNativeHash, parseSha2Hash } from '../../../protocol/index.js'
import { parseLagMs } from '../../shared/durations.js'
import { networkProblem } from '../../shared/networks.js'
import type { QueryRules } from '../../shared/query-rules.js'
import {
  CLIENT_COMPRESSIONS,
  CLIENT_TLS_MODES,
  type ClientCompressionAlgorithm,
  type ClientTlsMode,
  CONSISTENCY_LEVELS,
  type ConsistencySettings,
  DEFAULT_CONSISTENCY,
  DEFAULT_DIGESTS,
  DEFAULT_QUERY_CACHE,
  type DigestSettings,
  type HostgroupAttributes,
  INVALIDATIONS,
  type Limits,
  type ListenAddress,
  type PassThrough,
  PROXY_PROTOCOLS,
  type ProxyProtocol,
  type QueryCacheSettings,
  type ReplicationHostgroup,
  SERVER_COMPRESSIONS,
  type ServerCompression,
  type ServerStatus,
  type ServerTls,
  SSL_MODES,
  type UserEntry,
} from '../../shared/snapshot.js'
import type { ScheduledTask } from '../scheduler.js'
import { parseListenAddress, unixPath } from './addresses.js'
import {
  flag,
  hostgroup,
  jsonText,
  leaf,
  listOf,
  map,
  nonEmptyText,
  oneOf,
  oneOrMany,
  orElse,
  text,
  whole,
} from './config-leaves.js'
import { orShape, wholeShape, wordsShape } from './config-shapes.js'
import { hostgroupAttributes } from './hostgroup-attributes.js'
import { parseReModifiers } from './rule-columns.js'

/**
 * The keys of sluice.yaml. Every scalar arrives here as text (the file is read without YAML's guesses, so a password
 * `0123` stays `0123`), and each schema says what it expects; the message gets its line and `got ...` in config.ts.
 * Names are those of ProxySQL's tables and variables where ProxySQL has the thing; docs/configuration.md lists them all.
 */

const WORKERS_MAX = 64
export const MIB = 1 << 20
const NUMBER_MAX = 2_147_483_647
const CONNECTIONS_MAX = 1_000_000
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** mysql.user holds names of at most 32 characters (manual, "User Names and Passwords"). */
const USER_NAME_LENGTH_MAX = 32

const address = leaf('host:port, [ipv6]:port or unix:/path', (value) => parseListenAddress(value) ?? undefined)
const tcpAddress = leaf('host:port or [ipv6]:port', (value) => {
  const parsed = parseListenAddress(value)
  return parsed === null || parsed.path !== undefined ? undefined : parsed
})
const hostName = leaf('a host name, an IP address or unix:/path', (value) => {
  const path = unixPath(value)
  if (path !== null) return path === '' ? undefined : value
  return value === '' || /[\s/@]/.test(value) ? undefined : value
})
const STATUSES: readonly ServerStatus[] = ['ONLINE', 'OFFLINE_SOFT', 'OFFLINE_HARD']
const status = oneOf(STATUSES)
const network = leaf('an IP address, a range such as 10.0.0.0/8, localhost or *', (value) =>
  networkProblem(value) === null ? value : undefined,
)
const readWorkers = (value: string): number | undefined => {
  if (value === 'auto') return Math.min(availableParallelism(), WORKERS_MAX)
  const count = /^\d{1,3}$/.test(value) ? Number(value) : 0
  return count >= 1 && count <= WORKERS_MAX ? count : undefined
}
const workers = leaf(
  `auto or a whole number from 1 to ${WORKERS_MAX}`,
  readWorkers,
  orShape(wordsShape(['auto']), wholeShape(1, WORKERS_MAX)),
)
const userName = leaf(`a user name of 1 to ${USER_NAME_LENGTH_MAX} characters`, (value) =>
  value.length >= 1 && value.length <= USER_NAME_LENGTH_MAX ? value : undefined,
)

/** Long enough that nobody guesses it, of characters that a header may hold (RFC 6750: no blanks). */
const token = leaf('a text of 16 to 256 letters, digits and -._~+/=', (value) =>
  /^[A-Za-z0-9._~+/=-]{16,256}$/.test(value) ? value : undefined,
)

const DEFAULT_LISTEN: readonly ListenAddress[] = [{ host: '127.0.0.1', port: 6033 }]
const DEFAULT_ADMIN_LISTEN: readonly ListenAddress[] = [{ host: '127.0.0.1', port: 6032 }]
/** An account of this name reads statistics, wherever it is listed. */
export const STATS_ACCOUNT = 'stats'
const DEFAULT_ADMIN_USERS: Readonly<Record<string, string>> = { admin: 'admin', [STATS_ACCOUNT]: 'stats' }

const passwordHash = leaf(
  'a hash as mysql.user has it: *... of mysql_native_password or $A$... of caching_sha2_password',
  (value) => (parseNativeHash(value) !== undefined || parseSha2Hash(value) !== undefined ? value : undefined),
)

/** In seconds, as ProxySQL's column. */
const replicationLag = leaf('a time such as 500ms or 5s, or whole seconds, up to 126144000', (value) => {
  const ms = parseLagMs(value)
  return ms < 0 ? undefined : ms / 1000
})
/** The greeting holds it as a text that a NUL ends. */
const serverVersion = leaf('a version of 1 to 60 printable characters, such as 8.0.36', (value) =>
  /^[\x20-\x7e]{1,60}$/.test(value) ? value : undefined,
)
const readPin = (value: string): number | null | undefined => {
  if (value.toLowerCase() === 'session') return null
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined
}
const pin = leaf(
  'session or a whole number of milliseconds',
  readPin,
  orShape(wordsShape(['session']), wholeShape(0, 999_999_999)),
)

const server = map({
  host: hostName,
  port: orElse(whole(1, 65_535), 3306),
  hostgroup: orElse(hostgroup, 0),
  weight: orElse(whole(0, 10_000_000), 1),
  max_connections: orElse(whole(0, CONNECTIONS_MAX), 1000),
  max_replication_lag: orElse(replicationLag, 0),
  max_latency_ms: orElse(whole(0, DAY_MS), 0),
  status: orElse(status, 'ONLINE' as const),
  use_ssl: orElse(flag, false),
  ssl_mode: orElse(oneOf(SSL_MODES), null),
  ssl_ca: orElse(nonEmptyText, null),
  ssl_cert: orElse(nonEmptyText, null),
  ssl_key: orElse(nonEmptyText, null),
  proxy_protocol: orElse(oneOf(PROXY_PROTOCOLS), 'off' as const),
  compression: orElse(oneOf(SERVER_COMPRESSIONS), 'off' as const),
  comment: orElse(text, ''),
})

const user = map({
  name: userName,
  password: orElse(text, null),
  password_hash: orElse(passwordHash, null),
  backend_user: orElse(userName, null),
  backend_password: orElse(text, null),
  default_hostgroup: orElse(hostgroup, 0),
  default_schema: orElse(nonEmptyText, null),
  max_connections: orElse(whole(0, CONNECTIONS_MAX), 0),
  use_ssl: orElse(flag, false),
  multiplex: orElse(flag, true),
  query_timeout: orElse(whole(0, 20 * DAY_MS), null),
  max_transaction_time: orElse(whole(0, 20 * DAY_MS), null),
  consistency: orElse(oneOf(CONSISTENCY_LEVELS), null),
  max_replication_lag: orElse(replicationLag, null),
  dry_run: orElse(flag, false),
  active: orElse(flag, true),
  attributes: orElse(jsonText, ''),
  comment: orElse(text, ''),
})

const CHECK_TYPES = ['read_only', 'innodb_read_only', 'super_read_only', 'read_only|innodb_read_only'] as const
const replicationHostgroup = map({
  writer: hostgroup,
  reader: hostgroup,
  check_type: orElse(oneOf(CHECK_TYPES), 'read_only' as const),
  comment: orElse(text, ''),
})

const adminUsers = z.record(z.string(), text, { error: 'expected a map of names and passwords' })
const admin = map({
  listen: orElse(oneOrMany(address), DEFAULT_ADMIN_LISTEN),
  users: orElse(adminUsers, DEFAULT_ADMIN_USERS),
  stats_users: orElse(adminUsers, {}),
  audit_log: orElse(nonEmptyText, null),
  read_only: orElse(flag, false),
})

/** Columns as ProxySQL's. */
const schedule = map({
  id: whole(1, Number.MAX_SAFE_INTEGER),
  active: orElse(flag, true),
  interval_ms: whole(100, 100_000_000),
  filename: nonEmptyText,
  arg1: orElse(text, null),
  arg2: orElse(text, null),
  arg3: orElse(text, null),
  arg4: orElse(text, null),
  arg5: orElse(text, null),
  comment: orElse(text, ''),
})
const proxysqlServer = map({
  hostname: nonEmptyText,
  port: orElse(whole(0, 65_535), 6032),
  weight: orElse(whole(0, NUMBER_MAX), 0),
  comment: orElse(text, ''),
})

const delay = whole(0, DAY_MS)
const flagNumber = whole(0, NUMBER_MAX)
const digest = leaf('0x and up to 16 hexadecimal digits', (value) =>
  /^0x[0-9a-f]{1,16}$/i.test(value) ? value : undefined,
)
const reModifiers = leaf('CASELESS, GLOBAL, both with a comma between, or nothing', (value) =>
  parseReModifiers(value) === null ? undefined : value,
)

/** A row of mysql_query_rules by the names of its columns; what it means is read in config-rules.ts. */
const queryRule = map({
  rule_id: whole(1, Number.MAX_SAFE_INTEGER),
  active: orElse(flag, true),
  username: orElse(text, null),
  schemaname: orElse(text, null),
  flagIN: orElse(flagNumber, 0),
  client_addr: orElse(nonEmptyText, null),
  proxy_addr: orElse(nonEmptyText, null),
  proxy_port: orElse(whole(0, 65_535), null),
  digest: orElse(digest, null),
  match_digest: orElse(text, null),
  match_pattern: orElse(text, null),
  negate_match_pattern: orElse(flag, false),
  re_modifiers: orElse(reModifiers, 'CASELESS'),
  flagOUT: orElse(flagNumber, null),
  replace_pattern: orElse(text, null),
  destination_hostgroup: orElse(hostgroup, null),
  cache_ttl: orElse(whole(1, 20 * DAY_MS), null),
  cache_empty_result: orElse(flag, null),
  cache_timeout: orElse(whole(0, 20 * DAY_MS), null),
  reconnect: orElse(flag, null),
  timeout: orElse(whole(0, 20 * DAY_MS), null),
  retries: orElse(whole(0, 1000), null),
  delay: orElse(delay, null),
  next_query_flagIN: orElse(flagNumber, null),
  mirror_flagOUT: orElse(flagNumber, null),
  mirror_hostgroup: orElse(hostgroup, null),
  error_msg: orElse(text, null),
  OK_msg: orElse(text, null),
  sticky_conn: orElse(flag, null),
  multiplex: orElse(whole(0, 2), null),
  gtid_from_hostgroup: orElse(hostgroup, null),
  log: orElse(flag, null),
  apply: orElse(flag, false),
  attributes: orElse(text, ''),
  comment: orElse(text, null),
})
const fastRoute = map({
  username: text,
  schemaname: text,
  flagIN: orElse(flagNumber, 0),
  destination_hostgroup: hostgroup,
  comment: orElse(text, ''),
})

/**
 * Intervals and timeouts in milliseconds, named as ProxySQL's mysql-monitor_* variables. The defaults find a dead server
 * within 3 s (three failures of 700 ms) and a change of role within one second; ProxySQL's take 25 s and more.
 */
const monitor = map({
  user: orElse(userName, 'monitor'),
  password: orElse(text, 'monitor'),
  connect_interval: orElse(whole(100, 10 * MINUTE_MS), 2000),
  connect_timeout: orElse(whole(50, MINUTE_MS), 700),
  ping_interval: orElse(whole(50, 10 * MINUTE_MS), 500),
  ping_timeout: orElse(whole(50, MINUTE_MS), 700),
  ping_max_failures: orElse(whole(1, 1000), 3),
  read_only_interval: orElse(whole(50, 10 * MINUTE_MS), 500),
  read_only_timeout: orElse(whole(50, MINUTE_MS), 700),
  replication_lag_interval: orElse(whole(20, 10 * MINUTE_MS), 250),
  replication_lag_timeout: orElse(whole(50, MINUTE_MS), 700),
  replication_lag_grace: orElse(whole(0, 60 * MINUTE_MS), 10_000),
  routines_interval: orElse(whole(1000, DAY_MS), 10_000),
  accounts_interval: orElse(whole(1000, DAY_MS), 10_000),
})

/** Workers report once a second: who has not for three is not late by chance. */
const WORKER_HANG_MS_MIN = 3000
const workerHangTimeout = leaf(
  `0 or a whole number from ${WORKER_HANG_MS_MIN} to ${60 * MINUTE_MS}`,
  (value) => {
    const ms = /^\d{1,7}$/.test(value) ? Number(value) : -1
    return ms === 0 || (ms >= WORKER_HANG_MS_MIN && ms <= 60 * MINUTE_MS) ? ms : undefined
  },
  orShape({ anyOf: [{ const: 0 }] }, wholeShape(WORKER_HANG_MS_MIN, 60 * MINUTE_MS)),
)

const limits = map({
  max_connections: orElse(whole(1, CONNECTIONS_MAX), 10_000),
  max_connections_per_address: orElse(whole(0, CONNECTIONS_MAX), 0),
  max_failed_logins: orElse(whole(0, CONNECTIONS_MAX), 50),
  connect_timeout_client: orElse(whole(1, 60 * MINUTE_MS), 10_000),
  connect_timeout_server: orElse(whole(1, 60 * MINUTE_MS), 1000),
  connect_timeout_server_max: orElse(whole(1, 60 * MINUTE_MS), 10_000),
  wait_timeout: orElse(whole(0, 20 * DAY_MS), 28_800_000),
  net_write_timeout: orElse(whole(0, 20 * DAY_MS), 60_000),
  max_transaction_time: orElse(whole(0, 20 * DAY_MS), 14_400_000),
  max_transaction_idle_time: orElse(whole(0, 20 * DAY_MS), 14_400_000),
  default_query_timeout: orElse(whole(0, 20 * DAY_MS), 36_000_000),
  long_pin_time: orElse(whole(0, 20 * DAY_MS), 60_000),
  max_allowed_packet: orElse(whole(1024, 1 << 30), 64 << 20),
  max_buffered_command: orElse(whole(1024, 1 << 30), 1 << 20),
  max_stmts_cache: orElse(whole(1, 1 << 20), 10_000),
  max_stmts_per_connection: orElse(whole(1, 16_382), 500),
  free_connections_pct: orElse(whole(0, 100), 10),
  connection_warming: orElse(flag, false),
  throttle_connections_per_sec_to_hostgroup: orElse(whole(1, 100_000_000), 1_000_000),
  default_max_latency: orElse(whole(0, DAY_MS), 1000),
  connection_max_age: orElse(whole(0, DAY_MS), 0),
  ping_interval_server: orElse(whole(0, DAY_MS), 10_000),
  pipeline_depth: orElse(whole(1, 64), 8),
  pipeline_from: orElse(whole(0, 10_000), 4),
  pipeline_query_time: orElse(whole(1, MINUTE_MS), 2),
  diagnostics_hold: orElse(whole(0, 60 * MINUTE_MS), 1000),
  long_query_time: orElse(whole(0, 20 * DAY_MS), 1000),
  shutdown_timeout: orElse(whole(0, 60 * MINUTE_MS), 20_000),
  worker_hang_timeout: orElse(workerHangTimeout, 10_000),
})

const consistency = map({
  level: orElse(oneOf(CONSISTENCY_LEVELS), DEFAULT_CONSISTENCY.level),
  causal_wait: orElse(whole(0, MINUTE_MS), DEFAULT_CONSISTENCY.causalWaitMs),
  pin: orElse(pin, DEFAULT_CONSISTENCY.pinMs),
  token_ttl: orElse(whole(1, DAY_MS), DEFAULT_CONSISTENCY.tokenTtlMs),
  tokens_max: orElse(whole(1, 10_000_000), DEFAULT_CONSISTENCY.tokensMax),
  replicas_min: orElse(whole(0, 1000), DEFAULT_CONSISTENCY.replicasMin),
  max_primary_spill: orElse(whole(0, CONNECTIONS_MAX), DEFAULT_CONSISTENCY.maxPrimarySpill),
  new_sessions_see_commits: orElse(flag, DEFAULT_CONSISTENCY.newSessionsSeeCommits),
})

/** The result cache; size in MiB over all workers, an answer's in bytes. */
const queryCache = map({
  size_mb: orElse(whole(0, 1 << 20), DEFAULT_QUERY_CACHE.bytesMax / MIB),
  max_result: orElse(whole(0, 1 << 30), DEFAULT_QUERY_CACHE.answerBytesMax),
  invalidation: orElse(oneOf(INVALIDATIONS), DEFAULT_QUERY_CACHE.invalidation),
  wait: orElse(whole(0, 60_000), DEFAULT_QUERY_CACHE.waitMs),
})

/** ProxySQL's mysql-query_digests and mysql-query_digests_*. Lengths in bytes. */
const digests = map({
  enabled: orElse(flag, DEFAULT_DIGESTS.enabled),
  sample: orElse(whole(1, 1_000_000), DEFAULT_DIGESTS.sample),
  max_query_length: orElse(whole(16, 1 << 20), DEFAULT_DIGESTS.maxQueryLength),
  max_digest_length: orElse(whole(16, 1 << 20), DEFAULT_DIGESTS.maxDigestLength),
  max_entries: orElse(whole(100, 1_000_000), DEFAULT_DIGESTS.maxEntries),
  track_hostname: orElse(flag, DEFAULT_DIGESTS.trackHostname),
})

export const CONFIG_SCHEMA = map({
  listen: orElse(oneOrMany(address), DEFAULT_LISTEN),
  workers: orElse(workers, Math.min(availableParallelism(), WORKERS_MAX), 'auto'),
  admin: orElse(admin, null),
  metrics: orElse(map({ listen: orElse(tcpAddress, { host: '127.0.0.1', port: 6070 }) }), null),
  api: orElse(map({ listen: orElse(tcpAddress, { host: '127.0.0.1', port: 6071 }), token: orElse(token, null) }), null),
  monitor: orElse(monitor, null),
  servers: listOf(server),
  replication_hostgroups: orElse(listOf(replicationHostgroup), []),
  users: orElse(listOf(user), []),
  query_rules: orElse(listOf(queryRule), []),
  query_rules_fast_routing: orElse(listOf(fastRoute), []),
  pass_through: orElse(
    map({
      enabled: orElse(flag, true),
      default_hostgroup: orElse(hostgroup, null),
      recheck_interval: orElse(whole(0, 60 * MINUTE_MS), 10_000),
    }),
    null,
  ),
  datadir: orElse(nonEmptyText, null),
  tls: orElse(
    map({
      mode: orElse(oneOf(CLIENT_TLS_MODES), 'preferred' as const),
      cert: orElse(nonEmptyText, null),
      key: orElse(nonEmptyText, null),
      ca: orElse(nonEmptyText, null),
    }),
    null,
  ),
  backend_tls: orElse(
    map({
      ssl_ca: orElse(nonEmptyText, null),
      ssl_cert: orElse(nonEmptyText, null),
      ssl_key: orElse(nonEmptyText, null),
    }),
    null,
  ),
  proxy_protocol_networks: orElse(oneOrMany(network), []),
  local_infile: orElse(flag, true),
  protocol_compression_algorithms: orElse(oneOrMany(oneOf(CLIENT_COMPRESSIONS)), [...CLIENT_COMPRESSIONS]),
  multiplexing: orElse(flag, true),
  hostgroup_attributes: orElse(listOf(hostgroupAttributes), []),
  init_connect: orElse(text, ''),
  server_version: orElse(serverVersion, null),
  limits: orElse(limits, null),
  consistency: orElse(consistency, null),
  query_digests: orElse(digests, null),
  query_cache: orElse(queryCache, null),
  scheduler: orElse(listOf(schedule), []),
  proxysql_servers: orElse(listOf(proxysqlServer), []),
})

export type ConfigFile = z.output<typeof CONFIG_SCHEMA>

/** The sections' own defaults, for files that leave the section out. */
export const DEFAULT_ADMIN = admin.parse({})
export const DEFAULT_MONITOR = monitor.parse({})
export const DEFAULT_LIMITS = limits.parse({})
export const DEFAULT_CONSISTENCY_SECTION = consistency.parse({})
export const DEFAULT_DIGESTS_SECTION = digests.parse({})
export const DEFAULT_QUERY_CACHE_SECTION = queryCache.parse({})

export interface ServerConfig {
  /** `host:port`, or the path of a unix socket. */
  readonly id: string
  readonly host: string
  /** 0 when `host` is the path of a unix socket. */
  readonly port: number
  readonly hostgroup: number
  readonly weight: number
  readonly maxConnections: number
  /** Seconds, milliseconds behind the point; 0: no limit. */
  readonly maxReplicationLag: number
  /** Milliseconds; 0 and absent: `Config.defaultMaxLatencyMs`. */
  readonly maxLatencyMs?: number
  readonly status: ServerStatus
  readonly tls: ServerTls
  /** Where the PEM texts in `tls` come from, as absolute paths. */
  readonly tlsFiles: TlsFiles
  readonly proxyProtocol: ProxyProtocol
  readonly compression: ServerCompression
  readonly comment: string
}

/** Paths of PEM files, absolute. */
export interface TlsFiles {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
}

/** Times in milliseconds. */
export interface MonitorConfig {
  readonly user: string
  readonly password: string
  /** Longest pause between two attempts to reach a server that does not answer. */
  readonly connectIntervalMs: number
  readonly connectTimeoutMs: number
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  /** After so many failures in a row a server is SHUNNED. */
  readonly pingMaxFailures: number
  readonly readOnlyIntervalMs: number
  readonly readOnlyTimeoutMs: number
  readonly replicationLagIntervalMs: number
  readonly replicationLagTimeoutMs: number
  /** How long a lag is estimated from the last known one while the server cannot tell it. */
  readonly replicationLagGraceMs: number
  readonly routinesIntervalMs: number
  readonly accountsIntervalMs: number
}

export interface AdminConfig {
  readonly listen: readonly ListenAddress[]
  /** Password by name, in clear or as `*` and 40 digits; never logged. */
  readonly users: Readonly<Record<string, string>>
  /** Those of them that only read statistics. */
  readonly statsUsers: readonly string[]
  /** Absolute path of the file to which what operators do is appended; absent: none. */
  readonly auditLog?: string
  /** Nothing that comes over the port changes the configuration. Absent: it does. */
  readonly readOnly?: boolean
}

/** The configuration file after checking: every default filled in, every other path absolute. */
export interface Config {
  /** The file as it was named, for messages. */
  readonly path: string
  readonly listen: readonly ListenAddress[]
  readonly workers: number
  /** Programs that are run again and again. */
  readonly scheduler?: readonly ScheduledTask[]
  /** null: no admin port. */
  readonly admin: AdminConfig | null
  /** null: no metrics port. */
  readonly metrics: { readonly listen: ListenAddress } | null
  /** null: no HTTP API. Without a token it only reads, and for this machine only; the token is never logged. */
  readonly api: { readonly listen: ListenAddress; readonly token: string | null } | null
  readonly monitor: MonitorConfig
  readonly servers: readonly ServerConfig[]
  readonly replicationHostgroups: readonly ReplicationHostgroup[]
  readonly users: readonly UserEntry[]
  readonly queryRules: Omit<QueryRules, 'version'>
  /** null: only configured users may log in. */
  readonly passThrough: PassThrough | null
  /** Holds the generated certificate and the run file. */
  readonly datadir: string
  /** Towards clients. Without `cert` and `key` a certificate is generated. */
  readonly tls: TlsFiles & { readonly mode: ClientTlsMode }
  readonly proxyProtocolNetworks: readonly string[]
  readonly localInfile: boolean
  readonly compressionAlgorithms: readonly ClientCompressionAlgorithm[]
  readonly limits: Limits
  /** Above this latency of the monitor's questions reads go to other servers, in milliseconds; 0 and absent: no limit. */
  readonly defaultMaxLatencyMs?: number
  readonly multiplexing: boolean
  /** What clients are told instead of the servers' own version; null: the latter. */
  readonly serverVersion: string | null
  /** Hostgroups whose connections are not shared. */
  readonly exclusiveHostgroups: readonly number[]
  readonly hostgroupAttributes: readonly HostgroupAttributes[]
  /** Statements with which connections begin whose hostgroup has none of its own. */
  readonly initConnect: readonly string[]
  readonly consistency: ConsistencySettings
  readonly digests: DigestSettings
  readonly queryCache: QueryCacheSettings
  /** What an operator should know though it is no error; one line each. */
  readonly warnings: readonly string[]
}
