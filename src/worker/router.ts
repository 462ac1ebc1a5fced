import { gtidSetContains } from '../shared/gtid.js'
import { type Classified, Effect, Hint, StatementKind, StatementKindName } from '../sql/index.js'
import type { Backend } from './backend.js'
import type { SessionFacts } from './session-facts.js'
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
  nextTransaction: 'SET TRANSACTION holds for the next transaction on the primary',
  ownWrites: 'no replica is known to have what this session wrote',
  noReplica: 'no replica qualifies',
  noReaderHostgroup: 'the hostgroup has no reader hostgroup',
  read: 'it only reads',
  lastStatement: 'it asks about the statement before',
  session: 'it concerns the session',
  killed: 'the session to be killed is there',
  noServer: 'the hostgroup has no server online',
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
}

export function newDecision(): Decision {
  return { backend: null, candidate: null, hostgroup: 0, reason: '' }
}

/** What a routing decision depends on. */
export interface RouteInput {
  readonly kind: number
  readonly effects: number
  readonly hint: number
  /** From a hint; -1: none. */
  readonly hintHostgroup: number
  readonly facts: SessionFacts
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
  const { facts, view } = input
  into.backend = null
  into.candidate = null
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
  if (place === Place.own) {
    if (input.own !== null && (input.effects & PRIMARY_EFFECTS) === 0) return take(into, input.own, Reason.session)
    return pick(input, into, writer, Reason.session)
  }
  if (place === Place.primary) return pick(input, into, writer, reasonForPrimary(input.kind))

  const reader = view.readerOf(writer)
  if (reader < 0) return pick(input, into, writer, Reason.noReaderHostgroup)
  if (input.hint === Hint.replica) {
    if (pick(input, into, reader, Reason.hintReplica).candidate !== null) return into
    return pick(input, into, writer, Reason.noReplica)
  }
  const stay = reasonToStay(input)
  if (stay !== null) return pick(input, into, writer, stay)
  if (pick(input, into, reader, Reason.read).candidate !== null) return into
  const others = view.online(reader).some((candidate) => usable(candidate, input))
  return pick(input, into, writer, others ? Reason.ownWrites : Reason.noReplica)
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

function reasonToStay({ effects, facts }: RouteInput): string | null {
  if (!facts.autocommit) return Reason.autocommitOff
  if ((effects & PRIMARY_EFFECTS) !== 0) return Reason.effects
  if (facts.userVariablesOnPrimary && (effects & Effect.readsUserVariable) !== 0) return Reason.userVariables
  if (facts.nextTransactionSet) return Reason.nextTransaction
  return null
}

function take(into: Decision, backend: Backend, reason: string): Decision {
  into.backend = backend
  into.hostgroup = backend.target.hostgroup
  into.reason = reason
  return into
}

/** Chooses a server of a hostgroup by weight; weight 0 only when there is no other. */
function pick(input: RouteInput, into: Decision, hostgroup: number, reason: string): Decision {
  const servers = input.view.online(hostgroup)
  into.hostgroup = hostgroup
  into.reason = reason
  let total = 0
  let count = 0
  for (const candidate of servers) {
    if (!qualifies(candidate, input, reason)) continue
    total += candidate.entry.weight
    count++
  }
  // Where all have weight 0 they share alike.
  let left = input.random * (total === 0 ? count : total)
  for (const candidate of servers) {
    const weight = total === 0 ? 1 : candidate.entry.weight
    if (weight === 0 || !qualifies(candidate, input, reason)) continue
    into.candidate = candidate
    left -= weight
    if (left < 0) break
  }
  if (into.candidate === null && reason !== Reason.read && reason !== Reason.hintReplica) into.reason = Reason.noServer
  return into
}

function qualifies(candidate: Candidate, input: RouteInput, reason: string): boolean {
  return usable(candidate, input) && (reason !== Reason.read || hasOwnWrites(candidate, input.facts))
}

function usable(candidate: Candidate, input: RouteInput): boolean {
  if (candidate.avoidUntil > input.now) return false
  return input.excluded === null || !input.excluded.has(candidate.entry.id)
}

/** Whether a server is known to have everything that the session wrote. */
export function hasOwnWrites(candidate: Candidate, facts: SessionFacts): boolean {
  if (facts.lastWriteAt < 0 || facts.isCaughtUp(candidate.entry.id)) return true
  const covered =
    candidate.coversPrimaryAt > facts.lastWriteAt ||
    (facts.writtenGtids !== null &&
      (facts.olderWritesAt < 0 || candidate.coversPrimaryAt > facts.olderWritesAt) &&
      candidate.gtids !== null &&
      gtidSetContains(candidate.gtids, facts.writtenGtids))
  if (covered) facts.noteCaughtUp(candidate.entry.id)
  return covered
}

/** Whether an answer to this statement may be asked for again on another server: nothing it did can be left behind. */
export function isRepeatable(classified: Pick<Classified, 'kind' | 'effects'>): boolean {
  return (
    (classified.kind === StatementKind.read || classified.kind === StatementKind.do) &&
    (classified.effects & (PRIMARY_EFFECTS | LAST_EFFECTS)) === 0
  )
}
