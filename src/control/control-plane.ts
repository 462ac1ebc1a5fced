import { monotonicMs } from '../shared/clock.js'
import { CommitTimes } from '../shared/commit-times.js'
import type { WorkerCounters } from '../shared/counters.js'
import { UsageError } from '../shared/errors.js'
import type { RouteAnswer, RouteQuestion } from '../shared/explanation.js'
import type { ProcessRow } from '../shared/ipc.js'
import type { Logger } from '../shared/log.js'
import type { HealthReport, ServerEntry, ServerId, Snapshot } from '../shared/snapshot.js'
import type { WorkerTable, WorkerTables } from '../shared/worker-tables.js'
import { AuditLog } from './audit-log.js'
import { buildSnapshot } from './build-snapshot.js'
import type { Config } from './config/config-schema.js'
import type { Applied, ConfigStore, RuntimeTarget } from './config-store/store.js'
import { EventLog, type NewEvent, type ProxyEvent } from './event-log.js'
import { StatsHistory } from './metrics/stats-history.js'
import { Monitor } from './monitor/monitor.js'
import type { MonitorLog } from './monitor/monitor-log.js'
import {
  commitTimesPath,
  identifyProcess,
  isSameProcess,
  type ProcessIdentity,
  readRunFile,
  removeRunFile,
  runFilePath,
  writeRunFile,
} from './run-file.js'
import { Scheduler } from './scheduler.js'
import { ClientTls } from './ticket-keys.js'
import { type LoadedTls, loadTls } from './tls.js'
import { initialTopology, observe, reconfigure } from './topology/topology.js'
import type {
  Instant,
  Observation,
  Observed,
  TopologyEffect,
  TopologyRules,
  TopologyState,
  TopologyStep,
} from './topology/topology-types.js'
import { isWriter, membersOf } from './topology/topology-writer.js'
import { confirmWriter, type WriterVerdict } from './topology/writer-confirmation.js'
import type { ControlView, Operations, RolesView, Shutdown, WorkerView } from './view.js'
import { PublishedRules } from './workers/published-rules.js'
import { doesNotAnswer, Supervisor } from './workers/supervisor.js'

/** How long the start waits for a first word of every server. */
const FIRST_ROUND_MS = 2000
/** Whoever gets hold of the keys of session tickets can read no more than this. */
const TICKET_KEYS_MS = 12 * 3_600_000

/** After a snapshot the next one waits for so many times what this one took, and for no longer than the maximum. */
const PUBLISH_PAUSE = 3
const PUBLISH_PAUSE_MS_MAX = 200

/** What a worker process runs. */
export interface WorkerEntry {
  readonly file: string
  readonly args: readonly string[]
}

/** Monitor, topology and supervisor joined: what is seen becomes what is so becomes what workers are told. */
export class ControlPlane implements ControlView, RuntimeTarget {
  readonly startedAt = Date.now()
  readonly store: ConfigStore
  readonly audit: AuditLog
  /** Ends this process; whoever runs it knows how. */
  onShutdown: (how: Shutdown, who: string) => void = () => {}
  private current: Config
  private readonly tls: ClientTls
  private readonly ticketTimer: NodeJS.Timeout
  private readonly log: Logger
  private hasRunFile = false
  private readonly supervisor: Supervisor
  private readonly scheduler: Scheduler
  private readonly rules = new PublishedRules()
  private readonly monitor: Monitor
  private readonly statsHistory = new StatsHistory(() => this.supervisor.counters())
  private topology: TopologyState
  private readonly unjudged: Observed[] = []
  private readonly happened = new EventLog()
  /** Who has the role of each writer hostgroup, and since when. */
  private readonly writers = new Map<number, { readonly server: ServerId; readonly sinceDateMs: number }>()
  private published: Snapshot
  private publishScheduled = false
  /** How long making and sending the last snapshot took. */
  private publishMs = 0
  private readonly onObserved = new Set<() => void>()
  private paused = false
  /** Workers that an earlier start has left behind; null: not looked for yet. */
  private before: readonly ProcessIdentity[] | null = null
  private phase: 'starting' | 'serving' | 'draining' = 'starting'
  /** Resolves when the workers are told what is published, or need not be told any more. */
  private readonly started: Promise<void>
  private noteStarted: () => void = () => {}

