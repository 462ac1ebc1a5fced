import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { ZodType } from 'zod'
import { nativeHash } from '../../../protocol/index.js'
import { UsageError } from '../../shared/errors.js'
import type {
  ConsistencySettings,
  DigestSettings,
  Limits,
  ListenAddress,
  PassThrough,
  QueryCacheSettings,
  UserEntry,
} from '../../shared/snapshot.js'
import { formatListenAddress, serverId, unixPath } from './addresses.js'
import { type ConfigDocument, type ConfigPath, readConfigDocument } from './config-file.js'
import { readRules } from './config-rules.js'
import {
  type AdminConfig,
  CONFIG_SCHEMA,
  type Config,
  type ConfigFile,
  DEFAULT_CONSISTENCY_SECTION,
  DEFAULT_DIGESTS_SECTION,
  DEFAULT_LIMITS,
  DEFAULT_MONITOR,
  DEFAULT_QUERY_CACHE_SECTION,
  MIB,
  type MonitorConfig,
  type ServerConfig,
  STATS_ACCOUNT,
} from './config-schema.js'
import { readClientTls, serverTlsReader } from './config-tls.js'
import { readHostgroupAttributes } from './hostgroup-attributes.js'
import { readInitConnect } from './init-connect.js'

const FILE_BYTES_MAX = 16 << 20
const READABLE_BY_OTHERS = 0o004

/** A configuration file that has been read, and not checked. */
export interface ConfigSource {
  /** As it was named. */
  readonly path: string
  readonly document: ConfigDocument
}

/** A configuration, and what it was made of. */
export interface BuiltConfig {
  readonly config: Config
  readonly file: ConfigFile
}

/**
 * Reads and checks a configuration file. Everything wrong with it is a UsageError of one line, `file:LINE: key: what was
 * expected`, the topmost one first. `env` gives the values of `${NAME}`. Nothing is started, written or resolved here.
 */
export function loadConfig(path: string, env: NodeJS.ProcessEnv): Config {
  return buildConfig(readConfigSource(path, env), env).config
}

export function readConfigSource(path: string, env: NodeJS.ProcessEnv): ConfigSource {
  return { path, document: readConfigDocument(readText(path), path, env) }
}

/** Checks a document, wherever its values come from: all that is wrong is a UsageError, by the document's own `fail`. */
export function buildConfig({ path, document }: ConfigSource, env: NodeJS.ProcessEnv): BuiltConfig {
  const file = parseDocument(document)
  const directory = dirname(resolve(path))
  const servers = readServers(file, document, directory)
  const gaps = checkHostgroups(file, document)
  checkUsers(file, document)
  checkAddresses(file, document)
  const config: Config = {
    path,
    listen: file.listen,
    workers: file.workers,
    admin: readAdmin(file, document, directory),
    scheduler: file.scheduler.map(readSchedule),
    metrics: file.metrics,
    api: file.api,
    monitor: readMonitor(file.monitor ?? DEFAULT_MONITOR),
    servers,
    replicationHostgroups: file.replication_hostgroups.map(({ writer, reader }) => ({ writer, reader })),
    passThrough: readPassThrough(file),
    users: file.users.map(readUser),
    queryRules: readRules(file, document),
    datadir: file.datadir === null ? defaultDatadir(env) : resolve(directory, file.datadir),
    tls: readClientTls(file, document, directory),
    proxyProtocolNetworks: file.proxy_protocol_networks,
    localInfile: file.local_infile,
    compressionAlgorithms: file.protocol_compression_algorithms,
    multiplexing: file.multiplexing,
    serverVersion: file.server_version,
    initConnect: readInitConnect(file.init_connect, ['init_connect'], document),
    hostgroupAttributes: readHostgroupAttributes(file.hostgroup_attributes, document),
    exclusiveHostgroups: file.hostgroup_attributes.flatMap((row) => (row.multiplex ? [] : [row.hostgroup])),
    limits: readLimits(file.limits ?? DEFAULT_LIMITS),
    defaultMaxLatencyMs: (file.limits ?? DEFAULT_LIMITS).default_max_latency,
    consistency: readConsistency(file.consistency ?? DEFAULT_CONSISTENCY_SECTION),
    digests: readDigests(file.query_digests ?? DEFAULT_DIGESTS_SECTION),
    queryCache: readQueryCache(file.query_cache ?? DEFAULT_QUERY_CACHE_SECTION),
    warnings: [...warningsOf(path, file, document), ...gaps],
  }
  return { config, file }
}

