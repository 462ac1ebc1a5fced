import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { AuthPlugin, newScramble, sha2Digest, verifyNative, verifySha2 } from './auth.js'
import { decryptPassword, type RsaKeyPair } from './auth-rsa.js'
import { Capability } from './constants.js'
import { ProtocolError, ServerErrors } from './errors.js'
import {
  decodeHandshakeResponse,
  encodeGreeting,
  type Greeting,
  type HandshakeResponse,
  isSslRequest,
  usernameOf,
} from './handshake.js'
import { type Account, accessDenied, checkedMove, outOfOrder, type Secret, type ServerLoginAction } from './login.js'
import { type ErrPacket, encodeErr } from './packets.js'
import { fastDigestOf, nativeStage2Of, pluginFor, verifyPassword } from './server-auth.js'
import { frame, PayloadWriter } from './writer.js'

export interface ServerLoginOptions {
  readonly serverVersion: string
  readonly connectionId: number
  /** CLIENT_* flags to offer. PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH are always, SSL follows `tls`. */
  readonly capabilities: number
  readonly mariadbCapabilities?: number
  readonly collation: number
  /** SERVER_STATUS_* flags of the greeting. */
  readonly status: number
  readonly tls: { readonly available: boolean; readonly required: boolean }
  /** The connection cannot be listened to even without TLS: a Unix socket. */
  readonly secureTransport?: boolean
  /** The plugin named in the greeting; caching_sha2_password unless given. */
  readonly defaultPlugin?: string
  /** Where the client comes from, for error messages. */
  readonly clientHost: string
  /** null: there is no such account, which the client will not be able to tell from a wrong password. */
  readonly findAccount: (username: string, response: HandshakeResponse) => Account | null
  /** For passwords of clients without TLS; without it, these cannot take the full exchange. */
  readonly rsaKeyPair?: () => RsaKeyPair | null
  /** Only for tests: 20 bytes. */
  readonly scramble?: Buffer
}

type State =
  | 'new'
  | 'greeted'
  | 'upgrading'
  | 'encrypted'
  | 'switching'
  | 'full'
  | 'rsa'
  | 'verifying'
  | 'done'
  | 'failed'

/**
 * greeted: the client's response or its wish for TLS is awaited; encrypted: its response over TLS; switching: its answer
 * to an auth switch request; full: its clear password or its wish for the public key; rsa: its encrypted password;
 * verifying: the owner's `verified`.
 */
const NEXT: Readonly<Record<State, readonly State[]>> = {
  new: ['greeted', 'failed'],
  greeted: ['upgrading', 'switching', 'full', 'verifying', 'done', 'failed'],
  upgrading: ['encrypted', 'failed'],
  encrypted: ['switching', 'full', 'verifying', 'done', 'failed'],
  switching: ['full', 'verifying', 'done', 'failed'],
  full: ['rsa', 'verifying', 'done', 'failed'],
  rsa: ['verifying', 'done', 'failed'],
  verifying: ['done', 'failed'],
  done: [],
  failed: [],
}

const MORE_DATA = 0x01
const AUTH_SWITCH = 0xfe
const REQUEST_PUBLIC_KEY = 0x02
const FAST_AUTH_SUCCESS = 0x03
const PERFORM_FULL_AUTHENTICATION = 0x04

/** The server's side of a login. See login.ts for how to drive it. */
export class ServerLogin {
  readonly #options: ServerLoginOptions
  readonly #scramble: Buffer
  readonly #greeting: Greeting
  #state: State = 'new'
  #sequence = 0
  #tls = false
  #response: HandshakeResponse | undefined
  #username = ''
  #account: Account | undefined
  #unknownAccount = false
  #plugin = ''
  #usingPassword = false
  #sha2Digest: Buffer | undefined
  #nativeStage1: Buffer | undefined