  constructor(store: ConfigStore, tls: LoadedTls, entry: WorkerEntry, log: Logger) {
    const { config } = store
    this.store = store
    this.current = config
    this.tls = new ClientTls(tls)
    this.log = log
    this.audit = new AuditLog(log, config.admin?.auditLog ?? null)
    this.topology = initialTopology(rulesOf(config))
    this.monitor = new Monitor(config.servers, config.monitor, log, {
      observed: (observation) => this.observed(observation),
      health: (report) => this.supervisor.pushHealth(report),
      learned: () => this.schedulePublish(),
      primaryOf: (server) => primaryOf(this.topology, server),
    })
    this.scheduler = new Scheduler(log)
    this.supervisor = new Supervisor({
      workers: config.workers,
      entry: entry.file,
      args: entry.args,
      commitTimes: commitTimesPath(config.datadir, config.listen),
      log,
      rules: this.rules,
      onSuspicion: (server) => this.monitor.suspect(server),
      onEvent: (event) => this.happened.note(event),
      onWorkersChanged: (pids) => this.noteProcesses(pids),
    })
    this.published = this.build(1)
    this.ticketTimer = setInterval(() => this.rotateTicketKeys(), TICKET_KEYS_MS)
    this.ticketTimer.unref()
    this.started = new Promise((resolve) => {
      this.noteStarted = resolve
    })
    store.attach(this)
  }

  /**
   * Looks at the servers, then starts the workers; resolves when all of them listen.
   * @param takeOver makes room for them: called when they are ready to listen
   */
  async start(takeOver: () => Promise<void>): Promise<void> {
    // What was written before this moment the first look at the servers covers.
    this.makeCommitTimes()
    this.monitor.start()
    await this.monitor.firstRound(FIRST_ROUND_MS)
    this.judge()
    if (this.monitor.learned().facts.length === 0) {
      this.log.warn('no server has answered yet: clients are greeted as by MySQL 8.0 and wait for one')
    }
    await this.publish()
    await this.supervisor.start(this.published, this.monitor.health(), takeOver)
    if (this.phase !== 'starting') return
    this.phase = 'serving'
    this.noteStarted()
    this.scheduler.configure(this.current.scheduler ?? [])
    // What was seen while the workers started.
    this.schedulePublish()
  }

  /** Takes what can change while it runs; the rest waits for the next start, and a warning says so. */
  async apply(config: Config): Promise<Applied> {
    // The datadir of the running proxy, whatever is configured by now.
    const tls = await loadTls({ ...config, datadir: this.current.datadir }, this.log)
    const { effective, waiting } = keepFixed(config, this.current)
    this.current = effective
    this.takeTls(tls)
    this.monitor.reconfigure(effective.servers, effective.monitor)
    if (this.phase === 'serving') this.scheduler.configure(effective.scheduler ?? [])
    this.judge()
    this.step(reconfigure(this.topology, rulesOf(effective), now()))
    const warnings = waiting.length === 0 ? [] : [`${waiting.join(', ')} changed: this needs a restart`]
    return { warnings, late: this.started.then(() => this.publish()) }
  }

  servers(): readonly ServerEntry[] {
    return this.topology.entries
  }

  async reloadTls(): Promise<void> {
    this.takeTls(await loadTls(this.current, this.log))
    this.schedulePublish()
  }

  /** Workers finish what they do, up to `shutdown_timeout` unless it is to be slow. A second call changes the limit. */
  async drain(slow = false): Promise<void> {
    this.phase = 'draining'
    await this.supervisor.drain(slow ? null : this.current.limits.shutdownTimeoutMs)
    await this.end()
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    this.phase = 'draining'
    this.supervisor.kill()
    await this.supervisor.whenAllExited()
    await this.end()
  }

  get config(): Config {
    return this.current
  }

  snapshot(): Snapshot {
    return this.published
  }

  health(): HealthReport {
    return this.monitor.health()
  }

  countNow(): Promise<void> {
    return this.supervisor.countNow()
  }

  counters(): WorkerCounters {
    return this.supervisor.counters()
  }

  workers(): readonly WorkerView[] {
    return this.supervisor.workers()
  }

  processlist(): Promise<readonly ProcessRow[]> {
    return this.supervisor.processlist()
  }

  explainRoute(question: RouteQuestion): Promise<RouteAnswer | null> {
    return this.supervisor.explainRoute(question)
  }

  ruleHits(): ReadonlyMap<number, number> {
    return this.rules.hits
  }

  flushQueryCache(): Promise<void> {
    return this.supervisor.flushQueryCache()
  }

