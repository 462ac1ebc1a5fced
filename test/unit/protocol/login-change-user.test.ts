import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  Capability,
  type ChangeUser,
  decodeAuthSwitch,
  encodeAuthSwitch,
  encodeChangeUser,
  encryptPassword,
  Framer,
  frame,
  MariadbCapability,
  nativeHash,
  nativeResponse,
  rsaKeyPairOnDemand,
  type Secret,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginOptions,
  sha2Digest,
  sha2Hash,
  sha2Response,
} from '../../../protocol/index.js'
import { ALL, byteByByte } from './connection-pair.js'

const PASSWORD = 'secret'
const keys = rsaKeyPairOnDemand()
const SESSION = { capabilities: ALL, mariadbCapabilities: MariadbCapability.PROGRESS, tls: false }

const SECRETS: Record<string, Secret> = {
  'a clear password': { kind: 'clear', password: PASSWORD },
  'a native hash': { kind: 'native_hash', hash: nativeHash(PASSWORD) },
  'a sha2 hash': { kind: 'sha2_hash', hash: sha2Hash(Buffer.from(PASSWORD), Buffer.alloc(20, 'salt')) },
  'a password to be judged elsewhere': { kind: 'external' },
  'a password judged before': { kind: 'external', digest: sha2Digest(PASSWORD) },
  'native hashes': { kind: 'external', nativeHashes: [nativeHash('other'), nativeHash(PASSWORD)] },
}

/** A session whose client changes its user, and who answers as a client library does. */
class Session {
  readonly server: ServerLogin
  readonly sent: Buffer[] = []
  readonly #framer = new Framer()
  readonly #password: string
  readonly #secure: boolean
  #plugin = ''
  #scramble = Buffer.alloc(0)
  #end: Extract<ServerLoginAction, { type: 'done' } | { type: 'fail' }> | undefined

  constructor(secret: Secret | null, password: string, options: Partial<ServerLoginOptions> = {}) {
    this.#password = password
    this.#secure = options.changeUser?.tls === true
    this.server = new ServerLogin({
      serverVersion: '9.7.0',
      connectionId: 1,
      capabilities: 0,
      collation: 8,
      status: 2,
      tls: { available: true, required: false },
      clientHost: '192.0.2.1',
      findAccount: (name) => (secret === null ? null : { name, secret }),
      rsaKeyPair: keys,
      changeUser: SESSION,
      ...options,
    })
  }

