import type { ServerChange } from '../../shared/ipc.js'
import type { ServerId } from '../../shared/snapshot.js'
import { Announcements } from './announcements.js'
import type { WorkerHandle } from './worker-handle.js'

/**
 * Passes on what clients have changed of servers for all sessions to come: global variables and accounts. The worker that saw
 * it is told when all others know.
 */
export class ChangeExchange {
  private readonly present: () => readonly WorkerHandle[]
  private readonly announcements = new Announcements()
  /** Servers whose global variables may be others than their configuration says. */
  private readonly globalsOf = new Set<ServerId>()

  /** @param present those that are not gone */
  constructor(present: () => readonly WorkerHandle[]) {
    this.present = present
  }

  announce(asker: WorkerHandle, request: number, change: ServerChange): void {
    for (const server of change.globalsOf) this.globalsOf.add(server)
    // One that does not serve yet has no connections, and is told when it comes.
    const others = this.present().filter((handle) => handle !== asker && handle.state !== 'starting')
    this.announcements.announce(
      asker,
      others,
      (id, handle) => handle.tellChange(id, change),
      () => asker.acknowledgeChange(request),
    )
  }

  /** A worker has taken the announcement with this number. */
  taken(by: WorkerHandle, id: number): void {
    this.announcements.taken(by, id)
  }

  /** What a new worker has to know; it is not waited for. */
  greet(handle: WorkerHandle): void {
    if (this.globalsOf.size > 0) handle.tellChange(0, { globalsOf: [...this.globalsOf], accounts: false })
  }

  workerGone(gone: WorkerHandle): void {
    this.announcements.workerGone(gone)
  }
}
