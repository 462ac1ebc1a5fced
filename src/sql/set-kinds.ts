import { type Analysis, Stop } from './analysis.js'
import { Demand } from './function-effects.js'
import { K } from './keywords.js'
import { Effect, StatementKind } from './kinds.js'
import { type Scanner, T } from './scanner.js'
import { Scope, SetTarget, ValueClass } from './set-target.js'
import { equalsFolded, isOfOneConnection } from './system-variables.js'
import { accessMode, WRONG } from './transactions.js'

const { ddl, set, setTransaction } = StatementKind

const AUTOCOMMIT = Buffer.from('autocommit')
const TIMESTAMP = Buffer.from('timestamp')
const TRACKED_VARIABLES = Buffer.from('session_track_system_variables')
const OFF_WORDS = ['0', 'off', 'false', "'0'", "'off'", '"0"', '"off"'].map((text) => Buffer.from(text))
const ON_WORDS = ['1', 'on', 'true', "'1'", "'on'", '"1"', '"on"'].map((text) => Buffer.from(text))

const target = new SetTarget()

/** SET in all its forms, save MariaDB's SET STATEMENT. The scanner's current token is the one behind SET. */
export function setKind(analysis: Analysis): number {
  const scanner = analysis.scanner
  const word = analysis.keyword()
  switch (word) {
    case K.password:
      analysis.skip()
      analysis.effects |= Effect.implicitCommit
      return ddl
    case K.role:
    case K.resource:
      analysis.skip()
      analysis.effects |= Effect.setsSessionState | Effect.leavesConnectionState
      return set
    case K.default:
      if (analysis.nextKeyword() !== K.role) return analysis.giveUp()
      analysis.skip()
      analysis.effects |= Effect.implicitCommit
      return ddl
    case K.transaction:
      return transaction(analysis, setTransaction, 0)
    case K.global:
    case K.session:
    case K.local: {
      const { start } = scanner
      if (analysis.nextKeyword() === K.transaction) {
        return transaction(analysis, set, word === K.global ? Effect.setsGlobal : Effect.setsSessionState)
      }
      scanner.position = start
      scanner.next()
    }
  }
  return assignments(analysis)
}

/** [ISOLATION LEVEL level] [, READ ONLY | READ WRITE] in any order. */
function transaction(analysis: Analysis, kind: number, effects: number): number {
  let modes = effects
  do {
    const word = analysis.nextKeyword()
    if (word === K.read) modes |= accessMode(analysis)
    else if (word !== K.isolation || analysis.nextKeyword() !== K.level || !isolationLevel(analysis)) modes |= WRONG
    if ((modes & WRONG) !== 0) return analysis.giveUp()
  } while (analysis.scanner.next() === T.comma)
  if (!analysis.atEnd()) return analysis.giveUp()
  analysis.effects |= modes
  return kind
}

function isolationLevel(analysis: Analysis): boolean {
  const word = analysis.nextKeyword()
  if (word === K.serializable) return true
  const second = analysis.nextKeyword()
  if (word === K.repeatable) return second === K.read
  return word === K.read && (second === K.committed || second === K.uncommitted)
}

function assignments(analysis: Analysis): number {
  const scanner = analysis.scanner
  let onlyNextTransaction = true
  target.begin()
  for (;;) {
    if (!target.read(scanner)) return analysis.giveUp()
    if (target.scope !== Scope.nextTransaction) onlyNextTransaction = false
    if (target.special !== 0) {
      analysis.effects |= Effect.setsSessionState | Effect.setsNames
      if (!target.readNames(scanner)) return analysis.giveUp()
    } else if (!assignment(analysis, scanner)) return analysis.giveUp()
    if (scanner.type !== T.comma) break
    scanner.next()
  }
  if (!analysis.atEnd()) return analysis.giveUp()
  return onlyNextTransaction ? setTransaction : set
}

function assignment(analysis: Analysis, scanner: Scanner): boolean {
  const { scope } = target
  const value = target.readValue(scanner)
  if (value === ValueClass.none) return false
  const literal = value === ValueClass.literal
  if (value === ValueClass.expression || (scope === Scope.userVariable && !literal)) {
    if (value !== ValueClass.expression) return false
    analysis.scan(Stop.comma)
  }
  if (scope === Scope.userVariable) {
    analysis.effects |= literal ? Effect.setsUserVariableLiteral : Effect.setsUserVariable
    if (!literal) analysis.demandAtLeast(Demand.primary)
  } else if (scope === Scope.session) {
    analysis.effects |= Effect.setsSessionState
    if (isNamed(scanner, AUTOCOMMIT)) autocommit(analysis, value)
    // No server tells what the timestamp became, and MariaDB tells it of no `@@name` without a scope. A server that is told
    // what to track tells nothing else from then on.
    const untold = value === ValueClass.expression && (target.bare || isNamed(scanner, TIMESTAMP))
    const stays = untold || isNamed(scanner, TRACKED_VARIABLES)
    if (stays || isOfOneConnection(scanner.buffer, target.nameStart, target.nameEnd)) {
      analysis.effects |= Effect.leavesConnectionState
    }
  } else if (scope !== Scope.nextTransaction) analysis.effects |= Effect.setsGlobal
  return true
}

function isNamed(scanner: Scanner, name: Uint8Array): boolean {
  return equalsFolded(scanner.buffer, target.nameStart, target.nameEnd, name)
}

function autocommit(analysis: Analysis, value: number): void {
  if (value === ValueClass.expression || value === ValueClass.default) return
  const { buffer } = analysis.scanner
  const is = (word: Uint8Array): boolean => equalsFolded(buffer, target.valueStart, target.valueEnd, word)
  if (OFF_WORDS.some(is)) analysis.effects |= Effect.setsAutocommit0
  else if (ON_WORDS.some(is)) analysis.effects |= Effect.setsAutocommit1
}
