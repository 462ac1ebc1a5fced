import { expect, it } from 'vitest'
import { Capability, Command } from '../../../../protocol/index.js'
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
  backend.applied.userVariables.set('a', '1')
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
