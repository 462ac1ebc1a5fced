import cluster, { type Worker } from 'node:cluster'
import { monotonicMs } from '../../shared/clock.js'
import { COMMIT_TIMES_ENV } from '../../shared/commit-times.js'
import type { WorkerCounters } from '../../shared/counters.js'
import { UsageError } from '../../shared/errors.js'
import type { RouteAnswer, RouteQuestion } from '../../shared/explanation.js'
import {
  byCount,
  COUNTED_BY,
  type FromWorker,
  type LongPin,
  type ProcessRow,
  SESSION_IDS,
  type SessionPlace,
  workerOfSession,
} from '../../shared/ipc.js'
import type { Logger } from '../../shared/log.js'
import type { HealthReport, ServerId, Snapshot } from '../../shared/snapshot.js'
import type { WorkerTable, WorkerTables } from '../../shared/worker-tables.js'
import type { NewEvent } from '../event-log.js'
import type { WorkerView } from '../view.js'
import { CacheExchange } from './cache-exchange.js'
import { CausalExchange } from './causal-exchange.js'
import { ChangeExchange } from './change-exchange.js'
import { ClientBook } from './client-book.js'
import { mergeCounters, noCounters, retireCounters } from './counters-merge.js'
import type { PublishedRules } from './published-rules.js'
import { RetiredRows } from './retired-rows.js'
import { SessionFinder } from './session-finder.js'
import { ShareBook } from './share-book.js'
import { LOOK_MS, watchForSilence } from './silence-watch.js'
import { WorkerHandle } from './worker-handle.js'
import { WorkerQuestions } from './worker-questions.js'
import { WorkerRows } from './worker-rows.js'

export interface SupervisorOptions {
  readonly workers: number
  /** File that a worker runs, with its arguments; it finds `cluster.isPrimary` false and its number in the environment. */
  readonly entry: string
  readonly args: readonly string[]
  /** Where they share the times of commits (`CommitTimes`). */
  readonly commitTimes: string
  readonly log: Logger
  /** What workers ask for, and count hits of. */
  readonly rules: PublishedRules
  /** A worker saw a server refuse it or go away. */
  readonly onSuspicion: (server: ServerId, reason: string) => void
  readonly onEvent: (event: NewEvent) => void
  /** Called after each start and exit of a worker, with the process ids of all. */
  readonly onWorkersChanged: (pids: readonly number[]) => void
}

/** Environment variable that holds the worker's number, from 1. */
export const WORKER_NUMBER_ENV = 'SLUICE_WORKER_NUMBER'

const GREET_AGAIN_MS = 50
/**
 * A worker's garbage dies young, and its memory is to be its sessions': with V8's default of 16 MB the spaces for young
 * objects alone would take twice what 5,000 idle sessions need.
 */
const WORKER_NODE_OPTIONS = ['--max-semi-space-size=4']

const ACK_TIMEOUT_MS = 10_000
/** A worker that ends sooner than this is not replaced at once. */
const QUICK_DEATH_MS = 5000
/** A start gives up when so many workers have ended before all of them served. */
const START_DEATHS_MAX = 4
const RESTART_DELAY_MS = 100
const RESTART_DELAY_MS_MAX = 10_000
/** What a draining worker gets beyond its own limit before it is killed. */
const DRAIN_MARGIN_MS = 1000

type MessageOf<T extends FromWorker['type']> = Extract<FromWorker, { readonly type: T }>

interface PendingPublish {
  readonly version: number
  readonly waitsFor: Set<WorkerHandle>
  readonly settle: () => void
}

