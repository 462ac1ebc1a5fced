/** Failed logins of one name from one address within the window before more are refused unseen. */
const FAILURES_MAX = 10
const WINDOW_MS = 60_000
/** Names and addresses remembered; the oldest is forgotten for a new one. */
const REMEMBERED_MAX = 10_000

interface Failures {
  count: number
  /** When the window ends. */
  untilMs: number
}

/**
 * Slows down whoever guesses passwords: after ten failures a name has to wait at that address until a minute after the
 * first. Other names at the address go on, so that one tool with an old password does not lock out the operator beside it.
 * Times are milliseconds on one clock of the caller's.
 */
export class LoginGuard {
  private readonly failures = new Map<string, Failures>()

  /** How long this name may not try from this address, in milliseconds; 0: it may. */
  waitMs(address: string, name: string, nowMs: number): number {
    const known = this.failures.get(keyOf(address, name))
    if (known === undefined || known.untilMs <= nowMs || known.count < FAILURES_MAX) return 0
    return known.untilMs - nowMs
  }

  failed(address: string, name: string, nowMs: number): void {
    const key = keyOf(address, name)
    const known = this.failures.get(key)
    if (known !== undefined && known.untilMs > nowMs) {
      known.count++
      return
    }
    // Taken out first, so that the map's order is that of the windows.
    this.failures.delete(key)
    if (this.failures.size >= REMEMBERED_MAX) this.forgetOldest()
    this.failures.set(key, { count: 1, untilMs: nowMs + WINDOW_MS })
  }

  succeeded(address: string, name: string): void {
    this.failures.delete(keyOf(address, name))
  }

  private forgetOldest(): void {
    const [oldest] = this.failures.keys()
    this.failures.delete(oldest)
  }
}

function keyOf(address: string, name: string): string {
  return `${address} ${name}`
}
