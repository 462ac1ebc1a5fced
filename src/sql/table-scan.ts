import { identifier } from './names.js'
import { type Scanner, T } from './scanner.js'

/** What is open at one depth of parentheses. */
interface Frame {
  /** In a list of table references: behind a comma comes another one. */
  inFrom: boolean
  /** A table reference comes next. */
  expects: boolean
  /** Arguments of a function that has a FROM of its own: TRIM, EXTRACT. */
  call: boolean
  /** The body of a common table expression of the frame below. */
  body: boolean
  /** Where in a WITH clause: see `With`. */
  with: number
  recursive: boolean
  /** The common table expression that is being defined. */
  defining: string
  /** Common table expressions that can be named from here on; null: none. */
  known: Set<string> | null
}

const With = { none: 0, name: 1, definition: 2, defined: 3 } as const

/** Words that end a list of table references. Those that are no reserved words everywhere are missing: names could be lost. */
const ENDS_FROM = new Set(
  'where group having order limit union except intersect procedure into set returning'.split(' '),
)
const BEGINS_QUERY = new Set(['select', 'with', 'values'])
const WITH_OWN_FROM = new Set(['trim', 'extract', 'substring', 'substr', 'mid'])
const OPEN_BRACE = 0x7b
const DEPTH_MAX = 1000

/**
 * Gathers the names of the tables that a statement refers to, wherever they stand: in FROM lists and joins, parenthesised,
 * in sub-queries of any depth, behind TABLE. Names of common table expressions are none, where they are visible. Rather one
 * name too many than one too few: an alias of UPDATE or DELETE may be among them, or a column behind FOR UPDATE OF.
 */
export class TableScan {
  /** `schema.table` in lower case. */
  readonly names = new Set<string>()
  /** A name could not be told, or something stands where a table is expected that is not understood. */
  unclear = false
  readonly #scanner: Scanner
  readonly #schema: string
  readonly #deletes: boolean
  #frames: Frame[] = []
  #last = 0
  #lastWord = ''

  /**
   * @param schema of names without one; empty: there is none
   * @param deletes the statement is a DELETE: USING begins a list of table references
   */
  constructor(scanner: Scanner, schema: string, deletes = false) {
    this.#scanner = scanner
    this.#schema = schema
    this.#deletes = deletes
  }

  /**
   * Reads from the scanner's current token to the end of the statement.
   * @param inFrom a list of table references begins at once, as behind UPDATE
   */
  run(inFrom: boolean): void {
    const scanner = this.#scanner
    this.#frames = [newFrame(inFrom)]
    for (let type = scanner.type; type !== T.end && type !== T.semicolon; type = scanner.next()) {
      if (type === T.bad || this.#frames.length > DEPTH_MAX) this.unclear = true
      if (this.unclear) return
      this.#token(type)
      this.#last = scanner.type
    }
    if (this.#frames.length !== 1 || this.#top.expects) this.unclear = true
  }

  get #top(): Frame {
    return this.#frames[this.#frames.length - 1]!
  }

  #token(type: number): void {
    switch (type) {
      case T.open:
        return this.#open()
      case T.close:
        return this.#close()
      case T.comma:
        return this.#comma()
      case T.quoted:
        if (this.#last !== T.dot) this.#name()
        return this.#forgetWord()
      case T.word:
        return this.#word()
      case T.dot:
        return
      default:
        return this.#other()
    }
  }

  #forgetWord(): void {
    this.#lastWord = ''
  }

  #open(): void {
    const { expects, with: phase } = this.#top
    const call = !expects && WITH_OWN_FROM.has(this.#lastWord)
    const frame = newFrame(expects)
    frame.call = call
    frame.body = phase === With.definition && this.#lastWord === 'as'
    this.#top.expects = false
    this.#frames.push(frame)
    this.#lastWord = ''
  }

