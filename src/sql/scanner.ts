import { C, CLASS, isWordByte } from './characters.js'
import { type Hints, readHints } from './hints.js'
import { endOfNumber } from './numbers.js'
import type { LexicalOptions } from './types.js'
import { VOCABULARY } from './vocabulary.js'
import { hashStep } from './words.js'

/** Kinds of tokens. Comments are no tokens: they are skipped, and their hints are read on the way. */
export const T = {
  end: 0,
  word: 1,
  /** An identifier in back-ticks, or in double quotes under ANSI_QUOTES. */
  quoted: 2,
  string: 3,
  number: 4,
  /** `@name` in any of its forms; the name without quotes is [nameStart, nameEnd). */
  userVariable: 5,
  /** `@@name`, `@@scope.name`; the last part is [nameStart, nameEnd). */
  systemVariable: 6,
  semicolon: 7,
  open: 8,
  close: 9,
  comma: 10,
  dot: 11,
  /** `:=` */
  assign: 12,
  /** `?` of a prepared statement. */
  placeholder: 13,
  operator: 14,
  /** A string, comment or quoted identifier that does not end. */
  bad: 15,
} as const

const QUOTE = 0x27
const DOUBLE = 0x22
const BACKTICK = 0x60
const BACKSLASH = 0x5c
const STAR = 0x2a
const SLASH = 0x2f
const MINUS = 0x2d
const PLUS = 0x2b
const BANG = 0x21
const NEWLINE = 0x0a
const AT = 0x40
const DOT = 0x2e
const EQUALS = 0x3d
const UPPER_M = 0x4d

/** No server has this version: every version-gated comment runs. */
export const ALL_VERSIONS = 0x7fffffff
/**
 * Every supported server runs comments of lower versions: MySQL from 5.7, and MariaDB, which leaves out 50700 to 99999
 * as those of a MySQL that it is not.
 */
const ALWAYS_RUNS_BELOW = 50_700
/** More different versions in one text than this are not told apart (`gatesOverflow`). */
const GATES_MAX = 8

/**
 * Cuts a text into tokens, as the server's lexer does (sql/sql_lex.cc of both). The token's fields are overwritten by the
 * next one; nothing is allocated.
 */
export class Scanner {
  type: number = T.end
  /** The token is [start, stop) of the buffer, quotes included. */
  start = 0
  stop = 0
  /** Of a word: its code in the vocabulary, 0 when it has none. */
  code = 0
  nameStart = 0
  nameEnd = 0
  position = 0
  end = 0
  buffer: Uint8Array = EMPTY
  /** Versions that gate comments of this text and that a server might not have, in no order. */
  readonly gates = new Int32Array(GATES_MAX)
  gateCount = 0
  gatesOverflow = false
  private mariadb = false
  private ansiQuotes = false
  private backslashEscapes = true
  private threshold = ALL_VERSIONS
  private insideExecutable = false
  private hints: Hints | null = null

  /**
   * Starts on [start, end) of the buffer. `threshold`: gated comments up to this server version run. `hints` takes what
   * comments ask for.
   */
  reset(
    buffer: Uint8Array,
    start: number,
    end: number,
    options: LexicalOptions,
    threshold: number,
    hints: Hints | null,
  ): void {
    this.buffer = buffer
    this.position = start
    this.start = start
    this.stop = start
    this.end = end
    this.type = T.end
    this.mariadb = options.flavor === 'mariadb'
    this.ansiQuotes = options.ansiQuotes
    this.backslashEscapes = !options.noBackslashEscapes
    this.threshold = threshold
    this.hints = hints
    this.insideExecutable = false
    if (threshold === ALL_VERSIONS) {
      this.gateCount = 0
      this.gatesOverflow = false
    }
  }

  /** Makes the next call of `next` return the current token again. */
  unread(): void {
    this.position = this.start
  }

