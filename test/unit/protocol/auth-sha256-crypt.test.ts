import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { parseSha2Hash, sha2Hash, verifySha2Hash } from '../../../protocol/index.js'

/** Accounts of a MySQL 9.7 server: `SELECT HEX(authentication_string) FROM mysql.user`. */
const STORED = [
  {
    password: 'sécret, with a long password of more than thirty-two bytes',
    hex: '24412430304124115E416F12197E0E717612776E4D066F786C1458656A436A6D4F794C754A64764D6F476D66664246307845366D69667938496C2F36307756685A2F705A432F',
  },
  {
    password: 'x',
    hex: '244124303041244F6C360A557638254933153E39087C2D0D521A2330685049325362593841324972316D30704E496B51702F3349752F4842654F636359387378664B33397943',
  },
]

const text = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')

describe('stored hashes of caching_sha2_password', () => {
  for (const { password, hex } of STORED) {
    it(`accepts the password that MySQL 9.7 hashed (${password.length} characters)`, () => {
      const hash = parseSha2Hash(text(hex))!
      expect(hash.rounds).toBe(10_000)
      expect(verifySha2Hash(Buffer.from(password), hash)).toBe(true)
      expect(verifySha2Hash(Buffer.from(`${password} `), hash)).toBe(false)
      expect(verifySha2Hash(Buffer.from(''), hash)).toBe(false)
    })

    it(`makes the same text from password, salt and rounds (${password.length} characters)`, () => {
      const { salt, rounds } = parseSha2Hash(text(hex))!
      expect(sha2Hash(Buffer.from(password), salt, rounds)).toBe(text(hex))
    })
  }

  it('takes no other text for a hash', () => {
    const good = text(STORED[0].hex)
    for (const bad of ['', '*0123', good.slice(1), good.slice(0, -1), `${good}x`, good.replace('$A$', '$B$')]) {
      expect(parseSha2Hash(bad)).toBeUndefined()
    }
  })

  it('refuses a password that is longer than 256 bytes at once, whatever its length', () => {
    const salt = Buffer.alloc(20, 'A')
    const longest = Buffer.alloc(256, 'x')
    expect(verifySha2Hash(longest, parseSha2Hash(sha2Hash(longest, salt))!)).toBe(true)
    const tooLong = Buffer.alloc(257, 'x')
    expect(verifySha2Hash(tooLong, parseSha2Hash(sha2Hash(tooLong, salt))!)).toBe(false)
    // As long as a packet of the login may be: this used to be an error of the engine, or minutes of hashing.
    const started = performance.now()
    for (const size of [131_068, 60_000]) {
      expect(verifySha2Hash(Buffer.alloc(size, 'x'), parseSha2Hash(text(STORED[0].hex))!)).toBe(false)
    }
    expect(performance.now() - started).toBeLessThan(100)
  })
})
