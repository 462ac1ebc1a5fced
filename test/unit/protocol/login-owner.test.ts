import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  type Account,
  AuthPlugin,
  type ClientLoginOptions,
  encodeHandshakeResponse,
  nativeHash,
  nativeStage1,
  rsaKeyPairOnDemand,
  type Secret,
  type ServerLoginOptions,
  sha2Digest,
} from '../../../protocol/index.js'
import { ALL, ConnectionPair, type PairResult } from './connection-pair.js'

/* Logins in which the owner has a say: accounts that are looked up, passwords that someone else judges. */

const PASSWORD = 'secret'
const keys = rsaKeyPairOnDemand()
const TLS = { available: true, required: false }
const DENIED = { errno: 1045, sqlState: '28000', message: 'judged elsewhere' }
const HASHES = [nativeHash('another'), 'no hash at all', nativeHash(PASSWORD)]

function login(
  secret: Secret,
  server: Partial<ServerLoginOptions> = {},
  client: Partial<ClientLoginOptions> = {},
): PairResult {
  const judge = (password: Buffer) => (password.toString() === PASSWORD ? 'ok' : DENIED)
  return new ConnectionPair({ findAccount: (name) => ({ name, secret }), ...server }, client, judge).run()
}

function loggedIn(result: PairResult) {
  if (result.server.type !== 'done') throw new Error(`login failed: ${result.server.err.message}`)
  return result.server.login
}

/** A server that has taken a client's response and waits for its owner. */
function lookingUp(options: Partial<ServerLoginOptions> = {}) {
  const seen: { name: string; secure: boolean }[] = []
  const findAccount: ServerLoginOptions['findAccount'] = (name, _response, secure) => {
    seen.push({ name, secure })
    return 'later'
  }
  const pair = new ConnectionPair({ findAccount, defaultPlugin: AuthPlugin.NATIVE, ...options }, {})
  const response = only(pair.client.packet(only(pair.server.start()).subarray(4), 0))
  expect(pair.server.packet(response.subarray(4), 1)).toEqual([])
  return { ...pair, server: pair.server, client: pair.client, seen }
}

function only(actions: readonly { type: string; packet?: Buffer | undefined }[]): Buffer {
  if (actions.length !== 1 || actions[0].type !== 'send') throw new Error(`not one packet: ${JSON.stringify(actions)}`)
  return actions[0].packet as Buffer
}

describe('an account that is looked up', () => {
  const account: Account = { name: 'app', secret: { kind: 'clear', password: PASSWORD } }

  it('lets the login go on as if it had been known', () => {
    const { server, seen } = lookingUp()
    expect(server.state).toBe('lookup')
    expect(server.accountFound(account)).toMatchObject([
      { type: 'done', sequence: 2, login: { username: 'app', account } },
    ])
    expect(seen).toEqual([{ name: 'app', secure: false }])
  })

  it('may turn out to be none, which looks like a wrong password', () => {
    const { server } = lookingUp()
    expect(server.accountFound(null)).toMatchObject([{ type: 'fail', reason: 'access-denied', err: { errno: 1045 } }])
  })

  it('may need another plugin than the client took', () => {
    const { server, client } = lookingUp()
    const request = only(
      server.accountFound({ name: 'app', secret: { kind: 'external', digest: sha2Digest(PASSWORD) } }),
    )
    expect(request.toString('latin1')).toContain(AuthPlugin.CACHING_SHA2)
    const answer = only(client.packet(request.subarray(4), request[3]))
    expect(server.packet(answer.subarray(4), answer[3]).map(({ type }) => type)).toEqual(['send', 'done'])
  })

  it('may end in an error of the one who was asked', () => {
    const { server } = lookingUp()
    const err = { errno: 1130, sqlState: 'HY000', message: 'Host is not allowed' }
    expect(() => server.verified('ok')).toThrow('no password is being verified')
    expect(server.verified(err)).toMatchObject([{ type: 'fail', err }])
  })

  it('is told whether the transport is secure', () => {
    expect(lookingUp({ secureTransport: true }).seen).toEqual([{ name: 'app', secure: true }])
    const seen: boolean[] = []
    const findAccount: ServerLoginOptions['findAccount'] = (_name, _response, secure) => {
      seen.push(secure)
      return account
    }
    login(account.secret, { findAccount, tls: TLS }, { tls: 'required' })
    login(account.secret, { findAccount, tls: TLS }, { tls: 'off' })
    expect(seen).toEqual([true, false])
  })

  it('ends the login of a client that does not wait for it', () => {
    const { server } = lookingUp()
    expect(server.packet(Buffer.of(1), 2)).toMatchObject([{ type: 'fail', reason: 'out-of-order' }])
    expect(() => server.accountFound(account)).toThrow('no account is being looked up')
  })

  it('can be reported only once, and only after it was asked for', () => {
    const pair = new ConnectionPair({}, {})
    expect(() => pair.server.accountFound(null)).toThrow('no account is being looked up')
    const { server } = lookingUp()
    server.accountFound(account)
    expect(() => server.accountFound(account)).toThrow('no account is being looked up')
  })
})

