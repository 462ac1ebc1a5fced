import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Capability, CompressedFrameReader, ProtocolError } from '../../../../protocol/index.js'
import { agreedAlgorithm, compressionFlag, compressionFor } from '../../../../src/worker/backend/compressors.js'
import { ZstdFrameError, zstdContentSize } from '../../../../src/worker/backend/zstd-frame.js'
import { seededRandom } from '../fixture.js'

const SEED = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000)

const text = (length: number): Buffer => Buffer.alloc(length, 'SELECT a, b FROM t WHERE id = ')

describe.each(['zlib', 'zstd'] as const)('%s', (algorithm) => {
  it.each([1, 49, 50, 1000, 65_536, 1 << 20])('brings %i bytes there and back', async (length) => {
    const { compressor, level } = await compressionFor(algorithm)
    for (const bytes of [text(length), randomBytes(length)]) {
      const compressed = compressor.compress(bytes, level)
      expect(Buffer.from(compressor.decompress(compressed, length)).equals(bytes)).toBe(true)
    }
  })

  it('refuses bytes that become more or fewer than was said, damaged ones, and none', async () => {
    const { compressor, level } = await compressionFor(algorithm)
    const compressed = compressor.compress(text(100_000), level)
    expect(() => compressor.decompress(compressed, 99_999)).toThrow()
    expect(() => compressor.decompress(compressed, 100_001)).toThrow()
    expect(() => compressor.decompress(compressed.subarray(0, compressed.length - 9), 100_000)).toThrow()
    expect(() => compressor.decompress(Buffer.alloc(0), 1000)).toThrow()
    // It is of use afterwards.
    expect(compressor.decompress(compressed, 100_000).length).toBe(100_000)
  })

  it(`throws nothing but ProtocolError within frames, whatever comes (seed ${SEED})`, async () => {
    const { compressor, level } = await compressionFor(algorithm)
    const random = seededRandom(SEED)
    const below = (limit: number): number => Math.floor(random() * limit)
    for (let round = 0; round < 2000; round++) {
      const payload = Buffer.from(compressor.compress(text(50 + below(500)), level))
      const size = below(3) > 0 ? 50 + below(500) : below(1 << 24)
      for (let change = below(4); change > 0; change--) payload[below(payload.length)] = below(256)
      const bytes = Buffer.concat([Buffer.alloc(7), payload.subarray(0, below(4) > 0 ? payload.length : below(20))])
      bytes.writeUIntLE(bytes.length - 7, 0, 3)
      bytes.writeUIntLE(size, 4, 3)
      const reader = new CompressedFrameReader(compressor)
      reader.push(bytes)
      let outcome: unknown
      try {
        outcome = reader.next()?.length
      } catch (error) {
        outcome = error instanceof ProtocolError ? error.code : error
      }
      const right = size === 0 ? bytes.length - 7 : size
      expect([right, 'bad-compression'], `seed ${SEED}: ${bytes.toString('hex')}`).toContain(outcome)
    }
  })
})

it('takes zlib where both sides could use both, as servers do', () => {
  const { COMPRESS, ZSTD_COMPRESSION_ALGORITHM: ZSTD } = Capability
  expect([COMPRESS | ZSTD, COMPRESS, ZSTD, 0].map(agreedAlgorithm)).toEqual(['zlib', 'zlib', 'zstd', null])
  expect((['zlib', 'zstd', 'off', 'uncompressed'] as const).map(compressionFlag)).toEqual([COMPRESS, ZSTD, 0, 0])
})

it('takes the level that the client asks for with zstd, up to 6: others wait meanwhile', async () => {
  const levels = await Promise.all(
    [1, 6, 19, 0, 23, 255].map(async (level) => (await compressionFor('zstd', level)).level),
  )
  expect(levels).toEqual([1, 6, 6, 3, 3, 3])
  expect((await compressionFor('zlib', 19)).level).toBe(3)
})

describe('the header of a zstd frame', () => {
  const header = (hex: string): Uint8Array => Buffer.from(`28b52ffd${hex}`, 'hex')

  it.each([
    ['in 1 byte, of a single segment', '2064', 100],
    ['in 2 bytes', '60ff00', 255 + 256],
    ['in 4 bytes', 'a0ffffff00', 0xffffff],
    ['in 8 bytes', 'e00000000001000000', 2 ** 32],
    ['behind a window, in 2 bytes', '4058ff00', 255 + 256],
    ['behind a dictionary id', '210764', 100],
    ['not at all', '0058', -1],
  ])('says the length %s', (_how, hex, length) => {
    expect(zstdContentSize(header(hex))).toBe(length)
  })

  it.each(['', '28b52f', '28b52ffd', '28b52ffda0ffff', '502a4d1810000000', '28b52ffd2864'])('is not %s', (hex) => {
    expect(() => zstdContentSize(Buffer.from(hex, 'hex'))).toThrow(ZstdFrameError)
  })
})
