import { K } from './keywords.js'
import { type Scanner, T } from './scanner.js'
import { equalsFolded } from './system-variables.js'
import { KEYWORD_MASK } from './words.js'

/** Whose value an assignment changes. */
export const Scope = { session: 0, global: 1, persist: 2, persistOnly: 3, userVariable: 4, nextTransaction: 5 } as const

/** What a value is, as far as replaying it on another connection goes. */
export const ValueClass = {
  expression: 0,
  /** A literal, with its sign, introducer or type. */
  literal: 1,
  /** A word: ON, utf8mb4, READ_COMMITTED. */
  bareWord: 2,
  default: 3,
  /** There is none, or the statement breaks off. */
  none: 4,
} as const

const SCOPE_WORDS: readonly (readonly [Uint8Array, number])[] = (
  [
    ['global', Scope.global],
    ['session', Scope.session],
    ['local', Scope.session],
    ['persist', Scope.persist],
    ['persist_only', Scope.persistOnly],
  ] as const
).map(([word, scope]) => [Buffer.from(word), scope] as const)

const TRANSACTION_VARIABLES: readonly Uint8Array[] = [
  'transaction_isolation',
  'tx_isolation',
  'transaction_read_only',
  'tx_read_only',
].map((name) => Buffer.from(name))

const DOT = 0x2e
const BACKTICK = 0x60
const DOUBLE = 0x22
const MINUS = 0x2d
const PLUS = 0x2b
const EQUALS = 0x3d

/** Reads the assignments of a SET statement one by one, for the classifier and for `parseSet`. Allocates nothing. */
export class SetTarget {
  /** A `Scope`. */
  scope = 0
  /** K.names, K.charset, or 0 for a variable. */
  special = 0
  /** A system variable written as `@@name`, without a scope. */
  bare = false
  nameStart = 0
  nameEnd = 0
  valueStart = 0
  valueEnd = 0
  /** The scope that a variable without one gets: SET's last GLOBAL or SESSION holds for those behind it. */
  private inherited = 0

  begin(): void {
    this.inherited = Scope.session
  }

  /**
   * Reads a target whose first token is the scanner's current one, up to and including its `=`. Returns false when the
   * text is not understood.
   */
  read(scanner: Scanner): boolean {
    this.special = 0
    this.bare = false
    if (scanner.type === T.userVariable) return this.userVariable(scanner)
    if (scanner.type === T.systemVariable) return this.systemVariable(scanner)
    if (scanner.type === T.word) {
      if (this.nameKeyword(scanner)) return true
      const scope = scopeOfWord(scanner, scanner.start, scanner.stop)
      if (scope >= 0) {
        this.inherited = scope
        scanner.next()
      }
    }
    if (scanner.type !== T.word && scanner.type !== T.quoted) return false
    this.scope = this.inherited
    this.nameStart = scanner.start
    this.nameEnd = scanner.stop
    while (scanner.next() === T.dot) {
      const part = scanner.next()
      if (part !== T.word && part !== T.quoted) return false
      this.nameEnd = scanner.stop
    }
    this.trimQuotes(scanner.buffer)
    return isAssignment(scanner)
  }

  /**
   * Reads a value that is a literal or a word, from behind the `=` to the comma or end behind it, on which the scanner
   * then stands. Anything else is `expression`, and the scanner stands where the value begins.
   */
  readValue(scanner: Scanner): number {
    const from = scanner.position
    const found = this.simpleValue(scanner)
    if (found !== ValueClass.expression && !endsValue(scanner.type)) {
      scanner.position = from
      return ValueClass.expression
    }
    if (found === ValueClass.expression) scanner.position = from
    return found
  }

  /** NAMES charset [COLLATE collation], CHARACTER SET charset: true when the text is understood up to the end of it. */
  readNames(scanner: Scanner): boolean {
    const type = scanner.next()
    if (type !== T.word && type !== T.string && type !== T.quoted) return false
    this.valueStart = scanner.start
    this.valueEnd = scanner.stop
    scanner.next()
    if (this.special === K.names && (scanner.code & KEYWORD_MASK) === K.collate) {
      const collation = scanner.next()
      if (collation !== T.word && collation !== T.string && collation !== T.quoted) return false
      this.valueEnd = scanner.stop
      scanner.next()
    }
    return endsValue(scanner.type)
  }

