import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseSysbench } from '../../../../bench/drivers/sysbench.js'
import { Histogram } from '../../../../bench/stats/histogram.js'

/** As sysbench 1.0.20 wrote it, on MySQL 9.7. */
const output = readFileSync(new URL('../fixtures/sysbench-1.0.20-oltp_read_write.txt', import.meta.url), 'utf8')

describe("sysbench's report", () => {
  it('is read with its transactions, queries and time', () => {
    expect(parseSysbench(output)).toMatchObject({ seconds: 2.0048, operations: 1539, queries: 30_780, errors: 0 })
  })

  it("gives the percentiles of sysbench's own histogram", () => {
    const latency = Histogram.unpack(parseSysbench(output).latency)
    expect(latency.total).toBe(1539)
    expect(latency.percentile(99) / 1000).toBeCloseTo(13.22, 0)
    expect(latency.max / 1000).toBeCloseTo(44.08, 0)
  })

  it('is refused when a number is missing', () => {
    expect(() => parseSysbench(output.replace(/transactions:.*\n/, ''))).toThrow(/no line like transactions/)
  })
})
