import { type Address, type Credentials, LoadConnection } from '../load/connection.js'

const TICK_MS = 10

/** A connection for long transfers: one statement at a time, at most so many bytes of its answer per second. */
export class TransferClient {
  readonly #connection: LoadConnection
  /** Who waits: for the login, then for the answer. */
  #waiting: { resolve: () => void; reject: (error: Error) => void } = { resolve() {}, reject() {} }

  private constructor(address: Address, credentials: Credentials) {
    const owner = {
      onLost: (error: Error) => this.#waiting.reject(error),
      onAnswer: ({ errno, error }: LoadConnection) => {
        if (errno === 0) this.#waiting.resolve()
        else this.#waiting.reject(new Error(`${error} (${errno})`))
      },
    }
    this.#connection = new LoadConnection(address, credentials, owner, () => this.#waiting.resolve())
  }

  static async open(address: Address, credentials: Credentials): Promise<TransferClient> {
    const client = new TransferClient(address, credentials)
    await client.#settled()
    return client
  }

  /** @returns bytes of the answer */
  async run(packet: Buffer, bytesPerSecondMax = Number.POSITIVE_INFINITY): Promise<number> {
    const before = this.#connection.bytesReceived
    const timer = Number.isFinite(bytesPerSecondMax) ? this.#limit(bytesPerSecondMax) : undefined
    try {
      this.#connection.send(packet)
      await this.#settled()
    } finally {
      clearInterval(timer)
    }
    return this.#connection.bytesReceived - before
  }

  close(): void {
    this.#connection.quit()
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** Reads and does not read in turns, as a client does that works on what it got. */
  #limit(bytesPerSecond: number): NodeJS.Timeout {
    const connection = this.#connection
    const startedAt = performance.now()
    const before = connection.bytesReceived
    return setInterval(() => {
      const allowed = ((performance.now() - startedAt) / 1000) * bytesPerSecond
      if (connection.bytesReceived - before > allowed) connection.pause()
      else connection.resume()
    }, TICK_MS)
  }
}
