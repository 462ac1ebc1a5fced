import type { GlobalCounters } from '../../shared/counters.js'
import { Reason } from '../routing/router.js'
import type { CommandInHand } from '../session/command.js'

/** What is counted of reads, by the reason for which they went where they went. */
const COUNTER_OF_REASON: ReadonlyMap<string, keyof GlobalCounters> = new Map([
  [Reason.read, 'readsOnReplica'],
  [Reason.waits, 'readsOnReplica'],
  [Reason.moves, 'readsOnReplica'],
  [Reason.noReplica, 'readsOnPrimaryNoReplica'],
  [Reason.lag, 'readsOnPrimaryNoReplica'],
  [Reason.ownWrites, 'readsOnPrimaryCausal'],
  [Reason.seen, 'readsOnPrimarySeen'],
  [Reason.committed, 'readsOnPrimaryCommitted'],
  [Reason.causalKey, 'readsOnPrimaryToken'],
  [Reason.keyHeld, 'readsOnPrimaryToken'],
  [Reason.position, 'readsOnPrimaryToken'],
  [Reason.strong, 'readsOnPrimaryStrong'],
  [Reason.spillLimit, 'readsOnLaggingReplica'],
  [Reason.learned, 'readsOnPrimaryLearned'],
])

/** Counts one that is answered. */
export function countRead({ reason }: CommandInHand, counters: GlobalCounters): void {
  const counter = COUNTER_OF_REASON.get(reason)
  if (counter !== undefined) counters[counter]++
}
