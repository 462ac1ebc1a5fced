import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  Answer,
  Capability,
  encodeEof,
  encodeErr,
  encodeOk,
  encodePrepareResponse,
  encodeTextResultSet,
  frame,
  MariadbCapability,
  type OkPacket,
  ProtocolError,
  ResponseEvent,
  ResponseFollower,
  ResultSetDecoder,
  ServerStatus,
} from '../../../protocol/index.js'
import { payloads } from '../../helpers/raw-client.js'
import { follow, pieces } from '../../wire/follow.js'

const CLASSIC = Capability.PROTOCOL_41 | Capability.SESSION_TRACK
const MODERN = CLASSIC | Capability.DEPRECATE_EOF

const ok = (fields: Partial<OkPacket> = {}): OkPacket => ({
  affectedRows: 0,
  lastInsertId: 0,
  statusFlags: ServerStatus.AUTOCOMMIT,
  warnings: 0,
  info: Buffer.alloc(0),
  sessionState: [],
  ...fields,
})
const okBytes = (fields: Partial<OkPacket> = {}, sequence = 1) => frame(encodeOk(ok(fields), MODERN), sequence)

/** Every way to cut: whole, byte by byte, and in two at every point. */
function* cuts(bytes: Buffer): Generator<Buffer[]> {
  yield [bytes]
  yield pieces(bytes, 1)
  for (let cut = 1; cut < bytes.length; cut++) yield [bytes.subarray(0, cut), bytes.subarray(cut)]
}