  workerRows<T extends WorkerTable>(table: T, reset: boolean): Promise<readonly WorkerTables[T][]> {
    return this.supervisor.tableRows(table, reset)
  }

  monitorLog(): MonitorLog {
    return this.monitor.looks
  }

  history(): StatsHistory {
    return this.statsHistory
  }

  events(): readonly ProxyEvent[] {
    return this.happened.all()
  }

  note(event: NewEvent): void {
    this.happened.note(event)
  }

  readonly operations: Operations = {
    pause: () => this.setPaused(true),
    resume: () => this.setPaused(false),
    stopServing: async () => {
      await this.setPaused(true)
      await this.supervisor.replaceWorkers(this.current.limits.shutdownTimeoutMs)
    },
    restartWorkers: () => this.supervisor.replaceWorkers(this.current.limits.shutdownTimeoutMs),
    shutdown: (how, who) => this.onShutdown(how, who),
    forgetFailedLogins: () => this.supervisor.forgetFailedLogins(),
    killSession: (id, statementOnly) => this.supervisor.killSession(id, statementOnly),
  }

  private async setPaused(paused: boolean): Promise<void> {
    this.paused = paused
    const late = await this.publish()
    if (late.length > 0) throw new UsageError(`${doesNotAnswer(late)}; it follows when it does`)
  }

  roles(): RolesView {
    const since = [...this.writers].map(([writer, { sinceDateMs }]): [number, number] => [writer, sinceDateMs])
    return { sources: this.monitor.sources(), writerSince: new Map(since), refused: this.topology.refused }
  }

  confirmWriter(server: ServerId, waitMs: number): Promise<WriterVerdict> {
    return confirmWriter(server, waitMs, {
      topology: () => this.topology,
      check: (member) => this.monitor.suspect(member),
      onObserved: (listener) => {
        this.onObserved.add(listener)
        return () => this.onObserved.delete(listener)
      },
    })
  }

  ready(): { readonly ready: boolean; readonly reason: string } {
    if (this.phase === 'draining') return { ready: false, reason: 'shutting down' }
    if (this.paused) return { ready: false, reason: 'paused: no clients are accepted' }
    const workers = this.supervisor.workers()
    const serving = workers.filter(({ state }) => state === 'serving').length
    if (this.phase === 'starting') {
      return { ready: false, reason: `starting: ${serving} of ${this.current.workers} workers serve` }
    }
    if (serving === 0) return { ready: false, reason: 'no worker serves' }
    const online = this.topology.entries.some(({ status }) => status === 'ONLINE')
    return online ? { ready: true, reason: '' } : { ready: false, reason: 'no server is ONLINE' }
  }

  private takeTls(tls: LoadedTls): void {
    if (this.tls.replace(tls)) this.log.info('new clients get the TLS settings and certificate read now')
  }

  private rotateTicketKeys(): void {
    this.tls.rotate()
    this.schedulePublish()
  }

  private async end(): Promise<void> {
    this.noteStarted()
    clearInterval(this.ticketTimer)
    this.scheduler.stop()
    this.statsHistory.stop()
    await this.monitor.stop()
    this.audit.close()
    // Until workers are started it names those of an earlier start, which serve on.
    if (this.hasRunFile) removeRunFile(this.runFile())
  }

  /** What is observed within one turn is judged at once: with a thousand servers each judgement takes milliseconds. */
  private observed(observation: Observation): void {
    this.unjudged.push({ observation, atMs: monotonicMs() })
    if (this.unjudged.length === 1) setImmediate(() => this.judge())
  }

  private judge(): void {
    if (this.unjudged.length === 0) return
    this.step(observe(this.topology, this.unjudged.splice(0), now()))
    for (const listener of this.onObserved) listener()
  }

  private step({ state, effects }: TopologyStep): void {
    this.topology = state
    this.noteWriters()
    for (const effect of effects) {
      if (effect.kind === 'publish') this.schedulePublish()
      else if (effect.kind === 'check') this.monitor.suspect(effect.server)
      else this.noteTopology(effect)
    }
  }

  private noteTopology({ level, event }: Extract<TopologyEffect, { kind: 'log' }>): void {
    const { server, what, why, time } = event
    this.log[level]({ server }, `${server === '' ? '' : `${server}: `}${what} (${why})`)
    this.happened.note({ kind: 'topology', server, what, why }, time)
  }