describe('a password that is judged elsewhere', () => {
  const transports: Record<string, [Partial<ServerLoginOptions>, Partial<ClientLoginOptions>]> = {
    'plain TCP': [{}, {}],
    TLS: [{ tls: TLS }, { tls: 'required' }],
  }

  for (const [name, [server, client]] of Object.entries(transports)) {
    it(`is checked against any of the known native hashes, over ${name}`, () => {
      const secret: Secret = { kind: 'external', nativeHashes: HASHES }
      const native = { ...server, defaultPlugin: AuthPlugin.NATIVE }
      const result = loggedIn(login(secret, native, client))
      expect(result).toMatchObject({ authenticatedBy: AuthPlugin.NATIVE, nativeStage1: nativeStage1(PASSWORD) })
      expect(result.password).toBeUndefined()
      const wrong = login(secret, native, { ...client, password: 'wrong' })
      expect(wrong.server).toMatchObject({ type: 'fail', err: { errno: 1045 } })
      expect(wrong.wire.filter(({ from }) => from === 'C').length).toBe(name === 'TLS' ? 2 : 1)
    })
  }

  it('is asked by caching_sha2_password of a client that named native, where no hash is known', () => {
    for (const nativeHashes of [undefined, []]) {
      const options = { defaultPlugin: AuthPlugin.NATIVE, rsaKeyPair: keys }
      const result = login({ kind: 'external', nativeHashes }, options, { allowRsaPublicKeyRetrieval: true })
      expect(loggedIn(result)).toMatchObject({ authenticatedBy: AuthPlugin.CACHING_SHA2, nativeStage1: undefined })
    }
  })

  it('is not asked again of a client that has none, which may have no other plugin', () => {
    const findAccount = (name: string): Account => ({ name, secret: { kind: 'external' } })
    const options = { findAccount, defaultPlugin: AuthPlugin.NATIVE }
    const right = new ConnectionPair(options, { password: '' }, (password) => (password.length === 0 ? 'ok' : DENIED))
    const { server, wire } = right.run()
    expect(server).toMatchObject({ type: 'done', login: { password: Buffer.alloc(0) } })
    expect(wire.filter(({ from }) => from === 'C')).toHaveLength(1)
    const wrong = new ConnectionPair(options, { password: '' }, () => DENIED).run()
    expect(wrong.server).toMatchObject({ type: 'fail', err: DENIED })
  })

  it('is asked by the plugin that the client has, hashes or not', () => {
    const secret: Secret = { kind: 'external', nativeHashes: HASHES, digest: sha2Digest(PASSWORD) }
    expect(loggedIn(login(secret)).authenticatedBy).toBe(AuthPlugin.CACHING_SHA2)
  })

  it('is asked by native of a client with a plugin of its own, where the greeting named native and hashes are known', () => {
    const nativeSecret: Secret = { kind: 'external', nativeHashes: HASHES }
    const asked = [nativeSecret, { kind: 'external' } as const].map((secret) => {
      const findAccount = (name: string): Account => ({ name, secret })
      const { server } = new ConnectionPair({ findAccount, defaultPlugin: AuthPlugin.NATIVE }, {})
      server.start()
      const response = { username: 'app', authResponse: Buffer.of(1), authPlugin: 'dialog', capabilities: ALL }
      const fixed = { mariadbCapabilities: 0, maxPacketSize: 0, collation: 45 }
      return only(server.packet(encodeHandshakeResponse({ ...response, ...fixed }), 1)).toString('latin1')
    })
    expect(asked[0]).toContain(`\xfe${AuthPlugin.NATIVE}\0`)
    expect(asked[1]).toContain(`\xfe${AuthPlugin.CACHING_SHA2}\0`)
  })
})

describe('the clear password', () => {
  const secrets: Record<string, Secret> = {
    clear: { kind: 'clear', password: PASSWORD },
    native_hash: { kind: 'native_hash', hash: nativeHash(PASSWORD) },
    external: { kind: 'external' },
  }

  it('is in the result wherever the exchange revealed it', () => {
    const clear = { defaultPlugin: AuthPlugin.CLEAR, secureTransport: true }
    for (const [name, secret] of Object.entries(secrets)) {
      const result = login(secret, clear, { secureTransport: true })
      expect(loggedIn(result).password?.toString(), name).toBe(PASSWORD)
      expect(loggedIn(result).authenticatedBy, name).toBe(AuthPlugin.CLEAR)
    }
    const byRsa = login({ kind: 'external' }, { rsaKeyPair: keys }, { allowRsaPublicKeyRetrieval: true })
    expect(loggedIn(byRsa).password?.toString()).toBe(PASSWORD)
    expect(loggedIn(login({ kind: 'none' }, {}, { password: '' })).password).toEqual(Buffer.alloc(0))
  })

  it('is not in the result of an exchange that only proves it', () => {
    expect(loggedIn(login(secrets.clear)).password).toBeUndefined()
    expect(loggedIn(login(secrets.clear, { defaultPlugin: AuthPlugin.NATIVE })).password).toBeUndefined()
  })

  it("is the owner's own copy, whatever becomes of the one to be judged", () => {
    const copies: Buffer[] = []
    const judge = (password: Buffer) => {
      copies.push(password)
      return 'ok' as const
    }
    const findAccount = (name: string): Account => ({ name, secret: secrets.external })
    const pair = new ConnectionPair({ findAccount, secureTransport: true }, { secureTransport: true }, judge)
    expect(loggedIn(pair.run()).password?.toString()).toBe(PASSWORD)
    expect(copies).toEqual([Buffer.alloc(PASSWORD.length)])
  })
})
