import { DigestOutput } from './digest-output.js'
import { K } from './keywords.js'
import { murmur3, murmur3Words } from './murmur3.js'
import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import type { LexicalOptions } from './types.js'
import { KEYWORD_MASK, NOT_CALL_MARIADB, NOT_CALL_MYSQL } from './words.js'

/** A statement's normalised text and its hash. Valid until the next call of `digest`. */
export interface Digest {
  /** The upper and the lower 32 bits of the hash of the whole normalised text, unsigned. */
  high: number
  low: number
  /** The normalised text is the first `length` of these bytes. */
  bytes: Uint8Array
  length: number
}

const SPACE = 0x20
const QUESTION = 0x3f
const MINUS = 0x2d
const PLUS = 0x2b
const STAR = 0x2a
const SEMICOLON = 0x3b
const DOT = 0x2e
const UNDERSCORE = 0x5f
/** x'4F', b'01', N'text'. */
const LITERAL_PREFIXES = 'xXbBnN'
const SYNTAX = NOT_CALL_MYSQL | NOT_CALL_MARIADB
const SEED = 0

/** What the last thing written was, as far as the blank before the next one goes. */
const Last = { nothing: 0, name: 1, syntax: 2, literal: 3, operator: 4, star: 5, open: 6, close: 7, tight: 8 } as const

/**
 * Normalises statements so that those which differ only in their literals, blanks and comments have one text and one
 * number: literals become `?`, repeated elements of IN and VALUES lists `...`; names and keywords stay as they were
 * written (as in ProxySQL's digest_text).
 */
export class Digester {
  private readonly scanner = new Scanner()
  private readonly output = new DigestOutput()
  private readonly result: Digest = { high: 0, low: 0, bytes: this.output.bytes, length: 0 }
  private last = 0
  private lastWord = 0
  /** Of the last token: where its text begins, with the blank before it, and what stood before it. */
  private lastAt = 0
  private beforeLast = 0
  private lastString = false
  private lastStop = 0
  private depth = 0

  /**
   * Normalises and hashes [start, end) of the buffer. A trailing semicolon is dropped.
   * @param cut the text goes on behind `end`: the list that is open there is taken to go on as it began
   */
  digest(buffer: Uint8Array, start: number, end: number, options: LexicalOptions, cut = false): Digest {
    const { scanner, output, result } = this
    scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
    output.reset()
    this.last = Last.nothing
    this.beforeLast = Last.nothing
    this.lastWord = 0
    this.depth = 0
    for (;;) {
      const type = scanner.next()
      if (type === T.end || type === T.bad) break
      this.token(type)
    }
    if (cut) output.cutLists()
    while (output.inRows(this.depth)) output.closeList()
    if (this.last === Last.tight && output.bytes[output.length - 1] === SEMICOLON) output.length--
    murmur3(output.bytes, output.length, SEED)
    result.high = murmur3Words[0] as number
    result.low = murmur3Words[1] as number
    result.bytes = output.bytes
    result.length = output.length
    return result
  }

  private token(type: number): void {
    const { output } = this
    if (output.inRows(this.depth) && !this.continuesRows(type)) output.closeList()
    switch (type) {
      case T.word:
        return this.word()
      case T.string:
        return this.string()
      case T.number:
        return this.number()
      case T.placeholder:
        return this.literal()
      case T.open:
        return this.open()
      case T.close:
        return this.close()
      case T.comma:
        if (output.inList(this.depth)) {
          output.nextElement()
          this.wrote(Last.tight, output.length - 1)
        } else this.punctuation(Last.tight)
        return
      case T.dot:
      case T.semicolon:
        return this.punctuation(Last.tight)
      case T.operator:
        return this.operator()
      case T.assign:
        return this.punctuation(Last.operator)
      default:
        return this.named(Last.name)
    }
  }

  private word(): void {
    const { code, start } = this.scanner
    const word = code & KEYWORD_MASK
    if (
      (word === K.null || word === K.true || word === K.false) &&
      this.followsOperator() &&
      this.last !== Last.syntax
    ) {
      return this.literal()
    }
    this.named((code & SYNTAX) !== 0 && this.scanner.buffer[start - 1] !== DOT ? Last.syntax : Last.name)
    this.lastWord = word
    if (word === K.values || word === K.value) this.output.openList(this.depth, true)
  }

