import type { Backend } from './backend.js'

/**
 * One command in flight on a backend connection, and who takes its answer. A backend keeps its exchanges as a queue: the
 * answers come in the order of the commands, so several can be in flight.
 */
export interface Exchange {
  /**
   * Bytes of the answer, as the backend's follower has just described them (`backend.follower`): its `carry` and
   * `chunk[from, follower.plainEnd)` are plain; `event` is one of ResponseEvent. The chunk is only valid during the call.
   */
  received(chunk: Buffer, from: number, event: number, backend: Backend): void
  /** The whole answer has been received. */
  finished(backend: Backend): void
  /** The connection ended before the whole answer was received. */
  lost(backend: Backend, reason: string): void
}
