import { describe, expect, it } from 'vitest'
import { decodeProxyHeader, encodeProxyHeader, type ProxyEndpoints } from '../../../protocol/index.js'
import { formatIp, parseIp } from '../../../protocol/ip-address.js'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const V4: ProxyEndpoints = {
  family: 'tcp4',
  sourceAddress: '203.0.113.9',
  sourcePort: 51_234,
  destinationAddress: '10.0.0.1',
  destinationPort: 6033,
}
const V6: ProxyEndpoints = { ...V4, family: 'tcp6', sourceAddress: '2001:db8::9', destinationAddress: '::1' }

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const v2 = (rest: string): Buffer => hex(SIGNATURE + rest)

/** Bytes as the specification has them, and what they say. */
const HEADERS: readonly [name: string, bytes: Buffer, version: 1 | 2, endpoints: ProxyEndpoints | null][] = [
  ['v1 TCP4', Buffer.from('PROXY TCP4 203.0.113.9 10.0.0.1 51234 6033\r\n'), 1, V4],
  ['v1 TCP6', Buffer.from('PROXY TCP6 2001:db8::9 ::1 51234 6033\r\n'), 1, V6],
  ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), 1, null],
  ['v1 UNKNOWN with addresses', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n'), 1, null],
  ['v2 TCP4', v2('21 11 000c cb007109 0a000001 c822 1791'), 2, V4],
  ['v2 TCP4 with TLVs', v2('21 11 0013 cb007109 0a000001 c822 1791 03 0004 01020304'), 2, V4],
  ['v2 TCP6', v2(`21 21 0024 20010db8${'00'.repeat(11)}09 ${'00'.repeat(15)}01 c822 1791`), 2, V6],
  ['v2 LOCAL', v2('20 00 0000'), 2, null],
  ['v2 LOCAL with addresses', v2('20 11 000c cb007109 0a000001 c822 1791'), 2, null],
  ['v2 UNIX', v2(`21 31 00d8 ${'61'.repeat(216)}`), 2, null],
  ['v2 of no family', v2('21 00 0003 040000'), 2, null],
]

const MALFORMED: readonly [why: string, bytes: Buffer][] = [
  ['a line that never ends', Buffer.from(`PROXY TCP4 ${'1'.repeat(120)}`)],
  ['another family', Buffer.from('PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['no addresses', Buffer.from('PROXY TCP4\r\n')],
  ['two blanks', Buffer.from('PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n')],
  ['something behind', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n')],
  ['an address of the other family', Buffer.from('PROXY TCP4 ::1 ::1 1 1\r\n')],
  ['a name for an address', Buffer.from('PROXY TCP4 db1 1.2.3.4 1 1\r\n')],
  ['a port over 65535', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n')],
  ['a port with a leading zero', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n')],
  ['version 3', v2('31 11 000c 000000000000000000000000')],
  ['an unknown command', v2('22 11 000c 000000000000000000000000')],
  ['UDP', v2('21 12 000c 000000000000000000000000')],
  ['an unknown family', v2('21 f1 000c 000000000000000000000000')],
  ['too short for its addresses', v2('21 11 000b 0000000000000000000000')],
  ['64 KiB announced', v2('21 11 ffff')],
]

describe('a PROXY protocol header', () => {
  it.each(HEADERS)('is read: %s', (_name, bytes, version, endpoints) => {
    expect(decodeProxyHeader(bytes)).toEqual({ version, length: bytes.length, endpoints })
  })

  it.each(HEADERS)(
    'is waited for byte by byte, and what follows is left alone: %s',
    (_name, bytes, version, endpoints) => {
      for (let length = 1; length < bytes.length; length++) {
        expect(decodeProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toBe('more')
      }
      const followed = Buffer.concat([bytes, Buffer.from('PROXY or anything')])
      expect(decodeProxyHeader(followed)).toEqual({ version, length: bytes.length, endpoints })
    },
  )

  it.each(MALFORMED)('is refused with %s', (_why, bytes) => {
    expect(() => decodeProxyHeader(bytes)).toThrow(/^malformed PROXY protocol header: /)
  })

  it('is none: a login, a request for TLS, nothing, or a packet of the length "PRO"', () => {
    for (const bytes of [hex('200000018da20000'), hex('54000001'), hex('50524f01'), hex('0d0a0d01')]) {
      expect(decodeProxyHeader(bytes), bytes.toString('hex')).toBeNull()
    }
    expect(decodeProxyHeader(Buffer.alloc(0))).toBeNull()
  })

  it('may have 107 bytes in version 1, and no more', () => {
    const line = (length: number) => Buffer.from(`PROXY UNKNOWN ${'x'.repeat(length - 16)}\r\n`)
    expect(decodeProxyHeader(line(107))).toMatchObject({ length: 107 })
    expect(() => decodeProxyHeader(line(108))).toThrow('longer than 107 bytes')
  })

  it.each([
    [1 as const, V4],
    [1 as const, V6],
    [1 as const, null],
    [2 as const, V4],
    [2 as const, V6],
    [2 as const, null],
  ])('that is written is read back: version %i of %j', (version, endpoints) => {
    const bytes = encodeProxyHeader(version, endpoints)
    expect(decodeProxyHeader(bytes)).toEqual({ version, length: bytes.length, endpoints })
  })

  it('is written as the specification shows it', () => {
    expect(encodeProxyHeader(1, V4).toString()).toBe('PROXY TCP4 203.0.113.9 10.0.0.1 51234 6033\r\n')
    expect(encodeProxyHeader(1, null).toString()).toBe('PROXY UNKNOWN\r\n')
    expect(encodeProxyHeader(2, V4)).toEqual(v2('21 11 000c cb007109 0a000001 c822 1791'))
    expect(encodeProxyHeader(2, null)).toEqual(v2('20 00 0000'))
    expect(() => encodeProxyHeader(2, { ...V4, sourceAddress: '::1' })).toThrow('addresses are not tcp4')
  })
})

describe('an IP address', () => {
  it.each([
    ['0.0.0.0', '00000000'],
    ['255.1.2.3', 'ff010203'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['1::', `0001${'00'.repeat(14)}`],
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:0:3:4:5:6:7:8', '00010000000300040005000600070008'],
    ['::ffff:10.0.0.1', `${'00'.repeat(10)}ffff0a000001`],
  ])('is read and written: %s', (text, bytes) => {
    expect(parseIp(text)?.toString('hex')).toBe(bytes)
    expect(formatIp(hex(bytes))).toBe(text)
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1%eth0',
    '1.2.3.4::',
    '1:2:3:4:5:6:7::8',
  ])('is none: %j', (text) => {
    expect(parseIp(text)).toBeNull()
  })
})
