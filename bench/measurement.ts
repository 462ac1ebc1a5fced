import type { LoadResult } from './load/messages.js'
import type { PackedHistogram } from './stats/histogram.js'
import { Histogram } from './stats/histogram.js'
import { type Spread, spreadOf } from './stats/spread.js'

/** One target in one round. */
export interface Measurement extends Omit<LoadResult, 'cpuMicros'> {
  readonly target: string
  /** From 1. */
  readonly round: number
  /** Of the target's process tree; null where it is not measured. */
  readonly proxyCpuMicros: number | null
  /** Of the load generator's processes; null where they are not ours. */
  readonly generatorCpuMicros: number | null
}

export type Unit = 'query' | 'MB'

const BYTES_PER_MB = 1_000_000

/** Queries or megabytes (10^6 bytes, as the client receives them). */
export function workDone(measurement: Measurement, unit: Unit): number {
  return unit === 'MB' ? measurement.bytesReceived / BYTES_PER_MB : measurement.queries
}

/** All rounds of one target. */
export interface Summary {
  readonly target: string
  /** Queries or megabytes per second. */
  readonly throughput: Spread
  readonly operationsPerSecond: Spread
  /** Over all rounds, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number }
  /** Microseconds per query or megabyte. */
  readonly proxyCpu: Spread | null
  readonly generatorCpu: Spread | null
  /** This target's throughput and CPU time divided by the control's in the same round; null without a control. */
  readonly throughputRatio: Spread | null
  readonly proxyCpuRatio: Spread | null
  /** Open loop: 99 % of operations began at most so many milliseconds late. */
  readonly latenessP99Ms: number
  readonly errors: number
  readonly restarts: number
}

/**
 * Sums up a run, target by target, in the order of `targets`.
 * @param control name of the target that ratios refer to
 */
export function summarise(
  measurements: readonly Measurement[],
  targets: readonly string[],
  unit: Unit,
  control: string | null,
): Summary[] {
  return targets.map((target) => {
    const own = measurements.filter((measurement) => measurement.target === target)
    const inSameRound = ({ round }: Measurement) =>
      measurements.find((other) => other.target === control && other.round === round)
    const throughputOf = (one: Measurement) => workDone(one, unit) / one.seconds
    const cpuOf = (one: Measurement) => (one.proxyCpuMicros === null ? null : one.proxyCpuMicros / workDone(one, unit))
    const generatorCpuOf = (one: Measurement) =>
      one.generatorCpuMicros === null ? null : one.generatorCpuMicros / workDone(one, unit)
    const merged = mergeHistograms(own.map(({ latency }) => latency))
    const ms = (percent: number) => merged.percentile(percent) / 1000
    return {
      target,
      throughput: spreadOf(own.map(throughputOf)),
      operationsPerSecond: spreadOf(own.map(({ operations, seconds }) => operations / seconds)),
      latencyMs: { p50: ms(50), p95: ms(95), p99: ms(99), max: merged.max / 1000 },
      proxyCpu: spreadOrNull(own.map(cpuOf)),
      generatorCpu: spreadOrNull(own.map(generatorCpuOf)),
      throughputRatio: spreadOrNull(own.map((one) => ratio(throughputOf(one), map(inSameRound(one), throughputOf)))),
      proxyCpuRatio: spreadOrNull(own.map((one) => ratio(cpuOf(one), map(inSameRound(one), cpuOf)))),
      latenessP99Ms: mergeHistograms(own.map(({ lateness }) => lateness)).percentile(99) / 1000,
      errors: sum(own.map(({ errors }) => errors)),
      restarts: sum(own.map(({ restarts }) => restarts)),
    }
  })
}

function map<T, R>(value: T | undefined, change: (value: T) => R): R | null {
  return value === undefined ? null : change(value)
}

function ratio(value: number | null, reference: number | null): number | null {
  return value === null || reference === null || reference === 0 ? null : value / reference
}

/** A spread over the values that are known and finite, or null without any. */
function spreadOrNull(values: readonly (number | null)[]): Spread | null {
  const known = values.filter((value): value is number => value !== null && Number.isFinite(value))
  return known.length === 0 ? null : spreadOf(known)
}

function mergeHistograms(packed: readonly PackedHistogram[]): Histogram {
  const merged = new Histogram()
  for (const one of packed) merged.merge(Histogram.unpack(one))
  return merged
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
