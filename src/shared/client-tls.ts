import { createSecureContext, type SecureContext } from 'node:tls'
import type { TlsMaterial } from './snapshot.js'

/** TLS towards clients, as it is at the moment. */
export interface ServerTlsContext {
  readonly context: SecureContext
  /** Who comes without TLS is refused. */
  readonly required: boolean
  /** Clients must have a certificate that `tls.ca` signed. */
  readonly asksForCertificate: boolean
}

/** Sessions are resumed only where they were made for this; the same in all processes. */
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

export function requiresTls(mode: TlsMaterial['mode']): boolean {
  return mode !== 'preferred'
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
  return { context, required: requiresTls(mode), asksForCertificate: mode === 'verify_ca' }
}
