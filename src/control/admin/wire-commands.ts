import {
  Command,
  decodeFieldList,
  encodeColumnDefinition,
  encodeEndOfRows,
  encodePrepareResponse,
  frame,
  PacketWriter,
  queryTextOffset,
} from '../../../protocol/index.js'
import type { Logger } from '../../shared/log.js'
import type { SqlValue } from './engine/messages.js'
import { DATABASES } from './engine/schema.js'
import type { AdminExecutor } from './executor.js'
import type { StatementGuard } from './guard.js'
import { okPacket } from './reply.js'
import { columnsOf, rowsPackets, STATUS_FLAGS } from './result-packets.js'
import { type AdminSession, databaseOf } from './session.js'
import { quoteName } from './sql-text.js'
import { parametersOf, resetStatement, type StatementStore, statementIdOf } from './statement-store.js'
import { statisticsLine } from './tables/status.js'

/** What the commands of one connection work on. */
export interface CommandState {
  session: AdminSession
  readonly capabilities: number
  readonly statements: StatementStore
  readonly executor: AdminExecutor
  readonly guard: StatementGuard
  readonly log: Logger
}

/** Answers one command's payload with framed packets; null where the protocol wants no answer. Throws ProxyError or ProtocolError. */
type WireCommand = (state: CommandState, payload: Buffer) => Promise<Uint8Array | null> | Uint8Array | null

/** The commands that this port serves; all others are answered with 1047, but for COM_QUIT and COM_CHANGE_USER. */
export const WIRE_COMMANDS: ReadonlyMap<number, WireCommand> = new Map<number, WireCommand>([
  [Command.QUERY, query],
  [Command.PING, (state) => okPacket(1, state.capabilities)],
  [Command.INIT_DB, initDb],
  [Command.FIELD_LIST, fieldList],
  [Command.STATISTICS, (state) => frame(Buffer.from(statisticsLine(state.executor.view)), 1)],
  [Command.RESET_CONNECTION, resetConnection],
  [Command.STMT_PREPARE, prepare],
  [Command.STMT_EXECUTE, execute],
  [Command.STMT_SEND_LONG_DATA, sendLongData],
  [Command.STMT_RESET, resetPrepared],
  [Command.STMT_CLOSE, closePrepared],
])

/** Commands without an answer, which must not get an error either. */
export const SILENT_COMMANDS: ReadonlySet<number> = new Set([Command.STMT_SEND_LONG_DATA, Command.STMT_CLOSE])

async function query(state: CommandState, payload: Buffer): Promise<Uint8Array> {
  const sql = payload.toString('utf8', queryTextOffset(payload, 0, payload.length, state.capabilities))
  return run(state, sql, [], false)
}

async function run(
  state: CommandState,
  sql: string,
  params: readonly SqlValue[],
  binary: boolean,
): Promise<Uint8Array> {
  const format = { capabilities: state.capabilities, binary }
  const { guard, executor, session } = state
  const result = await guard.run(session, sql, () => executor.execute(sql, params, session, format))
  if (result.kind === 'packets') return result.packets
  return result.kind === 'ok' ? okPacket(1, state.capabilities, result.info, result) : rowsPackets(result, format)
}

/** Any name is accepted, as ProxySQL does: tools connect with the schema of their application. */
function initDb(state: CommandState, payload: Buffer): Buffer {
  const name = payload.toString('utf8', 1).toLowerCase()
  state.session.database = DATABASES.find((database) => database === name) ?? state.session.database
  return okPacket(1, state.capabilities)
}

/** Columns of a table, each with its default value, which is not told here (MySQL source documentation, "COM_FIELD_LIST"). */
async function fieldList(state: CommandState, payload: Buffer): Promise<Buffer> {
  const table = decodeFieldList(payload).table.toString('utf8')
  const { columns } = await state.executor.describe(`SELECT * FROM ${quoteName(table)}`, state.session)
  const noDefault = Buffer.of(0xfb)
  const writer = new PacketWriter(1)
  for (const name of columns) {
    const column = { name, orgName: name, table, orgTable: table }
    writer.packet(Buffer.concat([encodeColumnDefinition(column), noDefault]))
  }
  return writer.packet(encodeEndOfRows({ statusFlags: STATUS_FLAGS, warnings: 0 }, state.capabilities)).take()
}

function resetConnection(state: CommandState): Buffer {
  state.statements.clear()
  state.session.database = databaseOf(state.session.role)
  return okPacket(1, state.capabilities)
}

async function prepare(state: CommandState, payload: Buffer): Promise<Buffer> {
  const sql = payload.toString('utf8', 1)
  const shape = await state.executor.describe(sql, state.session)
  const statement = state.statements.add(sql, shape.parameters)
  const marks = columnsOf(new Array<string>(shape.parameters).fill('?'))
  return encodePrepareResponse(statement.id, marks, columnsOf(shape.columns), state.capabilities, {
    statusFlags: STATUS_FLAGS,
  })
}

async function execute(state: CommandState, payload: Buffer): Promise<Uint8Array> {
  const statement = state.statements.get(statementIdOf(payload))
  const params = parametersOf(payload, statement, state.capabilities)
  return run(state, statement.sql, params, true)
}

function sendLongData(state: CommandState, payload: Buffer): null {
  if (payload.length >= 7)
    state.statements.addLongData(statementIdOf(payload), payload.readUInt16LE(5), payload.subarray(7))
  return null
}

function resetPrepared(state: CommandState, payload: Buffer): Buffer {
  resetStatement(state.statements.get(statementIdOf(payload)))
  return okPacket(1, state.capabilities)
}

function closePrepared(state: CommandState, payload: Buffer): null {
  if (payload.length >= 5) state.statements.close(statementIdOf(payload))
  return null
}
