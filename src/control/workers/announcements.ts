import type { WorkerHandle } from './worker-handle.js'

interface Open {
  readonly asker: WorkerHandle
  readonly waitsFor: Set<WorkerHandle>
  readonly acknowledge: () => void
}

/**
 * What one worker has all others know. An announcement is acknowledged when each of them has taken it, or is gone; one of a
 * worker that is gone is forgotten.
 */
export class Announcements {
  private readonly open = new Map<number, Open>()
  private last = 0

  /** @param tell hands the announcement with this number to a worker, which answers that it has taken it */
  announce(
    asker: WorkerHandle,
    others: readonly WorkerHandle[],
    tell: (id: number, handle: WorkerHandle) => void,
    acknowledge: () => void,
  ): void {
    if (others.length === 0) return acknowledge()
    const id = ++this.last
    this.open.set(id, { asker, waitsFor: new Set(others), acknowledge })
    for (const handle of others) tell(id, handle)
  }

  /** A worker has taken the announcement with this number. */
  taken(by: WorkerHandle, id: number): void {
    const announcement = this.open.get(id)
    if (announcement === undefined) return
    announcement.waitsFor.delete(by)
    if (announcement.waitsFor.size > 0) return
    this.open.delete(id)
    announcement.acknowledge()
  }

  workerGone(gone: WorkerHandle): void {
    for (const [id, { asker }] of [...this.open]) {
      if (asker === gone) this.open.delete(id)
      else this.taken(gone, id)
    }
  }
}
