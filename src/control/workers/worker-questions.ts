import type { WorkerHandle } from './worker-handle.js'

const ANSWER_TIMEOUT_MS = 2_000

interface Pending<T> {
  readonly handle: WorkerHandle
  readonly settle: (answer: T | undefined) => void
}

/** Questions that one worker answers. */
export class WorkerQuestions<T> {
  private readonly pending = new Map<number, Pending<T>>()
  private last = 0

  /**
   * @param send sends the question with this number
   * @returns undefined: the worker ended, or has not answered within 2 s
   */
  ask(handle: WorkerHandle, send: (request: number) => void): Promise<T | undefined> {
    const request = ++this.last
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(undefined), ANSWER_TIMEOUT_MS)
      const settle = (answer: T | undefined): void => {
        clearTimeout(timer)
        this.pending.delete(request)
        resolve(answer)
      }
      this.pending.set(request, { handle, settle })
      send(request)
    })
  }

  answered(handle: WorkerHandle, request: number, answer: T): void {
    const pending = this.pending.get(request)
    if (pending?.handle === handle) pending.settle(answer)
  }

  workerGone(handle: WorkerHandle): void {
    for (const pending of this.pending.values()) if (pending.handle === handle) pending.settle(undefined)
  }
}
