import { ProtocolError } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { InvariantError, type ProxyError } from '../../shared/errors.js'
import type { SessionKill, SessionPlace } from '../../shared/ipc.js'
import type { ClientAddress } from '../client/client-address.js'
import { ClientSocket } from '../client/client-socket.js'
import type { WorkerContext } from '../context.js'
import type { Execution, ExecutionListener } from '../execution/execution.js'
import type { Authenticated, Authentication } from '../login/authentication.js'
import type { LoggedIn } from '../login/session-login.js'
import { errPacket, okPacket } from './answers.js'
import { isDump } from './command.js'
import { killedId, killsStatementOnly } from './kill-command.js'
import { killRunning } from './killer.js'
import { beginChangeUser, type ChangingSession } from './session-change-user.js'
import { asProxyError, endsByRelease, INACTIVE, noteFailure, packetTooLarge, SHUTDOWN } from './session-end.js'
import { type IncomingListener, SessionIncoming } from './session-incoming.js'
import { aimKill, findKilled, isPerformed, killedItself, needsNoServer, notOwner } from './session-kill.js'
import { NEXT_PHASE, type SessionPhase } from './session-phase.js'
import { leaveIgnoreSpace, startOver } from './session-reset.js'
import { beginAs, type ClientTerms } from './session-start.js'
import { TimedSession } from './timed-session.js'
import { judge, ruleOf, UNKNOWN_COMMAND, type Verdict } from './verdict.js'

/** After so many COM_CHANGE_USER that failed, a server knows the command no more (sql_parse.cc, `failed_com_change_user`). */
const REFUSED_CHANGES_MAX = 3

/** Told what becomes of a session. */
export interface SessionOwner {
  sessionClosed(session: Session): void
  /** Its command in hand is about to be executed, and query rules say something of it. */
  ruled(session: Session): void
  /** It belongs to another user now, whose login is to be ended with `sequence`. */
  userChanged(session: Session, before: string, sequence: number): void
  /** It does not become `refused`, and stays with the user whom it has had. */
  userKept(refused: string, kept: string): void
}

/**
 * One client, from its login to its end: takes its commands from the incoming side, decides for each whether it is executed
 * or answered here, and owns the phase that says what may come next.
 */
export class Session implements ClientTerms, IncomingListener, ExecutionListener, ChangingSession {
  readonly id: number
  readonly place: ClientAddress
  readonly capabilities: number
  readonly mariadbCapabilities: number
  readonly scramble: string
  /** Replaced with the user. */
  execution: Execution
  /** Monotonic ms of the last change of phase: how long it has been idle, or busy. */
  since = monotonicMs()
  /** To be closed at the next quiet moment. */
  draining = false
  /** Monotonic ms until which it may hear that a KILL of it was performed. */
  mayBeKilledUntil = 0

  readonly #context: WorkerContext
  readonly #owner: SessionOwner
  readonly #client: ClientSocket
  readonly #incoming: SessionIncoming
  readonly timed: TimedSession
  #phase: SessionPhase = 'admitting'
  /** The KILL of a session of ours that is being executed. */
  #killing: SessionKill | null = null
  /** COM_CHANGE_USER in progress. */
  #change: Authentication | null = null
  /** Who it was, until the other user is admitted. */
  #before: Execution | null = null
  #refusedChanges = 0

