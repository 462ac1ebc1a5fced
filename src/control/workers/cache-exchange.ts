import type { CacheWrites, CacheWritten } from '../../shared/ipc.js'
import type { WorkerHandle } from './worker-handle.js'

const FLUSH_TIMEOUT_MS = 2_000

interface Question {
  readonly waitsFor: Set<WorkerHandle>
  readonly settle: () => void
}

/**
 * Passes on what workers write, so that the others do not answer from their result caches what is not true any more. Nothing
 * is passed on before the first worker keeps answers. An announcement is acknowledged when every other worker has taken it,
 * or is gone; a worker's messages are passed on in their order.
 */
export class CacheExchange {
  /** All that are not gone, those that drain included. */
  private readonly live: () => readonly WorkerHandle[]
  private readonly questions = new Map<number, Question>()
  /** Writes in flight, for workers that come later. */
  private readonly writing = new Map<WorkerHandle, Map<number, readonly string[] | null>>()
  private last = 0
  private inUse = false

  constructor(live: () => readonly WorkerHandle[]) {
    this.live = live
  }

  announce(asker: WorkerHandle, request: number, writes: CacheWrites): void {
    this.inUse = true
    const own = this.writing.get(asker) ?? new Map<number, readonly string[] | null>()
    this.writing.set(asker, own)
    for (const [write, tables] of writes) own.set(write, tables)
    const others = this.live().filter((handle) => handle !== asker)
    this.ask(
      others,
      (id, handle) => handle.tellCacheWrites(id, asker.pid, writes),
      () => asker.acknowledgeCache(request),
    )
  }

  written(from: WorkerHandle, writes: readonly CacheWritten[]): void {
    for (const [write] of writes) this.writing.get(from)?.delete(write)
    for (const handle of this.live()) if (handle !== from) handle.tellCacheWritten(from.pid, writes)
  }

  /**
   * Resolves when no worker has an answer any more that it had before, or after 2 s.
   * @returns the numbers of those that have not said so; they do it whenever they can
   */
  flush(): Promise<readonly number[]> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        resolve([])
      }
      const timer = setTimeout(() => {
        const late = this.questions.get(id)?.waitsFor ?? []
        this.questions.delete(id)
        resolve([...late].map(({ number }) => number))
      }, FLUSH_TIMEOUT_MS)
      const id = this.ask(this.live(), (request, handle) => handle.flushCache(request), done)
    })
  }

  /** A worker has done what it was asked with this number. */
  taken(by: WorkerHandle, id: number): void {
    const question = this.questions.get(id)
    if (question?.waitsFor.delete(by) !== true || question.waitsFor.size > 0) return
    this.questions.delete(id)
    question.settle()
  }

  /** What a new worker has to know before it serves. */
  greet(handle: WorkerHandle): void {
    if (!this.inUse) return
    // It keeps nothing yet, and is not waited for.
    handle.tellCacheWrites(0, 0, [])
    for (const [other, writes] of this.writing) handle.tellCacheWrites(0, other.pid, [...writes])
  }

  workerGone(gone: WorkerHandle): void {
    this.writing.delete(gone)
    for (const handle of this.live()) if (handle !== gone) handle.tellCacheGone(gone.pid)
    for (const id of [...this.questions.keys()]) this.taken(gone, id)
  }

  private ask(
    handles: readonly WorkerHandle[],
    tell: (id: number, handle: WorkerHandle) => void,
    settle: () => void,
  ): number {
    const id = ++this.last
    // One that does not serve yet may miss messages, and is told all of it when it comes.
    const serving = handles.filter(({ state }) => state !== 'starting')
    if (serving.length === 0) settle()
    else {
      this.questions.set(id, { waitsFor: new Set(serving), settle })
      for (const handle of handles) tell(id, handle)
    }
    return id
  }
}
