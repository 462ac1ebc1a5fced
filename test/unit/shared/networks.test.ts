import { describe, expect, it } from 'vitest'
import { NetworkList, networkProblem, plainAddress } from '../../../src/shared/networks.js'

describe('a list of networks', () => {
  const list = new NetworkList(['10.0.0.0/8', '192.168.7.1', '2001:db8::/32', '::1'])

  it.each(['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '192.168.7.1', '2001:db8:ffff::1', '::1'])(
    'holds %s',
    (address) => {
      expect(list.contains(address)).toBe(true)
    },
  )

  it.each(['11.0.0.0', '9.255.255.255', '192.168.7.2', '2001:db9::1', '::2', '127.0.0.1', '::ffff:11.0.0.1'])(
    'does not hold %s',
    (address) => {
      expect(list.contains(address)).toBe(false)
    },
  )

  it('holds unix sockets by "localhost" or "*" only', () => {
    expect(list.contains(undefined)).toBe(false)
    expect(new NetworkList(['localhost']).contains(undefined)).toBe(true)
    expect(new NetworkList(['localhost']).contains('127.0.0.1')).toBe(false)
    expect(new NetworkList(['*']).contains(undefined)).toBe(true)
    expect(new NetworkList(['*']).contains('203.0.113.9')).toBe(true)
    expect(new NetworkList([]).contains(undefined)).toBe(false)
  })

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', 'db1', '10.0.0.0/-1', 'fe80::1%eth0', '', '127.1'])(
    'is not made of %j',
    (entry) => {
      expect(networkProblem(entry)).toContain('is no address, range, localhost or *')
      expect(() => new NetworkList([entry])).toThrow('is no address')
    },
  )

  it('may have a range of everything', () => {
    expect(new NetworkList(['0.0.0.0/0']).contains('203.0.113.9')).toBe(true)
    expect(new NetworkList(['0.0.0.0/0']).contains('2001:db8::1')).toBe(false)
    expect(new NetworkList(['::/0']).contains('2001:db8::1')).toBe(true)
  })
})

it('an address is written in its shortest family, without its zone', () => {
  expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1')
  expect(plainAddress('fe80::1%eth0')).toBe('fe80::1')
  expect(plainAddress('::ffff:0:1')).toBe('::ffff:0:1')
})
