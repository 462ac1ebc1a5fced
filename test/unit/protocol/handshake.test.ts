import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  Capability,
  decodeAttributes,
  decodeChangeUser,
  decodeGreeting,
  decodeHandshakeResponse,
  encodeAttributes,
  encodeChangeUser,
  encodeGreeting,
  encodeHandshakeResponse,
  encodeSslRequest,
  type Greeting,
  isSslRequest,
  MariadbCapability,
  ProtocolError,
  usernameOf,
} from '../../../protocol/index.js'

const BASE = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH

const greeting: Greeting = {
  serverVersion: '9.7.0',
  connectionId: 0xfffffffe,
  scramble: Buffer.from('abcdefghijklmnopqrst'),
  capabilities: (BASE | Capability.LONG_PASSWORD | Capability.REMEMBER_OPTIONS) >>> 0,
  mariadbCapabilities: 0,
  collation: 255,
  status: 2,
  authPlugin: 'caching_sha2_password',
}

const response = {
  capabilities: BASE | Capability.LONG_PASSWORD | Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA,
  mariadbCapabilities: 0,
  maxPacketSize: 1 << 24,
  collation: 45,
  username: Buffer.from('app'),
  authResponse: Buffer.alloc(20, 1),
  database: undefined,
  authPlugin: 'mysql_native_password',
  attributes: undefined,
  zstdLevel: undefined,
}

describe('a greeting', () => {
  it('is read as it was written, with all 32 capability bits', () => {
    expect(decodeGreeting(encodeGreeting(greeting))).toEqual(greeting)
  })

  it("carries MariaDB's extended flags where LONG_PASSWORD is unset, and only there", () => {
    const mariadbCapabilities = MariadbCapability.PROGRESS | MariadbCapability.STMT_BULK_OPERATIONS
    const mariadb = { ...greeting, capabilities: BASE, mariadbCapabilities, serverVersion: '5.5.5-10.11.18-MariaDB' }
    expect(decodeGreeting(encodeGreeting(mariadb))).toEqual(mariadb)
    expect(decodeGreeting(encodeGreeting({ ...greeting, mariadbCapabilities })).mariadbCapabilities).toBe(0)
  })

  it('without plugin names means mysql_native_password', () => {
    const old = { ...greeting, capabilities: Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION }
    expect(decodeGreeting(encodeGreeting(old)).authPlugin).toBe('mysql_native_password')
  })

  it('of another protocol version is refused', () => {
    const nine = Buffer.from(encodeGreeting(greeting))
    nine[0] = 9
    expect(() => decodeGreeting(nine)).toThrow(expect.objectContaining({ code: 'unsupported', errno: 2007 }))
  })

  it('is truncated wherever it is cut', () => {
    const bytes = encodeGreeting(greeting)
    for (let end = 0; end < bytes.length - greeting.authPlugin.length - 1; end++) {
      expect(() => decodeGreeting(bytes.subarray(0, end)), `${end} bytes`).toThrow(ProtocolError)
    }
  })
})

describe('a handshake response', () => {
  const all = {
    ...response,
    capabilities:
      response.capabilities |
      Capability.CONNECT_WITH_DB |
      Capability.CONNECT_ATTRS |
      Capability.ZSTD_COMPRESSION_ALGORITHM,
    database: 'shop',
    attributes: encodeAttributes([['_os', 'Linux']]),
    zstdLevel: 3,
  }

  it('is read as it was written, with nothing but the name and with all there is', () => {
    expect(decodeHandshakeResponse(encodeHandshakeResponse(response))).toEqual(response)
    expect(decodeHandshakeResponse(encodeHandshakeResponse(all))).toEqual(all)
  })

  it('keeps the exact bytes of the name and decodes them by the character set', () => {
    const latin1 = { ...response, collation: 8, username: Buffer.of(0xe9) }
    const decoded = decodeHandshakeResponse(encodeHandshakeResponse(latin1))
    expect(decoded.username).toEqual(Buffer.of(0xe9))
    expect(usernameOf(decoded)).toBe('é')
  })

  it('writes names given as text in the character set', () => {
    const text = { ...all, collation: 8, username: 'é', database: 'ü' }
    const decoded = decodeHandshakeResponse(encodeHandshakeResponse(text))
    expect(decoded.username).toEqual(Buffer.of(0xe9))
    expect(decoded.database).toBe('ü')
  })

  it('may leave out the fields at its end that its flags announce', () => {
    const bytes = encodeHandshakeResponse(all)
    const upToSchema = bytes.indexOf('shop\0') + 5
    expect(decodeHandshakeResponse(bytes.subarray(0, upToSchema))).toEqual({
      ...all,
      authPlugin: undefined,
      attributes: undefined,
      zstdLevel: undefined,
    })
  })

  it('takes long answers with a length-encoded length and short ones with one byte', () => {
    const authResponse = Buffer.alloc(255, 7)
    const short = { ...response, authResponse, capabilities: BASE | Capability.LONG_PASSWORD }
    expect(decodeHandshakeResponse(encodeHandshakeResponse(short))).toEqual(short)
    const long = { ...response, authResponse: Buffer.alloc(300, 7) }
    expect(decodeHandshakeResponse(encodeHandshakeResponse(long))).toEqual(long)
    expect(() => encodeHandshakeResponse({ ...short, authResponse: Buffer.alloc(256) })).toThrow(RangeError)
  })

  it('of a client from before 4.1 is answered with 1251', () => {
    const attempt = () => decodeHandshakeResponse(Buffer.from('0524000000617070000000', 'hex'))
    expect(attempt).toThrow(expect.objectContaining({ code: 'old-client', errno: 1251, sqlState: '08004' }))
  })

  it('that is cut is answered with 1043', () => {
    const bytes = encodeHandshakeResponse(response)
    for (const end of [4, 31, 33, 36, 40]) {
      const attempt = () => decodeHandshakeResponse(bytes.subarray(0, end))
      expect(attempt, `${end} bytes`).toThrow(expect.objectContaining({ errno: 1043, sqlState: '08S01' }))
    }
  })
})

