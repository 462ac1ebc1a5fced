import { encodeErr, encodeOk, frame, ProtocolError, ServerErrors } from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import type { Logger } from '../../shared/log.js'
import { STATUS_FLAGS } from './result-packets.js'
import type { OkFacts } from './session.js'

/** An OK packet, framed. */
export function okPacket(sequence: number, capabilities: number, info = '', facts: Partial<OkFacts> = {}): Buffer {
  const ok = {
    affectedRows: facts.affectedRows ?? 0,
    lastInsertId: facts.lastInsertId ?? 0,
    statusFlags: STATUS_FLAGS,
    warnings: facts.warnings ?? 0,
    info: Buffer.from(info),
    sessionState: [],
  }
  return frame(encodeOk(ok, capabilities), sequence)
}

/** An ERR packet, framed. What is neither ProxyError nor ProtocolError is a mistake of ours: logged, and told without details. */
export function errPacket(sequence: number, error: unknown, log: Logger): Buffer {
  if (error instanceof ProxyError || error instanceof ProtocolError) {
    const { errno, sqlState, message } = error
    return frame(encodeErr({ errno, sqlState, message }), sequence)
  }
  log.error({ err: error }, 'an admin statement failed')
  const message = 'sluice: the statement failed for an internal reason; the log has the details'
  return frame(encodeErr({ ...ServerErrors.UNKNOWN_ERROR, message }), sequence)
}
