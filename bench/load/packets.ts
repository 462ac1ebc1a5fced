import { Command, encodeCommand, encodeQuery } from '../../protocol/index.js'

/** Commands as complete packets, made once before the load begins. */

/** COM_QUERY for connections without query attributes, which the generator never asks for. */
export function queryPacket(sql: string | Buffer): Buffer {
  return encodeQuery(sql, 0)
}

export function preparePacket(sql: string): Buffer {
  return encodeCommand(Command.STMT_PREPARE, Buffer.from(sql))
}

export const PING_PACKET = encodeCommand(Command.PING)

export const QUIT_PACKET = encodeCommand(Command.QUIT)

const LONG = 0x03
const NULL_BITMAP_FOR_ONE = 0x00
const NEW_PARAMETERS_BOUND = 0x01
const STATEMENT_ID_AT = 5
const PARAMETER_AT = 18

/**
 * COM_STMT_EXECUTE with one integer parameter, to be filled in again and again (MySQL source documentation,
 * "COM_STMT_EXECUTE"): id (4), cursor flags (1), iteration count (4), null bitmap (1), bound flag (1), type (2), value (4).
 */
export class ExecutePacket {
  readonly #packet = encodeCommand(
    Command.STMT_EXECUTE,
    Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, NULL_BITMAP_FOR_ONE, NEW_PARAMETERS_BOUND, LONG, 0, 0, 0, 0, 0]),
  )

  constructor(statementId: number) {
    this.#packet.writeUInt32LE(statementId, STATEMENT_ID_AT)
  }

  /** The packet with this parameter. It may be changed again once the answer to it is there. */
  with(parameter: number): Buffer {
    this.#packet.writeInt32LE(parameter, PARAMETER_AT)
    return this.#packet
  }
}
