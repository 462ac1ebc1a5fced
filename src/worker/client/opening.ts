import { Buffer } from 'node:buffer'
import { decodeProxyHeader, ProtocolError, ServerErrors } from '../../../protocol/index.js'
import { addressIn, type ClientAddress } from './client-address.js'

/**
 * The first bytes of a client's connection, which from some addresses may be a PROXY protocol header. Nobody waits for
 * one: the greeting has been sent, and a client's first packet tells by itself that there is none (a packet that begins
 * like a header would have a number that a first packet cannot have).
 */
export class Opening {
  readonly #trusted: boolean
  #client: ClientAddress
  #held: Buffer = Buffer.alloc(0)

  /**
   * @param own where the connection comes from
   * @param trusted whether a header from there is believed; elsewhere it is an error
   */
  constructor(own: ClientAddress, trusted: boolean) {
    this.#client = own
    this.#trusted = trusted
  }

  /** Whether the client's address may still become another. */
  get mayChange(): boolean {
    return this.#trusted
  }

  get client(): ClientAddress {
    return this.#client
  }

  /**
   * @returns what of the bytes belongs to the login, after which no more is to be given here; null: more has to come
   * @throws ProtocolError for a header that is malformed or not welcome
   */
  take(chunk: Buffer): Buffer | null {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const found = this.#read(bytes)
    if (found === 'more') {
      this.#held = Buffer.from(bytes)
      return null
    }
    this.#held = Buffer.alloc(0)
    if (found === null) return bytes
    this.#client = addressIn(found, this.#client)
    return bytes.subarray(found.length)
  }

  #read(bytes: Buffer): ReturnType<typeof decodeProxyHeader> {
    const found = decodeProxyHeader(bytes)
    if (found === null || found === 'more' || this.#trusted) return found
    const message = `sluice: Host '${this.#client.host}' sent a PROXY protocol header and is not in proxy_protocol_networks`
    throw new ProtocolError('proxy-not-trusted', message, ServerErrors.HOST_NOT_PRIVILEGED)
  }
}