  private userVariable(scanner: Scanner): boolean {
    this.scope = Scope.userVariable
    this.nameStart = scanner.nameStart
    this.nameEnd = scanner.nameEnd
    scanner.next()
    return isAssignment(scanner)
  }

  private systemVariable(scanner: Scanner): boolean {
    const { buffer, start, stop } = scanner
    let dot = start + 2
    while (dot < stop && buffer[dot] !== DOT) dot++
    const scope = dot < stop ? scopeOfWord(scanner, start + 2, dot) : -1
    this.nameStart = scope >= 0 ? dot + 1 : start + 2
    this.nameEnd = stop
    this.trimQuotes(buffer)
    this.scope = scope >= 0 ? scope : Scope.session
    this.bare = scope < 0
    if (scope < 0 && isTransactionVariable(buffer, this.nameStart, this.nameEnd)) this.scope = Scope.nextTransaction
    scanner.next()
    return isAssignment(scanner)
  }

  /** Leaves the quotes around a name out of its range; those between its parts stay. */
  private trimQuotes(buffer: Uint8Array): void {
    const quote = buffer[this.nameStart]
    if ((quote !== BACKTICK && quote !== DOUBLE) || buffer[this.nameEnd - 1] !== quote) return
    this.nameStart++
    this.nameEnd--
  }

  /** NAMES, CHARSET, CHARACTER SET. */
  private nameKeyword(scanner: Scanner): boolean {
    const word = scanner.code & KEYWORD_MASK
    if (word !== K.names && word !== K.charset && word !== K.character && word !== K.char) return false
    const { start, stop } = scanner
    if (word === K.character || word === K.char) {
      scanner.next()
      if ((scanner.code & KEYWORD_MASK) !== K.set) {
        scanner.position = start
        scanner.next()
        return false
      }
    }
    this.scope = Scope.session
    this.special = word === K.names ? K.names : K.charset
    this.nameStart = start
    this.nameEnd = stop
    return true
  }

  private simpleValue(scanner: Scanner): number {
    let type = scanner.next()
    this.valueStart = scanner.start
    this.valueEnd = scanner.stop
    if (endsValue(type)) return ValueClass.none
    if (type === T.operator && isSign(scanner)) {
      if (scanner.next() !== T.number) return ValueClass.expression
      type = T.number
    }
    if (type === T.number) {
      this.valueEnd = scanner.stop
      scanner.next()
      return ValueClass.literal
    }
    const word = type === T.word ? scanner.code & KEYWORD_MASK : 0
    if (type === T.word) {
      this.valueEnd = scanner.stop
      if (scanner.next() !== T.string) return classOfWord(word)
      type = T.string
    }
    if (type === T.quoted) {
      scanner.next()
      return ValueClass.bareWord
    }
    if (type !== T.string) return ValueClass.expression
    while (scanner.type === T.string) {
      this.valueEnd = scanner.stop
      scanner.next()
    }
    return ValueClass.literal
  }
}

function classOfWord(word: number): number {
  if (word === K.default) return ValueClass.default
  return word === K.true || word === K.false || word === K.null ? ValueClass.literal : ValueClass.bareWord
}

function endsValue(type: number): boolean {
  return type === T.end || type === T.comma || type === T.semicolon
}

function isSign(scanner: Scanner): boolean {
  const byte = scanner.buffer[scanner.start]
  return byte === MINUS || byte === PLUS
}

function isAssignment(scanner: Scanner): boolean {
  return scanner.type === T.assign || (scanner.type === T.operator && scanner.buffer[scanner.start] === EQUALS)
}

function isTransactionVariable(buffer: Uint8Array, start: number, end: number): boolean {
  return TRANSACTION_VARIABLES.some((name) => equalsFolded(buffer, start, end, name))
}

/** The scope that the word names; -1: none. */
function scopeOfWord(scanner: Scanner, start: number, end: number): number {
  for (const [word, scope] of SCOPE_WORDS) if (equalsFolded(scanner.buffer, start, end, word)) return scope
  return -1
}
