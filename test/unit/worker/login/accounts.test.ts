import { describe, expect, it } from 'vitest'
import { AuthPlugin, nativeHash } from '../../../../protocol/index.js'
import type { Snapshot, UserEntry } from '../../../../src/shared/snapshot.js'
import { type AccountQuestion, passThroughUser, planLogin } from '../../../../src/worker/login/accounts.js'
import type { Verifier } from '../../../../src/worker/login/verifiers.js'
import { snapshotOf } from '../fixture.js'

const HASH = nativeHash('secret')
const SHA2_HASH = `$A$005$${'x'.repeat(63)}`
const DIGEST = Buffer.alloc(32, 7)

function user(overrides: Partial<UserEntry> = {}): UserEntry {
  return { ...passThroughUser('app', 0), password: 'secret', ...overrides }
}

function verifier(overrides: Partial<Verifier> = {}): Verifier {
  const credentials = { username: 'app', password: Buffer.from('secret') }
  return { digest: DIGEST, credentials, hash: null, confirmedAt: 0, ...overrides }
}

function plan(overrides: Partial<AccountQuestion>, snapshot: Partial<Snapshot> = {}) {
  return planLogin({
    snapshot: { ...snapshotOf([], { passThrough: { defaultHostgroup: 5, recheckMs: 1000 } }), ...snapshot },
    user: null,
    username: 'app',
    response: { authPlugin: AuthPlugin.CACHING_SHA2 },
    secure: false,
    tls: false,
    changesUser: false,
    verifier: null,
    ...overrides,
  })
}

const mariadb = { greeting: { ...snapshotOf([]).greeting, flavor: 'mariadb' as const } }
const native = { response: { authPlugin: AuthPlugin.NATIVE } }

describe('a configured user', () => {
  it('is judged by its password, with which the servers are logged in to as well', () => {
    expect(plan({ user: user() })).toMatchObject({
      secret: { kind: 'clear', password: 'secret' },
      passThrough: false,
      credentials: { username: 'app', password: 'secret' },
    })
  })

  it('without a password logs in with none', () => {
    expect(plan({ user: user({ password: '' }) })?.secret).toEqual({ kind: 'none' })
  })

  it('with a hash is judged by it, and what its login reveals logs in to the servers', () => {
    expect(plan({ user: user({ password: '', passwordHash: HASH }) })).toMatchObject({
      secret: { kind: 'native_hash', hash: HASH },
      credentials: null,
    })
  })

  it('has the fast exchange of caching_sha2_password as soon as its password was seen, as long as its hash stays', () => {
    const hashed = user({ password: '', passwordHash: SHA2_HASH })
    expect(plan({ user: hashed, verifier: verifier({ hash: SHA2_HASH }) })?.secret).toMatchObject({ digest: DIGEST })
    expect(plan({ user: hashed, verifier: verifier({ hash: HASH }) })).toMatchObject({
      secret: { kind: 'sha2_hash', hash: SHA2_HASH, digest: undefined },
      credentials: null,
    })
  })

  it('may be somebody else towards the servers', () => {
    const outside = user({ backendUser: 'inside', backendPassword: 'other' })
    expect(plan({ user: outside })?.credentials).toEqual({ username: 'inside', password: 'other' })
  })

  it('that needs TLS is nobody without it', () => {
    expect(plan({ user: user({ useSsl: true }) })).toBeNull()
    expect(plan({ user: user({ useSsl: true }), secure: true, tls: true })).not.toBeNull()
  })
})

describe('an account that is not configured', () => {
  it('is nobody where pass-through is off, and without a name', () => {
    expect(plan({}, { passThrough: null })).toBeNull()
    expect(plan({ username: '' })).toBeNull()
  })

  it('is judged by the servers, and belongs to the hostgroup of pass-through', () => {
    expect(plan({})).toMatchObject({
      user: { name: 'app', defaultHostgroup: 5 },
      secret: { kind: 'external', digest: undefined, nativeHashes: undefined },
      passThrough: true,
      credentials: null,
    })
  })

  it('has the fast exchange once its password was seen', () => {
    expect(plan({ verifier: verifier() })).toMatchObject({
      secret: { kind: 'external', digest: DIGEST },
      credentials: { username: 'app' },
    })
  })

  it('of a MariaDB is asked by the primary itself where it cannot show its password', () => {
    expect(plan({ ...native }, mariadb)?.secret).toBe('relay')
    expect(plan({ response: {} }, mariadb)?.secret).toBe('relay')
  })

  it('of a MariaDB shows its password when it becomes somebody else: libraries answer no other challenge then', () => {
    expect(plan({ ...native, changesUser: true }, mariadb)?.secret).toMatchObject({ kind: 'external' })
  })

  it('of a MariaDB shows its password where nobody can listen, or where it names the plugin for that', () => {
    expect(plan({ ...native, secure: true }, mariadb)?.secret).toMatchObject({ kind: 'external' })
    expect(plan({}, mariadb)?.secret).toMatchObject({ kind: 'external' })
  })

  it('whose hash the monitor may read is judged by that', () => {
    const known = { ...mariadb, nativeHashes: { app: [HASH] } }
    expect(plan({ ...native }, known)?.secret).toEqual({ kind: 'external', digest: undefined, nativeHashes: [HASH] })
  })

  it('whose name is that of a property of every object is no exception', () => {
    expect(plan({ ...native, username: 'constructor' }, mariadb)?.secret).toBe('relay')
  })
})