  #close(): void {
    const closed = this.#frames.pop()!
    if (this.#frames.length === 0 || closed.expects) {
      this.unclear = true
      return
    }
    if (closed.body) this.#defined()
    this.#lastWord = ''
  }

  #comma(): void {
    const top = this.#top
    if (top.expects) this.unclear = true
    if (top.with === With.defined) top.with = With.name
    else if (top.inFrom) top.expects = true
    this.#lastWord = ''
  }

  /** Something that is neither a name nor punctuation. */
  #other(): void {
    const scanner = this.#scanner
    const top = this.#top
    // ODBC: FROM { OJ a LEFT OUTER JOIN b ON ... }
    if (top.expects && scanner.type === T.operator && scanner.buffer[scanner.start] === OPEN_BRACE) {
      if (scanner.next() !== T.word) this.unclear = true
    } else if (top.expects) this.unclear = true
    this.#lastWord = ''
  }

  #word(): void {
    if (this.#last === T.dot) return this.#forgetWord()
    const word = wordOf(this.#scanner)
    if (!this.#withClause(word)) this.#keyword(word)
    this.#lastWord = word
  }

  #keyword(word: string): void {
    const top = this.#top
    // USE INDEX FOR ORDER BY (i)
    const ofHint = this.#lastWord === 'for'
    if (BEGINS_QUERY.has(word)) this.#beginQuery(word)
    else if (word === 'table') top.expects = true
    else if (word === 'from') {
      if (!top.call) top.inFrom = top.expects = true
    } else if (word === 'using' && this.#deletes && this.#frames.length === 1) top.inFrom = top.expects = true
    else if (word === 'join' || (word === 'straight_join' && top.inFrom)) {
      if (!ofHint) top.inFrom = top.expects = true
    } else if (top.expects) this.#name()
    else if (ENDS_FROM.has(word) && !ofHint) top.inFrom = false
  }

  /** SELECT, VALUES or WITH: what was taken for table references in parentheses is a query. */
  #beginQuery(word: string): void {
    const top = this.#top
    top.inFrom = top.expects = top.call = false
    if (word !== 'with') return
    top.with = With.name
    top.recursive = false
  }

  // WITH [RECURSIVE] name [(columns)] AS (query), ... -----------------------------------------------------------------

  /** @returns whether the word belongs to a WITH clause itself */
  #withClause(word: string): boolean {
    const top = this.#top
    switch (top.with) {
      case With.name:
        if (word === 'recursive') top.recursive = true
        else this.#defining(word)
        return true
      case With.definition:
        if (word === 'as') return true
        // WITH ROLLUP and its like.
        top.with = With.none
        return false
      case With.defined:
        if (BEGINS_QUERY.has(word) || word === 'table') top.with = With.none
        return false
      default:
        return false
    }
  }

  #defining(name: string): void {
    const top = this.#top
    top.defining = name
    top.with = With.definition
    if (top.recursive) this.#know(name)
  }

  /** From here on the name stands for the expression; inside of its own body it did not, unless it is recursive. */
  #defined(): void {
    const top = this.#top
    this.#know(top.defining)
    top.with = With.defined
  }

  #know(name: string): void {
    this.#top.known ??= new Set()
    this.#top.known.add(name)
  }

  #isKnown(name: string): boolean {
    return this.#frames.some(({ known }) => known?.has(name) === true)
  }

  // Names. ---------------------------------------------------------------------------------------------------------------

  /** Takes the current token, and what is joined to it by dots, for a table where one is expected. */
  #name(): void {
    const top = this.#top
    if (top.with === With.name) {
      const name = plainName(this.#scanner)
      if (name === null) this.unclear = true
      else this.#defining(name)
      return
    }
    if (!top.expects) return
    const first = plainName(this.#scanner)
    if (first === 'lateral' && this.#isFollowedBy(T.open)) return
    top.expects = false
    const second = this.#isFollowedBy(T.dot) ? this.#secondPart() : ''
    if (first === null || second === null) this.unclear = true
    else if (second !== '') this.names.add(`${first}.${second}`)
    else this.#unqualified(first)
  }

  #secondPart(): string | null {
    this.#scanner.next()
    this.#scanner.next()
    return plainName(this.#scanner)
  }

  #unqualified(name: string): void {
    // A function that makes rows: JSON_TABLE(...).
    if (name === 'dual' || this.#isKnown(name) || this.#isFollowedBy(T.open)) return
    if (this.#schema === '') this.unclear = true
    else this.names.add(`${this.#schema.toLowerCase()}.${name}`)
  }

  #isFollowedBy(wanted: number): boolean {
    const scanner = this.#scanner
    const { position, start, stop, type, code, nameStart, nameEnd } = scanner
    const next = scanner.next()
    scanner.position = position
    scanner.start = start
    scanner.stop = stop
    scanner.type = type
    scanner.code = code
    scanner.nameStart = nameStart
    scanner.nameEnd = nameEnd
    return next === wanted
  }
}

function newFrame(inFrom: boolean): Frame {
  return {
    inFrom,
    expects: inFrom,
    call: false,
    body: false,
    with: With.none,
    recursive: false,
    defining: '',
    known: null,
  }
}

function wordOf({ buffer, start, stop }: Scanner): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, stop - start)
    .toString('latin1')
    .toLowerCase()
}

/**
 * The identifier that is the current token, in lower case; null: there is none, or one whose letters depend on the
 * character set. Whether names differ by their case depends on the server; here they never do.
 */
export function plainName(scanner: Scanner): string | null {
  const name = identifier(scanner)
  return name === null || !/^[\x20-\x7e]+$/.test(name) ? null : name.toLowerCase()
}
