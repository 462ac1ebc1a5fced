/**
 * Whether it makes sense to open a connection to a server. Attempts that fail one after the other open the breaker: then
 * nobody tries for a while, after it one attempt at a time does (the probe), and each that fails makes the pause longer.
 * Pure: time and chance come from outside. It says nothing of connections that are open already.
 *
 *   closed:  whoever needs a connection opens one
 *   open:    nobody does until the pause is over
 *   probing: one attempt is under way
 */
export type BreakerState = 'closed' | 'open' | 'probing'

/** What happens to a breaker. */
type BreakerEvent =
  /** An attempt failed, and not so many have in a row that it matters. */
  | 'failed'
  | 'failedTooOften'
  /** An attempt begins. */
  | 'tried'
  | 'probeFailed'
  /** The server has answered a login, if only to refuse it. */
  | 'answered'
  /** The monitor has seen that the server is back. */
  | 'alive'

/** Attempts that began before the breaker opened and fail after it say nothing new. */
export const NEXT_BREAKER: Readonly<Record<BreakerState, Readonly<Record<BreakerEvent, BreakerState>>>> = {
  closed: {
    failed: 'closed',
    failedTooOften: 'open',
    tried: 'closed',
    probeFailed: 'closed',
    answered: 'closed',
    alive: 'closed',
  },
  open: {
    failed: 'open',
    failedTooOften: 'open',
    tried: 'probing',
    probeFailed: 'open',
    answered: 'closed',
    alive: 'closed',
  },
  probing: {
    failed: 'probing',
    failedTooOften: 'probing',
    tried: 'probing',
    probeFailed: 'open',
    answered: 'closed',
    alive: 'closed',
  },
}

/** Failures in a row that open a breaker. */
export const FAILURES_MAX = 3
/** First pause, and longest one; each is twice as long as the one before. */
export const PAUSE_FIRST_MS = 1_000
export const PAUSE_MAX_MS = 10_000
/** A pause is up to this part longer, so that not all workers try at the same moment. */
export const PAUSE_SPREAD = 0.25
/** After any failure other servers are preferred for so long. */
export const AVOID_MS = 1_000

export class CircuitBreaker {
  #state: BreakerState = 'closed'
  #failures = 0
  #pauseMs = PAUSE_FIRST_MS
  /** Monotonic ms. */
  #openUntil = -1
  #avoidUntil = -1
  /** From the monitor's last report. */
  #alive = true
  #incarnation = -1

  get state(): BreakerState {
    return this.#state
  }

  /** Whether another server, if there is one, is the better choice. */
  isAvoided(now: number): boolean {
    return this.#state === 'probing' || this.#avoidUntil > now
  }

  /** Whether a connection may be opened. */
  mayOpen(now: number): boolean {
    return this.#state === 'closed' || (this.#state === 'open' && this.#openUntil <= now)
  }

  /**
   * An attempt begins, which `mayOpen` has allowed.
   * @returns whether it is a probe, to be handed to `failed`
   */
  tried(): boolean {
    const isProbe = this.#state === 'open'
    this.#state = NEXT_BREAKER[this.#state].tried
    return isProbe
  }

  /** @param random from 0 up to, not including, 1 */
  failed(now: number, random: number, isProbe: boolean): void {
    this.#failures++
    const before = this.#state
    const event = isProbe ? 'probeFailed' : this.#failures >= FAILURES_MAX ? 'failedTooOften' : 'failed'
    this.#state = NEXT_BREAKER[before][event]
    if (this.#state !== 'open') this.#avoidUntil = Math.max(this.#avoidUntil, now + AVOID_MS)
    else if (before !== 'open') {
      this.#openUntil = this.#avoidUntil = now + this.#pauseMs * (1 + random * PAUSE_SPREAD)
      this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MAX_MS)
    }
  }

  answered(): void {
    this.#close('answered')
  }

  /** The control plane says that the server is there again. */
  seenAlive(): void {
    this.#close('alive')
  }

  /**
   * Takes the monitor's word. That it answers the monitor is no news as long as it always has: it may refuse us all the
   * same. That it has come back is.
   */
  reported(alive: boolean, incarnation: number): void {
    const isBack = alive && (!this.#alive || (this.#incarnation !== -1 && this.#incarnation !== incarnation))
    this.#alive = alive
    this.#incarnation = incarnation
    if (isBack) this.seenAlive()
  }

  #close(event: 'answered' | 'alive'): void {
    this.#state = NEXT_BREAKER[this.#state][event]
    this.#failures = 0
    this.#pauseMs = PAUSE_FIRST_MS
    this.#openUntil = this.#avoidUntil = -1
  }
}
