import type { CausalPosition } from '../../shared/ipc.js'
import { Announcements } from './announcements.js'
import type { WorkerHandle } from './worker-handle.js'

/**
 * Passes on under which causal keys workers write. A worker's messages are passed on in their order, so a position never
 * comes before the announcement of its write.
 */
export class CausalExchange {
  private readonly live: () => readonly WorkerHandle[]
  private readonly announcements = new Announcements()

  constructor(live: () => readonly WorkerHandle[]) {
    this.live = live
  }

  announce(asker: WorkerHandle, request: number, key: string): void {
    this.announcements.announce(
      asker,
      this.serving().filter((handle) => handle !== asker),
      (id, handle) => handle.announceCausal(id, key),
      () => asker.acknowledgeCausal(request),
    )
  }

  /** A worker has taken the announcement with this number. */
  taken(by: WorkerHandle, id: number): void {
    this.announcements.taken(by, id)
  }

  publish(from: WorkerHandle, key: string, position: CausalPosition | null): void {
    for (const handle of this.serving()) if (handle !== from) handle.publishCausal(key, position)
  }

  /** A worker that does not serve yet hears nothing, and needs nothing: it begins with what was committed before it was there. */
  private serving(): WorkerHandle[] {
    return this.live().filter(({ state }) => state === 'serving')
  }

  workerGone(gone: WorkerHandle): void {
    this.announcements.workerGone(gone)
  }
}
