import type { DryRunCount } from '../../shared/counters.js'
import type { UserEntry } from '../../shared/snapshot.js'
import type { CommandInHand } from '../session/command.js'

/** Reasons are a few dozen; users with a dry run are configured one by one. */
const COUNTED_MAX = 5_000

/** Where the statements of users with a dry run would have gone, by the reason. */
export class DryRuns {
  readonly #counts = new Map<string, { -readonly [K in keyof DryRunCount]: DryRunCount[K] }>()

  /** Counts a statement that has been answered. */
  count({ name, dryRun }: UserEntry, { wouldGo, reason, executes }: CommandInHand): void {
    if (dryRun !== true || !executes) return
    const place = wouldGo === '' ? 'primary' : 'replica'
    const why = wouldGo === '' ? reason : wouldGo
    const key = `${name}\n${place}\n${why}`
    const counted = this.#counts.get(key)
    if (counted !== undefined) counted.count++
    else if (this.#counts.size < COUNTED_MAX) this.#counts.set(key, { user: name, place, reason: why, count: 1 })
  }

  report(): DryRunCount[] {
    return [...this.#counts.values()].map((counted) => ({ ...counted }))
  }
}
