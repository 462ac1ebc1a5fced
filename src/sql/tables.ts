import { K } from './keywords.js'
import { isWord, skipToEnd } from './names.js'
import { ALL_VERSIONS, Scanner, T } from './scanner.js'
import { plainName, TableScan } from './table-scan.js'
import type { NamingOptions } from './temporary-tables.js'
import { KEYWORD_MASK } from './words.js'

const EXISTS = Buffer.from('exists')
const UNIQUE = Buffer.from('unique')
const SPATIAL = Buffer.from('spatial')
const FULLTEXT = Buffer.from('fulltext')
const ON = Buffer.from('on')
const EXCHANGE = Buffer.from('exchange')

const scanner = new Scanner()

/**
 * Names tables of the statement in [start, end) of the buffer, as `schema.table` in lower case; names, not what is behind them: a
 * view is its own name. null: they cannot be told.
 */
export type TablesIn = (
  buffer: Uint8Array,
  start: number,
  end: number,
  options: NamingOptions,
) => readonly string[] | null

/** The tables that a query reads. null also: it is none of SELECT, TABLE, VALUES, WITH. */
export const tablesRead: TablesIn = (buffer, start, end, options) => {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  switch (nextKeyword()) {
    case K.select:
    case K.table:
    case K.values:
    case K.with:
      return allTables(options, false)
    default:
      return scanner.type === T.open ? allTables(options, false) : null
  }
}

/**
 * The tables whose rows, definition or existence a statement may change: rather too many than too few. What triggers, cascading
 * foreign keys and functions change is not told by any text. null: it could be any table.
 */
export const tablesWritten: TablesIn = (buffer, start, end, options) => {
  scanner.reset(buffer, start, end, options, ALL_VERSIONS, null)
  switch (nextKeyword()) {
    case K.insert:
    case K.replace:
      return inserted(options)
    case K.update:
      while (BEFORE_TABLE.has(nextKeyword()));
      return allTables(options, true)
    case K.delete:
      return allTables(options, false, true)
    case K.load:
      return loaded(options)
    case K.truncate:
      if (nextKeyword() === K.table) scanner.next()
      return oneTable(options)
    case K.create:
      return created(options)
    case K.drop:
      return dropped(options)
    case K.alter:
      return altered(options)
    case K.rename:
      return renamed(options)
    // Reads, or what only ends a transaction.
    case K.handler:
    case K.lock:
    case K.unlock:
    case K.flush:
      return NONE
    default:
      return null
  }
}

const NONE: readonly string[] = []
const BEFORE_TABLE: ReadonlySet<number> = new Set([K.low_priority, K.delayed, K.high_priority, K.ignore, K.into])

/** Every table that is named, from the current token on. */
function allTables({ schema }: NamingOptions, inFrom: boolean, deletes = false): readonly string[] | null {
  const scan = new TableScan(scanner, schema, deletes)
  scan.run(inFrom)
  return scan.unclear || !skipToEnd(scanner) ? null : [...scan.names]
}

function inserted(options: NamingOptions): readonly string[] | null {
  while (BEFORE_TABLE.has(nextKeyword()));
  return oneTable(options)
}

/** The table whose name is the current token; what follows is read over. */
function oneTable({ schema }: NamingOptions): readonly string[] | null {
  const name = tableName(schema)
  return name !== null && skipToEnd(scanner) ? [name] : null
}

function loaded(options: NamingOptions): readonly string[] | null {
  let word = nextKeyword()
  if (word !== K.data && word !== K.xml) return null
  while (scanner.type !== T.end && scanner.type !== T.bad) {
    const before = word
    word = nextKeyword()
    if (before === K.into && word === K.table) {
      scanner.next()
      return oneTable(options)
    }
  }
  return null
}

/** CREATE TABLE, CREATE INDEX; all else (views, triggers, schemas) may be anything. */
function created(options: NamingOptions): readonly string[] | null {
  if (nextKeyword() === K.or) {
    scanner.next()
    scanner.next()
  }
  if (keyword() === K.temporary) scanner.next()
  if (isWord(scanner, UNIQUE) || isWord(scanner, SPATIAL) || isWord(scanner, FULLTEXT)) scanner.next()
  if (keyword() === K.index) return indexed(options)
  if (keyword() !== K.table) return null
  scanner.next()
  skipCondition()
  return oneTable(options)
}

/** [CREATE | DROP] INDEX name ... ON table. */
function indexed(options: NamingOptions): readonly string[] | null {
  // Its own name may be that of a keyword.
  scanner.next()
  while (scanner.type !== T.end && scanner.type !== T.bad) {
    scanner.next()
    if (!isWord(scanner, ON)) continue
    scanner.next()
    return oneTable(options)
  }
  return null
}

function dropped(options: NamingOptions): readonly string[] | null {
  if (nextKeyword() === K.temporary) scanner.next()
  if (keyword() === K.index) return indexed(options)
  if (keyword() === K.prepare) return NONE
  if (keyword() !== K.table && keyword() !== K.tables) return null
  scanner.next()
  skipCondition()
  return namesToEnd(options, false)
}

/** The names of tables up to the statement's end, with commas between them, and TO where `withTo` allows it. */
function namesToEnd({ schema }: NamingOptions, withTo: boolean): readonly string[] | null {
  const names: string[] = []
  for (;;) {
    const name = tableName(schema)
    if (name === null) return null
    names.push(name)
    if (scanner.type !== T.comma && !(withTo && keyword() === K.to)) break
    scanner.next()
  }
  return skipToEnd(scanner) ? names : null
}

/** ALTER TABLE of one table: not RENAME, nor EXCHANGE PARTITION. */
function altered(options: NamingOptions): readonly string[] | null {
  // MariaDB: ALTER [ONLINE] [IGNORE] TABLE
  for (let i = 0; i < 3 && nextKeyword() !== K.table; i++);
  if (keyword() !== K.table) return null
  scanner.next()
  skipCondition()
  const name = tableName(options.schema)
  if (name === null) return null
  while (scanner.type !== T.end && scanner.type !== T.semicolon && scanner.type !== T.bad) {
    if (keyword() === K.rename || isWord(scanner, EXCHANGE)) return null
    scanner.next()
  }
  return skipToEnd(scanner) ? [name] : null
}

/** RENAME TABLE a TO b, ...; accounts can be renamed as well. */
function renamed(options: NamingOptions): readonly string[] | null {
  const word = nextKeyword()
  if (word !== K.table && word !== K.tables) return null
  scanner.next()
  skipCondition()
  return namesToEnd(options, true)
}

/** IF [NOT] EXISTS, which may be missing. */
function skipCondition(): void {
  if (keyword() !== K.if) return
  if (nextKeyword() === K.not) scanner.next()
  if (isWord(scanner, EXISTS)) scanner.next()
}

/** The name at the current token; the scanner stands behind it afterwards. */
function tableName(schema: string): string | null {
  const first = plainName(scanner)
  if (first === null) return null
  if (scanner.next() !== T.dot) return schema === '' ? null : `${schema.toLowerCase()}.${first}`
  scanner.next()
  const second = plainName(scanner)
  scanner.next()
  return second === null ? null : `${first}.${second}`
}

function keyword(): number {
  return scanner.code & KEYWORD_MASK
}

function nextKeyword(): number {
  scanner.next()
  return keyword()
}
