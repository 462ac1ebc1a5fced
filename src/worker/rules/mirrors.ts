import { Command } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { Hint, StatementKind } from '../../sql/index.js'
import type { WorkerContext } from '../context.js'
import { Execution, type ExecutionListener } from '../execution/execution.js'
import type { AnswerSink } from '../execution/relay.js'
import { COMMAND_RULES } from '../session/command.js'
import { killRunning } from '../session/killer.js'
import { SessionFacts } from '../session/session-facts.js'
import { SessionText } from '../session/session-text.js'
import { SessionState } from '../state/session-state.js'
import type { StatementCount } from '../statistics/statement-count.js'
import { noteRuling } from './rule-verdict.js'

/** Copies in flight in a worker; what would be over it is not copied, and counted. */
const IN_FLIGHT_MAX = 64
/** A copy that takes longer is killed. */
const COPY_MS_MAX = 60_000

/** What can be executed a second time elsewhere and be understood there: it belongs to no transaction and no session. */
const COPIED: ReadonlySet<number> = new Set([
  StatementKind.read,
  StatementKind.primaryRead,
  StatementKind.write,
  StatementKind.ddl,
  StatementKind.call,
])

/** Nobody reads the answer to a copy. */
const NOWHERE: AnswerSink = { congested: false, write() {}, writeBorrowed() {}, onDrain() {} }

/** What a copy needs of the session whose statement it is. */
export interface Copied extends Pick<Execution, 'command' | 'facts' | 'state' | 'text' | 'backends' | 'rules'> {
  readonly count: StatementCount
}

/**
 * Executes copies of statements for which a query rule says so (`mirror_hostgroup`, `mirror_flagOUT`). Each has a session of its
 * own, with the state of the one that it comes from; its answer is thrown away.
 */
export class Mirrors {
  readonly #context: WorkerContext
  #inFlight = 0

  constructor(context: WorkerContext) {
    this.#context = context
  }

  /** Begins a copy of the command in hand, where the rules want one and it can be copied. */
  copy(session: Copied): void {
    const { command, facts, backends } = session
    const { ruling } = command
    if (ruling === null || (ruling.mirrorHostgroup < 0 && ruling.mirrorFlagIN < 0)) return
    if (command.code !== Command.QUERY || command.streamed || !COPIED.has(command.kind)) return
    // What a transaction does may be taken back; whose password nobody knows has one connection only.
    if (facts.inTransaction || !facts.autocommit || backends.login.withoutPassword === true) return
    if (this.#inFlight >= IN_FLIGHT_MAX) {
      this.#context.counters.mirrorsDropped++
      return
    }
    this.#execute(session, ruling.mirrorHostgroup, ruling.mirrorFlagIN)
  }

  #execute(
    { command: original, facts, state, text, backends, rules, count }: Copied,
    hostgroup: number,
    flagIN: number,
  ) {
    const context = this.#context
    const ownState = copyOf(state)
    const ownText = new SessionText(context, ownState, text.capabilities, text.mariadbCapabilities)
    const listener = new CopyListener(() => this.#over(execution, timer))
    const execution: Execution = new Execution(
      context,
      NOWHERE,
      text.capabilities,
      backends.login,
      new SessionFacts(facts.user, facts.statusFlags),
      ownState,
      ownText,
      count,
      rules,
      listener,
    )
    const { command } = execution
    const packet = Buffer.from(original.packet())
    command.take(packet, HEADER_SIZE, packet.length, COMMAND_RULES.get(Command.QUERY)!, monotonicMs())
    ownText.understand(command)
    const ruling = flagIN < 0 ? null : rules.ofText(command, ownText, flagIN)
    if (ruling !== null) {
      for (const rule of ruling.matched) rule.hits++
      noteRuling(command, ruling, ownText)
    }
    // A hint says where the original goes. A rule of the copy's own counts more than the original's.
    command.hint = Hint.none
    command.hintHostgroup = ruling === null || ruling.hostgroup < 0 ? hostgroup : -1
    command.cacheTtlMs = 0
    const timer = setTimeout(() => this.#giveUp(execution), COPY_MS_MAX)
    timer.unref()
    this.#inFlight++
    context.counters.mirrorsSent++
    if (ruling !== null && (ruling.errorMsg !== null || ruling.okMsg !== null)) return listener.answered()
    execution.start()
  }

  #over(execution: Execution, timer: NodeJS.Timeout): void {
    clearTimeout(timer)
    this.#inFlight--
    execution.end()
  }

  /** Its answer tells the rest. */
  #giveUp({ command, running, backends }: Execution): void {
    if (running === null) command.killed = true
    else void killRunning(running, backends.login, this.#context, 'QUERY')
  }
}

/** However a copy ends, it is over; and it is over once. */
class CopyListener implements ExecutionListener {
  readonly #over: () => void
  #isOver = false

  constructor(over: () => void) {
    this.#over = over
  }

  answered(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#over()
  }

  commandSent(): void {}
  commandDone(): void {
    this.answered()
  }
  failed(): void {
    this.answered()
  }
  broken(): void {
    this.answered()
  }
  blame(): void {
    this.answered()
  }
  nothingToDo(): void {
    this.answered()
  }
  infileRequested(): void {
    this.answered()
  }
  repeating(): void {}
}

function copyOf(state: SessionState): SessionState {
  const copy = new SessionState(state.schema, state.collation)
  copy.names = state.names
  copy.variables = state.variables === null ? null : new Map(state.variables)
  copy.userVariables = state.userVariables === null ? null : new Map(state.userVariables)
  copy.multiStatements = state.multiStatements
  return copy
}

const HEADER_SIZE = 4
