import type { Greeting } from '../../../protocol/index.js'
import type { Logger } from '../../shared/log.js'
import type { GreetingFacts, HealthReport, ServerFacts, ServerHealth, ServerId } from '../../shared/snapshot.js'
import type { Learned } from '../build-snapshot.js'
import type { MonitorConfig, ServerConfig } from '../config/config-schema.js'
import type { Observation } from '../topology/topology-types.js'
import { CoverageTracker } from './coverage.js'
import { commonGreeting } from './greeting.js'
import { MonitorLog, type Span } from './monitor-log.js'
import type { Channel } from './monitor-queries.js'
import { judgeLag, type LagMemory, type LagVerdict } from './replication-lag.js'
import { type Poll, ServerMonitor } from './server-monitor.js'

export interface MonitorEvents {
  observed(observation: Observation): void
  /** At most every `HEALTH_PUSH_MS`; only when something changed. */
  health(report: HealthReport): void
  /** What travels in snapshots has changed. */
  learned(): void
  /** Writer of the pair that the server belongs to; the server itself when it is the writer; null: it has none. */
  primaryOf(server: ServerId): ServerId | null
}

/** Polls of several servers that end together make one report. */
const HEALTH_PUSH_MS = 20

/** A server as the monitor knows it. */
interface Watched {
  readonly server: ServerConfig
  readonly monitor: ServerMonitor
  greeting: Greeting | null
  facts: ServerFacts | null
  health: ServerHealth
  channels: readonly Channel[] | null
  /** Monotonic time of the poll that read `channels`. */
  channelsAtMs: number
  lag: LagMemory | null
  /** First outcome of any kind. */
  readonly checked: Promise<void>
  readonly noteChecked: () => void
}

/** Watches all servers and says what it sees: observations for the topology, health for the workers, facts for snapshots. */
export class Monitor {
  private config: MonitorConfig
  private readonly log: Logger
  private readonly events: MonitorEvents
  private readonly watched = new Map<ServerId, Watched>()
  private readonly coverage: CoverageTracker
  private readonly runs = new Set<Promise<void>>()
  private functions: readonly string[] = []
  private sessionDefaults: Pick<GreetingFacts, 'sqlMode' | 'autocommit' | 'resolvesNames'> = {}
  private nativeHashes: Readonly<Record<string, readonly string[]>> = {}
  /** What was seen lately. */
  readonly looks = new MonitorLog()
  private sequence = 0
  private healthTimer: NodeJS.Timeout | null = null

  constructor(servers: readonly ServerConfig[], config: MonitorConfig, log: Logger, events: MonitorEvents) {
    this.config = config
    this.log = log
    this.events = events
    this.coverage = new CoverageTracker(log)
    for (const server of watchable(servers)) this.watched.set(server.id, this.watch(server))
  }

  start(): void {
    for (const { monitor } of this.watched.values()) this.run(monitor)
  }

  /** Servers that stay as they were are watched on without a pause. */
  reconfigure(servers: readonly ServerConfig[], config: MonitorConfig): void {
    const sameConfig = JSON.stringify(config) === JSON.stringify(this.config)
    this.config = config
    const before = new Map(this.watched)
    this.watched.clear()
    for (const server of watchable(servers)) {
      const known = before.get(server.id)
      if (sameConfig && known !== undefined && isReachedAlike(known.server, server)) {
        this.watched.set(server.id, known)
        before.delete(server.id)
      } else {
        const fresh = this.watch(server, known)
        this.watched.set(server.id, fresh)
        this.run(fresh.monitor)
      }
    }
    for (const { monitor } of before.values()) monitor.stop()
    this.looks.keepOnly(new Set(this.watched.keys()))
    this.coverage.keepOnly(new Set(this.watched.keys()))
  }

  /** Resolves when every server has been tried once, or after `timeoutMs`. */
  async firstRound(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([Promise.all([...this.watched.values()].map(({ checked }) => checked)), timeout])
    clearTimeout(timer)
  }

  /** A worker has seen the server refuse it: look at once. */
  suspect(server: ServerId): void {
    this.watched.get(server)?.monitor.checkNow()
  }

  async stop(): Promise<void> {
    if (this.healthTimer !== null) clearTimeout(this.healthTimer)
    for (const { monitor, noteChecked } of this.watched.values()) {
      monitor.stop()
      noteChecked()
    }
    await Promise.all(this.runs)
  }

  health(): HealthReport {
    return { sequence: this.sequence, servers: [...this.watched.values()].map(({ health }) => health) }
  }

