import { LRUCache } from 'lru-cache'
import type { GlobalCounters } from '../../shared/counters.js'
import type { QueryCacheSettings } from '../../shared/snapshot.js'
import type { CachePeers } from './cache-peers.js'
import { PendingAnswers } from './pending-answers.js'
import { keysOf, type TableMark, TableMarks } from './table-marks.js'

/** What an answer takes besides its bytes and its key, measured on Node 20. */
const ENTRY_BYTES = 400

/** So long after a change of what ends answers nothing is kept, in ms. */
const SETTLING_MS = 1_000

/** The answer to a read, as it went to a client, header and sequence number of each packet included. */
export interface CachedAnswer {
  readonly bytes: Buffer
  readonly rows: number
  /** Monotonic ms: it has all that the primary had committed by then; -1: not known. */
  readonly asOf: number
  /** Monotonic ms: it shows nothing that was committed later. */
  readonly shownUntil: number
  /** The writes that end it; none: its time alone does. */
  readonly marks: readonly TableMark[]
}

/**
 * Answers of a worker's servers that may be given to other sessions, by everything that changes them (`CacheKeys`), and the
 * writes that end them. Nothing is looked for when a write begins: an answer is compared with the times of the last writes
 * when it is asked for.
 *
 * A write is in flight from before it is sent to its answer, and other workers know of it before it is sent. An answer that
 * was read before the end of the last write may lack it and is not given any more; nor is any while a write is in flight.
 */
export class ResultCache {
  readonly peers: CachePeers
  readonly pending: PendingAnswers
  readonly #counters: GlobalCounters
  readonly #now: () => number
  #settings: QueryCacheSettings
  #workers: number
  #answers: LRUCache<string, CachedAnswer> | null = null
  #marks: TableMarks
  /** Writes of other workers in flight, by worker. */
  readonly #others = new Map<number, Map<number, readonly TableMark[]>>()
  /** Writes have to be noted: this worker or another one keeps answers. */
  #noting = false
  /** `asking`: the others are being told that writes have to be told. */
  #keeping: 'no' | 'asking' | 'yes' = 'no'

  constructor(
    peers: CachePeers,
    counters: GlobalCounters,
    settings: QueryCacheSettings,
    workers: number,
    now: () => number,
  ) {
    this.peers = peers
    this.#counters = counters
    this.#settings = settings
    this.#workers = workers
    this.#now = now
    this.pending = new PendingAnswers(now)
    this.#marks = new TableMarks(now())
  }

  /** Takes other settings; answers that were kept under others are forgotten. */
  configure(settings: QueryCacheSettings, workers: number): void {
    const before = this.#settings
    const same =
      before.bytesMax === settings.bytesMax &&
      before.answerBytesMax === settings.answerBytesMax &&
      before.invalidation === settings.invalidation &&
      this.#workers === workers
    this.#settings = settings
    this.#workers = workers
    if (same) return
    this.clear()
    this.#answers = null
    // The other workers are told of it at this moment, too, and may not note all of their writes yet.
    if (before.invalidation !== settings.invalidation) this.#marks.startAnew(this.#now() + SETTLING_MS)
  }

  /** Whether writes have to be noted (and other workers told of them). */
  get notesWrites(): boolean {
    return this.#noting && this.#settings.invalidation !== 'off'
  }

  /** Whether it matters which tables are written. */
  get tellsTables(): boolean {
    return this.#settings.invalidation === 'table' || this.#settings.invalidation === 'schema'
  }

  /** Whether all that is written through Sluice is heard of: what is kept of what writes end is what there is. */
  get hearsWrites(): boolean {
    return this.peers.hearsAll
  }

