import { monotonicMs } from '../../shared/clock.js'
import type { UserEntry } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import { SessionConsistency } from '../consistency/session-consistency.js'
import { HeldNames } from '../state/held-names.js'

/** Why a session keeps to one connection; a bit mask, since several can hold at once. */
export const Pin = {
  transaction: 1,
  temporaryTable: 2,
  lockTables: 4,
  advisoryLock: 8,
  /** A SET that was not understood, or SET ROLE: what it did is known to its connection alone. */
  sessionState: 32,
  /** The client has logged in to this connection itself: nobody else knows its password. */
  authentication: 64,
  /** It reads the primary's binary log. */
  replication: 128,
} as const

/**
 * Why a session keeps its connection to the primary from others, though its statements may run elsewhere; a bit mask. What
 * holds it is needed by statements that run on the primary only.
 */
export const Hold = {
  /** Set to what only the server knows. */
  userVariables: 1,
  /** PREPARE of the text protocol. */
  preparedText: 2,
  handler: 4,
  xa: 8,
  /** The client knows the connection's id, and may use it for KILL. */
  connectionId: 16,
  /** SET TRANSACTION, for the transaction that comes next. */
  nextTransaction: 32,
  /** Something was done there that is not understood. */
  unknownState: 64,
  /** SAVEPOINT while autocommit is off and no transaction has begun: it belongs to the one that the next statement begins. */
  savepoint: 128,
} as const

const HOLD_NAMES: readonly [number, string][] = [
  [Hold.userVariables, 'user variables'],
  [Hold.preparedText, 'PREPARE'],
  [Hold.handler, 'HANDLER'],
  [Hold.xa, 'XA'],
  [Hold.connectionId, 'CONNECTION_ID()'],
  [Hold.nextTransaction, 'SET TRANSACTION'],
  [Hold.unknownState, 'state that is not understood'],
  [Hold.savepoint, 'SAVEPOINT'],
]

export const PIN_NAMES: readonly [number, string][] = [
  [Pin.transaction, 'transaction'],
  [Pin.temporaryTable, 'temporary table'],
  [Pin.lockTables, 'LOCK TABLES'],
  [Pin.advisoryLock, 'GET_LOCK'],
  [Pin.authentication, 'password known to the client alone'],
  [Pin.replication, 'binary log'],
  [Pin.sessionState, 'session state that cannot be carried over'],
]

/** Pins that end with the transaction; the others have ends of their own. */
export function pinNames(pins: number): string[] {
  return PIN_NAMES.filter(([bit]) => (pins & bit) !== 0).map(([, name]) => name)
}

export function holdNames(holds: number): string[] {
  return HOLD_NAMES.filter(([bit]) => (holds & bit) !== 0).map(([, name]) => name)
}

/**
 * What is known of a session and decides where its next statement goes. Facts, not states: each is true or not at a
 * moment, and several are independent of each other.
 */
export class SessionFacts {
  readonly user: UserEntry
  /** Status flags of the session as the client saw them last (SERVER_STATUS_*). */
  statusFlags: number
  pins = 0
  /** The connection that the pins hold, or null without pins. */
  pinned: Backend | null = null
  /** The connection that ran the last statement: warnings, ROW_COUNT() and FOUND_ROWS() are there. */
  last: Backend | null = null
  /** What keeps `heldOn` from others, a mask of `Hold`. */
  holds = 0
  /** The connection that is kept though not all statements go there; null without holds. */
  heldOn: Backend | null = null
  /** Monotonic ms since when it keeps a connection; of no meaning while it keeps none. */
  keptSince = -1
  /** That it keeps one for long has been told. */
  keptTold = false
  /** Names that the session gave to things on its connection, by `Hold` or `Pin` that lasts as long as one of them. */
  readonly names = new HeldNames()

  /** What was lost with a connection and has not been told to the client yet; empty: nothing. */
  lost = ''
  /** A transaction went with its connection, and the client has not ended it yet. */
  transactionLost = false
  /** `lost` tells of a transaction and of nothing else. */
  onlyTransactionLost = false

