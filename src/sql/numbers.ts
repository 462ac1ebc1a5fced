import { C, CLASS, FOLD, isWordByte } from './characters.js'

const DOT = 0x2e
const MINUS = 0x2d
const PLUS = 0x2b
const ZERO = 0x30
const ONE = 0x31
const LOWER_A = 0x61
const LOWER_B = 0x62
const LOWER_E = 0x65
const LOWER_F = 0x66
const LOWER_X = 0x78

/**
 * Where the number that begins at `from` ends; -1 when it is an identifier that begins with a digit (`1st`).
 * `fraction`: a dot may belong to it.
 */
export function endOfNumber(buffer: Uint8Array, from: number, end: number, fraction: boolean): number {
  let at = endOfDigits(buffer, from, end)
  if (at > from && at < end && isWordByte(buffer[at])) {
    const exponent = endOfExponent(buffer, at, end)
    return exponent > 0 ? exponent : endOfPrefixed(buffer, from, at, end)
  }
  if (!fraction || at >= end || buffer[at] !== DOT) return at
  at = endOfDigits(buffer, at + 1, end)
  const exponent = endOfExponent(buffer, at, end)
  return exponent > 0 ? exponent : at
}

function endOfDigits(buffer: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && CLASS[buffer[at] as number] === C.digit) at++
  return at
}

/** Where `0x1F` or `0b01`, whose letter stands at `at`, ends; -1: it is neither. */
function endOfPrefixed(buffer: Uint8Array, from: number, at: number, end: number): number {
  const letter = FOLD[buffer[at] as number] as number
  if (at !== from + 1 || buffer[from] !== ZERO || (letter !== LOWER_X && letter !== LOWER_B)) return -1
  let i = at + 1
  while (i < end && isWordByte(buffer[i])) {
    if (!isDigitOf(buffer[i] as number, letter)) return -1
    i++
  }
  return i === at + 1 ? -1 : i
}

/** Where the exponent that begins at `at` ends; -1: there is none. */
function endOfExponent(buffer: Uint8Array, at: number, end: number): number {
  if (at >= end || FOLD[buffer[at] as number] !== LOWER_E) return -1
  let digits = at + 1
  if (digits < end && (buffer[digits] === PLUS || buffer[digits] === MINUS)) digits++
  const i = endOfDigits(buffer, digits, end)
  return i === digits || (i < end && isWordByte(buffer[i])) ? -1 : i
}

function isDigitOf(byte: number, letter: number): boolean {
  if (letter === LOWER_B) return byte === ZERO || byte === ONE
  const folded = FOLD[byte] as number
  return CLASS[byte] === C.digit || (folded >= LOWER_A && folded <= LOWER_F)
}
