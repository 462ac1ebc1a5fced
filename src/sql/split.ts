import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import type { LexicalOptions } from './types.js'

/** The statements of a text between its semicolons, without empty ones; null: a string or comment does not end. */
export function splitStatements(text: string, options: LexicalOptions): string[] | null {
  const buffer = Buffer.from(text)
  const scanner = new Scanner()
  scanner.reset(buffer, 0, buffer.length, options, ALL_VERSIONS, null)
  const found: string[] = []
  let start = -1
  let end = 0
  for (let type = scanner.next(); ; type = scanner.next()) {
    if (type === T.bad) return null
    if (type === T.semicolon || type === T.end) {
      if (start >= 0) found.push(buffer.toString('utf8', start, end))
      start = -1
      if (type === T.end) return found
    } else {
      if (start < 0) start = scanner.start
      end = scanner.stop
    }
  }
}
