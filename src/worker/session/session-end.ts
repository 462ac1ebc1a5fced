import { ProtocolError } from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import { Effect } from '../../sql/index.js'
import type { ClientAddress } from '../client/client-address.js'
import type { WorkerContext } from '../context.js'
import type { Execution } from '../execution/execution.js'
import type { SessionPhase } from './session-phase.js'

/* The ways in which a session ends that its client has not ended itself: what the client is told, and what is noted. */

/** MySQL says so (ER_CLIENT_INTERACTION_TIMEOUT), MariaDB does not. */
export const INACTIVE = {
  errno: 4031,
  sqlState: 'HY000',
  message:
    'The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior.',
}

export const SHUTDOWN = new ProxyError('shutdown', 1053, '08S01', 'Server shutdown in progress')

/** The connection cannot go on, since what follows of the packet would be taken for commands: as the server does. */
export function packetTooLarge(maxAllowedPacket: number): ProxyError {
  const message = `Got a packet bigger than 'max_allowed_packet' bytes (sluice: ${maxAllowedPacket})`
  return new ProxyError('packet-too-large', 1153, '08S01', message)
}

/** Whether the command that was answered ends the session: COMMIT and ROLLBACK with RELEASE do, and the server ends its connection. */
export function endsByRelease({ command, lastErrno, facts }: Execution): boolean {
  if ((command.effects & Effect.release) === 0 || !command.executes || lastErrno !== 0) return false
  if (facts.last !== null) facts.last.outdated = true
  return true
}

/** What a client is told of an error that is none of its own: that of Sluice, else that there was one. */
export function asProxyError(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error
  return new ProxyError('internal', 1105, 'HY000', 'sluice: internal error; see its log')
}

/** What is logged of a session that ends by an error. */
export interface FailedSession {
  readonly id: number
  readonly place: ClientAddress
  readonly phase: SessionPhase
  readonly execution: Execution
}

/** Counts and logs what ends a session: the client broke the protocol, or Sluice has a bug. */
export function noteFailure(
  error: unknown,
  { id, place, phase, execution }: FailedSession,
  { counters, log }: WorkerContext,
): void {
  if (error instanceof ProtocolError) {
    counters.protocolErrors++
    log.warn({ session: id, client: place.host, code: error.code }, `client broke the protocol: ${error.message}`)
    return
  }
  counters.invariantErrors++
  const { kind, code } = execution.command
  log.error({ session: id, phase, command: code, kind, err: error }, 'a session ends by an error in Sluice')
}