  /** Rows are separated by commas; anything else at their depth ends the list. */
  private continuesRows(type: number): boolean {
    if (type === T.comma || type === T.open) return true
    return type === T.word && (this.scanner.code & KEYWORD_MASK) === K.row
  }

  private string(): void {
    if (this.last === Last.literal && this.output.bytes[this.output.length - 1] === QUESTION && this.lastString) {
      return
    }
    if (this.introduced()) this.takeBack()
    this.literal()
    this.lastString = true
  }

  /** Whether the word before a string belongs to it: a character set's introducer, or the kind of literal. */
  private introduced(): boolean {
    if (this.last !== Last.name) return false
    const { bytes, length } = this.output
    const at = bytes[this.lastAt] === SPACE ? this.lastAt + 1 : this.lastAt
    if (bytes[at] === UNDERSCORE) return true
    return length === at + 1 && LITERAL_PREFIXES.includes(String.fromCharCode(bytes[at] as number)) && this.touches()
  }

  private touches(): boolean {
    return this.scanner.start === this.lastStop
  }

  private number(): void {
    const sign = this.output.bytes[this.output.length - 1]
    const signed = this.last === Last.operator && (sign === MINUS || sign === PLUS)
    if (signed && isBeforeValue(this.beforeLast)) this.takeBack()
    this.literal()
  }

  private literal(): void {
    const at = this.blank(this.last === Last.name || this.last === Last.literal || this.wantsBlank())
    this.output.byte(QUESTION)
    this.wrote(Last.literal, at)
  }

  private named(as: number): void {
    const { last } = this
    const needed = last === Last.name || last === Last.literal || this.wantsBlank()
    const at = this.blank(needed || (last === Last.star && as === Last.syntax))
    this.text()
    this.wrote(as, at)
  }

  private operator(): void {
    const { buffer, start } = this.scanner
    const at = this.blank(this.last === Last.syntax)
    this.text()
    this.wrote(buffer[start] === STAR ? Last.star : Last.operator, at)
  }

  private punctuation(as: number): void {
    const at = this.output.length
    this.text()
    this.wrote(as, at)
  }

  private open(): void {
    const list = this.lastWord === K.in && this.last === Last.syntax
    const at = this.blank(this.last === Last.syntax)
    // A row's text begins with its parenthesis, not with the blank before it.
    if (this.output.inRows(this.depth)) this.output.startElement()
    this.text()
    this.depth++
    this.wrote(Last.open, at)
    if (list) this.output.openList(this.depth, false)
  }

  private close(): void {
    if (this.output.inList(this.depth)) this.output.closeList()
    this.depth--
    this.punctuation(Last.close)
  }

  /** A word, a literal and a closing parenthesis are kept apart from what begins with a letter. */
  private wantsBlank(): boolean {
    return this.last === Last.syntax || this.last === Last.close
  }

  private followsOperator(): boolean {
    return isBeforeValue(this.last)
  }

  private blank(wanted: boolean): number {
    const at = this.output.length
    if (wanted) this.output.byte(SPACE)
    return at
  }

  private text(): void {
    this.output.copy(this.scanner.buffer, this.scanner.start, this.scanner.stop)
  }

  private wrote(as: number, at: number): void {
    this.beforeLast = this.last
    this.last = as
    this.lastAt = at
    this.lastWord = 0
    this.lastString = false
    this.lastStop = this.scanner.stop
  }

  private takeBack(): void {
    this.output.length = this.lastAt
    this.last = this.beforeLast
  }
}

/** The digest as ProxySQL prints it: `0x` and 16 hexadecimal digits. */
export function digestHex(digest: Digest): string {
  return `0x${hex32(digest.high)}${hex32(digest.low)}`
}

/** The normalised text as a string. */
export function digestText(digest: Digest): string {
  return Buffer.from(digest.bytes.buffer, digest.bytes.byteOffset, digest.length).toString('utf8')
}

function hex32(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0')
}

function isBeforeValue(last: number): boolean {
  return last === Last.nothing || (last >= Last.operator && last !== Last.close) || last === Last.syntax
}
