import { describe, expect, it } from 'vitest'
import { COMPARISONS, type Comparison } from '../../../../bench/comparisons/comparisons.js'
import { comparisonTable } from '../../../../bench/comparisons/report.js'
import { readOptions } from '../../../../bench/options.js'
import { WORKLOADS } from '../../../../bench/workloads/index.js'

const all = Object.entries<Comparison>(COMPARISONS)
const DEFAULTS = { connections: undefined, serverConnections: undefined }

describe('comparisons of the bench', () => {
  it.each(all)('%s has cases of known workloads, each name once in a group', (_name, comparison) => {
    for (const { cases } of comparison.groups(DEFAULTS)) {
      expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
      for (const { workload } of cases) expect(WORKLOADS.map(({ name }) => name)).toContain(workload)
    }
  })

  it.each(all)('%s takes the number of clients from the command line', (_name, comparison) => {
    for (const group of comparison.groups({ ...DEFAULTS, connections: 7 })) expect(group.connections).toBe(7)
  })

  it('multiplexing is measured at 16, 64, 256 and 1,024 clients, consistency with three delays', () => {
    expect(COMPARISONS.multiplexing.groups(DEFAULTS).map(({ connections }) => connections)).toEqual([16, 64, 256, 1024])
    expect(COMPARISONS.consistency.groups(DEFAULTS).map(({ delayMs }) => delayMs)).toEqual([0, 5, 500])
  })

  it('are known to the command line, and their limit of server connections is', () => {
    const options = readOptions(['states', '--server-connections', '3'], 'out')
    expect(options.workloads).toEqual(['states'])
    const [group] = COMPARISONS.states.groups(options)
    expect(group.cases.map(({ serverConnections }) => serverConnections)).toEqual([3, 3, 3])
  })

  it('make a table of one row for each case, with the share of reads where there are replicas', () => {
    const [group] = COMPARISONS.states.groups(DEFAULTS)
    const one = { median: 1, min: 1, max: 1 }
    const summaries = group.cases.map(({ name }) => ({
      target: name,
      throughput: one,
      operationsPerSecond: one,
      latencyMs: { p50: 1, p95: 2, p99: 3, max: 4 },
      proxyCpu: one,
      generatorCpu: one,
      throughputRatio: one,
      proxyCpuRatio: null,
      latenessP99Ms: 0,
      errors: 0,
      restarts: 0,
    }))
    const options = readOptions(['states'], 'out')
    const without = comparisonTable('states', 'Note.', [{ group, summaries, shares: new Map() }], options, 'MySQL')
    expect(without.rows).toHaveLength(group.cases.length)
    expect(without.headings).not.toContain('reads on replicas, %')
    for (const row of without.rows) expect(row).toHaveLength(without.headings.length)
    const shares = new Map([['none', [0.5, 0.7, 0.6]]])
    const table = comparisonTable('states', 'Note.', [{ group, summaries, shares }], options, 'MySQL')
    expect(table.rows[0][table.headings.indexOf('reads on replicas, %')]).toBe('60.0 (50.0 - 70.0)')
  })
})
