import { describe, expect, it } from 'vitest'
import { isOpen, NEXT } from '../../../src/worker/backend/backend-state.js'
import { NEXT_PHASE } from '../../../src/worker/session/session-phase.js'
import { fakeBackend } from './fixture.js'

const TABLES: readonly [string, Readonly<Record<string, readonly string[]>>, string][] = [
  ['session phases', NEXT_PHASE, 'admitting'],
  ['backend states', NEXT, 'connecting'],
]

describe.each(TABLES)('%s', (_name, table, first) => {
  it('names only states that exist', () => {
    const states = Object.keys(table)
    for (const next of Object.values(table).flat()) expect(states).toContain(next)
  })

  it('every state can be reached from the first one, and the end from every state', () => {
    const reached = new Set([first])
    for (const state of reached) for (const next of table[state]) reached.add(next)
    expect([...reached].sort()).toEqual(Object.keys(table).sort())
    for (const [state, next] of Object.entries(table)) if (state !== 'closed') expect(next).toContain('closed')
  })

  it('closed is final', () => {
    expect(table['closed']).toEqual([])
  })
})

describe('a backend', () => {
  it('refuses a move that the table does not have', () => {
    const { backend } = fakeBackend()
    expect(() => backend.move('auth')).toThrow(/idle -> auth/)
    backend.move('busy')
    expect(backend.state).toBe('busy')
  })

  it('counts as in use between login and end', () => {
    const open = Object.keys(NEXT).filter((state) => isOpen(state as keyof typeof NEXT))
    expect(open).toEqual(['idle', 'syncing', 'busy'])
  })
})
