import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { equalSecrets } from './auth.js'

/*
 * The hash that a MySQL server stores for caching_sha2_password: `$A$`, rounds / 1000 as three hexadecimal digits, `$`,
 * 20 bytes of salt, 43 characters of digest. The digest is SHA-crypt with SHA-256 (Ulrich Drepper's specification
 * "Unix crypt using SHA-256 and SHA-512") with a salt of 20 bytes instead of at most 16 (MySQL's
 * `mysys/crypt_genhash_impl.cc`).
 */

const HASH_FORM = /^\$A\$([0-9A-Fa-f]{3})\$/
const SALT_SIZE = 20
const DIGEST_CHARACTERS = 43
const ROUNDS_UNIT = 1000
const DIGEST_SIZE = 32
/** Bytes of the longest password that a server stores a hash of. */
const PASSWORD_SIZE_MAX = 256
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export interface Sha2Hash {
  readonly rounds: number
  readonly salt: Buffer
  /** 43 characters. */
  readonly digest: string
}

/** Reads the stored form. Its salt has any 7 bit characters, so that the text must come unchanged. */
export function parseSha2Hash(text: string): Sha2Hash | undefined {
  const form = HASH_FORM.exec(text)
  const bytes = Buffer.from(text, 'latin1')
  if (form === null || bytes.length !== form[0].length + SALT_SIZE + DIGEST_CHARACTERS) return undefined
  const rounds = Number.parseInt(form[1], 16) * ROUNDS_UNIT
  const salt = bytes.subarray(form[0].length, form[0].length + SALT_SIZE)
  return { rounds, salt, digest: bytes.toString('latin1', form[0].length + SALT_SIZE) }
}

/** The stored form of a password; with 5000 rounds this takes some 10 ms. */
export function sha2Hash(password: Buffer, salt: Buffer, rounds = 5 * ROUNDS_UNIT): string {
  const unit = (rounds / ROUNDS_UNIT).toString(16).toUpperCase().padStart(3, '0')
  return `$A$${unit}$${salt.toString('latin1')}${sha256Crypt(password, salt, rounds)}`
}

/**
 * Checks a clear password against the stored form. One that is longer than servers allow is wrong without a look: the time
 * that the digest takes grows with the square of the length, and anybody may send a password.
 */
export function verifySha2Hash(password: Buffer, hash: Sha2Hash): boolean {
  if (password.length > PASSWORD_SIZE_MAX) return false
  const digest = sha256Crypt(password, hash.salt, hash.rounds)
  return equalSecrets(Buffer.from(digest, 'latin1'), Buffer.from(hash.digest, 'latin1'))
}

/** The digest part. The steps in the comments are numbered as in the specification. */
function sha256Crypt(password: Buffer, salt: Buffer, rounds: number): string {
  const mixed = initialDigest(password, salt)
  // 13-16: a sequence of the password's length from a digest of the password, repeated as often as it is long
  const passwordSequence = stretch(sha256(...Array<Buffer>(password.length).fill(password)), password.length)
  // 17-20: the same from the salt, repeated 16 times and as often as the first byte of the digest says
  const saltSequence = stretch(sha256(...Array<Buffer>(16 + mixed[0]).fill(salt)), salt.length)
  // 21: the rounds
  let current = mixed
  for (let round = 0; round < rounds; round++) {
    const odd = (round & 1) !== 0
    const parts: Buffer[] = [odd ? passwordSequence : current]
    if (round % 3 !== 0) parts.push(saltSequence)
    if (round % 7 !== 0) parts.push(passwordSequence)
    parts.push(odd ? current : passwordSequence)
    current = sha256(...parts)
  }
  passwordSequence.fill(0)
  return encodeDigest(current)
}

/** 1-12: digest A, with digest B mixed in by the password's length. */
function initialDigest(password: Buffer, salt: Buffer): Buffer {
  const alternate = sha256(password, salt, password)
  const parts: Buffer[] = [password, salt, stretch(alternate, password.length)]
  for (let bits = password.length; bits > 0; bits >>>= 1) parts.push((bits & 1) !== 0 ? alternate : password)
  return sha256(...parts)
}

function stretch(digest: Buffer, length: number): Buffer {
  return Buffer.alloc(length, digest)
}

/** 22: groups of three bytes, each ten places from the other, as four characters; the last two bytes as three. */
function encodeDigest(digest: Buffer): string {
  let text = ''
  let [a, b, c] = [0, 10, 20]
  for (let group = 0; group < 10; group++) {
    text += characters((digest[a] << 16) | (digest[b] << 8) | digest[c], 4)
    ;[a, b, c] = [c + 1, a + 1, b + 1]
  }
  return text + characters((digest[DIGEST_SIZE - 1] << 8) | digest[DIGEST_SIZE - 2], 3)
}

function characters(value: number, count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) text += ALPHABET[(value >>> (6 * i)) & 0x3f]
  return text
}

function sha256(...parts: Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
