import { isPunctuation, type Token } from './tokens.js'

/**
 * Shapes of admin commands, as the manual prints them: `SHOW [FULL] PROCESSLIST`, `SHOW {DATABASES|SCHEMAS} ...`,
 * `KILL [CONNECTION|QUERY] <id>`. Upper-case words stand for themselves in any case, `[]` may be missing, `{}` is a choice,
 * `<x>` takes one token, and a closing `...` takes what is left.
 */
export interface Pattern {
  readonly source: string
  /** null: the statement is another one. */
  match(tokens: readonly Token[]): Match | null
}

export interface Match {
  /** Tokens of `<x>` by name, and the keyword of `[A|B]` or `{A|B}` that was there, in upper case. */
  readonly taken: ReadonlyMap<string, Token>
  readonly keywords: readonly string[]
  /** What `...` took. */
  readonly rest: readonly Token[]
}

interface Step {
  readonly kind: 'words' | 'one' | 'rest'
  readonly words: readonly string[]
  readonly optional: boolean
}

export function pattern(source: string): Pattern {
  const steps = source.split(' ').map(parseStep)
  return { source, match: (tokens) => matchSteps(steps, tokens) }
}

function parseStep(text: string): Step {
  if (text === '...') return { kind: 'rest', words: [], optional: true }
  if (text.startsWith('<')) return { kind: 'one', words: [text.slice(1, -1)], optional: false }
  const optional = text.startsWith('[')
  const inner = optional || text.startsWith('{') ? text.slice(1, -1) : text
  return { kind: 'words', words: inner.split('|'), optional }
}

function matchSteps(steps: readonly Step[], tokens: readonly Token[]): Match | null {
  const taken = new Map<string, Token>()
  const keywords: string[] = []
  let at = 0
  for (const step of steps) {
    if (step.kind === 'rest') return { taken, keywords, rest: tokens.slice(at) }
    const token: Token | undefined = tokens[at]
    const keyword = token?.kind === 'word' || isPunctuation(token, '(') ? token.text.toUpperCase() : undefined
    if (step.kind === 'one' && token !== undefined) taken.set(step.words[0], token)
    else if (step.kind === 'words' && keyword !== undefined && step.words.includes(keyword)) keywords.push(keyword)
    else if (step.optional) continue
    else return null
    at++
  }
  return at === tokens.length ? { taken, keywords, rest: [] } : null
}