  /** From where each server replicates, as its last status said; one that does not replicate is not there. */
  sources(): ReadonlyMap<ServerId, string> {
    const named = [...this.watched.values()].map(({ server, channels }): [ServerId, string] => [
      server.id,
      (channels ?? []).map(({ source }) => source).join(', '),
    ])
    return new Map(named.filter(([, sources]) => sources !== ''))
  }

  learned(): Learned {
    const all = [...this.watched.values()]
    return {
      facts: all.flatMap(({ facts }) => (facts === null ? [] : [facts])),
      greeting: {
        ...commonGreeting(all.flatMap(({ greeting }) => (greeting === null ? [] : [greeting]))),
        ...this.sessionDefaults,
      },
      readOnlyFunctions: this.functions,
      nativeHashes: this.nativeHashes,
    }
  }

  private run(monitor: ServerMonitor): void {
    const run = monitor.run().finally(() => this.runs.delete(run))
    this.runs.add(run)
  }

  /** @param known what is known of it already: it stays so until it is seen again, or every server would be a stranger for a moment */
  private watch(server: ServerConfig, known?: Watched): Watched {
    let noteChecked: () => void = () => {}
    const checked = new Promise<void>((resolve) => {
      noteChecked = resolve
    })
    const monitor = new ServerMonitor(server, this.config, this.log, {
      connected: (connection) => this.connected(watched, connection.greeting),
      polled: (poll) => this.polled(watched, poll),
      looked: (kind, span, error) => this.looked(server.id, kind, span, error),
      blind: (reason) => this.unseen(watched, true, reason),
      failed: (reason) => this.unseen(watched, false, reason),
      routines: (names) => this.takeRoutines(names),
      nativeHashes: (hashes) => this.takeNativeHashes(hashes),
      isPrimary: () => this.events.primaryOf(server.id) === server.id,
    })
    const watched: Watched = {
      server,
      monitor,
      greeting: known?.greeting ?? null,
      facts: known?.facts ?? null,
      health: known?.health ?? {
        id: server.id,
        alive: false,
        lagMs: null,
        lagReason: 'not checked yet',
        gtidExecuted: '',
        toldByLog: false,
        coversPrimaryAt: -1,
        incarnation: 0,
      },
      channels: known?.channels ?? null,
      channelsAtMs: known?.channelsAtMs ?? 0,
      lag: known?.lag ?? null,
      checked,
      noteChecked,
    }
    return watched
  }

  private connected(watched: Watched, greeting: Greeting): void {
    const before = watched.greeting
    watched.greeting = greeting
    // A server that crashed may have lost what it had applied.
    this.coverage.doubt(watched.server.id)
    const same =
      before?.serverVersion === greeting.serverVersion &&
      before.capabilities === greeting.capabilities &&
      before.mariadbCapabilities === greeting.mariadbCapabilities &&
      before.collation === greeting.collation
    if (!same) this.events.learned()
  }

  private polled(watched: Watched, poll: Poll): void {
    const { id } = watched.server
    if (poll.channels !== undefined) {
      watched.channels = poll.channels
      watched.channelsAtMs = poll.askedMs
    }
    const replicates = (watched.channels?.length ?? 0) > 0
    this.takeFacts(watched, poll)

    const covered = this.coverage.polled(id, this.events.primaryOf(id), poll)
    const { primary, gtidExecuted, toldByLog, coversPrimaryAt, incarnation } = covered
    const isPrimary = primary === id
    if (isPrimary) this.takeSessionDefaults(poll)
    const verdict = isPrimary ? PRIMARY_LAG : this.judge(watched, poll, primary, covered.behindMs)
    const { lagMs, lagReason } = verdict
    watched.lag = verdict.memory
    this.noteLooks(id, poll, replicates, verdict)
    const data = { gtidExecuted, toldByLog, coversPrimaryAt, incarnation }
    this.setHealth(watched, { id, alive: true, lagMs, lagReason, ...data })
    this.observe(watched, {
      kind: 'answered',
      server: id,
      readOnly: poll.state.readOnly,
      replicating: replicates,
      lagMs,
      lagReason,
      latencyMs: poll.answeredMs - poll.askedMs,
    })
  }

  private looked(server: ServerId, kind: 'connect' | 'ping', span: Span, error: string | null): void {
    this.looks.note(server, kind, span, null, error)
    // Both are asked in one statement.
    if (kind === 'ping') this.looks.note(server, 'read_only', span, null, error)
  }

