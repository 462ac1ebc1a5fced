import type { WorkerCounters } from '../shared/counters.js'
import type { RouteAnswer, RouteQuestion } from '../shared/explanation.js'
import type { ProcessRow } from '../shared/ipc.js'
import type { HealthReport, ServerId, Snapshot } from '../shared/snapshot.js'
import type { WorkerTable, WorkerTables } from '../shared/worker-tables.js'
import type { AuditLog } from './audit-log.js'
import type { Config } from './config/config-schema.js'
import type { ConfigStore } from './config-store/store.js'
import type { NewEvent, ProxyEvent } from './event-log.js'
import type { StatsHistory } from './metrics/stats-history.js'
import type { MonitorLog } from './monitor/monitor-log.js'
import type { WriterVerdict } from './topology/writer-confirmation.js'

/**
 * `starting`: forked, has not said that it listens; `serving`; `draining`: told to finish; `exited`: gone, to be replaced.
 */
export type WorkerState = 'starting' | 'serving' | 'draining' | 'exited'

export interface WorkerView {
  /** From 1; a replacement has the number of the worker it replaces. */
  readonly number: number
  /** 0 when there is no process. */
  readonly pid: number
  readonly state: WorkerState
  /** Version of the newest snapshot that the worker acknowledged; 0: none yet. */
  readonly ackedVersion: number
  /** Monotonic ms. */
  readonly startedMs: number
  /** As it told last; null: it has told nothing yet, or is gone. */
  readonly load: WorkerLoad | null
}

export interface WorkerLoad {
  readonly sessions: number
  /** Connections to servers. */
  readonly connectionsUsed: number
  readonly connectionsFree: number
  readonly questions: number
  readonly residentBytes: number
  /** CPU time since its start, and what part of a core it took lately. */
  readonly cpuUs: number
  readonly cpuShare: number
}

/** What is known of the servers' roles beside their rows. */
export interface RolesView {
  /** From where each server replicates: `host:port`. */
  readonly sources: ReadonlyMap<ServerId, string>
  /** Since when the server that has the role of each writer hostgroup has it: milliseconds since 1970. */
  readonly writerSince: ReadonlyMap<number, number>
  /** Writable servers that are refused as a second writer, and why. */
  readonly refused: ReadonlyMap<ServerId, string>
}

/** What the admin port and the metrics endpoint may look at. Everything is a copy or immutable. */
export interface ControlView {
  snapshot(): Snapshot
  health(): HealthReport
  /** Merged over all workers, those that have died included, so that totals never go down; as they were told in the last second. */
  counters(): WorkerCounters
  /** Has the workers tell `counters`, `ruleHits` and their `load` as they are now; one that does not answer for a second is not waited for. */
  countNow(): Promise<void>
  workers(): readonly WorkerView[]
  /** Sessions of all workers; those of a worker that does not answer in time are left out. */
  processlist(): Promise<readonly ProcessRow[]>
  /** Where a worker would send a statement; null: there is no session of that id, or its worker does not answer. */
  explainRoute(question: RouteQuestion): Promise<RouteAnswer | null>
  /** Statements that each active query rule has matched since the rules were loaded, by rule_id. */
  ruleHits(): ReadonlyMap<number, number>
  /** Empties the result cache of all workers. */
  flushQueryCache(): Promise<void>
  /**
   * Rows that workers hold, one worker's behind the other's; those of a worker that does not answer in time are left out.
   * @param reset what they count begins anew with the rows that are told
   */
  workerRows<T extends WorkerTable>(table: T, reset: boolean): Promise<readonly WorkerTables[T][]>
  /** What the monitor has seen of the servers lately. */
  monitorLog(): Pick<MonitorLog, 'of' | 'count' | 'latencyUs'>
  /** How the counters were. */
  history(): Pick<StatsHistory, 'minutes' | 'hours'>
  /** When the control plane started: milliseconds since 1970. */
  readonly startedAt: number
  /** Whether clients can be served; `reason` says why not. */
  ready(): { readonly ready: boolean; readonly reason: string }
  /** What changed, oldest first; bounded. */
  events(): readonly ProxyEvent[]
  /** Who did what. */
  readonly audit: Pick<AuditLog, 'write' | 'reopen'>
  /** Adds to `events`. */
  note(event: NewEvent): void
  roles(): RolesView
  /** In force; what needs a restart is as it was at the start. */
  readonly operations: Operations
  readonly config: Config
  /** The configuration in its layers. */
  readonly store: ConfigStore
  /** Reads the files of TLS towards clients again; rejects with a UsageError, nothing changed, when they cannot be used. */
  reloadTls(): Promise<void>
  /** Whether a server has the writer's role; has its pair looked at, and waits up to `waitMs` for it. */
  confirmWriter(server: ServerId, waitMs: number): Promise<WriterVerdict>
}

/** drain: as SIGTERM; slow: sessions may take as long as they do; kill: at once. */
export type Shutdown = 'drain' | 'slow' | 'kill'

/** What operators may ask of the proxy as a whole. */
export interface Operations {
  /** No more clients are accepted; those that are there stay. Resolves when all workers have done so. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Pauses, and ends the sessions that are there as a shutdown does; this process stays. */
  stopServing(): Promise<void>
  /** Rejects with a UsageError, nothing changed, when new workers cannot be started. */
  restartWorkers(): Promise<void>
  shutdown(how: Shutdown, who: string): void
  /** Addresses that had to wait for failed logins need not any more. */
  forgetFailedLogins(): void
  /** Ends a client session, or only its statement. @returns false: there is no session of that id */
  killSession(id: number, statementOnly: boolean): Promise<boolean>
}

/** What `startAdmin`, `startMetrics` and `startApi` return. */
export interface RunningService {
  /** Where it listens, as for people: `127.0.0.1:6032`. */
  readonly address: string
  close(): Promise<void>
}
