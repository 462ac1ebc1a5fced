import { syntaxError } from '../errors.js'
import { sqlText } from '../sql-text.js'
import { isWord, type Token } from '../tokens.js'

/** `LIKE` of SHOW commands knows the backslash as escape, as in MySQL. */
const ESCAPE = "ESCAPE '\\'"

/**
 * The end of a SHOW command, `[LIKE 'pattern' | WHERE condition]`, as a condition on its result, whose column `column` is
 * the one that LIKE means.
 */
export function showFilter(rest: readonly Token[], column: string): string {
  if (rest.length === 0) return ''
  if (isWord(rest[0], 'LIKE') && rest.length === 2 && (rest[1].kind === 'string' || rest[1].kind === 'double')) {
    return `WHERE ${column} LIKE '${rest[1].value.replaceAll("'", "''")}' ${ESCAPE}`
  }
  if (isWord(rest[0], 'WHERE') && rest.length > 1) return `WHERE ${sqlText(rest.slice(1))}`
  throw syntaxError(`expected LIKE 'pattern', WHERE condition or the end of the statement at "${rest[0].text}"`)
}
