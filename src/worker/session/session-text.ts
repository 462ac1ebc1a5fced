import { Capability, Command, collationById, encodeQuery, queryTextOffset } from '../../../protocol/index.js'
import { type ClassifyOptions, Effect, verbOf } from '../../sql/index.js'
import { hasWishes, type Wishes, wishesOf, wishesOfExecute, wishesOfQuery } from '../consistency/wishes.js'
import type { WorkerContext } from '../context.js'
import { isRepeatable } from '../routing/router.js'
import type { SessionState } from '../state/session-state.js'
import { PREPARED_TEXT_AT, type SharedStatement } from '../statements/shared-statement.js'
import type { StatementDigest } from '../statistics/digests.js'
import type { CommandInHand } from './command.js'

/** Character sets in which the second byte of a character can be that of a backslash. */
const BACKSLASH_TRAIL = new Set(['big5', 'cp932', 'gb18030', 'gbk', 'sjis'])

/** What a worker has for reading texts. */
export type TextContext = Pick<WorkerContext, 'view' | 'classifier' | 'classifyOptions' | 'digests'>

/** Reads the text of a session's statements as the server will read it: by its sql_mode, character set and schema. */
export class SessionText {
  readonly #context: TextContext
  readonly #state: SessionState
  #capabilities: number
  /** The state's version for which the three facts below were found. */
  #version = -1
  #sqlMode = ''
  #ignoreSpace = false
  #autoIsNull = false
  #backslashTrailBytes = false

  /** MariaDB's extended capabilities, as negotiated with the client. */
  readonly mariadbCapabilities: number

  constructor(context: TextContext, state: SessionState, capabilities: number, mariadbCapabilities = 0) {
    this.mariadbCapabilities = mariadbCapabilities
    this.#context = context
    this.#state = state
    this.#capabilities = capabilities
  }

  leaveIgnoreSpace(): void {
    this.#capabilities &= ~Capability.IGNORE_SPACE
    this.#version = -1
  }

  /** Negotiated with the client: CLIENT_* flags. */
  get capabilities(): number {
    return this.#capabilities
  }

