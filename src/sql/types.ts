/** Tells what is known of stored functions (information_schema.ROUTINES). */
export interface FunctionCatalogue {
  /** Whether the function exists and is declared to read at most. `schema` as written, `name` in lower case. */
  readsAtMost(schema: string, name: string): boolean
}

/** A catalogue that knows no function: every function that is not built in counts as one that writes. */
export const EMPTY_CATALOGUE: FunctionCatalogue = { readsAtMost: () => false }

/** What the tokenizer must know of the session to cut a text as the server will. */
export interface LexicalOptions {
  flavor: 'mysql' | 'mariadb'
  /** sql_mode has ANSI_QUOTES: `"x"` is an identifier. */
  ansiQuotes: boolean
  /** sql_mode has NO_BACKSLASH_ESCAPES: `\` in a string is an ordinary character. */
  noBackslashEscapes: boolean
}

export interface ClassifyOptions extends LexicalOptions {
  /** The text is only the beginning of the statement; it is never taken for a read. */
  truncated: boolean
  /** The session's schema, for function names without one. */
  schema: string
  catalogue: FunctionCatalogue
  /** sql_mode has IGNORE_SPACE: `COUNT (*)` calls the built-in function. Default false. */
  ignoreSpace?: boolean
  /**
   * The client's character set has characters whose second byte is that of `\` (big5, cp932, gb18030, gbk, sjis).
   * A text in which that could change where a string ends is not understood. Default false.
   */
  backslashTrailBytes?: boolean
}

/** What a statement is, does and asks for. Offsets are into the classified buffer, -1 where there is no such thing. */
export interface Classified {
  /** A `StatementKind`. */
  kind: number
  /** A mask of `Effect`. */
  effects: number
  /** A `Hint`. */
  hint: number
  /** Of `hostgroup=N` in a comment; -1: none. */
  hostgroup: number
  /** MariaDB's SET STATEMENT ... FOR: the variables it names are set back when the statement ends. */
  perStatement: boolean
  /** How many statements the text has; 0 for an empty one. */
  statements: number
  /** The first word's number among the keywords; 0: it is none. */
  keyword: number
  /** The first word. */
  keywordStart: number
  keywordEnd: number
  /** USE: the schema, without its quotes (a doubled quote inside stays doubled). */
  schemaStart: number
  schemaEnd: number
  /** KILL: the id when it is a number. PREPARE, EXECUTE, DEALLOCATE, SAVEPOINT: the name, without its quotes. */
  argumentStart: number
  argumentEnd: number
  /** Of `causal=KEY` in a comment. */
  causalStart: number
  causalEnd: number
  /** Of `consistency=LEVEL` in a comment. */
  consistencyStart: number
  consistencyEnd: number
  /** Of `position=GTIDS` in a comment. */
  positionStart: number
  positionEnd: number
  /** Of `max_lag=TIME` in a comment. */
  maxLagStart: number
  maxLagEnd: number
}

/** One assignment of a SET statement. */
export interface SetAssignment {
  scope: 'session' | 'global' | 'persist' | 'persist_only' | 'user_variable' | 'next_transaction'
  /** Lower case, today's name (`tx_isolation` is `transaction_isolation`); user variables without the `@`. */
  name: string
  /**
   * The value's SQL text as it was written; empty for `DEFAULT`-less specials without one. That of a user variable has each
   * byte as the character of that code: it is in the client's character set.
   */
  valueText: string
  /** The value is a literal, a bare word such as ON, or DEFAULT: it can be replayed on another connection. */
  literal: boolean
  special?: 'names' | 'charset' | 'default'
}
