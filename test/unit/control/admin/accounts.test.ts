import { describe, expect, it } from 'vitest'
import { findAccount, roleOf, throttleKey } from '../../../../src/control/admin/accounts.js'
import { isLocal } from '../../../../src/control/admin/peer.js'

const USERS = { admin: 'admin', stats: 'changed', ops: 'secret', open: '' }

describe('accounts', () => {
  it('with a default password are there for this machine only', () => {
    expect(findAccount(USERS, 'admin', true)?.secret).toEqual({ kind: 'clear', password: 'admin' })
    expect(findAccount(USERS, 'admin', false)).toBeNull()
    expect(findAccount(USERS, 'stats', false)?.name).toBe('stats')
    expect(findAccount(USERS, 'ops', false)?.name).toBe('ops')
  })

  it('are those of the configuration and no names of JavaScript', () => {
    for (const name of ['nobody', 'toString', '__proto__', '']) expect(findAccount(USERS, name, true)).toBeNull()
    expect(findAccount(USERS, 'open', true)?.secret).toEqual({ kind: 'none' })
  })

  it('administer, but for stats', () => {
    expect(['admin', 'ops', 'stats', 'Stats'].map((name) => roleOf(name, { statsUsers: ['stats'] }))).toEqual([
      'admin',
      'admin',
      'stats',
      'admin',
    ])
  })

  it.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['localhost', true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['fe80::1', false],
  ])('see %s as local: %s', (address, local) => {
    expect(isLocal(address)).toBe(local)
  })
})

describe('the key of the login throttle', () => {
  it('is of one name at one address', () => {
    const keys = [throttleKey('a', 'admin'), throttleKey('b', 'admin'), throttleKey('a', 'ops'), throttleKey('a', '')]
    expect(new Set(keys).size).toBe(keys.length)
  })
})
