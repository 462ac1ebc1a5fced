import { Answer, Capability } from '../../protocol/index.js'
import { ProxyError } from '../shared/errors.js'
import type { Backend } from './backend.js'
import type { CommandInHand } from './command.js'
import { isRepeatable } from './router.js'
import { runSetup } from './setup-exchange.js'

/** Prepared statements that one session may have open (the server's own default for all: max_prepared_stmt_count). */
const STATEMENTS_MAX = 16_382
/** MariaDB: the statement that was prepared last. */
const LAST_PREPARED = 0xffff_ffff
const FLAGS_AT = 5
const PARAMETERS_AT = 10
const PARAMETER_COUNT_AVAILABLE = 0x08

/** A statement that a client has prepared, and what each server knows it as. */
export interface PreparedStatement {
  /** The id that the client was given. */
  readonly id: number
  /** Its COM_STMT_PREPARE packet, to prepare it on further servers. */
  readonly packet: Buffer
  readonly kind: number
  readonly effects: number
  readonly hint: number
  readonly hintHostgroup: number
  readonly perStatement: boolean
  readonly repeatable: boolean
  parameterCount: number
  readonly serverIds: Map<Backend, number>
  /** The types section of the last execution that had one: clients leave it out when it does not change. */
  types: Buffer | null
  /** Connections on which the server has those types. */
  readonly typesKnownTo: Set<Backend>
  /** Parameters were sent ahead (COM_STMT_SEND_LONG_DATA) on this connection. */
  longDataOn: Backend | null
  /** The last execution opened a cursor on this connection. */
  cursorOn: Backend | null
}

/** The prepared statements of one session. */
export class Statements {
  readonly #byId = new Map<number, PreparedStatement>()
  #nextId = 1
  #last: PreparedStatement | null = null

  get size(): number {
    return this.#byId.size
  }

  /** @throws ProxyError 1461 when the session has too many. */
  add(command: CommandInHand): PreparedStatement {
    if (this.#byId.size >= STATEMENTS_MAX) {
      const message = `Can't create more than max_prepared_stmt_count statements (current value: ${STATEMENTS_MAX})`
      throw new ProxyError('too-many-statements', 1461, '42000', message)
    }
    const statement: PreparedStatement = {
      id: this.#nextId++,
      packet: Buffer.from(command.packet()),
      kind: command.kind,
      effects: command.effects,
      hint: command.hint,
      hintHostgroup: command.hintHostgroup,
      perStatement: command.perStatement,
      repeatable: isRepeatable(command),
      parameterCount: 0,
      serverIds: new Map(),
      types: null,
      typesKnownTo: new Set(),
      longDataOn: null,
      cursorOn: null,
    }
    this.#byId.set(statement.id, statement)
    this.#last = statement
    return statement
  }

  /** The statement that a packet names: payload from `start`, its id behind the command byte. */
  find(buffer: Buffer, start: number): PreparedStatement | null {
    if (buffer.length < start + 5) return null
    const id = buffer.readUInt32LE(start + 1)
    if (id === LAST_PREPARED) return this.#last
    return this.#byId.get(id) ?? null
  }

