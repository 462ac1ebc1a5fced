import type { AddressCounts } from '../../shared/ipc.js'
import type { WorkerHandle } from './worker-handle.js'

/** Adds up the workers' connections by client address, and tells each worker what the others have. */
export class AddressBook {
  private readonly workers: () => readonly WorkerHandle[]
  private readonly byWorker = new Map<WorkerHandle, Map<string, number>>()
  private readonly totals = new Map<string, number>()

  /** @param workers those that serve now */
  constructor(workers: () => readonly WorkerHandle[]) {
    this.workers = workers
  }

  /** A worker tells what has changed with it. */
  took(handle: WorkerHandle, counts: AddressCounts): void {
    const own = this.byWorker.get(handle) ?? new Map<string, number>()
    this.byWorker.set(handle, own)
    for (const [address, count] of Object.entries(counts)) {
      this.add(address, count - (own.get(address) ?? 0))
      if (count > 0) own.set(address, count)
      else own.delete(address)
    }
    this.tellOthers(handle, Object.keys(counts))
  }

  /** A worker that has just begun knows nothing of the others. */
  workerCame(handle: WorkerHandle): void {
    if (this.totals.size > 0) handle.tellAddresses(this.othersOf(handle, [...this.totals.keys()]))
  }

  /** Its connections are gone with it. */
  workerGone(handle: WorkerHandle): void {
    const own = this.byWorker.get(handle)
    this.byWorker.delete(handle)
    if (own === undefined || own.size === 0) return
    for (const [address, count] of own) this.add(address, -count)
    this.tellOthers(handle, [...own.keys()])
  }

  private add(address: string, more: number): void {
    const total = (this.totals.get(address) ?? 0) + more
    if (total > 0) this.totals.set(address, total)
    else this.totals.delete(address)
  }

  private tellOthers(teller: WorkerHandle, addresses: readonly string[]): void {
    for (const handle of this.workers()) {
      if (handle !== teller) handle.tellAddresses(this.othersOf(handle, addresses))
    }
  }

  private othersOf(handle: WorkerHandle, addresses: readonly string[]): AddressCounts {
    const own = this.byWorker.get(handle)
    return Object.fromEntries(
      addresses.map((address) => [address, (this.totals.get(address) ?? 0) - (own?.get(address) ?? 0)]),
    )
  }
}
