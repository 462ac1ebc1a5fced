import { type Classified, Effect, Hint, StatementKind, StatementKindName } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import type { ReadNeed, Shortage } from '../consistency/read-need.js'
import type { SessionFacts } from '../session/session-facts.js'
import { chooseByLoad, leastLagging } from './replica-choice.js'
import type { Candidate, TopologyView } from './topology-view.js'

/** Where a kind of statement may run. */
const Place = {
  /** A replica, unless an effect, a fact or a hint forbids it. */
  replica: 0,
  primary: 1,
  /** The connection on which the last statement ran; without one, the primary. */
  last: 2,
  /** Concerns the session: any connection it has, the primary's first; without one, the primary. */
  own: 3,
} as const

const PLACE: Readonly<Record<keyof typeof StatementKind, number>> = {
  read: Place.replica,
  do: Place.replica,
  beginReadOnly: Place.replica,
  diagnostics: Place.last,
  set: Place.own,
  use: Place.own,
  empty: Place.own,
  commit: Place.own,
  rollback: Place.own,
  savepoint: Place.own,
  begin: Place.primary,
  setTransaction: Place.primary,
  write: Place.primary,
  ddl: Place.primary,
  primaryRead: Place.primary,
  show: Place.primary,
  explainWrite: Place.primary,
  call: Place.primary,
  lockTables: Place.primary,
  unlockTables: Place.primary,
  prepare: Place.primary,
  execute: Place.primary,
  deallocate: Place.primary,
  handler: Place.primary,
  xa: Place.primary,
  kill: Place.primary,
  killQuery: Place.primary,
  admin: Place.primary,
  loadData: Place.primary,
  loadDataLocal: Place.primary,
  multi: Place.primary,
  unknown: Place.primary,
}

const PLACE_OF_KIND: readonly number[] = StatementKindName.map((name) => PLACE[name as keyof typeof StatementKind])

/** Whether a statement of this kind goes to a connection that the session has already, so that `RouteInput.own` matters. */
export function usesOwnConnection(kind: number): boolean {
  return PLACE_OF_KIND[kind] === Place.own
}

/** Whether replicas can answer a statement of this kind, so that it matters what they have. */
export function isForReplicas(kind: number): boolean {
  return PLACE_OF_KIND[kind] === Place.replica
}

/** Effects that keep even a read on the primary. */
const PRIMARY_EFFECTS =
  Effect.lockingRead |
  Effect.intoFile |
  Effect.setsUserVariable |
  Effect.advisoryLock |
  Effect.releasesAdvisoryLock |
  Effect.readsLastInsertId |
  Effect.setsLastInsertId |
  Effect.readsConnectionId |
  Effect.sequence |
  Effect.unknownFunction |
  Effect.temporaryTable |
  Effect.setsGlobal |
  Effect.leavesConnectionState

/** Of these, what concerns data and not the session: an operator may know better. */
const LEFT_TO_RULES = Effect.lockingRead | Effect.intoFile | Effect.sequence | Effect.unknownFunction

const LAST_EFFECTS = Effect.readsRowCount | Effect.readsFoundRows | Effect.readsDiagnostics

/** Why a statement goes where it goes, in the words that tools show. */
export const Reason = {
  pinned: 'the session is pinned to this connection',
  hintHostgroup: 'a hint names the hostgroup',
  hintPrimary: 'a hint asks for the primary',
  hintReplica: 'a hint asks for a replica',
  write: 'it may write',
  transaction: 'a transaction may write',
  autocommitOff: 'autocommit is off, so it belongs to a transaction',
  effects: 'its effects need the primary',
  userVariables: 'it reads a user variable that only the primary has',
  globals: 'it reads a system variable, and global ones have been set on the primary',
  nextTransaction: 'SET TRANSACTION holds for the next transaction on the primary',
  ownWrites: 'no replica is known to have what this session wrote',
  seen: 'no replica is known to have what this session has seen',
  committed: 'no replica is known to have what was written before',
  causalKey: 'no replica is known to have what was written or seen under the causal key',
  keyHeld: 'something is being written under the causal key',
  position: 'no replica is known to have the position that was asked for',
  lag: 'no replica has as little lag as was asked for',
  strong: 'the consistency level is strong',
  waits: 'a replica is likely to have caught up in a moment',
  moves: 'the session has read from another replica for long, and chooses anew',
  spillLimit: 'the primary has all the reads that it may take from replicas (max_primary_spill)',
  learned: 'a replica has refused such a statement as a write',
  noReplica: 'no replica qualifies',
  noReaderHostgroup: 'the hostgroup has no reader hostgroup',
  read: 'it only reads',
  lastStatement: 'it asks about the statement before',
  session: 'it concerns the session',
  killed: 'the session to be killed is there',
  noServer: 'the hostgroup has no server online',
  crowded: 'the hostgroup has more servers online than it may have (max_num_online_servers)',
  dryRun: 'dry run: all statements of this user stay on the primary',
} as const

