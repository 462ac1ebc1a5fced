import { monotonicMs } from '../../shared/clock.js'
import type { ProxyError } from '../../shared/errors.js'
import type { WorkerContext } from '../context.js'
import { changedOrAfter, gaveUp, LOOK_AGAIN_MS } from '../execution/waiting.js'

/** The time that a login has to find a server that judges it: a statement's, so that a failover is no refusal. */
export class ServerWait {
  /** Why the server that was tried last could not be asked; null: none was tried. */
  lastFailure: unknown = null
  readonly #context: WorkerContext
  readonly #hostgroup: number
  readonly #startedAt = monotonicMs()
  readonly #deadline: number

  constructor(context: WorkerContext, hostgroup: number) {
    this.#context = context
    this.#hostgroup = hostgroup
    this.#deadline = this.#startedAt + context.view.snapshot.limits.connectTimeoutServerMaxMs
  }

  /** For one attempt, in ms. */
  get attemptMs(): number {
    const left = this.#deadline - monotonicMs()
    return Math.max(1, Math.min(this.#context.view.snapshot.limits.connectTimeoutServerMs, left))
  }

  /** Resolves when it is time for another attempt: false when it is over. */
  async more(): Promise<boolean> {
    const left = this.#deadline - monotonicMs()
    if (left <= 0) return false
    await changedOrAfter(this.#context.view, Math.min(LOOK_AGAIN_MS, left))
    return true
  }

  /** What a statement would be told that has waited for as long. */
  get error(): ProxyError {
    return gaveUp(this.#hostgroup, monotonicMs() - this.#startedAt, this.lastFailure, this.#context.view)
  }
}
