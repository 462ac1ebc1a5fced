import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { number, spread } from '../../../../bench/report/format.js'
import { toMarkdown } from '../../../../bench/report/markdown.js'
import type { Report } from '../../../../bench/report/report.js'
import { toText } from '../../../../bench/report/text.js'
import { writeReport } from '../../../../bench/report/write.js'

const one = { median: 1, min: 1, max: 1 }
const report: Report = {
  date: '2026-03-04T05:06:07Z',
  workload: 'point-select',
  summary: 'one row by primary key',
  operation: 'query',
  unit: 'query',
  machine: { cores: 2, cpu: 'some CPU', memoryGiB: 4, kernel: '6.1.0', node: 'v20.19.0' },
  servers: 'MySQL 9.7.1',
  settings: {
    connections: 64,
    rate: null,
    rounds: 5,
    seconds: 5,
    warmupSeconds: 1,
    seed: 42,
    rows: 10_000,
    workers: 1,
    generators: 1,
  },
  control: 'raw',
  targets: [
    {
      target: 'sluice',
      throughput: { median: 41_230.4, min: 40_000, max: 42_000 },
      operationsPerSecond: one,
      latencyMs: { p50: 1.234, p95: 2.5, p99: 12.34, max: 99 },
      proxyCpu: { median: 17.25, min: 16, max: 18 },
      generatorCpu: one,
      throughputRatio: { median: 0.95, min: 0.9, max: 1 },
      proxyCpuRatio: null,
      latenessP99Ms: 0,
      errors: 0,
      restarts: 0,
    },
  ],
  measurements: [],
}

describe('reports', () => {
  it('print numbers with the digits that count', () => {
    expect([41_230.4, 123.4, 12.34, 1.234, 0].map(number)).toEqual(['41,230', '123', '12.3', '1.23', '0.00'])
    expect(spread({ median: 2, min: 1, max: 3 })).toBe('2.00 (1.00 - 3.00)')
    expect(spread({ median: 2, min: 2, max: 2 })).toBe('2.00')
    expect(spread(null)).toBe('-')
  })

  it('have one table with throughput, percentiles, CPU time and the ratios to the control', () => {
    const row =
      '| sluice | 41,230 (40,000 - 42,000) | 1.23 | 2.50 | 12.3 | 17.3 (16.0 - 18.0) | 0.95 (0.90 - 1.00) | - |'
    const page = toMarkdown(report, 'plot.svg')
    expect(page).toContain(
      '| target | queries/s | p50 ms | p95 ms | p99 ms | proxy CPU us/query | queries/s / raw | CPU / raw |',
    )
    expect(page).toContain(row)
    expect(page).toContain('](plot.svg)')
    expect(page).toContain('seed 42')
    expect(toText(report)).toMatch(/sluice {2}41,230 \(40,000 - 42,000\)/)
  })

  it('mention errors and restarts only where there are some', () => {
    expect(toText(report)).not.toMatch(/errors|restarts/)
    const troubled = { ...report, targets: [{ ...report.targets[0], errors: 3, restarts: 7 }] }
    expect(toText(troubled)).toMatch(/restarts {2}errors\n.* 7 +3\n/)
  })

  it('are written as Markdown, plot and data side by side, named by day and workload', () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'))
    try {
      const path = writeReport(report, join(dir, 'results'), 'trial')
      const base = '2026-03-04-point-select-trial'
      expect(readdirSync(join(dir, 'results')).sort()).toEqual([`${base}.json`, `${base}.md`, `${base}.svg`])
      expect(readFileSync(path, 'utf8')).toContain(`](${base}.svg)`)
      expect(JSON.parse(readFileSync(path.replace(/md$/, 'json'), 'utf8'))).toEqual(report)
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})
