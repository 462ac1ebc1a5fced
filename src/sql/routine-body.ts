import type { Analysis } from './analysis.js'
import { K } from './keywords.js'
import { T } from './scanner.js'

/**
 * Goes to the end of a CREATE or ALTER statement. The body of a routine, trigger or event keeps its semicolons while
 * a BEGIN or CASE in it is open; text that needs no DELIMITER arrives that way. A body that is a bare IF or LOOP is cut
 * at its first semicolon and so counts as several statements, which asks for more care, not less.
 */
export function skipDefinition(analysis: Analysis): void {
  const scanner = analysis.scanner
  let routine = false
  let depth = 0
  let last = 0
  for (;;) {
    const type = scanner.type
    if (type === T.end || type === T.bad || (type === T.semicolon && depth === 0)) break
    const word = type === T.word ? analysis.keyword() : 0
    if (isRoutine(word)) routine = true
    if (routine) depth += nesting(word, last)
    last = word
    scanner.next()
  }
}

function isRoutine(word: number): boolean {
  return word === K.procedure || word === K.function || word === K.trigger || word === K.event || word === K.package
}

/** END IF, END LOOP and the like close what was not counted; END CASE was counted at its END. */
function nesting(word: number, last: number): number {
  switch (word) {
    case K.begin:
    // PACKAGE name AS declarations END.
    case K.package:
      return 1
    case K.case:
      return last === K.end ? 0 : 1
    case K.end:
      return -1
    case K.if:
    case K.loop:
    case K.while:
    case K.repeat:
      return last === K.end ? 1 : 0
    default:
      return 0
  }
}