/** What was parsed of a value of the document; the same value again is not parsed again. */
const parsedValues = new WeakMap<object, unknown>()

function parseDocument(document: ConfigDocument): ConfigFile {
  if (document.isComplete) return parsed(document, CONFIG_SCHEMA, document.value ?? {}, []) as ConfigFile
  const values = document.value as Readonly<Record<string, unknown>>
  const entries = Object.entries(CONFIG_SCHEMA.shape).map(([key, schema]) => {
    const value = values[key]
    const isObject = typeof value === 'object' && value !== null
    const known = isObject ? parsedValues.get(value) : undefined
    const result = known ?? parsed(document, schema, value, [key])
    if (isObject) parsedValues.set(value, result)
    return [key, result]
  })
  return Object.fromEntries(entries) as ConfigFile
}

/** Checks each key that the document has by itself, not what keys say of one another. Throws a UsageError. */
export function checkKeys(document: ConfigDocument): void {
  for (const [key, value] of Object.entries(document.value as Readonly<Record<string, unknown>>)) {
    if (value !== undefined) parsed(document, CONFIG_SCHEMA.shape[key as keyof ConfigFile], value, [key])
  }
}

function parsed(document: ConfigDocument, schema: ZodType, value: unknown, at: ConfigPath): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.map((issue) => ({ ...issue, path: [...at, ...issue.path] }))
  return failWithFirst(document, issues)
}

function readUser(user: ConfigFile['users'][number]): UserEntry {
  return {
    name: user.name,
    password: user.password ?? '',
    passwordHash: user.password_hash,
    ...(user.active ? {} : { active: false }),
    backendUser: user.backend_user,
    backendPassword: user.backend_password,
    defaultHostgroup: user.default_hostgroup,
    defaultSchema: user.default_schema,
    maxConnections: user.max_connections,
    useSsl: user.use_ssl,
    multiplex: user.multiplex,
    consistency: user.consistency,
    maxReplicationLagMs: user.max_replication_lag === null ? null : user.max_replication_lag * 1000,
    queryTimeoutMs: user.query_timeout,
    maxTransactionTimeMs: user.max_transaction_time,
    ...(user.dry_run ? { dryRun: true } : {}),
  }
}

function readSchedule({ id, active, interval_ms: intervalMs, filename, ...row }: ConfigFile['scheduler'][number]) {
  const args = [row.arg1, row.arg2, row.arg3, row.arg4, row.arg5]
  // What stands behind a missing one has no place.
  const end = args.indexOf(null)
  return { id, active, intervalMs, filename, args: (end < 0 ? args : args.slice(0, end)) as string[] }
}

function readAdmin({ admin }: ConfigFile, document: ConfigDocument, directory: string): AdminConfig | null {
  if (admin === null) return null
  const twin = Object.keys(admin.stats_users).find((name) => name !== STATS_ACCOUNT && Object.hasOwn(admin.users, name))
  if (twin !== undefined) document.fail(['admin', 'stats_users'], `${JSON.stringify(twin)} is in users, too`)
  return {
    listen: admin.listen,
    users: { ...admin.users, ...admin.stats_users },
    statsUsers: [...new Set([STATS_ACCOUNT, ...Object.keys(admin.stats_users)])],
    ...(admin.audit_log !== null && { auditLog: resolve(directory, admin.audit_log) }),
    ...(admin.read_only && { readOnly: true }),
  }
}

