import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ServerTlsContext } from '../../shared/client-tls.js'

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
