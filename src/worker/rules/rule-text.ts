import { isUtf8 } from 'node:buffer'

/*
 * Rules look at a text as characters, and what they rewrite has to go back to bytes as it came: a text that is no UTF-8 (that of a
 * client with another character set, or with bytes of a BLOB in it) is read with one character for each byte.
 */

export function readText(buffer: Buffer, start: number, end: number): string {
  return buffer.toString(encodingOf(buffer.subarray(start, end)), start, end)
}

/**
 * The bytes of a text that was made from the text in `original`.
 * @returns null where it has characters that the original's encoding has not
 */
export function writeText(text: string, original: Buffer): Buffer | null {
  const encoding = encodingOf(original)
  if (encoding === 'latin1' && BEYOND_LATIN1.test(text)) return null
  return Buffer.from(text, encoding)
}

function encodingOf(bytes: Buffer): 'utf8' | 'latin1' {
  return isUtf8(bytes) ? 'utf8' : 'latin1'
}

const BEYOND_LATIN1 = /[\u0100-\uffff]/
