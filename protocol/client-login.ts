import { Buffer } from 'node:buffer'
import { AuthPlugin, type Password } from './auth.js'
import { parsecResponse } from './auth-parsec.js'
import { encryptPassword } from './auth-rsa.js'
import {
  type Credentials,
  firstAnswer,
  fullAnswer,
  openingPlugin,
  pluginError,
  publicKeyRequest,
  scrambleOf,
} from './client-auth.js'
import { Capability } from './constants.js'
import { ProtocolError, ServerErrors } from './errors.js'
import {
  decodeAuthSwitch,
  decodeGreeting,
  encodeHandshakeResponse,
  encodeSslRequest,
  type Greeting,
  handshakeCollation,
} from './handshake.js'
import { type ClientLoginAction, checkedMove, outOfOrder } from './login.js'
import { decodeErr, decodeOk, isErrPacket } from './packets.js'
import { frame } from './writer.js'

export interface ClientLoginOptions {
  readonly username: Buffer | string
  readonly password: Password
  /**
   * SHA1(password), in place of an unknown password (which is empty then): answers mysql_native_password, and no other
   * plugin. With a password as well, that serves the other plugins.
   */
  readonly nativeStage1?: Buffer | undefined
  /**
   * The password is someone else's, who answers the server's questions: see the `relay` action. `password` is not used.
   */
  readonly relay?: boolean | undefined
  readonly database?: string | undefined
  /**
   * CLIENT_* flags wanted; what the server does not offer is left out. PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH and
   * PLUGIN_AUTH_LENENC_CLIENT_DATA are always wanted; SSL, CONNECT_WITH_DB and CONNECT_ATTRS follow the other options.
   */
  readonly capabilities: number | ((greeting: Greeting) => number)
  /** MariaDB's extended flags wanted; a MySQL server offers none of them. */
  readonly mariadbCapabilities?: number
  readonly collation: number
  /** Raw block, as `encodeAttributes` makes it. */
  readonly attributes?: Buffer | undefined
  /** `preferred` uses TLS where the server offers it, `required` fails where it does not. */
  readonly tls: 'off' | 'preferred' | 'required'
  /** The connection cannot be listened to even without TLS: a Unix socket. */
  readonly secureTransport?: boolean
  /** Trust whatever public key the server sends where there is no TLS. */
  readonly allowRsaPublicKeyRetrieval?: boolean
  /** The server's public key (PEM), when it is known beforehand. */
  readonly serverPublicKey?: Buffer | undefined
  /** 1 to 22. */
  readonly zstdLevel?: number | undefined
  /** Largest packet to accept, in bytes; 1 GB unless given. */
  readonly maxPacketSize?: number
}

type State = 'new' | 'upgrading' | 'answered' | 'keyRequested' | 'saltRequested' | 'relaying' | 'done' | 'failed'

/**
 * answered: the server's verdict, its switch to another plugin or its further question is awaited; keyRequested: its
 * public key; saltRequested: the salt of parsec; relaying: the owner's `relayed`, though the server may also go on or end
 * the login by itself.
 */
const NEXT: Readonly<Record<State, readonly State[]>> = {
  new: ['upgrading', 'answered', 'failed'],
  upgrading: ['answered', 'failed'],
  answered: ['answered', 'keyRequested', 'saltRequested', 'relaying', 'done', 'failed'],
  keyRequested: ['answered', 'failed'],
  saltRequested: ['answered', 'failed'],
  relaying: ['relaying', 'answered', 'done', 'failed'],
  done: [],
  failed: [],
}

const OK = 0x00
const MORE_DATA = 0x01
const AUTH_SWITCH = 0xfe
const FAST_AUTH_SUCCESS = 0x03
const PERFORM_FULL_AUTHENTICATION = 0x04
/** What a client in relay mode names: no account has it, so that the server asks for the account's own plugin. */
const RELAY_PLUGIN = ''
/** A server has no reason to switch more often: once from the greeting's plugin to the account's. */
const SWITCHES_MAX = 2
/** Bytes of an answer without PLUGIN_AUTH_LENENC_CLIENT_DATA: an encrypted password has more. */
const SHORT_ANSWER_MAX = 255
const DEFAULT_MAX_PACKET_SIZE = 0x4000_0000

/** The client's side of a login. See login.ts for how to drive it. */
export class ClientLogin {
  readonly #options: ClientLoginOptions
  #state: State = 'new'
  #sequence = 0
  #greeting: Greeting | undefined
  #capabilities = 0
  #mariadbCapabilities = 0
  #scramble: Buffer = Buffer.alloc(0)
  #plugin = ''
  #tls = false
  #switches = 0

  constructor(options: ClientLoginOptions) {
    this.#options = options
  }

  get state(): string {
    return this.#state
  }

