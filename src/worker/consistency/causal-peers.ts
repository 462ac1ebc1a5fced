import type { CausalPosition, FromWorker } from '../../shared/ipc.js'
import { Announcements, type OthersWay, type WayToOthers } from '../announcements.js'
import type { CausalPeers } from './causal-keys.js'

/** The way from this worker's causal keys to those of the others, which leads through the control plane. */
export class CausalChannel implements CausalPeers {
  readonly #send: (message: FromWorker) => void
  readonly #way: OthersWay
  readonly #announcements = new Announcements()

  constructor(send: (message: FromWorker) => void, way: OthersWay) {
    this.#send = send
    this.#way = way
  }

  get state(): WayToOthers {
    return this.#way.state
  }

  get hearsAll(): boolean {
    return this.#way.hearsAll
  }

  async announce(key: string): Promise<boolean> {
    const known = await this.#announcements.announce((request) => this.#send({ type: 'causal-announce', request, key }))
    if (!known) this.#way.wentUnheard()
    return known
  }

  /** All others have said that they know. */
  acknowledged(request: number): void {
    this.#announcements.acknowledged(request)
  }

  publish(key: string, position: CausalPosition | null): void {
    this.#send({ type: 'causal-publish', key, position })
  }
}
