import { ColumnFlag, Command, FieldType } from '../../../protocol/index.js'
import type { Logger } from '../../shared/log.js'
import { askServer } from '../backend/ask-server.js'
import type { Backend } from '../backend/backend.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionText } from '../session/session-text.js'
import type { PreparedStatement, Statements } from '../statements/statements.js'
import { type SessionState, userVariable, variableLiteral } from './session-state.js'

/**
 * Variables of which one connection alone knows the values: user variables that a GET DIAGNOSTICS has set on a replica,
 * what a SET has assigned that failed on its way, of which nobody tells, and the collation that SET CHARACTER SET has chosen. Their values have to come along wherever the
 * session's next statements run; they are asked for before the next statement that is none of diagnostics, since any other
 * ends what diagnostics there are to be read.
 */
export interface VariablesElsewhere {
  readonly backend: Backend
  /** User variables, in lower case, without the @. */
  readonly names: ReadonlySet<string>
  /** System variables of the session. */
  readonly systemNames: ReadonlySet<string>
}

/**
 * Takes the variables' values into the session's state. Nothing is left of them when the connection is gone.
 * @returns whether system variables have come, by which texts may read differently
 */
export async function bringVariables(
  elsewhere: VariablesElsewhere,
  state: SessionState,
  log: Logger,
): Promise<boolean> {
  try {
    await bring(elsewhere, state)
    return elsewhere.systemNames.size > 0
  } catch (error) {
    const server = elsewhere.backend.target.id
    log.warn({ server, err: error }, 'what a statement has set could not be brought over')
    return false
  }
}

/** Whose command has been read before it was known with which variables it has to be read. */
export interface Reader {
  readonly command: CommandInHand
  statement: PreparedStatement | null
  readonly statements: Statements
  readonly state: SessionState
  readonly text: SessionText
}

/** Reads the command in hand again, with the variables that have come meanwhile. */
export function readAgain(reader: Reader): void {
  const { command, statement, statements, state, text } = reader
  const prepares = command.code === Command.STMT_PREPARE && statement !== null
  if (!prepares && command.code !== Command.QUERY) return
  if (!command.redirected) {
    text.understand(command)
    if (prepares) command.repeatable = !command.streamed
  }
  if (!prepares) return
  // Its client has not been told its id yet.
  statements.remove(statement)
  reader.statement = statements.add(command, state)
}

async function bring(elsewhere: VariablesElsewhere, state: SessionState): Promise<void> {
  if (elsewhere.backend.state !== 'idle') return
  if (elsewhere.names.size > 0) await bringUserVariables(elsewhere, state)
  if (elsewhere.systemNames.size > 0) await bringSystemVariables(elsewhere, state)
}

async function bringSystemVariables({ backend, systemNames }: VariablesElsewhere, state: SessionState): Promise<void> {
  const { applied } = backend
  const current = applied.isCurrent(state)
  // In this order the collation comes behind the character set that it has, and is what is kept.
  const names = [...systemNames].sort()
  backend.move('syncing')
  const { rows } = await askServer(backend, `SELECT ${names.map((name) => `@@SESSION.${name}`).join(', ')}`)
  backend.move('idle')
  for (const [i, name] of names.entries()) {
    const value = rows[0][i]?.toString('utf8') ?? ''
    state.setVariable(name, value)
    applied.setVariableSql(name, variableLiteral(name, value))
  }
  if (current) applied.noteCurrent(state)
}

async function bringUserVariables({ backend, names }: VariablesElsewhere, state: SessionState): Promise<void> {
  const wanted = [...names].map(userVariable).map((v) => {
    const text = `IF(CHARSET(${v}) = 'binary', HEX(${v}), HEX(CONVERT(${v} USING utf8mb4)))`
    return `${v}, ${text}, CHARSET(${v}), COLLATION(${v})`
  })
  const { applied } = backend
  const current = applied.isCurrent(state)
  backend.move('syncing')
  const { columns, rows } = await askServer(backend, `SELECT ${wanted.join(', ')}`)
  backend.move('idle')
  for (const [i, name] of [...names].entries()) {
    const [value, hex, charset, collation] = rows[0].slice(4 * i, 4 * i + 4).map((cell) => cell?.toString('latin1'))
    const { type, flags } = columns[4 * i]
    const number = (flags & ColumnFlag.UNSIGNED) === 0 ? value : `CAST(${value} AS UNSIGNED)`
    const text =
      charset === 'binary' ? `x'${hex}'` : `CONVERT(_utf8mb4 x'${hex}' USING ${charset}) COLLATE ${collation}`
    const sql = value === undefined ? 'NULL' : type === FieldType.LONGLONG ? number! : text
    const known = { sql, reading: '' }
    state.setUserVariable(name, known)
    applied.userVariables.set(name, known)
  }
  if (current) applied.noteCurrent(state)
}
