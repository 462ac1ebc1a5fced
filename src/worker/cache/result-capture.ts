import { ServerStatus } from '../../../protocol/index.js'
import type { Backend } from '../backend/backend.js'
import { findOnline, type TopologyView } from '../routing/topology-view.js'
import type { PendingAnswer } from './pending-answers.js'
import type { ResultCache } from './result-cache.js'
import type { TableMark } from './table-marks.js'

const { AUTOCOMMIT, IN_TRANS, MORE_RESULTS_EXISTS } = ServerStatus

/** What is kept of an answer, and how long. */
export interface CaptureTerms {
  readonly key: string
  readonly ttlMs: number
  readonly marks: readonly TableMark[]
  /** An answer without rows is kept as well. */
  readonly empty: boolean
  /** Longer answers are not kept, in bytes. */
  readonly bytesMax: number
}

/** Copies the answer to one command while it is passed on, to be kept if it turns out to be one that may be. */
export class Capture {
  readonly #terms: CaptureTerms
  /** What others may wait for; null: they wait for somebody else's. */
  readonly #pending: PendingAnswer | null
  #chunks: Buffer[] = []
  #size = 0
  #wanted = true
  #asOf = -1

  constructor(terms: CaptureTerms, pending: PendingAnswer | null = null) {
    this.#terms = terms
    this.#pending = pending
  }

  /** The command is about to be written to a server, maybe once more: the answer will have what the server has now. */
  sent({ target }: Backend, view: TopologyView, now: number): void {
    this.#chunks = []
    this.#size = 0
    this.#wanted = true
    this.#asOf = view.isWriter(target.hostgroup) ? now : (findOnline(view, target.id)?.coversPrimaryAt ?? -1)
    this.#pending?.sent(this.#asOf)
  }

  /** Bytes that go to the client; `bytes[start, end)` is used again after the call. */
  take(bytes: Buffer, start: number, end: number): void {
    if (!this.#wanted) return
    this.#size += end - start
    if (this.#size > this.#terms.bytesMax) return this.drop()
    const copy = Buffer.allocUnsafeSlow(end - start)
    bytes.copy(copy, 0, start, end)
    this.#chunks.push(copy)
  }

  /** The answer is none to be kept. */
  drop(): void {
    this.#wanted = false
    this.#chunks = []
    this.#pending?.end()
  }

  /** The client has the whole answer. */
  finish({ follower }: Backend, cache: ResultCache, now: number): void {
    const { key, ttlMs, marks, empty } = this.#terms
    const { statusFlags, rows } = follower
    const plain = follower.errno === 0 && follower.warnings === 0 && follower.columnCount > 0
    const outside = (statusFlags & (AUTOCOMMIT | IN_TRANS | MORE_RESULTS_EXISTS)) === AUTOCOMMIT
    if (!this.#wanted || !plain || !outside || (rows === 0 && !empty)) return this.drop()
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    cache.keep(key, { bytes, rows, asOf: this.#asOf, shownUntil: now, marks }, ttlMs)
    this.#pending?.end()
  }
}