  /** The server speaks first: there is nothing to do yet. */
  start(): ClientLoginAction[] {
    return []
  }

  /** Takes one packet of the server; whatever is wrong with it comes back as `fail`. */
  packet(payload: Buffer, sequence: number): ClientLoginAction[] {
    try {
      // A server that refuses before or instead of its greeting may number that packet as it likes.
      if (sequence !== this.#sequence && !isErrPacket(payload)) throw outOfOrder()
      this.#sequence = (sequence + 1) & 0xff
      return this.#handle(payload)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.#fail(error)
    }
  }

  tlsEstablished(): ClientLoginAction[] {
    if (this.#state !== 'upgrading') throw new Error('no TLS upgrade was asked for')
    this.#tls = true
    return this.#respond()
  }

  /** In relay mode: sends the answer to the server's question, the payload as it came from whom was asked. */
  relayed(answer: Buffer): ClientLoginAction[] {
    if (this.#state !== 'relaying') throw new Error('the server asked nothing')
    this.#move('answered')
    return [this.#send(answer)]
  }

  #handle(payload: Buffer): ClientLoginAction[] {
    if (this.#state === 'done' || this.#state === 'failed' || this.#state === 'upgrading') throw outOfOrder()
    if (isErrPacket(payload)) {
      this.#move('failed')
      return [{ type: 'fail', err: decodeErr(payload), reason: 'refused', packet: Buffer.from(payload) }]
    }
    if (this.#state === 'new') return this.#takeGreeting(Buffer.from(payload))
    if (this.#state === 'keyRequested') return this.#takePublicKey(payload)
    if (this.#state === 'saltRequested') return this.#takeSalt(payload)
    return this.#takeVerdict(payload)
  }

  #takeGreeting(payload: Buffer): ClientLoginAction[] {
    const greeting = decodeGreeting(payload)
    const { tls } = this.#options
    const offersTls = (greeting.capabilities & Capability.SSL) !== 0
    if (tls === 'required' && !offersTls) {
      const message = 'SSL connection error: TLS is required, but the server does not offer it'
      throw new ProtocolError('tls-not-offered', message, ServerErrors.CR_SSL_CONNECTION_ERROR)
    }
    this.#greeting = greeting
    this.#scramble = greeting.scramble
    this.#plugin = greeting.authPlugin
    this.#negotiate(greeting, tls !== 'off' && offersTls)
    if ((this.#capabilities & Capability.SSL) === 0) return this.#respond()
    this.#move('upgrading')
    return [this.#send(encodeSslRequest(this.#fixedPart())), { type: 'startTls' }]
  }

  #negotiate(greeting: Greeting, useTls: boolean): void {
    const { database, attributes, mariadbCapabilities = 0 } = this.#options
    const wanted = this.#options.capabilities
    const set = (flags: number, flag: number, on: boolean) => (on ? flags | flag : flags & ~flag)
    let flags = typeof wanted === 'function' ? wanted(greeting) : wanted
    flags |= Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
    flags |= Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA
    flags = set(flags, Capability.SSL, useTls)
    flags = set(flags, Capability.CONNECT_WITH_DB, database !== undefined && database !== '')
    flags = set(flags, Capability.CONNECT_ATTRS, attributes !== undefined)
    // A MariaDB server does not offer LONG_PASSWORD, so that this bit is unset exactly where extended flags are sent.
    this.#mariadbCapabilities = (mariadbCapabilities & greeting.mariadbCapabilities) >>> 0
    this.#capabilities = (flags & greeting.capabilities) >>> 0
  }

  #fixedPart() {
    return {
      capabilities: this.#capabilities,
      mariadbCapabilities: this.#mariadbCapabilities,
      maxPacketSize: this.#options.maxPacketSize ?? DEFAULT_MAX_PACKET_SIZE,
      collation: handshakeCollation(this.#options.collation),
    }
  }

  #respond(): ClientLoginAction[] {
    const relay = this.#options.relay === true
    this.#plugin = relay ? RELAY_PLUGIN : openingPlugin(this.#plugin, this.#credentials)
    this.#move('answered')
    const { username, database, attributes, zstdLevel } = this.#options
    const authResponse = relay ? Buffer.alloc(0) : firstAnswer(this.#plugin, this.#credentials, this.#scramble)
    const anyLength = (this.#capabilities & Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA) !== 0
    if (!anyLength && authResponse.length > SHORT_ANSWER_MAX) {
      throw pluginError(this.#plugin, `the server takes no answer of more than ${SHORT_ANSWER_MAX} bytes`)
    }
    const response = {
      ...this.#fixedPart(),
      username,
      database,
      attributes,
      zstdLevel,
      authResponse,
      authPlugin: this.#plugin,
    }
    return [this.#send(encodeHandshakeResponse(response))]
  }

  #takeVerdict(payload: Buffer): ClientLoginAction[] {
    if (payload[0] === OK) return this.#done(payload)
    if (payload[0] === AUTH_SWITCH) return this.#switchPlugin(payload)
    // MariaDB marks a plugin's packet as AuthMoreData only where its first byte could be taken for something else.
    if (this.#options.relay === true) return this.#relay({ type: 'relay', kind: 'more', payload: Buffer.from(payload) })
    if (payload[0] === MORE_DATA) return this.#takeMoreData(payload)
    throw new ProtocolError('malformed', 'not an answer to a login', ServerErrors.CR_SERVER_HANDSHAKE_ERR)
  }

  #switchPlugin(payload: Buffer): ClientLoginAction[] {
    if (++this.#switches > SWITCHES_MAX) {
      throw new ProtocolError('malformed', 'the server keeps switching plugins', ServerErrors.CR_SERVER_HANDSHAKE_ERR)
    }
    const request = decodeAuthSwitch(payload)
    if (request === undefined) {
      throw pluginError('mysql_old_password', 'passwords from before 4.1 are not supported')
    }
    const { plugin, data } = request
    this.#plugin = plugin
    if (this.#options.relay === true) {
      return this.#relay({ type: 'relay', kind: 'switch', plugin, data: Buffer.from(data) })
    }
    this.#scramble = scrambleOf(this.#plugin, data)
    const answer = firstAnswer(this.#plugin, this.#credentials, this.#scramble)
    this.#move(this.#plugin === AuthPlugin.PARSEC ? 'saltRequested' : 'answered')
    return [this.#send(answer)]
  }

  /** caching_sha2_password tells how its fast path went; sha256_password sends the key that was asked for. */
  #takeMoreData(payload: Buffer): ClientLoginAction[] {
    if (this.#plugin === AuthPlugin.SHA256 && !this.#tls) return this.#takePublicKey(payload)
    if (this.#plugin === AuthPlugin.CACHING_SHA2 && payload.length === 2) {
      if (payload[1] === FAST_AUTH_SUCCESS) return []
      if (payload[1] === PERFORM_FULL_AUTHENTICATION) return this.#sendPassword()
    }
    throw pluginError(this.#plugin, 'the server asks something unknown')
  }

  #relay(question: ClientLoginAction): ClientLoginAction[] {
    this.#move('relaying')
    return [question]
  }

  #sendPassword(): ClientLoginAction[] {
    const answer = fullAnswer(this.#credentials, this.#scramble)
    if (answer !== undefined) return [this.#send(answer)]
    const request = publicKeyRequest(this.#plugin, this.#credentials)
    this.#move('keyRequested')
    return [this.#send(request)]
  }

  #takePublicKey(payload: Buffer): ClientLoginAction[] {
    if (payload[0] !== MORE_DATA || payload.length < 2) throw pluginError(this.#plugin, 'no public key came')
    const answer = encryptPassword(this.#options.password, this.#scramble, payload.subarray(1))
    this.#move('answered')
    return [this.#send(answer)]
  }

  #takeSalt(payload: Buffer): ClientLoginAction[] {
    const salt = payload[0] === MORE_DATA ? payload.subarray(1) : payload
    const answer = parsecResponse(this.#options.password, this.#scramble, salt)
    this.#move('answered')
    return [this.#send(answer)]
  }

  #done(payload: Buffer): ClientLoginAction[] {
    const ok = decodeOk(Buffer.from(payload), this.#capabilities)
    this.#move('done')
    const result = {
      greeting: this.#greeting as Greeting,
      capabilities: this.#capabilities,
      mariadbCapabilities: this.#mariadbCapabilities,
      ok,
      authenticatedBy: this.#plugin,
      tls: this.#tls,
    }
    return [{ type: 'done', ...result }]
  }

  #fail(error: ProtocolError): ClientLoginAction[] {
    if (this.#state !== 'failed' && this.#state !== 'done') this.#move('failed')
    const err = { errno: error.errno, sqlState: error.sqlState, message: error.message }
    return [{ type: 'fail', err, reason: error.code }]
  }

  #send(payload: Buffer): ClientLoginAction {
    const packet = frame(payload, this.#sequence)
    this.#sequence = (this.#sequence + 1) & 0xff
    return { type: 'send', packet }
  }

  #move(to: State): void {
    this.#state = checkedMove(NEXT, this.#state, to)
  }

  get #credentials(): Credentials {
    // sha256_password counts on TLS alone (sql_authentication.cc, `my_vio_is_encrypted`).
    return { ...this.#options, secure: this.#plugin === AuthPlugin.SHA256 ? this.#tls : this.#secure }
  }

  get #secure(): boolean {
    return this.#tls || this.#options.secureTransport === true
  }
}
