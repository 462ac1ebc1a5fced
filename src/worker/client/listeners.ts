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
    this.#opening = this.#bindAll(addresses).finally(() => {
      this.#opening = null
    })
    await this.#opening
  }

  /** Takes no more clients; those that are there stay. */
  close(): void {
    this.#wanted = null
    this.#closeBound()
  }

  /** Whether it is as `follow` would make it. */
  follows(addresses: readonly ListenAddress[] | null): boolean {
    return addresses === null
      ? this.#wanted === null
      : this.#servers.length === addresses.length && this.#opening === null
  }

  /**
   * Takes clients again, or no more (null). What is being bound already is waited for; what somebody else has bound meanwhile is
   * tried again until it can be had, or is wanted no more.
   */
  async follow(addresses: readonly ListenAddress[] | null): Promise<void> {
    if (addresses === null) return this.close()
    this.#wanted = addresses
    while (this.#wanted === addresses && !this.follows(addresses)) {
      if (this.#opening === null) await this.#openAgain(addresses)
      else await this.#opening.catch(() => {})
    }
  }

  async #openAgain(addresses: readonly ListenAddress[]): Promise<void> {
    try {
      await this.open(addresses)
    } catch (error) {
      this.#log.error(`clients cannot be accepted again: ${(error as Error).message}`)
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }

  async #bindAll(addresses: readonly ListenAddress[]): Promise<void> {
    this.#closeBound()
    try {
      for (const address of addresses) {
        const server = await this.#bind(address)
        // A server that is being bound cannot be closed before it is.
        if (this.#wanted === null) return void server.close()
        this.#servers.push(server)
      }
    } catch (error) {
      this.#closeBound()
      throw error
    }
  }

  #closeBound(): void {
    for (const server of this.#servers.splice(0)) server.close()
  }

  #bind(address: ListenAddress): Promise<Server> {
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }
    const server = createServer(options, (socket) => this.#accept(socket))
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      const { host, port, path } = address
      server.listen(path === undefined ? { host, port } : { path }, () => resolve(server))
    })
  }
}
