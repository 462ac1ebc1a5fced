import { Buffer } from 'node:buffer'
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto'
import { type Password, passwordBytes, xor } from './auth.js'
import { ProtocolError, ServerErrors } from './errors.js'

/*
 * The exchange of a password where there is no TLS: the server sends a public key, the client the password with its
 * closing zero, mixed with the scramble and encrypted (RSA, OAEP with SHA-1; MySQL's `sql-common/client_authentication.cc`
 * and `sql/auth/sha2_password.cc`). Used by caching_sha2_password and sha256_password. Without knowing the server's key
 * beforehand it keeps listeners out, not someone who stands in between.
 */

/** Key size of MySQL's own generated keys. */
const MODULUS_BITS = 2048
/** Bytes that OAEP with SHA-1 takes away from the modulus. */
const OAEP_OVERHEAD = 42
/** A PEM that is longer than this is no reasonable key; OpenSSL's limit of 16384 bits needs about 2.9 KB. */
const PEM_SIZE_MAX = 4096

export interface RsaKeyPair {
  readonly publicKeyPem: Buffer
  readonly privateKey: KeyObject
}

export function generateRsaKeyPair(): RsaKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: MODULUS_BITS })
  return { publicKeyPem: Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })), privateKey }
}

/** Makes the key pair when it is first wanted, which takes some 100 ms, and keeps it. */
export function rsaKeyPairOnDemand(): () => RsaKeyPair {
  let pair: RsaKeyPair | undefined
  return () => {
    pair ??= generateRsaKeyPair()
    return pair
  }
}

/** The client's side. Throws ProtocolError when the key cannot be used or is too short for the password. */
export function encryptPassword(password: Password, scramble: Buffer, publicKeyPem: Buffer): Buffer {
  const key = parsePublicKey(publicKeyPem)
  const clear = Buffer.concat([passwordBytes(password), Buffer.alloc(1)])
  const mixed = xor(clear, scramble)
  clear.fill(0)
  const modulusBytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  if (mixed.length > modulusBytes - OAEP_OVERHEAD) throw badKey('the password is too long for the RSA key')
  try {
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, mixed)
  } catch {
    throw badKey("the server's RSA key cannot be used")
  } finally {
    mixed.fill(0)
  }
}

/** The server's side: the password without its closing zero, or undefined when this cannot be decrypted. */
export function decryptPassword(encrypted: Buffer, scramble: Buffer, pair: RsaKeyPair): Buffer | undefined {
  let mixed: Buffer
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    mixed = privateDecrypt({ key: pair.privateKey, padding, oaepHash: 'sha1' }, encrypted)
  } catch {
    return undefined
  }
  const clear = xor(mixed, scramble)
  mixed.fill(0)
  return clear.at(-1) === 0 ? clear.subarray(0, -1) : undefined
}

function parsePublicKey(pem: Buffer): KeyObject {
  if (pem.length > PEM_SIZE_MAX) throw badKey("the server's RSA key is too long")
  try {
    const key = createPublicKey(pem)
    if (key.asymmetricKeyType === 'rsa') return key
  } catch {
    // The error of OpenSSL says nothing that the one below does not.
  }
  throw badKey('the server sent something that is no RSA public key')
}

function badKey(message: string): ProtocolError {
  return new ProtocolError('bad-rsa-key', message, ServerErrors.CR_AUTH_PLUGIN_ERR)
}
