import { encodeErr, encodeOk, frame } from '../../../protocol/index.js'

const EMPTY = Buffer.alloc(0)

/** A plain OK packet, as a server answers COM_PING. */
export function okPacket(sequence: number, statusFlags: number, capabilities: number, info: Buffer = EMPTY): Buffer {
  const ok = { affectedRows: 0, lastInsertId: 0, statusFlags, warnings: 0, info, sessionState: [] }
  return frame(encodeOk(ok, capabilities), sequence)
}

export function errPacket(
  sequence: number,
  error: { readonly errno: number; readonly sqlState: string; readonly message: string },
  capabilities: number,
): Buffer {
  return frame(encodeErr(error, capabilities), sequence)
}