/** Starts the workers, keeps them running, and passes messages both ways. It decides nothing about traffic. */
export class Supervisor {
  private readonly options: SupervisorOptions
  private readonly handles = new Map<number, WorkerHandle>()
  private readonly restarts = new Map<number, NodeJS.Timeout>()
  private readonly quickDeaths = new Map<number, number>()
  private readonly publishes = new Set<PendingPublish>()
  private readonly rows = new WorkerRows(() => this.present())
  private readonly retiredRows = new RetiredRows()
  private readonly sessions = new SessionFinder(() => this.present())
  private readonly causal = new CausalExchange(() => this.live())
  private readonly routes = new WorkerQuestions<RouteAnswer | null>()
  private readonly cache = new CacheExchange(() => this.present())
  private readonly changes = new ChangeExchange(() => this.present())
  private readonly clients = byCount((by) => new ClientBook(by, () => this.live()))
  private readonly shares = new ShareBook(monotonicMs)
  /** Workers that are to take others' places, and what is told when they can, or why they cannot. */
  private readonly arrivals = new Map<WorkerHandle, (why: string | null) => void>()
  private retired: WorkerCounters = noCounters()
  private snapshot: Snapshot | null = null
  private health: HealthReport | null = null
  private makeRoom = (): Promise<void> => Promise.resolve()
  private room: Promise<void> | null = null
  private watch: NodeJS.Timeout | null = null
  private stopping = false
  private startDeaths = 0
  private started: { resolve: () => void; reject: (error: Error) => void } | null = null
  private allExited: (() => void) | null = null

  constructor(options: SupervisorOptions) {
    this.options = options
  }

  /**
   * Forks the workers and resolves when all of them listen; those that end before are started again, a few times. Rejects, with every
   * worker ended, when that does not help: with a UsageError for an address that cannot be bound.
   * @param makeRoom called once, when the first worker is ready to listen; all of them wait for it
   */
  async start(
    snapshot: Snapshot,
    health: HealthReport,
    makeRoom: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    if (this.stopping) throw new Error('stopped before it was started')
    this.snapshot = snapshot
    this.health = health
    this.makeRoom = makeRoom
    this.shares.configure(snapshot)
    // Every worker accepts from the shared listener itself: no connection takes a detour through this process.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    const execArgv = [...process.execArgv, ...WORKER_NODE_OPTIONS]
    cluster.setupPrimary({ exec: this.options.entry, args: [...this.options.args], execArgv })
    const listening = new Promise<void>((resolve, reject) => {
      this.started = { resolve, reject }
    })
    for (let number = 1; number <= this.options.workers; number++) this.fork(number)
    this.watch = setInterval(() => watchForSilence(this.present(), this.snapshot!.limits.workerHangMs), LOOK_MS)
    this.watch.unref()
    try {
      await listening
    } catch (error) {
      this.kill()
      throw error
    }
  }

