import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  Capability,
  decodeEof,
  decodeErr,
  decodeOk,
  decodeSessionState,
  encodeEof,
  encodeErr,
  encodeOk,
  encodeSessionState,
  isEndOfRows,
  isErrPacket,
  isOkPacket,
  isProgressReport,
  type OkPacket,
  ProtocolError,
  type SessionStateChange,
} from '../../../protocol/index.js'

const TRACK = Capability.PROTOCOL_41 | Capability.SESSION_TRACK
const PLAIN = Capability.PROTOCOL_41
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const ok = (fields: Partial<OkPacket>): OkPacket => ({
  affectedRows: 0,
  lastInsertId: 0,
  statusFlags: 2,
  warnings: 0,
  info: Buffer.alloc(0),
  sessionState: [],
  ...fields,
})

/** Value and bytes; each is encoded and decoded. */
const OKS: [string, OkPacket, number, string][] = [
  ['the plainest', ok({}), PLAIN, '00 00 00 0200 0000'],
  ['with counts', ok({ affectedRows: 300, lastInsertId: 7, warnings: 2 }), PLAIN, '00 fc2c01 07 0200 0200'],
  ['with the largest id', ok({ lastInsertId: 2n ** 64n - 1n }), PLAIN, '00 00 feffffffffffffffff 0200 0000'],
  ['with text', ok({ info: Buffer.from('hi') }), PLAIN, '00 00 00 0200 0000 026869'],
  ['with text and tracking', ok({ info: Buffer.from('hi') }), TRACK, '00 00 00 0200 0000 026869'],
  [
    'with a schema',
    ok({ statusFlags: 0x4002, sessionState: [{ type: 'schema', name: 'a' }] }),
    TRACK,
    '00 00 00 0240 0000 00 04 01020161',
  ],
]

describe('OK packets', () => {
  for (const [name, value, capabilities, bytes] of OKS) {
    it(`are written and read ${name}`, () => {
      expect(encodeOk(value, capabilities).toString('hex')).toBe(hex(bytes).toString('hex'))
      expect(decodeOk(hex(bytes), capabilities)).toEqual(value)
    })
  }

  it('lose their session state, and the flag for it, where the client does not track', () => {
    const change: SessionStateChange = { type: 'schema', name: 'a' }
    expect(encodeOk(ok({ statusFlags: 0x4002, sessionState: [change] }), PLAIN)).toEqual(hex('00 00 00 0200 0000'))
  })

  it('end a result set with their other header', () => {
    expect(encodeOk(ok({}), PLAIN, 0xfe)).toEqual(hex('fe 00 00 0200 0000'))
    expect(decodeOk(hex('fe 00 00 0200 0000'), PLAIN)).toEqual(ok({}))
  })

  it('may have text that runs to the end, as the manual says', () => {
    expect(decodeOk(Buffer.concat([hex('00 00 00 0200 0000'), Buffer.from('hello')]), PLAIN).info.toString()).toBe(
      'hello',
    )
  })

  it('are told from rows by their length', () => {
    expect(isOkPacket(hex('00 00 00 0200 0000'))).toBe(true)
    expect(isOkPacket(hex('00'))).toBe(false)
  })
})

describe('session state', () => {
  const CHANGES: [SessionStateChange, string][] = [
    [{ type: 'system_variable', name: 'a', value: 'bc' }, '00 05 0161 026263'],
    [{ type: 'schema', name: 'shop' }, '01 05 0473686f70'],
    [{ type: 'state_change', changed: true }, '02 01 31'],
    [{ type: 'state_change', changed: false }, '02 01 30'],
    [{ type: 'gtids', gtids: 'a:1' }, '03 05 00 03613a31'],
    [{ type: 'transaction_characteristics', statement: '' }, '04 01 00'],
    [{ type: 'transaction_state', state: 'T_______' }, '05 09 08545f5f5f5f5f5f5f'],
    [{ type: 'unknown', id: 99, data: Buffer.of(1, 2) }, '63 02 0102'],
  ]
  for (const [change, bytes] of CHANGES) {
    it(`of the kind ${change.type} is written and read (${bytes})`, () => {
      expect(encodeSessionState([change])).toEqual(hex(bytes))
      expect(decodeSessionState(hex(bytes))).toEqual([change])
    })
  }

  it('comes in any number', () => {
    const all = CHANGES.map(([change]) => change)
    expect(decodeSessionState(encodeSessionState(all))).toEqual(all)
  })

  it('may have several variables in one entry', () => {
    expect(decodeSessionState(hex('00 08 01610162 01630164'))).toEqual([
      { type: 'system_variable', name: 'a', value: 'b' },
      { type: 'system_variable', name: 'c', value: 'd' },
    ])
  })

  it('is refused when an entry has bytes left over', () => {
    expect(() => decodeSessionState(hex('01 03 0161 00'))).toThrow(ProtocolError)
  })
})

describe('ERR packets', () => {
  const err = { errno: 1146, sqlState: '42S02', message: "Table 'a.é' doesn't exist" }

  it('are written and read with their SQLSTATE', () => {
    const bytes = Buffer.concat([hex('ff 7a04'), Buffer.from("#42S02Table 'a.é' doesn't exist")])
    expect(encodeErr(err)).toEqual(bytes)
    expect(decodeErr(bytes)).toEqual(err)
    expect(isErrPacket(bytes)).toBe(true)
  })

  it('have no SQLSTATE before the handshake', () => {
    const bytes = Buffer.concat([hex('ff 1004'), Buffer.from('Too many connections')])
    const early = { errno: 1040, sqlState: 'HY000', message: 'Too many connections' }
    expect(encodeErr(early, 0)).toEqual(bytes)
    expect(decodeErr(bytes)).toEqual(early)
  })

  it('are told from progress reports', () => {
    expect(isProgressReport(hex('ff ffff 01 01 02 000000 00'))).toBe(true)
    expect(isProgressReport(encodeErr(err))).toBe(false)
  })
})

describe('EOF packets', () => {
  it('are written and read', () => {
    expect(encodeEof({ warnings: 1, statusFlags: 0x22 })).toEqual(hex('fe 0100 2200'))
    expect(decodeEof(hex('fe 0100 2200'))).toEqual({ warnings: 1, statusFlags: 0x22 })
  })

  it('are told from rows by their length', () => {
    const deprecateEof = PLAIN | Capability.DEPRECATE_EOF
    expect(isEndOfRows(hex('fe 0000 0200'), PLAIN)).toBe(true)
    expect(isEndOfRows(Buffer.alloc(9, 0xfe), PLAIN)).toBe(false)
    expect(isEndOfRows(Buffer.alloc(9, 0xfe), deprecateEof)).toBe(true)
    expect(isEndOfRows(Buffer.alloc(0xffffff, 0xfe), deprecateEof)).toBe(false)
    expect(isEndOfRows(hex('00 0000'), PLAIN)).toBe(false)
  })
})
