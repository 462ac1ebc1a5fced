import { expect, it } from 'vitest'
import { Capability } from '../../../../protocol/index.js'
import { profileOf } from '../../../../src/worker/backend/connection-profile.js'
import { LOGIN } from '../pool/pool-fixture.js'

const profile = (more: Partial<typeof LOGIN> = {}, collation = 45, hasSchema = true, ignoresSpace = false) =>
  profileOf({ ...LOGIN, ...more }, collation, hasSchema, ignoresSpace)

it('is the same for logins whose connections can stand in for each other', () => {
  expect(profile({ database: 'other', attributes: Buffer.from('x') })).toBe(profile())
  expect(profile({ capabilities: Capability.CONNECT_ATTRS | Capability.SESSION_TRACK })).toBe(profile())
  expect(profile({ password: Buffer.from('app') })).toBe(profile())
})

it.each([
  ['account', profile({ username: 'other' })],
  ['password', profile({ password: 'other' })],
  ['password known by its hash', profile({ nativeStage1: Buffer.from('app') })],
  ['capability', profile({ capabilities: Capability.DEPRECATE_EOF })],
  ['extended capability', profile({ mariadbCapabilities: 4 })],
  ['collation', profile({}, 8)],
  ['schema or none', profile({}, 45, false)],
  ['IGNORE_SPACE', profile({}, 45, true, true)],
])('is another one for another %s', (_what, other) => {
  expect(other).not.toBe(profile())
})

it('does not hold the password', () => {
  expect(profile({ password: 'correct horse' })).not.toContain('correct horse')
})
