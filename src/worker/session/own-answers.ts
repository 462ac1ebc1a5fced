import {
  type BinaryValue,
  Command,
  decodeStmtExecute,
  encodeBinaryResultSet,
  encodePrepareResponse,
  encodeTextResultSet,
  type ResultSetOptions,
} from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { Execution } from '../execution/execution.js'
import type { TopologyView } from '../routing/topology-view.js'
import type { PreparedStatement } from '../statements/statements.js'
import type { OwnStatement } from './own-statement.js'
import { levelOf, setLevel } from './sluice-variables.js'

/* Statements about Sluice's own variable are answered here, in the text protocol and as prepared statements. */

/** OK, an error, or packets with a result. */
export type OwnAnswer = 'ok' | ProxyError | Buffer

/** Executes one of the text protocol. */
export function answerOwn(own: OwnStatement, execution: Execution, view: TopologyView): OwnAnswer {
  const { facts, text } = execution
  if (!own.reads) return setLevel(facts, own.value) ?? 'ok'
  return encodeTextResultSet(columnsOf(own), [[levelOf(facts, view)]], text.capabilities, optionsOf(execution))
}

/** The answer to its COM_STMT_PREPARE. */
export function prepareOwn(own: OwnStatement, statement: PreparedStatement, execution: Execution): Buffer {
  const parameters = !own.reads && own.isParameter ? [{ name: '?' }] : []
  const columns = columnsOf(own)
  statement.parameterCount = parameters.length
  statement.columnCount = columns.length
  return encodePrepareResponse(statement.id, parameters, columns, execution.text.capabilities, optionsOf(execution))
}

/** Whether a command about such a statement is answered here in a way of its own; the others need no server anyway. */
export function isAnsweredAsOwn(code: number): boolean {
  return code === Command.STMT_EXECUTE || code === Command.STMT_BULK_EXECUTE || code === Command.STMT_SEND_LONG_DATA
}

/** Executes a prepared one. No cursor is opened, which a server need not do either: the rows come at once. */
export function executeOwn(
  own: OwnStatement,
  statement: PreparedStatement,
  execution: Execution,
  view: TopologyView,
): OwnAnswer | 'silence' {
  const { command, facts, text } = execution
  if (command.code === Command.STMT_SEND_LONG_DATA) return 'silence'
  if (command.code === Command.STMT_BULK_EXECUTE) return NOT_IN_BULK
  if (own.reads) {
    return encodeBinaryResultSet(columnsOf(own), [[levelOf(facts, view)]], text.capabilities, optionsOf(execution))
  }
  if (!own.isParameter) return setLevel(facts, own.value) ?? 'ok'
  try {
    return setLevel(facts, parameterOf(statement, execution)) ?? 'ok'
  } catch {
    return WRONG_ARGUMENTS
  }
}

/**
 * The one parameter of an execution, as text.
 * @throws ProtocolError when malformed, or when its value was sent ahead
 */
function parameterOf(statement: PreparedStatement, { command, text }: Execution): string {
  const { buffer, start, end, streamed } = command
  if (streamed) throw new RangeError('a level is a short text')
  const known = statement.types === null ? {} : { types: [{ type: statement.types[0], unsigned: false }] }
  const payload = buffer.subarray(start + HEADER_SIZE, end)
  const context = { parameterCount: 1, capabilities: text.capabilities, ...known }
  const { newParamsBound, parameters } = decodeStmtExecute(payload, context)
  const [{ type, value }] = parameters
  if (newParamsBound) statement.types = statement.shared.internTypes(Buffer.of(type, 0))
  return textOf(value)
}

function textOf(value: BinaryValue): string {
  if (value === null) return 'NULL'
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value)
}

function columnsOf(own: OwnStatement): readonly { readonly name: string }[] {
  return own.reads ? [{ name: own.name }] : []
}

function optionsOf({ facts: { statusFlags }, text: { mariadbCapabilities } }: Execution): ResultSetOptions {
  return { statusFlags, mariadbCapabilities }
}

const HEADER_SIZE = 4

/** ER_WRONG_ARGUMENTS and ER_UNSUPPORTED_PS in the servers' words. */
const WRONG_ARGUMENTS = new ProxyError('execute-arguments', 1210, 'HY000', 'Incorrect arguments to mysqld_stmt_execute')
const NOT_IN_BULK = new ProxyError(
  'not-in-bulk',
  1295,
  'HY000',
  'This command is not supported in the prepared statement protocol yet',
)
