import { frame, MAX_PAYLOAD } from '../../../protocol/index.js'
import type { Ruling } from '../../rules/index.js'
import { ProxyError } from '../../shared/errors.js'
import { withCausalKey } from '../consistency/wishes.js'
import type { WorkerContext } from '../context.js'
import type { Execution } from '../execution/execution.js'
import { okPacket } from '../session/answers.js'
import { type CommandInHand, isExecute } from '../session/command.js'
import type { SessionText } from '../session/session-text.js'
import type { PreparedStatement } from '../statements/statements.js'
import { logStatement } from './rule-log.js'
import { writeText } from './rule-text.js'

/**
 * Notes on the command in hand what the query rules say of it.
 * @returns the answer where they give it themselves; null: the command takes its way
 */
export function judgeByRules(execution: Execution, context: WorkerContext): ProxyError | Buffer | null {
  if (context.rules.isEmpty) return null
  const { command, rules, text, statement } = execution
  const prepared = isExecute(command.code) ? statement : null
  const ruling = prepared === null ? rules.ofText(command, text) : rules.ofStatement(command, prepared.shared, text)
  if (ruling === null) return null
  for (const rule of ruling.matched) rule.hits++
  noteRuling(command, ruling, text)
  if (ruling.nextQueryFlagIN >= 0) rules.flagIN = ruling.nextQueryFlagIN
  if (ruling.multiplex === 0 || ruling.multiplex === 1) execution.backends.exclusive = ruling.multiplex === 0
  const answer = answerOf(ruling, execution)
  if (answer !== null && prepared !== null) dropSentAhead(prepared)
  if (answer !== null && ruling.log) logStatement(execution, context, answer instanceof ProxyError ? answer.errno : 0)
  return answer
}

/** What of a ruling is true of the command alone. */
export function noteRuling(command: CommandInHand, ruling: Ruling, text: SessionText): void {
  if (ruling.rewritten !== null && !isExecute(command.code)) rewrite(command, ruling.rewritten, text)
  command.ruling = ruling
  command.cacheTtlMs = ruling.cacheTtlMs
  command.cacheEmpty = ruling.cacheEmptyResult
  if (ruling.causal !== '') command.wishes = withCausalKey(command.wishes, ruling.causal)
}

/** A rule's error comes before another one's OK; a statement that is only prepared needs a server's answer. */
function answerOf({ errorMsg, okMsg }: Ruling, { command, facts, text }: Execution): ProxyError | Buffer | null {
  if (errorMsg !== null) return new ProxyError('query-rule', NOT_ALLOWED, '42000', errorMsg)
  if (okMsg === null || !command.executes) return null
  return okPacket(1, facts.statusFlags, text.capabilities, Buffer.from(okMsg))
}

/** The text is another one from now on, and so is what it does; statistics go on under the digest of what the client sent. */
function rewrite(command: CommandInHand, rewritten: string, text: SessionText): void {
  const start = text.textStart(command)
  const original = command.buffer.subarray(start, command.end)
  const bytes = writeText(rewritten, original)
  const prefix = command.buffer.subarray(command.start + HEADER_SIZE, start)
  if (bytes === null || prefix.length + bytes.length >= MAX_PAYLOAD) return
  const { digest, counted, repeatable } = command
  const isPrepare = !command.executes
  command.redirect(frame(Buffer.concat([prefix, bytes]), 0), '')
  // It is to be read like one that the client has sent, should it have to be read again.
  command.redirected = false
  command.wishes = null
  text.understand(command)
  if (isPrepare) {
    command.clientText = original
    command.repeatable = repeatable
  }
  command.digest = digest
  command.counted = counted
}

/** Parameters that were sent ahead would be taken for those of the next execution. */
function dropSentAhead(statement: PreparedStatement): void {
  const { longDataOn } = statement
  if (longDataOn === null) return
  statement.on(longDataOn)?.close()
  statement.reset()
}

const HEADER_SIZE = 4
/** ER_NOT_ALLOWED_COMMAND, which ProxySQL gives to error_msg. */
const NOT_ALLOWED = 1148
