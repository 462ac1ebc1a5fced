import { describe, expect, it } from 'vitest'
import { findAccount, roleOf } from '../../../../src/control/admin/accounts.js'
import { LoginGuard } from '../../../../src/control/admin/login-guard.js'
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
    expect(['admin', 'ops', 'stats', 'Stats'].map(roleOf)).toEqual(['admin', 'admin', 'stats', 'admin'])
  })

  it.each([
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    [undefined, true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['fe80::1', false],
  ])('see %s as local: %s', (address, local) => {
    expect(isLocal(address)).toBe(local)
  })
})

describe('LoginGuard', () => {
  it('lets a name try ten times within a minute from one address, then makes it wait for the rest of the minute', () => {
    const guard = new LoginGuard()
    for (let attempt = 0; attempt < 10; attempt++) {
      expect(guard.waitMs('a', 'admin', 1000 + attempt)).toBe(0)
      guard.failed('a', 'admin', 1000 + attempt)
    }
    expect(guard.waitMs('a', 'admin', 1010)).toBe(59_990)
    expect(guard.waitMs('b', 'admin', 1010)).toBe(0)
    expect(guard.waitMs('a', 'ops', 1010)).toBe(0)
    expect(guard.waitMs('a', 'admin', 61_000)).toBe(0)
    guard.failed('a', 'admin', 61_000)
    expect(guard.waitMs('a', 'admin', 61_001)).toBe(0)
  })

  it('forgets failures after a success', () => {
    const guard = new LoginGuard()
    for (let attempt = 0; attempt < 9; attempt++) guard.failed('a', 'admin', 0)
    guard.succeeded('a', 'admin')
    guard.failed('a', 'admin', 1)
    expect(guard.waitMs('a', 'admin', 2)).toBe(0)
  })

  it('remembers a bounded number of names', () => {
    const guard = new LoginGuard()
    for (let attempt = 0; attempt < 10; attempt++) guard.failed('a', 'first', 0)
    for (let other = 0; other < 10_000; other++) guard.failed('a', `name ${other}`, 0)
    expect(guard.waitMs('a', 'first', 1)).toBe(0)
  })
})
