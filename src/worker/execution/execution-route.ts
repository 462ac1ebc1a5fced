import { Command } from '../../../protocol/index.js'
import type { CommitTimes } from '../../shared/commit-times.js'
import type { ServerId } from '../../shared/snapshot.js'
import { StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import { agreedReplica } from '../consistency/causal-agreed.js'
import type { CausalKeys } from '../consistency/causal-keys.js'
import { ReadNeed } from '../consistency/read-need.js'
import { committedBy } from '../consistency/session-consistency.js'
import type { SessionBackends } from '../pool/session-backends.js'
import type { LearnedWrites } from '../routing/learned-writes.js'
import {
  type Decision,
  isForReplicas,
  newDecision,
  Reason,
  type RouteInput,
  route,
  usesOwnConnection,
} from '../routing/router.js'
import { findOnline, type TopologyView } from '../routing/topology-view.js'
import { type CommandInHand, isExecute, maxLagMsOf } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { SessionText } from '../session/session-text.js'
import type { PreparedStatement } from '../statements/statements.js'

/** What decides where a command goes, besides the servers. */
export interface Routed {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly facts: SessionFacts
  readonly backends: Pick<SessionBackends, 'own'>
  readonly text: SessionText
}

/** What a worker knows that decides. */
export interface RouteContext {
  readonly view: TopologyView
  readonly causal: CausalKeys
  readonly commits: CommitTimes
  readonly learned: Pick<LearnedWrites, 'size' | 'has' | 'knows'>
}

/**
 * Where the command in hand would go, and why: to the server that it names itself, to the connection that has what its
 * prepared statement needs, else where the router says.
 * @returns one object for all sessions of the worker: valid until the next call
 */
export function routeCommand(
  { command, statement, facts, backends, text }: Routed,
  context: RouteContext,
  now: number,
): Decision {
  const { view, learned } = context
  if (command.onServer !== '' && routeTo(command.onServer, command, view)) return decision
  const bound = boundTo(statement, command.code)
  if (bound !== null && bound.state !== 'closed') {
    decision.backend = bound
    decision.candidate = null
    decision.catchUp = decision.choseAnew = false
    decision.reason = 'the prepared statement has data there'
    return decision
  }
  routeInput.kind = command.kind
  routeInput.effects = command.effects
  routeInput.hint = command.hint
  routeInput.hintHostgroup = command.hintHostgroup
  routeInput.ruleHostgroup = command.ruling?.hostgroup ?? -1
  routeInput.ruleReason = command.ruling?.hostgroupReason ?? ''
  routeInput.facts = facts
  fillNeed(command, facts, context, now)
  routeInput.learned =
    command.learned || (learned.size > 0 && isRead(command) && isLearned(command, statement, text, learned))
  routeInput.own = usesOwnConnection(command.kind) ? backends.own(facts.user.defaultHostgroup) : null
  routeInput.view = view
  routeInput.excluded = command.excluded
  routeInput.now = now
  routeInput.random = Math.random()
  route(routeInput, decision)
  command.reason = decision.reason
  command.wouldGo = decision.wouldGo
  return decision
}

/** What the command needs of a replica. */
function fillNeed(
  command: CommandInHand,
  { consistency, user }: SessionFacts,
  { view, causal, commits }: RouteContext,
  now: number,
): void {
  const { consistency: settings } = view.snapshot
  const { wishes, ruling } = command
  need.level = consistency.levelFor(wishes, ruling?.consistency ?? null, user, settings)
  need.session = consistency
  need.maxLagMs = maxLagMsOf(command, user)
  const pinMs = view.pinMs(user.defaultHostgroup)
  need.pinnedUntil = pinMs === null ? -1 : now - pinMs
  need.committedBy = isForReplicas(command.kind)
    ? committedBy(need.level, consistency, settings, commits, writerFor(command, user, view), now)
    : -1
  need.committedProven = need.level === 'global'
  need.waitMs = command.waited ? 0 : settings.causalWaitMs
  command.level = need.level
  if (wishes === null) {
    need.key = need.position = null
    need.keyHeld = false
    need.only = ''
    return
  }
  const key = wishes.causal
  need.key = key === '' ? null : causal.at(key)
  need.keyHeld = key !== '' && causal.isHeld(key, now)
  need.only = key === '' || !causal.announces ? '' : agreedReplica(key, view.online(readerFor(command, user, view)))
  need.position = wishes.position
  command.causal = key
  command.causalVersion = need.key?.version ?? 0
}

/** On what the command that was routed last was decided, by the router: valid until the next one is. */
export function routedInput(): RouteInput {
  return routeInput
}

/** Whose replicas it would be read from. */
function writerFor({ ruling }: CommandInHand, { defaultHostgroup }: SessionFacts['user'], view: TopologyView): number {
  const writer = ruling === null ? -1 : view.writerOf(ruling.hostgroup)
  return writer < 0 ? defaultHostgroup : writer
}

/** Where it would be read from replicas. */
function readerFor({ ruling }: CommandInHand, { defaultHostgroup }: SessionFacts['user'], view: TopologyView): number {
  const isReader = ruling !== null && ruling.hostgroup >= 0 && view.writerOf(ruling.hostgroup) >= 0
  return isReader ? ruling.hostgroup : view.readerOf(defaultHostgroup)
}

/** What the command that was routed last needs: valid until the next one is. */
export function currentNeed(): ReadNeed {
  return need
}

function isLearned(
  command: CommandInHand,
  statement: PreparedStatement | null,
  text: SessionText,
  learned: RouteContext['learned'],
): boolean {
  const digest = text.digestOf(command, statement?.shared ?? null)
  return digest !== null && learned.has(digest)
}

function isRead({ kind }: CommandInHand): boolean {
  return kind === StatementKind.read || kind === StatementKind.do
}

/** @returns false when that server is not there any more */
function routeTo(server: ServerId, command: CommandInHand, view: TopologyView): boolean {
  decision.backend = null
  decision.catchUp = decision.choseAnew = false
  decision.candidate = findOnline(view, server)
  decision.hostgroup = decision.candidate?.entry.hostgroup ?? -1
  decision.reason = Reason.killed
  command.reason = decision.reason
  return decision.candidate !== null
}

/** The connection on which a statement has something that is nowhere else. */
function boundTo(statement: PreparedStatement | null, code: number): Backend | null {
  if (statement === null || code === Command.STMT_PREPARE) return null
  return statement.boundTo ?? (isExecute(code) ? null : statement.cursorOn)
}

const decision: Decision = newDecision()
const need = new ReadNeed()
/** Used again for each statement: routing allocates nothing. */
const routeInput: { -readonly [K in keyof RouteInput]: RouteInput[K] } = {
  kind: 0,
  effects: 0,
  hint: 0,
  hintHostgroup: -1,
  ruleHostgroup: -1,
  ruleReason: '',
  facts: null as unknown as SessionFacts,
  need,
  learned: false,
  own: null,
  view: null as unknown as TopologyView,
  excluded: null,
  now: 0,
  random: 0,
}
