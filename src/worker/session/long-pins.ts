import type { LongPin } from '../../shared/ipc.js'
import type { Session } from './session.js'
import { Hold, holdNames, Pin, pinNames } from './session-facts.js'

/** These last as long as the session does: nobody has forgotten to end them. */
const EXPECTED_PINS = Pin.authentication | Pin.replication

/**
 * What keeps a session's connection from others for longer than `limitMs`; null: nothing does, or it has been told already.
 * @param now monotonic ms
 */
export function newLongPin(session: Session, now: number, limitMs: number): LongPin | null {
  const { facts } = session.execution
  const pins = facts.pins & ~EXPECTED_PINS
  const holds = facts.holds & ~Hold.connectionId
  if ((pins | holds) === 0 || facts.keptTold || now - facts.keptSince <= limitMs) return null
  facts.keptTold = true
  return {
    sessionId: session.id,
    user: session.user,
    server: (facts.pinned ?? facts.heldOn)?.target.id ?? '',
    causes: [...pinNames(pins), ...holdNames(holds)],
    keptMs: Math.round(now - facts.keptSince),
  }
}
