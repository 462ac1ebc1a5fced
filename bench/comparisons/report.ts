import type { Summary } from '../measurement.js'
import type { Options } from '../options.js'
import { number, spread } from '../report/format.js'
import type { Table } from '../report/table.js'
import { spreadOf } from '../stats/spread.js'
import type { Group } from './comparisons.js'

export interface GroupResult {
  readonly group: Group
  /** In the order of the group's cases; ratios refer to the first one. */
  readonly summaries: readonly Summary[]
  /** Of each round, by case: part of the reads that replicas have run. Empty without replicas. */
  readonly shares: ReadonlyMap<string, readonly number[]>
}

/** One row for each case. */
export function comparisonTable(
  title: string,
  note: string,
  results: readonly GroupResult[],
  options: Options,
  servers: string,
): Table {
  const hasShares = results.some(({ shares }) => shares.size > 0)
  const headings = ['', 'case', 'queries/s', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU us/query']
  const ratios = ['queries/s / first', 'CPU / first']
  const { rate, rounds, seconds, warmupSeconds, seed, rows, workers, generators } = options
  const loop = rate === null ? 'closed loop' : `open loop at ${rate} operations/s`
  return {
    title,
    note:
      `${note}\n\nMedians of ${rounds} alternating rounds of ${seconds} s after ${warmupSeconds} s of warm-up (seed ${seed}), ` +
      `with the smallest and the largest in brackets; ratios are to the first case of the same rounds. Load: ${loop}, ${workers} worker(s), ` +
      `${generators} generator process(es), ${rows} rows.`,
    headings: [...headings, ...(hasShares ? ['reads on replicas, %'] : []), ...ratios],
    rows: results.flatMap((result) => result.summaries.map((summary) => rowOf(result, summary, hasShares))),
    data: results.map(({ group, summaries, shares }) => ({ group, summaries, shares: Object.fromEntries(shares) })),
    servers,
  }
}

function rowOf({ group, shares }: GroupResult, summary: Summary, hasShares: boolean): string[] {
  const { target, throughput, latencyMs, proxyCpu, throughputRatio, proxyCpuRatio } = summary
  const own = shares.get(target) ?? []
  const share = own.length === 0 ? '-' : spread(spreadOf(own.map((part) => 100 * part)))
  return [
    group.name,
    target,
    spread(throughput),
    number(latencyMs.p50),
    number(latencyMs.p95),
    number(latencyMs.p99),
    spread(proxyCpu),
    ...(hasShares ? [share] : []),
    spread(throughputRatio),
    spread(proxyCpuRatio),
  ]
}