  constructor(options: ServerLoginOptions) {
    this.#options = options
    this.#scramble = options.scramble ?? newScramble()
    const { PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, SSL } = Capability
    const always = options.capabilities | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH
    this.#greeting = {
      serverVersion: options.serverVersion,
      connectionId: options.connectionId,
      scramble: this.#scramble,
      capabilities: (options.tls.available ? always | SSL : always & ~SSL) >>> 0,
      mariadbCapabilities: options.mariadbCapabilities ?? 0,
      collation: options.collation,
      status: options.status,
      authPlugin: options.defaultPlugin ?? AuthPlugin.CACHING_SHA2,
    }
  }

  get state(): string {
    return this.#state
  }

  start(): ServerLoginAction[] {
    this.#move('greeted')
    return [this.#send(encodeGreeting(this.#greeting))]
  }

  /** Takes one packet of the client; whatever is wrong with it comes back as `fail`. */
  packet(payload: Buffer, sequence: number): ServerLoginAction[] {
    try {
      if (sequence !== this.#sequence) throw outOfOrder()
      this.#sequence = (sequence + 1) & 0xff
      return this.#handle(payload)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#fail({ errno: error.errno, sqlState: error.sqlState, message: error.message }, error.code)
    }
  }

  tlsEstablished(): ServerLoginAction[] {
    this.#move('encrypted')
    this.#tls = true
    return []
  }

  /** The owner's answer to `verify`. */
  verified(result: 'ok' | ErrPacket): ServerLoginAction[] {
    if (this.#state !== 'verifying') throw new Error('no password is being verified')
    return result === 'ok' ? this.#done() : this.#fail(result, 'access-denied')
  }

  #handle(payload: Buffer): ServerLoginAction[] {
    switch (this.#state) {
      case 'greeted':
        return isSslRequest(payload) ? this.#upgrade() : this.#takeResponse(payload)
      case 'encrypted':
        return this.#takeResponse(payload)
      case 'switching':
        return this.#judge(payload)
      case 'full':
        return this.#takePassword(payload)
      case 'rsa':
        return this.#takeEncryptedPassword(payload)
      default:
        throw outOfOrder()
    }
  }

  #upgrade(): ServerLoginAction[] {
    if (!this.#options.tls.available) {
      throw new ProtocolError('tls-not-offered', 'TLS is not available here', ServerErrors.HANDSHAKE_ERROR)
    }
    this.#move('upgrading')
    return [{ type: 'startTls' }]
  }

  #takeResponse(payload: Buffer): ServerLoginAction[] {
    // A copy, because the response outlives the chunk that it came in.
    const response = decodeHandshakeResponse(Buffer.from(payload))
    this.#response = response
    this.#username = usernameOf(response)
    if (this.#options.tls.required && !this.#secure) {
      const message = 'Connections using insecure transport are prohibited: this listener requires TLS'
      return this.#fail({ ...ServerErrors.SECURE_TRANSPORT_REQUIRED, message }, 'tls-required')
    }
    const account = this.#options.findAccount(this.#username, response)
    this.#unknownAccount = account === null
    this.#account = account ?? { name: this.#username, secret: { kind: 'clear', password: randomBytes(16) } }
    return this.#beginAuthentication(response)
  }

  /** Takes the client's own plugin where it serves, else asks for another. */
  #beginAuthentication(response: HandshakeResponse): ServerLoginAction[] {
    const named = (response.capabilities & Capability.PLUGIN_AUTH) !== 0
    const clientPlugin = (named && response.authPlugin) || AuthPlugin.NATIVE
    this.#plugin = pluginFor(this.#secret, clientPlugin, this.#greeting.authPlugin, this.#secure)
    // A client whose plugin is not the greeting's may have sent nothing because it waits for a scramble of its own.
    const waits = response.authResponse.length === 0 && clientPlugin !== this.#greeting.authPlugin && named
    if (this.#plugin === clientPlugin && !waits) return this.#judge(response.authResponse)
    if (!named) {
      throw new ProtocolError(
        'old-client',
        'Client does not support authentication protocol requested by server; consider upgrading MySQL client',
        ServerErrors.NOT_SUPPORTED_AUTH_MODE,
      )
    }
    this.#move('switching')
    const request = new PayloadWriter(64).u8(AUTH_SWITCH).nulString(this.#plugin)
    return [this.#send(request.bytes(this.#scramble).u8(0).take())]
  }

  /** Judges the first answer of the chosen plugin. */
  #judge(answer: Buffer): ServerLoginAction[] {
    // caching_sha2_password sends a single zero for an empty password, mysql_clear_password always has one at the end.
    const empty = answer.length === 0 || (answer.length === 1 && answer[0] === 0)
    if (empty) return this.#secret.kind === 'none' ? this.#done() : this.#judgeEmpty()
    this.#usingPassword = true
    if (this.#secret.kind === 'none') return this.#deny()
    if (this.#plugin === AuthPlugin.CLEAR) return this.#takePassword(answer)
    return this.#plugin === AuthPlugin.NATIVE ? this.#judgeNative(answer) : this.#judgeFast(answer)
  }

  /** Only those who know the accounts elsewhere can tell whether an empty password is right. */
  #judgeEmpty(): ServerLoginAction[] {
    return this.#secret.kind === 'external' ? this.#verify(Buffer.alloc(0)) : this.#deny()
  }

  #judgeNative(answer: Buffer): ServerLoginAction[] {
    const stage2 = nativeStage2Of(this.#secret)
    this.#nativeStage1 = stage2 === undefined ? undefined : verifyNative(answer, this.#scramble, stage2)
    return this.#nativeStage1 === undefined ? this.#deny() : this.#done()
  }

  /** The fast path; where it does not succeed the password itself is asked for, as MySQL does. */
  #judgeFast(answer: Buffer): ServerLoginAction[] {
    const digest = fastDigestOf(this.#secret)
    if (digest !== undefined && verifySha2(answer, this.#scramble, digest)) {
      const success = this.#send(Buffer.of(MORE_DATA, FAST_AUTH_SUCCESS))
      return [success, ...this.#done()]
    }
    this.#move('full')
    return [this.#send(Buffer.of(MORE_DATA, PERFORM_FULL_AUTHENTICATION))]
  }

  /** What follows the request for full authentication. */
  #takePassword(payload: Buffer): ServerLoginAction[] {
    if (this.#secure) return payload.at(-1) === 0 ? this.#verify(Buffer.from(payload.subarray(0, -1))) : this.#deny()
    if (payload.length !== 1 || payload[0] !== REQUEST_PUBLIC_KEY) return this.#takeEncryptedPassword(payload)
    const pair = this.#options.rsaKeyPair?.() ?? null
    if (pair === null) return this.#deny()
    this.#move('rsa')
    return [this.#send(Buffer.concat([Buffer.of(MORE_DATA), pair.publicKeyPem]))]
  }

  #takeEncryptedPassword(payload: Buffer): ServerLoginAction[] {
    const pair = this.#options.rsaKeyPair?.() ?? null
    const password = pair === null ? undefined : decryptPassword(payload, this.#scramble, pair)
    return password === undefined ? this.#deny() : this.#verify(password)
  }

  /** The clear password is known here. */
  #verify(password: Buffer): ServerLoginAction[] {
    this.#sha2Digest = sha2Digest(password)
    if (this.#secret.kind === 'external') {
      this.#move('verifying')
      return [{ type: 'verify', account: this.#account as Account, password }]
    }
    const right = verifyPassword(this.#secret, password)
    password.fill(0)
    return right ? this.#done() : this.#deny()
  }

  #done(): ServerLoginAction[] {
    if (this.#unknownAccount) return this.#deny()
    this.#move('done')
    const response = this.#response as HandshakeResponse
    const login = {
      response,
      username: this.#username,
      account: this.#account as Account,
      authenticatedBy: this.#plugin,
      capabilities: (response.capabilities & this.#greeting.capabilities) >>> 0,
      mariadbCapabilities: (response.mariadbCapabilities & this.#greeting.mariadbCapabilities) >>> 0,
      tls: this.#tls,
      sha2Digest: this.#sha2Digest,
      nativeStage1: this.#nativeStage1,
    }
    return [{ type: 'done', login, sequence: this.#sequence }]
  }

  #deny(): ServerLoginAction[] {
    return this.#fail(accessDenied(this.#username, this.#options.clientHost, this.#usingPassword), 'access-denied')
  }

  #fail(err: ErrPacket, reason: string): ServerLoginAction[] {
    if (this.#state !== 'failed' && this.#state !== 'done') this.#move('failed')
    return [{ type: 'fail', packet: frame(encodeErr(err), this.#sequence), err, reason }]
  }

  #send(payload: Buffer): ServerLoginAction {
    const packet = frame(payload, this.#sequence)
    this.#sequence = (this.#sequence + 1) & 0xff
    return { type: 'send', packet }
  }

  #move(to: State): void {
    this.#state = checkedMove(NEXT, this.#state, to)
  }

  get #secure(): boolean {
    return this.#tls || this.#options.secureTransport === true
  }

  get #secret(): Secret {
    return (this.#account as Account).secret
  }
}
