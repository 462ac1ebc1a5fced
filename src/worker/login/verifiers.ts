import { boundedCache } from '../../shared/bounded-cache.js'
import type { Credentials } from './credentials.js'

/** What is known of an account after a login that revealed it and that a server, or a configured hash, found right. */
export interface Verifier {
  /** SHA256(SHA256(password)), for caching_sha2_password's fast exchange; undefined after mysql_native_password. */
  readonly digest: Buffer | undefined
  readonly credentials: Credentials
  /** The configured hash that it was found right by; null: a server said so. */
  readonly hash: string | null
  /** Monotonic ms of the last time that a server let these credentials in. */
  readonly confirmedAt: number
}

/** Accounts that have logged in to this worker lately. */
const VERIFIERS_MAX = 10_000

/** Verifiers by account. In memory only, and gone with the worker. */
export class Verifiers {
  readonly #byAccount = boundedCache<string, Verifier>(VERIFIERS_MAX)

  get(account: string): Verifier | null {
    return this.#byAccount.get(account) ?? null
  }

  set(account: string, verifier: Verifier): void {
    this.#byAccount.set(account, verifier)
  }

  /** Accounts have been changed: servers are asked again at the next logins. */
  doubt(): void {
    for (const [account, verifier] of [...this.#byAccount.entries()]) {
      this.#byAccount.set(account, { ...verifier, confirmedAt: Number.NEGATIVE_INFINITY })
    }
  }

  /** Forgets it, unless another one has taken its place. */
  forget(account: string, verifier: Verifier): void {
    if (this.#byAccount.peek(account) === verifier) this.#byAccount.delete(account)
  }
}
