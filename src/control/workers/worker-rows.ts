import type { WorkerHandle } from './worker-handle.js'

/** A worker that tells nothing for so long is left out. */
const SILENCE_MS = 1_000

interface Pending {
  readonly waitsFor: Set<WorkerHandle>
  readonly rows: unknown[]
  readonly timer: NodeJS.Timeout
  readonly settle: () => void
}

/** Gathers what all workers tell of one thing, each in one message or several. */
export class WorkerRows {
  private readonly live: () => readonly WorkerHandle[]
  private readonly pending = new Map<number, Pending>()
  private last = 0

  constructor(live: () => readonly WorkerHandle[]) {
    this.live = live
  }

  /**
   * @param ask sends the question with this number to a worker
   * @returns what has come when all have told everything, or none has said anything for a second
   */
  gather<Row>(ask: (handle: WorkerHandle, request: number) => void): Promise<Row[]> {
    const live = this.live()
    if (live.length === 0) return Promise.resolve([])
    const request = ++this.last
    return new Promise((resolve) => {
      const rows: Row[] = []
      const settle = (): void => {
        clearTimeout(timer)
        this.pending.delete(request)
        resolve(rows)
      }
      const timer = setTimeout(settle, SILENCE_MS)
      this.pending.set(request, { waitsFor: new Set(live), rows, timer, settle })
      for (const handle of live) ask(handle, request)
    })
  }

  told(handle: WorkerHandle, request: number, rows: readonly unknown[], last: boolean): void {
    const pending = this.pending.get(request)
    if (pending === undefined || !pending.waitsFor.has(handle)) return
    pending.timer.refresh()
    for (const row of rows) pending.rows.push(row)
    if (last) this.settleWithout(handle, pending)
  }

  workerGone(handle: WorkerHandle): void {
    for (const pending of this.pending.values()) this.settleWithout(handle, pending)
  }

  private settleWithout(handle: WorkerHandle, pending: Pending): void {
    pending.waitsFor.delete(handle)
    if (pending.waitsFor.size === 0) pending.settle()
  }
}
