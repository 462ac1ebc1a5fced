import { Cursor } from './cursor.js'
import { Demand, FUNCTION_EFFECTS } from './function-effects.js'
import { K } from './keywords.js'
import { Effect } from './kinds.js'
import { T } from './scanner.js'
import { demandOfTable } from './server-tables.js'
import { isGlobal, specialVariable } from './system-variables.js'
import type { ClassifyOptions } from './types.js'
import {
  FUNCTION_EFFECT_MASK,
  FUNCTION_EFFECT_SHIFT,
  FUNCTION_MARIADB,
  FUNCTION_MYSQL,
  GRAMMAR_FUNCTION,
  KEYWORD_MASK,
  NO_BLANK_BEFORE_PAREN,
  NOT_CALL_MARIADB,
  NOT_CALL_MYSQL,
  WORD_EFFECT,
} from './words.js'

/** Where a scan stops besides the end of the statement. */
export const Stop = {
  statement: 0,
  /** After the parenthesis that closes the one before the scan. */
  close: 1,
  /** Before a comma outside of parentheses. */
  comma: 2,
} as const

/** Keywords behind which a name is that of an alias, a table, a variable or a procedure. */
const NOT_BEFORE_CALL: ReadonlySet<number> = new Set([K.as, K.into, K.table, K.procedure])

/**
 * Walks over the tokens of one statement and gathers what they mean wherever they stand: effects, and where the
 * statement must run for their sake. Keeps just enough of the past to tell a function call from its look-alikes.
 */
export class Analysis extends Cursor {
  private notCall = 0
  private isFunction = 0
  /** The row of a function whose meaning depends on whether it has arguments; -1: none is open. */
  private openCall = -1

  // The name that is being read: `a`, `a.b`, `a.b.c`.
  private parts = 0
  private qualifierStart = 0
  private qualifierEnd = 0
  private nameQuoted = false
  /** Type and keyword of the token before the name. */
  private beforeType = 0
  private beforeWord = 0
  // The last token, and the keyword of the one before it.
  private lastType = 0
  private lastWord = 0
  private lastCode = 0
  private lastStart = 0
  private lastStop = 0
  private olderWord = 0

  override start(options: ClassifyOptions): void {
    super.start(options)
    const mariadb = options.flavor === 'mariadb'
    this.notCall = mariadb ? NOT_CALL_MARIADB : NOT_CALL_MYSQL
    this.isFunction = mariadb ? FUNCTION_MARIADB : FUNCTION_MYSQL
  }

  /**
   * Scans expressions and clauses up to the stop. Afterwards the scanner stands on the token that stopped it: the end,
   * a semicolon, the closing parenthesis or the comma.
   */
  scan(stop: number): void {
    const scanner = this.scanner
    let depth = 0
    this.forget()
    for (;;) {
      const type = scanner.next()
      if (this.openCall >= 0) this.closeCall(type)
      switch (type) {
        case T.end:
        case T.semicolon:
        case T.bad:
          if (depth !== 0) this.malformed = true
          return
        case T.word:
          this.word()
          break
        case T.quoted:
          this.name(true)
          break
        case T.open:
          depth++
          if (this.lastType === T.word || this.lastType === T.quoted) this.parenthesisAfterName()
          break
        case T.close:
          if (depth === 0) {
            if (stop !== Stop.close) this.malformed = true
            else return
          } else depth--
          break
        case T.comma:
          if (stop === Stop.comma && depth === 0) return
          break
        case T.userVariable:
          this.userVariable()
          break
        case T.systemVariable:
          this.systemVariable()
          break
        case T.assign:
          if (this.lastType === T.userVariable) this.setsUserVariable()
          break
      }
      this.remember(type)
    }
  }

  private forget(): void {
    this.parts = 0
    this.lastType = T.end
    this.lastWord = 0
    this.lastCode = 0
    this.lastStop = -1
    this.olderWord = 0
    this.openCall = -1
  }

  private remember(type: number): void {
    const scanner = this.scanner
    this.olderWord = this.lastWord
    this.lastType = type
    this.lastCode = scanner.code
    this.lastWord = type === T.word ? scanner.code & KEYWORD_MASK : 0
    this.lastStart = scanner.start
    this.lastStop = scanner.stop
  }

  private name(quoted: boolean): void {
    const scanner = this.scanner
    if (this.lastType === T.dot && this.parts > 0) {
      if (this.parts === 1) this.qualifiedName(quoted)
      this.parts++
    } else {
      this.parts = 1
      this.qualifierStart = quoted ? scanner.nameStart : scanner.start
      this.qualifierEnd = quoted ? scanner.nameEnd : scanner.stop
      this.beforeType = this.lastType
      this.beforeWord = this.lastWord
    }
    this.nameQuoted = quoted
  }

  /** The second part of `a.b`: of a column mostly, or a table of which only one server can tell. */
  private qualifiedName(quoted: boolean): void {
    const { buffer, nameStart, nameEnd, start, stop } = this.scanner
    const from = quoted ? nameStart : start
    const demand = demandOfTable(buffer, this.qualifierStart, this.qualifierEnd, from, quoted ? nameEnd : stop)
    if (demand === Demand.none) return
    if (demand === Demand.last) this.effects |= Effect.readsDiagnostics
    this.demandAtLeast(demand)
  }

