/** Classes of bytes, as MySQL's lexer sees a text in an ASCII-compatible character set. */
export const C = {
  other: 0,
  blank: 1,
  letter: 2,
  digit: 3,
  single: 4,
  double: 5,
  backtick: 6,
  minus: 7,
  slash: 8,
  hash: 9,
  at: 10,
  semicolon: 11,
  open: 12,
  close: 13,
  comma: 14,
  dot: 15,
  colon: 16,
  star: 17,
  question: 18,
} as const

/** The class of each byte. */
export const CLASS = new Uint8Array(256)
/** Each byte in lower case (ASCII letters only). */
export const FOLD = new Uint8Array(256)

for (let byte = 0; byte < 256; byte++) {
  const upper = byte >= 0x41 && byte <= 0x5a
  const lower = byte >= 0x61 && byte <= 0x7a
  FOLD[byte] = upper ? byte + 0x20 : byte
  // Bytes above ASCII are parts of characters that may stand in identifiers; `$` and `_` may as well.
  if (upper || lower || byte >= 0x80 || byte === 0x5f || byte === 0x24) CLASS[byte] = C.letter
  else if (byte >= 0x30 && byte <= 0x39) CLASS[byte] = C.digit
  else if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) CLASS[byte] = C.blank
}
const single: [string, number][] = [
  ["'", C.single],
  ['"', C.double],
  ['`', C.backtick],
  ['-', C.minus],
  ['/', C.slash],
  ['#', C.hash],
  ['@', C.at],
  [';', C.semicolon],
  ['(', C.open],
  [')', C.close],
  [',', C.comma],
  ['.', C.dot],
  [':', C.colon],
  ['*', C.star],
  ['?', C.question],
]
for (const [character, value] of single) CLASS[character.charCodeAt(0)] = value

/** Whether a byte can stand inside an identifier. */
export function isWordByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  const c = CLASS[byte]
  return c === C.letter || c === C.digit
}
