/**
 * What the control plane tells the workers. A snapshot is whole (it replaces the one before), immutable and versioned;
 * a worker acknowledges each version. What changes several times a second (lag, applied positions) travels in
 * `HealthReport`, which is just as whole but needs no acknowledgement.
 */

export type Flavor = 'mysql' | 'mariadb'

/** ProxySQL's names (mysql_servers.status). SHUNNED: set aside by the monitor, comes back by itself. */
export type ServerStatus = 'ONLINE' | 'SHUNNED' | 'OFFLINE_SOFT' | 'OFFLINE_HARD'

/** `host:port`, or the path of a unix socket. Names a server whatever hostgroups it is in. */
export type ServerId = string

/** One row of runtime_mysql_servers: a server in one hostgroup. */
export interface ServerEntry {
  readonly id: ServerId
  readonly hostgroup: number
  readonly host: string
  /** 0 when `host` is the path of a unix socket. */
  readonly port: number
  readonly status: ServerStatus
  /** Why the status is what it is, for people; empty when ONLINE. */
  readonly statusReason: string
  /** 0 to 10,000,000. A server of weight 0 gets traffic only when no other can. */
  readonly weight: number
  /** Connections over all workers, at least 1. */
  readonly maxConnections: number
  /** Seconds, milliseconds behind the point; 0: no limit. */
  readonly maxReplicationLag: number
  /** SHUNNED for its replication lag, which is known, and for nothing else. */
  readonly lagging?: boolean
  /** Why reads go to others of the hostgroup while there are any: it is slow to answer. Absent: it is not. */
  readonly slow?: string
  readonly tls: ServerTls
  readonly proxyProtocol: ProxyProtocol
  readonly compression: ServerCompression
  readonly comment: string
}

/** MySQL's own names and meanings (manual, "Command Options for Encrypted Connections", --ssl-mode), in lower case. */
export const SSL_MODES = ['disabled', 'preferred', 'required', 'verify_ca', 'verify_identity'] as const
export type SslMode = (typeof SSL_MODES)[number]

/** How connections to a server are encrypted. PEM texts; never logged. */
export interface ServerTls {
  readonly mode: SslMode
  /** Who may have signed the server's certificate; never null where the mode verifies it. */
  readonly ca: string | null
  /** Certificate and key that the server gets to see; both or neither. */
  readonly cert: string | null
  readonly key: string | null
}

export const NO_SERVER_TLS: ServerTls = { mode: 'disabled', ca: null, cert: null, key: null }

/** Which header of the PROXY protocol begins a connection to a server. */
export const PROXY_PROTOCOLS = ['off', 'v1', 'v2'] as const
export type ProxyProtocol = (typeof PROXY_PROTOCOLS)[number]

/** How connections to a server are compressed, where it offers that. */
export const SERVER_COMPRESSIONS = ['off', 'zlib', 'zstd'] as const
export type ServerCompression = (typeof SERVER_COMPRESSIONS)[number]

/** What clients may use, by MySQL's names (`protocol_compression_algorithms`). */
export const CLIENT_COMPRESSIONS = ['zlib', 'zstd', 'uncompressed'] as const
export type ClientCompressionAlgorithm = (typeof CLIENT_COMPRESSIONS)[number]

/** What the monitor learned about a server, whatever its hostgroup. */
export interface ServerFacts {
  readonly id: ServerId
  readonly flavor: Flavor
  /** As the server's greeting has it, e.g. `9.7.0` or `5.5.5-10.11.6-MariaDB`. */
  readonly version: string
  readonly readOnly: boolean
}

export interface ReplicationHostgroup {
  readonly writer: number
  readonly reader: number
}

/** What holds for a hostgroup alone (mysql_hostgroup_attributes). What is absent is as for all. */
export interface HostgroupAttributes {
  readonly hostgroup: number
  /** With more servers ONLINE none of them gets new statements. */
  readonly maxOnlineServers?: number
  /** See `Limits.freeConnectionsPct`, `connectionWarming` and `throttleConnectionsPerSecToHostgroup`. */
  readonly freeConnectionsPct?: number
  /** Statements with which its connections begin, instead of `Snapshot.initConnect`; at least one. */
  readonly initConnect?: readonly string[]
  readonly connectionWarming?: boolean
  readonly throttleConnectionsPerSec?: number
}

