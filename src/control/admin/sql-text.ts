import { bodyColumns, DATABASES, TABLES } from './engine/schema.js'
import { unknownVariable } from './errors.js'
import { systemVariable } from './system-variables.js'
import { isPunctuation, isWord, type Token } from './tokens.js'

/** Names of all tables of the port, in lower case. */
export const TABLE_NAMES: ReadonlySet<string> = new Set(DATABASES.flatMap((database) => Object.keys(TABLES[database])))

const KNOWN_NAMES = new Set([...DATABASES, ...TABLE_NAMES, ...columnNames()])

function columnNames(): string[] {
  const bodies = DATABASES.flatMap((database) => Object.values(TABLES[database]))
  return bodies.flatMap((body) => bodyColumns(body).map((name) => name.toLowerCase()))
}

/**
 * The statement as SQLite reads it: comments are gone, `@@name` is its value, and `"x"` is a text unless something here
 * has that name (MySQL takes double quotes for a text, SQLite for a name; ProxySQL's SQLite takes what fits).
 * @param variables values of `mysql-*` and `admin-*`, asked for when one is named
 */
export function sqlText(tokens: readonly Token[], variables: () => ReadonlyMap<string, string> = noVariables): string {
  const aliases = new Set(
    tokens.filter((_, at) => isWord(tokens[at - 1], 'AS')).map((token) => token.value.toLowerCase()),
  )
  return tokens
    .map((token, at) => (token.spaced && at > 0 ? ' ' : '') + textOf(tokens, at, aliases, variables))
    .join('')
}

function textOf(
  tokens: readonly Token[],
  at: number,
  aliases: ReadonlySet<string>,
  variables: () => ReadonlyMap<string, string>,
): string {
  const token = tokens[at]
  if (token.kind === 'variable') {
    const value = systemVariable(token.value) ?? variables().get(token.value)
    if (value === undefined) throw unknownVariable(token.value)
    return quoteText(value) + (isWholeColumn(tokens, at) ? ` AS ${quoteName(token.text)}` : '')
  }
  if (token.kind !== 'double') return token.text
  const name = token.value.toLowerCase()
  return KNOWN_NAMES.has(name) || aliases.has(name) ? quoteName(token.value) : quoteText(token.value)
}

/** Whether the variable stands alone in the select list, where its own text is the name of the column. */
function isWholeColumn(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]
  const after = tokens[at + 1]
  const begins = isWord(before, 'SELECT') || isPunctuation(before, ',')
  return begins && (after === undefined || isPunctuation(after, ',') || isWord(after, 'FROM') || isWord(after, 'LIMIT'))
}

/** Tables that the statement names, in lower case. SQLite takes a text in quotes for a name where only a name can stand. */
export function tablesNamed(tokens: readonly Token[]): Set<string> {
  const names = tokens.filter((token) => token.kind !== 'number' && token.kind !== 'punctuation')
  return new Set(names.map((token) => token.value.toLowerCase()).filter((name) => TABLE_NAMES.has(name)))
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function noVariables(): ReadonlyMap<string, string> {
  return new Map()
}