  /** Bytes that an answer to be kept may have; 0: none is kept (yet). @param byTimeAlone no write ends it */
  answerBytesMax(byTimeAlone: boolean): number {
    const { bytesMax, answerBytesMax, invalidation } = this.#settings
    if (bytesMax === 0) return 0
    if (!byTimeAlone && invalidation !== 'off' && !this.#begin()) return 0
    return Math.min(answerBytesMax, this.#ownBytes)
  }

  /** How long a session waits for the answer that another one has asked for, in ms, where the query rule does not say. */
  get waitMs(): number {
    return this.#settings.waitMs
  }

  get #ownBytes(): number {
    return Math.floor(this.#settings.bytesMax / this.#workers)
  }

  /** With the first answer that is to be kept all workers begin to tell of their writes. @returns whether they all do */
  #begin(): boolean {
    if (this.#keeping === 'yes') return this.peers.state !== 'cut'
    if (this.#keeping === 'asking' || this.peers.state === 'cut') return false
    this.#noting = true
    if (this.peers.state === 'alone') this.#keeping = 'yes'
    else void this.#askOthers()
    this.#marks.startAnew(this.#now())
    return this.peers.state === 'alone'
  }

  async #askOthers(): Promise<void> {
    this.#keeping = 'asking'
    const known = await this.peers.begin()
    this.#keeping = known ? 'yes' : 'no'
    this.#marks.startAnew(this.#now())
  }

  /** The answer under a key, if it is neither too old nor ended by a write. To be called once for each statement. */
  find(key: string): CachedAnswer | null {
    this.#counters.queryCacheGet++
    return this.look(key)
  }

  /** The same, for a statement that has waited. */
  look(key: string): CachedAnswer | null {
    const answer = this.#answers?.get(key)
    if (answer === undefined) return null
    if (this.isCurrent(answer.marks, answer.asOf)) return answer
    this.#answers!.delete(key)
    return null
  }

  /** Notes that an answer was given to a client. */
  given({ bytes }: CachedAnswer): void {
    this.#counters.queryCacheGetOk++
    this.#counters.queryCacheBytesOut += bytes.length
  }

  /** Notes that a statement has waited for the answer to another one. @param given it was one that its session may be given */
  waited(given: boolean): void {
    if (given) this.#counters.queryCacheWaitsMet++
    else this.#counters.queryCacheWaitsInVain++
  }

  /** Whether no write has ended what was read when the primary had all up to `asOf`. */
  isCurrent(marks: readonly TableMark[], asOf: number): boolean {
    for (const mark of marks) if (!mark.isCovered(asOf)) return false
    return true
  }

  keep(key: string, answer: CachedAnswer, ttlMs: number): void {
    if (!this.isCurrent(answer.marks, answer.asOf)) return
    // A replica that lags has answered meanwhile.
    if ((this.#answers?.peek(key)?.asOf ?? -1) > answer.asOf) return
    this.#answers ??= this.#newAnswers()
    this.#answers.set(key, answer, { ttl: ttlMs, size: answer.bytes.length + key.length + ENTRY_BYTES })
    this.#counters.queryCacheSet++
    this.#counters.queryCacheBytesIn += answer.bytes.length
  }

  /** Forgets all answers. */
  clear(): void {
    this.#marks.startAnew(this.#now())
    this.#answers?.clear()
  }

  #newAnswers(): LRUCache<string, CachedAnswer> {
    return new LRUCache<string, CachedAnswer>({
      maxSize: Math.max(1, this.#ownBytes),
      ttl: 1,
      ttlResolution: 0,
      perf: { now: this.#now },
      dispose: (_answer, _key, reason) => {
        if (reason !== 'set') this.#counters.queryCachePurged++
      },
    })
  }

  /** How many answers it has, those that are too old and have not been asked for since included. */
  get size(): number {
    return this.#answers?.size ?? 0
  }

  /** Their memory, keys included, as counted. */
  get memoryBytes(): number {
    return this.#answers?.calculatedSize ?? 0
  }

  // Writes. --------------------------------------------------------------------------------------------------------------

  /** What an answer depends on. @param tables see `tablesRead` @param byTimeAlone no write ends it */
  marksOfRead(tables: readonly string[], byTimeAlone: boolean): readonly TableMark[] {
    const { invalidation } = this.#settings
    return byTimeAlone || invalidation === 'off' ? [] : this.#marks.ofRead(keysOf(tables, invalidation))
  }

  /** A write begins. @param tables see `tablesWritten` @returns what is to be told its end */
  began(tables: readonly string[] | null): readonly TableMark[] {
    const marks = this.#marks.ofWrite(keysOf(tables, this.#settings.invalidation))
    for (const mark of marks) mark.begin()
    return marks
  }

  ended(marks: readonly TableMark[], lost: boolean): void {
    const now = this.#now()
    for (const mark of marks) mark.end(now, lost)
  }

  // What other workers say. ----------------------------------------------------------------------------------------------

  othersBegan(from: number, writes: readonly (readonly [number, readonly string[] | null])[]): void {
    if (!this.#noting) this.#marks.startAnew(this.#now())
    this.#noting = true
    const known = this.#others.get(from) ?? new Map<number, readonly TableMark[]>()
    this.#others.set(from, known)
    for (const [write, tables] of writes) if (!known.has(write)) known.set(write, this.began(tables))
  }

  othersEnded(from: number, writes: readonly (readonly [number, boolean])[]): void {
    const known = this.#others.get(from)
    for (const [write, lost] of writes) {
      const marks = known?.get(write)
      if (marks === undefined) continue
      known!.delete(write)
      this.ended(marks, lost)
    }
  }

  /** Another worker is gone: what it was writing may come about yet. */
  otherGone(from: number): void {
    for (const marks of this.#others.get(from)?.values() ?? []) this.ended(marks, true)
    this.#others.delete(from)
  }
}
