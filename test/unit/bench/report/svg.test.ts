import { describe, expect, it } from 'vitest'
import { toSvg } from '../../../../bench/report/svg.js'

const bars = [
  { label: 'raw', value: { median: 100, min: 90, max: 120 } },
  { label: 'a<b>&c', value: { median: 50, min: 50, max: 50 } },
  { label: 'direct', value: null },
]
const svg = toSvg('heading', [{ title: 'queries', bars }])

function attributes(element: string, name: string): number[] {
  return [...svg.matchAll(new RegExp(`<${element} [^>]*?${name}="([\\d.]+)"`, 'g'))].map(([, value]) => Number(value))
}

describe('the plot', () => {
  it('has bars as high as their medians, on one scale', () => {
    const [, raw, other] = attributes('rect', 'height')
    expect(other / raw).toBeCloseTo(0.5, 2)
  })

  it('has a whisker from the smallest to the largest round only where rounds differ', () => {
    const [raw] = attributes('rect', 'height').slice(1)
    const vertical = [...svg.matchAll(/<line x1="([\d.]+)" y1="([\d.]+)" x2="\1" y2="([\d.]+)"/g)]
    expect(vertical).toHaveLength(1)
    const [, , low, high] = vertical[0].map(Number)
    expect((low - high) / raw).toBeCloseTo(30 / 100, 2)
  })

  it('says the number, what was not measured, and names as text', () => {
    expect(svg).toContain('>100</text>')
    expect(svg).toContain('not measured')
    expect(svg).toContain('a&lt;b&gt;&amp;c')
  })

  it('stays within its picture', () => {
    const [width, height] = svg
      .match(/viewBox="0 0 (\d+) (\d+)"/)!
      .slice(1)
      .map(Number)
    for (const x of [...attributes('rect', 'x'), ...attributes('line', 'x2'), ...attributes('text', 'x')]) {
      expect(x).toBeLessThanOrEqual(width)
    }
    for (const y of [...attributes('rect', 'y'), ...attributes('line', 'y1'), ...attributes('text', 'y')]) {
      expect(y).toBeGreaterThan(0)
      expect(y).toBeLessThanOrEqual(height)
    }
  })

  it('can show a run in which nothing was measured', () => {
    expect(toSvg('nothing', [{ title: 'queries', bars: [{ label: 'x', value: null }] }])).not.toContain('NaN')
  })
})