/** What was decided. One object is used again for every statement of a worker. */
export interface Decision {
  /** The connection to use; null: one to `candidate`. */
  backend: Backend | null
  /** Null together with `backend`: hold the statement until a server is there. */
  candidate: Candidate | null
  /** The hostgroup that was asked for. */
  hostgroup: number
  reason: string
  /** The candidate has to be waited for until it has what the statement needs. */
  catchUp: boolean
  /** There was a choice among replicas for a session that has had none for long (`SessionConsistency.isSettled`). */
  choseAnew: boolean
  /** In a dry run: why it would have gone to a replica; empty: it would not. */
  wouldGo: string
}

export function newDecision(): Decision {
  return { backend: null, candidate: null, hostgroup: 0, reason: '', catchUp: false, choseAnew: false, wouldGo: '' }
}

/** What a routing decision depends on. */
export interface RouteInput {
  readonly kind: number
  readonly effects: number
  readonly hint: number
  /** From a hint; -1: none. */
  readonly hintHostgroup: number
  /** That a query rule names; -1: none does. */
  readonly ruleHostgroup: number
  /** Which rule does. */
  readonly ruleReason: string
  readonly facts: SessionFacts
  /** What a read needs. */
  readonly need: ReadNeed
  /** A replica has refused such a statement. */
  readonly learned: boolean
  /** A connection that the session has open to the primary, else any that it has, else null. */
  readonly own: Backend | null
  readonly view: TopologyView
  /** Servers that were tried for this statement in vain, by id; null: none. */
  readonly excluded: ReadonlySet<string> | null
  /** Monotonic ms. */
  readonly now: number
  /** From 0 up to, not including, 1: decides among candidates. */
  readonly random: number
}

/** Decides where a statement goes. Pure: the same input gives the same decision, written into `into`. */
export function route(input: RouteInput, into: Decision): Decision {
  into.wouldGo = ''
  decide(input, into)
  return input.facts.user.dryRun === true ? stayOnPrimary(input, into) : into
}

/** In a dry run what was decided is noted, and not done where it is a replica. */
function stayOnPrimary(input: RouteInput, into: Decision): Decision {
  const { view, facts } = input
  if (into.backend !== null || view.isWriter(into.hostgroup)) return into
  into.wouldGo = into.reason
  into.catchUp = false
  return pick(input, into, facts.user.defaultHostgroup, Reason.dryRun)
}

