import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  Capability,
  ClientLogin,
  decodeAttributes,
  decodeErr,
  decodeGreeting,
  decodeHandshakeResponse,
  decodeOk,
  encodeGreeting,
  encodeHandshakeResponse,
  encodeSslRequest,
  isErrPacket,
  isSslRequest,
  nativeHash,
  rsaKeyPairOnDemand,
  ServerLogin,
} from '../../protocol/index.js'
import { type Exchange, loadCaptures } from './capture.js'
import { framed, pieces } from './follow.js'

const keys = rsaKeyPairOnDemand()

for (const { file, capture } of loadCaptures()) {
  if (!file.endsWith('-login.json')) continue
  describe(`${file} (${capture.server}): ${capture.title}`, () => {
    for (const exchange of capture.exchanges) {
      describe(exchange.name, () => testLogin(exchange))
    }
  })
}

function testLogin(exchange: Exchange): void {
  const packets = exchange.packets.map(({ from, hex, note }) => {
    const bytes = Buffer.from(hex, 'hex')
    return { from, note, bytes, payload: bytes.subarray(4), sequence: bytes[3] }
  })
  const find = (note: string) => packets.find((packet) => packet.note === note)
  const greeting = find('greeting')
  const response = find('handshake response')
  const { user = '', password = '' } = exchange

  it('is framed as it was, byte by byte', () => {
    for (const { bytes, payload, sequence } of packets)
      expect(framed(pieces(bytes, 1))).toEqual([{ payload, sequence }])
  })

  it('ends as its note says', () => {
    const { note, payload } = packets.at(-1)!
    if (note === 'ok') expect(decodeOk(payload, 0)).toMatchObject({ affectedRows: 0, statusFlags: 2, warnings: 0 })
    else if (note === 'request for TLS') expect(isSslRequest(payload)).toBe(true)
    else {
      expect(isErrPacket(payload)).toBe(true)
      const { errno, sqlState, message } = decodeErr(payload)
      expect(`err ${errno} ${sqlState} ${message}`).toBe(note)
    }
  })

  if (greeting === undefined) return

  it('has a greeting that we understand and would have written the same way', () => {
    const decoded = decodeGreeting(greeting.payload)
    const isMariadb = decoded.serverVersion.includes('MariaDB')
    expect(decoded.scramble).toHaveLength(20)
    expect(decoded.status).toBe(2)
    expect(decoded.authPlugin).toBe(isMariadb ? AuthPlugin.NATIVE : AuthPlugin.CACHING_SHA2)
    expect(decoded.mariadbCapabilities).toBe(isMariadb ? 0x1d : 0)
    expect((decoded.capabilities & Capability.LONG_PASSWORD) === 0).toBe(isMariadb)
    expect(encodeGreeting(decoded)).toEqual(greeting.payload)
  })

  const sslRequest = find('request for TLS')
  if (sslRequest !== undefined) {
    it('has a request for TLS that we would have written the same way', () => {
      const { payload } = sslRequest
      const fixed = {
        capabilities: payload.readUInt32LE(0),
        maxPacketSize: payload.readUInt32LE(4),
        collation: payload[8],
        mariadbCapabilities: 0,
      }
      expect(encodeSslRequest(fixed)).toEqual(payload)
      expect(() => decodeHandshakeResponse(payload)).toThrow('bad handshake')
    })
  }
  if (response === undefined) return

  it('has a response that we understand and would have written the same way', () => {
    const decoded = decodeHandshakeResponse(response.payload)
    expect(isSslRequest(response.payload)).toBe(false)
    expect(decoded.username.toString()).toBe(user)
    expect(decoded.database).toBe(exchange.name === 'an unknown schema' ? 'wire_nowhere' : undefined)
    expect(decodeAttributes(decoded.attributes!)).toContainEqual(['_os', 'Linux'])
    expect(encodeHandshakeResponse(decoded)).toEqual(response.payload)
  })

  it('has an answer to the scramble that our client would have given as well', () => {
    const { authResponse, capabilities, collation } = decodeHandshakeResponse(response.payload)
    const options = { username: user, password, capabilities, collation, tls: 'off' as const }
    const client = new ClientLogin({ ...options, allowRsaPublicKeyRetrieval: true })
    const [first] = client.packet(greeting.payload, greeting.sequence)
    if (first.type !== 'send') throw new Error(`the client does ${first.type}`)
    const ours = decodeHandshakeResponse(first.packet.subarray(4))
    // A client that was told another plugin than the greeting's waits for the switch and sends nothing.
    if (authResponse.length > 0) expect(ours.authResponse).toEqual(authResponse)
    for (const { from, note, payload, sequence } of packets.slice(2)) {
      if (from === 'client') continue
      const [action] = client.packet(payload, sequence)
      const wanted = packets.find((packet) => packet.from === 'client' && packet.sequence === sequence + 1)
      if (note === 'ok') expect(action.type).toBe('done')
      else if (note.startsWith('err')) expect(action).toMatchObject({ type: 'fail', reason: 'refused' })
      else if (note === 'fast authentication') expect(action).toBeUndefined()
      else if (action.type !== 'send') throw new Error(`the client does ${action.type} at ${note}`)
      // What is encrypted differs each time: only its length is the same.
      else if (note === 'public key') expect(action.packet).toHaveLength(wanted!.bytes.length)
      else expect(action.packet).toEqual(wanted!.bytes)
    }
  })

  it('would have gone the same way with our server', () => {
    const { scramble, serverVersion, connectionId, capabilities, collation, status, authPlugin } = decodeGreeting(
      greeting.payload,
    )
    if (exchange.name.startsWith('sha256_password')) return
    const isFirst = exchange.name.includes('full authentication') || exchange.name.includes('unknown user')
    const right = exchange.name.includes('empty password') ? '' : 'pässword'
    const secret =
      right === ''
        ? ({ kind: 'none' } as const)
        : isFirst
          ? ({ kind: 'external' } as const)
          : authPlugin === AuthPlugin.NATIVE
            ? ({ kind: 'native_hash', hash: nativeHash(right) } as const)
            : ({ kind: 'clear', password: right } as const)
    const server = new ServerLogin({
      serverVersion,
      connectionId,
      capabilities,
      collation,
      status,
      scramble,
      defaultPlugin: authPlugin,
      tls: { available: (capabilities & Capability.SSL) !== 0, required: false },
      clientHost: 'localhost',
      findAccount: (name) => ({ name, secret }),
      rsaKeyPair: keys,
    })
    server.start()
    let answers = server.packet(response.payload, response.sequence)
    for (const { from, note, bytes, payload, sequence } of packets.slice(2)) {
      if (note === 'encrypted password') return // for the other server's key
      if (from === 'client') {
        answers = server.packet(payload, sequence)
        continue
      }
      const answer = answers.shift()
      if (note === 'public key') expect(answer).toMatchObject({ type: 'send' })
      else if (answer?.type === 'send') expect(answer.packet, note).toEqual(bytes)
      else if (answer?.type === 'fail') expect(answer.packet, note).toEqual(bytes)
      else expect(answer).toMatchObject({ type: 'done', sequence })
    }
  })
}
