/**
 * What clients did with registers, as they saw it.
 *
 * **The model.** A register is a row whose version only grows on the primary: shared registers by `v = LAST_INSERT_ID(v + 1)`,
 * whose OK packet tells the writer the version that it made; a client's own register by `v = GREATEST(v, n)` with an `n` that
 * the client never uses twice. Row locks keep the versions of a register in the order in which their transactions commit, and
 * a replica applies them in that order: a smaller version is an older state, whichever server shows it. With GREATEST a write
 * that its client has given up cannot take the register back when it runs late.
 *
 * **Times** are those of one process and strictly increasing: `begin` is taken before the statement is sent, `end` after
 * its answer was read. So A came before B for certain when `A.end < B.begin`; nothing is concluded from any other order.
 *
 * **Transactions.** A write counts with the answer to COMMIT, and not at all after ROLLBACK. All reads of a transaction show
 * its snapshot (REPEATABLE READ), so each of them begins when the first one did. Registers that the transaction itself has
 * written are left out of its reads.
 *
 * **Shown early.** A primary sends a transaction to its replicas before it has finished committing it (MySQL's stages are flush, sync,
 * commit): a replica may show it while a read on the primary does not find it yet. That is a violation like any other; what is told of
 * one says whether the write was not acknowledged yet by the very server that did not show it.
 *
 * **Unknown outcomes.** A write (or COMMIT) that ended with an error may have happened or not: nobody has to see it.
 */
export type History = readonly Operation[]
export type Operation = Read | Write
export type Level = 'eventual' | 'session' | 'global' | 'strong'

interface Common {
  /** One connection of a client. */
  readonly session: number
  /** The causal key that the statement named. */
  readonly token: string | null
  /** Milliseconds. */
  readonly begin: number
  readonly end: number
}

export interface Read extends Common {
  readonly kind: 'read'
  /** Of an `eventual` read nothing is expected, and nothing follows from what it saw. */
  readonly level: Level
  /** It shows at least all that was acknowledged to anybody by then: the begin of its session, or of a `global` read. Absent: nothing of it. */
  readonly sees?: number
  /** Register, version (-1 where there was no such row), and the port of the server on which that was written. */
  readonly values: readonly (readonly [register: number, version: number, writtenOn?: number])[]
  /** Port of the server that answered. */
  readonly server: number
}

export interface Write extends Common {
  readonly kind: 'write'
  readonly register: number
  readonly version: number
  /** False: the outcome is unknown. */
  readonly acknowledged: boolean
}

const SMALLEST_STEP_MS = 1e-4

/** Collects the operations of one run, and is its clock. */
export class Recorder {
  readonly operations: Operation[] = []
  #last = 0

  /** Never the same twice. */
  now(): number {
    this.#last = Math.max(performance.now(), this.#last + SMALLEST_STEP_MS)
    return this.#last
  }

  add(operation: Operation): void {
    this.operations.push(operation)
  }
}
