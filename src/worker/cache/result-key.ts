import { Command } from '../../../protocol/index.js'
import { boundedCache } from '../../shared/bounded-cache.js'
import type { UserEntry } from '../../shared/snapshot.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionState } from '../state/session-state.js'
import { parametersOf } from '../statements/statement-packets.js'
import type { PreparedStatement } from '../statements/statements.js'

/** States of sessions that are told apart; the answers of one that is forgotten are not found any more. */
const STATES_MAX = 10_000
/** Longer commands are not worth to be kept with their answers. */
const COMMAND_BYTES_MAX = 65_536
const HEADER_SIZE = 4

/** Numbers that stand for all that sessions have in common whose answers are the same, byte by byte. */
const numbers = boundedCache<string, number>(STATES_MAX)
let lastNumber = 0

/**
 * What of a session changes the answers that it gets: its account, what was negotiated with it, its schema, and every
 * session variable that it has set (character sets, sql_mode, time zone and so on). User variables do not count: what
 * reads them is not kept.
 */
export class SessionMark {
  #of: SessionState | null = null
  #version = -1
  #login: BackendLogin | null = null
  #address = ''
  #number = 0

  /** @param address of the client, where that may decide who it is to the servers; else empty */
  numberOf(user: UserEntry, login: BackendLogin, state: SessionState, address: string): number {
    const same = this.#of === state && this.#version === state.version && this.#login === login
    if (same && this.#address === address) return this.#number
    this.#of = state
    this.#version = state.version
    this.#login = login
    this.#address = address
    const variables = [...(state.variables ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    const { username, capabilities, mariadbCapabilities } = login
    const { schema, collation, names, multiStatements } = state
    const terms = [capabilities, mariadbCapabilities, schema, collation, names, multiStatements, variables]
    this.#number = numberOf(JSON.stringify([user.name, username, user.defaultHostgroup, address, ...terms]))
    return this.#number
  }
}

function numberOf(text: string): number {
  const known = numbers.get(text)
  if (known !== undefined) return known
  numbers.set(text, ++lastNumber)
  return lastNumber
}

/** Stands for a shared statement in keys. */
const statementNumbers = new WeakMap<object, number>()
let lastStatement = 0

/**
 * The key of the answer to the command in hand; null: it is not to be kept. Text and attributes, or statement, parameter
 * types and values.
 * @param session its `SessionMark`
 */
export function keyOfCommand(
  session: number,
  { code, buffer, start, end, hintHostgroup, ruling }: CommandInHand,
  statement: PreparedStatement | null,
  capabilities: number,
): string | null {
  if (end - start > COMMAND_BYTES_MAX) return null
  // Rules may send the same text elsewhere, by the client's address for one.
  const hostgroup = hintHostgroup >= 0 ? hintHostgroup : (ruling?.hostgroup ?? -1)
  // Whoever counts on writes to end answers is not given those that they do not end.
  const place = ruling?.cacheByTimeAlone === true ? `${hostgroup}t` : hostgroup
  if (code === Command.QUERY) {
    return `${session} ${place} q ${buffer.toString('latin1', start + HEADER_SIZE + 1, end)}`
  }
  if (statement === null) return null
  const parameters = parametersOf(buffer.subarray(start, end), statement, capabilities)
  if (parameters === null) return null
  const { shared } = statement
  let number = statementNumbers.get(shared)
  if (number === undefined) {
    number = ++lastStatement
    statementNumbers.set(shared, number)
  }
  return `${session} ${place} e${number} ${parameters}`
}
