import { beforeEach, describe, expect, it } from 'vitest'
import { Capability, Command } from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import type { Snapshot } from '../../../../src/shared/snapshot.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import type { BackendLogin } from '../../../../src/worker/backend/backend-login.js'
import type { WorkerContext } from '../../../../src/worker/context.js'
import { SessionBackends, SyncError } from '../../../../src/worker/pool/session-backends.js'
import type { Candidate } from '../../../../src/worker/routing/topology-view.js'
import { Keep } from '../../../../src/worker/state/residue.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { err } from '../answers.js'
import { fakeBackend, serverEntry } from '../fixture.js'
import { FakeHolder, LOGIN, PoolWorld, WAIT_MS } from './pool-fixture.js'

const DIRTY = () => true
const CLEAN = () => false

let world: PoolWorld
let counters: ReturnType<typeof newGlobalCounters>

beforeEach(() => {
  world = new PoolWorld()
  counters = newGlobalCounters()
})

/** A session with its connections. */
function session({ schema = 'shop', multiplex = true, login = {} as Partial<BackendLogin> } = {}) {
  const { view, pool } = world
  const context = { view, pool, counters, log: { warn: () => {} } } as unknown as WorkerContext
  const state = new SessionState(schema)
  const holder = new FakeHolder()
  const backends = new SessionBackends(context, { ...LOGIN, ...login }, state, holder, multiplex)
  const open = async (candidate: Candidate = world.primary): Promise<Backend> => {
    const backend = await backends.obtain(candidate, 1000, WAIT_MS, () => true)
    // A login has set both.
    backend.applied.schema = state.schema
    backend.collation = state.collation
    backend.ignoresSpace = (backends.login.capabilities & Capability.IGNORE_SPACE) !== 0
    return backend
  }
  return { backends, state, holder, open }
}

function update(more: Partial<Snapshot>): void {
  world.view.applySnapshot({ ...world.view.snapshot, version: world.view.snapshot.version + 1, ...more })
}

/** Commands that have been written to a connection, as text behind the command byte. */
function sent(backend: Backend): string[] {
  return world.sockets.get(backend)!.written.map((packet) => `${packet[4]} ${packet.toString('latin1', 5)}`.trim())
}

/** The server answers with OK, or the given bytes first, until `done`. */
async function answering(backend: Backend, done: Promise<void>, ...first: Buffer[]): Promise<void> {
  let isDone = false
  const ended = done.finally(() => {
    isDone = true
  })
  ended.catch(() => {})
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve))
    const bytes = backend.depth > 0 ? first.shift() : undefined
    if (bytes === undefined) world.answer(backend)
    else backend.receive(bytes, bytes.length)
  }
  await ended
}

describe("a session's connections", () => {
  it('are one for each server, found again until they are let go', async () => {
    const { backends, open } = session()
    expect([backends.get(world.primary, false), backends.size, [...backends.all]]).toEqual([null, 0, []])
    const primary = await open()
    const replica = await open(world.view.online(1)[0])
    expect(backends.get(world.primary, false)).toBe(primary)
    expect([...backends.all]).toEqual([primary, replica])
    expect([backends.own(0), backends.own(7)]).toEqual([primary, replica])
    backends.forget(primary)
    expect([backends.has(primary), backends.has(replica)]).toEqual([false, true])
    backends.releaseOthers(replica, CLEAN)
    expect([backends.size, replica.state]).toEqual([1, 'idle'])
  })

  it('are no more when they are about to be closed', async () => {
    const { backends, open } = session()
    const backend = await open()
    backend.move('closing')
    expect(backends.get(world.primary, false)).toBeNull()
    expect(backends.size).toBe(0)
  })

  it('are let go where they have a schema and the session has none any more', async () => {
    const { backends, state, open } = session()
    const backend = await open()
    state.setSchema('')
    expect(backends.get(world.primary, false)).toBeNull()
    expect([backends.size, backend.shelf === null]).toEqual([0, false])
  })

  it('go to those who wait for one, unless the session asks for what its last statement left', async () => {
    world.share = 1
    const { backends, holder, open } = session()
    const backend = await open()
    backends.rest(backend, Keep.diagnostics)
    const waiting = session().backends.obtain(world.primary, 1000, WAIT_MS, () => true)
    expect(backends.get(world.primary, true)).toBe(backend)
    expect(backends.get(world.primary, false)).toBeNull()
    expect(await waiting).toBe(backend)
    expect(holder.taken).toEqual([backend])
  })

  it('follow their server into another hostgroup', async () => {
    const { backends, open } = session()
    const backend = await open()
    update({ servers: [serverEntry('primary', 1), serverEntry('replica', 0)] })
    const moved = world.view.online(1).find(({ entry }) => entry.id === backend.target.id)!
    expect(backends.get(moved, false)).toBe(backend)
    expect(backend.target.hostgroup).toBe(1)
  })

  it('cannot be opened where nobody but the client knows the password', async () => {
    const { open } = session({ login: { withoutPassword: true } })
    await expect(open()).rejects.toMatchObject({ code: 'password-unknown', errno: 1045 })
  })
})

