import { Answer } from '../../protocol/index.js'
import type { Script } from '../workloads/workload.js'
import { type Address, type ConnectionOwner, type Credentials, LoadConnection } from './connection.js'
import { queryPacket } from './packets.js'

/** What a lane reports to the generator that owns it. */
export interface LaneOwner {
  /** An operation is complete; the lane is free. */
  onDone(lane: Lane): void
  /** The lane is free again after its connection was lost; the operation of that time does not count. */
  onRecovered(lane: Lane): void
  /** A command was answered. */
  onQuery(lane: Lane): void
  /** Counts an error; false ends the run. */
  onError(message: string): boolean
  /** A transaction was rolled back by the server and begins anew. */
  onRestart(): void
}

export interface LaneOptions {
  readonly address: Address
  readonly credentials: Credentials
  readonly connectsPerOperation: boolean
}

/** ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK: every application has to expect them, so they are no failure of a run. */
const RESTARTABLE = new Set([1205, 1213])
const ROLLBACK = queryPacket('ROLLBACK')
const RECONNECT_PAUSE_MS = 20

/**
 * Runs one operation at a time on one connection:
 *
 *   off       --open------------------> opening  --logged in--> preparing --set up, all prepared--> free
 *   free      --begin-----------------> busy     --last answer--> free
 *   busy      --deadlock, lock timeout> rollback --answer-------> busy (the operation from its start)
 *   any       --connection lost-------> off, then opening again (or the run ends)
 */
type LaneState = 'off' | 'opening' | 'preparing' | 'free' | 'busy' | 'rollback'

export class Lane implements ConnectionOwner {
  /** When the current operation should have begun; as performance.now(). */
  intendedAt = 0
  /** Group of the workload this lane belongs to. */
  readonly group: number

  readonly #options: LaneOptions
  readonly #script: Script
  readonly #owner: LaneOwner
  #state: LaneState = 'off'
  #connection: LoadConnection | null = null
  #bytesOfFormerConnections = 0
  #statementIds: number[] = []
  /** Packets of the script's set-up that are not answered yet. */
  #setUpLeft = 0
  #isClosed = false
  #opened: (() => void) | null = null

  constructor(group: number, options: LaneOptions, script: Script, owner: LaneOwner) {
    this.group = group
    this.#options = options
    this.#script = script
    this.#owner = owner
  }

  get bytesReceived(): number {
    return this.#bytesOfFormerConnections + (this.#connection?.bytesReceived ?? 0)
  }

  /** Connects and prepares; the promise is fulfilled when the first operation can begin. */
  open(): Promise<void> {
    if (this.#options.connectsPerOperation) {
      this.#state = 'free'
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      this.#opened = resolve
      this.#connect()
    })
  }

  /** Begins the next operation. */
  begin(intendedAt: number): void {
    this.intendedAt = intendedAt
    this.#state = 'busy'
    if (this.#options.connectsPerOperation) this.#connect()
    else this.#connection?.send(this.#script.first())
  }

  /** Ends the connection, whatever it is doing. */
  close(): void {
    this.#isClosed = true
    if (this.#state === 'free') this.#connection?.quit()
    else this.#connection?.destroy()
  }

  onAnswer(connection: LoadConnection): void {
    if (this.#state === 'busy') this.#onOperationAnswer(connection)
    else if (this.#state === 'preparing') this.#onPrepared(connection)
    else this.#restart(connection)
  }

  onLost(error: Error): void {
    if (this.#isClosed || !this.#owner.onError(error.message)) return
    this.#forgetConnection()
    setTimeout(() => this.#reconnect(), RECONNECT_PAUSE_MS)
  }

  #reconnect(): void {
    if (this.#isClosed) return
    if (!this.#options.connectsPerOperation) {
      this.#connect()
      return
    }
    this.#state = 'free'
    this.#owner.onRecovered(this)
  }

  #connect(): void {
    const { address, credentials, connectsPerOperation } = this.#options
    if (!connectsPerOperation) this.#state = 'opening'
    this.#connection = new LoadConnection(address, credentials, this, (connection) => this.#onLoggedIn(connection))
  }

  #onLoggedIn(connection: LoadConnection): void {
    if (this.#options.connectsPerOperation) {
      connection.send(this.#script.first())
      return
    }
    this.#setUpLeft = this.#script.setUp?.length ?? 0
    this.#statementIds = []
    this.#state = 'preparing'
    this.#prepareNext(connection)
  }

  #prepareNext(connection: LoadConnection): void {
    const setUp = this.#script.setUp?.at(-this.#setUpLeft)
    if (this.#setUpLeft > 0 && setUp !== undefined) {
      connection.send(setUp)
      return
    }
    const packet = this.#script.prepare?.[this.#statementIds.length]
    if (packet !== undefined) {
      connection.send(packet, Answer.prepare)
      return
    }
    this.#script.prepared?.(this.#statementIds)
    this.#state = 'free'
    const opened = this.#opened
    this.#opened = null
    if (opened !== null) opened()
    else this.#owner.onRecovered(this)
  }

  #onPrepared(connection: LoadConnection): void {
    if (connection.errno !== 0) {
      this.#owner.onError(`set-up failed: ${connection.error} (${connection.errno})`)
      return
    }
    if (this.#setUpLeft > 0) this.#setUpLeft--
    else this.#statementIds.push(connection.statementId)
    this.#prepareNext(connection)
  }

  #onOperationAnswer(connection: LoadConnection): void {
    this.#owner.onQuery(this)
    if (connection.errno !== 0) {
      if (RESTARTABLE.has(connection.errno)) {
        this.#state = 'rollback'
        connection.send(ROLLBACK)
        return
      }
      if (!this.#owner.onError(`${connection.error} (${connection.errno})`)) return
    }
    const packet = this.#script.following()
    if (packet !== null) {
      connection.send(packet)
      return
    }
    if (this.#options.connectsPerOperation) {
      connection.quit()
      this.#forgetConnection()
    }
    this.#finish()
  }

  #restart(connection: LoadConnection): void {
    this.#owner.onRestart()
    this.#state = 'busy'
    connection.send(this.#script.first())
  }

  #finish(): void {
    this.#state = 'free'
    this.#owner.onDone(this)
  }

  #forgetConnection(): void {
    this.#bytesOfFormerConnections += this.#connection?.bytesReceived ?? 0
    this.#connection = null
    this.#state = 'off'
  }
}
