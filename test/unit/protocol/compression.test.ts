import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  CompressedFrameReader,
  CompressedFrameWriter,
  FRAME_HEADER_SIZE,
  MIN_COMPRESS_LENGTH,
  PacketWalker,
  ProtocolError,
  zlibCompressor,
} from '../../../protocol/index.js'
import { seededRandom } from '../worker/fixture.js'

const SEED = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000)

/** A frame as its peer would write it, whatever is true of it. */
function frame(sequence: number, payload: Buffer, size = 0): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_SIZE)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = sequence
  header.writeUIntLE(size, 4, 3)
  return Buffer.concat([header, payload])
}

/** Lengths of payloads and before compression, with sequence numbers. */
function frames(bytes: Buffer): { sequence: number; length: number; size: number }[] {
  const found = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntLE(at, 3)
    found.push({ sequence: bytes[at + 3], length, size: bytes.readUIntLE(at + 4, 3) })
    at += FRAME_HEADER_SIZE + length
  }
  return found
}

function readAll(reader: CompressedFrameReader): Buffer {
  const parts: Buffer[] = []
  for (let bytes = reader.next(); bytes !== null; bytes = reader.next()) parts.push(bytes)
  return Buffer.concat(parts)
}

function decode(bytes: Buffer, pieceSize = bytes.length): Buffer {
  const reader = new CompressedFrameReader(zlibCompressor)
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceSize) {
    reader.push(Buffer.from(bytes.subarray(at, at + pieceSize)))
    parts.push(readAll(reader))
  }
  return Buffer.concat(parts)
}

const text = (length: number): Buffer => Buffer.alloc(length, 'SELECT a, b FROM t WHERE id = ')

describe('what is written', () => {
  it('stores payloads under 50 bytes, and compresses those of 50', () => {
    const writer = new CompressedFrameWriter(zlibCompressor)
    const [short] = frames(writer.encode(text(MIN_COMPRESS_LENGTH - 1)))
    expect(short).toEqual({ sequence: 0, length: 49, size: 0 })
    const [long] = frames(writer.encode(text(MIN_COMPRESS_LENGTH)))
    expect(long).toMatchObject({ sequence: 1, size: 50 })
    expect(long.length).toBeLessThan(50)
  })

  it('stores what does not get shorter', () => {
    const noise = randomBytes(1000)
    const bytes = new CompressedFrameWriter(zlibCompressor).encode(noise)
    expect(frames(bytes)).toEqual([{ sequence: 0, length: 1000, size: 0 }])
    expect(decode(bytes)).toEqual(noise)
  })

  it('is cut in frames of 64 KiB, whose numbers go on over 255 to 0', () => {
    const writer = new CompressedFrameWriter(zlibCompressor)
    writer.sequence = 254
    const bytes = text(3 * 65_536 + 10)
    const encoded = writer.encode(bytes)
    expect(frames(encoded).map(({ sequence }) => sequence)).toEqual([254, 255, 0, 1])
    expect(frames(encoded).map(({ size }) => size)).toEqual([65_536, 65_536, 65_536, 0])
    expect(writer.sequence).toBe(2)
    expect(decode(encoded).equals(bytes)).toBe(true)
  })

  it('shares no memory with what it was given', () => {
    const bytes = Buffer.from('short')
    const encoded = new CompressedFrameWriter(zlibCompressor).encode(bytes)
    bytes.fill(0)
    expect(encoded.subarray(FRAME_HEADER_SIZE).toString()).toBe('short')
  })
})

