import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  frame,
  MAX_PAYLOAD,
  PacketReader,
  PacketWriter,
  PayloadWriter,
  ProtocolError,
} from '../../../protocol/index.js'

/** One table of (value, bytes) tests reader and writer. */
interface Case {
  what: string
  hex: string
  write: (writer: PayloadWriter) => unknown
  read: (reader: PacketReader) => unknown
  value: unknown
}

const long = Buffer.alloc(300, 'x')

const CASES: Case[] = [
  { what: 'u8', hex: 'ff', write: (w) => w.u8(255), read: (r) => r.u8(), value: 255 },
  { what: 'u16', hex: '3412', write: (w) => w.u16(0x1234), read: (r) => r.u16(), value: 0x1234 },
  { what: 'u24', hex: '563412', write: (w) => w.u24(0x123456), read: (r) => r.u24(), value: 0x123456 },
  { what: 'u32', hex: 'ffffffff', write: (w) => w.u32(0xffffffff), read: (r) => r.u32(), value: 0xffffffff },
  ...u64('0000000000000000', 0),
  ...u64('ffffffffffff1f00', Number.MAX_SAFE_INTEGER),
  ...u64('0000000000002000', 2n ** 53n),
  ...u64('ffffffffffffffff', 2n ** 64n - 1n),
  ...lenenc('00', 0),
  ...lenenc('fa', 250),
  ...lenenc('fcfb00', 251),
  ...lenenc('fcffff', 65_535),
  ...lenenc('fd000001', 65_536),
  ...lenenc('fdffffff', 0xffffff),
  ...lenenc('fe0000000100000000', 0x1000000),
  ...lenenc('feffffffffffff1f00', Number.MAX_SAFE_INTEGER),
  ...lenenc('feffffffffffffffff', 2n ** 64n - 1n),
  { what: 'empty string', hex: '00', write: (w) => w.lenencString(''), read: (r) => r.lenencString(), value: '' },
  { what: 'string', hex: '03c3a978', write: (w) => w.lenencString('éx'), read: (r) => r.lenencString(), value: 'éx' },
  {
    what: 'string of 300 bytes',
    hex: `fc2c01${long.toString('hex')}`,
    write: (w) => w.lenencBytes(long),
    read: (r) => r.lenencBytes(),
    value: long,
  },
  {
    what: 'string with a zero at its end',
    hex: '616200',
    write: (w) => w.nulString('ab'),
    read: (r) => r.nulString(),
    value: 'ab',
  },
  { what: 'NULL', hex: 'fb', write: (w) => w.u8(0xfb), read: (r) => r.lenencBytesOrNull(), value: null },
  {
    what: 'bytes to the end',
    hex: '0102',
    write: (w) => w.bytes(Buffer.of(1, 2)),
    read: (r) => r.rest(),
    value: Buffer.of(1, 2),
  },
  { what: 'zeros', hex: '000000', write: (w) => w.zeros(3), read: (r) => r.bytes(3), value: Buffer.alloc(3) },
]

function u64(hex: string, value: number | bigint): Case[] {
  return [{ what: `u64 ${value}`, hex, write: (w) => w.u64(value), read: (r) => r.u64(), value }]
}

function lenenc(hex: string, value: number | bigint): Case[] {
  return [{ what: `length-encoded ${value}`, hex, write: (w) => w.lenenc(value), read: (r) => r.lenenc(), value }]
}

