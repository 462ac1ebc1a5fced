import { monotonicMs } from '../../shared/clock.js'
import type { Logger } from '../../shared/log.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { MonitorConfig, ServerConfig } from '../config/config-schema.js'
import type { BinlogPosition } from './binlog-position.js'
import type { Span } from './monitor-log.js'
import {
  ACCOUNTS_QUERY,
  APPLIER_QUERY,
  binlogQuery,
  type Channel,
  channelsQuery,
  type Dialect,
  dialectOf,
  isAtLeast,
  ROUTINES_QUERY,
  type Row,
  readApplierLag,
  readBinlog,
  readChannels,
  readNativeHashes,
  readRoutines,
  readState,
  type ServerState,
  stateQuery,
} from './monitor-queries.js'
import { ProbeConnection, ProbeError } from './probe.js'

/** What one poll of a server found. Times are monotonic milliseconds. */
export interface Poll {
  readonly askedMs: number
  readonly answeredMs: number
  readonly dialect: Dialect
  readonly state: ServerState
  /** undefined: not asked this time; null: not readable, `channelsProblem` says why. */
  readonly channels: readonly Channel[] | null | undefined
  readonly channelsProblem: string
  /** End of a primary's binary log, where GTIDs do not tell. undefined: not asked this time; null: it has none, or it may not be read. */
  readonly binlog: BinlogPosition | null | undefined
  /** null: the server does not tell. */
  readonly applierMs: number | null
}

export interface ServerMonitorEvents {
  /** A connection was made and its greeting read; before its first poll. */
  connected(connection: ProbeConnection): void
  polled(poll: Poll): void
  /** A connection was made, or could not be; or a poll has failed. `error`: null: it has not. */
  looked(kind: 'connect' | 'ping', span: Span, error: string | null): void
  /** The server is there but does not let the monitor look. */
  blind(reason: string): void
  failed(reason: string): void
  routines(names: readonly string[]): void
  /** Hashes of mysql_native_password by account; empty: none, or not to be read. */
  nativeHashes(hashes: Readonly<Record<string, readonly string[]>>): void
  /** Whether this server is the one whose stored functions, accounts and binary log count. */
  isPrimary(): boolean
}

/** Pauses after the first failures, so that a dead server is known soon: shorter when the failure itself took long. */
const RETRY_MS = 200
const RETRY_AFTER_SLOW_MS = 50
const SLOW_FAILURE_MS = 300
/** Least time between two rounds, however often somebody asks for one. */
const PAUSE_MS_MIN = 50
const JITTER = 0.2
/** How long the replication status is left alone after it did not answer (STOP REPLICA can hold it up for minutes). */
const HOLD_MS = 5000
const HOLD_MS_MAX = 60_000
const ROUTINES_TIMEOUT_MS = 2000

/** Watches one server over one connection, one statement at a time. */
export class ServerMonitor {
  readonly id: ServerId
  private readonly server: ServerConfig
  private readonly config: MonitorConfig
  private readonly log: Logger
  private readonly events: ServerMonitorEvents
  private connection: ProbeConnection | null = null
  private dialect: Dialect = dialectOf('')
  private failures = 0
  private stopped = false
  private checkRequested = false
  private wake: (() => void) | null = null
  private replicationDueMs = 0
  private replicationHoldMs = HOLD_MS
  private routinesDueMs = 0
  private accountsDueMs = 0
  /** Reasons for which a part is not readable with the monitor's grants; empty: it is, or was not tried. */
  private channelsDenied = ''
  private applierDenied = ''
  private binlogDenied = ''
  /** As the last poll has found it. */
  private lacksGtids = false
  private grantsDueMs = 0

  constructor(server: ServerConfig, config: MonitorConfig, log: Logger, events: ServerMonitorEvents) {
    this.id = server.id
    this.server = server
    this.config = config
    this.log = log
    this.events = events
  }

  /** Runs until `stop`; it never rejects. */
  async run(): Promise<void> {
    while (!this.stopped) {
      const startedMs = monotonicMs()
      const ok = await this.round()
      if (ok) await this.readRoutinesIfDue()
      if (ok) await this.readAccountsIfDue()
      const tookMs = monotonicMs() - startedMs
      await this.pause(ok ? this.nextPollInMs() - tookMs : this.retryInMs(tookMs))
    }
    this.connection?.close()
  }

  stop(): void {
    this.stopped = true
    this.connection?.close()
    this.wake?.()
  }

