import { Buffer } from 'node:buffer'

const IPV4_PART = /^(0|[1-9]\d{0,2})$/
const IPV6_PART = /^[0-9a-f]{1,4}$/i
const IPV6_PARTS = 8

/** The 4 or 16 bytes of an address in text; null when it is none. No zones (`%eth0`), no leading zeros in IPv4. */
export function parseIp(text: string): Buffer | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** An address as RFC 5952 writes it. @param bytes 4 or 16 */
export function formatIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const parts = Array.from({ length: IPV6_PARTS }, (_, index) => bytes.readUInt16BE(2 * index))
  const isMapped = parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff
  if (isMapped) return `::ffff:${bytes.subarray(12).join('.')}`
  const { start, length } = longestZeros(parts)
  const hex = (from: number, to: number): string =>
    parts
      .slice(from, to)
      .map((part) => part.toString(16))
      .join(':')
  return length < 2 ? hex(0, IPV6_PARTS) : `${hex(0, start)}::${hex(start + length, IPV6_PARTS)}`
}

function parseIpv4(text: string): Buffer | null {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => IPV4_PART.test(part) && Number(part) <= 255)) return null
  return Buffer.from(parts.map(Number))
}

function parseIpv6(text: string): Buffer | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = parseParts(halves[0], halves.length === 1)
  const tail = halves.length === 2 ? parseParts(halves[1], true) : Buffer.alloc(0)
  if (head === null || tail === null) return null
  const missing = 2 * IPV6_PARTS - head.length - tail.length
  // `::` stands for at least one part, and nothing else may leave parts out.
  if (halves.length === 2 ? missing < 2 : missing !== 0) return null
  return Buffer.concat([head, Buffer.alloc(missing), tail])
}

/** `1:2:3`, at the address's end the last part perhaps an IPv4 address. */
function parseParts(text: string, atEnd: boolean): Buffer | null {
  if (text === '') return Buffer.alloc(0)
  const parts = text.split(':')
  if (parts.length > IPV6_PARTS) return null
  const bytes: number[] = []
  for (const [index, part] of parts.entries()) {
    const embedded = atEnd && index === parts.length - 1 ? parseIpv4(part) : null
    if (embedded !== null) bytes.push(...embedded)
    else if (IPV6_PART.test(part)) bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff)
    else return null
  }
  return Buffer.from(bytes)
}

function longestZeros(parts: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let at = 0; at <= parts.length; at++) {
    if (parts[at] === 0) continue
    if (at - start > best.length) best = { start, length: at - start }
    start = at + 1
  }
  return best
}
