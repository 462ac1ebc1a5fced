import type { Measurement, Summary, Unit } from '../measurement.js'
import type { Machine } from '../system/machine.js'

/** Everything about one run; what the JSON file holds. */
export interface Report {
  /** ISO 8601, UTC, to the second. */
  readonly date: string
  readonly workload: string
  readonly summary: string
  readonly operation: string
  readonly unit: Unit
  readonly machine: Machine
  readonly servers: string
  readonly settings: Settings
  /** Name of the target that ratios refer to. */
  readonly control: string | null
  readonly targets: readonly Summary[]
  readonly measurements: readonly Measurement[]
}

export interface Settings {
  readonly connections: number
  /** Operations per second; null: closed loop. */
  readonly rate: number | null
  readonly rounds: number
  readonly seconds: number
  readonly warmupSeconds: number
  readonly seed: number
  readonly rows: number
  readonly workers: number
  readonly generators: number
}

/** Column headings and their cells, target by target: the same for the terminal and for Markdown. */
export function tableOf(
  report: Report,
  format: { spread: (value: Summary['proxyCpu']) => string; number: (value: number) => string },
) {
  const { unit, control, targets, settings } = report
  const perSecond = unit === 'MB' ? 'MB/s' : 'queries/s'
  const columns: [heading: string, cell: (summary: Summary) => string][] = [
    ['target', ({ target }) => target],
    [perSecond, ({ throughput }) => format.spread(throughput)],
    ['p50 ms', ({ latencyMs }) => format.number(latencyMs.p50)],
    ['p95 ms', ({ latencyMs }) => format.number(latencyMs.p95)],
    ['p99 ms', ({ latencyMs }) => format.number(latencyMs.p99)],
    [`proxy CPU us/${unit}`, ({ proxyCpu }) => format.spread(proxyCpu)],
  ]
  if (control !== null) {
    columns.push([`${perSecond} / ${control}`, ({ throughputRatio }) => format.spread(throughputRatio)])
    columns.push([`CPU / ${control}`, ({ proxyCpuRatio }) => format.spread(proxyCpuRatio)])
  }
  if (settings.rate !== null) columns.push(['began late p99 ms', ({ latenessP99Ms }) => format.number(latenessP99Ms)])
  if (targets.some(({ restarts }) => restarts > 0)) columns.push(['restarts', ({ restarts }) => String(restarts)])
  if (targets.some(({ errors }) => errors > 0)) columns.push(['errors', ({ errors }) => String(errors)])
  return {
    headings: columns.map(([heading]) => heading),
    rows: targets.map((summary) => columns.map(([, cell]) => cell(summary))),
  }
}

/** Short enough for a heading. */
export function titleOf({ workload, settings: { connections, rate } }: Report): string {
  const loop = rate === null ? 'closed loop' : `open loop at ${rate} operations/s`
  return `${workload}: ${connections} connections, ${loop}`
}

/** One sentence on how the load was made. */
export function describeLoad({ settings, operation }: Report): string {
  const { connections, rate, rounds, seconds, warmupSeconds, seed } = settings
  const loop = rate === null ? 'closed loop' : `open loop at ${rate} operations/s (one operation: a ${operation})`
  return (
    `${connections} connections, ${loop}, ${rounds} alternating rounds of ${seconds} s after ${warmupSeconds} s of ` +
    `warm-up, order shuffled with seed ${seed}`
  )
}
