import { Buffer } from 'node:buffer'
import { createPrivateKey, createPublicKey, randomBytes, randomInt, sign, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ed25519PublicKey, ed25519Response, parsecResponse } from '../../../protocol/index.js'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const PKCS8 = hex('302e020100300506032b657004220420')
const SPKI = hex('302a300506032b6570032100')

/** What MariaDB 10.11 asked an account `identified via ed25519 using password('secret')`, and the answer it accepted. */
const ED25519 = {
  scramble: hex('ceb7acb7bedcfa7ed94db3599c170ee2ba9f7c53812ed7299bfc8b816314a86c'),
  answer: hex(
    `35681ef85ec64cfd9686748c91b4e28321d9404c62e17f2833d6aa6fe1019e0c
    8adb27c76c28e0a4281f81628929be5b450863738104ec3c0dafa30d3a9db900`.replace(/\s/g, ''),
  ),
}

/** The same for MariaDB 11.8 and `identified via parsec using password('secret')`. */
const PARSEC = {
  scramble: hex('d68acc2e02fe0666278a93f52da2012f9fb73a843f39034a898d18399c4a15d3'),
  extSalt: hex('5000bc28658e4fe915b4ce5493396cb23b112f9f'),
  answer: hex(
    `b624db00eaa509f3daf15ddb7b584a1252692cbd8d985c7a0187819c465ea588
    7fda62d935d6b71e8d6555c7005c7359bf9e610a806c4eab40c23b0ae85c1a72
    9d09f405b1b084725e981cc93649c66f34c15655fc45ddcb34767c8715564405`.replace(/\s/g, ''),
  ),
}

describe('client_ed25519', () => {
  it('gives the answer that a real server accepted', () => {
    expect(ed25519Response('secret', ED25519.scramble)).toEqual(ED25519.answer)
    expect(ed25519Response(Buffer.from('secret'), ED25519.scramble)).toEqual(ED25519.answer)
  })

  it('has the public key that a server stores', () => {
    // What SHOW CREATE USER of MariaDB 10.11 and 11.8 shows for `identified via ed25519 using password('secret')`.
    expect(ed25519PublicKey('secret').toString('base64')).toBe('ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=')
  })

  it('is Ed25519 where the password is as long as a seed', () => {
    for (let i = 0; i < 20; i++) {
      const seed = randomBytes(32)
      const message = randomBytes(32)
      const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
      expect(ed25519Response(seed, message), seed.toString('hex')).toEqual(sign(null, message, key))
    }
  })

  it('makes signatures that the public key proves, for passwords of any length', () => {
    for (let i = 0; i < 20; i++) {
      const password = randomBytes(randomInt(0, 200))
      const message = randomBytes(32)
      const der = Buffer.concat([SPKI, ed25519PublicKey(password)])
      const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
      const answer = ed25519Response(password, message)
      expect(verify(null, message, key, answer), password.toString('hex')).toBe(true)
      expect(verify(null, randomBytes(32), key, answer)).toBe(false)
    }
  })
})

describe('parsec', () => {
  it('gives the answer that a real server accepted', () => {
    const nonce = PARSEC.answer.subarray(0, 32)
    expect(parsecResponse('secret', PARSEC.scramble, PARSEC.extSalt, nonce)).toEqual(PARSEC.answer)
  })

  it('answers with another nonce each time', () => {
    const answers = [1, 2].map(() => parsecResponse('secret', PARSEC.scramble, PARSEC.extSalt))
    expect(answers[0]).toHaveLength(96)
    expect(answers[0].subarray(0, 32)).not.toEqual(answers[1].subarray(0, 32))
  })

  it('takes the iterations into account, and refuses salts that would keep it busy or that it does not know', () => {
    const nonce = Buffer.alloc(32)
    const withByte = (at: number, value: number) => {
      const salt = Buffer.from(PARSEC.extSalt)
      salt[at] = value
      return salt
    }
    const answers = [0, 1, 2, 3].map((n) => parsecResponse('x', PARSEC.scramble, withByte(1, n), nonce).toString('hex'))
    expect(new Set(answers).size).toBe(4)
    const { extSalt } = PARSEC
    const wrong = [withByte(1, 4), withByte(1, 255), withByte(0, 0x51), extSalt.subarray(1), Buffer.alloc(0)]
    for (const salt of wrong) {
      const attempt = () => parsecResponse('secret', PARSEC.scramble, salt)
      expect(attempt, salt.toString('hex')).toThrow(expect.objectContaining({ code: 'auth-plugin', errno: 2061 }))
    }
  })
})