  change(request: Partial<ChangeUser> = {}) {
    const change = { username: 'app', authResponse: Buffer.alloc(20, 1), collation: 45, database: 'shop', ...request }
    const payload = encodeChangeUser({ authPlugin: AuthPlugin.NATIVE, ...change }, SESSION.capabilities)
    const actions = this.server.changeUser(payload, 0)
    payload.fill(0)
    this.#do(actions)
    if (this.#end === undefined) throw new Error('the change came to no end')
    return this.#end
  }

  #do(actions: ServerLoginAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') this.#answer(action.packet)
      else if (action.type === 'verify') this.#verify(action.password)
      else if (action.type === 'done' || action.type === 'fail') this.#end = action
      else throw new Error(`unexpected: ${action.type}`)
    }
  }

  #verify(password: Buffer): void {
    const right = password.toString() === PASSWORD
    this.#do(this.server.verified(right ? 'ok' : { errno: 1045, sqlState: '28000', message: 'judged elsewhere' }))
  }

  #answer(packet: Buffer): void {
    this.sent.push(packet)
    const answer = this.#answerTo(packet.subarray(4))
    if (answer === undefined) return
    byteByByte(this.#framer, frame(answer, packet[3] + 1), (payload, sequence) =>
      this.#do(this.server.packet(payload, sequence)),
    )
  }

  #answerTo(payload: Buffer): Buffer | undefined {
    if (payload[0] === 0xfe) {
      const { plugin, data } = decodeAuthSwitch(payload)!
      this.#plugin = plugin
      this.#scramble = Buffer.from(data.subarray(0, 20))
      const respond = plugin === AuthPlugin.NATIVE ? nativeResponse : sha2Response
      return respond(this.#password, this.#scramble)
    }
    if (this.#plugin !== AuthPlugin.CACHING_SHA2 || payload.equals(Buffer.of(1, 3))) return undefined
    if (!payload.equals(Buffer.of(1, 4))) return encryptPassword(this.#password, this.#scramble, payload.subarray(1))
    return this.#secure ? Buffer.from(`${this.#password}\0`) : Buffer.of(2)
  }
}

describe('a login by COM_CHANGE_USER', () => {
  for (const [name, secret] of Object.entries(SECRETS)) {
    for (const tls of [false, true]) {
      for (const authPlugin of [AuthPlugin.NATIVE, AuthPlugin.CACHING_SHA2, 'dialog', '']) {
        const title = `with ${name}, ${tls ? 'TLS' : 'no TLS'} and the plugin '${authPlugin}'`
        const options = { changeUser: { ...SESSION, tls } }

        it(`succeeds ${title}`, () => {
          const end = new Session(secret, PASSWORD, options).change({ authPlugin })
          const response = { database: 'shop', collation: 45 }
          const login = { username: 'app', account: { secret }, tls, response }
          expect(end).toMatchObject({ type: 'done', login })
          expect(end).toMatchObject({ login: { capabilities: ALL, mariadbCapabilities: MariadbCapability.PROGRESS } })
        })

        it(`is denied to a wrong password ${title}`, () => {
          const end = new Session(secret, 'wrong', options).change({ authPlugin })
          expect(end).toMatchObject({ type: 'fail', reason: 'access-denied', err: { errno: 1045 } })
        })
      }
    }
  }

  it('always asks with a new scramble, since what came along answers that of the session', () => {
    const scrambles = [1, 2].map(() => {
      const session = new Session(SECRETS['a clear password'], PASSWORD)
      session.change()
      expect(session.sent[0][3]).toBe(1)
      return decodeAuthSwitch(session.sent[0].subarray(4))!
    })
    for (const { plugin, data } of scrambles) expect([plugin, data.length]).toEqual([AuthPlugin.NATIVE, 21])
    expect(scrambles[0].data).not.toEqual(scrambles[1].data)
  })

  it('asks for an empty password as well, and lets it in where the account has none', () => {
    const session = new Session({ kind: 'none' }, '')
    expect(session.change({ authResponse: Buffer.alloc(0) })).toMatchObject({ type: 'done' })
    expect(session.sent).toHaveLength(1)
    expect(new Session(SECRETS['a clear password'], '').change()).toMatchObject({ err: { errno: 1045 } })
  })

  it('words a refusal as a login does, whether or not there is such an account', () => {
    const message = "Access denied for user 'app'@'192.0.2.1' (using password: YES)"
    for (const secret of [null, SECRETS['a clear password']]) {
      expect(new Session(secret, 'wrong').change()).toMatchObject({ err: { message } })
    }
  })

  it('takes names in the collation of the packet, and in that of the session where it has none', () => {
    const end = new Session(SECRETS['a native hash'], PASSWORD).change({ username: Buffer.of(0xe9), collation: 8 })
    expect(end).toMatchObject({ type: 'done', login: { username: 'é' } })
    const names: string[] = []
    const findAccount = (name: string) => {
      names.push(name)
      return null
    }
    new Session(null, '', { findAccount }).server.changeUser(Buffer.from('\x11\xe9\0\0\0', 'latin1'), 0)
    expect(names).toEqual(['é'])
  })

  it('may wait for its account, and be relayed', () => {
    const { server } = new Session(null, '', { findAccount: () => 'later' })
    const payload = encodeChangeUser({ username: 'app', authResponse: Buffer.alloc(0), collation: 45 }, ALL)
    expect(server.changeUser(payload, 0)).toEqual([])
    const secret: Secret = { kind: 'relay', plugin: 'client_ed25519', data: Buffer.alloc(32, 7) }
    const packet = frame(encodeAuthSwitch(secret.plugin, secret.data), 1)
    expect(server.accountFound({ name: 'app', secret })).toEqual([{ type: 'send', packet }])
    expect(server.packet(Buffer.of(5), 2)).toEqual([{ type: 'relay', payload: Buffer.of(5) }])
    expect(server.verified('ok')).toMatchObject([{ type: 'done', sequence: 3 }])
  })

  it('that is cut is answered with 1047', () => {
    const payload = encodeChangeUser(
      { username: 'app', authResponse: Buffer.alloc(20), collation: 45, attributes: Buffer.from('\x01a\x01b') },
      ALL,
    )
    for (const end of [1, 3, 5, 10, payload.length - 1]) {
      const { server } = new Session(SECRETS['a clear password'], PASSWORD)
      const [action] = server.changeUser(payload.subarray(0, end), 0)
      const err = { errno: 1047, sqlState: '08S01', message: 'Unknown command' }
      expect(action, `${end} bytes`).toMatchObject({ type: 'fail', err })
      expect((action as { packet: Buffer }).packet[3]).toBe(1)
    }
  })

  describe('of a client that knows no plugins', () => {
    const capabilities = (ALL & ~Capability.PLUGIN_AUTH) >>> 0
    const scramble = Buffer.alloc(20, 'scramble')
    const change = (secret: Secret, authResponse: Buffer) => {
      const changeUser = { ...SESSION, capabilities }
      const { server } = new Session(secret, PASSWORD, { changeUser, scramble })
      return server.changeUser(encodeChangeUser({ username: 'app', authResponse, collation: 45 }, capabilities), 0)
    }

    for (const kind of ['a clear password', 'a native hash', 'native hashes']) {
      it(`is judged with ${kind} by what came along: it answers the challenge of the session's login`, () => {
        const authenticatedBy = AuthPlugin.NATIVE
        const right = change(SECRETS[kind], nativeResponse(PASSWORD, scramble))
        expect(right).toMatchObject([{ type: 'done', sequence: 1, login: { authenticatedBy } }])
        const wrong = change(SECRETS[kind], nativeResponse('wrong', scramble))
        expect(wrong).toMatchObject([{ type: 'fail', err: { errno: 1045 } }])
      })
    }

    it('needs no answer without a password', () => {
      expect(change({ kind: 'none' }, Buffer.alloc(0))).toMatchObject([{ type: 'done' }])
      expect(change({ kind: 'external' }, Buffer.alloc(0))).toMatchObject([
        { type: 'verify', password: Buffer.alloc(0) },
      ])
    })

    it('is answered with 1251 where mysql_native_password does not serve', () => {
      const actions = change(SECRETS['a sha2 hash'], nativeResponse(PASSWORD, scramble))
      expect(actions).toMatchObject([{ type: 'fail', err: { errno: 1251 } }])
    })
  })

  it('refuses packets out of order', () => {
    const { server } = new Session(SECRETS['a clear password'], PASSWORD)
    server.changeUser(Buffer.from('\x11app\0\0\0'), 0)
    expect(server.packet(Buffer.alloc(20), 1)).toMatchObject([{ type: 'fail', reason: 'out-of-order' }])
  })

  it('is one login, of a session', () => {
    const { server } = new Session(SECRETS['a clear password'], PASSWORD)
    server.changeUser(Buffer.from('\x11app\0\0\0'), 0)
    expect(() => server.changeUser(Buffer.from('\x11app\0\0\0'), 0)).toThrow('not a login by COM_CHANGE_USER')
    const other = new Session(null, '', { changeUser: undefined }).server
    expect(() => other.changeUser(Buffer.from('\x11app\0\0\0'), 0)).toThrow('not a login by COM_CHANGE_USER')
  })
})