describe('a connection that rests', () => {
  it('is found by another session of the account, which gets what is different', async () => {
    const [first, second] = [session(), session()]
    const backend = await first.open()
    first.backends.rest(backend, Keep.nothing)
    second.state.setVariable('time_zone', '+03:00')
    expect(second.backends.take(world.primary)).toBe(backend)
    expect(counters.backendConnectionsShared).toBe(1)
    expect(second.backends.isCurrent(backend)).toBe(false)
    await answering(backend, second.backends.sync(backend))
    expect(sent(backend)).toEqual([`${Command.QUERY} SET SESSION time_zone = '+03:00'`])
    expect(second.backends.isCurrent(backend)).toBe(true)
  })

  it('needs nothing where nothing is different', async () => {
    const [first, second] = [session(), session()]
    const backend = await first.open()
    first.backends.rest(backend, Keep.nothing)
    second.backends.take(world.primary)
    expect(second.backends.isCurrent(backend)).toBe(true)
  })

  it('is reset where it has more than is wanted', async () => {
    const [first, second] = [session(), session()]
    first.state.setUserVariable('secret', { sql: '1', reading: '' })
    const backend = await first.open()
    await answering(backend, first.backends.sync(backend))
    first.backends.rest(backend, Keep.nothing)
    second.backends.take(world.primary)
    await answering(backend, second.backends.sync(backend))
    expect(sent(backend)).toContain(String(Command.RESET_CONNECTION))
    expect(counters.backendConnectionsReset).toBe(1)
    expect(second.backends.isCurrent(backend)).toBe(true)
  })

  it.each<[string, Parameters<typeof session>[0]]>([
    ['another account', { login: { username: 'other' } }],
    ['another password', { login: { password: 'other' } }],
    ['other capabilities', { login: { capabilities: Capability.MULTI_STATEMENTS } }],
    ['CLIENT_IGNORE_SPACE', { login: { capabilities: Capability.IGNORE_SPACE } }],
    ['no schema', { schema: '' }],
    ['an account that shares nothing', { multiplex: false }],
  ])('is not given to a session with %s', async (_name, options) => {
    const first = session()
    first.backends.rest(await first.open(), Keep.nothing)
    expect(session(options).backends.take(world.primary)).toBeNull()
  })

  it('may have lost CLIENT_IGNORE_SPACE with its session', async () => {
    const first = session({ login: { capabilities: Capability.IGNORE_SPACE } })
    const backend = await first.open()
    backend.ignoresSpace = false
    first.backends.rest(backend, Keep.nothing)
    expect(session({ login: { capabilities: Capability.IGNORE_SPACE } }).backends.take(world.primary)).toBeNull()
    const second = session({ login: { capabilities: Capability.IGNORE_SPACE } })
    second.backends.leaveIgnoreSpace()
    expect(second.backends.take(world.primary)).toBe(backend)
  })

  it.each<[string, () => void]>([
    ['multiplexing is off', () => update({ multiplexing: false })],
    ['it is off for the hostgroup', () => update({ exclusiveHostgroups: [0] })],
    [
      'the server is told the address of each client',
      () => update({ servers: [serverEntry('primary', 0, { proxyProtocol: 'v2' }), serverEntry('replica', 1)] }),
    ],
  ])('is for its session alone where %s', async (_name, change) => {
    change()
    const first = session()
    const backend = await first.open()
    first.backends.rest(backend, Keep.nothing)
    expect(backend.shelf).toBeNull()
    expect(session().backends.take(world.primary)).toBeNull()
  })

  it('is left by its session for others, but not with what they must not see', async () => {
    const [first, second, third] = [session(), session(), session()]
    const backend = await first.open()
    first.backends.releaseAll(CLEAN)
    expect(first.backends.size).toBe(0)
    expect(second.backends.take(world.primary)).toBe(backend)
    second.backends.releaseAll(DIRTY)
    // It is being reset meanwhile.
    expect(third.backends.take(world.primary)).toBeNull()
    world.answer(backend)
    expect(third.backends.take(world.primary)).toBe(backend)
    expect(sent(backend)).toContain(String(Command.RESET_CONNECTION))
  })
})