  private noteLooks(server: ServerId, poll: Poll, replicates: boolean, { lagMs, lagReason }: LagVerdict): void {
    this.looks.note(server, 'ping', poll, null, null)
    this.looks.note(server, 'read_only', poll, Number(poll.state.readOnly), null)
    if (poll.channels === undefined || !replicates) return
    const seconds = lagMs === null ? null : Math.floor(lagMs / 1000)
    this.looks.note(server, 'replication_lag', poll, seconds, lagMs === null ? lagReason : null)
  }

  private judge(watched: Watched, poll: Poll, primary: ServerId | null, behindMs: number): LagVerdict {
    const { replicationLagGraceMs, replicationLagIntervalMs } = this.config
    const isStale = poll.askedMs - watched.channelsAtMs > Math.max(replicationLagGraceMs, 2 * replicationLagIntervalMs)
    const reading = {
      channels: isStale ? null : watched.channels,
      channelsProblem: poll.channelsProblem || 'the replication status does not answer',
      applierMs: poll.applierMs,
      behindMs,
      primaryAlive: primary !== null && this.watched.get(primary)?.health.alive === true,
    }
    const { lagMs, lagReason } = watched.health
    // A round without the replication status: nothing new to judge by.
    if (poll.channels === undefined && !isStale && lagMs !== null) return { lagMs, lagReason, memory: watched.lag }
    return judgeLag(reading, watched.lag, poll.answeredMs, replicationLagGraceMs)
  }

  private takeFacts(watched: Watched, poll: Poll): void {
    const version = watched.greeting?.serverVersion ?? ''
    const { readOnly } = poll.state
    const before = watched.facts
    if (before?.version === version && before.readOnly === readOnly) return
    watched.facts = { id: watched.server.id, flavor: poll.dialect.flavor, version, readOnly }
    this.events.learned()
  }

  private takeSessionDefaults({ state: { sqlMode, autocommit, resolvesNames } }: Poll): void {
    const before = this.sessionDefaults
    const same =
      before.sqlMode === sqlMode && before.autocommit === autocommit && before.resolvesNames === resolvesNames
    if (same) return
    this.sessionDefaults = { sqlMode, autocommit, resolvesNames }
    this.events.learned()
  }

  private unseen(watched: Watched, alive: boolean, reason: string): void {
    const { id } = watched.server
    // Of a primary nobody needs to know the lag; of a replica that hides it nobody knows it any more.
    const hidden = alive && this.events.primaryOf(id) !== id ? { lagMs: null, lagReason: reason } : {}
    this.setHealth(watched, { ...watched.health, alive, ...hidden })
    this.observe(watched, alive ? { kind: 'blind', server: id, reason } : { kind: 'failed', server: id, reason })
  }

  private observe(watched: Watched, observation: Observation): void {
    this.events.observed(observation)
    watched.noteChecked()
  }

  private takeRoutines(names: readonly string[]): void {
    if (names.length === this.functions.length && names.every((name, index) => name === this.functions[index])) return
    this.functions = names
    this.events.learned()
  }

  private takeNativeHashes(hashes: Readonly<Record<string, readonly string[]>>): void {
    if (JSON.stringify(hashes) === JSON.stringify(this.nativeHashes)) return
    this.nativeHashes = hashes
    this.events.learned()
  }

  private setHealth(watched: Watched, health: ServerHealth): void {
    const before = watched.health
    watched.health = health
    const same =
      before.alive === health.alive &&
      before.lagMs === health.lagMs &&
      before.lagReason === health.lagReason &&
      before.gtidExecuted === health.gtidExecuted &&
      before.toldByLog === health.toldByLog &&
      before.coversPrimaryAt === health.coversPrimaryAt &&
      before.incarnation === health.incarnation
    if (same || this.healthTimer !== null) return
    this.healthTimer = setTimeout(() => {
      this.healthTimer = null
      this.sequence++
      this.events.health(this.health())
    }, HEALTH_PUSH_MS)
  }
}

const PRIMARY_LAG: LagVerdict = { lagMs: 0, lagReason: '', memory: null }

/** Whether a connection to the one is as good as one to the other. */
function isReachedAlike(a: ServerConfig, b: ServerConfig): boolean {
  return a.proxyProtocol === b.proxyProtocol && JSON.stringify(a.tls) === JSON.stringify(b.tls)
}

/** One row per server; OFFLINE_HARD is as good as removed. */
function watchable(servers: readonly ServerConfig[]): ServerConfig[] {
  const rows = new Map<ServerId, ServerConfig>()
  for (const row of servers) if (row.status !== 'OFFLINE_HARD' && !rows.has(row.id)) rows.set(row.id, row)
  return [...rows.values()]
}
