import { K } from './keywords.js'
import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import { Scope, SetTarget, ValueClass } from './set-target.js'
import type { LexicalOptions, SetAssignment } from './types.js'
import { KEYWORD_MASK } from './words.js'

const SCOPE_NAME: readonly SetAssignment['scope'][] = [
  'session',
  'global',
  'persist',
  'persist_only',
  'user_variable',
  'next_transaction',
]

/** Names that a variable had, or still has on the other flavour. */
const CANONICAL: ReadonlyMap<string, string> = new Map([
  ['tx_isolation', 'transaction_isolation'],
  ['tx_read_only', 'transaction_read_only'],
])

/** SET PASSWORD, SET ROLE, SET DEFAULT ROLE, SET RESOURCE GROUP, SET STATEMENT. */
const NOT_ASSIGNMENTS: ReadonlySet<number> = new Set([K.password, K.role, K.default, K.resource, K.statement])

const scanner = new Scanner()
const target = new SetTarget()

/**
 * The assignments of a SET statement in [start, end) of the buffer, in their order; null when the text is anything but
 * one plain SET (comments whose running depends on the server's version are not plain). SET TRANSACTION gives the
 * variables that it stands for: `transaction_isolation` with a text such as `'READ-COMMITTED'`, `transaction_read_only`
 * with 0 or 1. SET PASSWORD, ROLE, RESOURCE GROUP and STATEMENT are not assignments: null.
 */
export function parseSet(
  buffer: Uint8Array,
  start: number,
  end: number,
  options: LexicalOptions,
): SetAssignment[] | null {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  scanner.next()
  if (keyword() !== K.set) return null
  const first = nextKeyword()
  if (NOT_ASSIGNMENTS.has(first)) return null
  const found = setTransaction(first) ?? assignments()
  if (found === null || found.length === 0 || scanner.gateCount > 0) return null
  if (scanner.type === T.semicolon) scanner.next()
  return scanner.type === T.end ? found : null
}

function keyword(): number {
  return scanner.code & KEYWORD_MASK
}

function nextKeyword(): number {
  scanner.next()
  return keyword()
}

function assignments(): SetAssignment[] | null {
  const found: SetAssignment[] = []
  target.begin()
  for (;;) {
    if (!target.read(scanner)) return null
    const one = target.special === 0 ? variable() : names()
    if (one === null) return null
    found.push(one)
    if (scanner.type !== T.comma) return found
    scanner.next()
  }
}

function variable(): SetAssignment | null {
  const scope = SCOPE_NAME[target.scope] as SetAssignment['scope']
  const name = nameOf(target)
  const value = target.readValue(scanner)
  const ofUser = target.scope === Scope.userVariable
  if (name === '' || value === ValueClass.none) return null
  if (value === ValueClass.expression) {
    if (!skipExpression()) return null
    return { scope, name, valueText: textOf(target.valueStart, target.valueEnd), literal: false }
  }
  if (ofUser && value !== ValueClass.literal) return null
  const valueText = textOf(target.valueStart, target.valueEnd, ofUser ? 'latin1' : 'utf8')
  if (value === ValueClass.default) return { scope, name, valueText, literal: true, special: 'default' }
  return { scope, name, valueText, literal: true }
}

function names(): SetAssignment | null {
  const special = target.special === K.names ? 'names' : 'charset'
  if (!target.readNames(scanner)) return null
  const name = special === 'names' ? 'names' : 'character set'
  return { scope: 'session', name, valueText: textOf(target.valueStart, target.valueEnd), literal: true, special }
}

/** Goes to the comma or end behind an expression; its text is then the target's value. False: it is malformed. */
function skipExpression(): boolean {
  let depth = 0
  let type = scanner.next()
  target.valueStart = scanner.start
  while (type !== T.end && type !== T.semicolon && (type !== T.comma || depth > 0)) {
    if (type === T.open) depth++
    else if (type === T.close) depth--
    if (type === T.bad || depth < 0) return false
    target.valueEnd = scanner.stop
    type = scanner.next()
  }
  return depth === 0 && target.valueEnd > target.valueStart
}

/**
 * SET [scope] TRANSACTION; null: it is no such statement, and the scanner stands where it stood. An empty list: it is
 * one that is not understood.
 */
function setTransaction(first: number): SetAssignment[] | null {
  const { start } = scanner
  const scope = first === K.global ? 'global' : first === K.transaction ? 'next_transaction' : 'session'
  const scoped = first === K.global || first === K.session || first === K.local
  if ((scoped ? nextKeyword() : first) !== K.transaction) {
    scanner.position = start
    scanner.next()
    return null
  }
  const found: SetAssignment[] = []
  do {
    const one = characteristic(scope)
    if (one === null) return []
    found.push(one)
  } while (scanner.next() === T.comma)
  return found
}

/** What stands behind TRANSACTION or a comma; null: not understood. */
function characteristic(scope: SetAssignment['scope']): SetAssignment | null {
  const word = nextKeyword()
  if (word === K.read) {
    const mode = nextKeyword()
    if (mode !== K.only && mode !== K.write) return null
    return { scope, name: 'transaction_read_only', valueText: mode === K.only ? '1' : '0', literal: true }
  }
  if (word !== K.isolation || nextKeyword() !== K.level) return null
  const level = isolationLevel()
  return level === '' ? null : { scope, name: 'transaction_isolation', valueText: `'${level}'`, literal: true }
}

function isolationLevel(): string {
  const first = nextKeyword()
  if (first === K.serializable) return 'SERIALIZABLE'
  const second = nextKeyword()
  if (first === K.repeatable && second === K.read) return 'REPEATABLE-READ'
  if (first !== K.read) return ''
  return second === K.committed ? 'READ-COMMITTED' : second === K.uncommitted ? 'READ-UNCOMMITTED' : ''
}

function nameOf(from: SetTarget): string {
  const name = textOf(from.nameStart, from.nameEnd).replace(/[`"]/g, '').toLowerCase()
  return from.scope === Scope.userVariable ? name : (CANONICAL.get(name) ?? name)
}

function textOf(start: number, end: number, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  const { buffer } = scanner
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString(encoding)
}
