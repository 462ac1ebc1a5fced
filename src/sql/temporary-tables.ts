import { K } from './keywords.js'
import { endsHere, identifier, isWord, skipToEnd } from './names.js'
import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import type { LexicalOptions } from './types.js'
import { KEYWORD_MASK } from './words.js'

/** What a statement does to temporary tables and sequences, as `schema.name`. */
export interface TemporaryTables {
  /** Creates them, where they are not there yet. */
  readonly created: readonly string[]
  /** Drops them, where they are there; they may as well be ordinary tables. */
  readonly dropped: readonly string[]
}

export interface NamingOptions extends LexicalOptions {
  /** The session's schema, of names without one; empty: there is none. */
  readonly schema: string
}

const EXISTS = Buffer.from('exists')
const SEQUENCE = Buffer.from('sequence')
const WAIT = Buffer.from('wait')
/** What may stand behind the names of DROP TABLE; the last one is MariaDB's. */
const BEHIND_NAMES = ['restrict', 'cascade', 'nowait'].map((word) => Buffer.from(word))
const NOTHING: TemporaryTables = { created: [], dropped: [] }

const scanner = new Scanner()

/**
 * The temporary tables that the statement in [start, end) of the buffer creates or drops: CREATE [OR REPLACE] TEMPORARY
 * TABLE, DROP [TEMPORARY] TABLE, the same of MariaDB's sequences, and ALTER TABLE without RENAME, which does neither. null:
 * anything else, also several statements, or a name that cannot be told; a temporary table may have got another name.
 *
 * Names have the letters that were written: whether `T` and `t` are two tables depends on the server
 * (`lower_case_table_names`), and one that looks as if it were still there does less harm than one that looks dropped.
 */
export function temporaryTables(
  buffer: Uint8Array,
  start: number,
  end: number,
  options: NamingOptions,
): TemporaryTables | null {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  switch (nextKeyword()) {
    case K.create:
      return created(options)
    case K.drop:
      return dropped(options)
    case K.alter:
      return altered()
    default:
      return null
  }
}

function created(options: NamingOptions): TemporaryTables | null {
  if (nextKeyword() === K.or) {
    if (nextKeyword() !== K.replace) return null
    scanner.next()
  }
  if (keyword() !== K.temporary) return null
  scanner.next()
  if (!isTableOrSequence(options, false)) return null
  scanner.next()
  if (!skipCondition(K.not)) return null
  const name = tableName(options.schema)
  return name !== null && skipToEnd(scanner) ? { created: [name], dropped: [] } : null
}

function dropped(options: NamingOptions): TemporaryTables | null {
  if (nextKeyword() === K.temporary) scanner.next()
  if (!isTableOrSequence(options, true)) return null
  scanner.next()
  if (!skipCondition(0)) return null
  const names: string[] = []
  for (;;) {
    const name = tableName(options.schema)
    if (name === null) return null
    names.push(name)
    if (scanner.type !== T.comma) break
    scanner.next()
  }
  skipModifiers()
  return endsHere(scanner) ? { created: [], dropped: names } : null
}

function altered(): TemporaryTables | null {
  if (nextKeyword() !== K.table) return null
  while (scanner.type !== T.end && scanner.type !== T.semicolon && scanner.type !== T.bad) {
    if (nextKeyword() === K.rename) return null
  }
  return endsHere(scanner) ? NOTHING : null
}

function isTableOrSequence({ flavor }: NamingOptions, several: boolean): boolean {
  if (keyword() === K.table || (several && keyword() === K.tables)) return true
  return flavor === 'mariadb' && isWord(scanner, SEQUENCE)
}

/** IF [NOT] EXISTS, which may be missing. False: something else begins with IF. */
function skipCondition(not: number): boolean {
  if (keyword() !== K.if) return true
  scanner.next()
  if (not !== 0) {
    if (keyword() !== not) return false
    scanner.next()
  }
  if (!isWord(scanner, EXISTS)) return false
  scanner.next()
  return true
}

/** RESTRICT and CASCADE, which mean nothing, and MariaDB's WAIT n and NOWAIT. */
function skipModifiers(): void {
  for (;;) {
    if (isWord(scanner, WAIT)) {
      if (scanner.next() !== T.number) return
    } else if (!BEHIND_NAMES.some((word) => isWord(scanner, word))) return
    scanner.next()
  }
}

/** `table` or `schema.table`; null: no name, or one with a dot inside, which could be taken for two. */
function tableName(schema: string): string | null {
  const first = identifier(scanner)
  if (first === null) return null
  if (scanner.next() !== T.dot) return joined(schema, first)
  scanner.next()
  const second = identifier(scanner)
  scanner.next()
  return second === null ? null : joined(first, second)
}

function joined(schema: string, table: string): string | null {
  return schema === '' || schema.includes('.') || table.includes('.') ? null : `${schema}.${table}`
}

function keyword(): number {
  return scanner.code & KEYWORD_MASK
}

function nextKeyword(): number {
  scanner.next()
  return keyword()
}
