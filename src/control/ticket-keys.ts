import { randomBytes } from 'node:crypto'
import type { TlsMaterial } from '../shared/snapshot.js'
import type { LoadedTls } from './tls.js'

/** As Node wants them: 16 bytes of name, 16 for the MAC, 16 for the cipher. */
const KEYS_BYTES = 48

/**
 * What workers are told about TLS: the files' content, and the keys of session tickets, which are the same in all workers,
 * so that a client resumes its session wherever it lands. Node takes one set of keys only: after a rotation tickets of
 * before are not understood, and their clients make one full handshake. Other files get other keys at once: a session that
 * an authority vouched for must not outlive the trust in it.
 */
export class ClientTls {
  #material: TlsMaterial | null = null
  #loaded: LoadedTls = null

  constructor(loaded: LoadedTls) {
    this.replace(loaded)
  }

  get material(): TlsMaterial | null {
    return this.#material
  }

  /** @returns whether anything is different from before */
  replace(loaded: LoadedTls): boolean {
    if (JSON.stringify(loaded) === JSON.stringify(this.#loaded)) return false
    this.#loaded = loaded
    this.rotate()
    return true
  }

  /** New keys for tickets. */
  rotate(): void {
    const ticketKeys = randomBytes(KEYS_BYTES).toString('base64')
    this.#material = this.#loaded === null ? null : { ...this.#loaded, ticketKeys }
  }
}
