import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  Capability,
  type ClientLoginOptions,
  decodeHandshakeResponse,
  encodeAttributes,
  nativeHash,
  rsaKeyPairOnDemand,
  type Secret,
  type ServerLoginOptions,
  sha2Digest,
  sha2Hash,
} from '../../../protocol/index.js'
import { ALL, ConnectionPair, type PairResult } from './connection-pair.js'

const PASSWORD = 'pässword, long enough for the scramble to be used twice over'
const keys = rsaKeyPairOnDemand()
const TLS = { available: true, required: false }

const SECRETS: Record<string, Secret> = {
  'a clear password': { kind: 'clear', password: PASSWORD },
  'a native hash': { kind: 'native_hash', hash: nativeHash(PASSWORD) },
  'a sha2 hash': { kind: 'sha2_hash', hash: sha2Hash(Buffer.from(PASSWORD), Buffer.alloc(20, 'salt')) },
  'a sha2 hash with its digest': {
    kind: 'sha2_hash',
    hash: sha2Hash(Buffer.from(PASSWORD), Buffer.alloc(20, 'salt')),
    digest: sha2Digest(PASSWORD),
  },
  'a password to be judged elsewhere': { kind: 'external' },
  'a password judged before': { kind: 'external', digest: sha2Digest(PASSWORD) },
}

const TRANSPORTS: Record<string, [Partial<ServerLoginOptions>, Partial<ClientLoginOptions>]> = {
  TLS: [{ tls: TLS }, { tls: 'preferred' }],
  'required TLS': [{ tls: { available: true, required: true } }, { tls: 'required' }],
  'a Unix socket': [{ secureTransport: true }, { secureTransport: true }],
  'plain TCP with RSA': [{ rsaKeyPair: keys }, { allowRsaPublicKeyRetrieval: true }],
  'plain TCP with a known key': [{ rsaKeyPair: keys }, { serverPublicKey: keys().publicKeyPem }],
}

const GREETING_PLUGINS = [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE, 'some_other_plugin']

const judge = (password: Buffer) =>
  password.toString() === PASSWORD ? 'ok' : { errno: 1045, sqlState: '28000', message: 'judged elsewhere' }

function login(
  secret: Secret | null,
  server: Partial<ServerLoginOptions>,
  client: Partial<ClientLoginOptions>,
): PairResult {
  const findAccount = (name: string) => (secret === null ? null : { name, secret })
  return new ConnectionPair({ findAccount, ...server }, { password: PASSWORD, ...client }, judge).run()
}

/** Everything that was sent, in one piece. */
const sent = (result: PairResult) => Buffer.concat(result.wire.map(({ payload }) => payload)).toString('latin1')