  /** Looks at once instead of at the next interval. */
  checkNow(): void {
    this.checkRequested = true
    this.wake?.()
  }

  private async round(): Promise<boolean> {
    let askedMs = monotonicMs()
    try {
      if (this.connection === null) {
        await this.connect()
        this.events.looked('connect', { askedMs, answeredMs: monotonicMs() }, null)
        askedMs = monotonicMs()
      }
      this.events.polled(await this.poll(this.connection!))
      this.failures = 0
      return true
    } catch (error) {
      if (this.stopped) return false
      this.fail(error, { askedMs, answeredMs: monotonicMs() })
      return false
    }
  }

  private fail(error: unknown, span: Span): void {
    this.failures++
    const reason = error instanceof Error ? error.message : String(error)
    this.events.looked(this.connection === null ? 'connect' : 'ping', span, reason)
    this.dropConnection()
    if (!(error instanceof ProbeError)) this.log.error({ err: error, server: this.id }, `monitor of ${this.id} failed`)
    if (error instanceof ProbeError && error.kind !== 'unreachable') this.events.blind(`monitor: ${reason}`)
    else this.events.failed(reason)
  }

  private async connect(): Promise<void> {
    const connection = await ProbeConnection.open({
      ...this.server,
      user: this.config.user,
      password: this.config.password,
      connectTimeoutMs: this.config.connectTimeoutMs,
    })
    this.connection = connection
    this.dialect = dialectOf(connection.greeting.serverVersion)
    this.grantsDueMs = 0
    // Ages of transactions are computed by the server: no time zone may come between.
    await connection.query(["SET time_zone = '+00:00'"], this.config.pingTimeoutMs)
    connection.whenLost(() => this.checkNow())
    this.events.connected(connection)
  }

  private dropConnection(): void {
    this.connection?.close()
    this.connection = null
  }

  /** One round trip, or a few when it has to find out what the monitor may read. */
  private async poll(connection: ProbeConnection): Promise<Poll> {
    const nowMs = monotonicMs()
    const withReplication = nowMs >= this.replicationDueMs
    if (withReplication && nowMs >= this.grantsDueMs) await this.findGrants(connection)
    const statements = [stateQuery(this.dialect)]
    const add = (statement: string, isAsked: boolean): number => (isAsked ? statements.push(statement) - 1 : -1)
    const channelsAt = add(channelsQuery(this.dialect), withReplication && this.channelsDenied === '')
    const applierAt = add(APPLIER_QUERY, withReplication && this.readsApplier())
    const binlogAt = add(binlogQuery(this.dialect), withReplication && this.readsBinlog())
    const askedMs = monotonicMs()
    const results = await this.ask(connection, statements, withReplication)
    const answeredMs = monotonicMs()
    if (withReplication) {
      this.replicationHoldMs = HOLD_MS
      this.replicationDueMs = askedMs + this.config.replicationLagIntervalMs - PAUSE_MS_MIN
    }
    const state = readState(results[0][0], this.dialect)
    this.lacksGtids = state.lacksGtids
    const notRead = withReplication ? null : undefined
    return {
      askedMs,
      answeredMs,
      dialect: this.dialect,
      state,
      channels: channelsAt < 0 ? notRead : readChannels(results[channelsAt]),
      channelsProblem: this.channelsDenied,
      binlog: binlogAt < 0 ? notRead : readBinlog(results[binlogAt][0], state),
      applierMs: applierAt < 0 ? null : readApplierLag(results[applierAt][0]),
    }
  }

  private async ask(connection: ProbeConnection, statements: string[], withReplication: boolean): Promise<Row[][]> {
    const { pingTimeoutMs, readOnlyTimeoutMs, replicationLagTimeoutMs } = this.config
    const timeoutMs = withReplication ? replicationLagTimeoutMs : Math.min(pingTimeoutMs, readOnlyTimeoutMs)
    try {
      return await connection.query(statements, timeoutMs)
    } catch (error) {
      if (withReplication) this.holdReplication(error)
      throw error
    }
  }

  /** The next rounds ask only for the state: whether that answers decides whether the server is alive. */
  private holdReplication(error: unknown): void {
    if (error instanceof ProbeError && error.kind === 'sql') {
      this.grantsDueMs = 0
      return
    }
    this.replicationDueMs = monotonicMs() + this.replicationHoldMs
    this.replicationHoldMs = Math.min(this.replicationHoldMs * 2, HOLD_MS_MAX)
  }

