import type { Buffer } from 'node:buffer'
import type { Password } from './auth.js'
import { ProtocolError, ServerErrors } from './errors.js'
import type { Greeting, HandshakeResponse } from './handshake.js'
import type { ErrPacket, OkPacket } from './packets.js'

/*
 * The two login machines, `ServerLogin` and `ClientLogin`, have neither sockets nor timers. They are given the packets
 * that come in and return what is to be done, in order. An action that ends the login (`done`, `fail`) is always the
 * last of its list, and `startTls` as well: after the upgrade the owner calls `tlsEstablished()`.
 */

/** Bytes to send: one complete packet, header included. */
export interface SendAction {
  readonly type: 'send'
  readonly packet: Buffer
}

/** Upgrade the connection to TLS now, then call `tlsEstablished()`. */
export interface StartTlsAction {
  readonly type: 'startTls'
}

/** What the server knows of an account's password. */
export type Secret =
  | { readonly kind: 'clear'; readonly password: Password }
  /** `*` and 40 hexadecimal digits: SHA1(SHA1(password)). */
  | { readonly kind: 'native_hash'; readonly hash: string }
  /** `$A$005$...` as MySQL stores it; with `digest`, SHA256(SHA256(password)), the fast path works at once. */
  | { readonly kind: 'sha2_hash'; readonly hash: string; readonly digest?: Buffer | undefined }
  /** The empty password. */
  | { readonly kind: 'none' }
  /**
   * Someone else has to judge the clear password (`verify` action). What is known already spares that: `digest`, SHA256
   * (SHA256(password)), of what was judged right before; `nativeHashes`, each `*` and 40 hexadecimal digits, of which
   * any one is right: only with them can the client use mysql_native_password.
   */
  | {
      readonly kind: 'external'
      readonly digest?: Buffer | undefined
      readonly nativeHashes?: readonly string[] | undefined
    }
  /**
   * Someone else, a real server, does the exchange: it asked for `plugin` with `data` (all that follows the plugin's
   * name in its auth switch request). See the `relay` action.
   */
  | { readonly kind: 'relay'; readonly plugin: string; readonly data: Buffer }

export interface Account {
  readonly name: string
  readonly secret: Secret
}

export interface ServerLoginResult {
  readonly response: HandshakeResponse
  /** The name in Unicode. */
  readonly username: string
  readonly account: Account
  /** The plugin whose exchange succeeded. */
  readonly authenticatedBy: string
  /** What both sides can: the client's flags among those that were offered. */
  readonly capabilities: number
  readonly mariadbCapabilities: number
  readonly tls: boolean
  /** SHA256(SHA256(password)) after an exchange that revealed the password: with it the next login is a fast one. */
  readonly sha2Digest?: Buffer | undefined
  /** SHA1(password) after mysql_native_password: enough to log in elsewhere by that plugin. */
  readonly nativeStage1?: Buffer | undefined
  /** The clear password where the exchange revealed it, for whatever kind of secret; the receiver wipes it. */
  readonly password?: Buffer | undefined
  /** The challenge that the client was given last; it is to be given again with COM_CHANGE_USER. */
  readonly scramble: Buffer
}

export type ServerLoginAction =
  | SendAction
  | StartTlsAction
  /** Judge this password (the receiver owns the bytes), then call `verified`. */
  | { readonly type: 'verify'; readonly account: Account; readonly password: Buffer }
  /**
   * A packet of the client (a copy of its payload) for whom the exchange is done; then call `relayed` with what comes
   * back, or `verified` with the verdict.
   */
  | { readonly type: 'relay'; readonly payload: Buffer }
  /** The client is who it says. The OK packet, or an ERR about its schema, is to be sent with `sequence`. */
  | { readonly type: 'done'; readonly login: ServerLoginResult; readonly sequence: number }
  /** Send this packet and close. `reason` is short and stable, for counters. */
  | { readonly type: 'fail'; readonly packet: Buffer; readonly err: ErrPacket; readonly reason: string }

export interface ClientLoginResult {
  readonly greeting: Greeting
  readonly capabilities: number
  readonly mariadbCapabilities: number
  readonly ok: OkPacket
  /** The plugin whose exchange succeeded. */
  readonly authenticatedBy: string
  readonly tls: boolean
}

/**
 * A question of the server in relay mode, copied: pass it on and call `relayed` with the answer. `switch` is an auth
 * switch request with all that follows the plugin's name; `more` a further packet of the plugin, its whole payload:
 * AuthMoreData, whose first byte is 0x01, or without that byte as MariaDB sends it where nothing can be confused.
 * caching_sha2_password's "fast authentication succeeded" is such a packet too, after which the server wants no answer.
 */
export type ClientRelayAction =
  | { readonly type: 'relay'; readonly kind: 'switch'; readonly plugin: string; readonly data: Buffer }
  | { readonly type: 'relay'; readonly kind: 'more'; readonly payload: Buffer }

export type ClientLoginAction =
  | SendAction
  | StartTlsAction
  | ClientRelayAction
  | ({ readonly type: 'done' } & ClientLoginResult)
  /** The server said no (`packet` is its ERR payload), or what it sent cannot be answered. Close. */
  | { readonly type: 'fail'; readonly err: ErrPacket; readonly reason: string; readonly packet?: Buffer | undefined }

/** Length limits of names in the message, as the server has them. */
const USER_LENGTH_MAX = 48
const HOST_LENGTH_MAX = 64

/** The error 1045 as MySQL words it. */
export function accessDenied(user: string, host: string, usingPassword: boolean): ErrPacket {
  const who = `'${user.slice(0, USER_LENGTH_MAX)}'@'${host.slice(0, HOST_LENGTH_MAX)}'`
  const message = `Access denied for user ${who} (using password: ${usingPassword ? 'YES' : 'NO'})`
  return { ...ServerErrors.ACCESS_DENIED_ERROR, message }
}

/** Checks a move of a state machine against its table; a move that is not in there is a mistake of this library. */
export function checkedMove<S extends string>(next: Readonly<Record<S, readonly S[]>>, from: S, to: S): S {
  if (!next[from].includes(to)) throw new Error(`login cannot go from ${from} to ${to}`)
  return to
}

export function outOfOrder(): ProtocolError {
  return new ProtocolError('out-of-order', 'Got packets out of order', ServerErrors.NET_PACKETS_OUT_OF_ORDER)
}