function decide(input: RouteInput, into: Decision): Decision {
  const { facts, view } = input
  into.backend = null
  into.candidate = null
  into.catchUp = false
  into.choseAnew = false
  const writer = facts.user.defaultHostgroup
  into.hostgroup = writer

  if (facts.pinned !== null) return take(into, facts.pinned, Reason.pinned)
  if (input.hintHostgroup >= 0) return pick(input, into, input.hintHostgroup, Reason.hintHostgroup)
  if (input.hint === Hint.primary) return pick(input, into, writer, Reason.hintPrimary)

  const place = input.hint === Hint.replica ? Place.replica : PLACE_OF_KIND[input.kind]
  if (place === Place.last || (place === Place.replica && (input.effects & LAST_EFFECTS) !== 0)) {
    if (facts.last !== null && facts.last.state !== 'closed') return take(into, facts.last, Reason.lastStatement)
    return pick(input, into, writer, Reason.lastStatement)
  }
  if (place === Place.primary && (input.effects & LAST_EFFECTS) !== 0 && isOnWriter(facts.last, view)) {
    return take(into, facts.last!, Reason.lastStatement)
  }
  if (place === Place.own) {
    if (input.own !== null && servesSession(input.own, input)) return take(into, input.own, Reason.session)
    if (input.ruleHostgroup >= 0) return pick(input, into, input.ruleHostgroup, input.ruleReason)
    return pick(input, into, writer, Reason.session)
  }
  if (input.ruleHostgroup >= 0 && input.hint !== Hint.replica) return followRule(input, into, place)
  if (place === Place.primary) return pick(input, into, writer, reasonForPrimary(input.kind))

  const reader = view.readerOf(writer)
  if (reader < 0) return pick(input, into, writer, Reason.noReaderHostgroup)
  if (input.hint === Hint.replica) {
    if (pick(input, into, reader, Reason.hintReplica).candidate !== null) return into
    return pick(input, into, writer, Reason.noReplica)
  }
  const stay = reasonToStay(input, input.effects)
  if (stay !== null) return pick(input, into, writer, stay)
  return pickForRead(input, into, writer, reader)
}

/**
 * Whether a statement about the session may go to a connection that it has. A savepoint belongs to the transaction, and without
 * autocommit that begins on the primary, with the next statement if not before.
 */
function servesSession(own: Backend, { kind, effects, facts, view }: RouteInput): boolean {
  if ((effects & PRIMARY_EFFECTS) !== 0) return false
  return kind !== StatementKind.savepoint || facts.autocommit || isOnWriter(own, view)
}

/**
 * A rule's hostgroup is the operator's word. Where it is the reader hostgroup of a pair, a read gets a replica that has what its
 * session needs, else the pair's primary; and what only the session's connection to a primary can answer stays with that.
 */
function followRule(input: RouteInput, into: Decision, place: number): Decision {
  const { ruleHostgroup, ruleReason, view, effects } = input
  const writer = view.writerOf(ruleHostgroup)
  if (writer < 0 || place !== Place.replica) return pick(input, into, ruleHostgroup, ruleReason)
  const allowed = effects & ~LEFT_TO_RULES
  const stay = reasonToStay(input, allowed)
  if (stay !== null) return pick(input, into, writer, stay)
  return pickForRead(input, into, writer, ruleHostgroup)
}

/** A replica that has what the read needs, one that will have it in a moment, or the primary. */
function pickForRead(input: RouteInput, into: Decision, writer: number, reader: number): Decision {
  const { need, view } = input
  if (need.level === 'strong') return pick(input, into, writer, Reason.strong)
  if (need.keyHeld) return pick(input, into, writer, Reason.keyHeld)
  current = input
  const replicas = view.online(reader)
  const ready = chooseByLoad(replicas, isReady, input.random)
  if (ready !== null) return chooseReady(ready, replicas, input, into, reader)
  const waited = need.waitMs > 0 ? chooseToWaitFor(replicas, input) : null
  if (waited !== null) {
    into.catchUp = true
    return choose(into, waited, reader, Reason.waits)
  }
  // A slow replica is better than none: the others' reads would all be the primary's.
  const slow = chooseByLoad(replicas, isReadyThoughSlow, input.random)
  if (slow !== null) return choose(into, slow, reader, Reason.read)
  return spill(input, into, writer, reader)
}

/**
 * Who reads without a pause stays where it has read last: no other replica is ever known to cover that. So that a replica which comes
 * back gets its share again, such a session chooses among all from time to time, and waits for the one that it gets.
 */
function chooseReady(
  ready: Candidate,
  replicas: readonly Candidate[],
  input: RouteInput,
  into: Decision,
  reader: number,
): Decision {
  const { facts, need, now, random } = input
  const isBound = replicas.length > 1 && ready.target.known === facts.consistency.seenOn
  if (!isBound || need.waitMs === 0 || !facts.consistency.isSettled(now))
    return choose(into, ready, reader, Reason.read)
  into.choseAnew = true
  const chosen = chooseByLoad(replicas, isReadyInAMoment, random) ?? ready
  into.catchUp = !isReady(chosen)
  return choose(into, chosen, reader, into.catchUp ? Reason.moves : Reason.read)
}

