import { Buffer } from 'node:buffer'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { SCRAMBLE_SIZE } from './constants.js'

/*
 * What a password and a server's random challenge (the scramble) become in each authentication plugin. Sources: MySQL's
 * `sql/auth/sha2_password.cc`, `sql-common/sha2_password/generate_scramble.cc` and `sql/auth/password.c`; the text of
 * the algorithms is also in the manual's "Protocol::AuthSwitchRequest" pages of the source documentation.
 */

const EMPTY = Buffer.alloc(0)
const SHA1_SIZE = 20
const SHA256_SIZE = 32

export const AuthPlugin = {
  NATIVE: 'mysql_native_password',
  CACHING_SHA2: 'caching_sha2_password',
  SHA256: 'sha256_password',
  CLEAR: 'mysql_clear_password',
  /** MariaDB's, towards servers only. */
  ED25519: 'client_ed25519',
  /** MariaDB's since 11.6, towards servers only. */
  PARSEC: 'parsec',
} as const

/** A password, as text (UTF-8) or as bytes that the owner can overwrite after use. */
export type Password = string | Buffer

export function passwordBytes(password: Password): Buffer {
  return typeof password === 'string' ? Buffer.from(password, 'utf8') : password
}

/** Overwrites a secret. */
export function wipe(secret: Buffer): void {
  secret.fill(0)
}

/**
 * A new challenge: 20 random bytes, 7 bits each, without the zero that ends it and the `$` that separates parts of
 * stored hashes (as `generate_user_salt` in MySQL's `mysys/crypt_genhash_impl.cc`).
 */
export function newScramble(): Buffer {
  const scramble = randomBytes(SCRAMBLE_SIZE)
  for (let i = 0; i < SCRAMBLE_SIZE; i++) {
    const byte = scramble[i] & 0x7f
    scramble[i] = byte === 0x00 || byte === 0x24 ? byte + 1 : byte
  }
  return scramble
}

/** Compares without telling by its time where two secrets differ. */
export function equalSecrets(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Whether a clear password is the one given as such. Neither its content nor its length shows in the time taken. */
export function verifyClear(candidate: Buffer, password: Password): boolean {
  return timingSafeEqual(sha256(candidate), sha256(passwordBytes(password)))
}

// mysql_native_password ----------------------------------------------------------------------------------------------

/** SHA1(password), which suffices to log in: to be kept as secret as the password. */
export function nativeStage1(password: Password): Buffer {
  return sha1(passwordBytes(password))
}

/** SHA1(SHA1(password)), what a server stores. */
export function nativeStage2(password: Password): Buffer {
  return sha1(nativeStage1(password))
}

/** `*` and 40 hexadecimal digits, as in `mysql.user`. */
export function nativeHash(password: Password): string {
  return `*${nativeStage2(password).toString('hex').toUpperCase()}`
}

/** The 20 bytes of such a hash; undefined when the text is none. */
export function parseNativeHash(text: string): Buffer | undefined {
  return /^\*[0-9A-Fa-f]{40}$/.test(text) ? Buffer.from(text.slice(1), 'hex') : undefined
}

/** The answer to a challenge; empty for an empty password. */
export function nativeResponse(password: Password, scramble: Buffer): Buffer {
  return password.length === 0 ? EMPTY : nativeResponseFromStage1(nativeStage1(password), scramble)
}

export function nativeResponseFromStage1(stage1: Buffer, scramble: Buffer): Buffer {
  return xor(stage1, sha1(scramble, sha1(stage1)))
}

/**
 * Checks an answer against the stored SHA1(SHA1(password)). A right answer reveals SHA1(password), which is returned;
 * undefined for a wrong one.
 */
export function verifyNative(response: Buffer, scramble: Buffer, stage2: Buffer): Buffer | undefined {
  if (response.length !== SHA1_SIZE) return undefined
  const stage1 = xor(response, sha1(scramble, stage2))
  return equalSecrets(sha1(stage1), stage2) ? stage1 : undefined
}

// caching_sha2_password ----------------------------------------------------------------------------------------------

/** SHA256(SHA256(password)), what a server caches of a user after one full authentication. */
export function sha2Digest(password: Password): Buffer {
  return sha256(sha256(passwordBytes(password)))
}

/** The answer to a challenge on the fast path; a single zero for an empty password. */
export function sha2Response(password: Password, scramble: Buffer): Buffer {
  if (password.length === 0) return Buffer.of(0)
  const stage1 = sha256(passwordBytes(password))
  return xor(stage1, sha256(sha256(stage1), scramble))
}

/** Checks a fast answer against SHA256(SHA256(password)). */
export function verifySha2(response: Buffer, scramble: Buffer, digest: Buffer): boolean {
  if (response.length !== SHA256_SIZE) return false
  const stage1 = xor(response, sha256(digest, scramble))
  return equalSecrets(sha256(stage1), digest)
}

// --------------------------------------------------------------------------------------------------------------------

export function xor(bytes: Buffer, mask: Buffer): Buffer {
  const result = Buffer.allocUnsafe(bytes.length)
  for (let i = 0; i < bytes.length; i++) result[i] = bytes[i] ^ mask[i % mask.length]
  return result
}

function sha1(...parts: Buffer[]): Buffer {
  return digest('sha1', parts)
}

function sha256(...parts: Buffer[]): Buffer {
  return digest('sha256', parts)
}

function digest(algorithm: string, parts: Buffer[]): Buffer {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest()
}
