import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  decryptPassword,
  encryptPassword,
  generateRsaKeyPair,
  nativeHash,
  nativeResponse,
  nativeResponseFromStage1,
  nativeStage1,
  nativeStage2,
  newScramble,
  parseNativeHash,
  sha2Digest,
  sha2Response,
  verifyClear,
  verifyNative,
  verifySha2,
  wipe,
} from '../../../protocol/index.js'

const scramble = Buffer.from('abcdefghijklmnopqrst')

describe('mysql_native_password', () => {
  it('stores what the function PASSWORD() of MariaDB returns', () => {
    expect(nativeHash('secret')).toBe('*14E65567ABDB5135D0CFD9A70B3032C179A49EE7')
    expect(parseNativeHash('*14E65567ABDB5135D0CFD9A70B3032C179A49EE7')).toEqual(nativeStage2('secret'))
    for (const none of ['', '14E65567ABDB5135D0CFD9A70B3032C179A49EE7', '*14E6', `${nativeHash('secret')}0`]) {
      expect(parseNativeHash(none)).toBeUndefined()
    }
  })

  it('accepts the right answer only, and learns SHA1(password) from it', () => {
    const answer = nativeResponse('secret', scramble)
    expect(answer).toHaveLength(20)
    const stage1 = verifyNative(answer, scramble, nativeStage2('secret'))
    expect(stage1).toEqual(nativeStage1('secret'))
    expect(nativeResponseFromStage1(stage1!, scramble)).toEqual(answer)
    expect(verifyNative(answer, scramble, nativeStage2('Secret'))).toBeUndefined()
    expect(verifyNative(answer, Buffer.alloc(20, 1), nativeStage2('secret'))).toBeUndefined()
    expect(verifyNative(answer.subarray(1), scramble, nativeStage2('secret'))).toBeUndefined()
    expect(verifyNative(Buffer.alloc(0), scramble, nativeStage2(''))).toBeUndefined()
  })
})

describe('caching_sha2_password', () => {
  it('accepts the right fast answer only', () => {
    const answer = sha2Response(Buffer.from('secret'), scramble)
    expect(answer).toHaveLength(32)
    expect(verifySha2(answer, scramble, sha2Digest('secret'))).toBe(true)
    expect(verifySha2(answer, scramble, sha2Digest('Secret'))).toBe(false)
    expect(verifySha2(answer, Buffer.alloc(20, 1), sha2Digest('secret'))).toBe(false)
    expect(verifySha2(answer.subarray(1), scramble, sha2Digest('secret'))).toBe(false)
  })
})

describe('the RSA exchange', () => {
  const pair = generateRsaKeyPair()

  it('brings a password from one side to the other', () => {
    for (const password of ['x', 'pässword', 'p'.repeat(213)]) {
      const encrypted = encryptPassword(password, scramble, pair.publicKeyPem)
      expect(encrypted).toHaveLength(256)
      expect(decryptPassword(encrypted, scramble, pair)?.toString()).toBe(password)
    }
  })

  it('refuses what it cannot decrypt, and passwords mixed with another scramble', () => {
    const encrypted = encryptPassword('secret', scramble, pair.publicKeyPem)
    expect(decryptPassword(Buffer.alloc(256, 3), scramble, pair)).toBeUndefined()
    expect(decryptPassword(Buffer.alloc(0), scramble, pair)).toBeUndefined()
    expect(decryptPassword(encrypted, Buffer.alloc(20, 1), pair)).toBeUndefined()
  })

  it('says what is wrong with a key or a password', () => {
    const refused = expect.objectContaining({ code: 'bad-rsa-key', errno: 2061 })
    expect(() => encryptPassword('x', scramble, Buffer.from('no key'))).toThrow(refused)
    expect(() => encryptPassword('x', scramble, Buffer.alloc(5000))).toThrow(refused)
    expect(() => encryptPassword('p'.repeat(214), scramble, pair.publicKeyPem)).toThrow(refused)
  })
})

describe('secrets', () => {
  it('in clear are compared whole', () => {
    expect(verifyClear(Buffer.from('secret'), 'secret')).toBe(true)
    expect(verifyClear(Buffer.from('secre'), 'secret')).toBe(false)
    expect(verifyClear(Buffer.alloc(0), 'secret')).toBe(false)
  })

  it('can be overwritten', () => {
    const secret = Buffer.from('secret')
    wipe(secret)
    expect(secret).toEqual(Buffer.alloc(6))
  })
})

describe('scrambles', () => {
  it('have 20 bytes without zero and dollar sign, and do not repeat', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 200; i++) {
      const made = newScramble()
      expect(made).toHaveLength(20)
      expect(made.every((byte) => byte > 0 && byte < 0x80 && byte !== 0x24)).toBe(true)
      seen.add(made.toString('hex'))
    }
    expect(seen.size).toBe(200)
  })
})
