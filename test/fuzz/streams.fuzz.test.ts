import { expect } from 'vitest'
import {
  Answer,
  Frame,
  Framer,
  MariadbCapability,
  PacketWalker,
  ResponseFollower,
  ResultSetDecoder,
} from '../../protocol/index.js'
import { follow } from '../wire/follow.js'
import { anyPayload, corpus, FuzzFile, outcome, randomPieces } from './fuzz.js'
import type { Random } from './random.js'

/*
 * Invariant: what reads a stream says the same however its bytes are cut, refuses with ProtocolError alone, passes on what it
 * was given, and holds no more than has come.
 */

const MARIADB_ALL = Object.values(MariadbCapability).reduce((all, flag) => all | flag, 0)
const ANSWERS = Object.values(Answer)

/** Some packets of one answer, with changes inside of them but right headers most of the time. */
function stream(random: Random): Buffer {
  const { packets } = random.pick(corpus)
  const parts = packets
    .filter(({ from }) => from === 'server')
    .map(({ bytes }) => {
      if (random.below(4) > 0) return bytes
      const payload = random.mutate(bytes.subarray(4))
      const header = Buffer.from(bytes.subarray(0, 4))
      if (random.below(8) > 0) header.writeUIntLE(payload.length, 0, 3)
      return Buffer.concat([header, payload])
    })
  return Buffer.concat(parts)
}

/** Packets and, joined, the bytes of large payloads. */
function frames(chunks: Buffer[], limit: number): string[] {
  const framer = new Framer(limit)
  const found: string[] = []
  for (const chunk of chunks) {
    framer.push(chunk)
    for (let kind = framer.next(); kind !== Frame.more; kind = framer.next()) {
      const { buffer, start, end, sequence } = framer
      expect(buffer.length).toBeLessThanOrEqual(Math.max(chunk.length, limit + 4, 16_388))
      if (kind === Frame.packet) found.push(`${sequence} ${buffer.toString('hex', start, end)}`)
      else if (kind === Frame.large) found.push(`large ${buffer.toString('hex', start - 4, end)}`)
      else found.push(`${found.pop()}${buffer.toString('hex', start, end)}`)
    }
  }
  // What is still coming of a large payload, or is held of a packet, differs by how much has been told of it.
  return found.filter((text) => !text.startsWith('large'))
}

/** What a follower makes of an answer. */
function followed(answer: number, whole: Buffer, chunks: Buffer[], capabilities: number, mariadb: number): unknown {
  return outcome(() => {
    const { follower, output, events } = follow(answer, chunks, capabilities, mariadb)
    const { rows, errno, statusFlags, ended, warnings, columnCount, parameterCount, statementId } = follower
    const { affectedRows, lastInsertId, metadataDigest } = follower
    // While it goes on, the end of a packet that was cut may be held back.
    expect(whole.subarray(0, output.length).equals(output)).toBe(true)
    const facts = { rows, errno, statusFlags, ended, warnings, columnCount, parameterCount, statementId, events }
    const digest = ended ? metadataDigest : 'not yet whole'
    return { ...facts, affectedRows, lastInsertId, digest, passedOn: ended ? output.length : 'not yet all' }
  })
}

function checkFollower(random: Random, answer: number, bytes: Buffer, capabilities: number, mariadb: number): void {
  random.note(bytes)
  random.notes.push(`answer ${answer}, capabilities ${capabilities}, MariaDB's ${mariadb}`)
  const whole = followed(answer, bytes, [bytes], capabilities, mariadb)
  expect(followed(answer, bytes, randomPieces(random, bytes), capabilities, mariadb)).toEqual(whole)
}

const file = new FuzzFile('streams')

file.describe(() => {
  file.target('the framer finds the same packets however the bytes are cut', (random) => {
    const bytes = random.note(stream(random))
    const limit = 1 + random.below(300)
    expect(frames(randomPieces(random, bytes), limit)).toEqual(frames([bytes], limit))
  })

  file.target('headers are found in the same places however the bytes are cut', (random) => {
    const bytes = random.note(stream(random))
    const headersIn = (pieces: Buffer[]): number[] => {
      const walker = new PacketWalker()
      const found: number[] = []
      let before = 0
      for (const piece of pieces) {
        for (let at = walker.find(piece, 0); at >= 0; at = walker.find(piece, at + 1)) found.push(before + at)
        before += piece.length
      }
      return [...found, walker.atBoundary ? 1 : 0]
    }
    expect(headersIn(randomPieces(random, bytes))).toEqual(headersIn([bytes]))
  })

  file.target('the follower of any kind of answer', (random) => {
    const { capabilities, mariadbCapabilities } = random.pick(corpus)
    checkFollower(random, random.pick(ANSWERS), stream(random), capabilities, mariadbCapabilities)
  })

  file.target("the follower with any of MariaDB's extensions and any capabilities", (random) => {
    const mariadb = random.u32() & MARIADB_ALL
    checkFollower(random, random.pick(ANSWERS), stream(random), random.u32(), mariadb)
  })

  file.target('the follower of a binary log', (random) => {
    const parts = Array.from({ length: 1 + random.below(6) }, (_, n) => {
      // An event behind its zero; now and then something else, or the end.
      const first = random.once(6) ? random.pick([0xfe, 0xff]) : 0
      const payload = Buffer.concat([Buffer.of(first), random.noise(random.below(first === 0xfe ? 7 : 60))])
      const header = Buffer.alloc(4)
      header.writeUIntLE(random.once(20) ? random.below(0xffffff) : payload.length, 0, 3)
      header[3] = n + 1
      return Buffer.concat([header, payload])
    })
    checkFollower(random, Answer.rows, Buffer.concat(parts), random.u32(), random.u32() & MARIADB_ALL)
  })

  file.target('a follower that is used again after an error says the same as a new one', (random) => {
    const { answer, capabilities, mariadbCapabilities, packets } = random.pick(corpus)
    const used = new ResponseFollower()
    const before = random.note(stream(random))
    used.begin(random.pick(ANSWERS), random.u32(), random.u32() & MARIADB_ALL)
    outcome(() => used.consume(before, 0, before.length))
    const kind = Answer[answer as keyof typeof Answer] ?? Answer.results
    const bytes = random.note(
      Buffer.concat(packets.filter(({ from }) => from === 'server').map((packet) => packet.bytes)),
    )
    const fresh = new ResponseFollower()
    const read = (follower: ResponseFollower): unknown => {
      follower.begin(kind, capabilities, mariadbCapabilities)
      const event = outcome(() => follower.consume(bytes, 0, bytes.length))
      const { statusFlags, rows, errno, ended, next, plainEnd, atBoundary } = follower
      return { event, statusFlags, rows, errno, ended, next, plainEnd, atBoundary }
    }
    expect(read(used)).toEqual(read(fresh))
  })

  file.target('a result set decoder takes any payloads in any order', (random) => {
    const { capabilities, mariadbCapabilities, packets } = random.pick(corpus)
    const any = random.once(3)
    const decoder = any
      ? new ResultSetDecoder(random.u32(), random.u32() & MARIADB_ALL, random.once(2))
      : new ResultSetDecoder(capabilities, mariadbCapabilities)
    outcome(() => {
      for (const { bytes } of packets) {
        decoder.payload(random.note(random.once(4) ? anyPayload(random) : bytes.subarray(4)))
      }
    })
  })
})