  private word(): void {
    this.name(false)
    const code = this.scanner.code
    if (code === 0) return
    if (this.lastType === T.dot) {
      this.sequenceColumn(code)
      return
    }
    if ((code & WORD_EFFECT) !== 0) this.effects |= FUNCTION_EFFECTS[rowOf(code)]!.with
    switch (code & KEYWORD_MASK) {
      case K.update:
      case K.share:
        if (this.lastWord === K.for) this.locks()
        break
      case K.in:
        if (this.lastWord === K.lock) this.locks()
        break
      case K.outfile:
      case K.dumpfile:
        if (this.lastWord === K.into) {
          this.effects |= Effect.intoFile
          this.demandAtLeast(Demand.primary)
        }
        break
      case K.sql_calc_found_rows:
        this.effects |= Effect.sqlCalcFoundRows
        break
      case K.for:
        if (this.lastWord === K.value) this.sequenceValue()
        break
    }
  }

  private locks(): void {
    this.effects |= Effect.lockingRead
    this.demandAtLeast(Demand.primary)
  }

  /** NEXT VALUE FOR, PREVIOUS VALUE FOR. */
  private sequenceValue(): void {
    if (this.olderWord !== K.next && this.olderWord !== K.previous) return
    this.effects |= Effect.sequence
    this.demandAtLeast(this.olderWord === K.next ? Demand.write : Demand.primary)
  }

  /** `s.nextval`, `s.currval`: sequences in MariaDB's Oracle mode, which the text does not show. */
  private sequenceColumn(code: number): void {
    if (this.options.flavor !== 'mariadb') return
    const word = code & KEYWORD_MASK
    if (word !== K.nextval && word !== K.currval) return
    this.effects |= Effect.sequence
    this.demandAtLeast(Demand.write)
  }

  private userVariable(): void {
    // `'app'@'host'` is an account.
    const touches = this.lastStop === this.scanner.start
    if (touches && (this.lastType === T.string || this.lastType === T.word || this.lastType === T.quoted)) return
    if (this.lastWord === K.into) this.setsUserVariable()
    else this.effects |= Effect.readsUserVariable
  }

  private systemVariable(): void {
    const { buffer, start, nameStart, nameEnd } = this.scanner
    const special = specialVariable(buffer, nameStart, nameEnd)
    if (special !== undefined) {
      this.effects |= special.effects
      this.demandAtLeast(special.demand)
      if (special.tellsServer) return
    }
    this.effects |= Effect.readsSystemVariable
    if (isGlobal(buffer, start, nameStart)) this.demandAtLeast(Demand.primary)
  }

  /** An opening parenthesis behind a name: a call, or one of the many things that look like it. */
  private parenthesisAfterName(): void {
    const code = this.lastCode
    if (this.lastType === T.word && this.parts === 1) {
      if ((code & this.notCall) !== 0) return
      if ((code & this.isFunction) !== 0 && !this.blankMatters(code)) {
        this.builtIn(code)
        return
      }
    }
    if (this.cannotBeCall()) return
    if (this.parts === 1 && this.isColumnList()) return
    this.storedFunction()
  }

  private blankMatters(code: number): boolean {
    if ((code & NO_BLANK_BEFORE_PAREN) === 0 || this.lastStop === this.scanner.start) return false
    return this.options.ignoreSpace !== true
  }

  /** A call follows an operator, a keyword, a comma or an opening parenthesis; never a value or a name. */
  private cannotBeCall(): boolean {
    switch (this.beforeType) {
      case T.close:
      case T.string:
      case T.number:
      case T.quoted:
      case T.placeholder:
      case T.userVariable:
      case T.systemVariable:
        return true
      case T.word:
        return NOT_BEFORE_CALL.has(this.beforeWord)
      default:
        return false
    }
  }

  /** `name (a, b) AS (` in a WITH clause. */
  private isColumnList(): boolean {
    if (this.beforeType !== T.comma && this.beforeWord !== K.with && this.beforeWord !== K.recursive) return false
    const scanner = this.scanner
    const { position, start, stop, type, code } = scanner
    let next = scanner.next()
    while (next === T.word || next === T.quoted || next === T.comma) next = scanner.next()
    const found = next === T.close && scanner.next() === T.word && this.keyword() === K.as && scanner.next() === T.open
    scanner.position = position
    scanner.start = start
    scanner.stop = stop
    scanner.type = type
    scanner.code = code
    return found
  }

  private builtIn(code: number): void {
    const row = rowOf(code)
    if (row === 0) return
    this.openCall = row
    this.demandAtLeast(FUNCTION_EFFECTS[row]!.demand)
  }

  private closeCall(next: number): void {
    const effect = FUNCTION_EFFECTS[this.openCall]!
    this.effects |= next === T.close ? effect.without : effect.with
    this.openCall = -1
  }

  private storedFunction(): void {
    const { buffer } = this.scanner
    const start = this.nameQuoted ? this.lastStart + 1 : this.lastStart
    const stop = this.nameQuoted ? this.lastStop - 1 : this.lastStop
    if (this.nameQuoted && this.parts === 1 && this.quotedBuiltIn(start, stop)) return
    // What a stored function answers may change with time, whatever it is declared.
    this.effects |= Effect.nonDeterministic
    if (this.parts <= 2) {
      const name = textOf(buffer, start, stop).toLowerCase()
      const schema = this.parts === 2 ? textOf(buffer, this.qualifierStart, this.qualifierEnd) : this.options.schema
      if (this.options.catalogue.readsAtMost(schema, name)) return
    }
    this.effects |= Effect.unknownFunction
    this.demandAtLeast(Demand.write)
  }

  /** A native function may be called by its name in quotes. */
  private quotedBuiltIn(start: number, stop: number): boolean {
    const code = this.scanner.lookUp(start, stop)
    if ((code & this.isFunction) === 0 || (code & GRAMMAR_FUNCTION) !== 0) return false
    this.builtIn(code)
    return true
  }
}

function rowOf(code: number): number {
  return (code & FUNCTION_EFFECT_MASK) >> FUNCTION_EFFECT_SHIFT
}

function textOf(buffer: Uint8Array, start: number, stop: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, stop - start).toString('utf8')
}
