import { K } from './keywords.js'
import { endsHere, identifier, isWord, textOf } from './names.js'
import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import type { LexicalOptions } from './types.js'
import { KEYWORD_MASK } from './words.js'

/**
 * What a statement asks of advisory locks. To be applied in this order: all released, taken, released. A lock that is taken
 * twice has to be released twice (manual, "Locking Functions").
 */
export interface AdvisoryLocks {
  /**
   * Once for each GET_LOCK; whether it got the lock only its answer tells. In lower case for MySQL, to which `a` and `A` are
   * one lock; MariaDB compares bytes.
   */
  readonly taken: readonly string[]
  readonly released: readonly string[]
  readonly allReleased: boolean
}

const GET_LOCK = 'get_lock'
const RELEASE_LOCK = 'release_lock'
const RELEASE_ALL_LOCKS = 'release_all_locks'
const LOCK_FUNCTIONS: ReadonlySet<string> = new Set([GET_LOCK, RELEASE_LOCK, RELEASE_ALL_LOCKS])

/** With one of these an expression may be evaluated more than once, or not at all. */
const REPEATING: readonly Buffer[] =
  'select from where group having order limit union except intersect window qualify procedure benchmark with for lock'
    .split(' ')
    .map((word) => Buffer.from(word))
const FROM = Buffer.from('from')
const DUAL = Buffer.from('dual')
/** Functions that evaluate their first argument once, whatever it is. */
const WRAPPERS: ReadonlySet<string> = new Set(['if', 'ifnull', 'coalesce'])

const scanner = new Scanner()

/**
 * The advisory locks that the statement in [start, end) of the buffer takes and releases: SELECT or DO with a list of calls
 * of GET_LOCK, RELEASE_LOCK and RELEASE_ALL_LOCKS, among other expressions. null: a name is no plain literal, or it cannot be
 * told whether each call is evaluated exactly once (a table is read, a condition stands before it), or in which order.
 */
export function advisoryLocks(
  buffer: Uint8Array,
  start: number,
  end: number,
  options: LexicalOptions,
): AdvisoryLocks | null {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  scanner.next()
  const first = scanner.code & KEYWORD_MASK
  if (first !== K.select && first !== K.do) return null
  scanner.next()
  const locks = new LockList()
  while (item(locks, options)) {
    if (scanner.type !== T.comma) return onlyDualFollows() ? locks : null
    scanner.next()
  }
  return null
}

/** What has been found so far. */
class LockList implements AdvisoryLocks {
  taken: string[] = []
  released: string[] = []
  allReleased = false

  /** @returns false when the calls' order would have to be known */
  take(name: string): boolean {
    this.taken.push(name)
    return !this.released.includes(name)
  }

  release(name: string): void {
    this.released.push(name)
  }

  releaseAll(): void {
    this.taken = []
    this.released = []
    this.allReleased = true
  }
}

/**
 * Reads one expression of the list, up to the comma, FROM or end behind it. Only a call that is evaluated before all else
 * in it is sure to be.
 * @returns false when it is not understood
 */
function item(locks: LockList, options: LexicalOptions): boolean {
  let depth = 0
  let atFirst = true
  let name = ''
  for (;;) {
    const { type } = scanner
    if (type === T.open) {
      if (LOCK_FUNCTIONS.has(name)) {
        if (!atFirst || !call(name, locks, options)) return false
        atFirst = false
        name = ''
        continue
      }
      depth++
      atFirst &&= name === '' || WRAPPERS.has(name)
      name = ''
    } else if (type === T.word || type === T.quoted) {
      if (depth === 0 && isWord(scanner, FROM)) return true
      if (repeats()) return false
      // A qualified name is a stored function's.
      atFirst &&= name === ''
      name = (identifier(scanner) ?? '?').toLowerCase()
    } else {
      if (type === T.bad) return false
      if ((type === T.comma && depth === 0) || type === T.end || type === T.semicolon) return depth === 0
      if (type === T.close && --depth < 0) return false
      atFirst = false
      name = ''
    }
    scanner.next()
  }
}

/** Reads the arguments of a call, from its parenthesis to the token behind it. */
function call(name: string, locks: LockList, options: LexicalOptions): boolean {
  scanner.next()
  if (name === RELEASE_ALL_LOCKS) {
    locks.releaseAll()
    return closes()
  }
  const lock = literal(options)
  if (lock === null) return false
  scanner.next()
  if (name === GET_LOCK) return scanner.type === T.comma && skipArgument() && locks.take(lock)
  locks.release(lock)
  return closes()
}

function closes(): boolean {
  if (scanner.type !== T.close) return false
  scanner.next()
  return true
}

/** The lock's name; null: no plain literal. */
function literal({ flavor, noBackslashEscapes }: LexicalOptions): string | null {
  if (scanner.type !== T.string) return null
  const text = textOf(scanner, scanner.nameStart, scanner.nameEnd)
  if (text === null || (!noBackslashEscapes && text.includes('\\'))) return null
  const quote = String.fromCharCode(scanner.buffer[scanner.start] as number)
  const name = text.replaceAll(quote + quote, quote)
  return flavor === 'mysql' ? name.toLowerCase() : name
}

/** The timeout, whatever it is, and the parenthesis behind it. */
function skipArgument(): boolean {
  let depth = 1
  while (depth > 0) {
    const type = scanner.next()
    if (type === T.end || type === T.semicolon || type === T.bad || repeats()) return false
    if (type === T.open) depth++
    else if (type === T.close) depth--
    else if (LOCK_FUNCTIONS.has(identifier(scanner)?.toLowerCase() ?? '')) return false
  }
  scanner.next()
  return true
}

function repeats(): boolean {
  return REPEATING.some((word) => isWord(scanner, word))
}

function onlyDualFollows(): boolean {
  if (isWord(scanner, FROM)) {
    scanner.next()
    if (!isWord(scanner, DUAL)) return false
    scanner.next()
  }
  return endsHere(scanner)
}