describe('reader and writer', () => {
  for (const { what, hex, write, read, value } of CASES) {
    const bytes = Buffer.from(hex, 'hex')

    it(`agree about ${what}`, () => {
      // A first size of one byte makes the writer grow at every step.
      const writer = new PayloadWriter(1)
      write(writer)
      expect(writer.take().toString('hex')).toBe(hex)
      const reader = new PacketReader(bytes)
      expect(read(reader)).toEqual(value)
      expect(reader.remaining).toBe(0)
    })

    it(`find ${what} in the middle of a buffer and read no further`, () => {
      const around = Buffer.concat([Buffer.alloc(5, 0xaa), bytes, Buffer.alloc(300, 0x55)])
      const reader = new PacketReader().reset(around, 5, 5 + bytes.length)
      expect(read(reader)).toEqual(value)
      expect(reader.position).toBe(5 + bytes.length)
    })
  }

  it('say truncated when a byte is missing, whatever is behind the end', () => {
    for (const { what, hex, read } of CASES.filter(({ what }) => what !== 'bytes to the end')) {
      const bytes = Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(300)])
      for (let end = 0; end < hex.length / 2; end++) {
        const attempt = () => read(new PacketReader(bytes, 0, end))
        expect(attempt, `${what} with ${end} bytes`).toThrow(ProtocolError)
        expect(attempt).toThrow(expect.objectContaining({ code: 'truncated' }))
      }
    }
  })

  it('take neither NULL nor an error mark for a number', () => {
    for (const first of [0xfb, 0xff]) {
      expect(() => new PacketReader(Buffer.of(first)).lenenc()).toThrow(expect.objectContaining({ code: 'malformed' }))
    }
  })

  it('refuse bounds outside of the buffer', () => {
    expect(() => new PacketReader(Buffer.alloc(4), 0, 5)).toThrow(RangeError)
    expect(() => new PacketReader(Buffer.alloc(4), 3, 2)).toThrow(RangeError)
  })

  it('give a string up to its zero, or to the end where the zero may be missing', () => {
    expect(new PacketReader(Buffer.from('ab\0c')).nulBytesOrRest().toString()).toBe('ab')
    expect(new PacketReader(Buffer.from('abc\0'), 0, 3).nulBytesOrRest().toString()).toBe('abc')
  })
})

describe('PacketWriter', () => {
  it('numbers packets from where it is told, around 255', () => {
    const bytes = new PacketWriter(254).packet(Buffer.of(1)).packet(Buffer.of(2)).packet(Buffer.of(3)).take()
    expect(bytes.toString('hex')).toBe('010000fe01010000ff020100000003')
  })

  it('goes on numbering after take', () => {
    const writer = new PacketWriter(0)
    writer.packet(Buffer.of(1)).take()
    expect(writer.packet(Buffer.of(2)).take().toString('hex')).toBe('0100000102')
  })

  it('leaves what it gave away untouched when it is used again', () => {
    const writer = new PacketWriter()
    const first = writer.packet(Buffer.of(1)).take()
    writer.packet(Buffer.of(2))
    expect(first.toString('hex')).toBe('0100000001')
  })

  it('does not let packets overlap', () => {
    expect(() => new PacketWriter().begin().begin()).toThrow()
    expect(() => new PacketWriter().end()).toThrow()
  })

  for (const size of [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 2 * MAX_PAYLOAD + 5]) {
    it(`splits a payload of ${size} bytes behind other packets`, () => {
      const payload = Buffer.alloc(size)
      for (let at = 0; at < size; at += 4093) payload[at] = at % 251
      const writer = new PacketWriter(7, 16).packet(Buffer.of(9))
      const bytes = writer.packet(payload).packet(Buffer.of(8)).take()
      expect(bytes.toString('hex', 0, 5)).toBe('0100000709')
      let at = 5
      let sequence = 8
      const parts: Buffer[] = []
      for (let length = MAX_PAYLOAD; length === MAX_PAYLOAD; ) {
        length = bytes.readUIntLE(at, 3)
        expect(bytes[at + 3]).toBe(sequence++)
        parts.push(bytes.subarray(at + 4, at + 4 + length))
        at += 4 + length
      }
      expect(parts).toHaveLength(Math.floor(size / MAX_PAYLOAD) + 1)
      expect(Buffer.concat(parts).equals(payload)).toBe(true)
      expect(bytes.subarray(at)).toEqual(Buffer.of(1, 0, 0, sequence, 8))
      expect(frame(payload, 8).equals(bytes.subarray(5, at))).toBe(true)
    })
  }
})
