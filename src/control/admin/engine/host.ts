import { Worker } from 'node:worker_threads'
import { ProxyError } from '../../../shared/errors.js'
import type { Logger } from '../../../shared/log.js'
import { engineError, statementTimeout } from '../errors.js'
import type {
  EngineRequest,
  EngineResult,
  FromThread,
  RowSet,
  TableContents,
  TableName,
  ToThread,
  WireResult,
  WriteResult,
} from './messages.js'

export interface EngineHostOptions {
  /** The compiled `thread.js`. */
  readonly threadUrl?: URL
  /** How long one statement may run, in milliseconds. */
  readonly deadlineMs?: number
  /** Memory of the engine after a statement above which its thread is replaced, in bytes. */
  readonly externalBytesMax?: number
}

/** A table that stays filled from one statement to the next while its version is the same. */
export interface KeptTable extends TableName {
  version(): number
  contents(): TableContents
}

interface Job {
  readonly request: EngineRequest
  /** Tables that the statement names, looked at when its turn has come. */
  readonly kept: readonly KeptTable[]
  /** Takes what a write has done before any other statement runs; what it throws is the statement's error. */
  readonly written: (result: WriteResult) => void
  readonly resolve: (result: EngineResult) => void
  readonly reject: (error: Error) => void
}

const DEFAULT_DEADLINE_MS = 5_000
const DEFAULT_EXTERNAL_BYTES_MAX = 256 << 20
/** Compiling the engine and building its tables takes about 0.1 s; a machine under load may need much longer. */
const START_TIMEOUT_MS = 30_000

/**
 * Runs statements in the engine's thread, one after the other. A statement that runs too long loses its thread (nothing
 * else stops SQLite here) and gets an error; the next one finds a new thread. Nothing is lost with a thread: its tables
 * are filled from outside before a statement that names them.
 */
export class EngineHost {
  private readonly threadUrl: URL
  private readonly deadlineMs: number
  private readonly externalBytesMax: number
  private readonly log: Logger
  private readonly waiting: Job[] = []
  private running: { readonly id: number; readonly job: Job; readonly timer: NodeJS.Timeout } | undefined
  private thread: Promise<Worker> | undefined
  /** Versions of the kept tables that the thread holds. */
  private readonly held = new Map<string, number>()
  /** Rows that the thread is to hold otherwise than it does. */
  private corrections: TableContents[] = []
  private lastId = 0
  private closed = false

  constructor(log: Logger, options: EngineHostOptions = {}) {
    this.log = log
    this.threadUrl = options.threadUrl ?? new URL('./thread.js', import.meta.url)
    this.deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS
    this.externalBytesMax = options.externalBytesMax ?? DEFAULT_EXTERNAL_BYTES_MAX
  }

  /** Resolves when the engine can take statements. */
  async start(): Promise<void> {
    await this.ready()
  }

  /** Throws ProxyError: what SQLite said, or that the statement ran too long. */
  run(request: EngineRequest, kept: readonly KeptTable[] = []): Promise<RowSet | WireResult> {
    return this.enqueue(request, kept, () => {}) as Promise<RowSet | WireResult>
  }

  /**
   * Runs a statement that changes `target`. `written` gets what it did before any other statement runs, and returns rows
   * that are to be held otherwise; when it throws, so does this, and the engine's table is filled again from `target`.
   */
  write(
    request: Omit<EngineRequest, 'answer' | 'write'>,
    target: KeptTable,
    kept: readonly KeptTable[],
    written: (result: WriteResult) => TableContents | null,
  ): Promise<WriteResult> {
    const { database, table } = target
    const take = (result: WriteResult): void => {
      this.held.delete(keyOf(target))
      const correction = written(result)
      if (correction !== null) this.corrections.push(correction)
      this.held.set(keyOf(target), target.version())
    }
    const whole: EngineRequest = { ...request, answer: 'rows', write: { database, table } }
    return this.enqueue(whole, kept, take) as Promise<WriteResult>
  }

