import { describe, expect, it } from 'vitest'
import { boundedCache } from '../../../src/shared/bounded-cache.js'

describe('a bounded cache', () => {
  it('forgets what was used least recently, and tells', () => {
    const gone: [string, string][] = []
    const cache = boundedCache<string, number>(2, { dispose: (_, key, reason) => gone.push([key, reason]) })
    cache.set('a', 1).set('b', 2)
    expect(cache.get('a')).toBe(1)
    cache.set('c', 3)
    expect([...cache.keys()]).toEqual(['c', 'a'])
    expect(gone).toEqual([['b', 'evict']])
  })

  it('takes no memory for what it does not hold', () => {
    const before = process.memoryUsage()
    const caches = Array.from({ length: 20 }, () => boundedCache<string, number>(1_000_000).set('a', 1))
    const after = process.memoryUsage()
    expect(caches.every((cache) => cache.get('a') === 1)).toBe(true)
    const taken = after.heapTotal + after.arrayBuffers - before.heapTotal - before.arrayBuffers
    // Room for all would be some 700 MiB.
    expect(taken).toBeLessThan(100 * 2 ** 20)
  })
})