  /** Another text in the place of the client's. */
  encode(sql: string): Buffer {
    return encodeQuery(sql, this.#capabilities)
  }

  /** Whether the client may send query attributes. */
  get mayHaveAttributes(): boolean {
    return (this.#capabilities & Capability.QUERY_ATTRIBUTES) !== 0
  }

  /** The wishes of a COM_STMT_EXECUTE, those of its statement included. */
  wishesOfExecute(before: Wishes | null, payload: Buffer, parameterCount: number): Wishes | null {
    return wishesOfExecute(before, payload, parameterCount, this.#capabilities, this.#context.view.flavor)
  }

  /** How the server reads this session's texts now. One object for all sessions of the worker: valid until the next call. */
  get options(): ClassifyOptions {
    if (this.#version !== this.#state.version) this.#refresh()
    const options = this.#context.classifyOptions
    options.flavor = this.#context.view.flavor
    options.ansiQuotes = this.#sqlMode !== '' && this.#sqlMode.includes('ANSI_QUOTES')
    options.noBackslashEscapes = this.#sqlMode !== '' && this.#sqlMode.includes('NO_BACKSLASH_ESCAPES')
    options.ignoreSpace = this.#ignoreSpace
    options.backslashTrailBytes = this.#backslashTrailBytes
    options.schema = this.#state.schema
    options.truncated = false
    return options
  }

  /** Where the SQL text of a command begins in its buffer; -1: it has none, or it is malformed. */
  textStart({ code, buffer, start, end }: CommandInHand): number {
    const payload = start + 4
    return code === Command.QUERY ? queryTextOffset(buffer, payload, end, this.#capabilities) : payload + 1
  }

  /** The text of a command to be looked at by people, cut to `limit` characters; empty where it has none. */
  excerpt(command: CommandInHand, limit: number): string {
    if (command.code !== Command.QUERY && command.code !== Command.STMT_PREPARE) return ''
    const start = this.textStart(command)
    if (start < 0) return ''
    return command.buffer.toString('utf8', start, Math.min(command.end, start + 4 * limit)).slice(0, limit)
  }

  /** Classifies a command's text; the result is written into the command. */
  understand(command: CommandInHand): void {
    const textStart = this.textStart(command)
    if (textStart < 0) return
    const options = this.options
    options.truncated = command.streamed
    const found = this.#context.classifier.classify(command.buffer, textStart, command.end, options)
    command.kind = found.kind
    command.effects = found.effects
    // With it `WHERE id IS NULL` asks for the row that was inserted last.
    if (this.#autoIsNull) command.effects |= Effect.readsLastInsertId
    command.verb = verbOf(found.keyword, found.kind, found.effects, command.buffer, found.keywordEnd, command.end)
    command.hint = found.hint
    command.hintHostgroup = found.hostgroup
    command.argumentStart = found.argumentStart
    command.argumentEnd = found.argumentEnd
    command.perStatement = found.perStatement
    command.repeatable = !command.streamed && isRepeatable(found)
    const { flavor } = options
    if (hasWishes(found)) command.wishes = wishesOf(found, command.buffer, flavor)
    if (this.#wantsDigest(command))
      command.digest = this.#context.digests.of(command.buffer, textStart, command.end, options, command.streamed)
    if (command.code === Command.QUERY && textStart > command.start + PLAIN_TEXT_AT)
      command.wishes = wishesOfQuery(
        command.wishes,
        command.buffer,
        command.start + HEADER_SIZE,
        command.end,
        this.#capabilities,
        flavor,
      )
  }

  /** Notes what is known of the digest of a prepared statement's text; `understand` does it where the command has its own. */
  noteDigest(command: CommandInHand, shared: SharedStatement): void {
    if (this.#wantsDigest(command)) this.digestOf(command, shared)
  }

  /** Whether the digest is wanted whatever the statement is. */
  #wantsDigest(command: CommandInHand): boolean {
    const { digests } = this.#context
    command.counted = digests.samples()
    return command.counted || digests.needed
  }

  /** The digest of the command's text, or of the prepared statement's; made when it is first asked for. null: there is no text. */
  digestOf(command: CommandInHand, shared: SharedStatement | null): StatementDigest | null {
    command.digest ??= shared === null ? this.#digestOfText(command) : this.#digestOfStatement(shared)
    return command.digest
  }

  #digestOfText(command: CommandInHand): StatementDigest | null {
    const start = this.textStart(command)
    return start < 0
      ? null
      : this.#context.digests.of(command.buffer, start, command.end, this.options, command.streamed)
  }

  #digestOfStatement(shared: SharedStatement): StatementDigest {
    const { packet, complete } = shared
    shared.digest ??= this.#context.digests.of(packet, PREPARED_TEXT_AT, packet.length, this.options, !complete)
    return shared.digest
  }

  #refresh(): void {
    const variables = this.#state.variables
    const charset =
      variables?.get('character_set_client')?.replaceAll("'", '') ??
      collationById(this.#state.collation)?.charset ??
      'utf8mb4'
    this.#sqlMode = this.#lexicalMode()
    this.#autoIsNull = ON.has(variables?.get('sql_auto_is_null')?.toUpperCase() ?? '')
    // A SET of sql_mode takes away what the login has put into it.
    const { setsSqlMode } = this.#context.view.terms
    const isSet = setsSqlMode || variables?.has('sql_mode') === true
    const ofLogin = (this.#capabilities & Capability.IGNORE_SPACE) !== 0 && !isSet
    this.#ignoreSpace = ofLogin || this.#sqlMode.includes('IGNORE_SPACE')
    this.#backslashTrailBytes = BACKSLASH_TRAIL.has(charset)
    this.#version = this.#state.version
  }

  /** The sql_mode where it changes how a text is read, else empty. The session's is as the server reported it, or as the client wrote it. */
  #lexicalMode(): string {
    const own = this.#state.variables?.get('sql_mode')?.toUpperCase() ?? 'DEFAULT'
    const { snapshot, terms } = this.#context.view
    // That of init_connect reads texts as the standard does.
    const initial = terms.setsSqlMode ? '' : (snapshot.greeting.sqlMode ?? '')
    const mode = own === 'DEFAULT' ? initial : own
    if (mode === "'ANSI'") return ANSI
    return LEXICAL_MODES.some((name) => mode.includes(name)) ? mode : ''
  }
}

const HEADER_SIZE = 4
/** Where the text of a COM_QUERY begins at most that has no attributes: header, command, their number and that of sets. */
const PLAIN_TEXT_AT = HEADER_SIZE + 3

const ON: ReadonlySet<string> = new Set(['1', 'ON', "'ON'", 'TRUE'])

/** The parts of sql_mode that change how a text is read. */
const LEXICAL_MODES = ['ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES', 'IGNORE_SPACE']
/** What of these the mode ANSI stands for. */
const ANSI = 'ANSI_QUOTES,IGNORE_SPACE'