  constructor(id: number, result: LoggedIn, context: WorkerContext, owner: SessionOwner) {
    const { socket, place, login, compression, rest } = result
    this.id = id
    this.place = place
    this.capabilities = login.capabilities
    this.mariadbCapabilities = login.mariadbCapabilities
    this.scramble = login.scramble.toString('latin1')
    this.#context = context
    this.#owner = owner
    this.#client = new ClientSocket(socket, login.tls, compression)
    this.#incoming = new SessionIncoming(context, this.#client, this)
    this.execution = beginAs(result, this, this.#client, context, this)
    this.timed = new TimedSession(this, context)
    socket.on('error', this.#onGone)
    socket.on('close', this.#onGone)
    this.#incoming.listen(rest)
  }

  get phase(): SessionPhase {
    return this.#phase
  }

  get user(): string {
    return this.execution.facts.user.name
  }

  /** Ends the login with its OK; what the client has sent ahead is taken now. */
  welcome(ok: Buffer): void {
    this.#before?.end()
    this.#before = null
    this.#client.write(ok)
    this.#client.compress()
    this.#move('ready')
    this.#incoming.advance()
  }

  /** Ends the login with an ERR. */
  refuse(err: Buffer, reason: string): void {
    this.#client.write(err)
    if (this.#before === null || this.draining) return this.close(reason)
    this.#stayWhoItWas(this.#before)
  }

  // A command. ---------------------------------------------------------------------------------------------------------

  command(buffer: Buffer, start: number, end: number, streamed: boolean): void {
    this.#context.counters.questions++
    this.since = monotonicMs()
    const { execution } = this
    const rule = ruleOf(buffer[start], this.#context.view.flavor)
    execution.command.take(buffer, start, end, rule, this.since)
    execution.command.streamed = streamed
    execution.statement = null
    const verdict = judge(execution, rule, this.#context, this.#client)
    if (verdict === 'execute' && execution.command.cacheTtlMs > 0) this.#executeCached()
    else this.#follow(verdict)
    // Answered here without its rest, which is no command of its own. What was whole already has been taken by now.
    if (streamed && !execution.command.uploaded && this.#phase === 'ready') this.#move('discarding')
  }

  #follow(verdict: Verdict): void {
    switch (verdict) {
      case 'execute':
        return this.#execute()
      case 'ok':
        return this.#answerOk()
      case 'silence':
        return
      case 'kill':
        return void this.#kill()
      case 'changeUser':
        return this.#changeUser()
      case 'quit':
        return this.close('quit')
      default:
        if (Buffer.isBuffer(verdict)) return this.#answerRows(verdict)
        this.#answerError(verdict)
    }
  }

  #execute(): void {
    this.#move('waiting')
    this.#start()
  }

  #start(): void {
    if (this.execution.command.ruling !== null) this.#owner.ruled(this)
    this.execution.start()
  }

  /** The command may be answered with what others have been answered, or are about to be. */
  #executeCached(): void {
    const { answers } = this.execution
    const answer = answers.find(this.execution)
    if (answer !== null) this.#answerRows(answer)
    else if (answers.isToWait) void this.#awaitAnswer()
    else this.#execute()
  }

  async #awaitAnswer(): Promise<void> {
    this.#move('waiting')
    try {
      const answer = await this.execution.answers.await(this.execution, () => this.#phase !== 'closed')
      if (this.#phase === 'closed') return
      const { endedBy } = this.execution.command
      if (endedBy !== null) return this.failed(endedBy, 1)
      if (answer === null) return this.#start()
      this.#answerRows(answer)
      this.#nextCommand()
    } catch (error) {
      this.blame(error)
    }
  }

  #answerOk(): void {
    this.#client.write(okPacket(1, this.execution.facts.statusFlags, this.capabilities))
    this.since = monotonicMs()
  }

  #answerRows(packets: Buffer): void {
    this.#client.write(packets)
    this.since = monotonicMs()
  }

  #answerError(error: ProxyError, sequence = 1): void {
    this.#context.countError(error.code)
    this.#client.write(errPacket(sequence, error, this.capabilities))
  }

  // KILL. --------------------------------------------------------------------------------------------------------------

  /** A KILL of a session of ours goes to a server that knows it; one of anything else goes where it is routed to. */
  async #kill(): Promise<void> {
    if (killedId(this.execution.command, this.id) < 0) return this.#execute()
    this.#move('waiting')
    try {
      const place = await findKilled(this.execution, this.id, this.#context)
      if (this.#phase === 'closed') return
      if (place !== null && needsNoServer(place, this.execution)) return this.#killWithoutServer(place)
      if (place !== null) this.#killing = aimKill(this.execution, place)
      this.execution.start()
    } catch (error) {
      this.blame(error)
    }
  }

  /** Where no server can judge it everybody may end what is their own. */
  #killWithoutServer({ sessionId, user }: SessionPlace): void {
    if (user !== this.user) return this.failed(notOwner(sessionId), 1)
    const statementOnly = killsStatementOnly(this.execution.command)
    const itself = sessionId === this.id
    if (itself) this.#answerError(killedItself(this.#context.view.flavor))
    else this.#answerOk()
    if (itself && !statementOnly) return this.close('killed')
    this.#context.sessionSearch.kill({ sessionId, statementOnly, hit: false })
    this.#nextCommand()
  }

  /** The server has answered a KILL: where it has allowed it, the session that is meant has to hear of it. */
  #passKillOn(kill: SessionKill): void {
    this.#killing = null
    if (isPerformed(this.execution.lastErrno)) this.#context.sessionSearch.kill(kill)
  }

