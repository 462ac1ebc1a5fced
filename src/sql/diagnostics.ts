import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import type { LexicalOptions } from './types.js'

const scanner = new Scanner()
const EQUALS = 0x3d

/**
 * The user variables that a GET DIAGNOSTICS in [start, end) of the buffer sets, in lower case without their @, each once. The
 * number of a condition may be a variable too; it is only read.
 */
export function diagnosticsTargets(buffer: Buffer, start: number, end: number, options: LexicalOptions): string[] {
  const names = new Set<string>()
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  let type = scanner.next()
  while (type !== T.end && type !== T.semicolon && type !== T.bad) {
    if (type !== T.userVariable) {
      type = scanner.next()
      continue
    }
    const name = buffer.toString('utf8', scanner.nameStart, scanner.nameEnd).toLowerCase()
    type = scanner.next()
    if (buffer[scanner.start] === EQUALS && type !== T.end) names.add(name)
  }
  return [...names]
}
