import { monotonicMs } from '../shared/clock.js'
import type { WorkerCounters } from '../shared/counters.js'
import type { RouteAnswer, RouteQuestion } from '../shared/explanation.js'
import type { ProcessRow } from '../shared/ipc.js'
import type { Logger } from '../shared/log.js'
import type { HealthReport, ServerId, Snapshot } from '../shared/snapshot.js'
import { buildSnapshot } from './build-snapshot.js'
import type { Config } from './config-schema.js'
import { Monitor } from './monitor.js'
import { PublishedRules } from './published-rules.js'
import { identifyProcess, removeRunFile, runFilePath, writeRunFile } from './run-file.js'
import { Supervisor } from './supervisor.js'
import { ClientTls } from './ticket-keys.js'
import { type LoadedTls, loadTls } from './tls.js'
import { initialTopology, observe, reconfigure } from './topology.js'
import type { Instant, TopologyEvent, TopologyRules, TopologyState, TopologyStep } from './topology-types.js'
import { isWriter, membersOf } from './topology-writer.js'
import type { ControlView, WorkerView } from './view.js'

/** How long the start waits for a first word of every server. */
const FIRST_ROUND_MS = 2000
/** Whoever gets hold of the keys of session tickets can read no more than this. */
const TICKET_KEYS_MS = 12 * 3_600_000

/** What a worker process runs. */
export interface WorkerEntry {
  readonly file: string
  readonly args: readonly string[]
}

/** Monitor, topology and supervisor joined: what is seen becomes what is so becomes what workers are told. */
export class ControlPlane implements ControlView {
  readonly startedAt = Date.now()
  private current: Config
  private readonly tls: ClientTls
  private readonly ticketTimer: NodeJS.Timeout
  private readonly log: Logger
  private readonly supervisor: Supervisor
  private readonly rules = new PublishedRules()
  private readonly monitor: Monitor
  private topology: TopologyState
  private published: Snapshot
  private publishScheduled = false
  private phase: 'starting' | 'serving' | 'draining' = 'starting'

  constructor(config: Config, tls: LoadedTls, entry: WorkerEntry, log: Logger) {
    this.current = config
    this.tls = new ClientTls(tls)
    this.log = log
    this.topology = initialTopology(rulesOf(config))
    this.monitor = new Monitor(config.servers, config.monitor, log, {
      observed: (observation) => this.step(observe(this.topology, observation, now())),
      health: (report) => this.supervisor.pushHealth(report),
      learned: () => this.schedulePublish(),
      primaryOf: (server) => primaryOf(this.topology, server),
    })
    this.supervisor = new Supervisor({
      workers: config.workers,
      entry: entry.file,
      args: entry.args,
      log,
      rules: this.rules,
      onSuspicion: (server) => this.monitor.suspect(server),
      onWorkersChanged: (pids) => this.noteProcesses(pids),
    })
    this.published = this.build(1)
    this.ticketTimer = setInterval(() => this.rotateTicketKeys(), TICKET_KEYS_MS)
    this.ticketTimer.unref()
  }

  /** Looks at the servers, then starts the workers; resolves when all of them listen. */
  async start(): Promise<void> {
    this.monitor.start()
    await this.monitor.firstRound(FIRST_ROUND_MS)
    if (this.monitor.learned().facts.length === 0) {
      this.log.warn('no server has answered yet: clients are greeted as by MySQL 8.0 and wait for one')
    }
    this.publish()
    await this.supervisor.start(this.published, this.monitor.health())
    if (this.phase !== 'starting') return
    this.phase = 'serving'
    // What was seen while the workers started.
    this.schedulePublish()
  }

  /** Takes what can change while it runs; the rest is named in the log and waits for the next start. */
  reload(config: Config, tls: LoadedTls): void {
    const fixed = { listen: 0, workers: 0, admin: 0, metrics: 0, datadir: 0 } as const
    const changed = (key: keyof Config): boolean => JSON.stringify(config[key]) !== JSON.stringify(this.current[key])
    const waiting = (Object.keys(fixed) as (keyof typeof fixed)[]).filter(changed)
    if (waiting.length > 0) this.log.warn(`${waiting.join(', ')} changed in ${config.path}: this needs a restart`)
    const kept = Object.fromEntries(Object.keys(fixed).map((key) => [key, this.current[key as keyof typeof fixed]]))
    this.current = { ...config, ...kept }
    this.takeTls(tls)
    this.monitor.reconfigure(config.servers, config.monitor)
    this.step(reconfigure(this.topology, rulesOf(config), now()))
    this.schedulePublish()
    this.log.info(`configuration read again from ${config.path}`)
  }

  async reloadTls(): Promise<void> {
    this.takeTls(await loadTls(this.current, this.log))
    this.schedulePublish()
  }

  /** Workers finish what they do, up to `shutdown_timeout`. */
  async drain(): Promise<void> {
    this.phase = 'draining'
    await this.supervisor.drain(this.current.limits.shutdownTimeoutMs)
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

  events(): readonly TopologyEvent[] {
    return this.topology.events
  }

  ready(): { readonly ready: boolean; readonly reason: string } {
    if (this.phase === 'draining') return { ready: false, reason: 'shutting down' }
    const serving = this.supervisor.workers().some(({ state }) => state === 'serving')
    if (!serving) return { ready: false, reason: 'no worker serves yet' }
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
    clearInterval(this.ticketTimer)
    await this.monitor.stop()
    removeRunFile(this.runFile())
  }

  private step({ state, effects }: TopologyStep): void {
    this.topology = state
    for (const effect of effects) {
      if (effect.kind === 'publish') this.schedulePublish()
      else if (effect.kind === 'check') this.monitor.suspect(effect.server)
      else logEvent(this.log, effect.level, effect.event)
    }
  }

  /** What changes within one turn goes out as one snapshot. */
  private schedulePublish(): void {
    if (this.publishScheduled || this.phase === 'starting') return
    this.publishScheduled = true
    setImmediate(() => {
      this.publishScheduled = false
      this.publish()
    })
  }

  private publish(): void {
    this.published = this.build(this.published.version + 1)
    if (this.phase === 'starting') return
    this.supervisor.publish(this.published).catch((error: Error) => this.log.error(error.message))
  }

  private build(version: number): Snapshot {
    this.rules.take(this.current.queryRules)
    const { rules, topology, tls } = this
    return buildSnapshot(
      this.current,
      topology.entries,
      this.monitor.learned(),
      tls.material,
      version,
      rules.current.version,
    )
  }

  private noteProcesses(pids: readonly number[]): void {
    const parent = identifyProcess(process.pid)
    if (parent === null) return
    const workers = pids.flatMap((pid) => identifyProcess(pid) ?? [])
    writeRunFile(this.runFile(), { parent, workers })
  }

  private runFile(): string {
    return runFilePath(this.current.datadir, this.current.listen)
  }
}

function rulesOf(config: Config): TopologyRules {
  const { servers, replicationHostgroups, monitor } = config
  const { replicasMin } = config.consistency
  return { servers, replicationHostgroups, maxFailures: monitor.pingMaxFailures, replicasMin }
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

function logEvent(log: Logger, level: 'info' | 'warn' | 'error', { server, what, why }: TopologyEvent): void {
  log[level]({ server }, `${server}: ${what} (${why})`)
}
