/** Whether there are other workers, and the way to them is open. */
export type WayToOthers = 'alone' | 'connected' | 'cut'

/** @param workers how many there are, this one included */
export function wayToOthers(workers: number): WayToOthers {
  if (workers <= 1) return 'alone'
  return process.connected ? 'connected' : 'cut'
}

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
