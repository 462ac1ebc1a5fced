import type { WorkerHandle } from './worker-handle.js'

/** Workers report once a second. */
export const LOOK_MS = 1_000
/** To a worker that starts so many times the limit is given: that takes long on a busy machine. */
const START_TIMES = 3

type Watched = Pick<WorkerHandle, 'state' | 'killedFor' | 'lookAt' | 'askForCounters' | 'kill'>

/**
 * Kills workers that hang: that are stopped, or in a loop without end. To be called every `LOOK_MS`. It counts how often a worker
 * was found silent, and not how much time has passed: while this process was itself stopped, suspended or short of CPU time it
 * has not looked, so nothing is held against a worker that had as little of it, or whose messages wait here to be read.
 * @param limitMs `limits.worker_hang_timeout`; 0: nobody is killed
 */
export function watchForSilence(workers: readonly Watched[], limitMs: number): void {
  for (const worker of workers) {
    const silentMs = worker.lookAt() * LOOK_MS
    if (worker.killedFor !== null) continue
    const limit = worker.state === 'starting' ? START_TIMES * limitMs : limitMs
    // The first look may come right after its last word.
    if (limit > 0 && silentMs > limit) worker.kill(`told nothing for ${limit / 1000} s`)
    // It reports only when it serves, but answers.
    else if (worker.state === 'starting') worker.askForCounters(0)
  }
}