export interface UserEntry {
  readonly name: string
  /** In clear; never logged. Empty where `passwordHash` is there. */
  readonly password: string
  /** `*...` of mysql_native_password or `$A$005$...` of caching_sha2_password; null: `password` counts. */
  readonly passwordHash: string | null
  /** `false`: nobody may log in by this name. Absent: the account is in use. */
  readonly active?: boolean
  /** As whom the servers are logged in to; null: with the client's own name and password. */
  readonly backendUser: string | null
  readonly backendPassword: string | null
  readonly defaultHostgroup: number
  readonly defaultSchema: string | null
  /** Client connections over all workers; 0: no limit of its own. */
  readonly maxConnections: number
  /** May log in over TLS only. */
  readonly useSsl: boolean
  /** Its sessions may share server connections. */
  readonly multiplex: boolean
  /** All of its statements stay on the primary; where they would have gone is counted. */
  readonly dryRun?: boolean
  /** Milliseconds, instead of the limits' own; 0: none. Absent: as the limits say. */
  readonly queryTimeoutMs?: number | null
  readonly maxTransactionTimeMs?: number | null
  /** Absent: as configured for all. */
  readonly consistency?: ConsistencyLevel | null
  /** Milliseconds; replicas with more lag are not read from. Absent: the servers' own limits alone. */
  readonly maxReplicationLagMs?: number | null
}

/**
 * What a read may rely on. eventual: nothing but the replicas' lag limits; session: all that its session wrote and has seen;
 * token: that, and what was written under the causal key that a statement names; strong: all that was committed.
 */
export const CONSISTENCY_LEVELS = ['eventual', 'session', 'token', 'global', 'strong'] as const
export type ConsistencyLevel = (typeof CONSISTENCY_LEVELS)[number]

export interface ConsistencySettings {
  readonly level: ConsistencyLevel
  /** How long a read waits for a replica to catch up, in ms; 0: never. */
  readonly causalWaitMs: number
  /** Where nothing tells what replicas have: how long in ms a session stays with the primary after a write; null: for good. */
  readonly pinMs: number | null
  /** How long a worker remembers a causal key in ms, and how many of them. */
  readonly tokenTtlMs: number
  readonly tokensMax: number
  /** So many replicas of a hostgroup stay in use however much they lag, as long as their lag is known. */
  readonly replicasMin: number
  /** Reads that may be in flight on a primary only because no replica qualified, over all workers; 0: no limit. */
  readonly maxPrimarySpill: number
  /** Whether sessions see from their first read on what was written through this proxy before they began. */
  readonly newSessionsSeeCommits: boolean
}

export const DEFAULT_CONSISTENCY: ConsistencySettings = {
  level: 'session',
  causalWaitMs: 10,
  pinMs: null,
  tokenTtlMs: 60_000,
  tokensMax: 100_000,
  replicasMin: 0,
  maxPrimarySpill: 0,
  newSessionsSeeCommits: true,
}

/** What is counted by digest. */
export interface DigestSettings {
  readonly enabled: boolean
  /** One statement of so many is counted, for as many as it stands for. At least 1. */
  readonly sample: number
  /** What of a statement is looked at, and what of its normalised text is kept, in bytes. */
  readonly maxQueryLength: number
  readonly maxDigestLength: number
  /** Digests that a worker knows, and rows of statistics that it keeps. */
  readonly maxEntries: number
  /** Rows of each client address apart. */
  readonly trackHostname: boolean
}

export const DEFAULT_DIGESTS: DigestSettings = {
  enabled: true,
  sample: 1,
  maxQueryLength: 65_000,
  maxDigestLength: 2048,
  maxEntries: 10_000,
  trackHostname: false,
}

/** Which answers a write through Sluice ends: none; those that read a table that its text names, or its schema; or all. */
export const INVALIDATIONS = ['off', 'table', 'schema', 'any'] as const
export type Invalidation = (typeof INVALIDATIONS)[number]

/** The result cache: answers that query rules (`cache_ttl`) allow to be given to others. */
export interface QueryCacheSettings {
  /** Memory for answers over all workers, in bytes; 0: nothing is kept. */
  readonly bytesMax: number
  /** Longer answers are not kept, in bytes. */
  readonly answerBytesMax: number
  readonly invalidation: Invalidation
  /** How long a session waits for the answer to the same statement of another one, in ms; 0: not at all. */
  readonly waitMs: number
}

export const DEFAULT_QUERY_CACHE: QueryCacheSettings = {
  bytesMax: 256 << 20,
  answerBytesMax: 1 << 20,
  invalidation: 'any',
  waitMs: 1_000,
}

