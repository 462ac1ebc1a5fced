import { boundedCache } from './bounded-cache.js'

/** Clients remembered; the one that was not seen for longest is forgotten for a new one. */
const REMEMBERED_MAX = 10_000

interface Failures {
  /** In a row. */
  count: number
  /** Monotonic ms. */
  blockedUntil: number
}

/** Milliseconds. */
export interface BackOff {
  /** What the first failure over the limit costs; each further one costs twice as much. */
  readonly firstMs: number
  readonly maxMs: number
}

/**
 * Failed logins by client, whatever its owner takes for one: an address, or a name at an address. After so many in a row
 * that no success came between, a client has to wait, longer after each further failure: guessing passwords is slow, and
 * costs nobody anything.
 */
export class LoginThrottle {
  readonly #byClient = boundedCache<string, Failures>(REMEMBERED_MAX)
  readonly #backOff: BackOff

  constructor(backOff: BackOff) {
    this.#backOff = backOff
  }

  /** Milliseconds that a client has to wait; 0: none. */
  waitOf(client: string, now: number): number {
    return Math.max(0, (this.#byClient.get(client)?.blockedUntil ?? 0) - now)
  }

  /**
   * Notes a wrong password or an unknown account.
   * @param limit failures in a row from which on there is a wait; 0: there is none
   */
  failed(client: string, now: number, limit: number): void {
    const failures = this.#byClient.get(client) ?? { count: 0, blockedUntil: 0 }
    failures.count++
    const over = failures.count - limit
    const { firstMs, maxMs } = this.#backOff
    if (limit > 0 && over >= 0) failures.blockedUntil = now + Math.min(maxMs, firstMs * 2 ** over)
    this.#byClient.set(client, failures)
  }

  /** Nobody has to wait any more. */
  clear(): void {
    this.#byClient.clear()
  }

  succeeded(client: string): void {
    this.#byClient.delete(client)
  }
}
