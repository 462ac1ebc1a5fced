import type { ServerSample } from './sample.js'
import type { WorkloadCounters } from './workload.js'

const HEAD = ['server', 'role', 'status', 'lag', 'reads/s', 'writes/s', 'latency', 'reads', 'writes']
const TEXT_COLUMNS = 3

/** The live table, as lines. */
export function table(samples: readonly ServerSample[]): string[] {
  const rows = [HEAD, ...samples.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column < TEXT_COLUMNS ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  )
}

function cells(sample: ServerSample): string[] {
  return [
    `${sample.name} ${sample.server}`,
    sample.role,
    sample.status,
    sample.lagMs === null ? '-' : `${sample.lagMs} ms`,
    String(sample.readsPerS),
    String(sample.writesPerS),
    sample.latencyMs === null ? '-' : `${sample.latencyMs.toFixed(2)} ms`,
    String(sample.reads),
    String(sample.writes),
  ]
}

/** One line per reading, for a pipe. */
export function plainLine(samples: readonly ServerSample[], workload: WorkloadCounters | null): string {
  const servers = samples.map((one) => {
    const lag = one.lagMs === null ? '-' : `${one.lagMs}ms`
    const latency = one.latencyMs === null ? '-' : `${one.latencyMs.toFixed(2)}ms`
    const state = one.status === 'ONLINE' ? one.role : `${one.role} ${one.status}`
    return `${one.name} (${state}) lag=${lag} reads/s=${one.readsPerS} writes/s=${one.writesPerS} latency=${latency}`
  })
  return [...servers, ...(workload === null ? [] : [workloadLine(workload)])].join(' | ')
}

export function workloadLine({ reads, writes, errors, staleReads, lastError }: WorkloadCounters): string {
  const failed = errors === 0 ? '' : `, errors ${errors} (${lastError})`
  return `workload: ${reads} reads, ${writes} writes, stale reads ${staleReads}${failed}`
}
