import { Buffer } from 'node:buffer'
import {
  AuthPlugin,
  nativeResponse,
  nativeResponseFromStage1,
  type Password,
  passwordBytes,
  sha2Response,
} from './auth.js'
import { ED25519_SCRAMBLE_SIZE, ed25519Response } from './auth-ed25519.js'
import { PARSEC_SCRAMBLE_SIZE } from './auth-parsec.js'
import { encryptPassword } from './auth-rsa.js'
import { SCRAMBLE_SIZE } from './constants.js'
import { ProtocolError, ServerErrors } from './errors.js'

/** What a client knows, and may do with it. */
export interface Credentials {
  readonly password: Password
  readonly nativeStage1?: Buffer | undefined
  /** Whether nobody can listen. */
  readonly secure: boolean
  readonly serverPublicKey?: Buffer | undefined
  readonly allowRsaPublicKeyRetrieval?: boolean | undefined
}

/** Bytes of the scramble that each plugin wants. */
const SCRAMBLE_SIZES: Readonly<Record<string, number>> = {
  [AuthPlugin.NATIVE]: SCRAMBLE_SIZE,
  [AuthPlugin.CACHING_SHA2]: SCRAMBLE_SIZE,
  [AuthPlugin.SHA256]: SCRAMBLE_SIZE,
  [AuthPlugin.CLEAR]: 0,
  [AuthPlugin.ED25519]: ED25519_SCRAMBLE_SIZE,
  [AuthPlugin.PARSEC]: PARSEC_SCRAMBLE_SIZE,
}

/** How the public key is asked for differs between the two plugins. */
const KEY_REQUEST: Readonly<Record<string, number>> = { [AuthPlugin.CACHING_SHA2]: 0x02, [AuthPlugin.SHA256]: 0x01 }

/** Answered at once to what the greeting says; the others need a scramble that it has no room for. */
const OPENING_PLUGINS: readonly string[] = [AuthPlugin.NATIVE, AuthPlugin.CACHING_SHA2, AuthPlugin.SHA256]

/** The greeting's plugin where it can be answered; else any other will do, since the server will switch. */
export function openingPlugin(greeted: string, credentials: Credentials): string {
  if (onlyNative(credentials)) return AuthPlugin.NATIVE
  const usable = OPENING_PLUGINS.includes(greeted) || (greeted === AuthPlugin.CLEAR && credentials.secure)
  return usable ? greeted : AuthPlugin.NATIVE
}

/** The scramble in an auth switch request's data, copied, without the zero that closes it. */
export function scrambleOf(plugin: string, data: Buffer): Buffer {
  const size = SCRAMBLE_SIZES[plugin] ?? 0
  if (data.length >= size) return Buffer.from(data.subarray(0, size))
  throw new ProtocolError('malformed', 'an auth switch without scramble', ServerErrors.CR_SERVER_HANDSHAKE_ERR)
}

/** What a plugin sends first. */
export function firstAnswer(plugin: string, credentials: Credentials, scramble: Buffer): Buffer {
  const { password, nativeStage1, secure } = credentials
  if (onlyNative(credentials) && plugin !== AuthPlugin.NATIVE) {
    throw pluginError(plugin, 'only mysql_native_password can be answered without the password')
  }
  switch (plugin) {
    case AuthPlugin.NATIVE:
      if (nativeStage1 !== undefined) return nativeResponseFromStage1(nativeStage1, scramble)
      return nativeResponse(password, scramble)
    case AuthPlugin.CACHING_SHA2:
      return sha2Response(password, scramble)
    case AuthPlugin.SHA256:
      return firstSha256Answer(credentials, scramble)
    case AuthPlugin.CLEAR:
      if (secure) return clearPassword(password)
      throw pluginError(plugin, 'the password would be sent in clear')
    case AuthPlugin.ED25519:
      return ed25519Response(password, scramble)
    case AuthPlugin.PARSEC:
      // The wish for the salt.
      return Buffer.alloc(0)
    default:
      throw new ProtocolError(
        'unknown-auth-plugin',
        `Authentication plugin '${plugin}' cannot be loaded: it is not known here`,
        ServerErrors.CR_AUTH_PLUGIN_CANNOT_LOAD,
      )
  }
}

function firstSha256Answer(credentials: Credentials, scramble: Buffer): Buffer {
  if (credentials.password.length === 0) return Buffer.of(0)
  return fullAnswer(credentials, scramble) ?? publicKeyRequest(AuthPlugin.SHA256, credentials)
}

/** The password itself, as the transport allows; undefined when the server's public key is needed and not known. */
export function fullAnswer(credentials: Credentials, scramble: Buffer): Buffer | undefined {
  if (credentials.secure) return clearPassword(credentials.password)
  const { serverPublicKey } = credentials
  return serverPublicKey === undefined ? undefined : encryptPassword(credentials.password, scramble, serverPublicKey)
}

export function publicKeyRequest(plugin: string, credentials: Credentials): Buffer {
  if (credentials.allowRsaPublicKeyRetrieval === true) return Buffer.of(KEY_REQUEST[plugin])
  throw pluginError(plugin, 'Authentication requires secure connection.')
}

export function pluginError(plugin: string, problem: string): ProtocolError {
  const message = `Authentication plugin '${plugin}' reported error: ${problem}`
  return new ProtocolError('auth-plugin', message, ServerErrors.CR_AUTH_PLUGIN_ERR)
}

/** Whether all that is known of the password is its SHA1. */
function onlyNative({ nativeStage1, password }: Credentials): boolean {
  return nativeStage1 !== undefined && password.length === 0
}

function clearPassword(password: Password): Buffer {
  return Buffer.concat([passwordBytes(password), Buffer.alloc(1)])
}
