import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { AuthPlugin, newScramble, sha2Digest, wipe } from './auth.js'
import { decryptPassword, type RsaKeyPair } from './auth-rsa.js'
import { Capability, SCRAMBLE_SIZE } from './constants.js'
import { ProtocolError, ServerErrors } from './errors.js'
import {
  decodeAuthSwitch,
  decodeChangeUser,
  decodeHandshakeResponse,
  encodeAuthSwitch,
  encodeGreeting,
  type Greeting,
  type HandshakeResponse,
  isSslRequest,
  usernameOf,
} from './handshake.js'
import { type Account, accessDenied, checkedMove, outOfOrder, type ServerLoginAction } from './login.js'
import { type ErrPacket, encodeErr } from './packets.js'
import { isEmptyAnswer, type JudgedSecret, judgeFirst, pluginFor, verifyPassword } from './server-auth.js'
import { frame } from './writer.js'

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
  /**
   * null: there is no such account, which the client will not be able to tell from a wrong password. `later`: the owner
   * has to look it up and calls `accountFound`.
   * @param secure whether nobody can listen: TLS, or a secure transport
   */
  readonly findAccount: (username: string, response: HandshakeResponse, secure: boolean) => Account | null | 'later'
  /** For passwords of clients without TLS; without it, these cannot take the full exchange. */
  readonly rsaKeyPair?: () => RsaKeyPair | null
  /** For a login by COM_CHANGE_USER: what the session has negotiated. The owner calls `changeUser`, not `start`. */
  readonly changeUser?: { readonly capabilities: number; readonly mariadbCapabilities: number; readonly tls: boolean }
  /**
   * The challenge, 20 bytes; a new one unless given. For COM_CHANGE_USER the `scramble` of the session's login: client
   * libraries answer that one by mysql_native_password, whatever they are sent (libmariadb, `native_password_auth_client`).
   */
  readonly scramble?: Buffer | undefined
}

type State =
  | 'new'
  | 'greeted'
  | 'upgrading'
  | 'encrypted'
  | 'lookup'
  | 'switching'
  | 'full'
  | 'rsa'
  | 'verifying'
  | 'relaying'
  | 'relayed'
  | 'done'
  | 'failed'

/**
 * greeted: the client's response or its wish for TLS is awaited; encrypted: its response over TLS; lookup: the owner's
 * `accountFound`; switching: the client's answer to an auth switch request; full: its clear password or its wish for the
 * public key; rsa: its encrypted password; verifying: the owner's `verified`; relaying: the client's packet for someone
 * else; relayed: what the owner brings back from there, by `relayed` or `verified`.
 */
const NEXT: Readonly<Record<State, readonly State[]>> = {
  new: ['greeted', 'lookup', 'switching', 'verifying', 'relaying', 'done', 'failed'],
  greeted: ['upgrading', 'lookup', 'switching', 'full', 'verifying', 'relaying', 'done', 'failed'],
  upgrading: ['encrypted', 'failed'],
  encrypted: ['lookup', 'switching', 'full', 'verifying', 'relaying', 'done', 'failed'],
  lookup: ['switching', 'full', 'verifying', 'relaying', 'done', 'failed'],
  switching: ['full', 'verifying', 'done', 'failed'],
  full: ['rsa', 'verifying', 'done', 'failed'],
  rsa: ['verifying', 'done', 'failed'],
  verifying: ['done', 'failed'],
  relaying: ['relayed', 'relaying', 'done', 'failed'],
  relayed: ['relaying', 'done', 'failed'],
  done: [],
  failed: [],
}