describe('a login', () => {
  for (const [secretName, secret] of Object.entries(SECRETS)) {
    for (const [transport, [server, client]] of Object.entries(TRANSPORTS)) {
      for (const defaultPlugin of GREETING_PLUGINS) {
        const title = `with ${secretName} over ${transport}, greeted by ${defaultPlugin}`

        it(`succeeds ${title}`, () => {
          const { server: outcome, client: result } = login(secret, { defaultPlugin, ...server }, client)
          expect(outcome).toMatchObject({ type: 'done', login: { username: 'app', account: { secret } } })
          expect(result).toMatchObject({ type: 'done', greeting: { connectionId: 4711 }, ok: { statusFlags: 2 } })
        })

        it(`is denied to a wrong password ${title}`, () => {
          const wrong = { ...client, password: `${PASSWORD} ` }
          const { server: outcome, client: result } = login(secret, { defaultPlugin, ...server }, wrong)
          expect(outcome).toMatchObject({ type: 'fail', reason: 'access-denied', err: { errno: 1045 } })
          expect(result).toMatchObject({ type: 'fail', reason: 'refused', err: { errno: 1045, sqlState: '28000' } })
        })
      }
    }
  }

  it('never shows the password on a connection that can be listened to', () => {
    for (const [name, secret] of Object.entries(SECRETS)) {
      for (const password of [PASSWORD, `${PASSWORD} `]) {
        const result = login(secret, { rsaKeyPair: keys }, { allowRsaPublicKeyRetrieval: true, password })
        expect(sent(result), name).not.toContain(Buffer.from(password).toString('latin1').slice(0, 20))
      }
    }
  })

  it('takes one round trip less when the fast path succeeds', () => {
    const { wire } = login({ kind: 'clear', password: PASSWORD }, {}, {})
    expect(wire.map(({ from, payload }) => [from, payload.length <= 2 ? payload.toString('hex') : '...'])).toEqual([
      ['S', '...'],
      ['C', '...'],
      ['S', '0103'],
      ['S', '...'],
    ])
  })

  it('yields what makes the next login a fast one', () => {
    const first = login({ kind: 'external' }, { tls: TLS }, { tls: 'required' }).server
    if (first.type !== 'done') throw new Error('login failed')
    const digest = first.login.sha2Digest
    expect(digest).toEqual(sha2Digest(PASSWORD))
    const second = login({ kind: 'external', digest }, {}, {})
    expect(second.server.type).toBe('done')
    expect(second.wire.some(({ payload }) => payload.equals(Buffer.of(1, 3)))).toBe(true)
  })

  it('yields SHA1(password) where mysql_native_password was used', () => {
    const outcome = login(SECRETS['a native hash'], { defaultPlugin: AuthPlugin.NATIVE }, {}).server
    if (outcome.type !== 'done') throw new Error('login failed')
    expect(outcome.login.authenticatedBy).toBe(AuthPlugin.NATIVE)
    expect(outcome.login.nativeStage1).toHaveLength(20)
  })

  it('lets an empty password in where the account has none, and nowhere else', () => {
    for (const defaultPlugin of GREETING_PLUGINS) {
      expect(login({ kind: 'none' }, { defaultPlugin }, { password: '' }).server.type).toBe('done')
      for (const [name, secret] of Object.entries(SECRETS)) {
        const { server } = login(secret, { defaultPlugin }, { password: '' })
        expect(server.type, name).toBe('fail')
      }
    }
  })

  it('lets no password in where the account has none', () => {
    for (const defaultPlugin of GREETING_PLUGINS) {
      expect(login({ kind: 'none' }, { defaultPlugin }, {}).server).toMatchObject({
        type: 'fail',
        err: { errno: 1045 },
      })
    }
  })

  it('words a refusal as MySQL does', () => {
    expect(login(null, { tls: TLS }, { tls: 'required' }).client).toMatchObject({
      err: {
        message: "Access denied for user 'app'@'192.0.2.1' (using password: YES)",
        errno: 1045,
        sqlState: '28000',
      },
    })
    expect(login(null, {}, { password: '' }).client).toMatchObject({
      err: { message: "Access denied for user 'app'@'192.0.2.1' (using password: NO)" },
    })
  })

  it('treats an unknown account exactly as a wrong password', () => {
    const secret: Secret = { kind: 'clear', password: 'another' }
    const scramble = Buffer.alloc(20, 'scramble')
    for (const [name, [server, client]] of Object.entries(TRANSPORTS)) {
      const known = login(secret, { scramble, ...server }, client).wire
      const unknown = login(null, { scramble, ...server }, client).wire
      expect(
        unknown.map(({ from, payload }) => [from, payload.length]),
        name,
      ).toEqual(known.map(({ from, payload }) => [from, payload.length]))
      expect(unknown.at(-1)).toEqual(known.at(-1))
    }
  })
})

describe('TLS', () => {
  it('is not used when the client does not want it', () => {
    expect(login(SECRETS['a clear password'], { tls: TLS }, { tls: 'off' }).server).toMatchObject({
      login: { tls: false },
    })
  })

  it('is used before the client says who it is', () => {
    const { wire, server } = login(SECRETS['a clear password'], { tls: TLS }, { tls: 'preferred' })
    expect(server).toMatchObject({ type: 'done', login: { tls: true } })
    expect(wire.filter(({ payload }) => payload.includes('app')).map(({ tls }) => tls)).toEqual([true])
  })

  it('makes a client that requires it leave a server that does not offer it', () => {
    const pair = new ConnectionPair({}, { tls: 'required' })
    const [greeting] = pair.server.start()
    if (greeting.type !== 'send') throw new Error('no greeting')
    expect(pair.client.packet(greeting.packet.subarray(4), 0)).toMatchObject([
      { type: 'fail', reason: 'tls-not-offered', err: { errno: 2026 } },
    ])
  })

  it('makes a server that requires it refuse a client without', () => {
    const { client } = login(SECRETS['a clear password'], { tls: { available: true, required: true } }, { tls: 'off' })
    expect(client).toMatchObject({ type: 'fail', err: { errno: 3159, sqlState: 'HY000' } })
  })
})