describe('a request for TLS', () => {
  it('is the fixed part of a response, alone', () => {
    const request = encodeSslRequest(response)
    expect(request).toHaveLength(32)
    expect(isSslRequest(request)).toBe(true)
    expect(request.readUInt32LE(0)).toBe((response.capabilities | Capability.SSL) >>> 0)
  })

  it('is told from a whole response of a client that uses TLS', () => {
    const overTls = { ...response, capabilities: response.capabilities | Capability.SSL }
    expect(isSslRequest(encodeHandshakeResponse(overTls))).toBe(false)
  })
})

describe('connection attributes', () => {
  it('keep their order and may be empty', () => {
    const pairs: [string, string][] = [
      ['b', '1'],
      ['a', ''],
      ['', 'é'],
    ]
    expect(decodeAttributes(encodeAttributes(pairs))).toEqual(pairs)
    expect(decodeAttributes(Buffer.alloc(0))).toEqual([])
  })

  it('are refused when a value is missing', () => {
    expect(() => decodeAttributes(Buffer.from('\x01a'))).toThrow(ProtocolError)
  })
})

describe('COM_CHANGE_USER', () => {
  const all = Capability.PLUGIN_AUTH | Capability.CONNECT_ATTRS
  const change = {
    username: Buffer.from('app'),
    authResponse: Buffer.alloc(32, 5),
    database: 'shop',
    collation: 0x1234,
    authPlugin: 'caching_sha2_password',
    attributes: Buffer.from('\x01a\x01b'),
  }
  const session = { capabilities: all, mariadbCapabilities: 7, maxPacketSize: 0 }

  it('is read as it was written, and gets the capabilities of its session', () => {
    expect(decodeChangeUser(encodeChangeUser(change, all), all, 7)).toEqual({ ...change, ...session })
  })

  it('takes names given as text and writes them in the character set', () => {
    const payload = encodeChangeUser({ ...change, username: '\u00e9', database: '\u00fc', collation: 8 }, all)
    expect(decodeChangeUser(payload, all)).toMatchObject({
      username: Buffer.of(0xe9),
      database: '\u00fc',
      collation: 8,
    })
  })

  it("may end behind the schema, whose collation is the session's then", () => {
    const payload = Buffer.from('\x11app\0\0sh\xf6p\0', 'latin1')
    expect(decodeChangeUser(payload, all, 7, 8)).toEqual({
      ...session,
      username: Buffer.from('app'),
      authResponse: Buffer.alloc(0),
      database: 'sh\u00f6p',
      collation: 8,
      authPlugin: undefined,
      attributes: undefined,
    })
  })

  it('leaves out what the session did not negotiate', () => {
    const payload = encodeChangeUser(change, 0)
    expect(decodeChangeUser(payload, 0)).toMatchObject({ authPlugin: undefined, attributes: undefined })
  })

  it('that is cut before its schema, or in its attributes, is answered with 1047', () => {
    const payload = encodeChangeUser(change, all)
    const schema = payload.indexOf('shop')
    const ends = [0, 1, 3, 5, 6, 20, schema - 1, payload.length - 1]
    for (const end of ends) {
      const attempt = () => decodeChangeUser(payload.subarray(0, end), all)
      expect(attempt, `${end} bytes`).toThrow(expect.objectContaining({ errno: 1047, sqlState: '08S01' }))
    }
    for (let end = schema + 5; end < payload.length - 5; end++) {
      expect(decodeChangeUser(payload.subarray(0, end), all).database, `${end} bytes`).toBe('shop')
    }
  })

  it('cannot carry an answer of more than 255 bytes', () => {
    expect(() => encodeChangeUser({ ...change, authResponse: Buffer.alloc(256) }, all)).toThrow(RangeError)
  })
})
