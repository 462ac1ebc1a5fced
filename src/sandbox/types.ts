import type { ConnectionOptions } from 'mysql2/promise'

export type Engine = 'mysql' | 'mariadb'

/** Tells people (and `--json`) what is going on. `percent` runs from 0 to 100 within one `step`. */
export type Progress = (event: { step: ProgressStep; message: string; percent?: number }) => void
export type ProgressStep = 'server' | 'download' | 'unpack' | 'initialise' | 'start' | 'replication' | 'ready' | 'stop'

/** How a server of one engine is started. Plain data: it is kept in the state file, so another process can start it too. */
export type Launch =
  | {
      kind: 'process'
      /** The program and what goes before its options: the server, or a private loader and the server. */
      command: readonly string[]
      /** Options that tell the server where its own files are. */
      options: readonly string[]
      /** Folder with the scripts that make MariaDB's system tables; MySQL has them built in. */
      shareDir?: string
    }
  | { kind: 'container'; image: string; imageId: string; program: string }

export interface ServerBinaries {
  engine: Engine
  /** As the server says it, without vendor suffix: `9.7.1`, `10.11.11`. */
  version: string
  /** Where it came from, for people: `mysqld on PATH (/usr/sbin/mysqld)`. */
  origin: string
  launch: Launch
  /** Command of the engine's own command-line client, where one came with the server. */
  client?: readonly string[]
}

export interface ObtainOptions {
  engine: Engine
  /** Path of a server to use, before all other sources. Default: the environment variable SLUICE_MYSQLD. */
  mysqld?: string | undefined
  /** Folder that keeps unpacked servers. Default: $SLUICE_CACHE_DIR, $XDG_CACHE_HOME/sluice or ~/.cache/sluice. */
  cacheDir?: string | undefined
  progress?: Progress | undefined
  signal?: AbortSignal | undefined
}

export interface Account {
  user: string
  password: string
}

export interface Accounts {
  /** May do everything; no password. From 127.0.0.1 and the socket only. */
  root: Account
  /** What an application would use: everything that needs no administrator. */
  app: Account
  /** Least privilege for health checks. */
  monitor: Account
  /** Used by the replicas. */
  replication: Account
}

export interface StartServerOptions {
  /** Starts read-only or not, whatever the role says. Default: replicas read-only, the primary not. */
  readOnly?: boolean
}

export type ServerRole = 'primary' | 'replica'
export type ServerState = 'running' | 'paused' | 'stopped'

export interface SandboxServer {
  /** `primary`, `replica1`, `replica2`, ...: the name it began with; it stays when the role changes. */
  readonly name: string
  readonly role: ServerRole
  readonly host: '127.0.0.1'
  readonly port: number
  readonly socket: string
  readonly datadir: string
  /** Process id; of a stopped server the last one. */
  readonly pid: number
  readonly errorLog: string
  readonly serverId: number
  /** Asked of the operating system each time. */
  state(): ServerState
  /** Ends it with SIGTERM (or `signal`) and waits until it is gone; SIGKILL after 30 s. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and data, and waits until it answers. */
  start(options?: StartServerOptions): Promise<void>
  /** SIGKILL: what a crash looks like. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Options for mysql2's `createConnection` as root over TCP. */
  root(): ConnectionOptions
}

export interface Cluster {
  readonly engine: Engine
  readonly version: string
  readonly dir: string
  readonly binaries: ServerBinaries
  readonly servers: readonly SandboxServer[]
  readonly primary: SandboxServer
  readonly replicas: readonly SandboxServer[]
  readonly accounts: Accounts
  /**
   * Waits until every running replica has executed everything the primary has, judged by GTID or coordinates.
   * @throws SandboxError naming the replica, after `timeoutMs` (default 30,000)
   */
  waitForReplicas(timeoutMs?: number): Promise<void>
  /**
   * Makes `replica` the primary. A running old primary becomes a read-only replica after the new one has caught up; one that
   * is down becomes a replica when it is started again. All other running servers replicate from the new primary.
   * With `byCoordinates` all servers have to run, and to catch up first.
   */
  promote(replica: SandboxServer): Promise<void>
  /** Lets the replica stay `seconds` behind (0 ends it). */
  setReplicaDelay(replica: SandboxServer, seconds: number): Promise<void>
  stopReplication(replica: SandboxServer): Promise<void>
  startReplication(replica: SandboxServer): Promise<void>
  /** Runs one statement as root on a connection of its own and returns the rows (or the result header). */
  execute<T = Record<string, unknown>[]>(server: SandboxServer, sql: string, params?: unknown[]): Promise<T>
  /** Stops every server and removes the folder. Also for a cluster that is only half there; may be called twice. */
  down(): Promise<void>
}

export interface ClusterOptions {
  engine: Engine
  /** 0 to 8, default 2. */
  replicas?: number | undefined
  /** Folder for all files, absent or empty. Default: a new one in the system's folder for temporary files. */
  dir?: string | undefined
  /** Semi-synchronous replication on all servers. */
  semiSync?: boolean | undefined
  /** MySQL only: `gtid_mode=OFF` and replication by binary log coordinates. Default: replication by GTID. */
  byCoordinates?: boolean | undefined
  /** Default false: the servers end with this process, however it ends. With true they outlive it. */
  detached?: boolean | undefined
  mysqld?: string | undefined
  cacheDir?: string | undefined
  progress?: Progress | undefined
  /** Ends a start that is under way: everything is cleaned up, then the promise rejects. */
  signal?: AbortSignal | undefined
  /** More options for every server, in the server's own syntax. They come last, so they win. */
  serverOptions?: readonly string[] | undefined
  /** A server obtained before; saves the search. */
  binaries?: ServerBinaries | undefined
}
