import { LRUCache } from 'lru-cache'

const ADDRESSES_MAX = 10_000
const BACK_OFF_MS = 1_000
const BACK_OFF_MS_MAX = 60_000

interface Failures {
  /** In a row. */
  count: number
  /** Monotonic ms. */
  blockedUntil: number
}

/**
 * Failed logins by address. After so many in a row that no success came between, an address has to wait, twice as long
 * after each further failure, up to a minute: guessing passwords is slow, and costs the servers nothing.
 */
export class LoginThrottle {
  readonly #byAddress = new LRUCache<string, Failures>({ max: ADDRESSES_MAX })

  /** Milliseconds that an address has to wait; 0: none. */
  waitOf(address: string, now: number): number {
    return Math.max(0, (this.#byAddress.get(address)?.blockedUntil ?? 0) - now)
  }

  /**
   * Notes a wrong password or an unknown account.
   * @param limit failures in a row that are not punished; 0: never
   */
  failed(address: string, now: number, limit: number): void {
    const failures = this.#byAddress.get(address) ?? { count: 0, blockedUntil: 0 }
    failures.count++
    const over = failures.count - limit
    if (limit > 0 && over >= 0) failures.blockedUntil = now + Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * 2 ** over)
    this.#byAddress.set(address, failures)
  }

  succeeded(address: string): void {
    this.#byAddress.delete(address)
  }
}
