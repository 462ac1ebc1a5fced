import type { Candidate } from './topology-view.js'

/** Another replica has to be better by so much that chance does not decide. */
const BETTER_RATIO = 0.6
/** Latencies below this are alike, in ms. */
const LATENCY_LEAST_MS = 2

/** Candidates of the choice that is being made. Used again: choosing allocates nothing. */
const found: Candidate[] = []

/**
 * Chooses one of the candidates that are wanted: two are drawn by weight, and the one with fewer statements in flight, for
 * its weight, and the shorter recent latency gets the read ("power of two choices": a slow or busy replica gets less by
 * itself, and a new one is not overrun by all at once). Weight 0 counts only where all have it.
 * @param random from 0 up to, not including, 1
 */
export function chooseByLoad(
  candidates: readonly Candidate[],
  wanted: (candidate: Candidate) => boolean,
  random: number,
): Candidate | null {
  let count = 0
  let total = 0
  for (const candidate of candidates) {
    if (!wanted(candidate)) continue
    found[count++] = candidate
    total += candidate.entry.weight
  }
  if (count <= 1) return count === 0 ? null : (found[0] as Candidate)
  const first = draw(count, total, random)
  const second = draw(count, total, (random * SPREAD) % 1)
  return second !== first && isBetter(second, first, total / count) ? second : first
}

/** Makes a second number of the first; a prime, so that the two go together as little as possible. */
const SPREAD = 65_521

function draw(count: number, total: number, random: number): Candidate {
  let left = random * (total === 0 ? count : total)
  let last = found[0] as Candidate
  for (let i = 0; i < count; i++) {
    const candidate = found[i] as Candidate
    const weight = total === 0 ? 1 : candidate.entry.weight
    if (weight === 0) continue
    last = candidate
    left -= weight
    if (left < 0) break
  }
  return last
}

function isBetter(a: Candidate, b: Candidate, weight: number): boolean {
  const [ofA, ofB] = [a.target.known.latencyMs, b.target.known.latencyMs]
  const measured = ofA > 0 && ofB > 0
  const scoreA = busyness(a, weight) * (measured ? Math.max(ofA, LATENCY_LEAST_MS) : 1)
  const scoreB = busyness(b, weight) * (measured ? Math.max(ofB, LATENCY_LEAST_MS) : 1)
  return scoreA < BETTER_RATIO * scoreB
}

/** @param weight the candidates' mean, by which statements in flight count as many */
function busyness({ entry, target }: Candidate, weight: number): number {
  return 1 + target.known.inFlight * (entry.weight === 0 ? 1 : weight / entry.weight)
}

/** The one with the least lag; null: there is none, or no lag is known. */
export function leastLagging(
  candidates: readonly Candidate[],
  wanted: (candidate: Candidate) => boolean,
): Candidate | null {
  let least: Candidate | null = null
  for (const candidate of candidates) {
    if (candidate.lagMs === null || !wanted(candidate)) continue
    if (least === null || candidate.lagMs < (least.lagMs as number)) least = candidate
  }
  return least
}
