import { syntaxError } from './errors.js'

/**
 * Tokens of an admin statement. The dialect is SQLite's with what MySQL clients add: back-ticks, `#` comments,
 * `/*!40101 ... *\/` whose content counts, `@@variables`. A backslash is a plain character (the greeting's status says
 * NO_BACKSLASH_ESCAPES, as ProxySQL's regular expressions need it); a quote within a text is doubled.
 */
export type TokenKind =
  /** A name or keyword without quotes. */
  | 'word'
  /** In back-ticks or brackets: a name. */
  | 'quoted'
  /** In double quotes: a name where one exists, else a text. */
  | 'double'
  /** In single quotes. */
  | 'string'
  | 'number'
  /** `@@name`; `value` is the name in lower case without its scope. */
  | 'variable'
  /** `?` */
  | 'parameter'
  | 'punctuation'

export interface Token {
  readonly kind: TokenKind
  /** As written. */
  readonly text: string
  /** Without quotes. */
  readonly value: string
  /** Whether a blank or a comment stands in front of it. */
  readonly spaced: boolean
}

/** Longest statement in characters. The engine's own limit is far higher than what a person or a tool sends. */
export const STATEMENT_LENGTH_MAX = 1 << 20

const BLANK = /[\s\0]/
const WORD_START = /[A-Za-z_\u0080-\uffff]/
const WORD_PART = /[A-Za-z0-9_$\u0080-\uffff]/
const NUMBER = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/
/** Dashes belong to the names of ProxySQL's variables (`mysql-max_connections`). */
const VARIABLE = /^@@(?:(?:global|session|local)\.)?((?:mysql|admin)-[\w-]+|[\w.$]+)/i
const CLOSING: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '[': ']' }
const QUOTED_KINDS: Readonly<Record<string, TokenKind>> = { "'": 'string', '"': 'double', '`': 'quoted', '[': 'quoted' }
const OPERATORS = ['<=>', '->>', '||', '<=', '>=', '<>', '!=', '==', '<<', '>>', '->', ':=']

/** Tokens of one statement, closing semicolons taken off. Throws ProxyError (1064) for what cannot be one. */
export function scan(sql: string): readonly Token[] {
  if (sql.length > STATEMENT_LENGTH_MAX)
    throw syntaxError(`expected a statement of at most ${STATEMENT_LENGTH_MAX} characters`)
  const tokens = new Scanner(sql).all()
  let end = tokens.length
  while (end > 0 && isPunctuation(tokens[end - 1], ';')) end--
  const statement = tokens.slice(0, end)
  if (statement.some((token) => isPunctuation(token, ';'))) throw syntaxError('expected one statement at a time')
  checkParentheses(statement)
  return statement
}

/** Queries become sub-queries, which a stray parenthesis must not close. */
function checkParentheses(tokens: readonly Token[]): void {
  let open = 0
  for (const token of tokens) {
    if (isPunctuation(token, '(')) open++
    else if (isPunctuation(token, ')') && --open < 0)
      throw syntaxError('expected no closing parenthesis that nothing opened')
  }
  if (open > 0) throw syntaxError('expected a closing parenthesis')
}

export function isPunctuation(token: Token | undefined, text: string): boolean {
  return token?.kind === 'punctuation' && token.text === text
}

/** Whether the token is this keyword (given in upper case) in any case, without quotes. */
export function isWord(token: Token | undefined, keyword: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === keyword
}

class Scanner {
  private readonly sql: string
  private readonly tokens: Token[] = []
  private at = 0
  private spaced = false
  private inVersionComment = false

  constructor(sql: string) {
    this.sql = sql
  }

  all(): Token[] {
    while (this.at < this.sql.length) {
      if (!this.skipped()) this.take()
    }
    return this.tokens
  }

  /** Blanks and comments. */
  private skipped(): boolean {
    const before = this.at
    const rest = this.sql.slice(this.at, this.at + 3)
    if (BLANK.test(rest[0])) this.at++
    else if (rest[0] === '#' || /^--(\s|$)/.test(rest)) this.at = this.after('\n', this.sql.length)
    else if (rest.startsWith('/*!') || rest === '/*M') this.openVersionComment()
    else if (rest.startsWith('/*')) this.at = this.after('*/')
    else if (this.inVersionComment && rest.startsWith('*/')) {
      this.inVersionComment = false
      this.at += 2
    }
    if (this.at === before) return false
    this.spaced = true
    return true
  }

  /** MariaDB's form is `/*M!`; `/*M` alone begins a plain comment. */
  private openVersionComment(): void {
    const opening = /^\/\*M?!\d*/.exec(this.sql.slice(this.at, this.at + 16))
    if (opening === null) {
      this.at = this.after('*/')
      return
    }
    this.at += opening[0].length
    this.inVersionComment = true
  }

  private take(): void {
    const character = this.sql[this.at]
    const rest = this.sql.slice(this.at, this.at + 96)
    if (character in CLOSING) this.takeQuoted(character)
    else if (rest.startsWith('@@')) this.takeVariable(rest)
    else if (character === '?') this.push('parameter', 1)
    else if (WORD_START.test(character)) this.push('word', this.lengthOfWord())
    else if (NUMBER.test(rest)) this.push('number', (NUMBER.exec(rest) as RegExpExecArray)[0].length)
    else if (character === '@' || character === '$' || character === ':') this.refuseName(character)
    else this.push('punctuation', OPERATORS.find((operator) => rest.startsWith(operator))?.length ?? 1)
  }

  private takeQuoted(open: string): void {
    const close = CLOSING[open]
    let end = this.at + 1
    for (;;) {
      end = this.sql.indexOf(close, end)
      if (end < 0) throw syntaxError(`expected a closing ${close} for the one at position ${this.at + 1}`)
      if (this.sql[end + 1] !== close || open === '[') break
      end += 2
    }
    const inner = this.sql.slice(this.at + 1, end)
    this.push(QUOTED_KINDS[open], end + 1 - this.at, open === '[' ? inner : inner.replaceAll(close + close, close))
  }

  private takeVariable(rest: string): void {
    const match = VARIABLE.exec(rest)
    if (match === null) throw syntaxError('expected the name of a variable after @@')
    this.push('variable', match[0].length, match[1].toLowerCase())
  }

  /** SQLite would take these for parameters, and an unbound parameter is NULL: a wrong answer in place of an error. */
  private refuseName(character: string): never {
    const name = character + this.sql.slice(this.at + 1, this.at + 1 + this.lengthOfWord(this.at + 1))
    throw syntaxError(`expected no user variable or named parameter here, found "${name}"`)
  }

  private lengthOfWord(from = this.at): number {
    let end = from
    while (end < this.sql.length && WORD_PART.test(this.sql[end])) end++
    return end - from
  }

  private push(kind: TokenKind, length: number, value = this.sql.slice(this.at, this.at + length)): void {
    const text = this.sql.slice(this.at, this.at + length)
    this.tokens.push({ kind, text, value, spaced: this.spaced })
    this.spaced = false
    this.at += length
  }

  /** Position after the next `mark`. */
  private after(mark: string, otherwise?: number): number {
    const found = this.sql.indexOf(mark, this.at)
    if (found >= 0) return found + mark.length
    if (otherwise !== undefined) return otherwise
    throw syntaxError(`expected ${mark} to close the comment at position ${this.at + 1}`)
  }
}
