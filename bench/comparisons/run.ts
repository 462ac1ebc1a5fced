import { loadTables } from '../data/load.js'
import { SCHEMA, type TableName } from '../data/tables.js'
import { ownDriver } from '../drivers/own.js'
import type { GeneratorProcesses } from '../load/processes.js'
import { type Measurement, summarise } from '../measurement.js'
import type { Options } from '../options.js'
import { number } from '../report/format.js'
import { toMarkdownTable, writeTable } from '../report/table.js'
import { type Driver, runRounds } from '../rounds.js'
import type { Log } from '../run.js'
import type { Servers } from '../targets/servers.js'
import type { SluiceOptions } from '../targets/sluice.js'
import { startSluice } from '../targets/sluice.js'
import type { Target } from '../targets/target.js'
import { workloadByName } from '../workloads/index.js'
import { type Case, COMPARISONS, type ComparisonName, type Group } from './comparisons.js'
import { DelayedReplication } from './delay.js'
import { comparisonTable, type GroupResult } from './report.js'
import { SelectCounter } from './selects.js'

export interface ComparisonTools {
  readonly options: Options
  readonly servers: Servers
  readonly generators: GeneratorProcesses
  /** What all of Sluice's configurations have in common. */
  readonly sluice: Omit<SluiceOptions, 'name' | 'config' | 'serverConnections'>
  readonly log: Log
}

/**
 * Measures all groups of a comparison, one after the other.
 * @returns the table for a terminal
 * @throws Error when it needs servers of its own and was given others
 */
export async function runComparison(name: ComparisonName, tools: ComparisonTools): Promise<string> {
  const { options, servers, log } = tools
  const comparison = COMPARISONS[name]
  const replication = comparison.replicas > 0 ? await delayReplicas(servers) : null
  try {
    const groups = comparison.groups(options)
    await loadTables(servers.primary, servers.user, tablesOf(groups), options.rows)
    await servers.settle()
    const results: GroupResult[] = []
    for (const group of groups) {
      log(`${name}: ${group.name}`)
      if (replication !== null) replication.delayMs = group.delayMs
      results.push(await measureGroup(group, tools))
    }
    const table = comparisonTable(name, comparison.note, results, options, servers.description)
    if (options.out !== null) log(`written: ${writeTable(table, options.out, options.label)}`)
    return toMarkdownTable(table)
  } finally {
    replication?.stop()
  }
}

function tablesOf(groups: readonly Group[]): TableName[] {
  const workloads = new Set(groups.flatMap(({ cases }) => cases.map(({ workload }) => workload)))
  return [...new Set([...workloads].flatMap((name) => workloadByName(name).tables))]
}

function delayReplicas({ cluster }: Servers): Promise<DelayedReplication> {
  if (cluster !== null) return DelayedReplication.between(cluster)
  throw new Error('this comparison changes how replicas replicate, so it takes none that --server names')
}

async function measureGroup(group: Group, tools: ComparisonTools): Promise<GroupResult> {
  const { options, servers, log } = tools
  const { rounds, seconds, seed } = options
  const started = new Map<string, Target>()
  try {
    const targets: Target[] = []
    for (const one of group.cases) targets.push({ ...(await targetOf(one, started, tools)), name: one.name })
    const shares = new Map<string, number[]>()
    const counter = hasReplicas(servers) ? await SelectCounter.calibrated(servers.cluster!) : null
    const driver = counted(group, tools, counter, shares)
    const settleSeconds = options.warmupSeconds
    const onRound = (measurement: Measurement) => log(describeRound(group, measurement, rounds, shares))
    const measurements = await runRounds({ targets, rounds, seconds, settleSeconds, seed, onRound }, driver)
    const names = group.cases.map((one) => one.name)
    return { group, summaries: summarise(measurements, names, 'query', names[0]), shares }
  } finally {
    for (const target of started.values()) await target.stop()
  }
}

function hasReplicas({ cluster }: Servers): boolean {
  return cluster !== null && cluster.replicas.length > 0
}

async function targetOf(one: Case, started: Map<string, Target>, { sluice }: ComparisonTools): Promise<Target> {
  const { config, serverConnections } = one
  const key = JSON.stringify({ config, serverConnections })
  const present = started.get(key)
  if (present !== undefined) return present
  const limit = serverConnections === undefined ? {} : { serverConnections }
  const target = await startSluice({ ...sluice, ...limit, config, name: one.name })
  started.set(key, target)
  return target
}

/** Runs the case's own workload; notes which part of its reads went to replicas. */
function counted(
  { cases, connections }: Group,
  { options, servers, generators }: ComparisonTools,
  counter: SelectCounter | null,
  shares: Map<string, number[]>,
): Driver {
  const { user, password } = servers.user
  const { rows, seed, toleratesErrors, warmupSeconds, rate } = options
  const spec = { user, password, database: SCHEMA, connections, rate, rows, seed, toleratesErrors }
  const drivers = new Map(
    cases.map(({ name, workload }) => [name, ownDriver({ generators, warmupSeconds, spec: { ...spec, workload } })]),
  )
  return async (target, round, seconds) => {
    const drive = () => drivers.get(target.name)!(target, round, seconds)
    if (counter === null) return drive()
    const { share, result } = await counter.replicaShare(drive)
    if (round > 0) shares.set(target.name, [...(shares.get(target.name) ?? []), share])
    return result
  }
}

function describeRound(group: Group, measurement: Measurement, rounds: number, shares: Map<string, number[]>): string {
  const { target, round, queries, seconds, proxyCpuMicros, errors, firstError } = measurement
  const parts = [`${number(queries / seconds)} queries/s`, `${number((proxyCpuMicros ?? 0) / queries)} us CPU/query`]
  const share = shares.get(target)?.at(-1)
  if (share !== undefined) parts.push(`${number(100 * share)} % of reads on replicas`)
  if (errors > 0) parts.push(`${errors} errors, first: ${firstError}`)
  return `${group.name}, round ${round}/${rounds} ${target}: ${parts.join(', ')}`
}
