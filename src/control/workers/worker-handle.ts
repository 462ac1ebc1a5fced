import type { Worker } from 'node:cluster'
import type { WorkerCounters } from '../../shared/counters.js'
import { InvariantError } from '../../shared/errors.js'
import type { RouteQuestion } from '../../shared/explanation.js'
import type {
  CacheWrites,
  CacheWritten,
  CausalPosition,
  CountedBy,
  CountsByName,
  FromWorker,
  ServerChange,
  ServerShares,
  SessionKill,
  SessionPlace,
  SessionWanted,
  ToWorker,
} from '../../shared/ipc.js'
import type { QueryRules } from '../../shared/query-rules.js'
import type { HealthReport, Snapshot } from '../../shared/snapshot.js'
import type { WorkerTable } from '../../shared/worker-tables.js'
import type { WorkerLoad, WorkerState, WorkerView } from '../view.js'

const NEXT: Record<WorkerState, readonly WorkerState[]> = {
  starting: ['serving', 'draining', 'exited'],
  serving: ['draining', 'exited'],
  draining: ['exited'],
  exited: [],
}

/** The time over which a worker's part of a core is told, at least; ms. */
const CPU_SHARE_MS = 500

/** What a worker says once it has a snapshot; questions it answers without one, too. */
const SAYS_IT_BEGINS: ReadonlySet<FromWorker['type']> = new Set(['get-rules', 'prepared'])

/** The control plane's end of one worker process. */
export class WorkerHandle {
  readonly number: number
  readonly pid: number
  readonly startedMs: number
  counters: WorkerCounters | null = null
  /** Others have taken its place: it is not started again. */
  replaced = false
  /** Why it was killed; null: it was not, or everything ends. */
  killedFor: string | null = null
  private silentLooks = 0
  private cpuShare = 0
  /** CPU time and monotonic ms from which `cpuShare` counts. */
  private cpu: { readonly us: number; readonly atMs: number }
  /** Whether it has heard what it needs to begin. */
  hasBegun = false
  /** Address and reason of a listener that could not be bound. */
  listenFailure: { readonly address: string; readonly message: string } | null = null
  private current: WorkerState = 'starting'
  private acked = 0
  private readonly process: Worker
  private healthInFlight = false
  private healthWaiting: HealthReport | null = null

  constructor(number: number, process: Worker, startedMs: number) {
    this.number = number
    this.process = process
    this.pid = process.process.pid ?? 0
    this.startedMs = startedMs
    this.cpu = { us: 0, atMs: startedMs }
  }

  get state(): WorkerState {
    return this.current
  }

  get ackedVersion(): number {
    return this.acked
  }

  view(): WorkerView {
    const { number, pid, current: state, acked: ackedVersion, startedMs } = this
    return { number, pid, state, ackedVersion, startedMs, load: this.load() }
  }

  /** @param nowMs monotonic */
  takeCounters(counters: WorkerCounters, nowMs: number): void {
    this.counters = counters
    const passedMs = nowMs - this.cpu.atMs
    // Counters that somebody asked for between two reports say little of the time in between.
    if (passedMs < CPU_SHARE_MS) return
    this.cpuShare = (counters.cpuUs - this.cpu.us) / 1000 / passedMs
    this.cpu = { us: counters.cpuUs, atMs: nowMs }
  }

  private load(): WorkerLoad | null {
    if (this.counters === null) return null
    const { global, servers, residentBytes, cpuUs } = this.counters
    return {
      sessions: global.clientConnectionsConnected,
      connectionsUsed: servers.reduce((sum, { connUsed }) => sum + connUsed, 0),
      connectionsFree: servers.reduce((sum, { connFree }) => sum + connFree, 0),
      questions: global.questions,
      residentBytes,
      cpuUs,
      cpuShare: this.cpuShare,
    }
  }

  moveTo(next: WorkerState): void {
    if (!NEXT[this.current].includes(next)) {
      throw new InvariantError(`worker ${this.number} cannot go from ${this.current} to ${next}`)
    }
    this.current = next
  }

  onMessage(handler: (message: FromWorker) => void): void {
    this.process.on('message', handler)
  }

  /** It has told something. */
  heard({ type }: FromWorker): void {
    if (SAYS_IT_BEGINS.has(type)) this.hasBegun = true
    this.silentLooks = 0
  }