  /** Moves to the next token and returns its type. At the end it returns `T.end` for ever. */
  next(): number {
    const buffer = this.buffer
    const end = this.end
    let at = this.position
    for (;;) {
      while (at < end && CLASS[buffer[at] as number] === C.blank) at++
      this.start = at
      // A `/*!` that is not closed is a syntax error for the server.
      if (at >= end) return this.token(this.insideExecutable ? T.bad : T.end, end)
      const byte = buffer[at] as number
      switch (CLASS[byte]) {
        case C.letter:
          return this.word(at)
        case C.digit:
          return this.number(at)
        case C.single:
          return this.quotedText(at, QUOTE, T.string)
        case C.double:
          return this.quotedText(at, DOUBLE, this.ansiQuotes ? T.quoted : T.string)
        case C.backtick:
          return this.quotedText(at, BACKTICK, T.quoted)
        case C.open:
          return this.token(T.open, at + 1)
        case C.close:
          return this.token(T.close, at + 1)
        case C.comma:
          return this.token(T.comma, at + 1)
        case C.semicolon:
          return this.token(T.semicolon, at + 1)
        case C.question:
          return this.token(T.placeholder, at + 1)
        case C.dot:
          if (this.startsFraction(at)) return this.number(at)
          return this.token(T.dot, at + 1)
        case C.at:
          return this.variable(at)
        case C.colon:
          return buffer[at + 1] === EQUALS && at + 1 < end
            ? this.token(T.assign, at + 2)
            : this.token(T.operator, at + 1)
        case C.minus:
          if (!this.startsDashComment(at)) return this.token(T.operator, at + 1)
          at = this.endOfLine(at)
          break
        case C.hash:
          at = this.endOfLine(at)
          break
        case C.slash:
          if (at + 1 >= end || buffer[at + 1] !== STAR) return this.token(T.operator, at + 1)
          at = this.comment(at)
          if (at < 0) return this.token(T.bad, end)
          break
        case C.star:
          if (!this.insideExecutable || at + 1 >= end || buffer[at + 1] !== SLASH) return this.token(T.operator, at + 1)
          this.insideExecutable = false
          at += 2
          break
        default:
          return this.token(T.operator, at + 1)
      }
    }
  }

  /** The code of a word that stands at [from, to) of the buffer. */
  lookUp(from: number, to: number): number {
    let hash = 0
    for (let at = from; at < to; at++) hash = hashStep(hash, this.buffer[at] as number)
    return VOCABULARY.find(this.buffer, from, to, hash)
  }

  private token(type: number, stop: number): number {
    this.type = type
    this.stop = stop
    this.position = stop
    this.code = 0
    return type
  }

  private word(from: number): number {
    const buffer = this.buffer
    const end = this.end
    let hash = 0
    let at = from
    while (at < end) {
      const byte = buffer[at] as number
      const c = CLASS[byte] as number
      if (c !== C.letter && c !== C.digit) break
      hash = hashStep(hash, byte)
      at++
    }
    this.type = T.word
    this.stop = at
    this.position = at
    this.nameStart = from
    this.nameEnd = at
    this.code = VOCABULARY.find(buffer, from, at, hash)
    return T.word
  }

  /** Numbers, and the identifiers that begin with a digit. */
  private number(from: number): number {
    // Behind a dot `1` is part of a name: no fraction belongs to it.
    const stop = endOfNumber(this.buffer, from, this.end, this.type !== T.dot)
    return stop < 0 ? this.word(from) : this.token(T.number, stop)
  }

  /** `.5` is a number unless it follows a name (`t.5a`) or a dot. */
  private startsFraction(at: number): boolean {
    if (at + 1 >= this.end || CLASS[this.buffer[at + 1] as number] !== C.digit) return false
    return !((this.type === T.word || this.type === T.quoted || this.type === T.dot) && this.stop === at)
  }

  private quotedText(from: number, quote: number, type: number): number {
    const { buffer, end } = this
    const escapes = type === T.string && this.backslashEscapes
    let at = from + 1
    while (at < end) {
      const byte = buffer[at] as number
      if (byte === quote) {
        if (at + 1 >= end || buffer[at + 1] !== quote) {
          this.nameStart = from + 1
          this.nameEnd = at
          return this.token(type, at + 1)
        }
        at += 2
      } else at += byte === BACKSLASH && escapes ? 2 : 1
    }
    return this.token(T.bad, end)
  }

