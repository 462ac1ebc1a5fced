import { Answer, Command, type OkPacket } from '../../protocol/index.js'
import { monotonicMs } from '../shared/clock.js'
import { countQuery } from '../shared/counters.js'
import { ProxyError } from '../shared/errors.js'
import type { ServerId } from '../shared/snapshot.js'
import { diagnosticsTargets, Effect, StatementKind } from '../sql/index.js'
import { acquire } from './acquire.js'
import type { RelayedConnection } from './authentication.js'
import type { Backend } from './backend.js'
import { switchTrackingOn } from './backend-connect.js'
import type { BackendLogin } from './backend-login.js'
import type { ClientSocket } from './client-socket.js'
import { CommandInHand, isDump, isExecute } from './command.js'
import type { WorkerContext } from './context.js'
import { connectionLost, isPlainRollback, isShuttingDown, lostError } from './lost.js'
import type { PacketWidener } from './packet-widener.js'
import type { BackendHolder } from './pool.js'
import { Relay, type RelayListener } from './relay.js'
import { type Decision, newDecision, Reason, type RouteInput, route, usesOwnConnection } from './router.js'
import { makeRoom, prepareOn } from './server-statements.js'
import { SessionBackends } from './session-backends.js'
import { Pin, type SessionFacts } from './session-facts.js'
import { AnswerNotes, learnAssignments, learnFromAnswer, learnFromOk } from './session-learn.js'
import type { SessionState } from './session-state.js'
import type { SessionText } from './session-text.js'
import { addressedTo } from './statement-packets.js'
import { type PreparedStatement, Statements } from './statements.js'
import { findOnline } from './topology-view.js'
import { bringVariables, type VariablesElsewhere } from './variables-elsewhere.js'

/** A read that lost its connection, or a server that could not be reached, is tried on another one so many times. */
const ATTEMPTS_MAX = 4

/** What an execution tells its session. */
export interface ExecutionListener {
  /** The command has gone to a server; its answer is awaited. */
  commandSent(): void
  /** A command that has no answer has gone to a server. */
  commandDone(): void
  /** The client has its whole answer. */
  answered(): void
  /** The command could not be executed: answer with this error. The session goes on. */
  failed(error: ProxyError, sequence: number): void
  /** Part of an answer was cut in the middle of a packet: nothing more can be said to this client. */
  broken(reason: string): void
  infileRequested(): void
  /** The answer was lost before the client had any of it: the command is executed again. */
  repeating(): void
  /** Our mistake: the session ends. */
  blame(error: unknown): void
  /** What the command asks for has happened already: answer OK. */
  nothingToDo(): void
}

/** Takes a session's commands from "complete" to "answered": routing, connection, state, relay, retry. */
export class Execution implements RelayListener, BackendHolder {
  readonly command = new CommandInHand()
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly backends: SessionBackends
  /** The prepared statement that the command in hand names, or that it is preparing. */
  statement: PreparedStatement | null = null
  /** The connection that the command in hand runs on. */
  running: Backend | null = null
  /** Number of the error that answered the last command; 0: none did. */
  lastErrno = 0

  readonly #context: WorkerContext
  readonly text: SessionText
  readonly #relay: Relay
  readonly #listener: ExecutionListener
  readonly #notes = new AnswerNotes()
  /** What the rest of a streamed command goes through. */
  #widener: PacketWidener | null = null
  #elsewhere: VariablesElsewhere | null = null
  /** Most sessions prepare nothing. */
  #statements: Statements | null = null
  /** Goes up when the session ends or a command is given up, so that what was awaited for it is dropped. */
  #turn = 0

  constructor(
    context: WorkerContext,
    client: ClientSocket,
    capabilities: number,
    login: BackendLogin,
    facts: SessionFacts,
    state: SessionState,
    text: SessionText,
    listener: ExecutionListener,
  ) {
    this.#context = context
    this.facts = facts
    this.state = state
    this.text = text
    this.#listener = listener
    this.#relay = new Relay(client, capabilities, this)
    this.backends = new SessionBackends(context, login, state, this)
  }

  /** The session's prepared statements. */
  get statements(): Statements {
    this.#statements ??= new Statements(this.#context)
    return this.#statements
  }