/** The input that the functions below are asked about: closures would be made for each statement. */
let current: RouteInput
const isUsable = (candidate: Candidate): boolean => usable(candidate, current)
const isReady = (candidate: Candidate): boolean => quick(candidate, current) && current.need.isMetBy(candidate)
const isReadyThoughSlow = (candidate: Candidate): boolean =>
  usable(candidate, current) && current.need.isMetBy(candidate)
const isReadyThoughAvoided = (candidate: Candidate): boolean =>
  untried(candidate, current) && current.need.isMetBy(candidate)
const isNearlyReady = (candidate: Candidate): boolean =>
  mayCatchUp(candidate, current.facts.consistency.isStuck || !current.need.hasCommitted(candidate)) ||
  (current.facts.consistency.isStuck && isWaitedFor(candidate) && current.need.canWaitForReport(candidate))
const isReadyInAMoment = (candidate: Candidate): boolean => isReady(candidate) || mayCatchUp(candidate, true)

/** @param afterAsking the primary may be asked how far it is */
function mayCatchUp(candidate: Candidate, afterAsking: boolean): boolean {
  return isWaitedFor(candidate) && current.need.canWaitFor(candidate, afterAsking)
}

function isWaitedFor(candidate: Candidate): boolean {
  return candidate.target.known.noWaitUntil <= current.now && quick(candidate, current)
}

/** Where the session has read last it lacks nothing but its own writes. */
function chooseToWaitFor(replicas: readonly Candidate[], input: RouteInput): Candidate | null {
  const { seenOn } = input.facts.consistency
  const last = seenOn === null ? undefined : replicas.find(({ target }) => target.known === seenOn)
  return last !== undefined && isNearlyReady(last) ? last : chooseByLoad(replicas, isNearlyReady, input.random)
}

/** A read that goes to the primary for want of a replica, as far as the primary is to take such reads. */
function spill(input: RouteInput, into: Decision, writer: number, reader: number): Decision {
  const { need, view } = input
  const shortage = shortageOf(view.online(reader))
  const primary = pick(input, into, writer, REASON_OF_SHORTAGE[shortage ?? 'none'])
  if (primary.candidate === null) {
    const last = chooseByLoad(view.online(reader), isReadyThoughAvoided, input.random)
    return last === null ? primary : choose(into, last, reader, Reason.read)
  }
  const limit = view.spillLimit
  if (limit === 0 || primary.candidate.target.known.spilled < limit) return primary
  const lagging = view.lagging(reader)
  // Without replicas it is not their lag that sends reads here.
  if (shortage === null && !lagging.some(isUsable)) return primary
  const least =
    need.level === 'eventual' ? (leastLagging(view.online(reader), isUsable) ?? leastLagging(lagging, isUsable)) : null
  if (least !== null) return choose(into, least, reader, Reason.spillLimit)
  into.candidate = null
  into.reason = Reason.spillLimit
  return into
}

/** What the first replica that could be used lacks; null: there is no such replica. */
function shortageOf(replicas: readonly Candidate[]): Shortage | null {
  for (const candidate of replicas) {
    const lacks = isUsable(candidate) ? current.need.shortageOf(candidate) : null
    if (lacks !== null) return lacks
  }
  return null
}

const REASON_OF_SHORTAGE: Readonly<Record<Shortage | 'none', string>> = {
  ownWrites: Reason.ownWrites,
  seen: Reason.seen,
  committed: Reason.committed,
  key: Reason.causalKey,
  position: Reason.position,
  lag: Reason.lag,
  none: Reason.noReplica,
}

/** Why reads go to a primary that replicas could have answered: they count towards max_primary_spill. */
export const SPILL_REASONS: ReadonlySet<string> = new Set(Object.values(REASON_OF_SHORTAGE))

/** Why a read is on a replica that has what it may rely on. */
export const BY_READING: ReadonlySet<string> = new Set([Reason.read, Reason.waits, Reason.moves])

/** Why a statement goes where it goes once the replicas have been asked. */
export const ASKS_REPLICAS: ReadonlySet<string> = new Set([
  ...BY_READING,
  Reason.hintReplica,
  Reason.spillLimit,
  ...SPILL_REASONS,
])

