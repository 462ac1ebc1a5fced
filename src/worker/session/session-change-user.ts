import type { ErrPacket } from '../../../protocol/index.js'
import type { WorkerContext } from '../context.js'
import { type Authenticated, Authentication } from '../login/authentication.js'
import { defaultPlugin } from '../login/session-login.js'
import type { ClientTerms } from './session-start.js'

/** The session whose user is to be another. */
export interface ChangingSession extends ClientTerms {
  readonly id: number
  readonly encrypted: boolean
  send(packet: Buffer): void
  userChanged(result: Authenticated): void
  /** `packet` tells the client. */
  changeRefused(packet: Buffer, reason: string): void
  blame(error: unknown): void
}

/**
 * Begins COM_CHANGE_USER: a login without greeting, TLS and negotiation, whose other packets the session hands on as they
 * come. The command's own payload is the first.
 */
export function beginChangeUser(session: ChangingSession, context: WorkerContext): Authentication {
  const { id, place, capabilities, mariadbCapabilities, scramble, encrypted } = session
  const { greeting } = context.view.snapshot
  const options = {
    serverVersion: greeting.serverVersion,
    connectionId: id,
    capabilities,
    collation: greeting.collation,
    status: 0,
    tls: { available: false, required: false },
    secureTransport: place.local,
    defaultPlugin: defaultPlugin(greeting.flavor),
    scramble: Buffer.from(scramble, 'latin1'),
    changeUser: { capabilities, mariadbCapabilities, tls: encrypted },
  }
  const refused = (packet: Buffer, err: ErrPacket, reason: string): void => {
    context.counters.accessDenied++
    context.log.info({ client: place.host, reason }, `change of user refused: ${err.message}`)
    session.changeRefused(packet, reason)
  }
  return new Authentication(context, () => place, options, {
    send: (packet) => session.send(packet),
    startTls: () => {},
    authenticated: (result) => session.userChanged(result),
    refused,
    crashed: (error) => session.blame(error),
  })
}