  /** Executes the command in hand. */
  start(): void {
    this.#notes.clear()
    if ((this.facts.lost !== '' || this.facts.transactionLost) && this.#settleLoss()) return
    const { candidate, backend } = this.#route(this.command.startedAt)
    const ready = backend ?? (candidate === null ? null : this.backends.get(candidate))
    const atOnce = ready !== null && ready.state === 'idle' && this.#isPrepared(ready) && !this.#awaitsVariables
    if (atOnce) this.#send(ready)
    else void this.#findAndSend()
  }

  /**
   * Tells the client what went with a connection that was lost between two commands. A ROLLBACK of a transaction that was
   * lost is answered without a server, which may not be back yet: what it asks for has happened.
   * @returns true when the command in hand has been answered
   */
  #settleLoss(): boolean {
    const { command, facts } = this
    const { lost } = facts
    if (facts.transactionLost && isPlainRollback(command)) {
      facts.transactionLost = false
      if (facts.onlyTransactionLost) facts.lost = ''
      this.#listener.nothingToDo()
      return true
    }
    facts.lost = ''
    if (lost === '') {
      facts.transactionLost = false
      return false
    }
    this.#listener.failed(connectionLost(`sluice: ${lost}`, this.#context.view.flavor), 1)
    return true
  }

  /**
   * Opens the session's first connection, where a read would go, to see whether the login's schema exists.
   * @throws ProxyError with the server's refusal
   */
  async checkSchema(): Promise<void> {
    this.command.asRead(monotonicMs())
    const turn = ++this.#turn
    await acquire({
      context: this.#context,
      backends: this.backends,
      command: this.command,
      hasStatement: () => true,
      prepareOn: this.#prepareOn,
      route: () => this.#route(monotonicMs()),
      wanted: () => turn === this.#turn,
    })
    this.command.release()
  }

  /** Gives everything up: the session is over. */
  end(): void {
    this.#turn++
    this.command.release()
    this.#statements?.clear()
    this.backends.releaseAll()
  }

  /**
   * Forgets all that the session has set up, as COM_RESET_CONNECTION does.
   * @returns false when the command in hand has to go to the server, since the connection there cannot be opened anew
   */
  reset(): boolean {
    const { pinned } = this.facts
    const keepsConnection = this.backends.login.withoutPassword === true
    const { flavor, collation } = this.#context.view.snapshot.greeting
    this.#statements?.clear()
    this.#elsewhere = null
    this.facts.reset()
    // MySQL goes back to its own character set, MariaDB to the one of the login.
    this.state.reset(flavor === 'mysql' && !keepsConnection ? collation : this.state.collation)
    if (!keepsConnection) this.backends.releaseAll()
    else if (pinned !== null) {
      this.facts.addPin(Pin.authentication, pinned)
      pinned.applied.reset(this.state.version)
    }
    return !keepsConnection
  }

  /** Uses a connection that the client has logged in to itself, and no other. */
  adopt({ backend, candidate }: RelayedConnection): void {
    this.backends.adopt(candidate, backend)
    this.facts.addPin(Pin.authentication, backend)
  }

  /** Closes a prepared statement everywhere; this command has no answer. */
  closeStatement(statement: PreparedStatement): void {
    this.statements.close(statement)
  }

  /**
   * Sends more of a command that is streamed.
   * @returns false when the server takes no more for now: wait for `onUploadDrain`
   */
  upload(bytes: Buffer): boolean {
    const backend = this.running ?? this.statement?.longDataOn ?? null
    return backend === null || backend.state === 'closed' || backend.writeMore(this.#widener?.push(bytes) ?? bytes)
  }

  onUploadDrain(callback: () => void): void {
    const backend = this.running ?? this.statement?.longDataOn ?? null
    if (backend === null) process.nextTick(callback)
    else backend.onDrain(callback)
  }

  /** Where the command in hand would go, and why. */
  #route(now: number): Decision {
    const { command, facts } = this
    if (command.onServer !== '' && this.#routeTo(command.onServer)) return decision
    routeInput.kind = command.kind
    routeInput.effects = command.effects
    routeInput.hint = command.hint
    routeInput.hintHostgroup = command.hintHostgroup
    routeInput.facts = facts
    routeInput.own = usesOwnConnection(command.kind) ? this.backends.own(facts.user.defaultHostgroup) : null
    routeInput.view = this.#context.view
    routeInput.excluded = command.excluded
    routeInput.now = now
    routeInput.random = Math.random()
    const sticky = this.#statementIsOn()
    if (sticky !== null && sticky.state !== 'closed') {
      decision.backend = sticky
      decision.candidate = null
      decision.reason = 'the prepared statement has data there'
      return decision
    }
    route(routeInput, decision)
    command.reason = decision.reason
    return decision
  }

  /** @returns false when that server is not there any more */
  #routeTo(server: ServerId): boolean {
    decision.backend = null
    decision.candidate = findOnline(this.#context.view, server)
    decision.hostgroup = decision.candidate?.entry.hostgroup ?? -1
    decision.reason = Reason.killed
    this.command.reason = decision.reason
    return decision.candidate !== null
  }

  /** The connection on which the statement in hand has something that is nowhere else. */
  #statementIsOn(): Backend | null {
    const { statement, command } = this
    if (statement === null || command.code === Command.STMT_PREPARE) return null
    return statement.boundTo ?? (isExecute(command.code) ? null : statement.cursorOn)
  }

