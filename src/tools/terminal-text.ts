/** Characters that take two columns of a terminal: East Asian wide ones and emoji (Unicode Standard Annex 11). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u
/** Characters that are drawn over the one before them. */
const NO_WIDTH = /[\p{Mn}\p{Me}\u200b-\u200f\u2060\ufeff]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
const PLAIN = /^[\u0020-\u007e]*$/

/** Columns that a text takes in a terminal. It holds no control characters. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const character of text) width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/**
 * A text that cannot move the cursor, change colours or turn the direction of writing: what clients send ends up here, and
 * is shown to an administrator. Control characters become `\n`, `\t` or `\u{1b}`.
 */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replace(CONTROL, escaped)
}

function escaped(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  if (character === '\r') return '\\r'
  return `\\u{${character.codePointAt(0)!.toString(16)}}`
}

/** Cut to `width` columns; what is cut ends with `…`. */
export function clip(text: string, width: number): string {
  if (width <= 0) return ''
  if (PLAIN.test(text)) return text.length <= width ? text : `${text.slice(0, width - 1)}…`
  if (displayWidth(text) <= width) return text
  let kept = ''
  let used = 0
  for (const character of text) {
    used += displayWidth(character)
    if (used > width - 1) break
    kept += character
  }
  return `${kept}…`
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text
}
