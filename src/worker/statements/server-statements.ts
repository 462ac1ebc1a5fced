import { Answer, Command, collationIdByName, encodeQuery } from '../../../protocol/index.js'
import type { GlobalCounters } from '../../shared/counters.js'
import { ProxyError } from '../../shared/errors.js'
import { askServer } from '../backend/ask-server.js'
import type { Backend, OpenStatement } from '../backend/backend.js'
import { runSetup } from '../backend/setup-exchange.js'
import type { SessionBackends } from '../pool/session-backends.js'
import { type CommandInHand, isExecute } from '../session/command.js'
import { hasOtherCharsets, stateForParsing } from '../state/parse-state.js'
import { PREPARED_TEXT_AT } from './shared-statement.js'
import { type AddressedPacket, addressedTo } from './statement-packets.js'
import { lostStatement, type PreparedStatement, type ServerStatement, type Statements } from './statements.js'

/** What preparing needs to know of the session and its worker. */
export interface PrepareContext {
  readonly backends: SessionBackends
  readonly statements: Statements
  readonly counters: GlobalCounters
  /** Statements that a connection may have open on its server. */
  readonly maxStmtsPerConnection: number
  /** `ParseState.key` of the session as it is now. */
  readonly parseKey: string
}

/**
 * Prepares a statement on a connection that does not have it, under the state it was prepared with first.
 * @throws ProxyError with the server's refusal
 * @throws SyncError when the server would not take that state
 */
export async function prepareOn(
  statement: PreparedStatement,
  backend: Backend,
  context: PrepareContext,
): Promise<void> {
  if (!statement.shared.complete) throw lostStatement(statement.id)
  const stale = statement.on(backend)
  stale?.close()
  const moved = await beInParseState(statement, backend, context)
  let there = await prepare(statement, backend, context)
  if (moved) await context.backends.undoParseState(backend)
  if (there.metadata === statement.metadata) return
  // The client has other column definitions than those that this server has just sent to us.
  there.close()
  await withOtherCharset(backend, statement.shared.packet.subarray(PREPARED_TEXT_AT), async () => {
    there = await prepare(statement, backend, context)
  })
  there.metadata = statement.metadata
}

/** The packet of a command that names a prepared statement, or prepares it, as it is written to a connection. */
export function packetOn(
  backend: Backend,
  command: CommandInHand,
  statement: PreparedStatement,
  counters: GlobalCounters,
): AddressedPacket {
  const packet = command.packet()
  if (command.code === Command.STMT_PREPARE) {
    counters.comBackendStmtPrepare++
    return { bytes: packet, widener: null }
  }
  if (isExecute(command.code)) counters.comBackendStmtExecute++
  const there = statement.on(backend)!
  there.touch()
  return addressedTo(packet, statement, there, command.streamed)
}

async function prepare(
  statement: PreparedStatement,
  backend: Backend,
  { statements, counters, maxStmtsPerConnection }: PrepareContext,
): Promise<ServerStatement> {
  makeRoom(backend, maxStmtsPerConnection - 1)
  counters.comBackendStmtPrepare++
  const { error, statementId, metadata } = await runSetup(backend, statement.shared.packet, Answer.prepare)
  if (error !== null) throw new ProxyError('prepare-refused', error.errno, error.sqlState, error.message)
  if (statementId === 0)
    throw new ProxyError('prepare-refused', 1210, 'HY000', `sluice: ${backend.target.id} prepared nothing`)
  return statements.prepared(statement, backend, statementId, metadata)
}

/**
 * The text means what it meant when the client had it prepared, whatever the session has set since.
 * @returns whether the connection has got another state than the session's
 */
async function beInParseState(
  { shared: { parseState } }: PreparedStatement,
  backend: Backend,
  { backends, parseKey }: PrepareContext,
): Promise<boolean> {
  if (!backends.isCurrent(backend)) await backends.sync(backend)
  if (parseState.key === parseKey) return false
  const wanted = stateForParsing(parseState, backend)
  // A character set of the session's own that the text was not read with: SET NAMES has to be sent, though it was before.
  if (hasOtherCharsets(backend.applied, wanted)) backend.applied.forgetNames()
  await backends.sync(backend, wanted)
  // It has to be given the session's own state again.
  backend.applied.noteStale()
  return true
}

/**
 * A MariaDB leaves column definitions out that it has sent for a statement before (CACHE_METADATA), and PREPARE sends them.
 * Where the client did not get these, the server has to be made to send them again: it does when character_set_client, in
 * which it writes names, is another than with the last time (sql/sql_prepare.cc and protocol.cc:
 * send_column_info_state.last_charset; seen on 10.11).
 */
async function withOtherCharset(backend: Backend, text: Buffer, action: () => Promise<void>): Promise<void> {
  const charset = String((await askServer(backend, 'SELECT @@character_set_client')).rows[0]?.[0])
  const other = otherCharset(charset, text)
  if (other === undefined) return await action()
  await set(backend, other)
  try {
    await action()
  } finally {
    await set(backend, charset)
  }
}

/**
 * Another character set of clients in which `text` says the same, as SET has it. What needs its own set is read under the
 * binary collation of that, by number, which newer servers refuse (10.11.19: 1115).
 */
function otherCharset(charset: string, text: Buffer): string | undefined {
  const highest = text.reduce((most, byte) => Math.max(most, byte), 0)
  if (highest < 0x80) return charset === 'latin1' ? 'utf8mb4' : 'latin1'
  if (charset === 'utf8mb3') return 'utf8mb4'
  if (charset === 'utf8mb4' && highest < FOUR_BYTES) return 'utf8mb3'
  return collationIdByName(`${charset}_bin`, 'mariadb')?.toString()
}

/** From this byte on one of UTF-8 begins a character of four. */
const FOUR_BYTES = 0xf0

async function set(backend: Backend, charset: string): Promise<void> {
  const { error } = await runSetup(backend, encodeQuery(`SET character_set_client = ${charset}`, backend.capabilities))
  if (error !== null) throw new ProxyError('prepare-refused', error.errno, error.sqlState, error.message)
}

/** Closes statements of a connection, those that were not used for longest first, until no more than `max` are left. */
export function makeRoom(backend: Backend, max: number): void {
  while (backend.statements.length > max) {
    let oldest: OpenStatement | null = null
    for (const there of backend.statements) {
      if (there.mayBeClosed && (oldest === null || there.usedAt < oldest.usedAt)) oldest = there
    }
    if (oldest === null) return
    oldest.close()
  }
}
