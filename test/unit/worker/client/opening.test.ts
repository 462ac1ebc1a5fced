import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { encodeProxyHeader, type ProxyEndpoints } from '../../../../protocol/index.js'
import { addressOf } from '../../../../src/worker/client/client-address.js'
import { Opening } from '../../../../src/worker/client/opening.js'

const BALANCER = addressOf({
  remoteAddress: '::ffff:10.0.0.7',
  remotePort: 40_000,
  localAddress: '::ffff:10.0.0.1',
  localPort: 6033,
} as Socket)
const CLIENT: ProxyEndpoints = {
  family: 'tcp4',
  sourceAddress: '203.0.113.9',
  sourcePort: 51_234,
  destinationAddress: '198.51.100.1',
  destinationPort: 3306,
}
/** Header of a handshake response: its number is 1. */
const LOGIN = Buffer.from([0x50, 0x00, 0x00, 0x01, 0x8d, 0xa2])

describe('the first bytes of a connection', () => {
  it.each([1, 2] as const)('name the client in a PROXY header of version %i, however they are cut', (version) => {
    const bytes = Buffer.concat([encodeProxyHeader(version, CLIENT), LOGIN])
    for (let cut = 1; cut < bytes.length; cut++) {
      const opening = new Opening(BALANCER, true)
      const first = opening.take(bytes.subarray(0, cut))
      const login = first === null ? opening.take(bytes.subarray(cut)) : Buffer.concat([first, bytes.subarray(cut)])
      expect(login, `cut at ${cut}`).toEqual(LOGIN)
      expect(opening.client).toEqual({ host: '203.0.113.9', port: 51_234, local: false, endpoints: CLIENT })
    }
  })

  it('leave the address as it is without a header, or with one that names none', () => {
    const plain = new Opening(BALANCER, true)
    expect(plain.take(LOGIN)).toEqual(LOGIN)
    expect(plain.client).toBe(BALANCER)
    const local = new Opening(BALANCER, true)
    expect(local.take(encodeProxyHeader(2, null))).toEqual(Buffer.alloc(0))
    expect(local.client).toBe(BALANCER)
    expect(BALANCER).toMatchObject({ host: '10.0.0.7', port: 40_000 })
  })

  it('must be no header where nobody is trusted with one; the error names the address and the setting', () => {
    const opening = new Opening(BALANCER, false)
    expect(() => opening.take(encodeProxyHeader(1, CLIENT))).toThrow(
      "sluice: Host '10.0.0.7' sent a PROXY protocol header and is not in proxy_protocol_networks",
    )
    expect(new Opening(BALANCER, false).take(LOGIN)).toEqual(LOGIN)
  })
})

describe('the address of a client', () => {
  it('is that of its socket, in the family that it has, and "localhost" for a unix socket', () => {
    expect(BALANCER.endpoints).toEqual({
      family: 'tcp4',
      sourceAddress: '10.0.0.7',
      sourcePort: 40_000,
      destinationAddress: '10.0.0.1',
      destinationPort: 6033,
    })
    expect(addressOf({} as Socket)).toEqual({ host: 'localhost', port: 0, local: true, endpoints: null })
    const v6 = addressOf({
      remoteAddress: 'fe80::9%eth0',
      remotePort: 1,
      localAddress: 'fe80::1%eth0',
      localPort: 2,
    } as Socket)
    expect(v6.endpoints).toMatchObject({ family: 'tcp6', sourceAddress: 'fe80::9', destinationAddress: 'fe80::1' })
  })
})
