import { describe, expect, it } from 'vitest'
import {
  CompressedFrameReader,
  CompressedFrameWriter,
  encodeCommand,
  encodeQuery,
  frame,
  zlibCompressor,
} from '../../../../protocol/index.js'
import { BackendCompression } from '../../../../src/worker/backend/backend-compression.js'

const compression = { compressor: zlibCompressor, level: 6 }

function connection() {
  const received: Buffer[] = []
  const backend = new BackendCompression(compression, (bytes) => received.push(Buffer.from(bytes)))
  /** Sequence numbers of the packets that were received since the last call. */
  const packetNumbers = (): number[] => {
    const bytes = Buffer.concat(received.splice(0))
    const numbers: number[] = []
    for (let at = 0; at < bytes.length; at += 4 + bytes.readUIntLE(at, 3)) numbers.push(bytes[at + 3])
    return numbers
  }
  return { backend, received, packetNumbers }
}

function frameNumbers(bytes: Buffer): number[] {
  const reader = new CompressedFrameReader(zlibCompressor)
  reader.push(bytes)
  const numbers: number[] = []
  while (reader.next() !== null) if (reader.frameBegins) numbers.push(reader.sequence)
  return numbers
}

/** What a server sends in one flush: packets numbered from the frame's own number on, as servers do. */
function flush(sequence: number, payloads: Buffer[]): Buffer {
  const writer = new CompressedFrameWriter(zlibCompressor)
  writer.sequence = sequence
  return writer.encode(Buffer.concat(payloads.map((payload, index) => frame(payload, (sequence + index) & 0xff))))
}

const rows = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.alloc(40, 'row'))

describe('commands', () => {
  it('begin with frame 0 each, and a long one goes on', () => {
    const { backend } = connection()
    backend.begin()
    expect(frameNumbers(backend.command(encodeQuery('select 1', 0)))).toEqual([0])
    backend.begin()
    expect(frameNumbers(backend.command(Buffer.alloc(200_000)))).toEqual([0, 1, 2, 3])
    expect(frameNumbers(backend.more(Buffer.alloc(10)))).toEqual([4])
    // One without an answer.
    expect(frameNumbers(backend.command(encodeCommand(0x19)))).toEqual([0])
  })
})

describe('answers', () => {
  it('have the numbers of an answer without compression, over several results', () => {
    const { backend, packetNumbers } = connection()
    backend.begin()
    backend.command(encodeQuery('select 1; select 2', 0))
    backend.received(flush(1, rows(5)))
    backend.received(flush(2, rows(5)))
    backend.received(flush(3, rows(1)))
    expect(packetNumbers()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('have them after a command of many frames', () => {
    const { backend, packetNumbers } = connection()
    backend.begin()
    backend.command(frame(Buffer.alloc(1_000_000), 0))
    backend.received(flush(16, rows(3)))
    expect(packetNumbers()).toEqual([1, 2, 3])
  })

  it('have them after a file that the server asked for', () => {
    const { backend, packetNumbers } = connection()
    backend.begin()
    backend.command(encodeQuery('load data local', 0))
    backend.received(flush(1, [Buffer.from('\xfbname', 'latin1')]))
    const content = backend.more(frame(Buffer.alloc(100_000), 2))
    expect(frameNumbers(content)).toEqual([2, 3])
    expect(frameNumbers(backend.more(frame(Buffer.alloc(0), 3)))).toEqual([4])
    backend.received(flush(5, rows(1)))
    expect(packetNumbers()).toEqual([1, 4])
  })

  it('have them each, when several commands were sent ahead', () => {
    const { backend, packetNumbers } = connection()
    backend.begin()
    backend.command(encodeQuery('select 1', 0))
    backend.begin()
    backend.command(frame(Buffer.alloc(100_000), 0))
    backend.received(flush(1, rows(3)))
    expect(packetNumbers()).toEqual([1, 2, 3])
    backend.answerEnded()
    backend.received(flush(2, rows(2)))
    expect(packetNumbers()).toEqual([1, 2])
  })

  it.each([1, 5, 8, 100])('come whole in pieces of %i bytes', (size) => {
    const { backend, packetNumbers } = connection()
    backend.begin()
    backend.command(encodeQuery('select 1', 0))
    const bytes = Buffer.concat([flush(1, rows(300)), flush(2, rows(1)), flush(3, rows(2))])
    for (let at = 0; at < bytes.length; at += size) {
      expect(backend.received(Buffer.from(bytes.subarray(at, at + size)))).toBe(true)
    }
    expect(packetNumbers()).toEqual(Array.from({ length: 303 }, (_, index) => (index + 1) & 0xff))
  })

  it('wait while their client is slow, and keep their memory', () => {
    const { backend, received } = connection()
    backend.begin()
    backend.command(encodeQuery('select 1', 0))
    backend.pause()
    expect(backend.received(Buffer.concat([flush(1, rows(10)), flush(2, rows(10))]))).toBe(false)
    expect(received).toEqual([])
    backend.resume()
    expect(Buffer.concat(received).length).toBe(20 * 44)
  })

  it('with a wrong number are no answers, unless they refuse the rest of a command', () => {
    const { backend, received } = connection()
    backend.begin()
    backend.command(frame(Buffer.alloc(1_000_000), 0))
    expect(() => backend.received(flush(3, rows(1)))).toThrow('frame 3 instead of 16')
    expect(received).toEqual([])
    const other = connection()
    other.backend.begin()
    other.backend.command(frame(Buffer.alloc(1_000_000), 0))
    other.backend.received(flush(3, [Buffer.from('\xff..', 'latin1')]))
    expect(other.packetNumbers()).toEqual([1])
  })
})