  private variable(from: number): number {
    const { buffer, end } = this
    if (from + 1 < end && buffer[from + 1] === AT) return this.systemVariable(from)
    const at = from + 1
    const c = at < end ? (CLASS[buffer[at] as number] as number) : C.other
    if (c === C.single || c === C.double || c === C.backtick) {
      const type = this.quotedText(at, buffer[at] as number, c === C.backtick ? T.quoted : T.string)
      if (type !== T.bad) this.type = T.userVariable
      this.start = from
      return this.type
    }
    this.nameStart = at
    this.nameEnd = this.endOfName(at, true)
    return this.token(T.userVariable, this.nameEnd)
  }

  private systemVariable(from: number): number {
    const { buffer, end } = this
    let at = from + 2
    for (;;) {
      if (at < end && buffer[at] === BACKTICK) {
        if (this.quotedText(at, BACKTICK, T.quoted) === T.bad) {
          this.start = from
          return T.bad
        }
        at = this.stop
      } else {
        this.nameStart = at
        at = this.endOfName(at, false)
        this.nameEnd = at
      }
      if (at + 1 >= end || buffer[at] !== DOT) break
      at++
    }
    this.start = from
    return this.token(T.systemVariable, at)
  }

  private endOfName(from: number, dots: boolean): number {
    const { buffer, end } = this
    let at = from
    while (at < end && (isWordByte(buffer[at]) || (dots && buffer[at] === DOT))) at++
    return at
  }

  /** `--` begins a comment only before a blank, a control character or the end. */
  private startsDashComment(at: number): boolean {
    if (at + 1 >= this.end || this.buffer[at + 1] !== MINUS) return false
    return at + 2 >= this.end || (this.buffer[at + 2] as number) <= 0x20
  }

  private endOfLine(from: number): number {
    const newline = this.buffer.indexOf(NEWLINE, from)
    return newline < 0 || newline >= this.end ? this.end : newline + 1
  }

  /** Where to go on after the comment, or after the opening of an executable one; -1: it does not end. */
  private comment(from: number): number {
    const { buffer, end } = this
    const marker = from + 2 < end ? buffer[from + 2] : 0
    if (marker === BANG) return this.executable(from + 3)
    if (marker === UPPER_M && this.mariadb && from + 3 < end && buffer[from + 3] === BANG)
      return this.executable(from + 4)
    const close = this.endOfComment(from + 2)
    if (close < 0) return -1
    if (this.hints !== null && marker !== PLUS) readHints(buffer, from + 2, close - 2, this.hints)
    return close
  }

  private executable(from: number): number {
    let at = from
    let version = 0
    while (at < this.end && at < from + 6 && CLASS[this.buffer[at] as number] === C.digit) {
      version = version * 10 + (this.buffer[at] as number) - 0x30
      at++
    }
    // Fewer than five digits are part of the content, which then always runs.
    if (at - from < 5) {
      this.insideExecutable = true
      return from
    }
    if (version >= ALWAYS_RUNS_BELOW) this.rememberGate(version)
    if (version > this.threshold) return this.endOfSkipped(at)
    this.insideExecutable = true
    return at
  }

  private rememberGate(version: number): void {
    if (this.threshold !== ALL_VERSIONS) return
    for (let i = 0; i < this.gateCount; i++) if (this.gates[i] === version) return
    if (this.gateCount === GATES_MAX) this.gatesOverflow = true
    else this.gates[this.gateCount++] = version
  }

  private endOfComment(from: number): number {
    const { buffer, end } = this
    for (let at = from; at + 1 < end; at++) if (buffer[at] === STAR && buffer[at + 1] === SLASH) return at + 2
    return -1
  }

  /** A comment that does not run may hold one level of ordinary comments. */
  private endOfSkipped(from: number): number {
    const { buffer, end } = this
    let at = from
    while (at + 1 < end) {
      if (buffer[at] === STAR && buffer[at + 1] === SLASH) return at + 2
      if (buffer[at] === SLASH && buffer[at + 1] === STAR) {
        at = this.endOfComment(at + 2)
        if (at < 0) return -1
      } else at++
    }
    return -1
  }
}

const EMPTY = new Uint8Array(0)
