import { nativeHash } from '../../../protocol/index.js'
import { ADMIN_VERSION } from '../admin-version.js'
import { formatListenAddress } from '../config/addresses.js'
import type { ConfigFile } from '../config/config-schema.js'
import {
  DEFAULT_ADMIN,
  DEFAULT_CONSISTENCY_SECTION,
  DEFAULT_DIGESTS_SECTION,
  DEFAULT_LIMITS,
  DEFAULT_MONITOR,
  DEFAULT_QUERY_CACHE_SECTION,
  STATS_ACCOUNT,
} from '../config/config-schema.js'
import { isPasswordHash } from './users.js'

/** The document of the configuration file while variables are written into it, one after the other. */
export type Draft = Record<string, unknown>

/**
 * One variable of global_variables: ProxySQL's name and unit where ProxySQL has the thing, and its place in the
 * configuration file, whose schema knows type and range.
 */
export interface Variable {
  readonly name: string
  /** Where it stands in the file. Empty: nowhere, its value is fixed. */
  readonly path: readonly string[]
  /** Takes effect at the next start. */
  readonly restart: boolean
  /** Its text as of a file that was read. */
  read(file: ConfigFile, values: Readonly<Record<string, unknown>>): string
  /** Puts the text into the document; returns what was expected where it cannot stand there. */
  write(text: string, draft: Draft): string | null
}

/** A plain variable: the same text in both notations. */
function variable(name: string, section: string, key: string, more: Partial<Variable> = {}): Variable {
  return {
    name,
    path: [section, key],
    restart: false,
    read: (file) => String((sectionOf(file, section) as Record<string, unknown>)[key]),
    write: (text, draft) => put(draft, section, key, text),
    ...more,
  }
}

/** One whose empty text means that the file does not have the key. */
function optional(name: string, section: string, key: string): Variable {
  return variable(name, section, key, {
    read: (file) => String((sectionOf(file, section) as Record<string, unknown> | null)?.[key] ?? ''),
    write: (text, draft) => (text === '' ? null : put(draft, section, key, text)),
  })
}

/** A key of the top level that is no map. */
function topLevel(name: string, key: keyof ConfigFile, more: Partial<Variable> = {}): Variable {
  return {
    name,
    path: [key],
    restart: false,
    read: (file) => String(file[key]),
    write: (text, draft) => {
      draft[key] = text
      return null
    },
    ...more,
  }
}

/** A list, written with commas. */
function list(name: string, key: keyof ConfigFile): Variable {
  return topLevel(name, key, {
    read: (file) => (file[key] as readonly string[]).join(','),
    write: (text, draft) => {
      const items = split(text, /[,;\s]+/)
      if (items.length > 0) draft[key] = items
      return null
    },
  })
}

/** A variable that tools read or set, and that has one value here. */
function fixed(name: string, value: string, why: string): Variable {
  return {
    name,
    path: [],
    restart: false,
    read: () => value,
    write: (text) => (text === value ? null : `expected ${value === '' ? 'nothing' : value}: ${why}`),
  }
}

function sectionOf(file: ConfigFile, section: string): unknown {
  const defaults: Readonly<Record<string, unknown>> = {
    limits: DEFAULT_LIMITS,
    monitor: DEFAULT_MONITOR,
    consistency: DEFAULT_CONSISTENCY_SECTION,
    query_digests: DEFAULT_DIGESTS_SECTION,
    query_cache: DEFAULT_QUERY_CACHE_SECTION,
  }
  return file[section as keyof ConfigFile] ?? defaults[section] ?? null
}

function put(draft: Draft, section: string, key: string, value: unknown): null {
  draft[section] ??= {}
  const map = draft[section] as Record<string, unknown>
  map[key] = value
  return null
}

function split(text: string, separator: RegExp | string): string[] {
  return text.split(separator).filter((part) => part !== '')
}

/** `write` for one that switches something: `true` changes nothing, `false` does. */
function unless(off: (draft: Draft) => void) {
  return (text: string, draft: Draft): string | null => {
    if (text === 'true' || text === '1') return null
    if (text !== 'false' && text !== '0') return 'expected true or false'
    off(draft)
    return null
  }
}

const same = (section: string, prefix: string, keys: readonly string[]): Variable[] =>
  keys.map((key) => variable(`${prefix}${key}`, section, key))

