import {
  SESSION_IDS,
  type SessionKill,
  type SessionPlace,
  type SessionWanted,
  workerOfSession,
} from '../../shared/ipc.js'
import type { WorkerHandle } from './worker-handle.js'

const FIND_TIMEOUT_MS = 1_000

/** Who is told what was found. */
export type Asker = Pick<WorkerHandle, 'answerSession'>

interface Search {
  readonly asker: Asker
  /** The asker's number of its request. */
  readonly request: number
  readonly waitsFor: Set<WorkerHandle>
  readonly timer: NodeJS.Timeout
}

/** Passes a worker's questions about sessions on to the workers that may have them, and a KILL to the one that has it. */
export class SessionFinder {
  private readonly workers: () => readonly WorkerHandle[]
  private readonly searches = new Map<number, Search>()
  private lastSearch = 0

  /** @param workers those that serve now */
  constructor(workers: () => readonly WorkerHandle[]) {
    this.workers = workers
  }

  /** The asker has looked among its own sessions already. It gets an answer within a second. */
  find(asker: Asker, request: number, wanted: SessionWanted): void {
    const waitsFor = new Set(this.candidates(wanted.id).filter((handle) => handle !== asker))
    if (waitsFor.size === 0) return asker.answerSession(request, null)
    const search = ++this.lastSearch
    const timer = setTimeout(() => this.settle(search, null), FIND_TIMEOUT_MS)
    this.searches.set(search, { asker, request, waitsFor, timer })
    for (const handle of waitsFor) handle.askForSession(search, wanted)
  }

  found(handle: WorkerHandle, search: number, place: SessionPlace | null): void {
    const pending = this.searches.get(search)
    if (pending === undefined || !pending.waitsFor.delete(handle)) return
    if (place !== null || pending.waitsFor.size === 0) this.settle(search, place)
  }

  kill(kill: SessionKill): void {
    for (const handle of this.candidates(kill.sessionId)) handle.killSession(kill)
  }

  /** A worker is gone, and with it its sessions. */
  workerGone(handle: WorkerHandle): void {
    for (const search of this.searches.keys()) this.found(handle, search, null)
  }

  private candidates(id: number): readonly WorkerHandle[] {
    if (id < SESSION_IDS.first) return this.workers()
    return this.workers().filter(({ number }) => number % SESSION_IDS.workersMax === workerOfSession(id))
  }

  private settle(search: number, place: SessionPlace | null): void {
    const pending = this.searches.get(search)!
    this.searches.delete(search)
    clearTimeout(pending.timer)
    pending.asker.answerSession(pending.request, place)
  }
}