  // COM_CHANGE_USER. ---------------------------------------------------------------------------------------------------

  #changeUser(): void {
    const { buffer, start, end } = this.execution.command
    if (this.#refusedChanges >= REFUSED_CHANGES_MAX) return this.#answerError(UNKNOWN_COMMAND)
    this.#move('changing')
    this.#change = beginChangeUser(this, this.#context)
    this.#change.changeUser(buffer.subarray(start + HEADER_SIZE, end), 0)
  }

  get encrypted(): boolean {
    return this.#client.encrypted
  }

  get awaitsLoginPacket(): boolean {
    return this.#change !== null && !this.#change.waiting
  }

  loginPacket(payload: Buffer, sequence: number): void {
    this.#change!.packet(payload, sequence)
  }

  send(packet: Buffer): void {
    this.#client.write(packet)
  }

  /** All that the session had is gone, but what its client wrote and may want to read. */
  userChanged(result: Authenticated): void {
    const before = this.execution
    this.#change = null
    if (this.#staysWhenRefused) {
      startOver(before, this.#context.view)
      this.#before = before
    } else before.end()
    this.execution = beginAs(result, this, this.#client, this.#context, this)
    if (this.#context.view.flavor === 'mariadb') leaveIgnoreSpace(this.execution)
    this.execution.facts.consistency.inherit(before.facts.consistency)
    this.#move('admitting')
    this.#owner.userChanged(this, before.facts.user.name, result.sequence)
  }

  /** The other user is not let in: its password is wrong. */
  changeRefused(packet: Buffer, reason: string): void {
    this.#client.write(packet)
    if (!this.#staysWhenRefused) return this.close(reason)
    this.#change = null
    this.#refusedChanges++
    startOver(this.execution, this.#context.view)
    this.#nextCommand()
  }

  /** A MariaDB server lets the session go on as who it was, a MySQL server ends it. */
  get #staysWhenRefused(): boolean {
    return this.#context.view.flavor === 'mariadb'
  }

  /** The other user is not let in: by its limit of connections, or to the schema. */
  #stayWhoItWas(before: Execution): void {
    this.#before = null
    this.#refusedChanges++
    this.#owner.userKept(this.user, before.facts.user.name)
    this.execution.end()
    this.execution = before
    this.#nextCommand()
  }

  // A command that is streamed. ----------------------------------------------------------------------------------------

  commandUploaded(): void {
    this.execution.command.uploaded = true
    this.#move('relaying')
    if (this.execution.running === null) this.#nextCommand()
  }

  infileUploaded(): void {
    this.execution.running!.follower.infileSent()
    this.#move('relaying')
  }

  discarded(): void {
    this.#move('ready')
  }

  get #isUploading(): boolean {
    return this.#phase === 'uploading' || this.#phase === 'infile'
  }

  // What the execution tells. ------------------------------------------------------------------------------------------

  commandSent(): void {
    if (!this.execution.command.streamed) return this.#move('relaying')
    this.#move('uploading')
    this.#incoming.advance()
  }

  commandDone(): void {
    if (!this.execution.command.streamed) return this.#nextCommand()
    this.#move('uploading')
    this.#incoming.advance()
  }

  infileRequested(): void {
    this.#move('infile')
    this.#incoming.goOn()
  }

  repeating(): void {
    this.#move('waiting')
  }

  answered(): void {
    if (this.#killing !== null) this.#passKillOn(this.#killing)
    if (this.#phase === 'closed') return
    // A server ends the connection of a reader of its binary log with the reading.
    if (isDump(this.execution.command.code)) return this.close('the binary log has been read')
    if (endsByRelease(this.execution)) return this.close('COMMIT or ROLLBACK with RELEASE')
    // A server that answers before it has the whole command will close the connection; so do we.
    if (this.#isUploading) return this.close('the server refused the rest of a command')
    this.#nextCommand()
  }

  nothingToDo(): void {
    this.#answerOk()
    this.#nextCommand()
  }

  failed(error: ProxyError, sequence: number): void {
    // Its connections end with it.
    if (this.#phase === 'closed') return
    this.#killing = null
    const isCut = this.#isUploading || this.execution.command.streamed
    if (error.code === 'connection-lost' && !isCut && this.#awaitsKill(error, sequence)) return
    this.#answerError(error, sequence)
    if (isCut) return this.close('a command could not be passed on')
    this.#nextCommand()
  }

  /** A server ends a connection before it answers the KILL that named it: whether the session ends with it is known soon. */
  #awaitsKill(error: ProxyError, sequence: number): boolean {
    const leftMs = this.mayBeKilledUntil - monotonicMs()
    if (leftMs <= 0) return false
    setTimeout(() => this.failed(error, sequence), Math.ceil(leftMs))
    return true
  }

  broken(reason: string): void {
    this.close(`an answer was cut: ${reason}`)
  }

  /** A command is over: on to the next, which may have come already. */
  #nextCommand(): void {
    this.since = monotonicMs()
    this.timed.commandOver(this.since)
    this.execution.release()
    this.execution.statement = null
    this.#move('ready')
    if (this.draining && !this.execution.facts.inTransaction) return this.closeForShutdown()
    this.#incoming.goOn()
  }

  // The end. -----------------------------------------------------------------------------------------------------------

  readonly #onGone = (): void => this.close('the client closed the connection', this.#finishesAlone)

  /** A write outside of a transaction is finished by the server, whether or not somebody waits for its answer. */
  get #finishesAlone(): boolean {
    const { command, facts } = this.execution
    return command.class === 'write' && !facts.inTransaction
  }

  /** Ends a session that has been idle for too long. */
  closeForInactivity(): void {
    if (this.#context.view.flavor === 'mysql') this.#client.writeUnasked(errPacket(0, INACTIVE, this.capabilities))
    this.close('idle timeout')
  }

  /** See `ClientSocket.lookForStall`. */
  lookForStall(): number {
    return this.#client.lookForStall()
  }

  /** Its client reads nothing any more: what waits for it would wait for good. */
  closeForStall(): void {
    const { id, place } = this
    this.#context.log.warn(
      { session: id, client: place.host },
      'a client reads nothing of its answer and is disconnected',
    )
    this.close('net_write_timeout')
    this.#client.socket.destroy()
  }

  /** It ends at its next quiet moment: now, if it can. */
  drain(): void {
    this.draining = true
    if (this.#phase === 'ready' && !this.execution.facts.inTransaction) this.closeForShutdown()
  }

  closeForShutdown(): void {
    this.#client.writeUnasked(errPacket(0, SHUTDOWN, this.capabilities))
    this.close('shutdown')
  }

  tooLarge(): void {
    const error = packetTooLarge(this.#context.view.snapshot.limits.maxAllowedPacket)
    this.#context.countError(error.code)
    this.#client.write(errPacket(this.#incoming.answerSequence, error, this.capabilities))
    this.close('packet over max_allowed_packet')
  }

  /** Ends the session by an error: the client's, if it broke the protocol, else ours. */
  blame(error: unknown): void {
    if (this.#phase === 'closed') return
    noteFailure(error, this, this.#context)
    if (error instanceof ProtocolError) {
      this.#client.write(errPacket(this.#incoming.answerSequence, error, this.capabilities))
      return this.close(error.code)
    }
    this.#client.write(errPacket(1, asProxyError(error), this.capabilities))
    this.close('internal error')
  }

  /** @param leaveRunning the statement in flight is not to be killed */
  close(reason: string, leaveRunning = false): void {
    if (this.#phase === 'closed') return
    this.#move('closed')
    const { running } = this.execution
    if (running !== null && !leaveRunning && !this.execution.leaveLane()) {
      void killRunning(running, this.execution.backends.login, this.#context)
    }
    this.#change?.abandon()
    this.#before?.end()
    this.execution.end()
    this.#context.log.debug({ session: this.id, reason }, 'session closed')
    this.#client.end()
    this.#owner.sessionClosed(this)
  }

  #move(to: SessionPhase): void {
    if (!NEXT_PHASE[this.#phase].includes(to)) throw new InvariantError(`session ${this.id}: ${this.#phase} -> ${to}`)
    this.#phase = to
  }
}

const HEADER_SIZE = 4
