import { describe, expect, it } from 'vitest'
import type { ServerLoginResult } from '../../../../protocol/index.js'
import { passThroughUser } from '../../../../src/worker/login/accounts.js'
import { configuredCredentials, revealedBy, sameCredentials } from '../../../../src/worker/login/credentials.js'

const user = passThroughUser('app', 0)
const stage1 = (fill: number) => Buffer.alloc(20, fill)

describe('with what the servers are logged in to', () => {
  it('is what the configuration says, its password for servers before its password for clients', () => {
    expect(configuredCredentials({ ...user, password: 'p' })).toEqual({ username: 'app', password: 'p' })
    expect(configuredCredentials({ ...user, password: 'p', backendUser: 'b', backendPassword: 'q' })).toEqual({
      username: 'b',
      password: 'q',
    })
    expect(configuredCredentials({ ...user, password: 'p', backendPassword: 'q' })).toEqual({
      username: 'app',
      password: 'q',
    })
  })

  it('is not known of a user with a hash, unless the servers have another password', () => {
    expect(configuredCredentials({ ...user, passwordHash: '*00' })).toBeNull()
    expect(configuredCredentials({ ...user, passwordHash: '*00', backendPassword: 'q' })).toMatchObject({
      password: 'q',
    })
  })

  it('is what a login has shown: the password, or SHA1 of it, or nothing', () => {
    const login = (more: Partial<ServerLoginResult>) => revealedBy(more as ServerLoginResult, 'app')
    expect(login({ password: Buffer.from('p') })).toEqual({ username: 'app', password: Buffer.from('p') })
    expect(login({ nativeStage1: stage1(1) })).toEqual({ username: 'app', password: '', nativeStage1: stage1(1) })
    expect(login({})).toBeNull()
  })

  it('is the same when it would be sent the same', () => {
    const clear = { username: 'app', password: 'p' }
    expect(sameCredentials(clear, { username: 'app', password: Buffer.from('p') })).toBe(true)
    expect(sameCredentials(clear, { username: 'app', password: 'q' })).toBe(false)
    expect(sameCredentials(clear, { username: 'b', password: 'p' })).toBe(false)
    const native = { username: 'app', password: '', nativeStage1: stage1(1) }
    expect(sameCredentials(native, { ...native, nativeStage1: stage1(1) })).toBe(true)
    expect(sameCredentials(native, { ...native, nativeStage1: stage1(2) })).toBe(false)
    expect(sameCredentials(native, { username: 'app', password: '' })).toBe(false)
  })
})