/** What Sluice says in its own greeting, learned from the backends so that drivers see the server they expect. */
export interface GreetingFacts {
  readonly flavor: Flavor
  readonly serverVersion: string
  /** Collation id of the greeting (one byte on the wire). */
  readonly collation: number
  /** CLIENT_* bits that every known backend offers (unsigned 32 bit). */
  readonly capabilities: number
  /** MariaDB's extended bits that every known backend offers; 0 for MySQL. */
  readonly mariadbCapabilities: number
  /** Global values of the primary, with which new sessions begin; absent: not known yet. */
  readonly sqlMode?: string
  readonly autocommit?: boolean
  /** The servers name a client on their own machine `localhost` in their messages (not skip_name_resolve). */
  readonly resolvesNames?: boolean
}

/** How accounts that are not configured are let in: the servers' own accounts are the list. */
export interface PassThrough {
  /** Their writer hostgroup. */
  readonly defaultHostgroup: number
  /** Milliseconds after which a password that was right is asked for again at the next login. */
  readonly recheckMs: number
}

/** Times in milliseconds, sizes in bytes; 0 switches a limit off unless it says otherwise. */
export interface Limits {
  /** Client connections over all workers (1040). At least 1. */
  readonly maxConnections: number
  /** Client connections from one address over all workers (1040); 0: no limit. */
  readonly maxConnectionsPerAddress: number
  /** Failed logins in a row after which an address has to wait (1129); 0: never. */
  readonly maxFailedLogins: number
  /** How long a statement may wait for a backend connection before 9001. At least 1. */
  readonly connectTimeoutServerMaxMs: number
  /** One attempt to connect and log in to a backend. At least 1. */
  readonly connectTimeoutServerMs: number
  /** A client must have logged in within this time. At least 1. */
  readonly handshakeTimeoutMs: number
  /** A client that sends no command for so long is disconnected (`wait_timeout`). */
  readonly waitTimeoutMs: number
  /** A client that takes nothing for so long of what there is for it is disconnected (MySQL: net_write_timeout); 0: never. */
  readonly netWriteTimeoutMs: number
  /** A transaction that is open for so long is rolled back. */
  readonly maxTransactionTimeMs: number
  /** A session that keeps its connection from others for longer than this is told of as an event. */
  readonly longPinTimeMs: number
  /** A transaction in which nothing happened for so long is rolled back. */
  readonly maxTransactionIdleTimeMs: number
  /** A statement that takes longer, the wait for a connection included, is killed. */
  readonly defaultQueryTimeoutMs: number
  /** Largest command (1153). 1 KiB to 1 GiB. */
  readonly maxAllowedPacket: number
  /** Commands up to this size are held whole (and can be repeated); longer ones are streamed to the primary. */
  readonly maxBufferedCommand: number
  /** Prepared texts that each worker keeps for its sessions to share (mysql-max_stmts_cache). At least 1. */
  readonly maxStmtsCache: number
  /** Prepared statements open on one server connection; the least recently used one makes room. At least 1. */
  readonly maxStmtsPerConnection: number
  /** Idle connections beyond this part of a server's connections (0 to 100) are closed (mysql-free_connections_pct). */
  readonly freeConnectionsPct: number
  /** Idle connections up to that part are opened before anybody asks (mysql-connection_warming). */
  readonly connectionWarming: boolean
  /** Connections opened per second to the servers of a hostgroup over all workers (mysql-throttle_connections_per_sec_to_hostgroup). */
  readonly throttleConnectionsPerSecToHostgroup: number
  /** Age after which an idle connection is closed; 0: none (mysql-connection_max_age_ms). */
  readonly connectionMaxAgeMs: number
  /** An idle connection is pinged after so long (mysql-ping_interval_server_msec); 0: never. */
  readonly pingIntervalServerMs: number
  /**
   * While others wait for a connection, how long an idle session may hold one for what only that one can tell of its last
   * statement: warnings, an error, a count of rows.
   */
  readonly diagnosticsHoldMs: number
  /** A statement that takes longer counts as slow (mysql-long_query_time). */
  readonly longQueryMs: number
  /** Short reads of several sessions that may be in flight on one server connection; 1: none but one. 1 to 64. */
  readonly pipelineDepth: number
  /** Statements of a worker that have to be in flight on a server before one of its reads is put behind others. */
  readonly pipelineFrom: number
  /** Reads whose digest takes no longer than this, in ms, are short. */
  readonly pipelineQueryTimeMs: number
  /** How long a draining worker lets statements and transactions finish. */
  readonly shutdownTimeoutMs: number
  /** A worker that tells the control plane nothing for so long is killed, and another one started; 0: never. */
  readonly workerHangMs: number
}