describe("a session's state", () => {
  it('that a server refuses is told with its error, and the connection stays', async () => {
    const { backends, state, open } = session()
    const backend = await open()
    state.setSchema('dropped')
    const done = answering(backend, backends.sync(backend), err(1049, "Unknown database 'dropped'"))
    const refused = await done.catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(SyncError)
    expect((refused as SyncError).err.errno).toBe(1049)
    expect((refused as SyncError).message).toContain(backend.target.id)
    expect([backend.state, backends.isCurrent(backend)]).toEqual(['idle', false])
  })

  it('is schema, COM_SET_OPTION and variables, in this order; what is not tracked any more is asked for first', async () => {
    const { backends, state, open } = session()
    const backend = await open()
    backend.applied.untracked = true
    state.setSchema('other')
    state.setMultiStatements(false)
    state.setVariable('sql_safe_updates', '1')
    await answering(backend, backends.sync(backend))
    const [tracking, ...rest] = sent(backend)
    expect(tracking).toContain('session_track')
    expect(rest).toEqual([
      `${Command.INIT_DB} other`,
      `${Command.SET_OPTION} \x01\0`,
      `${Command.QUERY} SET SESSION sql_safe_updates = 1`,
    ])
    expect([backend.applied.untracked, backends.isCurrent(backend)]).toEqual([false, true])
  })
})

it('a connection that its client has logged in itself is never shared', () => {
  const { backends } = session({ login: { withoutPassword: true } })
  const { backend } = fakeBackend('primary')
  backends.adopt(world.primary, backend)
  expect(backends.get(world.primary, false)).toBe(backend)
  backends.rest(backend, Keep.nothing)
  expect(backend.shelf).toBeNull()
  expect(world.gauges().used).toBe(1)
})

describe('where connections begin with statements of their own (init_connect)', () => {
  const begins = (...initConnect: string[]) => update({ initConnect })

  it('a connection that began with others is reset before another session uses it', async () => {
    const [one, two] = [session(), session()]
    const backend = await one.open()
    one.backends.releaseAll(CLEAN)
    begins('DO 1')
    expect(two.backends.take(world.primary)).toBe(backend)
    expect(two.backends.isCurrent(backend)).toBe(false)
    await answering(backend, two.backends.sync(backend))
    expect(sent(backend)[0]).toBe(String(Command.RESET_CONNECTION))
    expect(sent(backend).at(-1)).toContain('DO 1')
    expect(counters.backendConnectionsReset).toBe(1)
  })

  it('a session’s own connection is closed for one that begins as it should, but where it holds or asks for something', async () => {
    const one = session()
    const backend = await one.open()
    begins('DO 1')
    // It does not rest: an XA transaction, a text that was prepared, or what else is known to it alone.
    expect(one.backends.get(world.primary, false)).toBe(backend)
    one.backends.rest(backend, Keep.nothing)
    begins('DO 2')
    expect(one.backends.get(world.primary, true)).toBe(backend)
    begins('DO 3')
    expect(one.backends.get(world.primary, false)).toBeNull()
    expect(backend.state).toBe('closing')
    expect(one.holder.taken).toEqual([backend])
  })

  it('stays as it is where they are the same', async () => {
    const one = session()
    const backend = await one.open()
    backend.initConnect = ['DO 1']
    begins('DO 1')
    expect(one.backends.get(world.primary, false)).toBe(backend)
  })
})
