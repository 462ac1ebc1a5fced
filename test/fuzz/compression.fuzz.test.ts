import { describe, expect, it } from 'vitest'
import { CompressedFrameReader, CompressedFrameWriter, ProtocolError } from '../../protocol/index.js'
import { compressionFor } from '../../src/worker/compressors.js'
import { seededRandom } from '../unit/worker/fixture.js'

/*
 * Invariant: a reader of frames returns bytes or throws ProtocolError, whatever comes; it says the same however the bytes
 * are cut; and no frame becomes more than its header says.
 *
 * SLUICE_FUZZ_SEED repeats a run; SLUICE_FUZZ_ITERATIONS makes it longer.
 */
const SEED = Number(process.env.SLUICE_FUZZ_SEED ?? Date.now() % 1_000_000)
const ITERATIONS = Number(process.env.SLUICE_FUZZ_ITERATIONS ?? 2000)
const FRAME_MAX = 0xffffff

describe.each(['zlib', 'zstd'] as const)(`%s (seed ${SEED})`, (algorithm) => {
  it(
    'frames that were changed anywhere',
    async () => {
      const { compressor, level } = await compressionFor(algorithm)
      const random = seededRandom(SEED)
      const below = (limit: number): number => Math.floor(random() * limit)

      const stream = (): Buffer => {
        const writer = new CompressedFrameWriter(compressor, level)
        const parts = Array.from({ length: 1 + below(4) }, () => writer.encode(Buffer.alloc(below(300), 'ab, c ')))
        let bytes = Buffer.concat(parts)
        for (let change = below(5); change > 0 && bytes.length > 0; change--) {
          const at = below(bytes.length)
          if (below(8) === 0) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(6))])
          else bytes[at] = below(3) === 0 ? below(256) : bytes[at] ^ (1 << below(8))
        }
        return bytes
      }

      const read = (bytes: Buffer, largestPiece: number): { output: string; error: string } => {
        const reader = new CompressedFrameReader(compressor)
        const parts: Buffer[] = []
        try {
          for (let at = 0; at < bytes.length; ) {
            const end = Math.min(bytes.length, at + 1 + below(largestPiece))
            reader.push(Buffer.from(bytes.subarray(at, end)))
            at = end
            for (let part = reader.next(); part !== null; part = reader.next()) {
              expect(part.length).toBeLessThanOrEqual(FRAME_MAX)
              parts.push(part)
            }
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
          return { output: Buffer.concat(parts).toString('latin1'), error: error.code }
        }
        return { output: Buffer.concat(parts).toString('latin1'), error: '' }
      }

      for (let i = 0; i < ITERATIONS; i++) {
        const bytes = stream()
        const because = `seed ${SEED}, input ${bytes.toString('hex')}`
        let whole: unknown
        expect(() => {
          whole = read(bytes, FRAME_MAX)
        }, because).not.toThrow()
        expect(read(bytes, 1 + below(30)), because).toEqual(whole)
      }
    },
    60_000 + ITERATIONS,
  )
})