  /**
   * Resolves when every worker that serves now has acknowledged, or after 10 s.
   * @returns the numbers of those that have not, which is logged; they take it whenever they can
   */
  publish(snapshot: Snapshot): Promise<readonly number[]> {
    this.snapshot = snapshot
    const live = this.live()
    for (const handle of live) handle.sendSnapshot(snapshot)
    this.shares.configure(snapshot)
    const waitsFor = new Set(live.filter((handle) => handle.ackedVersion < snapshot.version))
    if (waitsFor.size === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.publishes.delete(pending)
        resolve([...waitsFor].map((handle) => handle.number))
      }
      const pending: PendingPublish = { version: snapshot.version, waitsFor, settle }
      const timer = setTimeout(() => {
        const numbers = [...waitsFor].map((handle) => handle.number).join(', ')
        this.options.log.error(
          `worker ${numbers} did not take snapshot ${snapshot.version} within ${ACK_TIMEOUT_MS} ms`,
        )
        settle()
      }, ACK_TIMEOUT_MS)
      this.publishes.add(pending)
    })
  }

  pushHealth(health: HealthReport): void {
    this.health = health
    for (const handle of this.live()) handle.sendHealth(health)
  }

  counters(): WorkerCounters {
    const live = [...this.handles.values()].flatMap(({ counters }) => (counters === null ? [] : [counters]))
    return mergeCounters([this.retired, ...live])
  }

  workers(): WorkerView[] {
    return [...this.handles.values()].map((handle) => handle.view()).sort((a, b) => a.number - b.number)
  }

  /** Asks all workers; those that do not answer for a second are left out. */
  async processlist(): Promise<readonly ProcessRow[]> {
    const rows = await this.rows.gather<ProcessRow>((handle, request) => handle.askProcesslist(request))
    return rows.sort((a, b) => a.sessionId - b.sessionId)
  }

  /** Resolves when `counters` and the hits of rules are those of now; what a worker that stays silent for a second has told before stands. */
  async countNow(): Promise<void> {
    await this.rows.gather((handle, request) => handle.askForCounters(request))
  }

  /** The rows of all workers, those that have ended included, one behind the other. `reset`: what they count begins anew. */
  async tableRows<T extends WorkerTable>(table: T, reset: boolean): Promise<readonly WorkerTables[T][]> {
    const rows = await this.rows.gather<WorkerTables[T]>((handle, id) => handle.askForRows(id, table, reset))
    return [...rows, ...(this.retiredRows.report(table, reset) as readonly WorkerTables[T][])]
  }

  /** Asks the session's worker, or any that serves; null: there is no such session. */
  async explainRoute(question: RouteQuestion): Promise<RouteAnswer | null> {
    const serving = this.live().filter(({ state }) => state === 'serving')
    const named = ({ number }: WorkerHandle): boolean =>
      question.session === 0 || number % SESSION_IDS.workersMax === workerOfSession(question.session)
    if (serving.length === 0) return { problem: 'no worker serves that could be asked' }
    const able = serving.filter(named)
    const handle = able.find(({ isOverdue }) => !isOverdue) ?? able[0]
    if (handle === undefined) return null
    const answer = await this.routes.ask(handle, (request) => handle.askForRoute(request, question))
    return answer === undefined ? { problem: doesNotAnswer([handle.number]) } : answer
  }

  /** Resolves when no worker answers from what it has kept until now; rejects when one has not said so after 2 s. */
  async flushQueryCache(): Promise<void> {
    const late = await this.cache.flush()
    if (late.length > 0) throw new UsageError(`${doesNotAnswer(late)}; it forgets its answers when it does`)
  }

  /** Workers stop accepting and end by themselves; those that have not by `limitMs` (and a second) are killed. */
  async drain(limitMs: number | null): Promise<void> {
    this.stop()
    const exited = this.whenAllExited()
    for (const handle of this.handles.values()) this.dismiss(handle, limitMs)
    await exited
  }

  /** One that has not ended by the limit, and a second, is killed; without a limit (null) it may take as long as it does. */
  private dismiss(handle: WorkerHandle, limitMs: number | null): void {
    handle.drain(limitMs)
    if (limitMs !== null) setTimeout(() => handle.kill('had not finished in time'), limitMs + DRAIN_MARGIN_MS).unref()
  }

  /**
   * Starts as many workers anew; when all of them serve, those before them finish what they do. Rejects, nothing changed,
   * when they cannot be started.
   */
  async replaceWorkers(limitMs: number): Promise<void> {
    if (this.started !== null) throw new UsageError('the workers are being started')
    if (this.arrivals.size > 0) throw new UsageError('the workers are being started anew already')
    const before = [...this.handles.values()]
    const free = Array.from({ length: SESSION_IDS.workersMax }, (_, index) => index + 1).filter(
      (number) => !this.handles.has(number),
    )
    if (free.length < this.options.workers) {
      throw new UsageError(
        `expected numbers for ${this.options.workers} more workers, but ${this.handles.size} are there still: wait until some have finished`,
      )
    }
    const numbers = free.slice(0, this.options.workers)
    const arrivals = numbers.map((number) => this.arrival(this.fork(number)))
    const [failed] = (await Promise.allSettled(arrivals)).filter((result) => result.status === 'rejected')
    if (failed !== undefined) {
      for (const number of numbers) this.leave(this.handles.get(number)!)
      throw failed.reason
    }
    for (const handle of before) this.leave(handle, limitMs)
  }

  /** Resolves when it serves; rejects when it ends before. */
  private arrival(handle: WorkerHandle): Promise<void> {
    return new Promise((resolve, reject) => {
      this.arrivals.set(handle, (why) => {
        this.arrivals.delete(handle)
        if (why === null) resolve()
        else reject(new UsageError(`worker ${handle.number} ended with ${why} before it listened`))
      })
    })
  }

  /** It is not started again. @param limitMs absent: it ends at once */
  private leave(handle: WorkerHandle, limitMs?: number): void {
    handle.replaced = true
    clearTimeout(this.restarts.get(handle.number))
    this.restarts.delete(handle.number)
    if (handle.state === 'exited') this.handles.delete(handle.number)
    else if (limitMs === undefined) handle.kill()
    else this.dismiss(handle, limitMs)
  }

  forgetFailedLogins(): void {
    for (const handle of this.live()) handle.forgetFailedLogins()
  }

  /** Ends a session, or its statement alone. @returns false: there is no session of that id */
  async killSession(sessionId: number, statementOnly: boolean): Promise<boolean> {
    const place = await new Promise<SessionPlace | null>((resolve) => {
      const asker = { answerSession: (_request: number, found: SessionPlace | null) => resolve(found) }
      this.sessions.find(asker, 0, { id: sessionId, server: '', killer: null })
    })
    if (place !== null) this.sessions.kill({ sessionId, statementOnly, hit: false })
    else this.rejectIfSilent(sessionId)
    return place !== null
  }

  /** Whether a worker that should have told something has such a session nobody knows. */
  private rejectIfSilent(sessionId: number): void {
    const owner = this.present().find(({ number }) => number % SESSION_IDS.workersMax === workerOfSession(sessionId))
    if (sessionId >= SESSION_IDS.first && owner?.isOverdue === true) {
      throw new UsageError(doesNotAnswer([owner.number]))
    }
  }

  /** Ends everything at once. */
  kill(): void {
    this.stop()
    for (const handle of this.handles.values()) handle.kill()
  }

  whenAllExited(): Promise<void> {
    return new Promise((resolve) => {
      if (this.pids().length === 0) resolve()
      else this.allExited = resolve
    })
  }

  private stop(): void {
    this.stopping = true
    for (const timer of this.restarts.values()) clearTimeout(timer)
    this.restarts.clear()
  }

  private live(): WorkerHandle[] {
    return [...this.handles.values()].filter(({ state }) => state === 'serving' || state === 'starting')
  }

  private present(): WorkerHandle[] {
    return [...this.handles.values()].filter(({ state }) => state !== 'exited')
  }

  private pids(): number[] {
    return this.present().map(({ pid }) => pid)
  }

  private fork(number: number): WorkerHandle {
    const worker: Worker = cluster.fork({
      [WORKER_NUMBER_ENV]: String(number),
      [COMMIT_TIMES_ENV]: this.options.commitTimes,
    })
    const handle = new WorkerHandle(number, worker, monotonicMs())
    this.handles.set(number, handle)
    handle.onMessage((message) => this.receive(handle, message))
    worker.once('exit', (code, signal) => this.exited(handle, code, signal))
    worker.on('error', (error) => this.options.log.error({ err: error, worker: number }, 'channel to a worker failed'))
    this.greet(handle)
    this.options.onWorkersChanged(this.pids())
    return handle
  }

  /**
   * node:cluster itself listens for messages from the worker's first moment on, so those that come before the worker's
   * own code listens are lost: what it needs to begin is repeated until it says that it has it.
   */
  private greet(handle: WorkerHandle): void {
    if (handle.hasBegun || handle.state !== 'starting') return
    handle.sendSnapshot(this.snapshot!)
    handle.sendHealth(this.health!)
    this.shares.greet(handle)
    this.cache.greet(handle)
    setTimeout(() => this.greet(handle), GREET_AGAIN_MS).unref()
  }

  private receive(handle: WorkerHandle, message: FromWorker): void {
    handle.heard(message)
    const act = this.on[message.type] as (from: WorkerHandle, message: FromWorker) => void
    act(handle, message)
  }

  /** What follows from each message of a worker. */
  private readonly on: { readonly [T in FromWorker['type']]: (from: WorkerHandle, message: MessageOf<T>) => void } = {
    prepared: (from) => void this.letListen(from),
    listening: (from) => this.serves(from),
    'listen-failed': (from, message) => {
      from.listenFailure = message
    },
    'get-rules': (from) => this.tellRules(from),
    'rule-hits': (_, { rulesVersion, hits }) => this.options.rules.count(rulesVersion, hits),
    ack: (from, { version }) => {
      from.acknowledge(version)
      this.settlePublishes()
    },
    counters: (from, { counters }) => from.takeCounters(counters, monotonicMs()),
    suspicion: (_, { server, reason }) => this.options.onSuspicion(server, reason),
    processlist: (from, { request, rows }) => this.rows.told(from, request, rows, true),
    rows: (from, { request, rows, last }) => this.rows.told(from, request, rows, last),
    'last-rows': (_, { table, rows }) => this.retiredRows.take(table, rows, this.snapshot!.digests.maxEntries),
    parting: (from) => from.sayFarewell(),
    'long-pin': (from, { pin }) => this.noteLongPin(from, pin),
    'route-explained': (from, { request, answer }) => this.routes.answered(from, request, answer),
    'find-session': (from, { request, wanted }) => this.sessions.find(from, request, wanted),
    'session-found': (from, { request, place }) => this.sessions.found(from, request, place),
    'kill-session': (_, { kill }) => this.sessions.kill(kill),
    'causal-announce': (from, { request, key }) => this.causal.announce(from, request, key),
    'causal-taken': (from, { request }) => this.causal.taken(from, request),
    'causal-publish': (from, { key, position }) => this.causal.publish(from, key, position),
    'cache-announce': (from, { request, writes }) => this.cache.announce(from, request, writes),
    'cache-taken': (from, { request }) => this.cache.taken(from, request),
    'cache-written': (from, { writes }) => this.cache.written(from, writes),
    changed: (from, { request, change }) => this.changes.announce(from, request, change),
    'change-taken': (from, { request }) => this.changes.taken(from, request),
    'client-counts': (from, { by, counts }) => this.clients[by].took(from, counts),
    'server-use': (from, { sequence, uses }) => this.shares.took(from, sequence, uses),
  }

  private serves(handle: WorkerHandle): void {
    if (handle.state === 'starting') handle.moveTo('serving')
    this.changes.greet(handle)
    for (const by of COUNTED_BY) this.clients[by].workerCame(handle)
    this.noteWorker(`worker ${handle.number} serves`, `pid ${handle.pid}`)
    this.arrivals.get(handle)?.(null)
    this.noteStarted()
  }

  private tellRules(handle: WorkerHandle): void {
    handle.sendRules(this.options.rules.current)
    // It could not take what it was told of the others' writes before it had begun.
    if (handle.state === 'starting') this.cache.greet(handle)
  }

  private async letListen(handle: WorkerHandle): Promise<void> {
    try {
      this.room ??= this.makeRoom()
      await this.room
      handle.letListen()
    } catch (error) {
      this.started?.reject(error as Error)
      this.started = null
    }
  }

  private noteLongPin({ number }: WorkerHandle, { sessionId, user, server, causes, keptMs }: LongPin): void {
    const what = `session ${sessionId} of ${user} keeps its connection for ${Math.round(keptMs / 1000)} s`
    this.options.onEvent({ kind: 'pin', server, what, why: causes.join(', '), who: `worker ${number}` })
  }

  private noteWorker(what: string, why: string): void {
    this.options.onEvent({ kind: 'worker', what, why })
  }

  private noteStarted(): void {
    if (this.started === null || [...this.handles.values()].some(({ state }) => state !== 'serving')) return
    this.started.resolve()
    this.started = null
  }

  private settlePublishes(): void {
    for (const pending of this.publishes) {
      for (const handle of pending.waitsFor) {
        if (handle.state === 'exited' || handle.ackedVersion >= pending.version) pending.waitsFor.delete(handle)
      }
      if (pending.waitsFor.size === 0) pending.settle()
    }
  }

  private exited(handle: WorkerHandle, code: number | null, signal: string | null): void {
    const wasAskedTo = handle.state === 'draining'
    handle.moveTo('exited')
    if (handle.counters !== null) this.retired = mergeCounters([this.retired, retireCounters(handle.counters)])
    handle.counters = null
    this.settlePublishes()
    this.rows.workerGone(handle)
    this.routes.workerGone(handle)
    this.sessions.workerGone(handle)
    for (const by of COUNTED_BY) this.clients[by].workerGone(handle)
    this.shares.workerGone(handle)
    this.causal.workerGone(handle)
    this.cache.workerGone(handle)
    this.changes.workerGone(handle)
    this.options.onWorkersChanged(this.pids())
    const how = howEnded(handle, code, signal)
    this.noteWorker(`worker ${handle.number} ended`, `pid ${handle.pid}: ${how}`)
    if (handle.replaced) this.handles.delete(handle.number)
    if (this.givesUpStart(handle)) this.failStart(handle, how)
    else if (this.arrivals.has(handle)) this.arrivals.get(handle)!(how)
    else if (handle.replaced) this.options.log.info(`worker ${handle.number} has been replaced`)
    else if (!this.stopping) this.restart(handle, how)
    else if (!wasAskedTo || code !== 0) this.options.log.warn(`worker ${handle.number} ended with ${how}`)
    if (this.pids().length > 0) return
    if (this.stopping) clearInterval(this.watch ?? undefined)
    this.allExited?.()
  }

  /** Another attempt would find the same address in use; whatever else it was, a few are made. */
  private givesUpStart(handle: WorkerHandle): boolean {
    if (this.started === null) return false
    return this.stopping || handle.listenFailure !== null || ++this.startDeaths >= START_DEATHS_MAX
  }

  private failStart(handle: WorkerHandle, how: string): void {
    const failure = handle.listenFailure
    const error =
      failure === null
        ? new Error(`worker ${handle.number} ended with ${how} before it listened`)
        : new UsageError(`listen: ${failure.address}: ${failure.message}`)
    this.started?.reject(error)
    this.started = null
  }

  private restart(handle: WorkerHandle, how: string): void {
    const { number, pid } = handle
    const quick = monotonicMs() - handle.startedMs < QUICK_DEATH_MS
    const deaths = quick ? (this.quickDeaths.get(number) ?? 0) + 1 : 0
    this.quickDeaths.set(number, deaths)
    // The first replacement comes at once, even for a worker that lived shortly.
    const delayMs = deaths <= 1 ? 0 : Math.min(RESTART_DELAY_MS * 2 ** (deaths - 1), RESTART_DELAY_MS_MAX)
    const failure = handle.listenFailure
    const why = failure === null ? how : `${how}: cannot listen on ${failure.address}: ${failure.message}`
    const when = delayMs === 0 ? 'now' : `in ${delayMs} ms`
    this.options.log.error(
      { worker: number, pid },
      `worker ${number} (pid ${pid}) ended with ${why}; another starts ${when}`,
    )
    const start = (): void => {
      this.restarts.delete(number)
      this.fork(number)
    }
    this.restarts.set(number, setTimeout(start, delayMs))
  }
}

/** @param numbers of workers */
export function doesNotAnswer(numbers: readonly number[]): string {
  return `worker ${numbers.join(', ')} does not answer`
}

function howEnded({ killedFor }: WorkerHandle, code: number | null, signal: string | null): string {
  if (signal === null) return `exit code ${code}`
  return killedFor === null ? `signal ${signal}` : `signal ${signal}: it ${killedFor}`
}