  private noteWriters(): void {
    const { writers, rules } = this.topology
    for (const pair of rules.replicationHostgroups) {
      const server = writers.get(pair.writer)
      const holds = server !== undefined && isWriter(this.topology, pair, server)
      if (!holds) this.writers.delete(pair.writer)
      else if (this.writers.get(pair.writer)?.server !== server) {
        this.writers.set(pair.writer, { server, sinceDateMs: Date.now() })
      }
    }
  }

  /** What changes within one turn goes out as one snapshot. */
  private schedulePublish(): void {
    if (this.publishScheduled || this.phase === 'starting') return
    this.publishScheduled = true
    const publish = (): void => {
      this.publishScheduled = false
      void this.publish()
    }
    // With a thousand servers a snapshot is large, and they may change one by one: most of the time is left for the rest.
    const waitMs = Math.min(this.publishMs * PUBLISH_PAUSE, PUBLISH_PAUSE_MS_MAX)
    if (waitMs < 1) setImmediate(publish)
    else setTimeout(publish, waitMs)
  }

  /** @returns the numbers of workers that did not take it in time */
  private async publish(): Promise<readonly number[]> {
    const began = monotonicMs()
    this.published = this.build(this.published.version + 1)
    if (this.phase === 'starting') return []
    const late = this.supervisor.publish(this.published)
    this.publishMs = monotonicMs() - began
    return late
  }

  private build(version: number): Snapshot {
    this.rules.take(this.current.queryRules)
    const { rules, topology, tls } = this
    const built = buildSnapshot(
      this.current,
      topology.entries,
      this.monitor.learned(),
      tls.material,
      version,
      rules.current.version,
    )
    return this.paused ? { ...built, paused: true } : built
  }

  private noteProcesses(pids: readonly number[]): void {
    const parent = identifyProcess(process.pid)
    if (parent === null) return
    const workers = pids.flatMap((pid) => identifyProcess(pid) ?? [])
    this.hasRunFile = true
    // Those of an earlier start hold their addresses until they are told to leave: the next start has to know of them, too.
    this.before ??= readRunFile(this.runFile())?.workers ?? []
    writeRunFile(this.runFile(), { parent, workers: [...workers, ...this.before.filter(isSameProcess)] })
  }

  private makeCommitTimes(): void {
    const { path, datadir, listen } = this.current
    try {
      CommitTimes.create(commitTimesPath(datadir, listen))
    } catch (error) {
      throw new UsageError(
        `${path}: datadir: the workers' files cannot be made in ${datadir} (${(error as Error).message})`,
      )
    }
  }

  private runFile(): string {
    return runFilePath(this.current.datadir, this.current.listen)
  }
}

/** What only a start can change stays as it is. `waiting`: the keys of the file that have changed all the same. */
function keepFixed(
  config: Config,
  current: Config,
): { readonly effective: Config; readonly waiting: readonly string[] } {
  const fixed = (one: Config): Readonly<Record<string, unknown>> => ({
    listen: one.listen,
    workers: one.workers,
    admin: one.admin?.listen ?? null,
    metrics: one.metrics,
    api: one.api,
    datadir: one.datadir,
  })
  const [now, next] = [fixed(current), fixed(config)]
  const waiting = Object.keys(now).filter((key) => JSON.stringify(now[key]) !== JSON.stringify(next[key]))
  const { listen, workers, metrics, api, datadir } = current
  const admin =
    current.admin === null || config.admin === null ? current.admin : { ...config.admin, listen: current.admin.listen }
  return { effective: { ...config, listen, workers, metrics, api, datadir, admin }, waiting }
}

function rulesOf(config: Config): TopologyRules {
  const { servers, replicationHostgroups, hostgroupAttributes, defaultMaxLatencyMs, monitor } = config
  const { replicasMin } = config.consistency
  return {
    servers,
    replicationHostgroups,
    hostgroupAttributes,
    defaultMaxLatencyMs,
    maxFailures: monitor.pingMaxFailures,
    replicasMin,
  }
}

function primaryOf(state: TopologyState, server: ServerId): ServerId | null {
  for (const pair of state.rules.replicationHostgroups) {
    if (!membersOf(state.rules, pair).includes(server)) continue
    const holder = state.writers.get(pair.writer)
    if (holder !== undefined && isWriter(state, pair, holder)) return holder
  }
  return null
}

function now(): Instant {
  return { monotonicMs: monotonicMs(), dateMs: Date.now() }
}
