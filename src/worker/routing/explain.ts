import { Command } from '../../../protocol/index.js'
import type { Ruling } from '../../rules/index.js'
import type { RouteAnswer, RouteExplanation, RouteQuestion, SessionExplanation } from '../../shared/explanation.js'
import type { Snapshot, UserEntry } from '../../shared/snapshot.js'
import { explainEffects, StatementKindName } from '../../sql/index.js'
import type { WorkerContext } from '../context.js'
import { type RouteContext, type Routed, routeCommand, routedInput } from '../execution/execution-route.js'
import { passThroughUser } from '../login/accounts.js'
import { noteRuling } from '../rules/rule-verdict.js'
import { type SessionOrigin, SessionRules } from '../rules/session-rules.js'
import { CommandInHand } from '../session/command.js'
import type { Session } from '../session/session.js'
import { holdNames, initialStatus, pinNames, SessionFacts } from '../session/session-facts.js'
import { SessionText, type TextContext } from '../session/session-text.js'
import { ruleOf } from '../session/verdict.js'
import { SessionState } from '../state/session-state.js'
import { explainServers } from './explain-servers.js'

/** What of a worker decides. */
export interface ExplainContext extends RouteContext, TextContext, Pick<WorkerContext, 'rules'> {
  findUser(name: string): UserEntry | null
}

/** Rules that ask for an address do not match a question. */
const NOWHERE: Omit<SessionOrigin, 'username'> = { clientAddr: '', proxyAddr: '', proxyPort: 0 }

/** As whom a statement is asked about. */
interface Asker {
  readonly facts: SessionFacts
  readonly text: SessionText
  readonly backends: Routed['backends']
  readonly rules: SessionRules
}

const NO_BACKENDS: Routed['backends'] = { own: () => null }

/**
 * Says where a statement would go if it were sent now, and why: it is read and routed as a command of a client is, and
 * then not sent. Nothing is changed by it.
 * @param session the one that the question names; null: it names none
 */
export function explainRoute(
  question: RouteQuestion,
  session: Session | null,
  context: ExplainContext,
  now: number,
): RouteAnswer {
  if (session !== null) return explainAs(question.sql, session.execution, describe(session, now), context, now)
  const user = userOf(question.user, context)
  if (user === null) {
    return { problem: `user '${question.user}' is not configured, and pass_through is off; expected one of users:` }
  }
  const { greeting } = context.view.snapshot
  const facts = new SessionFacts(user, initialStatus(greeting))
  const state = new SessionState(question.schema === '' ? (user.defaultSchema ?? '') : question.schema)
  const rules = new SessionRules(context, state, { ...NOWHERE, username: user.name })
  const asker = { facts, text: new SessionText(context, state, 0), backends: NO_BACKENDS, rules }
  return explainAs(question.sql, asker, null, context, now)
}

function explainAs(
  sql: string,
  { facts, text, backends, rules }: Asker,
  session: SessionExplanation | null,
  context: ExplainContext,
  now: number,
): RouteExplanation {
  const { flavor, snapshot } = context.view
  const command = new CommandInHand()
  const packet = text.encode(sql)
  command.take(packet, HEADER_SIZE, packet.length, ruleOf(Command.QUERY, flavor), now)
  command.streamed = packet.length - HEADER_SIZE > snapshot.limits.maxBufferedCommand
  text.understand(command)
  const ruling = context.rules.isEmpty ? null : rules.ofText(command, text)
  if (ruling !== null) noteRuling(command, ruling, text)
  const decision = routeCommand({ command, statement: null, facts, backends, text }, asOnlooker(context), now)
  const unknown = command.wishes?.unknown ?? ''
  return {
    class: StatementKindName[command.kind] as string,
    effects: explainEffects(command.effects),
    consistency: unknown === '' ? command.level : `${command.level} (not understood: ${unknown})`,
    rule: ruling === null ? '' : describeRuling(ruling),
    hostgroup: decision.hostgroup,
    chosen: decision.backend?.target.id ?? decision.candidate?.entry.id ?? '',
    reason:
      decision.wouldGo === '' ? decision.reason : `${decision.reason} (a replica would be right: ${decision.wouldGo})`,
    servers: explainServers({ decision, input: routedInput() }),
    session,
  }
}

/** Which rules match, and what they do besides naming the hostgroup. */
function describeRuling({ matched, hostgroupReason, ...does }: Ruling): string {
  const acts: [string, boolean][] = [
    [hostgroupReason, hostgroupReason !== ''],
    [`error_msg ${does.errorMsg}`, does.errorMsg !== null],
    [`OK_msg ${does.okMsg}`, does.okMsg !== null && does.errorMsg === null],
    [`rewritten as ${does.rewritten}`, does.rewritten !== null],
    [does.notRewritten, does.notRewritten !== ''],
    [`delay ${does.delayMs} ms`, does.delayMs > 0],
    [`timeout ${does.timeoutMs} ms`, does.timeoutMs > 0],
    [`cache_ttl ${does.cacheTtlMs} ms`, does.cacheTtlMs > 0],
    [`mirror_hostgroup ${does.mirrorHostgroup}`, does.mirrorHostgroup >= 0],
  ]
  const said = acts.filter(([, is]) => is).map(([text]) => text)
  return [matched.map(({ rule }) => rule.ruleId).join(', '), said.join('; ')].filter((part) => part !== '').join(': ')
}

/** What is counted of statements is not counted of questions. */
function asOnlooker({ view, causal, commits, learned }: RouteContext): RouteContext {
  const knows: RouteContext['learned']['knows'] = (...of) => learned.knows(...of)
  return { view, causal, commits, learned: { size: learned.size, has: knows, knows } }
}

function userOf(name: string, context: ExplainContext): UserEntry | null {
  const { snapshot } = context.view
  if (name === '') return anyUser(snapshot)
  const configured = context.findUser(name)
  if (configured !== null || snapshot.passThrough === null) return configured
  return passThroughUser(name, snapshot.passThrough.defaultHostgroup)
}

/** Whoever has nothing configured; where only configured accounts may log in, the first of them. */
function anyUser({ passThrough, users, replicationHostgroups, servers }: Snapshot): UserEntry {
  if (passThrough === null && users[0] !== undefined) return users[0]
  const first = replicationHostgroups[0]?.writer ?? servers[0]?.hostgroup ?? 0
  return passThroughUser('', passThrough?.defaultHostgroup ?? first)
}

function describe({ id, user, phase, execution }: Session, now: number): SessionExplanation {
  const { facts, state } = execution
  const { consistency } = facts
  const ago = (at: number): number | null => (at < 0 ? null : Math.round(now - at))
  return {
    id,
    user,
    schema: state.schema,
    phase,
    autocommit: facts.autocommit,
    inTransaction: facts.inTransaction,
    pins: pinNames(facts.pins),
    holds: holdNames(facts.holds),
    keptOn: (facts.pinned ?? facts.heldOn)?.target.id ?? '',
    wroteMsAgo: ago(consistency.lastWriteAt),
    seenMsAgo: ago(consistency.seenAt),
    writtenGtids: consistency.gtidText,
    seenOn: consistency.seenOn?.id ?? '',
    systemVariables: Object.fromEntries(state.variables ?? []),
    userVariables: [...(state.userVariables?.keys() ?? [])],
  }
}

const HEADER_SIZE = 4
