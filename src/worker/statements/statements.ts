import { Command, frame, LARGE_PREFIX_BYTES } from '../../../protocol/index.js'
import type { GlobalCounters } from '../../shared/counters.js'
import { ProxyError } from '../../shared/errors.js'
import type { Flavor } from '../../shared/snapshot.js'
import type { Backend, OpenStatement } from '../backend/backend.js'
import { connectionLost } from '../execution/lost.js'
import type { CommandInHand } from '../session/command.js'
import { type ParseState, parseStateOf } from '../state/parse-state.js'
import type { SessionState } from '../state/session-state.js'
import type { SharedStatement, SharedStatements } from './shared-statement.js'

/** Prepared statements that one session may have open (the server's own default for all: max_prepared_stmt_count). */
const STATEMENTS_MAX = 16_382
/** MariaDB: the statement that was prepared last. */
const LAST_PREPARED = 0xffff_ffff

/** A prepared statement that a connection's server has: any session that has prepared the same can execute it. */
export class ServerStatement implements OpenStatement {
  readonly shared: SharedStatement
  readonly backend: Backend
  /** Its id there. */
  readonly id: number
  /** The parameter types that the server was given last; null: none. Types are interned, so `===` tells. */
  types: Buffer | null = null
  /** With CACHE_METADATA: digest of the column definitions that this server takes the client to have. */
  metadata: number
  usedAt: number
  slot: number
  isOpen = true
  readonly #context: StatementContext
  #heldBy: PreparedStatement | null = null

  constructor(shared: SharedStatement, backend: Backend, id: number, metadata: number, context: StatementContext) {
    this.shared = shared
    this.backend = backend
    this.id = id
    this.metadata = metadata
    this.usedAt = backend.statementUses++
    this.slot = backend.statements.length
    this.#context = context
    backend.statements.push(this)
    shared.openOn.add(this)
    context.sharedStatements.count(shared, 'servers', 1)
  }

  /** Whose cursor it has open, or whose parameters sent ahead; null: nobody's. Its connection is that session's meanwhile. */
  get heldBy(): PreparedStatement | null {
    return this.#heldBy
  }

