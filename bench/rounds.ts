import type { Measurement } from './measurement.js'
import { Random } from './stats/random.js'
import type { Target } from './targets/target.js'

/** Measures one target for a while: own load generator, or sysbench. */
export type Driver = (target: Target, round: number, seconds: number) => Promise<Omit<Measurement, 'target' | 'round'>>

export interface RoundsOptions {
  readonly targets: readonly Target[]
  readonly rounds: number
  readonly seconds: number
  /** Before the first round each target runs so long without being counted, until its code is compiled; 0: not at all. */
  readonly settleSeconds: number
  readonly seed: number
  readonly onRound: (measurement: Measurement) => void
}

/**
 * Measures all targets in each round, in an order that is shuffled anew: what the machine does besides meets all of them
 * alike, and a ratio compares neighbours in time.
 */
export async function runRounds(options: RoundsOptions, driver: Driver): Promise<Measurement[]> {
  const { targets, rounds, seconds, settleSeconds, seed, onRound } = options
  const random = new Random(seed)
  const measurements: Measurement[] = []
  if (settleSeconds > 0) for (const target of targets) await driver(target, 0, settleSeconds)
  for (let round = 1; round <= rounds; round++) {
    for (const target of random.shuffle(targets)) {
      const measurement = { target: target.name, round, ...(await driver(target, round, seconds)) }
      measurements.push(measurement)
      onRound(measurement)
    }
  }
  return measurements
}
