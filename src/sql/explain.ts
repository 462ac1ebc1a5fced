import type { Analysis } from './analysis.js'
import { Stop } from './analysis.js'
import { K } from './keywords.js'
import { StatementKind } from './kinds.js'
import { T } from './scanner.js'
import type { Classified } from './types.js'

const { explainWrite, primaryRead, read, show, unknown, write } = StatementKind

/** Reads the statement that is explained, whose first token is the scanner's current one. */
type Explained = (analysis: Analysis, result: Classified) => number

const EXPLAINABLE: ReadonlySet<number> = new Set([
  K.select,
  K.table,
  K.values,
  K.with,
  K.insert,
  K.replace,
  K.update,
  K.delete,
])

/**
 * What follows EXPLAIN, DESCRIBE, DESC, or MariaDB's ANALYZE: options, then a statement or a table. `runs`: the
 * statement is executed, as EXPLAIN ANALYZE does.
 */
export function explainKind(analysis: Analysis, result: Classified, runs: boolean, explained: Explained): number {
  const scanner = analysis.scanner
  let executes = runs
  for (;;) {
    const type = scanner.next()
    const word = analysis.keyword()
    if (analysis.atEnd()) return analysis.giveUp()
    if (type === T.open || EXPLAINABLE.has(word)) return ofStatement(explained(analysis, result), executes)
    if (word === K.analyze) executes = true
    else if (word === K.into && scanner.next() === T.userVariable) analysis.setsUserVariable()
    else if (word === K.for) {
      const what = analysis.nextKeyword()
      if (what === K.connection) {
        analysis.skip()
        return show
      }
      if (what !== K.schema && what !== K.database) return analysis.giveUp()
      scanner.next()
    } else if (!option(analysis, word)) return ofTable(analysis)
  }
}

/** FORMAT = x, EXTENDED, PARTITIONS; any other word is a table's name. */
function option(analysis: Analysis, word: number): boolean {
  const scanner = analysis.scanner
  const { start } = scanner
  if (word === K.format) {
    if (scanner.next() === T.operator) {
      scanner.next()
      return true
    }
  } else if (word === K.extended || word === K.partitions) {
    scanner.next()
    if (!analysis.atEnd()) {
      scanner.unread()
      return true
    }
  }
  scanner.position = start
  scanner.next()
  return false
}

function ofTable(analysis: Analysis): number {
  const { type } = analysis.scanner
  if (type !== T.word && type !== T.quoted) return analysis.giveUp()
  analysis.scan(Stop.statement)
  return analysis.readKind(read)
}

/** A plan alone changes nothing, but for a write it is the primary's that is asked for. */
function ofStatement(kind: number, executes: boolean): number {
  if (executes || kind === unknown) return kind
  return kind === write || kind === primaryRead ? explainWrite : kind
}