describe('what is read', () => {
  it.each([1, 2, 3, 7, 8, 50, 1000, 100_000])('is the same in pieces of %i bytes', (size) => {
    const writer = new CompressedFrameWriter(zlibCompressor)
    const parts = [text(10), text(5000), randomBytes(300), text(70_000), Buffer.alloc(0), text(60)]
    const bytes = Buffer.concat(parts.map((part) => writer.encode(part)))
    expect(decode(bytes, size).equals(Buffer.concat(parts))).toBe(true)
  })

  it('comes a frame at a time, with its number, and only when it is asked for', () => {
    const reader = new CompressedFrameReader(zlibCompressor)
    const large = 0xffffff
    const zeros = frame(0, deflateSync(Buffer.alloc(large)), large)
    reader.push(Buffer.concat([zeros, zeros, frame(9, text(20))]))
    expect(reader.next()?.length).toBe(large)
    expect(reader.unread).toBe(zeros.length + FRAME_HEADER_SIZE + 20)
    expect(reader.next()?.length).toBe(large)
    expect(reader.next()).toEqual(text(20))
    expect([reader.sequence, reader.frameBegins]).toEqual([9, true])
    expect(reader.next()).toBeNull()
  })

  it('passes a stored frame on as it comes, and says which piece begins it', () => {
    const reader = new CompressedFrameReader(zlibCompressor)
    reader.push(frame(3, text(100)).subarray(0, 50))
    expect(reader.next()?.length).toBe(43)
    expect([reader.sequence, reader.frameBegins]).toEqual([3, true])
    expect(reader.next()).toBeNull()
    reader.push(Buffer.from(frame(3, text(100)).subarray(50)))
    expect(reader.next()?.length).toBe(57)
    expect(reader.frameBegins).toBe(false)
  })

  it('may be an empty frame, which counts', () => {
    const reader = new CompressedFrameReader(zlibCompressor)
    reader.push(Buffer.concat([frame(0, Buffer.alloc(0)), frame(1, text(5))]))
    expect(reader.next()).toEqual(Buffer.alloc(0))
    expect([reader.sequence, reader.frameBegins]).toEqual([0, true])
    expect(reader.next()).toEqual(text(5))
    expect(reader.sequence).toBe(1)
  })

  it.each([
    ['claims less than it holds', frame(0, deflateSync(text(1000)), 999)],
    ['claims more than it holds', frame(0, deflateSync(text(1000)), 1001)],
    ['holds 64 MiB and claims 1000 bytes', frame(0, deflateSync(Buffer.alloc(64 << 20)), 1000)],
    ['is no zlib stream', frame(0, text(1000), 2000)],
    ['is cut', frame(0, deflateSync(text(1000)).subarray(0, 20), 1000)],
    ['is damaged', frame(0, deflateSync(text(1000)).fill(0xff, 8, 12), 1000)],
    ['is empty', frame(0, Buffer.alloc(0), 1000)],
  ])('is refused with 1157 when a frame %s', (_what, bytes) => {
    const reader = new CompressedFrameReader(zlibCompressor)
    reader.push(bytes)
    let error: unknown
    try {
      reader.next()
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error).toMatchObject({ code: 'bad-compression', errno: 1157, sqlState: '08S01' })
  })

  it('takes no memory for what is only announced', () => {
    const beginning = Buffer.from(frame(0, Buffer.alloc(0xffffff), 0xffffff).subarray(0, 1000))
    const before = process.memoryUsage()
    const readers = Array.from({ length: 50 }, () => {
      const reader = new CompressedFrameReader(zlibCompressor)
      reader.push(beginning)
      expect(reader.next()).toBeNull()
      return reader
    })
    const after = process.memoryUsage()
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(readers.length * 100_000 + 40_000_000)
    expect(readers.every(({ unread }) => unread === 0)).toBe(true)
  })

  it(`is what was written, whatever it was and however it is cut (seed ${SEED})`, () => {
    const random = seededRandom(SEED)
    const below = (limit: number): number => Math.floor(random() * limit)
    for (let round = 0; round < 300; round++) {
      const writer = new CompressedFrameWriter(zlibCompressor, 1 + below(9))
      const parts = Array.from({ length: 1 + below(8) }, () => {
        const part = text(below(10) === 0 ? below(200_000) : below(400))
        for (let i = 0; i < part.length; i += 1 + below(20)) part[i] = below(256)
        return part
      })
      const bytes = Buffer.concat(parts.map((part) => writer.encode(part)))
      const reader = new CompressedFrameReader(zlibCompressor)
      const read: Buffer[] = []
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + 1 + below(below(3) === 0 ? 20 : 100_000))
        reader.push(Buffer.from(bytes.subarray(at, end)))
        // Not all of it is taken each time.
        if (below(3) > 0) read.push(readAll(reader))
        at = end
      }
      read.push(readAll(reader))
      expect(Buffer.concat(read).equals(Buffer.concat(parts)), `seed ${SEED}, round ${round}`).toBe(true)
    }
  })
})

describe('a walk over packets', () => {
  const packet = (sequence: number, length: number): Buffer => {
    const bytes = Buffer.alloc(4 + length, 0x33)
    bytes.writeUIntLE(length, 0, 3)
    bytes[3] = sequence
    return bytes
  }

  it.each([1, 2, 3, 4, 5, 11, 1000])('finds the same headers in pieces of %i bytes', (size) => {
    const lengths = [0, 1, 300, 0, 0, 70, 513]
    const bytes = Buffer.concat(lengths.map((length, index) => packet(index, length)))
    const walker = new PacketWalker()
    const sequences: number[] = []
    const boundaries: number[] = []
    for (let from = 0; from < bytes.length; from += size) {
      const piece = bytes.subarray(from, from + size)
      for (let at = walker.find(piece, 0); at >= 0; at = walker.find(piece, at + 1)) sequences.push(piece[at])
      if (walker.atBoundary) boundaries.push(Math.min(from + size, bytes.length))
    }
    expect(sequences).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(boundaries.at(-1)).toBe(bytes.length)
    let end = 0
    const ends = lengths.map((length) => (end += 4 + length))
    expect(boundaries.every((place) => ends.includes(place))).toBe(true)
  })
})