  /** @returns how often it was looked at since it told something, this time included */
  lookAt(): number {
    return ++this.silentLooks
  }

  /** Whether it should have told something by now, on a busy machine, too. */
  get isOverdue(): boolean {
    return this.silentLooks > 2
  }

  acknowledge(version: number): void {
    if (version > this.acked) this.acked = version
  }

  sendSnapshot(snapshot: Snapshot): void {
    this.send({ type: 'snapshot', snapshot })
  }

  sendRules(rules: QueryRules): void {
    this.send({ type: 'rules', rules })
  }

  /** One report at a time: to a worker that is busy only the newest goes, whenever it takes the one before. */
  sendHealth(health: HealthReport): void {
    if (this.healthInFlight) {
      this.healthWaiting = health
      return
    }
    this.healthInFlight = true
    this.send({ type: 'health', health }, () => {
      this.healthInFlight = false
      const waiting = this.healthWaiting
      this.healthWaiting = null
      if (waiting !== null) this.sendHealth(waiting)
    })
  }

  tellClients(by: CountedBy, counts: CountsByName): void {
    this.send({ type: 'client-counts', by, counts })
  }

  tellShares(sequence: number, shares: ServerShares): void {
    this.send({ type: 'server-shares', sequence, shares })
  }

  askProcesslist(request: number): void {
    this.send({ type: 'get-processlist', request })
  }

  askForRoute(request: number, question: RouteQuestion): void {
    this.send({ type: 'explain-route', request, question })
  }

  askForCounters(request: number): void {
    this.send({ type: 'get-counters', request })
  }

  askForRows(request: number, table: WorkerTable, reset: boolean): void {
    this.send({ type: 'get-rows', request, table, reset })
  }

  askForSession(request: number, wanted: SessionWanted): void {
    this.send({ type: 'find-session', request, wanted })
  }

  answerSession(request: number, place: SessionPlace | null): void {
    this.send({ type: 'session-found', request, place })
  }

  announceCausal(request: number, key: string): void {
    this.send({ type: 'causal-announce', request, key })
  }

  acknowledgeCausal(request: number): void {
    this.send({ type: 'causal-known', request })
  }

  publishCausal(key: string, position: CausalPosition | null): void {
    this.send({ type: 'causal-publish', key, position })
  }

  tellCacheWrites(request: number, from: number, writes: CacheWrites): void {
    this.send({ type: 'cache-writes', request, from, writes })
  }

  acknowledgeCache(request: number): void {
    this.send({ type: 'cache-known', request })
  }

  tellCacheWritten(from: number, writes: readonly CacheWritten[]): void {
    this.send({ type: 'cache-written', from, writes })
  }

  tellCacheGone(from: number): void {
    this.send({ type: 'cache-gone', from })
  }

  flushCache(request: number): void {
    this.send({ type: 'cache-flush', request })
  }

  tellChange(request: number, change: ServerChange): void {
    this.send({ type: 'changed', request, change })
  }

  acknowledgeChange(request: number): void {
    this.send({ type: 'change-known', request })
  }

  letListen(): void {
    this.send({ type: 'listen' })
  }

  sayFarewell(): void {
    this.send({ type: 'farewell' })
  }

  killSession(kill: SessionKill): void {
    this.send({ type: 'kill-session', kill })
  }

  forgetFailedLogins(): void {
    this.send({ type: 'forget-failed-logins' })
  }

  /**
   * One that does not listen yet serves nobody, and might miss the message.
   * @param limitMs null: none; a second call changes it
   */
  drain(limitMs: number | null): void {
    if (this.current === 'starting') {
      this.moveTo('draining')
      this.kill()
    } else if (this.current === 'serving') {
      this.moveTo('draining')
      this.send({ type: 'drain', limitMs })
    } else if (this.current === 'draining') this.send({ type: 'drain', limitMs })
  }

  /** @param why what the log says of it */
  kill(why: string | null = null): void {
    if (this.current === 'exited') return
    this.killedFor ??= why
    this.process.process.kill('SIGKILL')
  }

  private send(message: ToWorker, done: () => void = () => {}): void {
    if (!this.process.isConnected()) return
    // The callback takes the error of a channel that closes meanwhile; the exit event tells the rest.
    this.process.send(message, done)
  }
}
