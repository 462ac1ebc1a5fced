import { monotonicMs } from '../../shared/clock.js'
import type { CommandInHand } from '../session/command.js'

/** A KILL, a limit of time and the end of the session are noticed after so long at most. */
const LOOK_MS = 50

/**
 * Lets a command wait for so long, or until it is given up.
 * @param nap resolves after so many ms, or sooner where there is something to be looked at
 */
export async function holdBack(
  command: CommandInHand,
  delayMs: number,
  isWanted: () => boolean,
  nap: (ms: number) => Promise<void> = sleep,
): Promise<void> {
  const until = monotonicMs() + delayMs
  for (let left = delayMs; left > 0; left = until - monotonicMs()) {
    await nap(Math.min(left, LOOK_MS))
    if (!isWanted() || command.endedBy !== null) return
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
