import { loadTables } from './data/load.js'
import { type Measurement, summarise, workDone } from './measurement.js'
import type { Options } from './options.js'
import { number } from './report/format.js'
import type { Report } from './report/report.js'
import { runRounds } from './rounds.js'
import type { Subject } from './subject.js'
import { describeMachine } from './system/machine.js'
import type { Servers } from './targets/servers.js'
import type { Target } from './targets/target.js'

/** Of load on each target before the first round; without it the first round would measure a compiler. */
const SETTLE_SECONDS = 2

export type Log = (line: string) => void

/** Loads the data and measures one subject on all targets. */
export async function runSubject(
  subject: Subject,
  options: Options,
  servers: Servers,
  targets: readonly Target[],
  log: Log,
): Promise<Report> {
  log(`loading ${subject.tables.join(', ')} with ${options.rows} rows`)
  await loadTables(servers.primary, servers.user, subject.tables, options.rows)
  await servers.settle()
  const { rounds, seconds, seed } = options
  const onRound = (measurement: Measurement) => log(describeRound(measurement, rounds, subject))
  const driver = subject.driver(servers.user)
  const settleSeconds = options.warmupSeconds > 0 ? SETTLE_SECONDS : 0
  const measurements = await runRounds({ targets, rounds, seconds, settleSeconds, seed, onRound }, driver)
  return makeReport(subject, options, servers, targets, measurements)
}

function describeRound(measurement: Measurement, rounds: number, { unit }: Subject): string {
  const work = workDone(measurement, unit)
  const parts = [`${number(work / measurement.seconds)} ${unit === 'MB' ? 'MB' : 'queries'}/s`]
  if (measurement.proxyCpuMicros !== null) parts.push(`${number(measurement.proxyCpuMicros / work)} us CPU/${unit}`)
  if (measurement.errors > 0) parts.push(`${measurement.errors} errors, first: ${measurement.firstError}`)
  return `round ${measurement.round}/${rounds} ${measurement.target}: ${parts.join(', ')}`
}

function makeReport(
  { name, summary, operation, unit, connections }: Subject,
  options: Options,
  servers: Servers,
  targets: readonly Target[],
  measurements: readonly Measurement[],
): Report {
  const names = targets.map((target) => target.name)
  const control = names.includes('raw') ? 'raw' : null
  const { rate, rounds, seconds, warmupSeconds, seed, rows, workers, generators } = options
  return {
    date: `${new Date().toISOString().slice(0, 19)}Z`,
    workload: name,
    summary,
    operation,
    unit,
    machine: describeMachine(),
    servers: servers.description,
    settings: { connections, rate, rounds, seconds, warmupSeconds, seed, rows, workers, generators },
    control,
    targets: summarise(measurements, names, unit, control),
    measurements,
  }
}
