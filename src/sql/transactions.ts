import type { Analysis } from './analysis.js'
import { K } from './keywords.js'
import { Effect, StatementKind } from './kinds.js'
import { T } from './scanner.js'
import type { Classified } from './types.js'

/** Stands for "not understood" among effects, where leaving state on the connection cannot be meant. */
export const WRONG = Effect.leavesConnectionState

const { begin, beginReadOnly, commit, rollback, savepoint, unknown, write, admin } = StatementKind

/** BEGIN [WORK]; with anything else behind it a compound statement (BEGIN NOT ATOMIC, Oracle mode). */
export function beginStatement(analysis: Analysis): number {
  let word = analysis.nextKeyword()
  if (word === K.work) word = analysis.nextKeyword()
  if (analysis.atEnd()) return begin
  analysis.skipCompound()
  return word === K.not ? write : unknown
}

/** START TRANSACTION with its characteristics in any order; START REPLICA and the like. */
export function startStatement(analysis: Analysis): number {
  if (analysis.nextKeyword() !== K.transaction) {
    analysis.skip()
    analysis.effects |= Effect.implicitCommit
    return admin
  }
  let modes = 0
  do {
    const word = analysis.nextKeyword()
    if (analysis.atEnd() && modes === 0) return begin
    if (word === K.read) modes |= accessMode(analysis)
    else if (word === K.with) modes |= snapshot(analysis)
    else return analysis.giveUp()
    if ((modes & WRONG) !== 0) return analysis.giveUp()
  } while (analysis.scanner.next() === T.comma)
  if (!analysis.atEnd() || (modes & BOTH_MODES) === BOTH_MODES) return analysis.giveUp()
  analysis.effects |= modes
  return (modes & Effect.readOnlyTransaction) !== 0 ? beginReadOnly : begin
}

const BOTH_MODES = Effect.readOnlyTransaction | Effect.readWriteTransaction

/** What stands behind READ: the effect, or `WRONG`. */
export function accessMode(analysis: Analysis): number {
  const word = analysis.nextKeyword()
  if (word === K.only) return Effect.readOnlyTransaction
  return word === K.write ? Effect.readWriteTransaction : WRONG
}

function snapshot(analysis: Analysis): number {
  if (analysis.nextKeyword() !== K.consistent) return WRONG
  return analysis.nextKeyword() === K.snapshot ? Effect.consistentSnapshot : WRONG
}

export function commitStatement(analysis: Analysis): number {
  const word = analysis.nextKeyword()
  return completion(analysis, word === K.work ? analysis.nextKeyword() : word) ? commit : analysis.giveUp()
}

/** ROLLBACK, and ROLLBACK TO SAVEPOINT. */
export function rollbackStatement(analysis: Analysis, result: Classified): number {
  let word = analysis.nextKeyword()
  if (word === K.work) word = analysis.nextKeyword()
  if (word === K.to) {
    if (analysis.nextKeyword() === K.savepoint) analysis.scanner.next()
    return savepointName(analysis, result)
  }
  return completion(analysis, word) ? rollback : analysis.giveUp()
}

/** [AND [NO] CHAIN] [[NO] RELEASE] */
function completion(analysis: Analysis, first: number): boolean {
  let word = first
  if (word === K.and) {
    word = analysis.nextKeyword()
    const no = word === K.no
    if (no) word = analysis.nextKeyword()
    if (word !== K.chain) return false
    if (!no) analysis.effects |= Effect.chain
    word = analysis.nextKeyword()
  }
  const no = word === K.no
  if (no) word = analysis.nextKeyword()
  if (word === K.release) {
    if (!no) analysis.effects |= Effect.release
    analysis.scanner.next()
  } else if (no) return false
  return analysis.atEnd()
}

export function savepointStatement(analysis: Analysis, result: Classified): number {
  analysis.scanner.next()
  return savepointName(analysis, result)
}

export function releaseStatement(analysis: Analysis, result: Classified): number {
  if (analysis.nextKeyword() !== K.savepoint) return analysis.giveUp()
  analysis.scanner.next()
  return savepointName(analysis, result)
}

function savepointName(analysis: Analysis, result: Classified): number {
  if (!analysis.argument(result)) return analysis.giveUp()
  analysis.scanner.next()
  return analysis.atEnd() ? savepoint : analysis.giveUp()
}
