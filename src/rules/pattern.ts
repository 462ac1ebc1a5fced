import { RE2JS } from 're2js'
import type { Replacement } from './replacement.js'

/** Of the program that a pattern is compiled to; RE2's own measure of what a pattern costs. */
export const PROGRAM_SIZE_MAX = 1_000
/** In characters. Nobody writes longer ones, and a pattern is compiled whole before its size is known. */
export const PATTERN_LENGTH_MAX = 8_192
/**
 * Characters times instructions of one search at most. A step takes 10 ns at worst (measured on Node 20), so that a search
 * ends within 200 ms whatever the pattern and the text.
 */
const STEPS_MAX = 20_000_000

/** What is wrong with a pattern, as the end of a sentence that begins with `expected`. */
export class PatternError extends Error {}

/**
 * A regular expression in RE2's syntax, whose search takes time in proportion to the text: no pattern can stall a worker. It
 * is compiled with its first use.
 */
export class Pattern {
  readonly source: string
  readonly #caseless: boolean
  #compiled: RE2JS | null = null
  #lengthMax = 0

  constructor(source: string, caseless: boolean) {
    this.source = source
    this.#caseless = caseless
  }

  /** Whether it is found in a text. Of a text that is too long for it (`lengthMax`) only the beginning is searched. */
  isFoundIn(text: string): boolean {
    const compiled = this.#compile()
    return compiled.test(text.length > this.#lengthMax ? text.slice(0, this.#lengthMax) : text)
  }

  /** Characters that one search looks at. */
  get lengthMax(): number {
    this.#compile()
    return this.#lengthMax
  }

  get groupCount(): number {
    return this.#compile().groupCount()
  }

  /**
   * Replaces what is found first, or all that is found. A text that is too long for the pattern stays as it is.
   * @param lengthMax of the outcome, in characters
   * @returns null when the outcome would be longer
   */
  replace(text: string, replacement: Replacement, all: boolean, lengthMax: number): string | null {
    const compiled = this.#compile()
    if (text.length > this.#lengthMax) return text
    const matcher = compiled.matcher(text)
    let done = ''
    let from = 0
    while (matcher.find()) {
      done += text.slice(from, matcher.start()) + replacement.expand((group) => matcher.group(group) ?? '')
      from = matcher.end()
      if (done.length > lengthMax) return null
      if (!all) break
    }
    done += text.slice(from)
    return done.length > lengthMax ? null : done
  }

  /** @throws PatternError when it is none, or too large */
  check(): void {
    if (this.source.length > PATTERN_LENGTH_MAX)
      throw new PatternError(`a regular expression of at most ${PATTERN_LENGTH_MAX} characters`)
    let compiled: RE2JS
    try {
      compiled = this.#compile()
    } catch (error) {
      const reason = (error as Error).message.replace(/^error parsing regexp: /, '')
      throw new PatternError(`a regular expression in RE2's syntax (${reason})`)
    }
    if (compiled.programSize() > PROGRAM_SIZE_MAX)
      throw new PatternError(`a smaller regular expression (its program has ${compiled.programSize()} instructions)`)
  }

  #compile(): RE2JS {
    if (this.#compiled === null) {
      this.#compiled = RE2JS.compile(this.source, this.#caseless ? RE2JS.CASE_INSENSITIVE : 0)
      this.#lengthMax = Math.floor(STEPS_MAX / this.#compiled.programSize())
    }
    return this.#compiled
  }
}
