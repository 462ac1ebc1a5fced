import { Command } from '../../../protocol/index.js'
import type { CommitTimes } from '../../shared/commit-times.js'
import type { CausalPosition } from '../../shared/ipc.js'
import { StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import { BY_READING, Reason, SPILL_REASONS } from '../routing/router.js'
import { findOnline, type TopologyView } from '../routing/topology-view.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { CausalKeys } from './causal-keys.js'

/** What the answers of a worker's servers are noted in. */
export interface ConsistencyNotes {
  readonly view: TopologyView
  readonly causal: CausalKeys
  readonly commits: CommitTimes
}

/** Kinds whose answer tells nothing of any data. */
const TELLS_NOTHING: ReadonlySet<number> = new Set([
  StatementKind.diagnostics,
  StatementKind.set,
  StatementKind.setTransaction,
  StatementKind.use,
  StatementKind.empty,
])

/**
 * Takes into a session's consistency what the answer to a command says: what was seen, where, and what was written.
 * @param gtids those that the answer told; empty: none
 */
export function learnConsistency(
  command: CommandInHand,
  backend: Backend,
  gtids: string,
  facts: SessionFacts,
  notes: ConsistencyNotes,
  now: number,
): void {
  const { view, causal, commits } = notes
  const { hostgroup } = backend.target
  if (BY_READING.has(command.reason)) facts.consistency.readFromReplica()
  else if (SPILL_REASONS.has(command.reason)) facts.consistency.forcedToPrimary()
  if (!view.isWriter(hostgroup)) {
    sawOnReplica(command, backend, facts, causal, now)
    if (!facts.inTransaction) publishKeys(facts, backend, null, causal)
    return
  }
  if (showsData(command, backend)) {
    // Of a dry run the reads after it are to be judged as if this one had been on a replica.
    if (command.level !== 'eventual' && command.wouldGo === '') facts.consistency.sawOnPrimary(now)
    if (command.causal !== '') causal.at(command.causal).sawOnPrimary(now)
  }
  if (facts.inTransaction) {
    // What tables without transactions get is there at once: the end of the transaction will not tell of it.
    if (gtids === '') return
    facts.consistency.wrote(now, gtids, backend.target.flavor)
    commits.note(hostgroup, now)
    return
  }
  const failed = backend.follower.errno !== 0
  if (gtids !== '') noteWrite(facts, backend, gtids, notes, now)
  else if (command.mayWrite && !provenEmpty(command, failed, backend, view)) noteWrite(facts, backend, '', notes, now)
  else publishKeys(facts, backend, { at: now, gtids: '' }, causal)
}

/** A write is over, or may be. @param gtids empty: not known */
export function noteWrite(
  { consistency }: SessionFacts,
  { target: { flavor, hostgroup } }: Backend,
  gtids: string,
  { causal, commits }: Pick<ConsistencyNotes, 'causal' | 'commits'>,
  now: number,
): void {
  consistency.wrote(now, gtids, flavor)
  commits.note(hostgroup, now)
  const { keysWritten } = consistency
  if (keysWritten === null) return
  consistency.keysWritten = null
  for (const key of keysWritten) causal.written(key, { at: now, gtids }, flavor)
}

/** What was only seen under keys is over. @param position null: it was on the replica that all workers have agreed on */
function publishKeys(
  { consistency }: SessionFacts,
  { target }: Backend,
  position: CausalPosition | null,
  causal: CausalKeys,
): void {
  for (const key of consistency.keysWritten ?? []) causal.written(key, position, target.flavor)
  consistency.keysWritten = null
}

/** Reads that a hint has sent there, or that are `eventual`, neither ask for anything nor count. */
function sawOnReplica(
  command: CommandInHand,
  { target: { known } }: Backend,
  { consistency }: SessionFacts,
  causal: CausalKeys,
  now: number,
): void {
  const routed = BY_READING.has(command.reason)
  const counts = routed || command.reason === Reason.pinned
  if (!counts || TELLS_NOTHING.has(command.kind) || command.code === Command.STMT_PREPARE) return
  const incarnation = command.sentIncarnation
  if (command.level !== 'eventual') consistency.sawOnReplica(known, incarnation, now, routed)
  if (command.causal === '') return
  const key = causal.at(command.causal)
  key.sawOnReplica(known, incarnation, now, routed && key.version === command.causalVersion)
}

/** The OK of a write shows nothing of others' data; rows do, and so does an error such as that of a duplicate key. */
function showsData(command: CommandInHand, { follower }: Backend): boolean {
  if (command.code === Command.STMT_PREPARE || TELLS_NOTHING.has(command.kind)) return false
  return follower.columnCount > 0 || command.code === Command.STMT_FETCH || follower.errno !== 0
}

/** A transaction that ended without a GTID on a server that gives GTIDs has written nothing. */
function provenEmpty({ kind }: CommandInHand, failed: boolean, backend: Backend, view: TopologyView): boolean {
  if (kind === StatementKind.begin || kind === StatementKind.beginReadOnly || kind === StatementKind.savepoint)
    return true
  if (failed || (kind !== StatementKind.commit && kind !== StatementKind.rollback)) return false
  const candidate = findOnline(view, backend.target.id)
  return candidate !== null && candidate.gtidText !== ''
}
