import {
  type BinaryType,
  type BinaryValue,
  decodeStmtExecute,
  FieldType,
  ProtocolError,
  ServerErrors,
} from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { SqlValue } from './engine/messages.js'

/** ProxySQL's default of mysql-max_stmts_per_connection is 20; a pool of statements in a driver may hold some hundred. */
const STATEMENTS_MAX = 1_000
const LONG_DATA_MAX = 1 << 20

export interface PreparedStatement {
  readonly id: number
  readonly sql: string
  readonly parameterCount: number
  types: readonly BinaryType[]
  /** Bytes sent ahead by COM_STMT_SEND_LONG_DATA, by parameter. */
  readonly longData: Map<number, Buffer>
  /** That command has no answer: what was wrong with it is told by the next execution. */
  longDataError: ProxyError | null
}

/** Prepared statements of one connection. */
export class StatementStore {
  private readonly statements = new Map<number, PreparedStatement>()
  private lastId = 0

  /** Throws ProxyError (1461) when the connection has too many. */
  add(sql: string, parameterCount: number): PreparedStatement {
    if (this.statements.size >= STATEMENTS_MAX) {
      const message = `sluice: expected at most ${STATEMENTS_MAX} prepared statements on one connection; close some`
      throw new ProxyError('admin-too-many-statements', 1461, '42000', message)
    }
    const statement = { id: ++this.lastId, sql, parameterCount, types: [], longData: new Map(), longDataError: null }
    this.statements.set(statement.id, statement)
    return statement
  }

  /** Throws ProxyError (1243) when there is none of this id. */
  get(id: number): PreparedStatement {
    const statement = this.statements.get(id)
    if (statement !== undefined) return statement
    const { errno, sqlState } = ServerErrors.UNKNOWN_STMT_HANDLER
    throw new ProxyError(
      'admin-unknown-statement',
      errno,
      sqlState,
      `sluice: Unknown prepared statement handler (${id})`,
    )
  }

  /** A statement that is not there may be closed: the command has no answer. */
  close(id: number): void {
    this.statements.delete(id)
  }

  clear(): void {
    this.statements.clear()
  }

  /** Payload of COM_STMT_SEND_LONG_DATA. */
  addLongData(id: number, parameter: number, bytes: Buffer): void {
    const statement = this.statements.get(id)
    if (statement === undefined) return
    const joined = Buffer.concat([statement.longData.get(parameter) ?? Buffer.alloc(0), bytes])
    if (parameter < statement.parameterCount && joined.length <= LONG_DATA_MAX)
      statement.longData.set(parameter, joined)
    else statement.longDataError = longDataError(parameter)
  }
}

/** Values of a COM_STMT_EXECUTE payload, as the engine takes them. */
export function parametersOf(payload: Buffer, statement: PreparedStatement, capabilities: number): SqlValue[] {
  const { parameterCount, longData, types } = statement
  const hasLongData = (index: number) => longData.has(index)
  const execute = decodeStmtExecute(payload, { parameterCount, capabilities, types, hasLongData })
  const own = execute.parameters.slice(0, parameterCount)
  if (execute.newParamsBound) statement.types = own
  const sent = new Map(longData)
  const error = statement.longDataError
  resetStatement(statement)
  if (error !== null) throw error
  return own.map(({ type, value }, index) => {
    const long = sent.get(index)
    return long === undefined ? toSqlValue(value, type) : toSqlValue(long, type)
  })
}

/** What COM_STMT_RESET does: long data is forgotten. */
export function resetStatement(statement: PreparedStatement): void {
  statement.longData.clear()
  statement.longDataError = null
}

const BLOB_TYPES: ReadonlySet<number> = new Set([
  FieldType.TINY_BLOB,
  FieldType.MEDIUM_BLOB,
  FieldType.LONG_BLOB,
  FieldType.BLOB,
])

/**
 * Drivers send texts under many types, some as BLOB; the engine compares no BLOB with a text, so bytes that are UTF-8
 * become one.
 */
function toSqlValue(value: BinaryValue, type: number): SqlValue {
  if (!Buffer.isBuffer(value)) return value
  const text = value.toString('utf8')
  return BLOB_TYPES.has(type) && !Buffer.from(text).equals(value) ? new Uint8Array(value) : text
}

function longDataError(parameter: number): ProxyError {
  const message = `sluice: expected at most 1 MB of long data for a parameter of the statement, got more or no parameter ${parameter}`
  return new ProxyError('admin-long-data', 1105, 'HY000', message)
}

/** Reads the id of a COM_STMT_* payload. */
export function statementIdOf(payload: Buffer): number {
  if (payload.length < 5) throw new ProtocolError('truncated', 'a command without its statement id')
  return payload.readUInt32LE(1)
}
