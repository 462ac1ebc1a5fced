import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  ClientLogin,
  type ClientLoginOptions,
  ed25519Response,
  encodeAuthSwitch,
  encodeGreeting,
  generateRsaKeyPair,
  nativeHash,
  nativeResponse,
  nativeStage1,
  parsecResponse,
} from '../../../protocol/index.js'
import { ALL, ConnectionPair, OK } from './connection-pair.js'

const SCRAMBLE = Buffer.alloc(32, 'scramble')
const EXT_SALT = Buffer.concat([Buffer.from('P\0'), Buffer.alloc(18, 'salt')])

/** A client that was greeted by a MariaDB server and has answered. */
function greeted(options: Partial<ClientLoginOptions> = {}): ClientLogin {
  const greeting = encodeGreeting({
    serverVersion: '11.8.6-MariaDB',
    connectionId: 1,
    scramble: Buffer.alloc(20, 1),
    capabilities: ALL,
    mariadbCapabilities: 0,
    collation: 45,
    status: 2,
    authPlugin: AuthPlugin.NATIVE,
  })
  const login = new ClientLogin({
    username: 'app',
    password: 'secret',
    capabilities: ALL,
    collation: 45,
    tls: 'off',
    ...options,
  })
  login.packet(greeting, 0)
  return login
}

const sent = (actions: readonly { type: string }[]): Buffer => {
  expect(actions).toMatchObject([{ type: 'send' }])
  return (actions[0] as unknown as { packet: Buffer }).packet.subarray(4)
}

describe('a client of MariaDB', () => {
  it('signs the scramble for client_ed25519, with or without a zero behind it', () => {
    for (const data of [SCRAMBLE, Buffer.concat([SCRAMBLE, Buffer.alloc(1)])]) {
      const login = greeted()
      const answer = sent(login.packet(encodeAuthSwitch(AuthPlugin.ED25519, data), 2))
      expect(answer).toEqual(ed25519Response('secret', SCRAMBLE))
      expect(login.packet(OK, 4)).toMatchObject([{ type: 'done', authenticatedBy: 'client_ed25519' }])
    }
  })

  it('asks for the salt of parsec and answers it, however the server marks it', () => {
    for (const salt of [EXT_SALT, Buffer.concat([Buffer.of(1), EXT_SALT])]) {
      const login = greeted()
      expect(sent(login.packet(encodeAuthSwitch(AuthPlugin.PARSEC, SCRAMBLE), 2))).toEqual(Buffer.alloc(0))
      const answer = sent(login.packet(salt, 4))
      expect(answer).toEqual(parsecResponse('secret', SCRAMBLE, EXT_SALT, answer.subarray(0, 32)))
      expect(login.packet(OK, 6)).toMatchObject([{ type: 'done', authenticatedBy: 'parsec' }])
    }
  })

  it('passes on the refusal that comes in place of the salt', () => {
    const login = greeted()
    login.packet(encodeAuthSwitch(AuthPlugin.PARSEC, SCRAMBLE), 2)
    const err = Buffer.from('\xff\x15\x04#28000Access denied', 'latin1')
    expect(login.packet(err, 4)).toMatchObject([{ type: 'fail', reason: 'refused', err: { errno: 1045 } }])
  })

  it('takes nothing but a salt after its wish for one, and only one', () => {
    for (const payload of [OK, encodeAuthSwitch(AuthPlugin.NATIVE, SCRAMBLE), Buffer.of(1), Buffer.alloc(0)]) {
      const login = greeted()
      login.packet(encodeAuthSwitch(AuthPlugin.PARSEC, SCRAMBLE), 2)
      expect(login.packet(payload, 4), payload.toString('hex')).toMatchObject([
        { type: 'fail', reason: 'auth-plugin', err: { errno: 2061 } },
      ])
    }
    const login = greeted()
    login.packet(encodeAuthSwitch(AuthPlugin.PARSEC, SCRAMBLE), 2)
    login.packet(EXT_SALT, 4)
    expect(login.packet(EXT_SALT, 6)).toMatchObject([{ type: 'fail' }])
  })

  it('refuses scrambles that are too short, and packets out of order', () => {
    for (const plugin of [AuthPlugin.ED25519, AuthPlugin.PARSEC]) {
      const short = encodeAuthSwitch(plugin, SCRAMBLE.subarray(1))
      expect(greeted().packet(short, 2)).toMatchObject([{ reason: 'malformed', err: { errno: 2012 } }])
      expect(greeted().packet(encodeAuthSwitch(plugin, SCRAMBLE), 3)).toMatchObject([{ reason: 'out-of-order' }])
    }
  })
})

describe('a client that knows SHA1(password) alone', () => {
  const stage1 = { password: '', nativeStage1: nativeStage1('secret') }
  const native = { findAccount: (name: string) => ({ name, secret: NATIVE_HASH }) }
  const NATIVE_HASH = { kind: 'native_hash', hash: nativeHash('secret') } as const

  it('logs in by mysql_native_password, whatever the greeting names', () => {
    for (const defaultPlugin of [AuthPlugin.NATIVE, AuthPlugin.CACHING_SHA2, AuthPlugin.CLEAR]) {
      const { client, server } = new ConnectionPair({ ...native, defaultPlugin }, stage1).run()
      expect(client, defaultPlugin).toMatchObject({ type: 'done', authenticatedBy: AuthPlugin.NATIVE })
      expect(server.type).toBe('done')
    }
  })

  it('is refused with that of another password', () => {
    const { client } = new ConnectionPair(native, { password: '', nativeStage1: nativeStage1('other') }).run()
    expect(client).toMatchObject({ type: 'fail', err: { errno: 1045 } })
  })

  it('says why it cannot answer any other plugin', () => {
    for (const plugin of Object.values(AuthPlugin).filter((name) => name !== AuthPlugin.NATIVE)) {
      const login = greeted({ ...stage1, secureTransport: true, tls: 'off' })
      const problem = 'only mysql_native_password can be answered without the password'
      const message = `Authentication plugin '${plugin}' reported error: ${problem}`
      const [action] = login.packet(encodeAuthSwitch(plugin, SCRAMBLE), 2)
      expect(action).toMatchObject({ type: 'fail', err: { errno: 2061, message } })
    }
  })

  it('answers other plugins by its password where it has that as well', () => {
    const login = greeted({ password: 'secret', nativeStage1: nativeStage1('other') })
    expect(sent(login.packet(encodeAuthSwitch(AuthPlugin.ED25519, SCRAMBLE), 2))).toHaveLength(64)
    const scramble = SCRAMBLE.subarray(0, 20)
    expect(sent(login.packet(encodeAuthSwitch(AuthPlugin.NATIVE, scramble), 4))).toEqual(
      nativeResponse('other', scramble),
    )
  })
})

describe('a server that takes answers of 255 bytes at most', () => {
  it('is not sent an encrypted password', () => {
    // sha256_password, PROTOCOL_41 and SECURE_CONNECTION and PLUGIN_AUTH, but not PLUGIN_AUTH_LENENC_CLIENT_DATA
    const greeting = Buffer.from(
      '0a392e372e300001000000455e370d3666514500b6d2ff0200cb331500000000000000000000771f177a1a45314760342759007368613235365f70617373776f726400',
      'hex',
    )
    const options = { username: 'app', password: 'secret', capabilities: ALL, collation: 45, tls: 'off' } as const
    const login = new ClientLogin({ ...options, serverPublicKey: generateRsaKeyPair().publicKeyPem })
    const [end] = login.packet(greeting, 0)
    expect(end).toMatchObject({ type: 'fail', reason: 'auth-plugin' })
  })
})
