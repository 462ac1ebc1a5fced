/**
 * MurmurHash3_x86_128 of Austin Appleby, who placed it in the public domain (SMHasher, MurmurHash3.cpp), of which the
 * first 64 bits are used. Chosen because it needs no 64-bit arithmetic, which JavaScript numbers do not have.
 */

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

/** The 128 bits of the last call of `murmur3`, as four unsigned 32-bit words. */
export const murmur3Words = new Uint32Array(4)

/** Hashes the first `length` bytes; the result is in `murmur3Words`. `seed`: 32 bits. */
export function murmur3(bytes: Uint8Array, length: number, seed: number): void {
  let h1 = seed
  let h2 = seed
  let h3 = seed
  let h4 = seed
  let at = 0
  for (; at + 16 <= length; at += 16) {
    h1 ^= Math.imul(rotate(Math.imul(word(bytes, at), C1), 15), C2)
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotate(Math.imul(word(bytes, at + 4), C2), 16), C3)
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
    h3 ^= Math.imul(rotate(Math.imul(word(bytes, at + 8), C3), 17), C4)
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
    h4 ^= Math.imul(rotate(Math.imul(word(bytes, at + 12), C4), 18), C1)
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  }
  h4 ^= Math.imul(rotate(Math.imul(tail(bytes, at + 12, length), C4), 18), C1)
  h3 ^= Math.imul(rotate(Math.imul(tail(bytes, at + 8, length), C3), 17), C4)
  h2 ^= Math.imul(rotate(Math.imul(tail(bytes, at + 4, length), C2), 16), C3)
  h1 ^= Math.imul(rotate(Math.imul(tail(bytes, at, length), C1), 15), C2)
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = (h2 + h1) | 0
  h3 = (h3 + h1) | 0
  h4 = (h4 + h1) | 0
  h1 = finish(h1)
  h2 = finish(h2)
  h3 = finish(h3)
  h4 = finish(h4)
  h1 = (h1 + h2 + h3 + h4) | 0
  murmur3Words[0] = h1
  murmur3Words[1] = h2 + h1
  murmur3Words[2] = h3 + h1
  murmur3Words[3] = h4 + h1
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** Up to four bytes from `at`, little-endian; 0 when there are none, which leaves the state as it is. */
function tail(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = Math.min(at + 4, length) - 1; i >= at; i--) value = (value << 8) | (bytes[i] as number)
  return value
}

function finish(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
