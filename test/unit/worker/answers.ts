import { Buffer } from 'node:buffer'
import { encodeErr, encodeOk, frame } from '../../../protocol/index.js'

/** Answers of a server to a client without any capability: classic EOF packets, ERR without SQLSTATE. */

const STATUS_AUTOCOMMIT = 0x0002

export function ok(statusFlags = STATUS_AUTOCOMMIT): Buffer {
  const empty = Buffer.alloc(0)
  return frame(
    encodeOk({ affectedRows: 0, lastInsertId: 0, statusFlags, warnings: 0, info: empty, sessionState: [] }, 0),
    1,
  )
}

export function err(errno: number, message: string, sequence = 1): Buffer {
  return frame(encodeErr({ errno, sqlState: 'HY000', message }), sequence)
}

function eof(sequence: number): Buffer {
  return frame(Buffer.of(0xfe, 0, 0, STATUS_AUTOCOMMIT, 0), sequence)
}

/** One text column, one row per value. Packets: 1 count, 2 column, 3 EOF, 4... rows, EOF. */
export function resultSet(...values: string[]): Buffer {
  const definition = Buffer.concat([
    ...['def', '', '', '', 'c', ''].map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])),
    Buffer.of(0x0c, 0xff, 0x00, 0xff, 0x00, 0x00, 0x00, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00),
  ])
  const rows = values.map((value, index) =>
    frame(Buffer.concat([Buffer.of(value.length), Buffer.from(value)]), 4 + index),
  )
  return Buffer.concat([frame(Buffer.of(1), 1), frame(definition, 2), eof(3), ...rows, eof(4 + values.length)])
}

/** The OK of COM_STMT_PREPARE for a statement without parameters and columns. */
export function prepareOk(statementId: number): Buffer {
  const payload = Buffer.alloc(12)
  payload.writeUInt32LE(statementId, 1)
  return frame(payload, 1)
}