describe('a client', () => {
  it('refuses a public key from a server without TLS unless it is told to trust it', () => {
    const pair = new ConnectionPair(
      { rsaKeyPair: keys, findAccount: (name) => ({ name, secret: SECRETS['a sha2 hash'] }) },
      { password: PASSWORD },
    )
    const first = pair.server.start()[0]
    if (first.type !== 'send') throw new Error('no greeting')
    const response = pair.client.packet(first.packet.subarray(4), 0)[0]
    if (response.type !== 'send') throw new Error('no response')
    const question = pair.server.packet(response.packet.subarray(4), 1)[0]
    if (question.type !== 'send') throw new Error('no question')
    const message =
      "Authentication plugin 'caching_sha2_password' reported error: Authentication requires secure connection."
    expect(pair.client.packet(question.packet.subarray(4), 2)).toMatchObject([
      { type: 'fail', err: { errno: 2061, message } },
    ])
  })

  it('sends its password in clear only where nobody can listen', () => {
    const clearOnly = Buffer.from(`\xfe${AuthPlugin.CLEAR}\0`, 'latin1')
    for (const secureTransport of [true, false]) {
      const pair = new ConnectionPair({}, { secureTransport, password: PASSWORD })
      const [greeting] = pair.server.start()
      if (greeting.type !== 'send') throw new Error('no greeting')
      pair.client.packet(greeting.packet.subarray(4), 0)
      const [answer] = pair.client.packet(clearOnly, 2)
      if (answer.type === 'send') expect(answer.packet.subarray(4).toString()).toBe(`${PASSWORD}\0`)
      expect(answer.type).toBe(secureTransport ? 'send' : 'fail')
    }
  })

  it('names the plugin it does not know', () => {
    const pair = new ConnectionPair({}, {})
    const [greeting] = pair.server.start()
    if (greeting.type !== 'send') throw new Error('no greeting')
    pair.client.packet(greeting.packet.subarray(4), 0)
    expect(pair.client.packet(Buffer.from('\xfeauth_gssapi_client\0data\0', 'latin1'), 2)).toMatchObject([
      { type: 'fail', reason: 'unknown-auth-plugin', err: { errno: 2059 } },
    ])
  })

  it('passes on the error that a server sends instead of a greeting', () => {
    const { client } = new ConnectionPair({}, {})
    const payload = Buffer.concat([Buffer.of(0xff, 0x10, 0x04), Buffer.from('Too many connections')])
    expect(client.packet(payload, 0)).toEqual([
      {
        type: 'fail',
        reason: 'refused',
        err: { errno: 1040, sqlState: 'HY000', message: 'Too many connections' },
        packet: payload,
      },
    ])
  })

  it('asks for nothing that the server does not offer', () => {
    const capabilities = ALL & ~Capability.DEPRECATE_EOF & ~Capability.SESSION_TRACK
    const { server, client } = login(SECRETS['a clear password'], { capabilities }, { database: 'shop' })
    if (server.type !== 'done' || client.type !== 'done') throw new Error('login failed')
    expect(client.capabilities & Capability.DEPRECATE_EOF).toBe(0)
    expect(server.login.capabilities).toBe(client.capabilities)
    expect(server.login.response.database).toBe('shop')
  })

  it('brings its attributes along', () => {
    const attributes = encodeAttributes([['program_name', 'test']])
    const { server } = login(SECRETS['a clear password'], {}, { attributes })
    expect(server).toMatchObject({ login: { response: { attributes } } })
  })
})

describe('a server', () => {
  it('refuses packets with the wrong number', () => {
    const pair = new ConnectionPair({}, {})
    pair.server.start()
    expect(pair.server.packet(Buffer.alloc(40), 5)).toMatchObject([
      { type: 'fail', reason: 'out-of-order', err: { errno: 1156, sqlState: '08S01' } },
    ])
  })

  it('refuses clients from before 4.1 with 1251', () => {
    const pair = new ConnectionPair({}, {})
    pair.server.start()
    const old = Buffer.from('0500000000006170700000', 'hex')
    expect(pair.server.packet(old, 1)).toMatchObject([{ type: 'fail', err: { errno: 1251, sqlState: '08004' } }])
  })

  it('answers a mangled response with 1043', () => {
    const pair = new ConnectionPair({}, {})
    const [greeting] = pair.server.start()
    if (greeting.type !== 'send') throw new Error('no greeting')
    const [response] = pair.client.packet(greeting.packet.subarray(4), 0)
    if (response.type !== 'send') throw new Error('no response')
    const payload = response.packet.subarray(4)
    expect(decodeHandshakeResponse(payload).authPlugin).toBe(AuthPlugin.CACHING_SHA2)
    expect(pair.server.packet(payload.subarray(0, 34), 1)).toMatchObject([
      { type: 'fail', err: { errno: 1043, sqlState: '08S01' } },
    ])
  })

  it('takes a response from a client whose plugin waits for a scramble of its own', () => {
    // libmysqlclient with default-auth=mysql_native_password sends an empty answer to a caching_sha2_password greeting.
    const { server, client } = new ConnectionPair(
      { findAccount: (name) => ({ name, secret: SECRETS['a clear password'] }) },
      {},
    )
    void client
    server.start()
    const response = Buffer.concat([
      Buffer.from('05a23a00000000402d', 'hex'),
      Buffer.alloc(23),
      Buffer.from('app\0\0mysql_native_password\0', 'latin1'),
    ])
    response.writeUInt32LE(0x003aa205 | Capability.PLUGIN_AUTH, 0)
    const [action] = server.packet(response, 1)
    if (action.type !== 'send') throw new Error(`expected a switch, got ${JSON.stringify(action)}`)
    expect(action.packet.subarray(4).toString('latin1')).toMatch(/^\xfemysql_native_password\0.{20}\0$/s)
  })
})
