import { describe, expect, it } from 'vitest'
import { shareOut } from '../../../../bench/load/generator.js'

describe('sharing out connections', () => {
  it('gives 50 readers and 10 writers their part of any number', () => {
    const shares = [50 / 60, 10 / 60]
    expect(shareOut(60, shares)).toEqual([50, 10])
    expect(shareOut(30, shares)).toEqual([25, 5])
    expect(shareOut(2, shares)).toEqual([1, 1])
    expect(shareOut(1, shares)).toEqual([1, 0])
  })

  it('loses none', () => {
    for (let total = 0; total < 100; total++) {
      const parts = shareOut(total, [0.5, 0.3, 0.2])
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(total)
      expect(Math.min(...parts)).toBeGreaterThanOrEqual(total >= 3 ? 1 : 0)
    }
  })
})
