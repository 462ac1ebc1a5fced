import type { CausalPosition, FromWorker } from '../../shared/ipc.js'
import { Announcements, type WayToOthers, wayToOthers } from '../announcements.js'
import type { CausalPeers } from './causal-keys.js'

/** The way from this worker's causal keys to those of the others, which leads through the control plane. */
export class CausalChannel implements CausalPeers {
  readonly #send: (message: FromWorker) => void
  readonly #workers: () => number
  readonly #announcements = new Announcements()

  /** @param workers how many there are, this one included */
  constructor(send: (message: FromWorker) => void, workers: () => number) {
    this.#send = send
    this.#workers = workers
  }

  get state(): WayToOthers {
    return wayToOthers(this.#workers())
  }

  announce(key: string): Promise<boolean> {
    return this.#announcements.announce((request) => this.#send({ type: 'causal-announce', request, key }))
  }

  /** All others have said that they know. */
  acknowledged(request: number): void {
    this.#announcements.acknowledged(request)
  }

  publish(key: string, position: CausalPosition | null): void {
    this.#send({ type: 'causal-publish', key, position })
  }
}
