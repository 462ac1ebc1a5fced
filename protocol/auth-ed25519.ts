import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type Password, passwordBytes } from './auth.js'

/*
 * MariaDB's client_ed25519: the client signs the server's 32 random bytes (MariaDB's `plugin/auth_ed25519`). It is
 * Ed25519 of RFC 8032, but the secret that is expanded by SHA-512 is the password itself, of any length, where the RFC
 * has a seed of 32 bytes. node:crypto takes nothing but such seeds, hence the arithmetic here: RFC 8032, section 5.1,
 * with points in extended coordinates (X : Y : Z : T), x = X/Z, y = Y/Z, x y = T/Z.
 *
 * Numbers are BigInt, so the time it takes depends on the secret. It is used once per connection, towards servers that
 * the configuration trusts with the account anyway, and its time is lost in that of the whole login: what a listener
 * could measure says next to nothing.
 */

/** Bytes of the server's random challenge. */
export const ED25519_SCRAMBLE_SIZE = 32

type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint]

/** The field's prime. */
const P = 2n ** 255n - 19n
/** The order of the base point. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n
/** 2 d, where d = -121665/121666 is the curve's constant. */
const TWO_D = mod(2n * -121665n * inverse(121666n))
const BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202n
const BASE_Y = mod(4n * inverse(5n))
const BASE: Point = [BASE_X, BASE_Y, 1n, mod(BASE_X * BASE_Y)]
const NEUTRAL: Point = [0n, 1n, 1n, 0n]

/** The answer to a challenge: the signature, 64 bytes. */
export function ed25519Response(password: Password, scramble: Buffer): Buffer {
  const expanded = sha512(passwordBytes(password))
  const scalar = secretScalar(expanded)
  const publicKey = encodePoint(multiplyBase(scalar))
  const nonce = toNumber(sha512(expanded.subarray(32), scramble)) % L
  const commitment = encodePoint(multiplyBase(nonce))
  const challenge = toNumber(sha512(commitment, publicKey, scramble)) % L
  expanded.fill(0)
  return Buffer.concat([commitment, toBytes((nonce + challenge * scalar) % L)])
}

/** The public key, 32 bytes: what the server stores, in base64 without its closing `=`, as `authentication_string`. */
export function ed25519PublicKey(password: Password): Buffer {
  return encodePoint(multiplyBase(secretScalar(sha512(passwordBytes(password)))))
}

/** The lower half of the hash with the bits set and cleared that the RFC wants. */
function secretScalar(expanded: Buffer): bigint {
  const bytes = Buffer.from(expanded.subarray(0, 32))
  bytes[0] &= 0xf8
  bytes[31] = (bytes[31] & 0x3f) | 0x40
  return toNumber(bytes)
}

function multiplyBase(scalar: bigint): Point {
  let result = NEUTRAL
  let bit = 0
  for (let left = scalar; left > 0n; left >>= 1n, bit++) {
    if ((left & 1n) === 1n) result = add(result, doubledBase(bit))
  }
  return result
}

/** The base point times 2^n: public numbers, kept because they are two thirds of the work. */
const doublings: Point[] = [BASE]

function doubledBase(n: number): Point {
  while (doublings.length <= n) {
    const last = doublings[doublings.length - 1]
    doublings.push(add(last, last))
  }
  return doublings[n]
}

/** RFC 8032, section 5.1.4; complete, so that it doubles as well. */
function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2))
  const b = mod((y1 + x1) * (y2 + x2))
  const c = mod(t1 * TWO_D * t2)
  const d = mod(2n * z1 * z2)
  const [e, f, g, h] = [b - a, d - c, d + c, b + a]
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)]
}

/** y in little endian, with the lowest bit of x as its highest bit. */
function encodePoint([x, y, z]: Point): Buffer {
  const scale = inverse(z)
  const bytes = toBytes(mod(y * scale))
  bytes[31] |= Number(mod(x * scale) & 1n) << 7
  return bytes
}

function mod(value: bigint): bigint {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}

/** 1/value in the field, by Euclid. */
function inverse(value: bigint): bigint {
  let [a, b, x, y] = [mod(value), P, 1n, 0n]
  while (a > 1n) {
    const quotient = b / a
    ;[a, b, x, y] = [b - quotient * a, a, y - quotient * x, x]
  }
  return mod(x)
}

function toNumber(littleEndian: Buffer): bigint {
  return BigInt(`0x${Buffer.from(littleEndian).reverse().toString('hex')}`)
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()
}

function sha512(...parts: Buffer[]): Buffer {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