  private enqueue(
    request: EngineRequest,
    kept: readonly KeptTable[],
    written: (result: WriteResult) => void,
  ): Promise<EngineResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, kept, written, resolve, reject })
      void this.next()
    })
  }

  async close(): Promise<void> {
    this.closed = true
    for (const job of this.waiting.splice(0)) job.reject(engineGone('the admin port closes'))
    await this.dropThread(engineGone('the admin port closes'))
  }

  private async next(): Promise<void> {
    if (this.running !== undefined) return
    const job = this.waiting.shift()
    if (job === undefined) return
    const id = ++this.lastId
    // The place is taken before the thread is awaited: two statements never run at once.
    this.running = { id, job, timer: setTimeout(() => this.overdue(), START_TIMEOUT_MS) }
    try {
      const thread = await this.ready()
      if (this.running?.id !== id) return
      clearTimeout(this.running.timer)
      this.running = { id, job, timer: setTimeout(() => this.overdue(), this.deadlineMs) }
      const request = { ...job.request, fill: [...job.request.fill, ...this.corrections, ...this.stale(job.kept)] }
      this.corrections = []
      thread.postMessage({ id, request } satisfies ToThread)
    } catch (error) {
      this.finish(id, () => job.reject(error instanceof ProxyError ? error : engineGone(String(error))))
    }
  }

  /** Contents of the tables that the thread does not hold as they are now. */
  private stale(kept: readonly KeptTable[]): TableContents[] {
    const stale = kept.filter((table) => this.held.get(keyOf(table)) !== table.version())
    for (const table of stale) this.held.set(keyOf(table), table.version())
    return stale.map((table) => table.contents())
  }

  private finish(id: number, settle: () => void): void {
    if (this.running?.id !== id) return
    clearTimeout(this.running.timer)
    this.running = undefined
    settle()
    void this.next()
  }

  private overdue(): void {
    this.log.warn({ deadlineMs: this.deadlineMs }, 'an admin statement ran too long; its engine is replaced')
    void this.dropThread(statementTimeout(this.deadlineMs))
  }

  /** Ends the thread; the running statement, if any, fails with `reason`. */
  private async dropThread(reason: ProxyError): Promise<void> {
    const thread = this.thread
    this.thread = undefined
    const running = this.running
    if (running !== undefined) this.finish(running.id, () => running.job.reject(reason))
    await (await thread?.catch(() => undefined))?.terminate()
  }

  private ready(): Promise<Worker> {
    if (this.closed) return Promise.reject(engineGone('the admin port closes'))
    this.thread ??= this.startThread()
    return this.thread
  }

  private startThread(): Promise<Worker> {
    const thread = new Worker(this.threadUrl, { name: 'sluice-admin-engine' })
    this.held.clear()
    this.corrections = []
    const started = new Promise<Worker>((resolve, reject) => {
      thread.on('message', (message: FromThread) => {
        if (message.type === 'ready') resolve(thread)
        else this.answered(message)
      })
      thread.on('error', (error) => {
        this.log.error({ err: error }, 'the admin engine failed')
        reject(engineGone(error.message))
      })
      thread.on('exit', () => {
        reject(engineGone('its thread ended'))
        if (this.thread === started) void this.dropThread(engineGone('its thread ended'))
      })
    })
    return started
  }

  private answered(message: Exclude<FromThread, { type: 'ready' }>): void {
    const job = this.running?.id === message.id ? this.running.job : undefined
    if (job === undefined) return
    if (message.externalBytes > this.externalBytesMax) {
      this.log.warn({ bytes: message.externalBytes }, 'the admin engine grew too large and is replaced')
      const thread = this.thread
      this.thread = undefined
      void thread?.then((worker) => worker.terminate())
    }
    // What was to be filled before a statement that failed may not have been.
    if (message.type === 'error') for (const table of job.kept) this.held.delete(keyOf(table))
    this.finish(message.id, settlement(job, message))
  }
}

/** What is to be told to whoever waits; what a write did is taken before that. */
function settlement(job: Job, message: Exclude<FromThread, { type: 'ready' }>): () => void {
  if (message.type === 'error') return () => job.reject(engineError(message.message))
  const { result } = message
  try {
    if ('changes' in result) job.written(result)
    return () => job.resolve(result)
  } catch (error) {
    return () => job.reject(error as Error)
  }
}

function keyOf({ database, table }: TableName): string {
  return `${database}.${table}`
}

function engineGone(why: string): ProxyError {
  return new ProxyError('admin-engine-gone', 1105, 'HY000', `sluice: the admin SQL engine is not available: ${why}`)
}
