import { Worker } from 'node:worker_threads'
import { ProxyError } from '../../../shared/errors.js'
import type { Logger } from '../../../shared/log.js'
import { engineError, statementTimeout } from '../errors.js'
import type { EngineRequest, FromThread, RowSet, ToThread, WireResult } from './messages.js'

export interface EngineHostOptions {
  /** The compiled `thread.js`. */
  readonly threadUrl?: URL
  /** How long one statement may run, in milliseconds. */
  readonly deadlineMs?: number
  /** Memory of the engine after a statement above which its thread is replaced, in bytes. */
  readonly externalBytesMax?: number
}

interface Job {
  readonly request: EngineRequest
  readonly resolve: (result: RowSet | WireResult) => void
  readonly reject: (error: Error) => void
}

const DEFAULT_DEADLINE_MS = 5_000
const DEFAULT_EXTERNAL_BYTES_MAX = 256 << 20
/** Compiling the engine and building its tables takes about 0.1 s; a machine under load may need much longer. */
const START_TIMEOUT_MS = 30_000

/**
 * Runs statements in the engine's thread, one after the other. A statement that runs too long loses its thread (nothing
 * else stops SQLite here) and gets an error; the next one finds a new thread. Nothing is lost with a thread: its tables
 * are filled from outside before each statement.
 */
export class EngineHost {
  private readonly threadUrl: URL
  private readonly deadlineMs: number
  private readonly externalBytesMax: number
  private readonly log: Logger
  private readonly waiting: Job[] = []
  private running: { readonly id: number; readonly job: Job; readonly timer: NodeJS.Timeout } | undefined
  private thread: Promise<Worker> | undefined
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
  run(request: EngineRequest): Promise<RowSet | WireResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, resolve, reject })
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
      thread.postMessage({ id, request: job.request } satisfies ToThread)
    } catch (error) {
      this.finish(id, () => job.reject(error instanceof ProxyError ? error : engineGone(String(error))))
    }
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
    this.finish(message.id, () => {
      if (message.type === 'result') job.resolve(message.result)
      else job.reject(engineError(message.message))
    })
  }
}

function engineGone(why: string): ProxyError {
  return new ProxyError('admin-engine-gone', 1105, 'HY000', `sluice: the admin SQL engine is not available: ${why}`)
}