const LIMITS = [
  ...same('limits', 'mysql-', [
    'max_connections',
    'max_connections_per_address',
    'max_failed_logins',
    'connect_timeout_client',
    'connect_timeout_server',
    'connect_timeout_server_max',
    'wait_timeout',
    'net_write_timeout',
    'max_transaction_time',
    'max_transaction_idle_time',
    'default_query_timeout',
    'long_pin_time',
    'max_allowed_packet',
    'max_buffered_command',
    'max_stmts_cache',
    'max_stmts_per_connection',
    'free_connections_pct',
    'connection_warming',
    'throttle_connections_per_sec_to_hostgroup',
    'pipeline_depth',
    'pipeline_from',
    'pipeline_query_time',
    'diagnostics_hold',
    'long_query_time',
    'shutdown_timeout',
    'worker_hang_timeout',
  ]),
  variable('mysql-connection_max_age_ms', 'limits', 'connection_max_age'),
  variable('mysql-default_max_latency_ms', 'limits', 'default_max_latency'),
  variable('mysql-ping_interval_server_msec', 'limits', 'ping_interval_server'),
]

const MONITOR = [
  variable('mysql-monitor_username', 'monitor', 'user'),
  variable('mysql-monitor_password', 'monitor', 'password', {
    write: (text, draft) =>
      isPasswordHash(text)
        ? 'expected the password in clear: servers are logged in to with it'
        : put(draft, 'monitor', 'password', text),
  }),
  ...same('monitor', 'mysql-monitor_', [
    'connect_interval',
    'connect_timeout',
    'ping_interval',
    'ping_timeout',
    'ping_max_failures',
    'read_only_interval',
    'read_only_timeout',
    'replication_lag_interval',
    'replication_lag_timeout',
    'replication_lag_grace',
    'routines_interval',
    'accounts_interval',
  ]),
  fixed('mysql-monitor_enabled', 'true', 'without its monitor Sluice does not know the primary'),
]

const CONSISTENCY = [
  ...same('consistency', 'mysql-consistency_', [
    'level',
    'causal_wait',
    'token_ttl',
    'tokens_max',
    'replicas_min',
    'max_primary_spill',
    'new_sessions_see_commits',
  ]),
  variable('mysql-consistency_pin', 'consistency', 'pin', {
    read: (file) => String((file.consistency ?? DEFAULT_CONSISTENCY_SECTION).pin ?? 'session'),
  }),
]

const DIGESTS = [
  variable('mysql-query_digests', 'query_digests', 'enabled'),
  variable('mysql-query_digests_sample', 'query_digests', 'sample'),
  variable('mysql-query_digests_max_query_length', 'query_digests', 'max_query_length'),
  variable('mysql-query_digests_max_digest_length', 'query_digests', 'max_digest_length'),
  variable('mysql-query_digests_max_entries', 'query_digests', 'max_entries'),
  variable('mysql-query_digests_track_hostname', 'query_digests', 'track_hostname'),
]

const QUERY_CACHE = [
  variable('mysql-query_cache_size_MB', 'query_cache', 'size_mb'),
  variable('mysql-query_cache_max_result', 'query_cache', 'max_result'),
  variable('mysql-query_cache_invalidation', 'query_cache', 'invalidation'),
  variable('mysql-query_cache_wait', 'query_cache', 'wait'),
]

const TLS = [
  variable('mysql-tls_mode', 'tls', 'mode', {
    read: (file) => (file.tls === null || file.tls.mode === 'off' ? 'preferred' : file.tls.mode),
  }),
  optional('mysql-tls_cert', 'tls', 'cert'),
  optional('mysql-tls_key', 'tls', 'key'),
  optional('mysql-tls_ca', 'tls', 'ca'),
  // After mysql-tls_mode, over which it goes.
  variable('mysql-have_ssl', 'tls', 'mode', {
    read: (file) => String(file.tls?.mode !== 'off'),
    write: unless((draft) => {
      draft['tls'] = { mode: 'off' }
    }),
  }),
  optional('mysql-ssl_p2s_ca', 'backend_tls', 'ssl_ca'),
  optional('mysql-ssl_p2s_cert', 'backend_tls', 'ssl_cert'),
  optional('mysql-ssl_p2s_key', 'backend_tls', 'ssl_key'),
]

const UNCOMPRESSED = 'uncompressed'

