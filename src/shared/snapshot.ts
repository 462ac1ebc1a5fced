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
  /** Seconds; 0: no limit. */
  readonly maxReplicationLag: number
  readonly useSsl: boolean
  readonly comment: string
}

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

export interface UserEntry {
  readonly name: string
  /** In clear in this issue; never logged. */
  readonly password: string
  readonly defaultHostgroup: number
  readonly defaultSchema: string | null
  /** Client connections over all workers; 0: no limit of its own. */
  readonly maxConnections: number
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
  /** @@global.sql_mode of the primary: new sessions begin with it. */
  readonly sqlMode?: string
}

/** Times in milliseconds, sizes in bytes; 0 switches a limit off unless it says otherwise. */
export interface Limits {
  /** Client connections over all workers (1040). At least 1. */
  readonly maxConnections: number
  /** How long a statement may wait for a backend connection before 9001. At least 1. */
  readonly connectTimeoutServerMaxMs: number
  /** One attempt to connect and log in to a backend. At least 1. */
  readonly connectTimeoutServerMs: number
  /** A client must have logged in within this time. At least 1. */
  readonly handshakeTimeoutMs: number
  /** A client that sends no command for so long is disconnected (`wait_timeout`). */
  readonly waitTimeoutMs: number
  /** Largest command (1153). 1 KiB to 1 GiB. */
  readonly maxAllowedPacket: number
  /** Commands up to this size are held whole (and can be repeated); longer ones are streamed to the primary. */
  readonly maxBufferedCommand: number
  /** How long a draining worker lets statements and transactions finish. */
  readonly shutdownTimeoutMs: number
}

export interface ListenAddress {
  /** Set for TCP. */
  readonly host?: string
  readonly port?: number
  /** Set for a unix socket. */
  readonly path?: string
}

export interface TlsMaterial {
  /** PEM. Never logged. */
  readonly key: string
  readonly cert: string
}

export interface Snapshot {
  /** Counts up from 1. */
  readonly version: number
  readonly listen: readonly ListenAddress[]
  readonly servers: readonly ServerEntry[]
  readonly facts: readonly ServerFacts[]
  readonly replicationHostgroups: readonly ReplicationHostgroup[]
  readonly users: readonly UserEntry[]
  readonly greeting: GreetingFacts
  /** `schema.name`, lower case: stored functions that the catalogue says read at most. */
  readonly readOnlyFunctions: readonly string[]
  readonly limits: Limits
  readonly tls: TlsMaterial | null
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
  /** Executed GTID set (MySQL) or gtid_current_pos (MariaDB); empty where there is none. */
  readonly gtidExecuted: string
  /**
   * Monotonic time in milliseconds: everything that the primary had executed at this time is known to be applied here.
   * -1: not known. A session that wrote before this time reads its writes from this server, GTID known or not.
   */
  readonly coversPrimaryAt: number
}

export interface HealthReport {
  /** Counts up; a report with a lower number than one already seen is old. */
  readonly sequence: number
  readonly servers: readonly ServerHealth[]
}
