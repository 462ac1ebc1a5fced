import type { Socket } from 'node:net'
import { Answer, Command, Frame, Framer, ProtocolError, ServerErrors } from '../../protocol/index.js'
import { monotonicMs } from '../shared/clock.js'
import { InvariantError, ProxyError } from '../shared/errors.js'
import type { SessionKill, SessionPlace } from '../shared/ipc.js'
import { StatementKind } from '../sql/index.js'
import { errPacket, okPacket } from './answers.js'
import { type Authenticated, Authentication } from './authentication.js'
import type { Backend } from './backend.js'
import { type BackendLogin, backendLogin } from './backend-login.js'
import type { ClientAddress } from './client-address.js'
import { ClientSocket } from './client-socket.js'
import { COMMAND_RULES, type CommandInHand, type CommandRule, Handling, isDump, isExecute } from './command.js'
import type { WorkerContext } from './context.js'
import { Execution, type ExecutionListener } from './execution.js'
import { killedId, killsStatementOnly, withKilledId } from './kill-command.js'
import { killRunning } from './killer.js'
import { SessionFacts } from './session-facts.js'
import { defaultPlugin, type LoggedIn } from './session-login.js'
import { NEXT_PHASE, type SessionPhase } from './session-phase.js'
import { SessionState } from './session-state.js'
import { SessionText } from './session-text.js'
import { noCursor, type PreparedStatement, statementDataLost, unknownStatement } from './statements.js'

/** Told what becomes of a session. */
export interface SessionOwner {
  sessionClosed(session: Session): void
  /** It belongs to another user now, whose login is to be ended with `sequence`. */
  userChanged(session: Session, before: string, sequence: number): void
}

/**
 * One client, from its login to its end: cuts its bytes into commands, hands each to the execution, and answers what
 * Sluice answers itself.
 */
export class Session implements ExecutionListener {
  readonly id: number
  readonly host: string
  readonly port: number
  /** Replaced with the user. */
  execution: Execution
  /** Monotonic ms of the last change of phase: how long it has been idle, or busy. */
  since = monotonicMs()
  /** To be closed at the next quiet moment. */
  draining = false

  readonly #context: WorkerContext
  readonly #owner: SessionOwner
  readonly #client: ClientSocket
  /** Negotiated with the client: CLIENT_* flags. */
  readonly capabilities: number
  readonly #place: ClientAddress
  readonly #mariadbCapabilities: number
  #login!: BackendLogin
  #text!: SessionText
  readonly #framer: Framer
  #phase: SessionPhase = 'admitting'
  #clientPaused = false
  /** The KILL of a session of ours that is being executed. */
  #killing: SessionKill | null = null
  /** COM_CHANGE_USER in progress. */
  #change: Authentication | null = null

  constructor(id: number, result: LoggedIn, context: WorkerContext, owner: SessionOwner) {
    const { socket, place, login, compression, rest } = result
    this.id = id
    this.host = place.host
    this.port = place.port
    this.#place = place
    this.#context = context
    this.#owner = owner
    this.#client = new ClientSocket(socket, login.tls, compression)
    this.capabilities = login.capabilities
    this.#mariadbCapabilities = login.mariadbCapabilities
    this.#framer = new Framer(context.view.snapshot.limits.maxBufferedCommand)
    this.execution = this.#enter(result)
    this.#listen(socket, rest)
  }

