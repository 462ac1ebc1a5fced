import type { UserEntry } from '../shared/snapshot.js'
import type { Backend } from './backend.js'
import { SessionConsistency } from './session-consistency.js'

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
  /** SET TRANSACTION without a scope was sent: it holds for the next transaction on that connection. */
  nextTransactionSet = false
  /** User variables have been set in ways that cannot be repeated elsewhere: statements that read them stay. */
  userVariablesOnPrimary = false

  /** What was lost with a connection and has not been told to the client yet; empty: nothing. */
  lost = ''
  /** A transaction went with its connection, and the client has not ended it yet. */
  transactionLost = false
  /** `lost` tells of a transaction and of nothing else. */
  onlyTransactionLost = false

  /** What it has written and seen, and what its reads may rely on. */
  readonly consistency = new SessionConsistency()
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

  addPin(pin: number, backend: Backend): void {
    this.pins |= pin
    this.pinned = backend
  }

  removePin(pin: number): void {
    this.pins &= ~pin
    if (this.pins === 0) this.pinned = null
  }

  /** The pinned connection is gone between two commands: the next command has to be told what went with it. */
  loseConnection(backend: Backend, reason: string): void {
    this.lost = `${pinNames(this.pins).join(', ')} on ${backend.target.id} lost: ${reason}`
    this.transactionLost = this.inTransaction
    this.onlyTransactionLost = this.pins === Pin.transaction
    this.unpin()
  }

  /** All that held the session to a connection is over. */
  unpin(): void {
    this.pins = 0
    this.pinned = null
    this.statusFlags &= ~(STATUS_IN_TRANS | STATUS_IN_TRANS_READONLY)
    this.nextTransactionSet = false
    this.userVariablesOnPrimary = false
  }

  /** As after a login; what was written stays known, since the client may read it next. */
  reset(): void {
    this.unpin()
    this.consistency.reset()
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