  remove(statement: PreparedStatement): void {
    this.#byId.delete(statement.id)
    if (this.#last === statement) this.#last = null
  }

  forgetBackend(backend: Backend): void {
    for (const statement of this.#byId.values()) {
      statement.serverIds.delete(backend)
      statement.typesKnownTo.delete(backend)
      if (statement.cursorOn === backend) statement.cursorOn = null
    }
  }

  clear(): void {
    this.#byId.clear()
    this.#last = null
  }
}

/** The error of a statement id that nobody has prepared, as the server words it (ER_UNKNOWN_STMT_HANDLER). */
export function unknownStatement(id: number, command: string): ProxyError {
  return new ProxyError(
    'unknown-statement',
    1243,
    'HY000',
    `Unknown prepared statement handler (${id}) given to ${command}`,
  )
}

/** Prepares a statement on a connection that does not have it yet. Throws ProxyError with the server's refusal. */
export async function prepareOn(statement: PreparedStatement, backend: Backend): Promise<void> {
  const { error, statementId } = await runSetup(backend, statement.packet, Answer.prepare)
  if (error !== null) throw new ProxyError('prepare-refused', error.errno, error.sqlState, error.message)
  if (statementId === 0)
    throw new ProxyError('prepare-refused', 1210, 'HY000', `sluice: ${backend.target.id} prepared nothing`)
  statement.serverIds.set(backend, statementId)
}

/** Puts the server's id of the statement into a command packet, and the parameter types where the server lacks them. */
export function addressedTo(
  packet: Buffer,
  statement: PreparedStatement,
  backend: Backend,
  isExecute: boolean,
): Buffer {
  packet.writeUInt32LE(statement.serverIds.get(backend)!, 5)
  if (!isExecute) return packet
  return withTypes(packet, statement, backend)
}

function withTypes(packet: Buffer, statement: PreparedStatement, backend: Backend): Buffer {
  const layout = executeLayout(packet, 4, statement.parameterCount, backend.capabilities)
  if (layout === null) return packet
  const { boundFlagAt, typesEnd } = layout
  if (packet[boundFlagAt] === 1) {
    const types = packet.subarray(boundFlagAt + 1, typesEnd)
    if (statement.types === null || !statement.types.equals(types)) {
      statement.types = Buffer.from(types)
      statement.typesKnownTo.clear()
    }
    statement.typesKnownTo.add(backend)
    return packet
  }
  const streamed = packet.length - 4 !== packet.readUIntLE(0, 3)
  if (statement.types === null || statement.typesKnownTo.has(backend) || streamed) return packet
  statement.typesKnownTo.add(backend)
  const payloadLength = packet.length - 4 + statement.types.length
  const widened = Buffer.concat([
    packet.subarray(0, boundFlagAt),
    ONE,
    statement.types,
    packet.subarray(boundFlagAt + 1),
  ])
  widened.writeUIntLE(payloadLength, 0, 3)
  return widened
}

/**
 * Where COM_STMT_EXECUTE has its new-params-bound flag and where its types end (MySQL source documentation,
 * "COM_STMT_EXECUTE"). Null when there are no parameters, or the packet is cut (the server will say so).
 */
function executeLayout(
  packet: Buffer,
  payload: number,
  parameterCount: number,
  capabilities: number,
): { boundFlagAt: number; typesEnd: number } | null {
  const named = (capabilities & Capability.QUERY_ATTRIBUTES) !== 0
  let at = payload + PARAMETERS_AT
  let count = parameterCount
  if (named && (count > 0 || (packet[payload + FLAGS_AT] & PARAMETER_COUNT_AVAILABLE) !== 0)) {
    const first = packet[at]
    count = first < 0xfb ? first : first === 0xfc ? packet.readUInt16LE(at + 1) : 0
    at += first < 0xfb ? 1 : 3
  }
  if (count === 0) return null
  const boundFlagAt = at + ((count + 7) >> 3)
  if (boundFlagAt >= packet.length) return null
  let end = boundFlagAt + 1
  if (packet[boundFlagAt] !== 1) return { boundFlagAt, typesEnd: end }
  for (let i = 0; i < count; i++) {
    end += 2
    if (named && end < packet.length) end += nameSize(packet, end)
  }
  return end <= packet.length ? { boundFlagAt, typesEnd: end } : null
}

/** Size of a length-encoded name; names above 64 KiB do not exist. */
function nameSize(packet: Buffer, at: number): number {
  const first = packet[at]
  return first < 0xfb ? 1 + first : first === 0xfc && at + 3 <= packet.length ? 3 + packet.readUInt16LE(at + 1) : 1
}

const ONE = Buffer.from([1])
