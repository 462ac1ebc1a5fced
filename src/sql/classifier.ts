import { Analysis } from './analysis.js'
import { C, CLASS } from './characters.js'
import { Effect, Hint, StatementKind } from './kinds.js'
import { ALL_VERSIONS, T } from './scanner.js'
import { readStatement } from './statements.js'
import type { Classified, ClassifyOptions } from './types.js'

const { empty, multi, unknown } = StatementKind

/** What may be said of a statement of which only the beginning is known. */
const KNOWN_BY_BEGINNING: ReadonlySet<number> = new Set([
  StatementKind.write,
  StatementKind.ddl,
  StatementKind.call,
  StatementKind.loadData,
  StatementKind.loadDataLocal,
  StatementKind.multi,
])

/** Says of a text what it is, does and asks for. One per worker is enough: it keeps nothing between calls. */
export class Classifier {
  private readonly analysis = new Analysis()
  private readonly result: Classified = {
    kind: unknown,
    effects: 0,
    hint: Hint.none,
    hostgroup: -1,
    perStatement: false,
    statements: 0,
    keyword: 0,
    keywordStart: -1,
    keywordEnd: -1,
    schemaStart: -1,
    schemaEnd: -1,
    argumentStart: -1,
    argumentEnd: -1,
    causalStart: -1,
    causalEnd: -1,
    consistencyStart: -1,
    consistencyEnd: -1,
    positionStart: -1,
    positionEnd: -1,
    maxLagStart: -1,
    maxLagEnd: -1,
  }

  /**
   * Classifies the statement [start, end) of the buffer. Never throws for any text. The object that it returns is
   * overwritten by the next call.
   */
  classify(buffer: Uint8Array, start: number, end: number, options: ClassifyOptions): Classified {
    const { analysis, result } = this
    this.clear()
    result.kind = this.read(buffer, start, end, options, ALL_VERSIONS)
    result.effects = analysis.effects
    if (analysis.scanner.gateCount > 0) this.readOlderVersions(buffer, start, end, options)
    if (options.backslashTrailBytes === true && hasTrailingBackslash(buffer, start, end)) this.giveUp()
    if (options.truncated && !KNOWN_BY_BEGINNING.has(result.kind)) this.giveUp()
    return result
  }

  /** One reading, in which version-gated comments up to `threshold` run. Leaves the effects in the analysis. */
  private read(buffer: Uint8Array, start: number, end: number, options: ClassifyOptions, threshold: number): number {
    const { analysis, result } = this
    const { scanner } = analysis
    scanner.reset(buffer, start, end, options, threshold, result)
    analysis.start(options)
    let kind: number = empty
    let statements = 0
    for (;;) {
      const type = scanner.next()
      if (type === T.bad) {
        statements++
        kind = analysis.giveUp()
        break
      }
      if (type === T.end) break
      if (type === T.semicolon) continue
      statements++
      if (statements === 1) {
        result.keyword = analysis.keyword()
        result.keywordStart = scanner.start
        result.keywordEnd = scanner.stop
      }
      analysis.demand = 0
      let one = readStatement(analysis, result)
      // A text that was cut is expected to break off in the middle.
      if ((analysis.malformed || scanner.type === T.bad) && !options.truncated) one = analysis.giveUp()
      kind = statements === 1 ? one : multi
      if (scanner.type !== T.semicolon) break
    }
    result.statements = Math.max(result.statements, statements)
    return kind
  }

  /**
   * The server may be older than any comment's version: reads the text as every such server would. The effects of all
   * readings hold, and of their kinds the one that asks for the most care; kinds that cannot be compared are not believed.
   */
  private readOlderVersions(buffer: Uint8Array, start: number, end: number, options: ClassifyOptions): void {
    const { analysis, result } = this
    const { gates, gateCount, gatesOverflow } = analysis.scanner
    let { kind, effects } = result
    for (let i = 0; i < gateCount; i++) {
      const older = this.read(buffer, start, end, options, (gates[i] as number) - 1)
      effects |= analysis.effects
      kind = moreCareful(kind, older)
    }
    result.kind = kind
    result.effects = effects
    if (gatesOverflow || kind === unknown) this.giveUp()
  }

  private giveUp(): void {
    this.result.kind = unknown
    this.result.effects |= Effect.leavesConnectionState
  }

  private clear(): void {
    const { result } = this
    result.hint = Hint.none
    result.hostgroup = -1
    result.perStatement = false
    result.statements = 0
    result.keyword = 0
    result.keywordStart = -1
    result.keywordEnd = -1
    result.schemaStart = -1
    result.schemaEnd = -1
    result.argumentStart = -1
    result.argumentEnd = -1
    result.causalStart = -1
    result.causalEnd = -1
    result.consistencyStart = -1
    result.consistencyEnd = -1
    result.positionStart = -1
    result.positionEnd = -1
    result.maxLagStart = -1
    result.maxLagEnd = -1
  }
}

/** Kinds in the order of the care that they ask for; other kinds cannot be compared. */
const CARE: readonly number[] = [
  StatementKind.empty,
  StatementKind.read,
  StatementKind.do,
  StatementKind.diagnostics,
  StatementKind.explainWrite,
  StatementKind.primaryRead,
  StatementKind.write,
]

function moreCareful(a: number, b: number): number {
  if (a === b || b === empty) return a
  if (a === empty) return b
  const careOfA = CARE.indexOf(a)
  const careOfB = CARE.indexOf(b)
  if (careOfA < 0 || careOfB < 0) return unknown
  return careOfA > careOfB ? a : b
}

const BACKSLASH = 0x5c

/** Whether a `\` follows a byte above ASCII: in some character sets it is then half of a character. */
function hasTrailingBackslash(buffer: Uint8Array, start: number, end: number): boolean {
  for (let at = start + 1; at < end; at++) {
    const before = buffer[at - 1] as number
    if (buffer[at] === BACKSLASH && before >= 0x80 && CLASS[before] === C.letter) return true
  }
  return false
}
