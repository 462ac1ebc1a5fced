import { Answer, Command, MariadbCapability } from '../../../protocol/index.js'
import type { CommitTimes } from '../../shared/commit-times.js'
import { Hint, StatementKind, tablesRead, UNCACHEABLE_EFFECTS } from '../../sql/index.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { CausalKeys } from '../consistency/causal-keys.js'
import type { TopologyView } from '../routing/topology-view.js'
import { type CommandInHand, maxLagMsOf } from '../session/command.js'
import { Hold, type SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import type { SessionState } from '../state/session-state.js'
import type { PreparedStatement, Statements } from '../statements/statements.js'
import type { PendingAnswer } from './pending-answers.js'
import type { CachedAnswer, ResultCache } from './result-cache.js'
import { Capture } from './result-capture.js'
import { tablesInHand } from './tables-in-hand.js'

/** A command that a rule allows to be answered from the cache, and its session. */
export interface Asking {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly statements: Statements
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly text: SessionText
  readonly backends: { readonly login: BackendLogin }
}

/** What a worker knows that decides. */
export interface CacheContext {
  readonly view: TopologyView
  readonly cache: ResultCache
  readonly causal: CausalKeys
  readonly commits: CommitTimes
}

/**
 * Whether the answer to a command is the same for everybody whose session is alike, as long as no table changes: a single
 * read outside of transactions, of nothing that belongs to a session, a connection or a moment.
 */
export function isRepeatableAnswer({ command, statement, facts, state, backends }: Asking): boolean {
  const { code, kind, effects } = command
  if (kind !== StatementKind.read || (effects & UNCACHEABLE_EFFECTS) !== 0) return false
  if (!command.repeatable || command.perStatement || command.answer !== Answer.results) return false
  // Whoever says where a statement is to run does not mean the cache.
  if (command.hint !== Hint.none) return false
  if (code !== Command.QUERY && !isWholeExecute(command, statement, backends.login)) return false
  if (facts.pins !== 0 || facts.inTransaction || !facts.autocommit) return false
  if ((facts.holds & Hold.nextTransaction) !== 0 || facts.lost !== '' || facts.transactionLost) return false
  return !readsUncommitted(state)
}

/** With CACHE_METADATA an answer depends on which column definitions the client has. */
function isWholeExecute({ code }: CommandInHand, statement: PreparedStatement | null, login: BackendLogin): boolean {
  if (code !== Command.STMT_EXECUTE || statement === null || statement.longDataOn !== null) return false
  return (login.mariadbCapabilities & MariadbCapability.CACHE_METADATA) === 0
}

/** What was not committed may never have been. */
function readsUncommitted({ variables }: SessionState): boolean {
  if (variables === null) return false
  const level = variables.get('transaction_isolation') ?? variables.get('tx_isolation')
  return level !== undefined && /UNCOMMITTED|^0$/i.test(level)
}

/**
 * Whether an answer has all that the session may rely on: as of a replica that had been told all up to `asOf`. Where
 * every write through Sluice ends the answers that it concerns, what was not ended shows what there is; otherwise
 * it must have been read after all that the session has seen.
 */
export function satisfies(
  answer: Pick<CachedAnswer, 'asOf' | 'shownUntil' | 'marks'>,
  asking: Asking,
  { view, cache, causal, commits }: CacheContext,
  now: number,
): boolean {
  const { consistency, user } = asking.facts
  const { wishes, ruling } = asking.command
  const { consistency: settings } = view.snapshot
  const level = consistency.levelFor(wishes, ruling?.consistency ?? null, user, settings)
  if (level === 'strong' || (wishes !== null && wishes.position !== null)) return false
  const maxLagMs = maxLagMsOf(asking.command, user)
  if (maxLagMs >= 0 && now - answer.asOf > maxLagMs) return false
  // Where nothing tells what replicas have, all that is older than a time is taken for known.
  const pinMs = view.pinMs(user.defaultHostgroup)
  const asOf = answer.asOf < 0 && pinMs !== null ? answer.shownUntil - pinMs : answer.asOf
  if (wishes !== null && wishes.causal !== '') {
    const key = causal.at(wishes.causal)
    if (causal.isHeld(wishes.causal, now) || asOf <= Math.max(key.lastWriteAt, key.seenAt, key.shownUntil)) return false
  }
  if (level === 'eventual') return true
  if (consistency.lastWriteAt >= 0 && asOf <= consistency.lastWriteAt) return false
  if (answer.marks.length > 0 && cache.hearsWrites) return true
  // Where time alone ends answers, a session that begins is given what is kept, or nobody ever would.
  const committed = level === 'global' ? commits.latest(user.defaultHostgroup, now) : -1
  return asOf > Math.max(consistency.seenAt, consistency.shownUntil, committed)
}

/** Whether an answer that is on its way is one that the session may be given when it comes, as far as can be told now. */
export function isWorthWaiting(
  { marks, asOf }: PendingAnswer,
  asking: Asking,
  context: CacheContext,
  now: number,
): boolean {
  const expected = { asOf: asOf ?? now, shownUntil: now, marks }
  return context.cache.isCurrent(marks, expected.asOf) && satisfies(expected, asking, context, now)
}

/** How long the session waits for it at most, in ms; 0: not at all. */
export function waitMsOf({ ruling }: CommandInHand, cache: ResultCache): number {
  const waitMs = ruling?.cacheTimeoutMs ?? -1
  return waitMs < 0 ? cache.waitMs : waitMs
}

/**
 * What is to be kept of the answer that a server will give; null: nothing.
 * @param key see `keyOfCommand`
 */
export function captureFor(asking: Asking, key: string, cache: ResultCache): Capture | null {
  const byTimeAlone = asking.command.ruling?.cacheByTimeAlone ?? false
  const bytesMax = cache.answerBytesMax(byTimeAlone)
  if (bytesMax === 0) return null
  // null for what is no query, too (SHOW, DESCRIBE).
  const tables = tablesInHand(asking, tablesRead)
  if (tables === null || tables.some(isServersOwn)) return null
  const { cacheTtlMs, cacheEmpty } = asking.command
  const marks = cache.marksOfRead(tables, byTimeAlone)
  return new Capture({ key, ttlMs: cacheTtlMs, marks, empty: cacheEmpty, bytesMax }, cache.pending.begin(key, marks))
}

const SERVERS_OWN: ReadonlySet<string> = new Set(['information_schema', 'performance_schema', 'mysql', 'sys'])

/** What they have changes though nobody writes them. */
function isServersOwn(table: string): boolean {
  return SERVERS_OWN.has(table.slice(0, table.indexOf('.')))
}
