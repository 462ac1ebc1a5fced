import { createSecureContext, type SecureContext } from 'node:tls'
import type { TlsMaterial } from '../shared/snapshot.js'

/** Keeps the secure context of the current certificate, so that it is built once and not for every connection. */
export class TlsContexts {
  #material: TlsMaterial | null = null
  #server: SecureContext | null = null

  /** Context for TLS towards clients, or null when no certificate is there. */
  server(material: TlsMaterial | null): SecureContext | null {
    if (material === null) return null
    if (this.#material !== material) {
      this.#server = createSecureContext({ key: material.key, cert: material.cert, minVersion: 'TLSv1.2' })
      this.#material = material
    }
    return this.#server
  }
}
