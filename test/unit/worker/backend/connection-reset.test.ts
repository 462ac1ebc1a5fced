import { expect, it } from 'vitest'
import { Capability, Command, ServerStatus } from '../../../../protocol/index.js'
import { resetConnection, resetForOthers } from '../../../../src/worker/backend/connection-reset.js'
import { err, ok } from '../answers.js'
import { fakeBackend } from '../fixture.js'

/** Command bytes and texts that were written. */
function sent(socket: { written: Buffer[] }): string[] {
  return socket.written.map((packet) => `${packet[4]} ${packet.toString('latin1', 5)}`.trim())
}

it('a reset brings back what the login has set, switches tracking on again, and forgets what was applied', () => {
  const { backend, socket } = fakeBackend()
  backend.collation = 45
  backend.applied.variables.set('sql_mode', "'ANSI'")
  backend.applied.userVariables.set('a', { sql: '1', reading: '' })
  backend.applied.schema = 'kept'
  resetConnection(backend)
  const [reset, names, tracking] = sent(socket)
  expect(reset).toBe(String(Command.RESET_CONNECTION))
  expect(names).toContain("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'")
  expect(tracking).toContain('session_track')
  expect([backend.applied.variables.size, backend.applied.userVariables.size]).toEqual([0, 0])
  expect(backend.applied.schema).toBe('kept')
})

it('sets COM_SET_OPTION back to what was logged in with, since a reset does not', () => {
  for (const [capabilities, option] of [
    [0, 1],
    [Capability.MULTI_STATEMENTS, 0],
  ]) {
    const { backend, socket } = fakeBackend('primary', { capabilities })
    backend.applied.multiStatements = true
    resetConnection(backend)
    expect([socket.written[1][4], socket.written[1].readUInt16LE(5)]).toEqual([Command.SET_OPTION, option])
  }
})

it('a connection is free when all has been answered', () => {
  const { backend } = fakeBackend()
  let isFree = false
  resetForOthers(backend, () => {
    isFree = true
  })
  expect(backend.state).toBe('syncing')
  for (let left = backend.depth; left > 0; left--) {
    expect(isFree).toBe(false)
    const bytes = ok()
    backend.receive(bytes, bytes.length)
  }
  expect([isFree, backend.state]).toEqual([true, 'idle'])
})

it('a connection that cannot be reset is ended', () => {
  const { backend, socket } = fakeBackend()
  resetForOthers(backend, () => {
    throw new Error('it is not free')
  })
  const refusal = err(1047, 'Unknown command')
  backend.receive(refusal, refusal.length)
  expect([backend.state, socket.destroyed]).toEqual(['closed', true])
})

it('begins with the same statements as a new connection, behind all else, and ends it where one is refused', () => {
  const begin = () => {
    const { backend, socket } = fakeBackend()
    backend.target = { ...backend.target, initConnect: ["SET time_zone = '+03:00'", 'DO 1'] }
    backend.applied.schema = 'kept'
    resetConnection(backend)
    return { backend, socket }
  }
  const { backend, socket } = begin()
  expect(sent(socket).slice(-3)).toEqual([
    expect.stringContaining('kept'),
    expect.stringContaining("SET time_zone = '+03:00'"),
    expect.stringContaining('DO 1'),
  ])
  expect(backend.initConnect).toEqual(backend.target.initConnect)
  while (backend.depth > 0) backend.receive(ok(), ok().length)
  expect(backend.state).toBe('idle')

  const refused = begin()
  const refusal = err(1298, 'Unknown time zone')
  while (refused.backend.depth > 2) refused.backend.receive(ok(), ok().length)
  refused.backend.receive(refusal, refusal.length)
  expect(refused.backend.state).toBe('closed')
})

it('is not used when a statement of its beginning has left a transaction open', () => {
  const { backend } = fakeBackend()
  backend.target = { ...backend.target, initConnect: ['CALL begins()'] }
  resetConnection(backend)
  while (backend.depth > 1) backend.receive(ok(), ok().length)
  const open = ok(ServerStatus.IN_TRANS)
  backend.receive(open, open.length)
  expect(backend.state).toBe('closed')
})
