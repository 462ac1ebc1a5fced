import { describe, expect, it } from 'vitest'
import { Capability, decodeAttributes, encodeAttributes } from '../../../../protocol/index.js'
import { backendLogin } from '../../../../src/worker/backend/backend-login.js'

const FACTS = {
  capabilities: Capability.PROTOCOL_41 | Capability.DEPRECATE_EOF | Capability.FOUND_ROWS,
  mariadbCapabilities: 4,
  database: 'shop',
  collation: 45,
  attributes: undefined as Buffer | undefined,
  client: null,
}
const CREDENTIALS = { username: 'inside', password: 'secret' }

describe("the login of a session's connections", () => {
  it('is what the client negotiated, but for what is between the client and Sluice alone', () => {
    const mine =
      Capability.SSL | Capability.COMPRESS | Capability.ZSTD_COMPRESSION_ALGORITHM | Capability.CONNECT_WITH_DB
    const login = backendLogin(CREDENTIALS, 'app', { ...FACTS, capabilities: FACTS.capabilities | mine })
    expect(login).toMatchObject({
      username: 'inside',
      password: 'secret',
      capabilities: FACTS.capabilities,
      mariadbCapabilities: 4,
      database: 'shop',
      collation: 45,
      withoutPassword: false,
    })
  })

  it("has the client's connection attributes, and Sluice's own behind them", () => {
    const attributes = encodeAttributes([
      ['_client_name', 'libmysql'],
      ['program_name', 'shop'],
    ])
    const pairs = decodeAttributes(backendLogin(CREDENTIALS, 'app', { ...FACTS, attributes }).attributes!)
    expect(pairs.slice(0, 2)).toEqual([
      ['_client_name', 'libmysql'],
      ['program_name', 'shop'],
    ])
    expect(Object.fromEntries(pairs.slice(2))).toEqual({
      _proxy_name: 'sluice',
      _proxy_version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
  })

  it('has none where the client has none, and leaves its own out where a server would take no more', () => {
    expect(backendLogin(CREDENTIALS, 'app', FACTS).attributes).toBeUndefined()
    const attributes = encodeAttributes([['a', 'x'.repeat(65_500)]])
    expect(backendLogin(CREDENTIALS, 'app', { ...FACTS, attributes }).attributes).toBe(attributes)
  })

  it('says so when only the client could answer a server', () => {
    expect(backendLogin(null, 'app', FACTS)).toMatchObject({ username: 'app', password: '', withoutPassword: true })
  })
})
