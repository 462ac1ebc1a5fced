import type { CausalPosition } from '../../shared/ipc.js'
import type { WorkerHandle } from './worker-handle.js'

interface Announcement {
  readonly asker: WorkerHandle
  readonly request: number
  readonly waitsFor: Set<WorkerHandle>
}

/**
 * Passes on under which causal keys workers write. An announcement is acknowledged when every other worker has taken it, or is
 * gone; a worker's messages are passed on in their order, so a position never comes before the announcement of its write.
 */
export class CausalExchange {
  private readonly live: () => readonly WorkerHandle[]
  private readonly open = new Map<number, Announcement>()
  private last = 0

  constructor(live: () => readonly WorkerHandle[]) {
    this.live = live
  }

  announce(asker: WorkerHandle, request: number, key: string): void {
    const others = this.serving().filter((handle) => handle !== asker)
    if (others.length === 0) return asker.acknowledgeCausal(request)
    const id = ++this.last
    this.open.set(id, { asker, request, waitsFor: new Set(others) })
    for (const handle of others) handle.announceCausal(id, key)
  }

  /** A worker has taken the announcement with this number. */
  taken(by: WorkerHandle, id: number): void {
    const announcement = this.open.get(id)
    if (announcement === undefined) return
    announcement.waitsFor.delete(by)
    if (announcement.waitsFor.size > 0) return
    this.open.delete(id)
    announcement.asker.acknowledgeCausal(announcement.request)
  }

  publish(from: WorkerHandle, key: string, position: CausalPosition | null): void {
    for (const handle of this.serving()) if (handle !== from) handle.publishCausal(key, position)
  }

  /** A worker that does not serve yet hears nothing, and needs nothing: it begins with what was committed before it was there. */
  private serving(): WorkerHandle[] {
    return this.live().filter(({ state }) => state === 'serving')
  }

  workerGone(gone: WorkerHandle): void {
    for (const [id, { asker }] of [...this.open]) {
      if (asker === gone) this.open.delete(id)
      else this.taken(gone, id)
    }
  }
}
