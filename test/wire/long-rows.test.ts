import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  Answer,
  Capability,
  encodeTextResultSet,
  Frame,
  Framer,
  MAX_PAYLOAD,
  ResultSetDecoder,
} from '../../protocol/index.js'
import { follow, pieces } from './follow.js'

/*
 * Rows around and over 16 MB. Their packets are put together by hand, by the rule of the source documentation ("MySQL
 * Packets"): parts of 0xffffff bytes, and a last one that is shorter and may be empty.
 */

const CAPABILITIES: Record<string, number> = {
  'classic EOF': Capability.PROTOCOL_41,
  DEPRECATE_EOF: Capability.PROTOCOL_41 | Capability.DEPRECATE_EOF,
}

/** The first byte of a length-encoded string of this size, which here is always of the longest form or the one before. */
const lengthPrefix = (size: number) => {
  const prefix = Buffer.alloc(size > 0xffffff ? 9 : 4)
  prefix[0] = size > 0xffffff ? 0xfe : 0xfd
  if (size > 0xffffff) prefix.writeBigUInt64LE(BigInt(size), 1)
  else prefix.writeUIntLE(size, 1, 3)
  return prefix
}

function packetsByHand(payload: Buffer, firstSequence: number): { bytes: Buffer; sequence: number } {
  const parts: Buffer[] = []
  let sequence = firstSequence
  for (let at = 0; ; at += MAX_PAYLOAD) {
    const part = payload.subarray(at, at + MAX_PAYLOAD)
    const header = Buffer.alloc(4)
    header.writeUIntLE(part.length, 0, 3)
    header[3] = sequence++
    parts.push(header, part)
    if (part.length < MAX_PAYLOAD) return { bytes: Buffer.concat(parts), sequence }
  }
}

describe('rows over 16 MB', () => {
  for (const [name, capabilities] of Object.entries(CAPABILITIES)) {
    // Payloads one byte too short to be split, exactly full (so that an empty packet follows), one more, twice full.
    for (const payloadSize of [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, MAX_PAYLOAD + 300, 2 * MAX_PAYLOAD]) {
      it(`of ${payloadSize} bytes are written, followed and read with ${name}`, () => {
        const prefixSize = payloadSize - 4 > 0xffffff ? 9 : 4
        const cell = Buffer.alloc(payloadSize - prefixSize, 0xfe)
        const prefix = lengthPrefix(cell.length)
        const row = Buffer.concat([prefix, cell])
        expect(row).toHaveLength(payloadSize)
        const bytes = encodeTextResultSet([{ name: 'c' }], [[cell], ['short']], capabilities)
        const deprecateEof = (capabilities & Capability.DEPRECATE_EOF) !== 0
        const byHand = packetsByHand(row, deprecateEof ? 3 : 4)
        expect(bytes.includes(byHand.bytes.subarray(0, 64))).toBe(true)
        const at = bytes.indexOf(byHand.bytes.subarray(0, 64))
        expect(bytes.subarray(at, at + byHand.bytes.length).equals(byHand.bytes)).toBe(true)
        for (const size of [bytes.length, 65_536, 16_777_221]) {
          const { follower, output } = follow(Answer.results, pieces(bytes, size), capabilities, 0)
          expect(follower.ended).toBe(true)
          expect(follower.rows).toBe(2)
          expect(output.equals(bytes)).toBe(true)
        }
      })
    }

    it(`are not taken for the end although they begin with 0xfe, with ${name}`, () => {
      const decoder = new ResultSetDecoder(capabilities)
      const cell = Buffer.alloc(MAX_PAYLOAD + 100, 0x61)
      const kinds: string[] = []
      for (const payload of payloadsOf(encodeTextResultSet([{ name: 'c' }], [[cell]], capabilities))) {
        const event = decoder.payload(payload)
        if (event !== null) kinds.push(event.type === 'row' ? `row of ${event.payload.length}` : event.type)
      }
      expect(kinds).toEqual(['columns', `row of ${cell.length + 9}`, 'ok'])
      expect(decoder.ended).toBe(true)
    })
  }
})

/** Whole payloads, those of several packets in one piece. */
function payloadsOf(bytes: Buffer): Buffer[] {
  const framer = new Framer()
  const payloads: Buffer[] = []
  let large: Buffer[] = []
  framer.push(bytes)
  for (let found = framer.next(); found !== Frame.more; found = framer.next()) {
    const { buffer, start, end } = framer
    if (found === Frame.packet) payloads.push(buffer.subarray(start, end))
    if (found === Frame.large) large = [buffer.subarray(start - 4, end)]
    if (found === Frame.piece) large.push(buffer.subarray(start, end))
    if ((found === Frame.large || found === Frame.piece) && framer.last)
      payloads.push(withoutHeaders(Buffer.concat(large)))
  }
  return payloads
}

function withoutHeaders(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntLE(at, 3)
    parts.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return Buffer.concat(parts)
}
