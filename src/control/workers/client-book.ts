import type { CountedBy, CountsByName } from '../../shared/ipc.js'
import type { WorkerHandle } from './worker-handle.js'

/** Adds up the workers' client connections by one kind of name, and tells each worker what the others have. */
export class ClientBook {
  private readonly by: CountedBy
  private readonly workers: () => readonly WorkerHandle[]
  private readonly byWorker = new Map<WorkerHandle, Map<string, number>>()
  private readonly totals = new Map<string, number>()

  /** @param workers those that serve now */
  constructor(by: CountedBy, workers: () => readonly WorkerHandle[]) {
    this.by = by
    this.workers = workers
  }

  /** A worker tells what has changed with it. */
  took(handle: WorkerHandle, counts: CountsByName): void {
    const own = this.byWorker.get(handle) ?? new Map<string, number>()
    this.byWorker.set(handle, own)
    for (const [name, count] of Object.entries(counts)) {
      this.add(name, count - (own.get(name) ?? 0))
      if (count > 0) own.set(name, count)
      else own.delete(name)
    }
    this.tellOthers(handle, Object.keys(counts))
  }

  /** A worker that has just begun knows nothing of the others. */
  workerCame(handle: WorkerHandle): void {
    if (this.totals.size > 0) handle.tellClients(this.by, this.othersOf(handle, [...this.totals.keys()]))
  }

  /** Its connections are gone with it. */
  workerGone(handle: WorkerHandle): void {
    const own = this.byWorker.get(handle)
    this.byWorker.delete(handle)
    if (own === undefined || own.size === 0) return
    for (const [name, count] of own) this.add(name, -count)
    this.tellOthers(handle, [...own.keys()])
  }

  private add(name: string, more: number): void {
    const total = (this.totals.get(name) ?? 0) + more
    if (total > 0) this.totals.set(name, total)
    else this.totals.delete(name)
  }

  private tellOthers(teller: WorkerHandle, names: readonly string[]): void {
    for (const handle of this.workers()) {
      if (handle !== teller) handle.tellClients(this.by, this.othersOf(handle, names))
    }
  }

  private othersOf(handle: WorkerHandle, names: readonly string[]): CountsByName {
    const own = this.byWorker.get(handle)
    return Object.fromEntries(names.map((name) => [name, (this.totals.get(name) ?? 0) - (own?.get(name) ?? 0)]))
  }
}
