import { Command } from '../../protocol/index.js'
import type { ServerId } from '../shared/snapshot.js'
import type { Backend } from './backend.js'
import { type CommandInHand, isExecute } from './command.js'
import { type Decision, newDecision, Reason, type RouteInput, route, usesOwnConnection } from './router.js'
import type { SessionBackends } from './session-backends.js'
import type { SessionFacts } from './session-facts.js'
import type { PreparedStatement } from './statements.js'
import { findOnline, type TopologyView } from './topology-view.js'

/** What decides where a command goes, besides the servers. */
export interface Routed {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly facts: SessionFacts
  readonly backends: SessionBackends
}

/**
 * Where the command in hand would go, and why: to the server that it names itself, to the connection that has what its
 * prepared statement needs, else where the router says.
 * @returns one object for all sessions of the worker: valid until the next call
 */
export function routeCommand(
  { command, statement, facts, backends }: Routed,
  view: TopologyView,
  now: number,
): Decision {
  if (command.onServer !== '' && routeTo(command.onServer, command, view)) return decision
  const bound = boundTo(statement, command.code)
  if (bound !== null && bound.state !== 'closed') {
    decision.backend = bound
    decision.candidate = null
    decision.reason = 'the prepared statement has data there'
    return decision
  }
  routeInput.kind = command.kind
  routeInput.effects = command.effects
  routeInput.hint = command.hint
  routeInput.hintHostgroup = command.hintHostgroup
  routeInput.facts = facts
  routeInput.own = usesOwnConnection(command.kind) ? backends.own(facts.user.defaultHostgroup) : null
  routeInput.view = view
  routeInput.excluded = command.excluded
  routeInput.now = now
  routeInput.random = Math.random()
  route(routeInput, decision)
  command.reason = decision.reason
  return decision
}

/** @returns false when that server is not there any more */
function routeTo(server: ServerId, command: CommandInHand, view: TopologyView): boolean {
  decision.backend = null
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
/** Used again for each statement: routing allocates nothing. */
const routeInput: { -readonly [K in keyof RouteInput]: RouteInput[K] } = {
  kind: 0,
  effects: 0,
  hint: 0,
  hintHostgroup: -1,
  facts: null as unknown as SessionFacts,
  own: null,
  view: null as unknown as TopologyView,
  excluded: null,
  now: 0,
  random: 0,
}
