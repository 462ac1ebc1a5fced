import { Command, type ErrPacket, type OkPacket } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { ProxyError } from '../../shared/errors.js'
import type { Backend } from '../backend/backend.js'
import type { BackendLogin } from '../backend/backend-login.js'
import { afterReset } from '../backend/connection-reset.js'
import type { Capture } from '../cache/result-capture.js'
import { SessionAnswers } from '../cache/session-answers.js'
import { SessionWrites } from '../cache/session-writes.js'
import { announceKey, showsUnderKey, writesUnderKey } from '../consistency/causal-announce.js'
import { noteWrite } from '../consistency/consistency-learn.js'
import type { WorkerContext } from '../context.js'
import type { RelayedConnection } from '../login/authentication.js'
import type { BackendHolder } from '../pool/pool-terms.js'
import { SessionBackends } from '../pool/session-backends.js'
import { endOnReplica, leavesReplica } from '../routing/replica-transaction.js'
import type { Decision } from '../routing/router.js'
import type { Candidate } from '../routing/topology-view.js'
import { logStatement } from '../rules/rule-log.js'
import type { SessionRules } from '../rules/session-rules.js'
import { CommandInHand } from '../session/command.js'
import { Pin, type SessionFacts } from '../session/session-facts.js'
import { leaveToOthers, serverHasReset } from '../session/session-reset.js'
import type { SessionText } from '../session/session-text.js'
import { askInsertId, asksOfLast } from '../state/recall.js'
import { type LastInsertId, Residue } from '../state/residue.js'
import { AnswerNotes, learnFromOk } from '../state/session-learn.js'
import type { SessionState } from '../state/session-state.js'
import { bringVariables, readAgain, type VariablesElsewhere } from '../state/variables-elsewhere.js'
import type { PacketWidener } from '../statements/packet-widener.js'
import { packetOn } from '../statements/server-statements.js'
import { type PreparedStatement, Statements } from '../statements/statements.js'
import type { StatementCount } from '../statistics/statement-count.js'
import { acquire, isReady } from './acquire.js'
import { learnFromWhole } from './execution-learn.js'
import { routeCommand } from './execution-route.js'
import { holdBack } from './hold-back.js'
import { LaneRead, leavesDiagnostics } from './lane-read.js'
import { LoadOfStatement } from './load-of-statement.js'
import { isPlainRollback, loseInFlight, settleLoss } from './lost.js'
import { type AnswerSink, Relay, type RelayListener } from './relay.js'
import { inWordsOfPrimary, isSentAgain, mayRepeat } from './sent-again.js'

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

/**
 * Takes a session's commands from "complete" to "answered": sends each to where it is routed (execution-route.ts) as soon as
 * there is a connection for it (acquire.ts), once more where that may be, and learns from the answer (execution-learn.ts).
 */
export class Execution implements RelayListener, BackendHolder {
  readonly command = new CommandInHand()
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly text: SessionText
  readonly count: StatementCount
  readonly rules: SessionRules
  readonly backends: SessionBackends
  /** What the last statement left behind, for the next to ask for. */
  readonly residue = new Residue()
  /** The prepared statement that the command in hand names, or that it is preparing. */
  statement: PreparedStatement | null = null
  /** The connection that the command in hand runs on. */
  running: Backend | null = null
  /** What has been set on a connection that alone knows the values; null: nothing. */
  elsewhere: VariablesElsewhere | null = null
  /** Number of the error that answered the last command; 0: none did. */
  lastErrno = 0

  readonly #context: WorkerContext
  readonly #relay: Relay
  readonly #listener: ExecutionListener
  readonly #notes = new AnswerNotes()
  readonly #lane: LaneRead
  /** The client has its answer; the command runs once more, alone, for what it leaves behind. */
  #again = false
  /** What the rest of a streamed command goes through. */
  #widener: PacketWidener | null = null
  /** Most sessions prepare nothing. */
  #statements: Statements | null = null
  /** What of its answers the result cache gives and keeps; null: nothing so far. */
  #answers: SessionAnswers | null = null
  /** What it writes, as told to the result cache; null: nothing so far. */
  #writes: SessionWrites | null = null
  readonly #load = new LoadOfStatement()
  /** Goes up when the session ends or a command is given up, so that what was awaited for it is dropped. */
  #turn = 0

