import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '../../shared/log.js'
import type { ListenAddress } from '../../shared/snapshot.js'

/** After an address could not be bound, it is tried again after so long. */
const AGAIN_MS = 1_000

/** The sockets on which a worker takes clients; all workers share them. */
export class Listeners {
  readonly #accept: (socket: Socket) => void
  readonly #log: Logger
  #servers: Server[] = []
  #wanted: readonly ListenAddress[] | null = null
  #opening: Promise<void> | null = null

  constructor(accept: (socket: Socket) => void, log: Logger) {
    this.#accept = accept
    this.#log = log
  }

  /** Binds all of them. Rejects, none bound, with the system's message. */
  async open(addresses: readonly ListenAddress[]): Promise<void> {
    this.#wanted = addresses
    try {
      for (const address of addresses) await this.#bind(address)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Takes no more clients; those that are there stay. */
  close(): void {
    this.#wanted = null
    for (const server of this.#servers.splice(0)) server.close()
  }

  /** Whether it is as `follow` would make it. */
  follows(addresses: readonly ListenAddress[] | null): boolean {
    return addresses === null
      ? this.#wanted === null
      : this.#servers.length === addresses.length && this.#opening === null
  }

  /**
   * Takes clients again, or no more (null). What somebody else has bound meanwhile is tried again until it can be had, or is
   * wanted no more.
   */
  async follow(addresses: readonly ListenAddress[] | null): Promise<void> {
    if (addresses === null) return this.close()
    if (this.follows(addresses)) return
    this.#wanted = addresses
    this.#opening ??= this.#openWhileWanted().finally(() => {
      this.#opening = null
    })
    await this.#opening
  }

  async #openWhileWanted(): Promise<void> {
    while (this.#wanted !== null) {
      const wanted = this.#wanted
      try {
        return await this.open(wanted)
      } catch (error) {
        this.#log.error(`clients cannot be accepted again: ${(error as Error).message}`)
        this.#wanted = wanted
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  #bind(address: ListenAddress): Promise<void> {
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
    const server = createServer(options, (socket) => this.#accept(socket))
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      const { host, port, path } = address
      server.listen(path === undefined ? { host, port } : { path }, resolve)
    })
  }
}
