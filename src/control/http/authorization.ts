import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { LoginThrottle } from '../../shared/login-throttle.js'
import { NetworkList } from '../../shared/networks.js'
import { ApiError } from './api-error.js'

/** What is known of a request before it is answered. */
export interface Credentials {
  readonly method: string
  /** Of the client, without IPv6's `::ffff:`. */
  readonly address: string
  /** The headers, as they came. */
  readonly authorization: string | undefined
  readonly host: string | undefined
}

const LOOPBACK = new NetworkList(['127.0.0.0/8', '::1'])
/** Wrong tokens in a row from which on an address has to wait. */
const FAILURES_MAX = 10
const BACK_OFF = { firstMs: 1000, maxMs: 60_000 }
const CHALLENGE = { 'WWW-Authenticate': 'Bearer realm="sluice"' }
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/**
 * Who may ask for what. With a token, whoever shows it, for everything. Without one, programs of this machine, for reading
 * only, and no web page that a browser of this machine has open.
 */
export class Authorization {
  private readonly tokenHash: Buffer | null
  private readonly throttle = new LoginThrottle(BACK_OFF)

  constructor(token: string | null) {
    this.tokenHash = token === null ? null : sha256(token)
  }

  /** Throws an ApiError when the request is not to be answered. */
  check({ method, address, authorization, host }: Credentials, nowMs: number): void {
    if (this.tokenHash === null) return checkWithoutToken(method, address, host)
    const waitMs = this.throttle.waitOf(address, nowMs)
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000)
      throw new ApiError(429, 'too-many-failures', `too many wrong tokens from ${address}: wait ${seconds} s`, {
        'Retry-After': String(seconds),
      })
    }
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    if (given === undefined)
      throw new ApiError(401, 'token-missing', 'expected the header Authorization: Bearer and api.token', CHALLENGE)
    // Hashes are of one length, and say nothing of where two tokens begin to differ.
    if (timingSafeEqual(sha256(given), this.tokenHash)) return this.throttle.succeeded(address)
    this.throttle.failed(address, nowMs, FAILURES_MAX)
    throw new ApiError(401, 'token-wrong', 'the token is not that of api.token', CHALLENGE)
  }
}

function checkWithoutToken(method: string, address: string, host: string | undefined): void {
  if (!READS.has(method))
    throw new ApiError(
      403,
      'token-required',
      'expected api.token in the configuration: without one this port only reads',
    )
  if (!LOOPBACK.contains(address))
    throw new ApiError(
      403,
      'token-required',
      'expected api.token in the configuration: without one only this machine may ask',
    )
  // A name that a foreign web page made point to this machine (DNS rebinding) is not how scripts call it.
  if (!isLocalName(host))
    throw new ApiError(403, 'host-not-local', 'expected localhost or an IP address in the header Host, or api.token')
}

function isLocalName(host: string | undefined): boolean {
  const name = (host ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return name === 'localhost' || isIP(name) !== 0
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
