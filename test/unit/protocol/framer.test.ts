import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { Frame, Framer, frame, LARGE_PREFIX_BYTES, MAX_PAYLOAD } from '../../../protocol/index.js'
import { pieces } from '../../wire/follow.js'

const payloads = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(250, 'b'), Buffer.alloc(5000, 'c'), Buffer.from('d')]
const stream = Buffer.concat(payloads.map((payload, i) => frame(payload, i)))

/** What comes out, in short. */
function drain(framer: Framer, found: string[]): void {
  for (let kind = framer.next(); kind !== Frame.more; kind = framer.next()) {
    const bytes = framer.buffer.subarray(framer.start, framer.end)
    if (kind === Frame.packet) found.push(`${framer.sequence}:${bytes.toString('latin1')}`)
    else found.push(`${kind === Frame.large ? 'large' : 'piece'} ${bytes.length}${framer.last ? ' last' : ''}`)
  }
}

const expected = payloads.map((payload, i) => `${i}:${payload.toString('latin1')}`)

describe('the framer', () => {
  it('finds the same packets at every split point', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const framer = new Framer()
      const found: string[] = []
      for (const chunk of [stream.subarray(0, cut), stream.subarray(cut)]) {
        framer.push(Buffer.from(chunk))
        drain(framer, found)
      }
      expect(found, `cut at ${cut}`).toEqual(expected)
      expect(framer.atBoundary).toBe(true)
    }
  })

  it('finds the same packets in pieces of every small size', () => {
    for (const size of [1, 2, 3, 4, 5, 7, 64, 255]) {
      const framer = new Framer()
      const found: string[] = []
      for (const chunk of pieces(stream, size)) {
        framer.push(chunk)
        drain(framer, found)
      }
      expect(found, `pieces of ${size}`).toEqual(expected)
    }
  })

  it('gives views of the chunk where a packet lies whole in it', () => {
    const framer = new Framer()
    framer.push(stream)
    while (framer.next() === Frame.packet) expect(framer.buffer).toBe(stream)
  })

  it('keeps what was not taken before the next push', () => {
    const framer = new Framer()
    framer.push(stream.subarray(0, 6))
    framer.push(stream.subarray(6))
    const found: string[] = []
    drain(framer, found)
    expect(found).toEqual(expected)
  })

  it('knows whether it stands between two packets', () => {
    const framer = new Framer()
    expect(framer.atBoundary).toBe(true)
    framer.push(stream.subarray(0, 2))
    framer.next()
    expect(framer.atBoundary).toBe(false)
  })

  it('gives back what it has not looked at, for a TLS upgrade', () => {
    const framer = new Framer()
    framer.push(Buffer.concat([frame(Buffer.from('request'), 1), Buffer.from('\x16\x03\x01 hello')]))
    expect(framer.next()).toBe(Frame.packet)
    expect(framer.takeUnread().toString('latin1')).toBe('\x16\x03\x01 hello')
    expect(framer.atBoundary).toBe(true)
  })

  it('gives back what it holds of a packet that was cut', () => {
    const framer = new Framer()
    framer.push(Buffer.from('\x16\x03\x01'))
    framer.next()
    expect(framer.takeUnread().toString('latin1')).toBe('\x16\x03\x01')
    expect(framer.atBoundary).toBe(true)
  })

  for (const size of [65_537, 200_000, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD]) {
    it(`passes a payload of ${size} bytes on in pieces, in order and whole`, () => {
      const bytes = Buffer.concat([frame(Buffer.alloc(size, 'x'), 0), frame(Buffer.from('next'), 0)])
      const framer = new Framer(65_536)
      const parts: Buffer[] = []
      let ended = false
      let followedBy = ''
      for (const chunk of pieces(bytes, 60_001)) {
        framer.push(chunk)
        for (let kind = framer.next(); kind !== Frame.more; kind = framer.next()) {
          const { buffer, start, end, last } = framer
          if (kind === Frame.packet) {
            followedBy += buffer.toString('latin1', start, end)
            continue
          }
          expect(ended).toBe(false)
          if (kind === Frame.large) expect(end - start).toBe(Math.min(size, LARGE_PREFIX_BYTES, MAX_PAYLOAD))
          parts.push(Buffer.from(buffer.subarray(kind === Frame.large ? start - 4 : start, end)))
          ended = last
        }
      }
      expect(ended).toBe(true)
      expect(framer.announced).toBe(size)
      expect(followedBy).toBe('next')
      expect(Buffer.concat(parts).equals(bytes.subarray(0, bytes.length - 8))).toBe(true)
    })
  }

  it('keeps no more than what has come of a payload that is only announced', () => {
    const framer = new Framer(MAX_PAYLOAD - 1)
    framer.push(Buffer.from([0xfe, 0xff, 0xff, 0, 1, 2, 3]))
    expect(framer.next()).toBe(Frame.more)
    expect(framer.takeUnread()).toHaveLength(7)
  })

  it('takes only limits that leave whole packets', () => {
    expect(() => new Framer(0)).toThrow(RangeError)
    expect(() => new Framer(MAX_PAYLOAD)).toThrow(RangeError)
  })
})
