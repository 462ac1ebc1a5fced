import { Buffer } from 'node:buffer'
import { createPrivateKey, pbkdf2Sync, randomBytes, sign } from 'node:crypto'
import { type Password, passwordBytes } from './auth.js'
import { ProtocolError, ServerErrors } from './errors.js'

/*
 * MariaDB's parsec (since 11.6; `plugin/auth_parsec` and libmariadb's `plugins/auth/parsec.c`). The server sends 32 random
 * bytes, the client asks for the account's salt with an empty packet, and answers it with 32 random bytes of its own and
 * the Ed25519 signature of both, whose key is derived from password and salt by PBKDF2 with HMAC-SHA-512.
 */

/** Bytes of either side's random challenge. */
export const PARSEC_SCRAMBLE_SIZE = 32

/** The first byte of the salt: PBKDF2, the only way of derivation there is. */
const PBKDF2 = 0x50
const ITERATIONS = 1024
/** The second byte doubles the iterations that often; more than 3, as in libmariadb, would only keep us busy. */
const DOUBLINGS_MAX = 3
const SALT_SIZE = 18
const KEY_SIZE = 32
/** DER of a PKCS #8 private key for Ed25519 up to its 32 bytes (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * The answer to the salt, 96 bytes. Takes 1 to 8 ms, as the iterations go. Throws ProtocolError for a salt of another kind.
 * @param extSalt `P`, the doublings of 1024 iterations, and 18 bytes
 * @param nonce the client's 32 random bytes
 */
export function parsecResponse(
  password: Password,
  scramble: Buffer,
  extSalt: Buffer,
  nonce: Buffer = randomBytes(PARSEC_SCRAMBLE_SIZE),
): Buffer {
  const [kind, doublings] = extSalt
  if (extSalt.length !== 2 + SALT_SIZE || kind !== PBKDF2 || doublings > DOUBLINGS_MAX) {
    const message = "Authentication plugin 'parsec' reported error: the salt is of an unknown kind"
    throw new ProtocolError('auth-plugin', message, ServerErrors.CR_AUTH_PLUGIN_ERR)
  }
  const seed = pbkdf2Sync(passwordBytes(password), extSalt.subarray(2), ITERATIONS << doublings, KEY_SIZE, 'sha512')
  const der = Buffer.concat([PKCS8_PREFIX, seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  seed.fill(0)
  der.fill(0)
  return Buffer.concat([nonce, sign(null, Buffer.concat([scramble, nonce]), key)])
}