const CLIENTS = [
  topLevel('mysql-interfaces', 'listen', {
    restart: true,
    read: (file) => file.listen.map(formatListenAddress).join(';'),
    write: (text, draft) => {
      draft['listen'] = split(text, ';')
      return null
    },
  }),
  topLevel('mysql-threads', 'workers', {
    restart: true,
    // `auto` is kept: the next machine may have other CPUs.
    read: (_file, values) => (typeof values['workers'] === 'string' ? values['workers'] : 'auto'),
  }),
  topLevel('mysql-multiplexing', 'multiplexing'),
  topLevel('mysql-enable_load_data_local_infile', 'local_infile'),
  topLevel('mysql-server_version', 'server_version', {
    read: (file) => file.server_version ?? '',
    write: (text, draft) => {
      if (text !== '') draft['server_version'] = text
      return null
    },
  }),
  topLevel('mysql-init_connect', 'init_connect'),
  list('mysql-proxy_protocol_networks', 'proxy_protocol_networks'),
  {
    ...list('mysql-protocol_compression_algorithms', 'protocol_compression_algorithms'),
    read: (file: ConfigFile) => {
      const algorithms = file.protocol_compression_algorithms
      return (algorithms.join() === UNCOMPRESSED ? ['zlib', 'zstd', UNCOMPRESSED] : algorithms).join(',')
    },
  },
  // After the list, over which it goes.
  topLevel('mysql-have_compress', 'protocol_compression_algorithms', {
    read: (file) => String(file.protocol_compression_algorithms.join() !== UNCOMPRESSED),
    write: unless((draft) => {
      draft['protocol_compression_algorithms'] = [UNCOMPRESSED]
    }),
  }),
]

type AdminAccounts = Readonly<Record<string, string>>
type AdminSection = NonNullable<ConfigFile['admin']>

function without(users: AdminAccounts, name: string): AdminAccounts {
  return Object.fromEntries(Object.entries(users).filter(([one]) => one !== name))
}

/** `name:password;name:password`. In a password a semicolon ends nothing: such a one is shown as its hash. */
export function formatCredentials(users: AdminAccounts): string {
  return Object.entries(users)
    .map(([name, password]) => `${name}:${password.includes(';') ? nativeHash(password) : password}`)
    .join(';')
}

/** null: the text is something else. */
export function parseCredentials(text: string): AdminAccounts | null {
  const users: Record<string, string> = {}
  for (const part of split(text, ';')) {
    const colon = part.indexOf(':')
    if (colon < 1) return null
    users[part.slice(0, colon)] = part.slice(colon + 1)
  }
  return users
}

function credentials(
  name: string,
  key: 'users' | 'stats_users',
  read: (admin: AdminSection) => AdminAccounts,
): Variable {
  return variable(name, 'admin', key, {
    read: (file) => formatCredentials(read(file.admin ?? DEFAULT_ADMIN)),
    write: (text, draft) => {
      const users = parseCredentials(text)
      return users === null ? 'expected user:password, several with ";" between them' : put(draft, 'admin', key, users)
    },
  })
}

const ADMIN = [
  credentials('admin-admin_credentials', 'users', ({ users }) => without(users, STATS_ACCOUNT)),
  credentials('admin-stats_credentials', 'stats_users', ({ users, stats_users }) => ({
    ...(STATS_ACCOUNT in users ? { [STATS_ACCOUNT]: users[STATS_ACCOUNT] } : {}),
    ...stats_users,
  })),
  { ...optional('admin-audit_log', 'admin', 'audit_log'), restart: true },
  variable('admin-read_only', 'admin', 'read_only', {
    read: (file) => String((file.admin ?? DEFAULT_ADMIN).read_only),
  }),
  // After the accounts, which are nobody's without a port.
  variable('admin-mysql_ifaces', 'admin', 'listen', {
    restart: true,
    read: (file) => (file.admin?.listen ?? []).map(formatListenAddress).join(';'),
    write: (text, draft) => {
      const listen = split(text, ';')
      if (listen.length > 0) return put(draft, 'admin', 'listen', listen)
      draft['admin'] = undefined
      return null
    },
  }),
  variable('admin-restapi_ifaces', 'metrics', 'listen', {
    restart: true,
    read: (file) => formatListenAddress(file.metrics?.listen ?? { host: '127.0.0.1', port: 6070 }),
  }),
  // After the address, over which it goes.
  variable('admin-restapi_enabled', 'metrics', 'listen', {
    restart: true,
    read: (file) => String(file.metrics !== null),
    write: unless((draft) => {
      draft['metrics'] = undefined
    }),
  }),
  fixed('admin-version', ADMIN_VERSION, 'this is the version that runs'),
]

/** In the order in which they are written into a document. */
export const VARIABLES: readonly Variable[] = [
  ...LIMITS,
  ...MONITOR,
  ...CONSISTENCY,
  ...DIGESTS,
  ...QUERY_CACHE,
  ...TLS,
  ...CLIENTS,
  ...ADMIN,
]

export const VARIABLE_BY_NAME: ReadonlyMap<string, Variable> = new Map(VARIABLES.map((one) => [one.name, one]))
