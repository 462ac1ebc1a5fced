import { type Scanner, T } from './scanner.js'
import { equalsFolded } from './system-variables.js'

/* Names and ends of statements, for the readers of what a statement creates, takes or opens. */

const REPLACEMENT = '\ufffd'
const DOUBLE = 0x22

/** Whether the current token is the word, in any case of letters. `word`: lower case. */
export function isWord(scanner: Scanner, word: Uint8Array): boolean {
  return scanner.type === T.word && equalsFolded(scanner.buffer, scanner.start, scanner.stop, word)
}

/** The identifier that is the current token, without its quotes; null: it is none, or no name that could be compared. */
export function identifier(scanner: Scanner): string | null {
  if (scanner.type !== T.word && scanner.type !== T.quoted) return null
  const name = textOf(scanner, scanner.nameStart, scanner.nameEnd)
  if (name === null || scanner.type === T.word) return name
  const doubled = scanner.buffer[scanner.start] === DOUBLE ? '""' : '``'
  return name.replaceAll(doubled, doubled.charAt(0))
}

/** [start, end) of the scanner's buffer; null when it is empty or no UTF-8, so that two names could look alike. */
export function textOf(scanner: Scanner, start: number, end: number): string | null {
  const { buffer } = scanner
  const text = Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString('utf8')
  return text === '' || text.includes(REPLACEMENT) ? null : text
}

/** Whether nothing but one semicolon follows, the current token included, and nothing before depended on the version. */
export function endsHere(scanner: Scanner): boolean {
  if (scanner.type === T.semicolon) scanner.next()
  return scanner.type === T.end && scanner.gateCount === 0
}

/** Goes to the end of the statement; see {@link endsHere}. */
export function skipToEnd(scanner: Scanner): boolean {
  let { type } = scanner
  while (type !== T.end && type !== T.semicolon && type !== T.bad) type = scanner.next()
  return endsHere(scanner)
}
