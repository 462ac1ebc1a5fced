import { Demand } from './function-effects.js'
import { Effect, StatementKind } from './kinds.js'
import { Scanner, T } from './scanner.js'
import type { Classified, ClassifyOptions } from './types.js'
import { KEYWORD_MASK } from './words.js'

/** A place in a statement, and what has been learned of it on the way. */
export class Cursor {
  readonly scanner = new Scanner()
  /** A mask of `Effect`. */
  effects = 0
  /** A `Demand`, of the statement that is being read. */
  demand = 0
  /** A string or comment did not end, or parentheses did not match. */
  malformed = false
  options!: ClassifyOptions

  /** Begins with a text; the scanner is set on it already. */
  start(options: ClassifyOptions): void {
    this.options = options
    this.effects = 0
    this.demand = Demand.none
    this.malformed = false
  }

  demandAtLeast(demand: number): void {
    if (demand > this.demand) this.demand = demand
  }

  /** The keyword of the current token; 0 when it is no word or none that matters. */
  keyword(): number {
    return this.scanner.code & KEYWORD_MASK
  }

  /** Moves to the next token and returns its keyword; 0 when it has none. */
  nextKeyword(): number {
    this.scanner.next()
    return this.scanner.code & KEYWORD_MASK
  }

  /** Whether the current token ends the statement. */
  atEnd(): boolean {
    const type = this.scanner.type
    return type === T.end || type === T.semicolon || type === T.bad
  }

  /** Goes to the end of the statement without looking at what it says. */
  skip(): void {
    let type = this.scanner.type
    while (type !== T.end && type !== T.semicolon && type !== T.bad) type = this.scanner.next()
  }

  /** Consumes a table's or routine's name, so that a parenthesis after it is not taken for a call. */
  skipName(): void {
    const scanner = this.scanner
    while (scanner.type === T.word || scanner.type === T.quoted) {
      if (scanner.next() !== T.dot) return
      scanner.next()
    }
  }

  /** Goes to the end of the text: the semicolons of a compound statement separate nothing that we could tell apart. */
  skipCompound(): void {
    let type = this.scanner.type
    while (type !== T.end && type !== T.bad) type = this.scanner.next()
    this.effects |= Effect.leavesConnectionState
  }

  /** Goes to the end of a statement that is not understood. */
  giveUp(): number {
    this.skip()
    this.effects |= Effect.leavesConnectionState
    return StatementKind.unknown
  }

  /** The kind of something that is harmless by itself, after all of it was scanned. */
  readKind(harmless: number): number {
    switch (this.demand) {
      case Demand.write:
        return StatementKind.write
      case Demand.primary:
        return StatementKind.primaryRead
      case Demand.last:
        return StatementKind.diagnostics
      default:
        return harmless
    }
  }

  /** Takes the current token, when it is a name or a number, for the statement's argument. */
  argument(result: Classified): boolean {
    const { scanner } = this
    if (scanner.type !== T.word && scanner.type !== T.quoted && scanner.type !== T.number) return false
    const quoted = scanner.type === T.quoted
    result.argumentStart = quoted ? scanner.nameStart : scanner.start
    result.argumentEnd = quoted ? scanner.nameEnd : scanner.stop
    return true
  }

  setsUserVariable(): void {
    this.effects |= Effect.setsUserVariable
    this.demandAtLeast(Demand.primary)
  }
}
