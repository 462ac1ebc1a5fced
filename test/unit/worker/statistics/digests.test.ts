import { describe, expect, it } from 'vitest'
import { DEFAULT_DIGESTS, type DigestSettings } from '../../../../src/shared/snapshot.js'
import { Digests, type StatementDigest } from '../../../../src/worker/statistics/digests.js'
import { OPTIONS } from '../../sql/options.js'

const never = (): number => 1

function table(more: Partial<DigestSettings> = {}, random = never): Digests {
  return new Digests({ ...DEFAULT_DIGESTS, ...more }, random)
}

function of(digests: Digests, text: string, streamed = false): StatementDigest {
  const buffer = Buffer.from(`....${text}`)
  return digests.of(buffer, 4, buffer.length, OPTIONS, streamed)
}

describe('the digests of a worker', () => {
  it('are one object for all statements that differ only in their literals', () => {
    const digests = table()
    const first = of(digests, 'SELECT c FROM sbtest1 WHERE id=1')
    expect(of(digests, 'SELECT c FROM sbtest1  WHERE id = 50123')).toBe(first)
    expect(of(digests, 'SELECT d FROM sbtest1 WHERE id=1')).not.toBe(first)
    expect(first).toMatchObject({ hex: '0xF6B75AEFCE610D0D', text: 'SELECT c FROM sbtest1 WHERE id=?' })
    expect([first.high, first.low]).toEqual([0xf6b75aef, 0xce610d0d])
    expect(digests.size).toBe(2)
  })

  it('show as much of a text as is kept, to the last whole character', () => {
    const digests = table({ maxDigestLength: 16 })
    expect(of(digests, 'SELECT größe, höhe FROM t').text).toBe('SELECT größe,h')
    expect(of(digests, 'SELECT größe, höhe FROM t').hex).not.toBe(of(digests, 'SELECT größe, höhe FROM u').hex)
  })

  it('are those of the part that is looked at, in which a list that is cut is as any other', () => {
    const rows = (n: number): string => Array.from({ length: n }, (_, i) => `(${i}, 'name ${i}', now())`).join(', ')
    const whole = of(table(), `INSERT INTO t VALUES ${rows(2)}`)
    for (let maxQueryLength = 90; maxQueryLength < 140; maxQueryLength++) {
      expect(of(table({ maxQueryLength }), `INSERT INTO t VALUES ${rows(100)}`).hex).toBe(whole.hex)
    }
    expect(of(table(), `INSERT INTO t VALUES ${rows(9)}, (1, 'begu`, true).hex).toBe(whole.hex)
  })

  it('make room for new ones: those that were not met for longest go', () => {
    const digests = table({ maxEntries: 100 })
    const kept = of(digests, 'SELECT c FROM kept')
    for (let i = 0; i < 10_000; i++) {
      of(digests, `SELECT c FROM t${i}`)
      expect(of(digests, 'SELECT c FROM kept')).toBe(kept)
    }
    expect(digests.size).toBe(100)
    expect(digests.evictions).toBe(10_001 - 100)
  })

  it('are bounded by the bytes of their texts, too', () => {
    const digests = table({ maxQueryLength: 1 << 20, maxDigestLength: 1 << 20 })
    for (let i = 0; i < 36; i++) of(digests, `SELECT t${i}.${'c'.repeat(1 << 20)}`)
    expect(digests.bytes).toBeLessThanOrEqual(32 << 20)
    expect(digests.bytes).toBeGreaterThan(30 << 20)
    expect(digests.size + digests.evictions).toBe(36)
  })

  it('shrink when there are to be fewer', () => {
    const digests = table()
    for (let i = 0; i < 1000; i++) of(digests, `SELECT c FROM t${i}`)
    digests.configure({ ...DEFAULT_DIGESTS, maxEntries: 10 })
    expect(digests.size).toBe(10)
  })

  it('sample as configured', () => {
    let at = 0
    const digests = table({ sample: 4 }, () => at++ / 100)
    expect(Array.from({ length: 100 }, () => digests.samples()).filter(Boolean)).toHaveLength(25)
    expect(table({ sample: 1 }).samples()).toBe(true)
    expect(table({ enabled: false }).samples()).toBe(false)
  })
})