  #isPrepared(backend: Backend): boolean {
    return this.backends.isCurrent(backend) && this.#hasStatement(backend)
  }

  #hasStatement(backend: Backend): boolean {
    const { statement, command } = this
    if (statement === null || command.code === Command.STMT_PREPARE) return true
    return isExecute(command.code) ? statement.isReadyOn(backend) : statement.on(backend) !== null
  }

  readonly #prepareOn = (backend: Backend): Promise<void> => {
    const { backends, statements } = this
    const { counters, view } = this.#context
    const { maxStmtsPerConnection } = view.snapshot.limits
    const parseKey = statements.parseState(this.state).key
    return prepareOn(this.statement!, backend, { backends, statements, counters, maxStmtsPerConnection, parseKey })
  }

  /** Variables that another connection has have to be brought before the command in hand. */
  get #awaitsVariables(): boolean {
    return this.#elsewhere !== null && this.command.kind !== StatementKind.diagnostics
  }

  async #bringVariables(): Promise<void> {
    const elsewhere = this.#elsewhere!
    this.#elsewhere = null
    try {
      await bringVariables(elsewhere, this.state)
    } catch (error) {
      const server = elsewhere.backend.target.id
      this.#context.log.warn({ server, err: error }, 'what GET DIAGNOSTICS has set could not be brought over')
    }
  }

  /** GET DIAGNOSTICS sets variables where the statement before it ran. */
  #learnDiagnostics(backend: Backend): void {
    if (this.#context.view.isWriter(backend.target.hostgroup)) return
    const { buffer, start, end } = this.#sqlInHand()
    const names = diagnosticsTargets(buffer, start, end, this.text.options)
    const known = this.#elsewhere?.backend === backend ? this.#elsewhere.names : []
    this.#elsewhere = { backend, names: new Set([...known, ...names]) }
  }

  /** The slow way: connections have to be opened, state brought over, or a server waited for. */
  async #findAndSend(): Promise<void> {
    const turn = ++this.#turn
    try {
      if (this.#awaitsVariables) await this.#bringVariables()
      if (turn !== this.#turn) return
      const backend = await acquire({
        context: this.#context,
        backends: this.backends,
        command: this.command,
        hasStatement: (backend) => this.#hasStatement(backend),
        prepareOn: this.#prepareOn,
        route: () => this.#route(monotonicMs()),
        wanted: () => turn === this.#turn,
      })
      if (backend === null || turn !== this.#turn) return
      this.#send(backend)
    } catch (error) {
      if (turn !== this.#turn) return
      if (error instanceof ProxyError) this.#listener.failed(error, 1)
      else this.#listener.blame(error)
    }
  }

  #send(backend: Backend): void {
    const { command, statement } = this
    const packet = this.#packetFor(backend)
    if (command.code === Command.STMT_SEND_LONG_DATA) {
      statement!.longDataOn = backend
      backend.write(packet)
      this.#listener.commandDone()
      return
    }
    this.running = backend
    command.attempts++
    backend.move('busy')
    this.#relay.begin()
    backend.begin(this.#relay, command.answer)
    backend.write(packet)
    if (command.code === Command.RESET_CONNECTION) switchTrackingOn(backend)
    this.#listener.commandSent()
  }

  #packetFor(backend: Backend): Buffer {
    const { command, statement } = this
    const { counters } = this.#context
    const packet = command.packet()
    this.#widener = null
    if (command.code === Command.STMT_PREPARE) counters.comBackendStmtPrepare++
    if (statement === null || command.code === Command.STMT_PREPARE) return packet
    if (isExecute(command.code)) counters.comBackendStmtExecute++
    const there = statement.on(backend)!
    there.touch()
    const { bytes, widener } = addressedTo(packet, there, command.streamed)
    this.#widener = widener
    return bytes
  }

  // What the relay tells. ----------------------------------------------------------------------------------------------

  relayedOk(ok: OkPacket, backend: Backend): OkPacket {
    return learnFromOk(ok, backend, this.state, this.#notes, this.command.perStatement)
  }

  refused(errno: number, message: string, backend: Backend): boolean {
    if (STATEMENT_GONE.has(errno) && this.#mayPrepareAgain()) {
      this.statement!.on(backend)?.close()
      return true
    }
    if (!isShuttingDown(errno) || !this.#mayRepeat()) return false
    backend.destroy(message)
    return true
  }

  /** The server does not have the statement any more, and has not executed anything. */
  #mayPrepareAgain(): boolean {
    const { command, statement } = this
    if (statement === null || !isExecute(command.code) || command.preparedAgain || command.streamed) return false
    return statement.longDataOn === null && statement.shared.complete
  }

  keptFromClient(backend: Backend): void {
    if (backend.state === 'busy') backend.move('idle')
    this.running = null
    this.command.preparedAgain = true
    this.#listener.repeating()
    void this.#findAndSend()
  }

  prepared(packet: Buffer, idAt: number, backend: Backend): void {
    const statement = this.statement!
    const { parameterCount, columnCount, statementId } = backend.follower
    statement.parameterCount = parameterCount
    statement.columnCount = columnCount
    this.statements.prepared(statement, backend, statementId, 0)
    packet.writeUInt32LE(statement.id, idAt)
  }

  infileRequested(): void {
    this.#listener.infileRequested()
  }

  crashed(error: unknown): void {
    this.#listener.blame(error)
  }

  answered(backend: Backend): void {
    const { command, facts } = this
    const failed = backend.follower.errno !== 0
    this.lastErrno = backend.follower.errno
    if (backend.state === 'busy') backend.move('idle')
    learnFromAnswer(command, backend, this.#notes, facts, this.#context.view, this.#candidateOf)
    if (!failed && (command.effects & TOLD_BY_TEXT) !== 0) this.#learnAssignments(backend)
    const diagnosed = command.kind === StatementKind.diagnostics && (command.effects & Effect.setsUserVariable) !== 0
    if (!failed && diagnosed) this.#learnDiagnostics(backend)
    this.#learnStatement(backend, failed)
    this.#count(backend, failed)
    this.running = null
    this.#listener.answered()
  }

  #learnAssignments(backend: Backend): void {
    const { command } = this
    if (command.kind === StatementKind.set && command.code !== Command.STMT_PREPARE) {
      learnAssignments(this.#sqlInHand(), this.text.options, backend, this.state, this.facts, this.#notes)
    } else if ((command.effects & Effect.setsUserVariableLiteral) !== 0) this.facts.userVariablesOnPrimary = true
  }

  #sqlInHand(): { buffer: Buffer; start: number; end: number } {
    const { command, statement } = this
    if (statement !== null) {
      const { packet } = statement.shared
      return { buffer: packet, start: PREPARED_TEXT_AT, end: packet.length }
    }
    return { buffer: command.buffer, start: this.text.textStart(command), end: command.end }
  }

  #learnStatement(backend: Backend, failed: boolean): void {
    const { command, statement } = this
    if (statement === null) return
    if (command.code === Command.STMT_PREPARE) return this.#learnPrepared(statement, backend, failed)
    this.#learnMetadata(statement, backend)
    if (command.code === Command.STMT_RESET) return statement.reset()
    const { statusFlags } = backend.follower
    if (command.code === Command.STMT_FETCH && (statusFlags & LAST_ROW_SENT) !== 0) statement.cursorOn = null
    if (!isExecute(command.code)) return
    statement.longDataOn = null
    const opened = command.answer === Answer.cursor && (statusFlags & (CURSOR_EXISTS | LAST_ROW_SENT)) === CURSOR_EXISTS
    statement.cursorOn = opened ? backend : null
  }

  #learnPrepared(statement: PreparedStatement, backend: Backend, failed: boolean): void {
    // Without an id there is no statement, whatever the server has answered.
    if (failed || backend.follower.statementId === 0) return this.statements.close(statement)
    this.#learnMetadata(statement, backend)
    makeRoom(backend, this.#context.view.snapshot.limits.maxStmtsPerConnection)
  }

  /** With CACHE_METADATA: which column definitions the client has from now on, and this server knows that it has. */
  #learnMetadata(statement: PreparedStatement, backend: Backend): void {
    const { metadataDigest } = backend.follower
    if (statement.columnCount === 0 || metadataDigest === 0) return
    statement.metadata = metadataDigest
    const there = statement.on(backend)
    if (there !== null) there.metadata = metadataDigest
  }

  #count(backend: Backend, failed: boolean): void {
    const { command } = this
    // How long a reader of the binary log stays says nothing of the server.
    if (isDump(command.code)) return
    const latencyUs = Math.round((monotonicMs() - command.startedAt) * 1000)
    countQuery(backend.accounting!.byClass[command.class], latencyUs, failed)
    const { counters } = this.#context
    if (latencyUs > SLOW_QUERY_US) counters.slowQueries++
    if (command.reason === Reason.ownWrites) counters.readsOnPrimaryCausal++
    else if (command.reason === Reason.noReplica) counters.readsOnPrimaryNoReplica++
  }

  readonly #candidateOf = (backend: Backend) => findOnline(this.#context.view, backend.target.id)

  // What happens to connections. ---------------------------------------------------------------------------------------

  /** The connection of the command in flight was lost before its answer was complete. */
  answerLost(backend: Backend, reason: string): void {
    const { command } = this
    this.running = null
    if (this.#mayRepeat()) {
      this.#context.counters.queriesRetried++
      command.exclude(backend.target.id)
      this.#context.log.info({ server: backend.target.id, reason }, 'a read is repeated on another server')
      this.#listener.repeating()
      void this.#findAndSend()
      return
    }
    const cut = this.#relay.started && !backend.follower.atBoundary
    if (cut) return this.#listener.broken(reason)
    if (isPlainRollback(command) && !this.#relay.started && this.facts.pins === Pin.transaction) {
      // The server does it when it loses the connection.
      this.facts.unpin()
      return this.#listener.nothingToDo()
    }
    const error = lostError(command, this.facts, backend, reason)
    if (this.facts.pinned === backend) {
      this.facts.transactionLost = this.facts.inTransaction
      this.facts.unpin()
    }
    if (command.mayWrite) this.facts.wrote(monotonicMs(), '', backend.target.flavor)
    this.#listener.failed(error, this.#relay.started ? (backend.follower.sequence + 1) & 0xff : 1)
  }

  /** A connection is gone, with or without a command in flight. */
  backendGone(backend: Backend, reason: string): void {
    this.backends.forget(backend)
    this.#statements?.forgetBackend(backend)
    if (this.facts.pinned === backend) this.facts.loseConnection(backend, reason)
    if (this.facts.last === backend) this.facts.last = null
    if (this.backends.login.withoutPassword === true)
      this.#listener.broken('the connection that the client logged in to is gone')
  }

  #mayRepeat(): boolean {
    const { command, facts } = this
    return command.repeatable && !this.#relay.started && facts.pinned === null && command.attempts < ATTEMPTS_MAX
  }
}

const CURSOR_EXISTS = 0x0040
const LAST_ROW_SENT = 0x0080
/** ER_UNKNOWN_STMT_HANDLER and ER_NEED_REPREPARE. */
const STATEMENT_GONE: ReadonlySet<number> = new Set([1243, 1615])
/** Where the text begins in a COM_STMT_PREPARE packet. */
const PREPARED_TEXT_AT = 5
/** ProxySQL's default of mysql-long_query_time. */
const SLOW_QUERY_US = 1_000_000
/** Effects of a SET of which session tracking does not tell all. */
const TOLD_BY_TEXT = Effect.setsUserVariableLiteral | Effect.setsSessionState

const decision: Decision = newDecision()
/** Used again for each statement: routing allocates nothing. */
const routeInput: { -readonly [K in keyof RouteInput]: RouteInput[K] } = {
  kind: 0,
  effects: 0,
  hint: 0,
  hintHostgroup: -1,
  facts: null as unknown as SessionFacts,
  own: null,
  view: null as unknown as WorkerContext['view'],
  excluded: null,
  now: 0,
  random: 0,
}