  constructor(
    context: WorkerContext,
    client: AnswerSink,
    capabilities: number,
    login: BackendLogin,
    facts: SessionFacts,
    state: SessionState,
    text: SessionText,
    count: StatementCount,
    rules: SessionRules,
    listener: ExecutionListener,
  ) {
    this.#context = context
    this.facts = facts
    this.state = state
    this.text = text
    this.count = count
    this.rules = rules
    this.#listener = listener
    this.#relay = new Relay(client, capabilities, this)
    this.backends = new SessionBackends(context, login, state, this, facts.user.multiplex)
    this.#lane = new LaneRead(this, context)
  }

  /** The session's prepared statements. */
  get statements(): Statements {
    this.#statements ??= new Statements(this.#context)
    return this.#statements
  }

  /** Closes all prepared statements of the session. */
  clearStatements(): void {
    this.#statements?.clear()
  }

  /** What of the session's commands the result cache answers, and keeps of its answers. */
  get answers(): SessionAnswers {
    this.#answers ??= new SessionAnswers(this.#context)
    return this.#answers
  }

  /** The command in hand is over, whatever became of it: nothing of it is held. */
  release(): void {
    this.command.release()
    this.#answers?.forget()
  }

  /** Executes the command in hand. */
  start(): void {
    this.#notes.clear()
    this.#again = false
    this.#lane.begin()
    this.count.begin(this.state.schema)
    if ((this.facts.lost !== '' || this.facts.transactionLost) && this.#settleLoss()) return
    if (this.#goesFirst) return void this.#findAndSend()
    const { candidate, backend, catchUp, choseAnew, hostgroup } = this.#route(this.command.startedAt)
    // The choice may be one to wait for: it is made there, once.
    if (choseAnew) return void this.#findAndSend()
    // What the primary shows may be more than others have seen under the key.
    if (this.#showsUnderKey && this.#context.view.isWriter(hostgroup)) return void this.#findAndSend()
    if (backend === null && candidate !== null && !catchUp && this.#sendInLane(candidate)) return
    const ready =
      backend ??
      (candidate === null
        ? null
        : (this.backends.get(candidate, asksOfLast(this.command)) ?? this.backends.take(candidate)))
    if (ready !== null && !catchUp && isReady(this, ready) && !this.#awaitsVariables) this.#send(ready)
    else void this.#findAndSend()
  }

  /** @returns true when the command in hand has been answered by what was lost before it came */
  #settleLoss(): boolean {
    const settled = settleLoss(this.command, this.facts, this.#context.view.flavor)
    if (settled === 'done') this.#listener.nothingToDo()
    else if (settled !== null) this.#listener.failed(settled, 1)
    return settled !== null
  }

  /**
   * Opens the session's first connection, where a read would go, to see whether the login's schema exists.
   * @throws ProxyError with the server's refusal
   */
  async checkSchema(): Promise<void> {
    this.command.asRead(monotonicMs())
    try {
      await this.#acquire(++this.#turn)
    } finally {
      this.#letAllRest()
      this.command.release()
    }
  }

  /** Gives everything up: the session is over. */
  end(): void {
    this.#turn++
    this.leaveLane()
    this.#load.end(-1)
    this.#writes?.end(this.running !== null)
    this.release()
    this.#statements?.clear()
    leaveToOthers(this)
  }

  /** Uses a connection that the client has logged in to itself, and no other. */
  adopt({ backend, candidate }: RelayedConnection): void {
    this.backends.adopt(candidate, backend)
    this.facts.addPin(Pin.authentication, backend)
  }

  /**
   * Sends more of a command that is streamed.
   * @returns false when the server takes no more for now: wait for `onUploadDrain`
   */
  upload(bytes: Buffer): boolean {
    const backend = this.#uploadsTo
    return backend === null || backend.state === 'closed' || backend.writeMore(this.#widener?.push(bytes) ?? bytes)
  }

  onUploadDrain(callback: () => void): void {
    if (this.#uploadsTo === null) process.nextTick(callback)
    else this.#uploadsTo.onDrain(callback)
  }

  get #uploadsTo(): Backend | null {
    return this.running ?? this.statement?.longDataOn ?? null
  }

  /** Variables that another connection has have to be brought before the command in hand. */
  get #awaitsVariables(): boolean {
    // Asking for them would be a last statement of its own.
    return this.elsewhere !== null && !asksOfLast(this.command)
  }

  /** The other workers have to know of a write under a causal key before it is executed. */
  get #announcesKey(): boolean {
    const { wishes } = this.command
    return wishes !== null && wishes.causal !== '' && writesUnderKey(this.command, this.facts.consistency)
  }

  get #showsUnderKey(): boolean {
    return showsUnderKey(this.command, this.facts.consistency, this.#context.causal)
  }

  /** The result cache has to know of what the command in hand writes. */
  get #notesWrite(): boolean {
    const { cache } = this.#context
    if (!cache.notesWrites) return false
    this.#writes ??= new SessionWrites(cache)
    return this.#writes.concerns(this)
  }

  async #noteWrite(): Promise<void> {
    if ((await this.#writes!.begin(this)) === false) this.#context.counters.queryCacheAnnouncementsLost++
  }

  /** Something has to be done before the command in hand can be routed. */
  get #goesFirst(): boolean {
    const { command, facts } = this
    return (
      this.#delayMs > 0 || this.#announcesKey || this.#notesWrite || leavesReplica(command, facts, this.#context.view)
    )
  }

  /** How long a query rule holds the command in hand back; not again when it is repeated. */
  get #delayMs(): number {
    const { ruling, attempts } = this.command
    return attempts > 0 ? 0 : (ruling?.delayMs ?? 0)
  }

  /** The slow way: connections have to be opened, state brought over, or a server waited for. */
  async #findAndSend(): Promise<void> {
    const turn = ++this.#turn
    try {
      if (this.#delayMs > 0) await holdBack(this.command, this.#delayMs, () => turn === this.#turn)
      if (turn !== this.#turn) return
      if (this.#awaitsVariables) {
        const { elsewhere } = this
        this.elsewhere = null
        const mayReadDifferently = await bringVariables(elsewhere!, this.state, this.#context.log)
        if (turn !== this.#turn) return
        if (mayReadDifferently) readAgain(this)
      }
      if (leavesReplica(this.command, this.facts, this.#context.view)) await endOnReplica(this.facts)
      if (this.#announcesKey || this.#showsUnderKey)
        await announceKey(this.command, this.facts.consistency, this.#context)
      if (this.#notesWrite) await this.#noteWrite()
      if (turn !== this.#turn) return
      const backend = await this.#acquire(turn)
      if (backend === null || turn !== this.#turn) return
      this.command.sentAt = monotonicMs()
      this.#send(backend)
    } catch (error) {
      if (turn !== this.#turn) return
      this.#load.end(-1)
      this.#writes?.end(false)
      this.#letAllRest()
      if (error instanceof ProxyError) this.#fail(error, 1)
      else this.#listener.blame(error)
    }
  }

  #route(now: number): Decision {
    this.#load.beforeRoute()
    const decision = routeCommand(this, this.#context, now)
    this.#load.routed(decision)
    return decision
  }

  /** @returns null when the session, or the command, is given up meanwhile */
  #acquire(turn: number): Promise<Backend | null> {
    return acquire({
      context: this.#context,
      seeker: this,
      route: () => {
        const now = monotonicMs()
        const decision = this.#route(now)
        if (decision.choseAnew) this.facts.consistency.choseAnew(now)
        return decision
      },
      wanted: () => turn === this.#turn,
    })
  }

  /** Sends a short read that leaves nothing behind on a connection that may have others in flight. */
  #sendInLane(candidate: Candidate): boolean {
    if (this.#awaitsVariables) return false
    const lane = this.#lane.find(candidate, !this.#relay.congested)
    if (lane === null) return false
    const packet = this.#packetFor(lane)
    this.#lane.enter(lane)
    this.#begin(lane)
    this.#context.lanes.write(lane, packet)
    this.#listener.commandSent()
    return true
  }

  #sendElsewhere(): void {
    this.#listener.repeating()
    void this.#findAndSend()
  }

  /** The command in hand is in flight nowhere, and has no answer. */
  #runsNoMore(): void {
    this.#lane.isOut()
    this.running = null
    this.#load.end(-1)
  }

  /** Another session's read takes long: the command is executed on another connection. */
  displaced(lane: Backend): void {
    this.#runsNoMore()
    this.command.displace(lane)
    this.#sendElsewhere()
  }

  heldUp(): void {
    this.#lane.keepApart()
  }

  /**
   * Gives up what is in flight among others' reads: it ends by itself.
   * @returns false when nothing is: what runs can only be ended by the server
   */
  leaveLane(): boolean {
    if (!this.#lane.isIn || this.running === null) return false
    this.#lane.abandon(this.running, this.#relay)
    this.#relay.letGo()
    this.#runsNoMore()
    return true
  }

  /**
   * Answers a read in flight among others' with an error: it cannot be killed alone.
   * @returns false when what runs has a connection of its own, or has one now: it is to be killed there
   */
  cutInLane(error: ProxyError): boolean {
    if (!this.#lane.isIn) return false
    if (this.#relay.started) this.#context.lanes.single(this.running!)
    if (this.#relay.started) return false
    this.leaveLane()
    this.#listener.failed(error, 1)
    return true
  }

  /** Puts the command in hand in flight on a connection; what is written next is its packet. */
  #begin(backend: Backend): void {
    this.running = backend
    this.command.attempts++
    this.#load.begin(this.command, backend, this.#context.view)
    backend.move('busy')
    if (this.#again) this.#relay.beginMuted()
    else this.#relay.begin(backend, this.#captureOn(backend), this.#context.changes.mayConcernOthers(this.command))
    backend.begin(this.#relay, this.command.answer)
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
    const { last } = this.facts
    // What the statement before has left elsewhere cannot be asked for any more.
    if (last !== null && last !== backend) this.#context.pool.lower(last)
    this.#context.pool.wake(backend)
    this.#begin(backend)
    backend.write(packet)
    if (command.code === Command.RESET_CONNECTION) afterReset(backend)
    this.#listener.commandSent()
  }

  /** What takes a copy of the answer to the command in hand; null: nobody. */
  #captureOn(backend: Backend): Capture | null {
    if (this.command.cacheTtlMs === 0 || this.#answers === null) return null
    return this.#answers.captureOn(backend, monotonicMs())
  }

  #packetFor(backend: Backend): Buffer {
    this.#widener = null
    if (this.statement === null) return this.command.packet()
    const { bytes, widener } = packetOn(backend, this.command, this.statement, this.#context.counters)
    this.#widener = widener
    return bytes
  }

  // What the relay tells. ----------------------------------------------------------------------------------------------

  relayedOk(ok: OkPacket, backend: Backend): OkPacket {
    return learnFromOk(ok, backend, this.state, this.#notes, this.command.perStatement)
  }

  refused(errno: number, message: string, backend: Backend): boolean {
    return isSentAgain(this, this.#context, this.#relay.started, errno, message, backend)
  }

  reworded(err: ErrPacket, backend: Backend): ErrPacket | null {
    this.count.failed(backend, err.errno, err.message)
    return inWordsOfPrimary(this, this.#context.view, err, backend)
  }

  keptFromClient(backend: Backend): void {
    if (this.#lane.isIn) this.#lane.leave(backend, monotonicMs())
    else if (backend.state === 'busy') backend.move('idle')
    this.#runsNoMore()
    this.command.preparedAgain = true
    if (this.command.learned) this.letRest(backend)
    this.#sendElsewhere()
  }

  prepared(packet: Buffer, idAt: number, backend: Backend): void {
    this.statements.preparedByClient(this.statement!, backend)
    packet.writeUInt32LE(this.statement!.id, idAt)
  }

  infileRequested(): void {
    this.#listener.infileRequested()
  }

  crashed(error: unknown): void {
    this.#listener.blame(error)
  }

  answered(backend: Backend): void {
    const now = monotonicMs()
    this.#load.end(now)
    this.lastErrno = backend.follower.errno
    this.#context.lanes.overtook(this.command.displacedFrom)
    if (this.#lane.isIn && leavesDiagnostics(backend)) return this.#runAgain(backend, now)
    if (this.command.ruling?.log === true) logStatement(this, this.#context, this.lastErrno)
    if (backend.state === 'busy' && !this.#lane.isIn) backend.move('idle')
    learnFromWhole(this, backend, this.#notes, this.#context, now)
    if (this.#notesWrite || this.#writes?.hasBegun === true) this.#writes!.answered(this.facts)
    this.#relay.capture?.finish(backend, this.#context.cache, now)
    this.running = null
    if (this.#lane.isIn) {
      this.#lane.answered(backend, now)
      return this.#listener.answered()
    }
    // What was waited for is none of the statement's time.
    if (!this.#again) this.#lane.tookAlone(now - this.command.sentAt)
    if (this.command.code === Command.RESET_CONNECTION) serverHasReset(this, backend)
    this.#letAllRest()
    if (this.#relay.holdsEnd) void this.#endWhenKnown(backend)
    else this.#listener.answered()
  }

  /** What the command in hand has changed for all sessions to come, the other workers know before its client has the answer. */
  async #endWhenKnown({ target }: Backend): Promise<void> {
    const turn = ++this.#turn
    try {
      if (this.#notes.concernsAll) await this.#context.changes.tell(this.#notes, target.id)
      if (turn !== this.#turn) return
      this.#relay.giveEnd()
      this.#listener.answered()
    } catch (error) {
      this.#listener.blame(error)
    }
  }

  /** What a read has left that its session may ask for next is gone with the reads behind it: it leaves it again, alone. */
  #runAgain(lane: Backend, now: number): void {
    this.#answers?.forget()
    this.#lane.keepApart()
    this.#lane.leave(lane, now)
    this.#runsNoMore()
    this.#again = true
    this.command.displaced = true
    this.#sendElsewhere()
  }

  /** Ends the command in hand with an error, if its client is not answered yet. */
  #fail(error: ProxyError, sequence: number): void {
    if (this.#again) this.#listener.answered()
    else this.#listener.failed(error, sequence)
  }

  /** A KILL QUERY that came too late can hit what runs there next: that is not to be another session's. */
  #leaveKilled(backend: Backend): void {
    const isIdle = backend.state === 'idle' && this.running !== backend && this.backends.has(backend)
    if (!isIdle || this.facts.keeps(backend)) return
    backend.endedOnPurpose = true
    backend.quit()
  }

  /** Lets others have the connection, unless it has something that this session alone may see. */
  readonly letRest = (backend: Backend): void => {
    if (backend.state !== 'idle' || backend.heldStatements > 0) return
    if (this.facts.keeps(backend) || this.elsewhere?.backend === backend) return
    if (backend.killing !== null) return void backend.killing.then(() => this.#leaveKilled(backend))
    this.backends.rest(backend, this.residue.keepOn(backend, backend === this.facts.last))
  }

  /** The command in hand may have been prepared on others than the one that it has run on. */
  #letAllRest(): void {
    for (const backend of this.backends.all) if (backend.shelf === null) this.letRest(backend)
  }

  // What happens to connections. ---------------------------------------------------------------------------------------

  /** The connection of the command in flight was lost before its answer was complete. */
  answerLost(backend: Backend, reason: string): void {
    const { command } = this
    this.#runsNoMore()
    if (mayRepeat(this, this.#relay.started)) {
      this.#context.counters.queriesRetried++
      command.exclude(backend.target.id)
      this.#context.log.info({ server: backend.target.id, reason }, 'a read is repeated on another server')
      return this.#sendElsewhere()
    }
    this.#writes?.end(true)
    this.#relay.capture?.drop()
    const cut = this.#relay.started && !backend.follower.atBoundary
    if (cut) return this.#listener.broken(reason)
    if (isPlainRollback(command) && !this.#relay.started && this.facts.pins === Pin.transaction) {
      // The server does it when it loses the connection.
      this.facts.unpin()
      return this.#listener.nothingToDo()
    }
    const error = loseInFlight(command, this.facts, backend, reason)
    if (!this.facts.inTransaction && command.mayWrite) noteWrite(this.facts, backend, '', this.#context, monotonicMs())
    else if (this.#relay.started) this.facts.consistency.sawOnPrimary(monotonicMs())
    this.count.lost(command, backend, error, monotonicMs())
    this.#fail(error, this.#relay.started ? (backend.follower.sequence + 1) & 0xff : 1)
  }

  /** A connection is gone, with or without a command in flight. */
  backendGone(backend: Backend, reason: string): void {
    this.backends.forget(backend)
    if (this.facts.keeps(backend)) this.facts.loseConnection(backend, reason)
    this.#forgetOn(backend, this.residue.lastInsertId === 'unknown' ? '0' : null)
    if (this.backends.login.withoutPassword === true)
      this.#listener.broken('the connection that the client logged in to is gone')
  }

  /** Another session gets an idle connection of this one: what may be asked for there later is asked now. */
  backendTaken(backend: Backend): void {
    this.backends.forget(backend)
    const asks = this.residue.insertIdOn === backend && this.residue.lastInsertId === 'unknown'
    this.#forgetOn(backend, asks ? askInsertId(backend) : null)
  }

  #forgetOn(backend: Backend, insertId: LastInsertId | null): void {
    if (this.facts.last === backend) this.facts.last = null
    this.residue.forgetOn(backend, insertId)
  }
}
