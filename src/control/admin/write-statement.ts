import { SECTION_TABLES } from '../config-store/sections.js'
import { CONFIG_TABLES, columnsOf, DATABASES, OWN_COLUMNS, RUNTIME_ONLY_TABLES, TABLES } from './engine/schema.js'
import { notSupported, readOnly, syntaxError, unknownDatabase, unknownTable } from './errors.js'
import { isPunctuation, isWord, type Token } from './tokens.js'

const VERBS = ['INSERT', 'REPLACE', 'UPDATE', 'DELETE'] as const
type Verb = (typeof VERBS)[number]

/** A statement that changes a table of the configuration. */
export interface WriteStatement {
  readonly verb: Verb
  readonly database: 'main' | 'disk'
  readonly table: string
  /** As SQLite takes it. */
  readonly tokens: readonly Token[]
}

/** null: the statement changes nothing. Throws ProxyError for a table that cannot be changed. */
export function parseWrite(tokens: readonly Token[]): WriteStatement | null {
  const at = verbAt(tokens)
  if (at === null) return null
  const verb = tokens[at].text.toUpperCase() as Verb
  const { head, rest } = readHead(verb, tokens.slice(at + 1))
  const [name, dot, second, ...others] = rest
  if (name === undefined) throw syntaxError(`expected the name of a table after ${verb}`)
  const qualified = isPunctuation(dot, '.') && second !== undefined
  const { database, table } = targetOf(qualified ? name.value : 'main', qualified ? second.value : name.value)
  const after = qualified ? others : rest.slice(1)
  refuseReturning(after)
  const target = qualified ? [name, dot, second] : [name]
  const columns = columnListFor(table, after)
  return { verb, database, table, tokens: [...tokens.slice(0, at), ...head, ...target, ...columns, ...after] }
}

/** The verb stands first, or behind WITH and its tables. */
function verbAt(tokens: readonly Token[]): number | null {
  if (isVerb(tokens[0])) return 0
  if (!isWord(tokens[0], 'WITH')) return null
  const at = outermost(tokens, (token) => isVerb(token) || isWord(token, 'SELECT') || isWord(token, 'VALUES'))
  return at >= 0 && isVerb(tokens[at]) ? at : null
}

function isVerb(token: Token | undefined): boolean {
  return VERBS.some((verb) => isWord(token, verb))
}

/** Index of the first token outside of all parentheses for which `is` holds, or -1. */
function outermost(tokens: readonly Token[], is: (token: Token) => boolean): number {
  let depth = 0
  return tokens.findIndex((token) => {
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')')) depth--
    return depth === 0 && is(token)
  })
}

/** What stands between the verb and the table: `head` with the verb, as SQLite writes it. */
function readHead(verb: Verb, tokens: readonly Token[]): { head: readonly Token[]; rest: readonly Token[] } {
  const head: Token[] = [word(verb)]
  let at = 0
  if (isWord(tokens[at], 'OR')) {
    head.push(...tokens.slice(at, at + 2))
    at += 2
  } else if (isWord(tokens[at], 'IGNORE')) {
    // MySQL's notation.
    head.push(word('OR'), word('IGNORE'))
    at++
  }
  const preposition = verb === 'DELETE' ? 'FROM' : verb === 'UPDATE' ? null : 'INTO'
  if (preposition !== null) {
    if (isWord(tokens[at], preposition)) at++
    else if (verb === 'DELETE') throw syntaxError('expected DELETE FROM and the name of a table')
    head.push(word(preposition))
  }
  return { head, rest: tokens.slice(at) }
}

function word(text: string): Token {
  return { kind: 'word', text, value: text, spaced: true }
}

function targetOf(schema: string, name: string): { database: 'main' | 'disk'; table: string } {
  const database = DATABASES.find((one) => one === schema.toLowerCase())
  if (database === undefined) throw unknownDatabase(schema, DATABASES)
  const wanted = name.toLowerCase()
  if ((database === 'main' || database === 'disk') && Object.hasOwn(CONFIG_TABLES, wanted)) {
    const table = wanted
    if (SECTION_TABLES.has(table)) return { database, table }
    throw notSupported(`Sluice has no ${table}`)
  }
  const source = /^runtime_(.+)/.exec(wanted)?.[1]
  if (source !== undefined && Object.hasOwn(CONFIG_TABLES, source)) {
    const section = SECTION_TABLES.get(source)?.[0].name ?? 'MYSQL SERVERS'
    throw readOnly(`${wanted} shows what is in force; change ${source}, then LOAD ${section} TO RUNTIME`)
  }
  const schemas = database === 'main' ? DATABASES : [database]
  const known = schemas.some((one) => Object.hasOwn(TABLES[one], wanted)) || Object.hasOwn(RUNTIME_ONLY_TABLES, wanted)
  if (known) throw readOnly(`${wanted} can only be read; expected a table of the configuration, such as mysql_servers`)
  throw unknownTable(name)
}

function refuseReturning(tokens: readonly Token[]): void {
  if (outermost(tokens, (token) => isWord(token, 'RETURNING')) >= 0) {
    throw syntaxError('expected no RETURNING; SELECT the rows afterwards')
  }
}

/** Who gives as many values as ProxySQL's table has columns means those. */
function columnListFor(table: string, after: readonly Token[]): readonly Token[] {
  const own = OWN_COLUMNS[table]
  if (own === undefined) return []
  const known = columnsOf(table).slice(0, -own)
  return countValues(after) === known.length ? [word(`(${known.join(', ')})`)] : []
}

/** How many values a row of `VALUES (...)` or `SELECT ...` has; null: something else stands there, or a `*`. */
function countValues(tokens: readonly Token[]): number | null {
  if (isWord(tokens[0], 'VALUES') && isPunctuation(tokens[1], '(')) return countItems(tokens.slice(2))
  if (!isWord(tokens[0], 'SELECT')) return null
  const from = outermost(tokens, (token) => isWord(token, 'FROM'))
  const list = from < 0 ? tokens : tokens.slice(0, from)
  return list.some((token) => isPunctuation(token, '*')) ? null : countItems(list.slice(1))
}

/** Number of items up to the parenthesis that closes them, or the end. */
function countItems(tokens: readonly Token[]): number {
  let depth = 0
  let items = 1
  for (const token of tokens) {
    if (isPunctuation(token, '(')) depth++
    else if (isPunctuation(token, ')') && --depth < 0) return items
    else if (isPunctuation(token, ',') && depth === 0) items++
  }
  return items
}