/** In these the owner's `verified` ends the login. */
const VERDICT_AWAITED: readonly State[] = ['verifying', 'relaying', 'relayed']

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
  #password: Buffer | undefined
  /** The challenge that the client has answered last. */
  #answered: Buffer

  constructor(options: ServerLoginOptions) {
    this.#options = options
    this.#scramble = options.scramble ?? newScramble()
    this.#answered = this.#scramble
    this.#tls = options.changeUser?.tls ?? false
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

  /** Whether the login goes over TLS. */
  get tls(): boolean {
    return this.#tls
  }

  get state(): string {
    return this.#state
  }

  start(): ServerLoginAction[] {
    this.#move('greeted')
    return [this.#send(encodeGreeting(this.#greeting))]
  }

  /** Takes COM_CHANGE_USER, whole, in place of greeting and response. A client that knows plugins is asked for its password. */
  changeUser(payload: Buffer, sequence: number): ServerLoginAction[] {
    const session = this.#options.changeUser
    if (session === undefined || this.#state !== 'new') throw new Error('not a login by COM_CHANGE_USER')
    return this.#answer(() => {
      this.#sequence = (sequence + 1) & 0xff
      const { capabilities, mariadbCapabilities } = session
      const change = decodeChangeUser(Buffer.from(payload), capabilities, mariadbCapabilities, this.#options.collation)
      return this.#takeResponse(change)
    })
  }

  /** Takes one packet of the client; whatever is wrong with it comes back as `fail`. */
  packet(payload: Buffer, sequence: number): ServerLoginAction[] {
    return this.#answer(() => {
      if (sequence !== this.#sequence) throw outOfOrder()
      this.#sequence = (sequence + 1) & 0xff
      return this.#handle(payload)
    })
  }

  tlsEstablished(): ServerLoginAction[] {
    this.#move('encrypted')
    this.#tls = true
    return []
  }

  /** The owner's answer after `findAccount` said `later`. */
  accountFound(account: Account | null): ServerLoginAction[] {
    if (this.#state !== 'lookup') throw new Error('no account is being looked up')
    return this.#answer(() => this.#takeAccount(account))
  }

  /**
   * Sends what came back for a relayed packet: AuthMoreData or another auth switch request, its payload. An OK or ERR is
   * the exchange's end and told by `verified`; `ClientLogin` does not give it as a question.
   */
  relayed(payload: Buffer): ServerLoginAction[] {
    if (this.#state !== 'relaying' && this.#state !== 'relayed') throw new Error('no exchange is being relayed')
    this.#move('relaying')
    if (payload[0] === AUTH_SWITCH) this.#plugin = decodeAuthSwitch(payload)?.plugin ?? this.#plugin
    return [this.#send(payload)]
  }

  /** The owner's answer to `verify`, and the end of a relayed exchange; an error also that of an account's lookup. */
  verified(result: 'ok' | ErrPacket): ServerLoginAction[] {
    const awaited = VERDICT_AWAITED.includes(this.#state) || (this.#state === 'lookup' && result !== 'ok')
    if (!awaited) throw new Error('no password is being verified')
    return result === 'ok' ? this.#done() : this.#fail(result, 'access-denied')
  }

  #answer(step: () => ServerLoginAction[]): ServerLoginAction[] {
    try {
      return step()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#fail({ errno: error.errno, sqlState: error.sqlState, message: error.message }, error.code)
    }
  }

  #handle(payload: Buffer): ServerLoginAction[] {
    switch (this.#state) {
      case 'greeted':
        if (isSslRequest(payload)) return this.#upgrade()
        return this.#takeResponse(decodeHandshakeResponse(Buffer.from(payload)))
      case 'encrypted':
        // A copy, because the response outlives the chunk that it came in.
        return this.#takeResponse(decodeHandshakeResponse(Buffer.from(payload)))
      case 'switching':
        return this.#judge(payload)
      case 'full':
        return this.#takePassword(payload)
      case 'rsa':
        return this.#takeEncryptedPassword(payload)
      case 'relaying':
        return this.#relay(payload)
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

  #takeResponse(response: HandshakeResponse): ServerLoginAction[] {
    this.#response = response
    this.#username = usernameOf(response)
    if (this.#options.tls.required && !this.#secure) {
      const message = 'Connections using insecure transport are prohibited: this listener requires TLS'
      return this.#fail({ ...ServerErrors.SECURE_TRANSPORT_REQUIRED, message }, 'tls-required')
    }
    const account = this.#options.findAccount(this.#username, response, this.#secure)
    if (account !== 'later') return this.#takeAccount(account)
    this.#move('lookup')
    return []
  }

  #takeAccount(account: Account | null): ServerLoginAction[] {
    this.#unknownAccount = account === null
    this.#account = account ?? { name: this.#username, secret: { kind: 'clear', password: randomBytes(16) } }
    const { secret } = this.#account
    if (secret.kind !== 'relay') return this.#beginAuthentication(secret, this.#response as HandshakeResponse)
    if (secret.plugin === AuthPlugin.NATIVE) this.#answered = Buffer.from(secret.data.subarray(0, SCRAMBLE_SIZE))
    return this.#askFor('relaying', secret.plugin, secret.data)
  }

  /** Takes the client's own plugin where it serves, else asks for another. */
  #beginAuthentication(secret: JudgedSecret, response: HandshakeResponse): ServerLoginAction[] {
    // An empty name is one that nothing has, with which a client asks to be switched.
    const clientPlugin = (this.#namesPlugin ? response.authPlugin : undefined) ?? AuthPlugin.NATIVE
    const plugin = pluginFor(secret, clientPlugin, this.#greeting.authPlugin, this.#secure)
    // A client whose plugin is not the greeting's may have sent nothing because it waits for a scramble of its own.
    const waits = response.authResponse.length === 0 && clientPlugin !== this.#greeting.authPlugin && this.#namesPlugin
    // Without a password all plugins say the same; the client may not even have the other one.
    const says = plugin === clientPlugin || isEmptyAnswer(response.authResponse)
    // What comes with COM_CHANGE_USER is an answer by whatever plugin the client used last; there is but one for clients
    // that name none.
    const fresh = this.#options.changeUser === undefined || !this.#namesPlugin
    const answered = fresh && says && !waits
    if (!answered) return this.#askFor('switching', plugin, Buffer.concat([this.#scramble, Buffer.alloc(1)]))
    this.#plugin = clientPlugin
    return this.#judge(response.authResponse)
  }

  #askFor(next: 'switching' | 'relaying', plugin: string, data: Buffer): ServerLoginAction[] {
    if (!this.#namesPlugin) {
      throw new ProtocolError(
        'old-client',
        'Client does not support authentication protocol requested by server; consider upgrading MySQL client',
        ServerErrors.NOT_SUPPORTED_AUTH_MODE,
      )
    }
    this.#plugin = plugin
    this.#move(next)
    return [this.#send(encodeAuthSwitch(plugin, data))]
  }

  /** Judges the first answer of the chosen plugin. */
  #judge(answer: Buffer): ServerLoginAction[] {
    const empty = isEmptyAnswer(answer)
    if (!empty) this.#usingPassword = true
    const verdict = judgeFirst(this.#secret, this.#plugin, answer, this.#scramble)
    switch (verdict.type) {
      case 'right': {
        this.#nativeStage1 = verdict.nativeStage1
        if (empty) this.#password = Buffer.alloc(0)
        const fast = !empty && this.#plugin === AuthPlugin.CACHING_SHA2
        const success = fast ? [this.#send(Buffer.of(MORE_DATA, FAST_AUTH_SUCCESS))] : []
        return [...success, ...this.#done()]
      }
      case 'wrong':
        return this.#deny()
      case 'ask':
        return this.#verify(Buffer.alloc(0))
      case 'password':
        return this.#takePassword(answer)
      case 'full':
        this.#move('full')
        return [this.#send(Buffer.of(MORE_DATA, PERFORM_FULL_AUTHENTICATION))]
    }
  }

  /** Hands a packet on to whom does the exchange. */
  #relay(payload: Buffer): ServerLoginAction[] {
    this.#move('relayed')
    return [{ type: 'relay', payload: Buffer.from(payload) }]
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
    this.#password = Buffer.from(password)
    if (this.#secret.kind === 'external') {
      this.#move('verifying')
      return [{ type: 'verify', account: this.#account as Account, password }]
    }
    const right = verifyPassword(this.#secret, password)
    wipe(password)
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
      capabilities: this.#negotiated(response.capabilities, this.#greeting.capabilities),
      mariadbCapabilities: this.#negotiated(response.mariadbCapabilities, this.#greeting.mariadbCapabilities),
      tls: this.#tls,
      sha2Digest: this.#sha2Digest,
      nativeStage1: this.#nativeStage1,
      password: this.#password,
      scramble: this.#answered,
    }
    return [{ type: 'done', login, sequence: this.#sequence }]
  }

  /** A session that changes its user keeps what it has. */
  #negotiated(wanted: number, offered: number): number {
    return this.#options.changeUser === undefined ? (wanted & offered) >>> 0 : wanted
  }

  #deny(): ServerLoginAction[] {
    return this.#fail(accessDenied(this.#username, this.#options.clientHost, this.#usingPassword), 'access-denied')
  }

  #fail(err: ErrPacket, reason: string): ServerLoginAction[] {
    if (this.#state !== 'failed' && this.#state !== 'done') this.#move('failed')
    if (this.#password !== undefined) wipe(this.#password)
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

  /** Whether the client can be asked for another plugin. */
  get #namesPlugin(): boolean {
    return ((this.#response as HandshakeResponse).capabilities & Capability.PLUGIN_AUTH) !== 0
  }

  get #secret(): JudgedSecret {
    return (this.#account as Account).secret as JudgedSecret
  }
}