export interface ListenAddress {
  /** Set for TCP. */
  readonly host?: string
  readonly port?: number
  /** Set for a unix socket. */
  readonly path?: string
}

export const CLIENT_TLS_MODES = ['off', 'preferred', 'required', 'verify_ca'] as const
export type ClientTlsMode = (typeof CLIENT_TLS_MODES)[number]

/** TLS towards clients. Never logged. */
export interface TlsMaterial {
  readonly mode: Exclude<ClientTlsMode, 'off'>
  /** PEM. */
  readonly key: string
  readonly cert: string
  /** PEM: who may have signed the certificates of clients; null unless the mode is verify_ca. */
  readonly ca: string | null
  /** Base64 of the 48 random bytes that session tickets are encrypted with, alike in all workers. */
  readonly ticketKeys: string
}

export interface Snapshot {
  /** Counts up from 1. */
  readonly version: number
  readonly listen: readonly ListenAddress[]
  /** Clients are not accepted for now; those that are there stay. */
  readonly paused?: boolean
  readonly servers: readonly ServerEntry[]
  readonly facts: readonly ServerFacts[]
  readonly replicationHostgroups: readonly ReplicationHostgroup[]
  readonly users: readonly UserEntry[]
  /** null: only configured users may log in. */
  readonly passThrough: PassThrough | null
  /** Hashes (`*...`) of the servers' mysql_native_password accounts by name, as far as the monitor may read them; never logged. */
  readonly nativeHashes: Readonly<Record<string, readonly string[]>>
  readonly greeting: GreetingFacts
  /** `schema.name`, lower case: stored functions that the catalogue says read at most. */
  readonly readOnlyFunctions: readonly string[]
  readonly limits: Limits
  /** Whether sessions of an account share server connections. */
  readonly multiplexing: boolean
  /** Hostgroups whose connections are not shared all the same. */
  readonly exclusiveHostgroups: readonly number[]
  /** At most one of a hostgroup. Absent: all are alike. */
  readonly hostgroupAttributes?: readonly HostgroupAttributes[]
  /** Statements with which connections to servers begin; absent: none. */
  readonly initConnect?: readonly string[]
  readonly consistency: ConsistencySettings
  readonly digests: DigestSettings
  /** Of the query rules, which travel by themselves (query-rules.ts); absent: there are none. */
  readonly rulesVersion?: number
  readonly queryCache: QueryCacheSettings
  /** null: clients are not offered TLS. */
  /** Whether clients may be asked for local files (LOAD DATA LOCAL), where the servers allow it. */
  readonly localInfile: boolean
  readonly tls: TlsMaterial | null
  /** Addresses, CIDR ranges, `localhost` (unix sockets) or `*`, from which a PROXY protocol header is believed. */
  readonly proxyProtocolNetworks: readonly string[]
  /** At least one. */
  readonly compressionAlgorithms: readonly ClientCompressionAlgorithm[]
  /** Number of workers among which per-server and global limits are divided. At least 1. */
  readonly workers: number
}

/** What the monitor knows of one server at this moment. */
export interface ServerHealth {
  readonly id: ServerId
  /** Answered the last check. */
  readonly alive: boolean
  /** Replication lag in milliseconds; 0 on a primary; null: unknown or replication is broken (`lagReason` says). */
  readonly lagMs: number | null
  readonly lagReason: string
  /** What it has executed, as a GTID set (MySQL) or a position (MariaDB: see `CoverageTracker`); empty where there is none. */
  readonly gtidExecuted: string
  /** Without GTIDs: its place in the primary's binary log tells what it has (`LogCoverage`). */
  readonly toldByLog: boolean
  /**
   * Monotonic time in milliseconds: everything that the primary had executed at this time is known to be applied here.
   * -1: not known. A session that wrote before this time reads its writes from this server, GTID known or not.
   */
  readonly coversPrimaryAt: number
  /**
   * Goes up whenever the monitor has to connect anew, or the server has lost GTIDs: what was seen on the server before may
   * not be there any more.
   */
  readonly incarnation: number
}

export interface HealthReport {
  /** Counts up; a report with a lower number than one already seen is old. */
  readonly sequence: number
  readonly servers: readonly ServerHealth[]
}