function choose(into: Decision, candidate: Candidate, hostgroup: number, reason: string): Decision {
  into.candidate = candidate
  into.hostgroup = hostgroup
  into.reason = reason
  return into
}

const ASKED_OF_PRIMARY: ReadonlySet<number> = new Set([
  StatementKind.primaryRead,
  StatementKind.explainWrite,
  StatementKind.show,
])

function reasonForPrimary(kind: number): string {
  if (kind === StatementKind.begin) return Reason.transaction
  return ASKED_OF_PRIMARY.has(kind) ? Reason.effects : Reason.write
}

function reasonToStay({ facts, learned, view }: RouteInput, effects: number): string | null {
  if (learned) return Reason.learned
  if (!facts.autocommit) return Reason.autocommitOff
  if ((effects & PRIMARY_EFFECTS) !== 0) return Reason.effects
  const readsVariable = (effects & Effect.readsSystemVariable) !== 0
  if (readsVariable && view.online(facts.user.defaultHostgroup).some(hasGlobalsSet)) return Reason.globals
  return reasonOfHold(facts, effects)
}

/** Why a read has to run on the very connection that the session keeps, another one to the same server would not do; null: it has not. */
export function reasonOfHold(facts: SessionFacts, effects: number): string | null {
  if (facts.userVariablesOnPrimary && (effects & Effect.readsUserVariable) !== 0) return Reason.userVariables
  if (facts.nextTransactionSet) return Reason.nextTransaction
  return null
}

const hasGlobalsSet = ({ target }: Candidate): boolean => target.known.globalsSet > 0

function isOnWriter(backend: Backend | null, view: TopologyView): boolean {
  return backend !== null && backend.state !== 'closed' && view.isWriter(backend.target.hostgroup)
}

function take(into: Decision, backend: Backend, reason: string): Decision {
  into.backend = backend
  into.hostgroup = backend.target.hostgroup
  into.reason = reason
  return into
}

/**
 * Chooses a server of a hostgroup by weight; weight 0 only when there is no other, and one that has just refused connections
 * only where all have: those that are open may still do.
 */
function pick(input: RouteInput, into: Decision, hostgroup: number, reason: string): Decision {
  const servers = input.view.online(hostgroup)
  into.hostgroup = hostgroup
  into.reason = reason
  into.candidate = draw(servers, input, quick) ?? draw(servers, input, usable)
  if (into.candidate !== null || reason === Reason.hintReplica) return into
  into.candidate = draw(servers, input, untried)
  if (into.candidate === null) into.reason = input.view.crowdOf(hostgroup) === null ? Reason.noServer : Reason.crowded
  return into
}

function draw(
  servers: readonly Candidate[],
  input: RouteInput,
  wanted: (candidate: Candidate, input: RouteInput) => boolean,
): Candidate | null {
  let total = 0
  let count = 0
  for (const candidate of servers) {
    if (!wanted(candidate, input)) continue
    total += candidate.entry.weight
    count++
  }
  // Where all have weight 0 they share alike.
  let left = input.random * (total === 0 ? count : total)
  let drawn: Candidate | null = null
  for (const candidate of servers) {
    const weight = total === 0 ? 1 : candidate.entry.weight
    if (weight === 0 || !wanted(candidate, input)) continue
    drawn = candidate
    left -= weight
    if (left < 0) break
  }
  return drawn
}

/** Whether nothing is known that would make connections to it fail. */
export function usable(candidate: Candidate, input: RouteInput): boolean {
  return !candidate.target.known.breaker.isAvoided(input.now) && untried(candidate, input)
}

/** Whether it is usable, and answers as fast as it is to (max_latency_ms). */
function quick(candidate: Candidate, input: RouteInput): boolean {
  return !candidate.slow && usable(candidate, input)
}

function untried({ entry }: Candidate, { excluded }: RouteInput): boolean {
  return excluded === null || !excluded.has(entry.id)
}

/** Whether an answer to this statement may be asked for again on another server: nothing it did can be left behind. */
export function isRepeatable(classified: Pick<Classified, 'kind' | 'effects'>): boolean {
  return (
    (classified.kind === StatementKind.read || classified.kind === StatementKind.do) &&
    (classified.effects & (PRIMARY_EFFECTS | LAST_EFFECTS)) === 0
  )
}
