/** Text that takes the place of a match: `\0` is the match, `\1` to `\9` its groups, `\\` a backslash (as RE2's rewrite). */
export class Replacement {
  /** Texts and, between them, numbers of groups. */
  readonly #parts: readonly (string | number)[]
  /** The highest group that it names; 0: none. */
  readonly groupMax: number

  /** @throws RangeError for a backslash before anything else */
  constructor(template: string) {
    const parts: (string | number)[] = []
    let text = ''
    for (let at = 0; at < template.length; at++) {
      const character = template[at]
      if (character !== '\\') {
        text += character
        continue
      }
      const next = template[++at] ?? ''
      if (next === '\\') text += '\\'
      else if (next >= '0' && next <= '9') {
        parts.push(text, Number(next))
        text = ''
      } else throw new RangeError('a text in which \\0 to \\9 stand for groups and \\\\ for a backslash')
    }
    this.#parts = [...parts, text]
    this.groupMax = Math.max(0, ...parts.filter((part) => typeof part === 'number'))
  }

  expand(group: (number: number) => string): string {
    let all = ''
    for (const part of this.#parts) all += typeof part === 'number' ? group(part) : part
    return all
  }
}
