import { describe, expect, it } from 'vitest'
import { type Measurement, summarise } from '../../../bench/measurement.js'
import { spreadOf } from '../../../bench/stats/spread.js'

function measurement(target: string, round: number, queries: number, cpu: number | null): Measurement {
  return {
    target,
    round,
    seconds: 2,
    operations: queries,
    queries,
    bytesReceived: queries * 1_000_000,
    errors: 0,
    firstError: null,
    restarts: 0,
    latency: [
      [100, 99],
      [200, 1],
    ],
    lateness: [],
    proxyCpuMicros: cpu,
    generatorCpuMicros: 5 * queries,
  }
}

describe('the summary of a run', () => {
  it('takes medians over rounds, with the smallest and the largest', () => {
    expect(spreadOf([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 })
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 })
    expect(() => spreadOf([])).toThrow(RangeError)
  })

  const run = [
    measurement('raw', 1, 1000, 20_000),
    measurement('sluice', 1, 900, 19_800),
    measurement('raw', 2, 500, 20_000),
    measurement('sluice', 2, 500, 20_000),
    measurement('direct', 1, 2000, null),
    measurement('direct', 2, 2000, null),
  ]

  it('compares with the control of the same round, not with its median', () => {
    const [sluice] = summarise(run, ['sluice'], 'query', 'raw')
    expect(sluice.throughput).toEqual({ median: 350, min: 250, max: 450 })
    expect(sluice.throughputRatio).toEqual({ median: 0.95, min: 0.9, max: 1 })
    expect(sluice.proxyCpu).toEqual({ median: 31, min: 22, max: 40 })
    expect(sluice.proxyCpuRatio).toEqual({ median: 1.05, min: 1, max: 1.1 })
  })

  it('leaves out what cannot be known: CPU time without a process, ratios without a control', () => {
    const [direct] = summarise(run, ['direct'], 'query', 'raw')
    expect(direct.proxyCpu).toBeNull()
    expect(direct.proxyCpuRatio).toBeNull()
    expect(direct.throughputRatio?.max).toBe(4)
    expect(summarise(run, ['raw'], 'query', null)[0].throughputRatio).toBeNull()
  })

  it('takes percentiles over all rounds together', () => {
    const [raw] = summarise(run, ['raw'], 'query', 'raw')
    expect(raw.latencyMs).toEqual({ p50: 0.1, p95: 0.1, p99: 0.1, max: 0.2 })
  })

  it('relates to megabytes where a workload is about volume', () => {
    const [raw] = summarise(run, ['raw'], 'MB', 'raw')
    expect(raw.throughput.max).toBe(500)
    expect(raw.proxyCpu).toEqual({ median: 30, min: 20, max: 40 })
  })
})
