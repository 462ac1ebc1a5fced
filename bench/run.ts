import { loadTables } from './data/load.js'
import { SCHEMA } from './data/tables.js'
import { ownDriver } from './drivers/own.js'
import { GeneratorProcesses } from './load/processes.js'
import { type Measurement, summarise, workDone } from './measurement.js'
import type { Options } from './options.js'
import { number } from './report/format.js'
import type { Report } from './report/report.js'
import { runRounds } from './rounds.js'
import { describeMachine } from './system/machine.js'
import type { Servers } from './targets/servers.js'
import type { Target } from './targets/target.js'
import { type Workload, workloadByName } from './workloads/index.js'

export type Log = (line: string) => void

/** Measures one workload on all targets. */
export async function runWorkload(
  name: string,
  options: Options,
  servers: Servers,
  targets: readonly Target[],
  log: Log,
): Promise<Report> {
  const workload = workloadByName(name)
  log(`loading ${workload.tables.join(', ')} with ${options.rows} rows`)
  await loadTables(servers.primary, servers.user, workload.tables, options.rows)
  await servers.settle()
  const generators = new GeneratorProcesses(options.generators)
  try {
    const connections = options.connections ?? workload.defaultConnections
    const driver = ownDriver({
      generators,
      warmupSeconds: options.warmupSeconds,
      spec: {
        workload: name,
        user: servers.user.user,
        password: servers.user.password,
        database: SCHEMA,
        connections,
        rate: options.rate,
        rows: options.rows,
        seed: options.seed,
        toleratesErrors: options.toleratesErrors,
      },
    })
    const { rounds, seconds, seed } = options
    const onRound = (measurement: Measurement) => log(describeRound(measurement, rounds, workload))
    const measurements = await runRounds({ targets, rounds, seconds, seed, onRound }, driver)
    return makeReport(workload, options, connections, servers, targets, measurements)
  } finally {
    await generators.end()
  }
}

function describeRound(measurement: Measurement, rounds: number, { unit }: Workload): string {
  const work = workDone(measurement, unit)
  const parts = [`${number(work / measurement.seconds)} ${unit === 'MB' ? 'MB' : 'queries'}/s`]
  if (measurement.proxyCpuMicros !== null) parts.push(`${number(measurement.proxyCpuMicros / work)} us CPU/${unit}`)
  if (measurement.errors > 0) parts.push(`${measurement.errors} errors, first: ${measurement.firstError}`)
  return `round ${measurement.round}/${rounds} ${measurement.target}: ${parts.join(', ')}`
}

function makeReport(
  workload: Workload,
  options: Options,
  connections: number,
  servers: Servers,
  targets: readonly Target[],
  measurements: readonly Measurement[],
): Report {
  const names = targets.map((target) => target.name)
  const control = names.includes('raw') ? 'raw' : null
  const { rate, rounds, seconds, warmupSeconds, seed, rows, workers, generators } = options
  return {
    date: `${new Date().toISOString().slice(0, 19)}Z`,
    workload: workload.name,
    summary: workload.summary,
    operation: workload.operation,
    unit: workload.unit,
    machine: describeMachine(),
    servers: servers.description,
    settings: { connections, rate, rounds, seconds, warmupSeconds, seed, rows, workers, generators },
    control,
    targets: summarise(measurements, names, workload.unit, control),
    measurements,
  }
}
