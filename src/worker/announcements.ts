import { monotonicMs } from '../shared/clock.js'
import type { CommitTimes } from '../shared/commit-times.js'

/** Whether there are other workers, and the way to them is open. */
export type WayToOthers = 'alone' | 'connected' | 'cut'

/** @param workers how many there are, this one included */
export function wayToOthers(workers: number): WayToOthers {
  if (workers <= 1) return 'alone'
  return process.connected ? 'connected' : 'cut'
}

/**
 * The way to the other workers, which leads through the control plane. It may carry nothing for a time: the control plane hangs, or
 * another worker does. Then a write goes on that others do not know of, which it notes in memory that all of them share; from then
 * on each mistrusts what it has heard, until an announcement of its own has reached all. Since whoever takes that has handed over
 * before what it announced earlier, and the way keeps the order, nothing is missing then.
 */
export class OthersWay {
  readonly #workers: () => number
  readonly #shared: Shared
  readonly #reachAll: () => Promise<boolean>
  /** All that was announced by this monotonic ms has come. */
  #heardAt = 0
  #asking = false

  /**
   * @param workers how many there are, this one included
   * @param reachAll announces nothing; resolves to whether all others have taken that in time
   */
  constructor(workers: () => number, shared: Shared, reachAll: () => Promise<boolean>) {
    this.#workers = workers
    this.#shared = shared
    this.#reachAll = reachAll
  }

  get state(): WayToOthers {
    return wayToOthers(this.#workers())
  }

  /** Whether all has come that others have announced before they went on. Costs a system call. */
  get hearsAll(): boolean {
    const { state } = this
    if (state !== 'connected') return state === 'alone'
    if (this.#shared.unheardAt() <= this.#heardAt) return true
    if (!this.#asking) void this.#ask()
    return false
  }

  /** What this worker has announced not all others know, and it goes on all the same. */
  wentUnheard(): void {
    this.#shared.noteUnheard(monotonicMs())
  }

  async #ask(): Promise<void> {
    this.#asking = true
    const askedAt = monotonicMs()
    if (await this.#reachAll()) this.#heardAt = askedAt
    this.#asking = false
  }
}

type Shared = Pick<CommitTimes, 'unheardAt' | 'noteUnheard'>

/** Nothing waits longer than this for the other workers to know of it. */
const ANNOUNCE_MS = 200

/** What the other workers are told through the control plane, and acknowledge. */
export class Announcements {
  readonly #waiting = new Map<number, (known: boolean) => void>()
  #last = 0

  /**
   * @param send sends the announcement with this number
   * @returns resolves when all others know: false, when that could not be made sure in time
   */
  announce(send: (request: number) => void): Promise<boolean> {
    const request = ++this.#last
    return new Promise((resolve) => {
      const settle = (known: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(request)
        resolve(known)
      }
      const timer = setTimeout(() => settle(false), ANNOUNCE_MS)
      this.#waiting.set(request, settle)
      send(request)
    })
  }

  /** All others have said that they know. */
  acknowledged(request: number): void {
    this.#waiting.get(request)?.(true)
  }
}