  /** Tries each part alone: an error in one would hide the others' answers. Grants may come later, so it is repeated. */
  private async findGrants(connection: ProbeConnection): Promise<void> {
    this.channelsDenied = await this.tryStatement(connection, channelsQuery(this.dialect))
    this.applierDenied = this.hasApplierTables() ? await this.tryStatement(connection, APPLIER_QUERY) : ''
    this.binlogDenied =
      this.dialect.flavor === 'mysql' ? await this.tryStatement(connection, binlogQuery(this.dialect)) : ''
    const complete = this.channelsDenied === '' && this.applierDenied === '' && this.binlogDenied === ''
    this.grantsDueMs = complete ? Number.POSITIVE_INFINITY : monotonicMs() + this.config.routinesIntervalMs
  }

  private async tryStatement(connection: ProbeConnection, statement: string): Promise<string> {
    try {
      await this.ask(connection, [statement], true)
      return ''
    } catch (error) {
      if (error instanceof ProbeError && error.kind === 'sql') return `monitor: ${error.message}`
      throw error
    }
  }

  private hasApplierTables(): boolean {
    return this.dialect.flavor === 'mysql' && isAtLeast(this.dialect, 8, 0, 1)
  }

  private readsApplier(): boolean {
    return this.channelsDenied === '' && this.applierDenied === '' && this.hasApplierTables()
  }

  /**
   * Where GTIDs tell what a server has, nobody needs the end of its log, and of a replica nobody does: the question waits
   * while a large transaction is written to the log.
   */
  private readsBinlog(): boolean {
    return this.lacksGtids && this.binlogDenied === '' && this.events.isPrimary()
  }

  private async readRoutinesIfDue(): Promise<void> {
    const connection = this.connection
    if (connection === null || monotonicMs() < this.routinesDueMs || !this.events.isPrimary()) return
    this.routinesDueMs = monotonicMs() + this.config.routinesIntervalMs
    try {
      const [rows] = await connection.query([ROUTINES_QUERY], ROUTINES_TIMEOUT_MS)
      this.events.routines(readRoutines(rows))
    } catch (error) {
      // A slow catalogue says nothing about the server: the next round decides.
      this.routinesDueMs = monotonicMs() + Math.max(HOLD_MS_MAX, this.config.routinesIntervalMs)
      this.log.warn(`the stored functions of ${this.id} cannot be read: ${(error as Error).message}`)
      if (connection.isLost) this.dropConnection()
    }
  }

  private async readAccountsIfDue(): Promise<void> {
    const connection = this.connection
    if (connection === null || monotonicMs() < this.accountsDueMs || !this.events.isPrimary()) return
    this.accountsDueMs = monotonicMs() + this.config.accountsIntervalMs
    try {
      const [rows] = await connection.query([ACCOUNTS_QUERY], ROUTINES_TIMEOUT_MS)
      this.events.nativeHashes(readNativeHashes(rows))
    } catch (error) {
      // Reading the accounts is a grant that not every monitor has: without it those accounts are asked differently.
      this.events.nativeHashes({})
      this.accountsDueMs = monotonicMs() + Math.max(HOLD_MS_MAX, this.config.accountsIntervalMs)
      this.log.debug(`the accounts of ${this.id} cannot be read: ${(error as Error).message}`)
      if (connection.isLost) this.dropConnection()
    }
  }

  private nextPollInMs(): number {
    const { pingIntervalMs, readOnlyIntervalMs, replicationLagIntervalMs } = this.config
    return Math.min(pingIntervalMs, readOnlyIntervalMs, replicationLagIntervalMs)
  }

  private retryInMs(tookMs: number): number {
    const beyond = this.failures - this.config.pingMaxFailures
    if (beyond < 0) return tookMs > SLOW_FAILURE_MS ? RETRY_AFTER_SLOW_MS : RETRY_MS
    const backoffMs = Math.min(RETRY_MS * 2 ** Math.min(beyond, 20), this.config.connectIntervalMs)
    return backoffMs * (1 + JITTER * (2 * Math.random() - 1))
  }

  private pause(ms: number): Promise<void> {
    const waitMs = Math.max(PAUSE_MS_MIN, this.checkRequested ? 0 : ms)
    this.checkRequested = false
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.wake = null
        resolve()
      }
      const timer = setTimeout(end, waitMs)
      // Also while it waits because of a request: one more changes nothing then.
      this.wake = waitMs > PAUSE_MS_MIN || this.stopped ? end : null
      if (this.stopped) end()
    })
  }
}
