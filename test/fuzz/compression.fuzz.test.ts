import type { Socket } from 'node:net'
import { beforeAll, expect } from 'vitest'
import {
  CompressedFrameReader,
  CompressedFrameWriter,
  type CompressionAlgorithm,
  type Compressor,
  ProtocolError,
} from '../../protocol/index.js'
import { BackendCompression } from '../../src/worker/backend/backend-compression.js'
import { compressionFor } from '../../src/worker/backend/compressors.js'
import { ClientCompression } from '../../src/worker/client/client-compression.js'
import { FakeSocket } from '../unit/worker/fixture.js'
import { FuzzFile, randomPieces } from './fuzz.js'
import type { Random } from './random.js'

/*
 * Invariant: a reader of frames returns bytes or throws ProtocolError, whatever comes; it says the same however the bytes
 * are cut; and no frame becomes more than its header says.
 */

const FRAME_MAX = 0xffffff
const LEVEL = 3

const compressors = {} as Record<CompressionAlgorithm, Compressor>
beforeAll(async () => {
  for (const algorithm of ['zlib', 'zstd'] as const)
    compressors[algorithm] = (await compressionFor(algorithm)).compressor
})

/** Frames, changed here and there; one may lie about its sizes, or hold a thousand times of what it has. */
function stream(random: Random, compressor: Compressor): Buffer {
  const writer = new CompressedFrameWriter(compressor, LEVEL)
  const parts = Array.from({ length: 1 + random.below(4) }, () =>
    random.once(12) ? lie(random, compressor) : writer.encode(Buffer.alloc(random.below(300), 'ab, c ')),
  )
  let bytes = Buffer.concat(parts)
  for (let change = random.below(5); change > 0 && bytes.length > 0; change--) {
    const at = random.below(bytes.length)
    if (random.once(8)) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(6))])
    else bytes[at] = random.once(3) ? random.below(256) : bytes[at] ^ (1 << random.below(8))
  }
  return bytes
}

function lie(random: Random, compressor: Compressor): Buffer {
  const real = random.pick([0, 1, 100, 50_000])
  const payload = compressor.compress(Buffer.alloc(real), LEVEL)
  const header = Buffer.alloc(7)
  header.writeUIntLE(random.once(3) ? random.below(FRAME_MAX) : payload.length, 0, 3)
  header[3] = random.below(3)
  header.writeUIntLE(random.pick([0, 1, real, real + 1, FRAME_MAX]), 4, 3)
  return Buffer.concat([header, payload])
}

function read(compressor: Compressor, pieces: readonly Buffer[]): { output: string; error: string } {
  const reader = new CompressedFrameReader(compressor)
  const parts: Buffer[] = []
  let error = ''
  try {
    for (const piece of pieces) {
      reader.push(piece)
      for (let part = reader.next(); part !== null; part = reader.next()) {
        expect(part.length).toBeLessThanOrEqual(FRAME_MAX)
        parts.push(part)
      }
    }
  } catch (problem) {
    if (!(problem instanceof ProtocolError)) throw problem
    error = problem.code
  }
  return { output: Buffer.concat(parts).toString('latin1'), error }
}

/** What a session gets to see of a client that pauses and goes on at random. */
async function received(random: Random, compressor: Compressor, pieces: readonly Buffer[]): Promise<Buffer> {
  const parts: Buffer[] = []
  const errors: ProtocolError[] = []
  const client = new ClientCompression(
    new FakeSocket() as unknown as Socket,
    { compressor, level: LEVEL },
    {
      received: (bytes) => {
        expect(errors).toEqual([])
        parts.push(Buffer.from(bytes))
        if (random.once(3)) client.commandTaken()
        if (random.once(3)) client.write(Buffer.from('answer'))
        if (random.once(4)) client.pause()
      },
      broken: (error) => errors.push(error),
    },
  )
  for (const piece of pieces) {
    client.received(piece)
    client.resume()
    await Promise.resolve()
  }
  client.end()
  expect(errors.length).toBeLessThanOrEqual(1)
  return Buffer.concat(parts)
}

const file = new FuzzFile('compression')

file.describe(() => {
  for (const algorithm of ['zlib', 'zstd'] as const) {
    file.target(`${algorithm}: frames that were changed anywhere, cut anywhere`, (random) => {
      const compressor = compressors[algorithm]
      const bytes = random.note(stream(random, compressor))
      expect(read(compressor, randomPieces(random, bytes))).toEqual(read(compressor, [bytes]))
    })

    file.target(`${algorithm}: a client's connection gives its session what the frames hold`, async (random) => {
      const compressor = compressors[algorithm]
      const bytes = random.note(stream(random, compressor))
      const seen = await received(random, compressor, randomPieces(random, bytes))
      const whole = read(compressor, [bytes]).output
      expect(whole.startsWith(seen.toString('latin1'))).toBe(true)
    })

    file.target(`${algorithm}: a server's connection gives what the frames hold, or refuses`, (random) => {
      const compressor = compressors[algorithm]
      const bytes = random.note(stream(random, compressor))
      let length = 0
      const server = new BackendCompression({ compressor, level: LEVEL }, (part) => {
        length += part.length
      })
      server.begin()
      server.command(Buffer.from([1, 0, 0, 0, 14]))
      try {
        for (const piece of randomPieces(random, bytes)) server.received(piece)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
      }
      expect(length).toBeLessThanOrEqual(read(compressor, [bytes]).output.length)
    })
  }
})
