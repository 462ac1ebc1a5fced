import type { CausalPosition, FromWorker } from '../../shared/ipc.js'
import type { CausalPeers } from './causal-keys.js'

/** A write waits no longer than this for the other workers to know of its key. */
const ANNOUNCE_MS = 200

/** The way from this worker's causal keys to those of the others, which leads through the control plane. */
export class CausalChannel implements CausalPeers {
  readonly #send: (message: FromWorker) => void
  readonly #workers: () => number
  readonly #waiting = new Map<number, (known: boolean) => void>()
  #last = 0

  /** @param workers how many there are, this one included */
  constructor(send: (message: FromWorker) => void, workers: () => number) {
    this.#send = send
    this.#workers = workers
  }

  get state(): 'alone' | 'connected' | 'cut' {
    if (this.#workers() <= 1) return 'alone'
    return process.connected ? 'connected' : 'cut'
  }

  announce(key: string): Promise<boolean> {
    const request = ++this.#last
    return new Promise((resolve) => {
      const settle = (known: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(request)
        resolve(known)
      }
      const timer = setTimeout(() => settle(false), ANNOUNCE_MS)
      this.#waiting.set(request, settle)
      this.#send({ type: 'causal-announce', request, key })
    })
  }

  /** All others have said that they know. */
  acknowledged(request: number): void {
    this.#waiting.get(request)?.(true)
  }

  publish(key: string, position: CausalPosition | null): void {
    this.#send({ type: 'causal-publish', key, position })
  }
}