  set heldBy(holder: PreparedStatement | null) {
    if ((holder === null) !== (this.#heldBy === null)) this.backend.heldStatements += holder === null ? -1 : 1
    this.#heldBy = holder
  }

  /** It can be prepared again without a loss: no cursor, no parameters sent ahead, a text that is known. */
  get mayBeClosed(): boolean {
    return this.#heldBy === null && this.shared.complete
  }

  /** Closes it on the server. */
  close(): void {
    if (!this.isOpen) return
    const payload = Buffer.alloc(5)
    payload[0] = Command.STMT_CLOSE
    payload.writeUInt32LE(this.id, 1)
    this.backend.writeBetween(frame(payload, 0))
    this.#context.counters.comBackendStmtClose++
    this.forget()
  }

  /** Notes that the server does not have it any more. */
  forget(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.heldBy = null
    const { backend, shared } = this
    const last = backend.statements.pop()!
    if (last !== this) {
      backend.statements[this.slot] = last
      last.slot = this.slot
    }
    if (backend.shared.get(shared) === this) backend.shared.delete(shared)
    shared.openOn.delete(this)
    this.#context.sharedStatements.count(shared, 'servers', -1)
  }

  /** Is being used now. */
  touch(): void {
    this.usedAt = this.backend.statementUses++
  }
}

/** A statement that a client has prepared. There may be hundreds of thousands: what they can share is in `shared`. */
export class PreparedStatement {
  /** The id that the client was given. */
  readonly id: number
  readonly shared: SharedStatement
  parameterCount = 0
  columnCount = 0
  /** The types section of the last execution that had one: clients leave it out when it does not change. */
  types: Buffer | null = null
  /** With CACHE_METADATA: digest of the column definitions that the client was sent last; 0: it has none to remember. */
  metadata = 0
  /** On a server where the one that all could use has another's cursor open, or where nobody else could use it. */
  own: ServerStatement | null = null
  /** What has its cursor, or its parameters sent ahead. */
  #held: ServerStatement | null = null
  #longDataOn: Backend | null = null
  #cursorOn: Backend | null = null

  constructor(id: number, shared: SharedStatement) {
    this.id = id
    this.shared = shared
  }

  /** Parameters were sent ahead (COM_STMT_SEND_LONG_DATA) on this connection. */
  get longDataOn(): Backend | null {
    return this.#longDataOn
  }

  set longDataOn(backend: Backend | null) {
    this.#longDataOn = backend
    this.#hold()
  }

  /** The last execution opened a cursor on this connection. */
  get cursorOn(): Backend | null {
    return this.#cursorOn
  }

  set cursorOn(backend: Backend | null) {
    this.#cursorOn = backend
    this.#hold()
  }

  #hold(): void {
    const on = this.#longDataOn ?? this.#cursorOn
    const wanted = on === null ? null : this.on(on)
    if (wanted === this.#held) return
    if (this.#held !== null && this.#held.heldBy === this && this.shared.complete) this.#held.heldBy = null
    this.#held = wanted
    if (wanted !== null) wanted.heldBy = this
  }

  /** What it is on a connection, or null. */
  on(backend: Backend): ServerStatement | null {
    const { own } = this
    if (own?.isOpen && own.backend === backend) return own
    const common = (backend.shared.get(this.shared) as ServerStatement | undefined) ?? null
    return common === null || common.heldBy === null || common.heldBy === this ? common : null
  }

  /** Whether an execution can be sent there as things are: the server has it, and takes the client to know what it knows. */
  isReadyOn(backend: Backend): boolean {
    const there = this.on(backend)
    return there !== null && (there.metadata === this.metadata || this.longDataOn === backend)
  }

  /** The connection that has what cannot be had elsewhere; null: any will do. */
  get boundTo(): Backend | null {
    return this.longDataOn ?? (this.shared.complete ? null : (this.own?.backend ?? null))
  }

  /** Forgets what was sent ahead and what was opened, as COM_STMT_RESET does. */
  reset(): void {
    this.#longDataOn = null
    this.#cursorOn = null
    this.#hold()
  }
}

/** What statements need of their worker. */
export interface StatementContext {
  readonly sharedStatements: SharedStatements
  readonly counters: GlobalCounters
}

/** The prepared statements of one session. */
export class Statements {
  readonly #context: StatementContext
  readonly #byId = new Map<number, PreparedStatement>()
  #nextId = 1
  #last: PreparedStatement | null = null
  /** Of the session's state in this version. */
  #parseState: ParseState | null = null
  #parsedVersion = -1

  constructor(context: StatementContext) {
    this.#context = context
  }

  get size(): number {
    return this.#byId.size
  }

  /** @throws ProxyError 1461 when the session has too many. */
  add(command: CommandInHand, state: SessionState): PreparedStatement {
    if (this.#byId.size >= STATEMENTS_MAX) {
      const message = `Can't create more than max_prepared_stmt_count statements (current value: ${STATEMENTS_MAX})`
      throw new ProxyError('too-many-statements', 1461, '42000', message)
    }
    const shared = this.#context.sharedStatements.take(command, this.parseState(state))
    const statement = new PreparedStatement(this.#nextId++, shared)
    this.#context.sharedStatements.count(shared, 'clients', 1)
    this.#byId.set(statement.id, statement)
    this.#last = statement
    return statement
  }

  /**
   * The statement that a packet names: its payload is `buffer[start, end)`, the id behind the command byte. Null as well
   * where the payload is too short for an id.
   * @param lastByMinusOne the server is a MariaDB, which takes -1 for the statement that was prepared last
   */
  find(buffer: Buffer, start: number, end: number, lastByMinusOne: boolean): PreparedStatement | null {
    if (end < start + 5) return null
    const id = buffer.readUInt32LE(start + 1)
    if (id === LAST_PREPARED && lastByMinusOne) return this.#last
    return this.#byId.get(id) ?? null
  }

  /** What of the session's state a text that is prepared now is read with. */
  parseState(state: SessionState): ParseState {
    if (this.#parseState === null || this.#parsedVersion !== state.version) {
      const parseState = parseStateOf(state)
      // Statements share it, and most changes do not concern it.
      if (this.#parseState?.key !== parseState.key) this.#parseState = parseState
      this.#parsedVersion = state.version
    }
    return this.#parseState!
  }

  /** The client's own PREPARE has been answered. */
  preparedByClient(statement: PreparedStatement, backend: Backend): void {
    const { parameterCount, columnCount, statementId } = backend.follower
    for (const known of [statement, statement.shared]) {
      known.parameterCount = parameterCount
      known.columnCount = columnCount
    }
    this.prepared(statement, backend, statementId, 0)
  }

  /** Notes that a server has the statement now. */
  prepared(statement: PreparedStatement, backend: Backend, id: number, metadata: number): ServerStatement {
    const there = new ServerStatement(statement.shared, backend, id, metadata, this.#context)
    const common = backend.shared.get(statement.shared) as ServerStatement | undefined
    const isOwn = !statement.shared.complete || (common !== undefined && !common.mayBeClosed)
    if (!isOwn) {
      common?.close()
      backend.shared.set(statement.shared, there)
      return there
    }
    statement.own?.close()
    statement.own = there
    if (!statement.shared.complete) there.heldBy = statement
    return there
  }

  /** Forgets a statement of the client, and closes it on the servers when no other client has it. */
  close(statement: PreparedStatement): void {
    statement.reset()
    statement.own?.close()
    this.remove(statement)
    if (statement.shared.clients === 0) for (const there of [...statement.shared.openOn]) there.close()
  }

  /** Forgets a statement of the client that no server has. */
  remove(statement: PreparedStatement): void {
    if (!this.#byId.delete(statement.id)) return
    if (this.#last === statement) this.#last = null
    this.#context.sharedStatements.count(statement.shared, 'clients', -1)
  }

  /** All of the session's statements are closed. */
  clear(): void {
    for (const statement of [...this.#byId.values()]) this.close(statement)
  }
}

/** The error of a statement id that nobody has prepared, as the server words it (ER_UNKNOWN_STMT_HANDLER). */
export function unknownStatement(id: number, command: string): ProxyError {
  return new ProxyError(
    'unknown-statement',
    1243,
    'HY000',
    `Unknown prepared statement handler (${id}) given to ${command}`,
  )
}

/** The error of a fetch without a cursor (ER_STMT_HAS_NO_OPEN_CURSOR). */
export function noCursor(id: number, flavor: Flavor): ProxyError {
  const end = flavor === 'mysql' ? '.' : ''
  return new ProxyError('no-cursor', 1421, 'HY000', `The statement (${id}) has no open cursor${end}`)
}

/** Parameters that were sent ahead, or a cursor, went with their connection. */
export function statementDataLost(id: number, flavor: Flavor): ProxyError {
  const message = `sluice: the connection with the data or the cursor of prepared statement ${id} was lost`
  return connectionLost(message, flavor)
}

/** The statement's text was too long to be held, and the one connection that had it is gone. */
export function lostStatement(id: number): ProxyError {
  const message = `sluice: the connection of prepared statement ${id} was lost, and only ${LARGE_PREFIX_BYTES} bytes of its text are known: prepare it again`
  return new ProxyError('statement-lost', 1243, 'HY000', message)
}