  /** Begins anew, as the user that has logged in. */
  #enter({ login, user, credentials, relayed }: Authenticated): Execution {
    const { response } = login
    const state = new SessionState(response.database ?? user.defaultSchema ?? '', response.collation)
    this.#login = backendLogin(credentials, user.name, {
      capabilities: this.capabilities,
      mariadbCapabilities: this.#mariadbCapabilities,
      database: state.schema,
      collation: state.collation,
      attributes: response.attributes,
      client: this.#place.endpoints,
    })
    this.#text = new SessionText(this.#context, state, this.capabilities)
    const facts = new SessionFacts(
      user,
      this.#context.view.snapshot.greeting.autocommit === false ? 0 : STATUS_AUTOCOMMIT,
    )
    const execution = new Execution(
      this.#context,
      this.#client,
      this.capabilities,
      this.#login,
      facts,
      state,
      this.#text,
      this,
    )
    if (relayed !== null) execution.adopt(relayed)
    return execution
  }

  get phase(): SessionPhase {
    return this.#phase
  }

  get user(): string {
    return this.execution.facts.user.name
  }

  /** The text of the command in hand, cut to `limit` characters; empty where it has none. */
  commandText(limit: number): string {
    const { command } = this.execution
    if (command.code !== Command.QUERY && command.code !== Command.STMT_PREPARE) return ''
    const start = this.#text.textStart(command)
    if (start < 0) return ''
    return command.buffer.toString('utf8', start, Math.min(command.end, start + 4 * limit)).slice(0, limit)
  }

  #listen(socket: Socket, rest: Buffer): void {
    socket.on('error', this.#onGone)
    socket.on('close', this.#onGone)
    const broken = (error: ProtocolError): void => this.#blame(error)
    this.#client.listen({ received: this.#onData, broken }, rest)
  }

  /** Ends the login with its OK; what the client has sent ahead is taken now. */
  welcome(ok: Buffer): void {
    this.#client.write(ok)
    this.#client.compress()
    this.#move('ready')
    this.#pump()
  }

  /** Ends the login with an ERR. */
  refuse(err: Buffer, reason: string): void {
    this.#client.write(err)
    this.close(reason)
  }

  // The client's bytes. ------------------------------------------------------------------------------------------------

  readonly #onData = (chunk: Buffer): void => {
    this.#framer.push(chunk)
    this.#pump()
  }

  readonly #pump = (): void => {
    try {
      this.#advance()
    } catch (error) {
      this.#blame(error)
    }
  }

  /** Takes commands as long as the session is between commands, and the pieces of a long one. */
  #advance(): void {
    for (;;) {
      switch (this.#phase) {
        case 'ready':
          if (!this.#takeCommand()) return
          break
        case 'uploading':
          if (!this.#takePiece()) return
          break
        case 'infile':
          if (!this.#takeInfile()) return
          break
        case 'discarding':
          if (!this.#discardPiece()) return
          break
        case 'changing':
          if (!this.#takeChange()) return
          break
        case 'closed':
          return
        default:
          // A client that sends ahead is read from again when its turn comes.
          if (this.#framer.unread > 0) this.#pauseClient()
          return
      }
    }
  }

  /** @returns false when there is no whole command. */
  #takeCommand(): boolean {
    const found = this.#framer.next()
    if (found === Frame.more) {
      this.#resumeClient()
      return false
    }
    const { buffer, start, end, sequence } = this.#framer
    this.#client.commandTaken(buffer, start)
    if (sequence !== 0 && !this.#client.compressed)
      throw new ProtocolError('out-of-order', 'Got packets out of order', ServerErrors.NET_PACKETS_OUT_OF_ORDER)
    if (end === start) throw new ProtocolError('malformed', 'Malformed packet: a command of no bytes')
    const size = found === Frame.large ? this.#framer.announced : end - start
    if (size > this.#context.view.snapshot.limits.maxAllowedPacket) return this.#tooLarge()
    const streamed = found === Frame.large && !this.#framer.last
    this.#command(buffer, start, end, streamed)
    // Answered here without its rest, which is no command of its own.
    if (streamed && this.#phase === 'ready') this.#move('discarding')
    return true
  }

  #command(buffer: Buffer, start: number, end: number, streamed: boolean): void {
    const rule = COMMAND_RULES.get(buffer[start])
    this.#context.counters.questions++
    this.since = monotonicMs()
    const { command } = this.execution
    command.take(buffer, start, end, rule ?? UNKNOWN, this.since)
    command.streamed = streamed
    this.execution.statement = null
    const isMariadbs = command.code === Command.STMT_BULK_EXECUTE
    if (rule === undefined || (isMariadbs && this.#context.view.flavor !== 'mariadb'))
      return this.#answerError(new ProxyError('unknown-command', 1047, '08S01', 'Unknown command'))
    switch (rule.handling) {
      case Handling.text:
        this.#text.understand(command)
        if (command.kind === StatementKind.kill || command.kind === StatementKind.killQuery) return void this.#kill()
        return this.#execute()
      case Handling.prepare:
        this.#text.understand(command)
        command.repeatable = false
        return this.#prepare()
      case Handling.statement:
        return this.#statementCommand(buffer, start)
      case Handling.changeUser:
        return this.#changeUser(buffer.subarray(start, end))
      case Handling.kill:
        return void this.#kill()
      case Handling.routed:
        return this.#execute()
      default:
        return this.#local(command.code)
    }
  }

  #execute(): void {
    this.#move('waiting')
    this.execution.start()
  }

  /** A KILL of a session of ours goes to a server that knows it, by the id that it has there. */
  async #kill(): Promise<void> {
    const { command } = this.execution
    const id = killedId(command)
    if (id < 0) return this.#execute()
    this.#move('waiting')
    try {
      const server = this.#context.view.online(this.execution.facts.user.defaultHostgroup)[0]?.entry.id ?? ''
      const place = await this.#context.findSession({ id, server })
      if (this.#phase === 'closed') return
      if (place !== null) {
        const statementOnly = killsStatementOnly(command)
        if (place.connections.length === 0) return this.#killWithoutServer(place, statementOnly)
        const { server, threadId } = place.connections[0]
        this.#killing = { sessionId: place.sessionId, statementOnly, doneOn: server }
        command.redirect(withKilledId(command, threadId), server)
      }
      this.execution.start()
    } catch (error) {
      this.#blame(error)
    }
  }

  /** A session without a connection to any server runs nothing, and nobody else can judge who may end it. */
  #killWithoutServer({ sessionId, user }: SessionPlace, statementOnly: boolean): void {
    if (user !== this.user) {
      const error = new ProxyError('kill-denied', 1095, 'HY000', `You are not owner of thread ${sessionId}`)
      return this.failed(error, 1)
    }
    const ownEnd = sessionId === this.id && !statementOnly
    if (sessionId === this.id) {
      this.#answerError(this.#context.view.flavor === 'mysql' ? INTERRUPTED : CONNECTION_KILLED)
    } else this.#answerOk()
    if (ownEnd) return this.close('killed')
    this.#context.killSession({ sessionId, statementOnly, doneOn: '' })
    this.#next()
  }

  /** The server has answered a KILL: where it has allowed it, the session that is meant has to hear of it. */
  #passKillOn(): void {
    const kill = this.#killing
    this.#killing = null
    const errno = this.execution.lastErrno
    const hitItself = errno === INTERRUPTED.errno || errno === CONNECTION_KILLED.errno
    if (kill !== null && (errno === 0 || hitItself)) this.#context.killSession(kill)
  }

  /** Ends the statement that runs, and nothing else. */
  killStatement(running: Backend): void {
    killRunning(running, this.#login, this.#context, 'QUERY')
  }

  #prepare(): void {
    this.#context.counters.comFrontendStmtPrepare++
    try {
      this.execution.statement = this.execution.statements.add(this.execution.command, this.execution.state)
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error
      return this.#answerError(error)
    }
    this.#execute()
  }

  /** Commands that name a prepared statement. */
  #statementCommand(buffer: Buffer, start: number): void {
    const { command, statements } = this.execution
    const { counters, view } = this.#context
    const statement = statements.find(buffer, start, view.flavor === 'mariadb')
    if (statement === null) return this.#unknownStatement(buffer, start)
    this.execution.statement = statement
    const { shared } = statement
    command.kind = shared.kind
    command.effects = shared.effects
    command.hint = shared.hint
    command.hintHostgroup = shared.hintHostgroup
    command.perStatement = shared.perStatement
    command.repeatable = isExecute(command.code) && shared.repeatable && !command.streamed
    if (asksForCursor(command)) command.answer = Answer.cursor
    if (isExecute(command.code)) counters.comFrontendStmtExecute++
    if (command.code === Command.STMT_CLOSE) {
      counters.comFrontendStmtClose++
      return this.execution.closeStatement(statement)
    }
    if (this.#answersStatement(statement, buffer.readUInt32LE(start + 1))) return
    this.#execute()
  }

  /** Answers what can only be answered here: no server has the statement's cursor, or the parameters sent ahead. */
  #answersStatement(statement: PreparedStatement, id: number): boolean {
    const { code } = this.execution.command
    const { cursorOn, longDataOn } = statement
    const lost = (code === Command.STMT_FETCH ? cursorOn : longDataOn)?.state === 'closed'
    if (code === Command.STMT_RESET && (lost || (cursorOn ?? statement.boundTo) === null)) {
      statement.reset()
      this.#answerOk()
    } else if (lost) {
      // More data for what is lost has no answer either.
      if (code === Command.STMT_SEND_LONG_DATA) return true
      statement.reset()
      this.#answerError(statementDataLost(id, this.#context.view.flavor))
    } else if (code === Command.STMT_FETCH && cursorOn === null)
      this.#answerError(noCursor(id, this.#context.view.flavor))
    else return false
    return true
  }

  #unknownStatement(buffer: Buffer, start: number): void {
    const { code } = this.execution.command
    if (code === Command.STMT_CLOSE || code === Command.STMT_SEND_LONG_DATA) return
    const id = buffer.length >= start + 5 ? buffer.readUInt32LE(start + 1) : 0
    const command = this.#context.view.flavor === 'mysql' ? MYSQL_PRECHECK : STATEMENT_COMMANDS[code]
    this.#answerError(unknownStatement(id, command))
  }

  #local(code: number): void {
    if (code === Command.QUIT) return this.close('quit')
    if (code === Command.RESET_CONNECTION && this.#login.withoutPassword === true) {
      this.execution.resetOnServer()
      return this.#execute()
    }
    if (code === Command.RESET_CONNECTION) this.execution.reset()
    this.#answerOk()
  }

  // COM_CHANGE_USER. ---------------------------------------------------------------------------------------------------

  #changeUser(payload: Buffer): void {
    this.#move('changing')
    const { greeting } = this.#context.view.snapshot
    const options = {
      serverVersion: greeting.serverVersion,
      connectionId: this.id,
      capabilities: this.capabilities,
      collation: greeting.collation,
      status: 0,
      tls: { available: false, required: false },
      secureTransport: this.#place.local,
      defaultPlugin: defaultPlugin(greeting.flavor),
      changeUser: {
        capabilities: this.capabilities,
        mariadbCapabilities: this.#mariadbCapabilities,
        tls: this.#client.encrypted,
      },
    }
    this.#change = new Authentication(this.#context, () => this.#place, options, {
      send: (packet) => this.#client.write(packet),
      startTls: () => {},
      authenticated: (result) => this.#userChanged(result),
      refused: (packet, err, reason) => {
        this.#context.counters.accessDenied++
        this.#context.log.info({ client: this.host, reason }, `change of user refused: ${err.message}`)
        this.#client.write(packet)
        // A MariaDB server lets the session go on as who it was.
        if (this.#context.view.flavor === 'mysql') return this.close(reason)
        this.#change = null
        this.#next()
      },
      crashed: (error) => this.#blame(error),
    })
    this.#change.changeUser(payload, 0)
  }

  /** @returns false when there is no whole packet, or none is awaited. */
  #takeChange(): boolean {
    if (this.#change === null || this.#change.waiting) {
      if (this.#framer.unread > 0) this.#pauseClient()
      return false
    }
    const found = this.#framer.next()
    if (found === Frame.more) {
      this.#resumeClient()
      return false
    }
    if (found !== Frame.packet) throw new ProtocolError('malformed', 'a packet of the login is too large')
    const { buffer, start, end, sequence } = this.#framer
    this.#change.packet(buffer.subarray(start, end), sequence)
    return true
  }

  /** All that the session had is gone, but what its client wrote and may want to read. */
  #userChanged(result: Authenticated): void {
    const before = this.execution
    this.#change = null
    before.end()
    this.execution = this.#enter(result)
    this.execution.facts.inheritWrites(before.facts)
    this.#move('admitting')
    this.#owner.userChanged(this, before.facts.user.name, result.sequence)
  }

  // A command that is streamed. ----------------------------------------------------------------------------------------

  #takePiece(): boolean {
    if (this.#framer.next() === Frame.more) {
      this.#resumeClient()
      return false
    }
    const { buffer, start, end, last, announced } = this.#framer
    if (announced > this.#context.view.snapshot.limits.maxAllowedPacket) return this.#tooLarge()
    const roomLeft = this.execution.upload(buffer.subarray(start, end))
    if (last) {
      this.#move('relaying')
      if (this.execution.running === null) this.#next()
      return true
    }
    if (!roomLeft) this.#waitForServer()
    return roomLeft
  }

  #takeInfile(): boolean {
    const found = this.#framer.next()
    if (found === Frame.more) {
      this.#resumeClient()
      return false
    }
    const { buffer, start, end } = this.#framer
    const headerIncluded = found === Frame.piece ? start : start - 4
    const roomLeft = this.execution.upload(buffer.subarray(headerIncluded, end))
    if (found === Frame.packet && end === start) {
      this.execution.running!.follower.infileSent()
      this.#move('relaying')
      return true
    }
    if (!roomLeft) this.#waitForServer()
    return roomLeft
  }

  #discardPiece(): boolean {
    if (this.#framer.next() === Frame.more) {
      this.#resumeClient()
      return false
    }
    if (this.#framer.last) this.#move('ready')
    return true
  }

  #waitForServer(): void {
    this.#pauseClient()
    this.execution.onUploadDrain(() => {
      this.#resumeClient()
      this.#pump()
    })
  }

  /** The connection cannot go on, since what follows of the packet would be taken for commands: as the server does. */
  #tooLarge(): false {
    const { maxAllowedPacket } = this.#context.view.snapshot.limits
    const message = `Got a packet bigger than 'max_allowed_packet' bytes (sluice: ${maxAllowedPacket})`
    const error = new ProxyError('packet-too-large', 1153, '08S01', message)
    this.#context.countError(error.code)
    this.#client.write(errPacket((this.#framer.sequence + 1) & 0xff, error, this.capabilities))
    this.close('packet over max_allowed_packet')
    return false
  }

  // What the execution tells. ------------------------------------------------------------------------------------------

  commandSent(): void {
    this.#move(this.execution.command.streamed ? 'uploading' : 'relaying')
    if (this.#phase === 'uploading') this.#pump()
  }

  commandDone(): void {
    if (this.execution.command.streamed) {
      this.#move('uploading')
      return this.#pump()
    }
    this.#next()
  }

  answered(): void {
    if (this.#killing !== null) this.#passKillOn()
    if (this.#phase === 'closed') return
    // A server ends the connection of a reader of its binary log with the reading.
    if (isDump(this.execution.command.code)) return this.close('the binary log has been read')
    // A server that answers before it has the whole command will close the connection; so do we.
    if (this.#phase === 'uploading' || this.#phase === 'infile')
      return this.close('the server refused the rest of a command')
    this.#next()
  }

  failed(error: ProxyError, sequence: number): void {
    this.#killing = null
    const uploading = this.#phase === 'uploading' || this.#phase === 'infile' || this.execution.command.streamed
    this.#context.countError(error.code)
    this.#client.write(errPacket(sequence, error, this.capabilities))
    if (uploading) return this.close('a command could not be passed on')
    this.#next()
  }

  broken(reason: string): void {
    this.close(`an answer was cut: ${reason}`)
  }

  repeating(): void {
    this.#move('waiting')
  }

  crashed(error: unknown): void {
    this.#blame(error)
  }

  nothingToDo(): void {
    this.#answerOk()
    this.#next()
  }

  infileRequested(_backend: Backend): void {
    this.#move('infile')
  }

  /** A command is over: on to the next, which may have come already. */
  #next(): void {
    this.since = monotonicMs()
    this.execution.command.release()
    this.execution.statement = null
    this.#move('ready')
    if (this.draining && !this.execution.facts.inTransaction) return this.closeForShutdown()
    if (this.#framer.unread > 0) queueMicrotask(this.#pump)
    else this.#resumeClient()
  }

  #answerOk(): void {
    this.#client.write(okPacket(1, this.execution.facts.statusFlags, this.capabilities))
    this.since = monotonicMs()
  }

  #answerError(error: ProxyError): void {
    this.#context.countError(error.code)
    this.#client.write(errPacket(1, error, this.capabilities))
  }

  // The end. -----------------------------------------------------------------------------------------------------------

  readonly #onGone = (): void => this.close('the client closed the connection', this.#finishesAlone)

  /** A write outside of a transaction is finished by the server, whether or not somebody waits for its answer. */
  get #finishesAlone(): boolean {
    const { command, facts } = this.execution
    return command.class === 'write' && !facts.inTransaction
  }

  /** Ends a session that has been idle for too long: MySQL says so (ER_CLIENT_INTERACTION_TIMEOUT), MariaDB does not. */
  closeForInactivity(): void {
    if (this.#context.view.flavor === 'mariadb') return this.close('idle timeout')
    const message =
      'The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior.'
    this.#client.writeUnasked(errPacket(0, { errno: 4031, sqlState: 'HY000', message }, this.capabilities))
    this.close('idle timeout')
  }

  closeForShutdown(): void {
    const message = 'Server shutdown in progress'
    this.#client.writeUnasked(errPacket(0, { errno: 1053, sqlState: '08S01', message }, this.capabilities))
    this.close('shutdown')
  }

  /** @param leaveRunning the statement in flight is not to be killed */
  close(reason: string, leaveRunning = false): void {
    if (this.#phase === 'closed') return
    this.#move('closed')
    const { running } = this.execution
    if (running !== null && !leaveRunning) killRunning(running, this.#login, this.#context)
    this.#change?.abandon()
    this.execution.end()
    this.#context.log.debug({ session: this.id, reason }, 'session closed')
    this.#client.end()
    this.#owner.sessionClosed(this)
  }

  #blame(error: unknown): void {
    if (error instanceof ProtocolError) {
      this.#context.counters.protocolErrors++
      this.#context.log.warn(
        { session: this.id, client: this.host, code: error.code },
        `client broke the protocol: ${error.message}`,
      )
      this.#client.write(errPacket((this.#framer.sequence + 1) & 0xff, error, this.capabilities))
      return this.close(error.code)
    }
    if (this.#phase === 'closed') return
    this.#context.counters.invariantErrors++
    const { kind, code } = this.execution.command
    this.#context.log.error(
      { session: this.id, phase: this.#phase, command: code, kind, err: error },
      'a session ends by an error in Sluice',
    )
    const known =
      error instanceof ProxyError
        ? error
        : new ProxyError('internal', 1105, 'HY000', 'sluice: internal error; see its log')
    this.#client.write(errPacket(1, known, this.capabilities))
    this.close('internal error')
  }

  // ---------------------------------------------------------------------------------------------------------------------

  #move(to: SessionPhase): void {
    if (!NEXT_PHASE[this.#phase].includes(to)) throw new InvariantError(`session ${this.id}: ${this.#phase} -> ${to}`)
    this.#phase = to
  }

  #pauseClient(): void {
    if (this.#clientPaused) return
    this.#clientPaused = true
    this.#client.pause()
  }

  #resumeClient(): void {
    if (!this.#clientPaused) return
    this.#clientPaused = false
    this.#client.resume()
  }
}

/** COM_STMT_EXECUTE: command, statement id (4), cursor type. A CALL opens none, but its procedure may have cursors. */
function asksForCursor({ code, kind, buffer, start }: CommandInHand): boolean {
  return code === Command.STMT_EXECUTE && kind !== StatementKind.call && (buffer[start + 9] & CURSOR_TYPES) !== 0
}

const STATUS_AUTOCOMMIT = 0x0002

/** What a session is told that kills itself, by MySQL and by MariaDB. */
const INTERRUPTED = new ProxyError('killed', 1317, '70100', 'Query execution was interrupted')
const CONNECTION_KILLED = new ProxyError('killed', 1927, '70100', 'Connection was killed')

/** CURSOR_TYPE_READ_ONLY, _FOR_UPDATE and _SCROLLABLE. */
const CURSOR_TYPES = 0x07

const UNKNOWN: CommandRule = { handling: Handling.local, kind: 0, answer: Answer.results }

/** What MySQL (8.0 and later) names in its message 1243, and the commands' names in MariaDB's. */
const MYSQL_PRECHECK = 'mysql_stmt_precheck'
const STATEMENT_COMMANDS: Readonly<Record<number, string>> = {
  [Command.STMT_EXECUTE]: 'mysqld_stmt_execute',
  [Command.STMT_BULK_EXECUTE]: 'mysqld_stmt_bulk_execute',
  [Command.STMT_FETCH]: 'mysqld_stmt_fetch',
  [Command.STMT_RESET]: 'mysqld_stmt_reset',
}
