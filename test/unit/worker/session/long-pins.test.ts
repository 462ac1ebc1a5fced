import { describe, expect, it } from 'vitest'
import { monotonicMs } from '../../../../src/shared/clock.js'
import { newLongPin } from '../../../../src/worker/session/long-pins.js'
import type { Session } from '../../../../src/worker/session/session.js'
import { Hold, Pin, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { fakeBackend, USER } from '../fixture.js'

const LIMIT_MS = 60_000

function fixture() {
  const facts = new SessionFacts(USER)
  const session = { id: 7, user: 'app', execution: { facts } } as unknown as Session
  const longAgo = () => newLongPin(session, facts.keptSince + LIMIT_MS + 1, LIMIT_MS)
  return { facts, session, longAgo, backend: fakeBackend().backend }
}

describe('a connection that is kept from others for long', () => {
  it('is told once, with all that keeps it', () => {
    const { facts, session, longAgo, backend } = fixture()
    facts.addPin(Pin.temporaryTable, backend)
    facts.addHold(Hold.preparedText, backend)
    expect(newLongPin(session, facts.keptSince + LIMIT_MS, LIMIT_MS)).toBeNull()
    expect(longAgo()).toEqual({
      sessionId: 7,
      user: 'app',
      server: 'primary:3306',
      causes: ['temporary table', 'PREPARE'],
      keptMs: LIMIT_MS + 1,
    })
    expect(longAgo()).toBeNull()
  })

  it('is told again when it was given back in between, and counts from then', () => {
    const { facts, longAgo, backend } = fixture()
    facts.addPin(Pin.transaction, backend)
    expect(longAgo()).not.toBeNull()
    facts.removePin(Pin.transaction)
    const before = monotonicMs()
    facts.addPin(Pin.transaction, backend)
    expect(facts.keptSince).toBeGreaterThanOrEqual(before)
    expect(longAgo()?.causes).toEqual(['transaction'])
  })

  it('counts from the first of several causes', () => {
    const { facts, backend } = fixture()
    facts.addHold(Hold.handler, backend)
    const { keptSince } = facts
    facts.addPin(Pin.transaction, backend)
    facts.removeHold(Hold.handler)
    facts.addPin(Pin.lockTables, backend)
    expect(facts.keptSince).toBe(keptSince)
  })

  it.each([
    [
      'a login whose password nobody else knows',
      (facts: SessionFacts) => facts.addPin(Pin.authentication, fakeBackend().backend),
    ],
    ['a reader of the binary log', (facts: SessionFacts) => facts.addPin(Pin.replication, fakeBackend().backend)],
    ['an id that the client knows', (facts: SessionFacts) => facts.addHold(Hold.connectionId, fakeBackend().backend)],
  ])('is not told for %s, which lasts as long as the session', (_name, keep) => {
    const { facts, longAgo } = fixture()
    keep(facts)
    expect(longAgo()).toBeNull()
  })
})
