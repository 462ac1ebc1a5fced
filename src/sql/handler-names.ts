import { K } from './keywords.js'
import { endsHere, identifier, isWord, skipToEnd } from './names.js'
import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import type { LexicalOptions } from './types.js'
import { KEYWORD_MASK } from './words.js'

/** What a HANDLER statement opens or closes: the alias, or else the table's name without its schema; in lower case. */
export interface HandlerNames {
  readonly opened: string | null
  readonly closed: string | null
}

const OPEN = Buffer.from('open')
const CLOSE = Buffer.from('close')

const scanner = new Scanner()

/**
 * The handler that the statement in [start, end) of the buffer opens or closes: HANDLER t OPEN [AS a], HANDLER a CLOSE. Both
 * are null for HANDLER ... READ. null: anything else, also several statements.
 */
export function handlerNames(
  buffer: Uint8Array,
  start: number,
  end: number,
  options: LexicalOptions,
): HandlerNames | null {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  if (nextKeyword() !== K.handler) return null
  scanner.next()
  let name = alias()
  if (scanner.next() === T.dot) {
    scanner.next()
    name = alias()
    scanner.next()
  }
  if (name === null) return null
  if ((scanner.code & KEYWORD_MASK) === K.read) return skipToEnd(scanner) ? { opened: null, closed: null } : null
  if (isWord(scanner, CLOSE)) {
    scanner.next()
    return endsHere(scanner) ? { opened: null, closed: name } : null
  }
  if (!isWord(scanner, OPEN)) return null
  if (nextKeyword() === K.as) scanner.next()
  const given = alias()
  if (given !== null) scanner.next()
  return endsHere(scanner) ? { opened: given ?? name, closed: null } : null
}

/** Both flavours compare these without regard to case, also where tables differ by it. */
function alias(): string | null {
  return identifier(scanner)?.toLowerCase() ?? null
}

function nextKeyword(): number {
  scanner.next()
  return scanner.code & KEYWORD_MASK
}
