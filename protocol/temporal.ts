import { Buffer } from 'node:buffer'
import { ProtocolError } from './errors.js'
import type { PacketReader } from './reader.js'

/*
 * Dates and times of the binary protocol: a length byte, then as many fields as are not zero at the end. Here they are
 * text, as the text protocol has them.
 */

const DATE_FORM = /^(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?)?$/
const TIME_FORM = /^(-?)(\d{1,3}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?$/

/**
 * Reads a date (`dateOnly`), or a date with time.
 * @param decimals digits behind the second, 0 to 6; where unknown, none or six, as the value has them
 */
export function decodeDate(reader: PacketReader, dateOnly: boolean, decimals?: number): string {
  const size = reader.u8()
  if (size !== 0 && size !== 4 && size !== 7 && size !== 11) throw badLength(size)
  const date = size === 0 ? '0000-00-00' : `${digits(reader.u16(), 4)}-${digits(reader.u8())}-${digits(reader.u8())}`
  const time = size < 7 ? '00:00:00' : `${digits(reader.u8())}:${digits(reader.u8())}:${digits(reader.u8())}`
  const micros = size === 11 ? reader.u32() : 0
  return dateOnly ? date : `${date} ${time}${fraction(micros, decimals)}`
}

/** Reads a duration, `-838:59:59.000000` to `838:59:59.000000`. */
export function decodeTime(reader: PacketReader, decimals?: number): string {
  const size = reader.u8()
  if (size !== 0 && size !== 8 && size !== 12) throw badLength(size)
  if (size === 0) return `00:00:00${fraction(0, decimals)}`
  const sign = reader.u8() === 0 ? '' : '-'
  const hours = reader.u32() * 24 + reader.u8()
  const time = `${sign}${digits(hours)}:${digits(reader.u8())}:${digits(reader.u8())}`
  return `${time}${fraction(size === 12 ? reader.u32() : 0, decimals)}`
}

/** Throws RangeError for text that is no date. */
export function encodeDate(text: string): Buffer {
  const form = DATE_FORM.exec(text)
  if (form === null) throw new RangeError('not a date')
  const [year, month, day, hour = 0, minute = 0, second = 0] = form.slice(1, 7).map((field) => Number(field ?? 0))
  const micros = microseconds(form[7])
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16LE(year, 1)
  bytes.set([month, day, hour, minute, second], 3)
  bytes.writeUInt32LE(micros, 8)
  const hasTime = hour !== 0 || minute !== 0 || second !== 0
  const hasDate = year !== 0 || month !== 0 || day !== 0
  return withLength(bytes, micros !== 0 ? 11 : hasTime ? 7 : hasDate ? 4 : 0)
}

/** Throws RangeError for text that is no time. */
export function encodeTime(text: string): Buffer {
  const form = TIME_FORM.exec(text)
  if (form === null) throw new RangeError('not a time')
  const [hours, minute, second] = form.slice(2, 5).map(Number)
  const micros = microseconds(form[5])
  const bytes = Buffer.alloc(13)
  bytes[1] = form[1] === '-' ? 1 : 0
  bytes.writeUInt32LE(Math.floor(hours / 24), 2)
  bytes.set([hours % 24, minute, second], 6)
  bytes.writeUInt32LE(micros, 9)
  const isZero = hours === 0 && minute === 0 && second === 0
  return withLength(bytes, micros !== 0 ? 12 : isZero ? 0 : 8)
}

function withLength(bytes: Buffer, size: number): Buffer {
  bytes[0] = size
  return bytes.subarray(0, 1 + size)
}

function microseconds(text: string | undefined): number {
  return text === undefined ? 0 : Number(text.padEnd(6, '0'))
}

function fraction(micros: number, decimals: number | undefined): string {
  const shown = decimals === undefined || decimals > 6 ? (micros === 0 ? 0 : 6) : decimals
  return shown === 0 ? '' : `.${digits(micros, 6).slice(0, shown)}`
}

function digits(value: number, count = 2): string {
  return String(value).padStart(count, '0')
}

function badLength(size: number): ProtocolError {
  return new ProtocolError('malformed', `a date or time cannot have ${size} bytes`)
}