describe('the response follower', () => {
  it('finds the end of an OK at every split point and tells its numbers', () => {
    const fields = { affectedRows: 300, lastInsertId: 70_000, warnings: 2, info: Buffer.from('text') }
    const bytes = okBytes(fields)
    for (const chunks of cuts(bytes)) {
      const { follower, output, events } = follow(Answer.results, chunks, MODERN, 0)
      expect(follower.ended).toBe(true)
      expect(follower).toMatchObject({ affectedRows: 300, lastInsertId: 70_000, warnings: 2, statusFlags: 2, errno: 0 })
      expect(output).toEqual(bytes)
      expect(events).toEqual([])
    }
  })

  it('reports session state and errors as edges, and everything else as plain', () => {
    const more = ServerStatus.AUTOCOMMIT | ServerStatus.MORE_RESULTS_EXISTS
    const bytes = Buffer.concat([
      encodeTextResultSet([{ name: 'a' }], [['1'], [null]], MODERN, { statusFlags: more }),
      okBytes({ statusFlags: more, sessionState: [{ type: 'schema', name: 'shop' }] }, 6),
      frame(encodeErr({ errno: 1064, sqlState: '42000', message: 'no' }), 7),
    ])
    for (const chunks of cuts(bytes)) {
      const { follower, output, events } = follow(Answer.results, chunks, MODERN, 0)
      expect(follower.ended).toBe(true)
      expect(follower).toMatchObject({ rows: 2, errno: 1064 })
      expect(events).toEqual([ResponseEvent.sessionState, ResponseEvent.error])
      expect(output).toEqual(bytes)
    }
  })

  it('stops behind the answer, so that what follows belongs to the next one', () => {
    const bytes = Buffer.concat([okBytes(), okBytes()])
    const follower = new ResponseFollower()
    follower.begin(Answer.results, MODERN)
    expect(follower.consume(bytes, 0, bytes.length)).toBe(ResponseEvent.end)
    expect(follower.next).toBe(bytes.length / 2)
    expect(follower.plainEnd).toBe(bytes.length / 2)
    follower.begin(Answer.results, MODERN)
    expect(follower.consume(bytes, follower.next, bytes.length)).toBe(ResponseEvent.end)
    expect(follower.next).toBe(bytes.length)
  })

  it('does not take a row that begins with 0xfe or 0x00 for the end', () => {
    // An empty first cell begins with 0x00; 0xfe announces a cell of 16 MB, of which only the announcement counts here.
    const long = Buffer.alloc(20)
    long[0] = 0xfe
    const bytes = Buffer.concat([
      frame(Buffer.of(1), 1),
      frame(Buffer.from('\x03def'), 2),
      frame(encodeEof({ warnings: 0, statusFlags: 2 }), 3),
      frame(Buffer.of(0), 4),
      frame(long, 5),
      frame(encodeEof({ warnings: 1, statusFlags: 2 }), 6),
    ])
    for (const chunks of cuts(bytes)) {
      const { follower } = follow(Answer.results, chunks, CLASSIC, 0)
      expect(follower).toMatchObject({ rows: 2, warnings: 1, ended: true })
    }
  })

  it('takes CURSOR_EXISTS for the end only where a cursor was asked for: procedures say it of their own cursors', () => {
    const statusFlags = ServerStatus.AUTOCOMMIT | ServerStatus.CURSOR_EXISTS
    const metadata = [
      frame(Buffer.of(1), 1),
      frame(Buffer.from('\x03def'), 2),
      frame(encodeEof({ warnings: 0, statusFlags }), 3),
    ]
    const rows = [frame(Buffer.from('\x016'), 4), frame(encodeEof({ warnings: 0, statusFlags: 2 }), 5)]
    for (const chunks of cuts(Buffer.concat([...metadata, ...rows]))) {
      expect(follow(Answer.results, chunks, CLASSIC, 0).follower).toMatchObject({ rows: 1, ended: true })
    }
    for (const chunks of cuts(Buffer.concat(metadata))) {
      expect(follow(Answer.cursor, chunks, CLASSIC, 0).follower).toMatchObject({ rows: 0, ended: true })
    }
  })

  it('takes a plain OK for the whole answer to a PREPARE that prepared nothing', () => {
    for (const chunks of cuts(okBytes())) {
      const { follower, events } = follow(Answer.prepare, chunks, CLASSIC, 0)
      expect(follower).toMatchObject({ statementId: 0, ended: true })
      expect(events).toEqual([])
    }
  })

  it('tells of an EOF that says SESSION_STATE_CHANGED, since it carries no change that could be read', () => {
    const statusFlags = ServerStatus.AUTOCOMMIT | ServerStatus.SESSION_STATE_CHANGED
    const eof = (sequence: number) => frame(encodeEof({ warnings: 0, statusFlags }), sequence)
    const bytes = Buffer.concat([frame(Buffer.of(1), 1), frame(Buffer.from('\x03def'), 2), eof(3), eof(4)])
    for (const chunks of cuts(bytes)) {
      const { follower, events, output } = follow(Answer.results, chunks, CLASSIC, 0)
      expect(events).toEqual([ResponseEvent.stateFlag, ResponseEvent.stateFlag])
      expect(follower.ended).toBe(true)
      expect(output.equals(bytes)).toBe(true)
    }
  })

  it('waits for the client when the server asks for a file', () => {
    const request = frame(Buffer.from('\xfbfile.csv', 'latin1'), 1)
    const follower = new ResponseFollower()
    follower.begin(Answer.results, MODERN)
    expect(follower.consume(request, 0, request.length)).toBe(ResponseEvent.localInfile)
    expect(follower.edge.toString('latin1', follower.edgeStart + 1, follower.edgeEnd)).toBe('file.csv')
    expect(follower.ended).toBe(false)
    follower.infileSent()
    const answer = okBytes({ affectedRows: 2 }, 4)
    expect(follower.consume(answer, 0, answer.length)).toBe(ResponseEvent.end)
    expect(follower.affectedRows).toBe(2)
  })

  for (const [name, capabilities] of Object.entries({ CLASSIC, MODERN })) {
    it(`follows the answer to COM_STMT_PREPARE with any number of parameters and columns (${name})`, () => {
      for (const [parameters, columns] of [
        [0, 0],
        [1, 0],
        [0, 2],
        [3, 2],
      ]) {
        const named = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `c${i}` }))
        const bytes = encodePrepareResponse(77, named(parameters), named(columns), capabilities)
        for (const chunks of cuts(bytes)) {
          const { follower, output, events } = follow(Answer.prepare, chunks, capabilities, 0)
          expect(follower).toMatchObject({ statementId: 77, parameterCount: parameters, columnCount: columns })
          expect(follower.ended).toBe(true)
          expect(output).toEqual(bytes)
          expect(events).toEqual([ResponseEvent.prepared])
        }
      }
    })
  }

  it('lets progress reports of MariaDB pass', () => {
    const report = frame(Buffer.from('ffffff01010200000000', 'hex'), 1)
    const bytes = Buffer.concat([report, report, okBytes({}, 3)])
    for (const chunks of cuts(bytes)) {
      const { follower, output } = follow(Answer.results, chunks, MODERN, MariadbCapability.PROGRESS)
      expect(follower).toMatchObject({ errno: 0, ended: true })
      expect(output).toEqual(bytes)
    }
  })

  it('ends with an error of their number where none were asked for: MySQL lets SIGNAL set it', () => {
    const bytes = frame(Buffer.from('ffffff2348593030306f6f7073', 'hex'), 1)
    for (const chunks of cuts(bytes)) {
      const { follower, events } = follow(Answer.results, chunks, MODERN, 0)
      expect(follower).toMatchObject({ errno: 0xffff, ended: true })
      expect(events).toEqual([ResponseEvent.error])
    }
  })

  it('lets them pass among the rows and before the definitions of an administrative statement too', () => {
    const report = (sequence: number) => frame(Buffer.from('ffffff01010200000000', 'hex'), sequence)
    const whole = encodeTextResultSet([{ name: 'a' }], [['x'], ['y']], CLASSIC)
    const packets: Buffer[] = []
    for (let at = 0; at < whole.length; ) {
      const end = at + 4 + whole.readUIntLE(at, 3)
      packets.push(report(1), whole.subarray(at, end))
      at = end
    }
    // Servers send a result's definitions in one piece.
    packets.splice(2, 1)
    const bytes = Buffer.concat(packets)
    for (const chunks of cuts(bytes)) {
      const { follower, output } = follow(Answer.results, chunks, CLASSIC, MariadbCapability.PROGRESS)
      expect(follower).toMatchObject({ errno: 0, rows: 2, ended: true })
      expect(output).toEqual(bytes)
    }
  })

  it('has one digest for the same definitions, whatever pieces they come in and whatever is before them', () => {
    const digestOf = (answer: number, chunks: Buffer[], mariadbCapabilities: number) =>
      follow(answer, chunks, MODERN, mariadbCapabilities).follower.metadataDigest
    const columns = [{ name: 'a' }, { name: 'b' }]
    const cached = MariadbCapability.CACHE_METADATA
    const prepared = encodePrepareResponse(7, [{ name: '?' }], columns, MODERN)
    const digest = digestOf(Answer.prepare, [prepared], cached)
    expect(digest).not.toBe(0)
    for (const chunks of cuts(prepared)) expect(digestOf(Answer.prepare, chunks, cached)).toBe(digest)
    const other = encodePrepareResponse(7, [{ name: '?' }], [{ name: 'a' }, { name: 'c' }], MODERN)
    expect(digestOf(Answer.prepare, [other], cached)).not.toBe(digest)
    const text = encodeTextResultSet(columns, [['x', 'y']], MODERN)
    // The count with the byte that says that definitions follow.
    const executed = Buffer.concat([frame(Buffer.of(2, 1), 1), text.subarray(5)])
    for (const chunks of cuts(executed)) expect(digestOf(Answer.results, chunks, cached)).toBe(digest)
    expect(digestOf(Answer.prepare, [prepared], 0)).toBe(0)
  })

  it('follows the events of a binary log, those over 16 MB included, to an EOF of either kind', () => {
    const event = (size: number) => frame(Buffer.alloc(size), 1)
    for (const [capabilities, end] of [
      [CLASSIC, encodeEof({ warnings: 0, statusFlags: 2 })],
      [MODERN, encodeOk(ok(), MODERN, 0xfe)],
    ] as const) {
      const bytes = Buffer.concat([event(20), event(0xffffff + 10), event(0xffffff), frame(end, 9)])
      const { follower, output } = follow(Answer.rows, pieces(bytes, 1 << 20), capabilities, 0)
      expect(follower).toMatchObject({ rows: 3, ended: true })
      expect(output.equals(bytes)).toBe(true)
    }
  })

  it('expects another result behind OUT parameters, also where only the EOF before their row says so', () => {
    const columnsStatusFlags = ServerStatus.AUTOCOMMIT | ServerStatus.PS_OUT_PARAMS | ServerStatus.MORE_RESULTS_EXISTS
    for (const statusFlags of [ServerStatus.AUTOCOMMIT, columnsStatusFlags]) {
      const bytes = Buffer.concat([
        encodeTextResultSet([{ name: 'p_out' }], [['foo']], CLASSIC, { columnsStatusFlags, statusFlags }),
        frame(encodeOk(ok({ affectedRows: 5 }), CLASSIC), 6),
      ])
      for (const chunks of cuts(bytes)) {
        const { follower, output } = follow(Answer.results, chunks, CLASSIC, 0)
        expect(follower).toMatchObject({ rows: 1, affectedRows: 5, statusFlags: 2, ended: true })
        expect(output).toEqual(bytes)
      }
      const decoder = new ResultSetDecoder(CLASSIC)
      const ends = payloads(bytes)
        .map((payload) => decoder.payload(payload))
        .filter((event) => event?.type === 'ok')
      expect(ends).toMatchObject([{ last: false }, { last: true, ok: { affectedRows: 5 } }])
    }
  })

  it('follows results whose metadata was left out', () => {
    const bytes = Buffer.concat([
      frame(Buffer.of(2, 0), 1),
      frame(Buffer.from('\x01a\x01b'), 2),
      frame(encodeOk(ok(), MODERN, 0xfe), 3),
    ])
    for (const chunks of cuts(bytes)) {
      const { follower } = follow(Answer.results, chunks, MODERN, MariadbCapability.CACHE_METADATA)
      expect(follower).toMatchObject({ rows: 1, columnCount: 2, ended: true })
    }
  })

  it('refuses what no answer can be', () => {
    const refuse = (bytes: Buffer, answer: number = Answer.results, capabilities = CLASSIC) => {
      expect(() => follow(answer, [bytes], capabilities, 0)).toThrow(ProtocolError)
      expect(() => follow(answer, pieces(bytes, 1), capabilities, 0)).toThrow(ProtocolError)
    }
    refuse(frame(Buffer.alloc(0), 1))
    refuse(frame(Buffer.of(0xff, 1), 1))
    refuse(frame(Buffer.of(0x00, 0xfc, 1), 1))
    refuse(frame(Buffer.of(0x00, 0, 0, 2), 1))
    refuse(frame(Buffer.of(0x01), 1), Answer.prepare)
    refuse(Buffer.concat([frame(Buffer.of(1), 1), frame(Buffer.of(3), 2), frame(Buffer.of(7), 3)]))
  })
})