  /** What it has written and seen, and what its reads may rely on. */
  readonly consistency = new SessionConsistency(monotonicMs())
  readonly #initialStatus: number

  /** @param status that the servers give to a new session */
  constructor(user: UserEntry, status: number = STATUS_AUTOCOMMIT) {
    this.user = user
    this.statusFlags = status
    this.#initialStatus = status
  }

  get inTransaction(): boolean {
    return (this.statusFlags & STATUS_IN_TRANS) !== 0
  }

  get autocommit(): boolean {
    return (this.statusFlags & STATUS_AUTOCOMMIT) !== 0
  }

  /** SET TRANSACTION without a scope was sent: it holds for the next transaction on that connection. */
  get nextTransactionSet(): boolean {
    return (this.holds & Hold.nextTransaction) !== 0
  }

  /** User variables have been set in ways that cannot be repeated elsewhere: statements that read them stay. */
  get userVariablesOnPrimary(): boolean {
    return (this.holds & Hold.userVariables) !== 0
  }

  /** Whether a connection must not be given to others. */
  keeps(backend: Backend): boolean {
    return this.pinned === backend || this.heldOn === backend
  }

  /** Whether a connection that is not kept has something that another session must not find. */
  isDirty(backend: Backend): boolean {
    return backend.applied.tainted || backend.heldStatements > 0
  }

  #keep(): void {
    if ((this.pins | this.holds) !== 0) return
    this.keptSince = monotonicMs()
    this.keptTold = false
  }

  addHold(hold: number, backend: Backend): void {
    this.#keep()
    this.holds |= hold
    this.heldOn = backend
  }

  removeHold(hold: number): void {
    this.holds &= ~hold
    if (this.holds === 0) this.heldOn = null
  }

  addPin(pin: number, backend: Backend): void {
    this.#keep()
    this.pins |= pin
    this.pinned = backend
  }

  removePin(pin: number): void {
    this.pins &= ~pin
    if (this.pins === 0) this.pinned = null
  }

  /** A connection that was kept is gone between two commands: the next command has to be told what went with it. */
  loseConnection(backend: Backend, reason: string): void {
    const what = [...pinNames(this.pins), ...holdNames(this.holds & ~Hold.connectionId)]
    // An id that nobody has any more is no loss.
    if (what.length > 0) this.lost = `${what.join(', ')} on ${backend.target.id} lost: ${reason}`
    this.transactionLost = this.inTransaction
    this.onlyTransactionLost = this.pins === Pin.transaction && (this.holds & ~Hold.connectionId) === 0
    this.unpin()
  }

  /** The transaction has been ended by Sluice. */
  leaveTransaction(): void {
    this.removePin(Pin.transaction)
    this.statusFlags &= ~(STATUS_IN_TRANS | STATUS_IN_TRANS_READONLY)
  }

  /** All that held the session to a connection is over. */
  unpin(): void {
    this.pins = 0
    this.pinned = null
    this.statusFlags &= ~(STATUS_IN_TRANS | STATUS_IN_TRANS_READONLY)
    this.release()
  }

  /** The connection that was held is gone, or as new. */
  release(): void {
    this.holds = 0
    this.heldOn = null
    this.names.clear()
  }

  /** As after a login; what was written stays known, since the client may read it next. */
  reset(): void {
    this.unpin()
    this.consistency.reset(monotonicMs())
    this.statusFlags = this.#initialStatus
    this.last = null
    this.lost = ''
    this.transactionLost = false
  }
}

/** Status flags of a new session of a server that greets so. */
export function initialStatus({ autocommit }: { readonly autocommit?: boolean }): number {
  return autocommit === false ? 0 : STATUS_AUTOCOMMIT
}

const STATUS_IN_TRANS = 0x0001
const STATUS_AUTOCOMMIT = 0x0002
const STATUS_IN_TRANS_READONLY = 0x2000
