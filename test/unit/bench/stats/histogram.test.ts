import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../../bench/stats/histogram.js'
import { Random } from '../../../../bench/stats/random.js'

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

/** The definition, on the values themselves: the smallest that so many percent do not exceed. */
function exactPercentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1]
}

describe('the latency histogram', () => {
  it('gives exact percentiles below 256 us', () => {
    const values = Array.from({ length: 200 }, (_, index) => index + 1)
    const histogram = histogramOf(values)
    expect([1, 50, 95, 99, 100].map((percent) => histogram.percentile(percent))).toEqual([2, 100, 190, 198, 200])
  })

  it('is never below the exact percentile and at most 1/128 above it, for values of all sizes', () => {
    const seed = Date.now() % 100_000
    const random = new Random(seed)
    const values = Array.from({ length: 5_000 }, () => Math.floor(2 ** (random.below(31_000) / 1000)))
    const histogram = histogramOf(values)
    for (const percent of [0.1, 1, 25, 50, 75, 90, 99, 99.9, 100]) {
      const exact = exactPercentile(values, percent)
      const given = histogram.percentile(percent)
      expect(given, `p${percent}, seed ${seed}`).toBeGreaterThanOrEqual(exact)
      expect(given, `p${percent}, seed ${seed}`).toBeLessThanOrEqual(exact * (1 + 1 / 128))
    }
  })

  it('places every power of two and its neighbours into a bucket that holds them', () => {
    for (let exponent = 0; exponent < 31; exponent++) {
      for (const value of [2 ** exponent - 1, 2 ** exponent, 2 ** exponent + 1]) {
        const histogram = histogramOf([value, 0x7fff_ffff])
        expect(histogram.percentile(50)).toBeGreaterThanOrEqual(value)
        expect(histogram.percentile(50)).toBeLessThanOrEqual(value * (1 + 1 / 128))
      }
    }
  })

  it('counts what cannot be: negative times as 0, endless ones as the largest', () => {
    const histogram = histogramOf([-5, Number.POSITIVE_INFINITY])
    expect(histogram.percentile(50)).toBe(0)
    expect(histogram.max).toBe(0x7fff_ffff)
    expect(histogram.total).toBe(2)
  })

  it('says 0 when nothing was recorded', () => {
    expect(new Histogram().percentile(99)).toBe(0)
  })

  it('is the same after a trip over a process border', () => {
    const histogram = histogramOf([3, 3, 700, 123_456])
    const copy = Histogram.unpack(JSON.parse(JSON.stringify(histogram.pack())))
    expect(copy.pack()).toEqual(histogram.pack())
    expect(copy.total).toBe(4)
    for (const percent of [25, 50, 75]) expect(copy.percentile(percent)).toBe(histogram.percentile(percent))
  })

  it('merges to what one histogram of all values would be', () => {
    const merged = histogramOf([1, 1_000])
    merged.merge(histogramOf([50, 2_000_000]))
    expect(merged.pack()).toEqual(histogramOf([1, 50, 1_000, 2_000_000]).pack())
    expect(merged.max).toBe(2_000_000)
  })
})
