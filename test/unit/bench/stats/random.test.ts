import { describe, expect, it } from 'vitest'
import { Random } from '../../../../bench/stats/random.js'

describe('seeded random numbers', () => {
  it('come again with the same seed and differ with another', () => {
    const numbers = (seed: number) => {
      const random = new Random(seed)
      return Array.from({ length: 20 }, () => random.next())
    }
    expect(numbers(7)).toEqual(numbers(7))
    expect(numbers(7)).not.toEqual(numbers(8))
    expect(new Set(numbers(0)).size).toBe(20)
  })

  it('stay in their range and reach both ends of it', () => {
    const random = new Random(3)
    const seen = new Set(Array.from({ length: 1_000 }, () => random.between(5, 9)))
    expect([...seen].sort()).toEqual([5, 6, 7, 8, 9])
  })

  it('spread keys evenly: no tenth gets less than 8 % or more than 12 %', () => {
    const random = new Random(11)
    const counts = Array<number>(10).fill(0)
    for (let draw = 0; draw < 100_000; draw++) counts[random.below(10)]++
    for (const count of counts) {
      expect(count).toBeGreaterThan(8_000)
      expect(count).toBeLessThan(12_000)
    }
  })

  it('shuffle without losing or changing the original', () => {
    const original = [1, 2, 3, 4, 5, 6]
    const orders = new Set<string>()
    const random = new Random(1)
    for (let round = 0; round < 20; round++) {
      const shuffled = random.shuffle(original)
      expect([...shuffled].sort()).toEqual(original)
      orders.add(shuffled.join())
    }
    expect(original).toEqual([1, 2, 3, 4, 5, 6])
    expect(orders.size).toBeGreaterThan(10)
  })
})
