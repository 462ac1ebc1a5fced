import { FOLD } from './characters.js'

/**
 * Words of SQL, looked up by their bytes. The scanner computes a word's hash while it reads the word, so a lookup is one
 * probe and one comparison, without a string. Built once, at load.
 */

/** The low bits of a code: the keyword's number (`K`), 0 for a word that matters only as a function's name. */
export const KEYWORD_MASK = 0x1ff
/** Cannot be a function's name: `word (` is syntax on both flavours, or on the one. */
export const NOT_CALL_MYSQL = 1 << 9
export const NOT_CALL_MARIADB = 1 << 10
/** A built-in function of the flavour. */
export const FUNCTION_MYSQL = 1 << 11
export const FUNCTION_MARIADB = 1 << 12
/** A function that the grammar knows by its keyword: in quotes it is an ordinary name. */
export const GRAMMAR_FUNCTION = 1 << 13
/** Built in only when no blank stands before the parenthesis (unless IGNORE_SPACE). */
export const NO_BLANK_BEFORE_PAREN = 1 << 14
/** The number of a row of `FUNCTION_EFFECTS`. */
export const FUNCTION_EFFECT_SHIFT = 15
export const FUNCTION_EFFECT_MASK = 0x1f << FUNCTION_EFFECT_SHIFT
/** Has that effect without parentheses too (CURRENT_TIMESTAMP). */
export const WORD_EFFECT = 1 << 20

const SLOTS = 8192
const POOL_BYTES = 32768

/** The step of the hash: the scanner repeats it for each byte of a word, starting from 0. */
export function hashStep(hash: number, byte: number): number {
  return (Math.imul(hash, 33) ^ (byte | 0x20)) | 0
}

export class WordTable {
  private readonly codes = new Int32Array(SLOTS)
  private readonly starts = new Uint16Array(SLOTS)
  private readonly lengths = new Uint8Array(SLOTS)
  private readonly pool = new Uint8Array(POOL_BYTES)
  private used = 0

  /** Adds bits to a word's code. `word`: lower case ASCII, 1 to 255 bytes. */
  add(word: string, bits: number): void {
    const bytes = Buffer.from(word, 'latin1')
    let hash = 0
    for (const byte of bytes) hash = hashStep(hash, byte)
    let slot = this.slot(hash)
    while (this.lengths[slot] !== 0 && !this.matches(slot, bytes, 0, bytes.length)) slot = (slot + 1) & (SLOTS - 1)
    if (this.lengths[slot] === 0) {
      if (this.used + bytes.length > POOL_BYTES) throw new RangeError('word pool is full')
      this.pool.set(bytes, this.used)
      this.starts[slot] = this.used
      this.lengths[slot] = bytes.length
      this.used += bytes.length
    }
    this.codes[slot] |= bits
  }

  /** The code of the word at [start, end) whose hash is given; 0: not a word that matters. */
  find(buffer: Uint8Array, start: number, end: number, hash: number): number {
    let slot = this.slot(hash)
    for (;;) {
      const length = this.lengths[slot] as number
      if (length === 0) return 0
      if (length === end - start && this.matches(slot, buffer, start, length)) return this.codes[slot] as number
      slot = (slot + 1) & (SLOTS - 1)
    }
  }

  private slot(hash: number): number {
    return (hash ^ (hash >>> 13)) & (SLOTS - 1)
  }

  private matches(slot: number, buffer: Uint8Array, start: number, length: number): boolean {
    if (this.lengths[slot] !== length) return false
    const from = this.starts[slot] as number
    for (let i = 0; i < length; i++) {
      if (this.pool[from + i] !== FOLD[buffer[start + i] as number]) return false
    }
    return true
  }
}
