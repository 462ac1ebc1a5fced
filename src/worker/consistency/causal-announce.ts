import type { GlobalCounters } from '../../shared/counters.js'
import type { CommandInHand } from '../session/command.js'
import type { CausalKeys } from './causal-keys.js'
import type { SessionConsistency } from './session-consistency.js'

/** Whether a command begins to write under the key that it names. */
export function writesUnderKey(command: CommandInHand, { keysWritten }: SessionConsistency): boolean {
  return command.mayWrite && keysWritten?.has(command.wishes?.causal ?? '') !== true
}

/** Whether a command shows under the key that it names what the other workers do not know to have been seen. */
export function showsUnderKey(
  { wishes, executes }: CommandInHand,
  { keysWritten }: SessionConsistency,
  causal: CausalKeys,
): boolean {
  const key = wishes?.causal ?? ''
  return key !== '' && executes && causal.announces && keysWritten?.has(key) !== true
}

/**
 * Notes that the session writes under the key of the command in hand, and makes the other workers know of it. A write is not
 * held up for longer than that takes: where they do not all answer, those that know read under the key from the primary.
 */
export async function announceKey(
  { wishes }: CommandInHand,
  consistency: SessionConsistency,
  { causal, counters }: { readonly causal: CausalKeys; readonly counters: GlobalCounters },
): Promise<void> {
  const key = wishes?.causal ?? ''
  consistency.keysWritten ??= new Set()
  consistency.keysWritten.add(key)
  if (causal.announces && !(await causal.announce(key))) counters.causalAnnouncementsLost++
}
