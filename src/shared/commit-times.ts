import { closeSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { monotonicMs } from './clock.js'

/** Hostgroups have columns by their number; those that share one are taken for each other. */
const COLUMNS = 16
/** Processes have rows by their id. Those of one proxy are numbered in turn, so they hardly ever meet in one. */
const ROWS = 256
const TIME_BYTES = 8
const COLUMN_BYTES = ROWS * TIME_BYTES
/** Behind the table. */
const UNHEARD_AT = COLUMNS * COLUMN_BYTES

/** Environment variable that tells a worker where the times of its proxy's commits are. */
export const COMMIT_TIMES_ENV = 'SLUICE_COMMIT_TIMES'

/**
 * When something was last written through a proxy, by hostgroup of its primary, as all its workers know it at once: before a client
 * hears of its write, the worker has put the time into a file that all of them share, which costs each a system call of about a
 * microsecond and no message. It says nothing of what other proxies write.
 *
 * The file is a table of doubles in the machine's byte order: monotonic ms (`monotonicMs`), a column for each hostgroup, a row for
 * each process; aligned, so that none is ever seen half written. A process that ends leaves its row behind: what it wrote stays
 * written. Behind the table stands when a worker last went on with a write of which it could not make sure that all others knew.
 */
export class CommitTimes {
  /** null: nothing is shared. */
  readonly #file: number | null
  /** Of this process, by column, where nothing is shared. */
  readonly #own = new Map<number, number>()
  /** What stands behind the table, where nothing is shared. */
  #ownUnheard = -1
  readonly #row = process.pid % ROWS

  private constructor(file: number | null) {
    this.#file = file
  }

  /**
   * Makes the file for a proxy that starts: what others have written before counts as written now. Workers of an earlier start that
   * still serve go on with it. Throws the system's error.
   */
  static create(path: string): void {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = openSync(path, 'w', 0o600)
    const table = new Float64Array(COLUMNS * ROWS + 1)
    for (let column = 0; column < COLUMNS; column++) table[column * ROWS + (process.pid % ROWS)] = monotonicMs()
    writeSync(file, new Uint8Array(table.buffer), 0, table.byteLength, 0)
    closeSync(file)
  }

  /** @param path empty: this process is alone, and nothing is shared. Throws the system's error. */
  static open(path: string): CommitTimes {
    return new CommitTimes(path === '' ? null : openSync(path, 'r+'))
  }

  /** For who cannot get at the file: all may have been written right now. */
  static unknown(): CommitTimes {
    const times = new CommitTimes(null)
    for (let column = 0; column < COLUMNS; column++) times.#own.set(column, Number.POSITIVE_INFINITY)
    times.#ownUnheard = Number.POSITIVE_INFINITY
    return times
  }

  /** Something has been written, or may have been, by `now`. The client is told after this. */
  note(hostgroup: number, now: number): void {
    const column = columnOf(hostgroup)
    if (this.#file === null) return void this.#own.set(column, Math.max(now, this.#own.get(column) ?? -1))
    scratch[0] = now
    // It takes the place of what is there: no disk is too full for that.
    writeSync(this.#file, bytes, 0, TIME_BYTES, column * COLUMN_BYTES + this.#row * TIME_BYTES)
  }

  /** Monotonic ms of the last write by `now`; -1: none is known; `now` where it cannot be told. */
  latest(hostgroup: number, now: number): number {
    const column = columnOf(hostgroup)
    if (this.#file === null) return Math.min(this.#own.get(column) ?? -1, now)
    const got = readSync(this.#file, bytes, 0, COLUMN_BYTES, column * COLUMN_BYTES)
    // It is being made anew.
    if (got < COLUMN_BYTES) return now
    let latest = 0
    for (const time of scratch) if (time > latest) latest = time
    return latest > 0 ? Math.min(latest, now) : -1
  }

  /** This process goes on with a write, at `now`, of which it has told the other workers, and not all have said that they know. */
  noteUnheard(now: number): void {
    if (this.#file === null) {
      this.#ownUnheard = Math.max(now, this.#ownUnheard)
      return
    }
    scratch[0] = now
    writeSync(this.#file, bytes, 0, TIME_BYTES, UNHEARD_AT)
  }

  /** Monotonic ms of the last such write of any worker; -1 or 0: there was none; infinity where it cannot be told. */
  unheardAt(): number {
    if (this.#file === null) return this.#ownUnheard
    const got = readSync(this.#file, bytes, 0, TIME_BYTES, UNHEARD_AT)
    return got < TIME_BYTES ? Number.POSITIVE_INFINITY : (scratch[0] as number)
  }
}

function columnOf(hostgroup: number): number {
  return hostgroup % COLUMNS
}

const scratch = new Float64Array(ROWS)
const bytes = new Uint8Array(scratch.buffer)