/** `$XDG_STATE_HOME/sluice`, or `~/.local/state/sluice` (XDG Base Directory Specification). */
function defaultDatadir(env: NodeJS.ProcessEnv): string {
  const state = env['XDG_STATE_HOME']
  const base = state?.startsWith('/') ? state : join(env['HOME'] ?? homedir(), '.local', 'state')
  return join(base, 'sluice')
}

function readText(path: string): string {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) throw new UsageError(`${path}: expected a file`)
    if (stat.size > FILE_BYTES_MAX) throw new UsageError(`${path}: expected a file of at most 16 MiB`)
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch (error) {
    if (error instanceof UsageError) throw error
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw new UsageError(`${path}: no such file`)
    if (code === 'EACCES') throw new UsageError(`${path}: may not be read by this user`)
    if (error instanceof TypeError) throw new UsageError(`${path}: expected UTF-8 text`)
    throw new UsageError(`${path}: cannot be read (${code ?? String(error)})`)
  }
}

interface Issue {
  readonly code?: string
  readonly path: PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

function failWithFirst(document: ConfigDocument, issues: readonly Issue[]): never {
  const found = issues.map((issue) => {
    const at = issue.path as (string | number)[]
    const path = issue.keys === undefined ? at : [...at, issue.keys[0]]
    return { path, line: document.lineOf(path), message: issue.message, unknownKey: issue.keys !== undefined }
  })
  // Of one line's mistakes the unknown key comes first: it often is what makes a required key seem missing.
  found.sort((a, b) => a.line - b.line || Number(b.unknownKey) - Number(a.unknownKey))
  const { path, message, unknownKey } = found[0]
  document.fail(path, unknownKey ? message : `${message}, got ${document.describe(path)}`)
}

function readServers(file: ConfigFile, document: ConfigDocument, directory: string): ServerConfig[] {
  const seen = new Map<string, number>()
  const readTls = serverTlsReader(file, document, directory)
  return file.servers.map((row, index) => {
    const path = unixPath(row.host)
    const host = path ?? row.host.replace(/^\[(.*)\]$/, '$1')
    const port = path === null ? row.port : 0
    const id = serverId(host, port)
    const key = `${row.hostgroup} ${id.toLowerCase()}`
    const twin = seen.get(key)
    if (twin !== undefined) {
      const where = document.nameOf(['servers', twin])
      document.fail(['servers', index], `${id} is already in hostgroup ${row.hostgroup} (${where})`)
    }
    seen.set(key, index)
    return {
      id,
      host,
      port,
      hostgroup: row.hostgroup,
      weight: row.weight,
      maxConnections: row.max_connections,
      maxReplicationLag: row.max_replication_lag,
      maxLatencyMs: row.max_latency_ms,
      status: row.status,
      ...readTls(id, index),
      proxyProtocol: row.proxy_protocol,
      compression: row.compression,
      comment: row.comment,
    }
  })
}

/** @returns what may still come, as sentences: in one file it is a mistake */
function checkHostgroups(file: ConfigFile, document: ConfigDocument): string[] {
  const gaps: string[] = []
  const lack = (path: ConfigPath, message: string): void => {
    if (document.isComplete && file.servers.length > 0) document.fail(path, message)
    if (file.servers.length > 0) gaps.push(`${document.nameOf(path)}: ${message}`)
  }
  const withServers = new Set(file.servers.map((server) => server.hostgroup))
  const taken = new Map<number, string>()
  file.replication_hostgroups.forEach(({ writer, reader }, index) => {
    const path: ConfigPath = ['replication_hostgroups', index]
    if (writer === reader)
      document.fail([...path, 'reader'], `expected another hostgroup than the writer's, got ${reader}`)
    for (const [key, hostgroup] of [['writer', writer] as const, ['reader', reader] as const]) {
      const holder = taken.get(hostgroup)
      if (holder !== undefined) document.fail([...path, key], `hostgroup ${hostgroup} is already used by ${holder}`)
      taken.set(hostgroup, document.nameOf([...path, key]))
    }
    if (!withServers.has(writer) && !withServers.has(reader)) {
      lack(path, `no server is in hostgroup ${writer} or ${reader}`)
    }
  })
  file.users.forEach((user, index) => {
    if (withServers.has(user.default_hostgroup) || taken.has(user.default_hostgroup)) return
    lack(['users', index, 'default_hostgroup'], `no server is in hostgroup ${user.default_hostgroup}`)
  })
  return gaps
}

function checkUsers(file: ConfigFile, document: ConfigDocument): void {
  const seen = new Map<string, number>()
  file.users.forEach(({ name }, index) => {
    const twin = seen.get(name)
    if (twin !== undefined)
      document.fail(
        ['users', index, 'name'],
        `user ${JSON.stringify(name)} is already in ${document.nameOf(['users', twin])}`,
      )
    seen.set(name, index)
  })
  for (const [index, user] of file.users.entries()) checkPasswords(user, ['users', index], document)
}

type UserSection = ConfigFile['users'][number]

function checkPasswords(user: UserSection, path: ConfigPath, document: ConfigDocument): void {
  const given = Number(user.password !== null) + Number(user.password_hash !== null)
  if (given !== 1) document.fail(path, 'expected either password or password_hash')
  if (user.backend_user !== null && user.backend_password === null)
    document.fail([...path, 'backend_user'], 'expected backend_password next to it')
}

/** Without a word about it, accounts of the servers are let in, and belong to the first pair of hostgroups. */
function readPassThrough(file: ConfigFile): PassThrough | null {
  const section = file.pass_through ?? { enabled: true, default_hostgroup: null, recheck_interval: 10_000 }
  if (!section.enabled) return null
  const first = file.replication_hostgroups[0]?.writer ?? file.servers[0]?.hostgroup ?? 0
  return { defaultHostgroup: section.default_hostgroup ?? first, recheckMs: section.recheck_interval }
}

function checkAddresses(file: ConfigFile, document: ConfigDocument): void {
  const taken = new Map<string, string>()
  const take = (key: string, path: ConfigPath, address: ListenAddress): void => {
    if (address.port === 0) return
    const text = formatListenAddress(address)
    const holder = taken.get(text)
    if (holder !== undefined) document.fail(path, `${text} is already used by ${holder}`)
    taken.set(text, key)
  }
  for (const address of file.listen) take('listen', ['listen'], address)
  for (const address of file.admin?.listen ?? []) take('admin.listen', ['admin', 'listen'], address)
  if (file.metrics !== null) take('metrics.listen', ['metrics', 'listen'], file.metrics.listen)
  if (file.api === null) return
  take('api.listen', ['api', 'listen'], file.api.listen)
  if (file.api.token === null && !isLocal(file.api.listen))
    document.fail(
      ['api'],
      'expected token: without one the API listens on this machine only (127.0.0.1, [::1] or localhost)',
    )
}

function readMonitor(section: NonNullable<ConfigFile['monitor']>): MonitorConfig {
  return {
    user: section.user,
    password: section.password,
    connectIntervalMs: section.connect_interval,
    connectTimeoutMs: section.connect_timeout,
    pingIntervalMs: section.ping_interval,
    pingTimeoutMs: section.ping_timeout,
    pingMaxFailures: section.ping_max_failures,
    readOnlyIntervalMs: section.read_only_interval,
    readOnlyTimeoutMs: section.read_only_timeout,
    replicationLagIntervalMs: section.replication_lag_interval,
    replicationLagTimeoutMs: section.replication_lag_timeout,
    replicationLagGraceMs: section.replication_lag_grace,
    routinesIntervalMs: section.routines_interval,
    accountsIntervalMs: section.accounts_interval,
  }
}

function readLimits(section: NonNullable<ConfigFile['limits']>): Limits {
  return {
    maxConnections: section.max_connections,
    maxConnectionsPerAddress: section.max_connections_per_address,
    maxFailedLogins: section.max_failed_logins,
    connectTimeoutServerMaxMs: section.connect_timeout_server_max,
    connectTimeoutServerMs: section.connect_timeout_server,
    handshakeTimeoutMs: section.connect_timeout_client,
    waitTimeoutMs: section.wait_timeout,
    netWriteTimeoutMs: section.net_write_timeout,
    maxTransactionTimeMs: section.max_transaction_time,
    maxTransactionIdleTimeMs: section.max_transaction_idle_time,
    defaultQueryTimeoutMs: section.default_query_timeout,
    longPinTimeMs: section.long_pin_time,
    maxAllowedPacket: section.max_allowed_packet,
    maxBufferedCommand: section.max_buffered_command,
    maxStmtsCache: section.max_stmts_cache,
    maxStmtsPerConnection: section.max_stmts_per_connection,
    freeConnectionsPct: section.free_connections_pct,
    connectionWarming: section.connection_warming,
    throttleConnectionsPerSecToHostgroup: section.throttle_connections_per_sec_to_hostgroup,
    connectionMaxAgeMs: section.connection_max_age,
    pingIntervalServerMs: section.ping_interval_server,
    pipelineDepth: section.pipeline_depth,
    pipelineFrom: section.pipeline_from,
    pipelineQueryTimeMs: section.pipeline_query_time,
    diagnosticsHoldMs: section.diagnostics_hold,
    longQueryMs: section.long_query_time,
    shutdownTimeoutMs: section.shutdown_timeout,
    workerHangMs: section.worker_hang_timeout,
  }
}

function readConsistency(section: NonNullable<ConfigFile['consistency']>): ConsistencySettings {
  return {
    level: section.level,
    causalWaitMs: section.causal_wait,
    pinMs: section.pin,
    tokenTtlMs: section.token_ttl,
    tokensMax: section.tokens_max,
    replicasMin: section.replicas_min,
    maxPrimarySpill: section.max_primary_spill,
    newSessionsSeeCommits: section.new_sessions_see_commits,
  }
}

function readQueryCache(section: NonNullable<ConfigFile['query_cache']>): QueryCacheSettings {
  return {
    bytesMax: section.size_mb * MIB,
    answerBytesMax: section.max_result,
    invalidation: section.invalidation,
    waitMs: section.wait,
  }
}

function readDigests(section: NonNullable<ConfigFile['query_digests']>): DigestSettings {
  return {
    enabled: section.enabled,
    sample: section.sample,
    maxQueryLength: section.max_query_length,
    maxDigestLength: section.max_digest_length,
    maxEntries: section.max_entries,
    trackHostname: section.track_hostname,
  }
}

function warningsOf(path: string, file: ConfigFile, document: ConfigDocument): string[] {
  const warnings: string[] = []
  if (file.servers.length === 0) {
    warnings.push('there are no servers: clients wait for one until it is loaded')
  }
  if (document.holdsSecrets && (statSync(path).mode & READABLE_BY_OTHERS) !== 0) {
    warnings.push(`${path} holds passwords and every user of this machine may read it: chmod 640 ${path}`)
  }
  if (file.users.length === 0 && file.pass_through?.enabled === false) {
    warnings.push(`${path}: users is empty and pass_through is off, so nobody can log in`)
  }
  const adminPassword = file.admin?.users['admin']
  const defaultAdmin = adminPassword === 'admin' || adminPassword === nativeHash('admin')
  if (defaultAdmin && file.admin?.listen.some((address) => !isLocal(address))) {
    warnings.push(`${path}: the admin port is reachable from other machines with the default password`)
  }
  return warnings
}

function isLocal(address: ListenAddress): boolean {
  return address.path !== undefined || ['127.0.0.1', '::1', 'localhost'].includes(address.host ?? '')
}
