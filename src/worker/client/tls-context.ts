import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { TlsMaterial } from '../../shared/snapshot.js'

/** TLS towards clients, as it is at the moment. */
export interface ServerTlsContext {
  readonly context: SecureContext
  /** Clients must have a certificate that `tls.ca` signed. */
  readonly asksForCertificate: boolean
}

/** Sessions are resumed only where they were made for this; the same in all workers. */
const SESSION_CONTEXT = 'sluice'
/** Seconds that a session may be resumed (MySQL: ssl_session_cache_timeout). */
const SESSION_TIMEOUT_S = 300

/** Keeps the secure context of the current certificate, so that it is built once and not for every connection. */
export class TlsContexts {
  #material = ''
  #server: ServerTlsContext | null = null

  /** Context for TLS towards clients, or null when it is not offered. */
  server(material: TlsMaterial | null): ServerTlsContext | null {
    if (material === null) return null
    // Every snapshot has a copy of its own.
    const text = JSON.stringify(material)
    if (this.#server === null || this.#material !== text) {
      this.#server = serverContext(material)
      this.#material = text
    }
    return this.#server
  }
}

function serverContext({ mode, key, cert, ca, ticketKeys }: TlsMaterial): ServerTlsContext {
  const context = createSecureContext({
    key,
    cert,
    minVersion: 'TLSv1.2',
    sessionIdContext: SESSION_CONTEXT,
    sessionTimeout: SESSION_TIMEOUT_S,
    ticketKeys: Buffer.from(ticketKeys, 'base64'),
    ...(ca !== null && { ca }),
  })
  return { context, asksForCertificate: mode === 'verify_ca' }
}

/** Begins TLS with a client. A certificate that does not do ends nothing here: {@link certificateProblem} tells. */
export function startClientTls(plain: Socket, { context, asksForCertificate }: ServerTlsContext): TLSSocket {
  return new TLSSocket(plain, {
    isServer: true,
    secureContext: context,
    requestCert: asksForCertificate,
    rejectUnauthorized: false,
  })
}

/** What Node's own TLS server asks of a socket; it has no public name for sockets that are not of such a server. */
interface Verifying {
  readonly ssl?: { verifyError?(): (Error & { code?: string }) | null | undefined }
}

/**
 * Why the client's certificate is not good enough; null when it is.
 * A session that is resumed has the certificate and the verdict of its first handshake.
 */
export function certificateProblem(socket: TLSSocket): string | null {
  if (socket.getPeerX509Certificate() === undefined) return 'none was sent'
  const { ssl } = socket as unknown as Verifying
  if (typeof ssl?.verifyError !== 'function') return 'it cannot be verified'
  const error = ssl.verifyError()
  return error ? error.message : null
}
