import { describe, expect, it } from 'vitest'
import type { Level, Operation, Read, Write } from './history.js'
import { describeViolation, verify } from './verifier.js'

const R = 1

/** Operations one after the other, each from `at` to `at + 1` unless told. */
function wrote(at: number, version: number, more: Partial<Write> = {}): Write {
  const common = { session: 1, token: null, begin: at, end: at + 1 }
  return { kind: 'write', ...common, register: R, version, acknowledged: true, ...more }
}

function read(at: number, version: number, more: Partial<Read> = {}): Read {
  const common = { session: 1, token: null, begin: at, end: at + 1 }
  return { kind: 'read', ...common, level: 'session', values: [[R, version]], server: 3306, ...more }
}

function found(...history: Operation[]): string[] {
  return verify(history).map(({ guarantee, scope }) => `${guarantee} (${scope})`)
}

describe('the verifier of histories', () => {
  it('accepts a session that sees its writes and never less than before', () => {
    expect(found(read(0, 0), wrote(2, 1), read(4, 1), read(6, 7), wrote(8, 8), read(10, 8), read(12, 9))).toEqual([])
  })

  it('finds a read that does not show the session its own write', () => {
    expect(found(wrote(0, 5), read(2, 4))).toEqual(['read-your-writes (session)'])
  })

  it('finds a read of a row that the session has written and that is not there', () => {
    expect(found(wrote(0, 5), read(2, -1))).toEqual(['read-your-writes (session)'])
  })

  it('finds a read that shows less than the session has seen, though it wrote nothing', () => {
    expect(found(read(0, 5), read(2, 4))).toEqual(['monotonic-reads (session)'])
    expect(found(read(0, 5), read(2, 6), read(4, 5))).toEqual(['monotonic-reads (session)'])
  })

  it('judges each register of a read by itself', () => {
    const both = read(4, 0, {
      values: [
        [R, 5],
        [2, 8],
      ],
    })
    expect(found(wrote(0, 5), wrote(2, 9, { register: 2 }), both)).toEqual(['read-your-writes (session)'])
  })

  it('says nothing of other sessions without a token', () => {
    expect(found(wrote(0, 5, { session: 2 }), read(2, 4), read(4, 6, { session: 2 }), read(6, 4))).toEqual([])
  })

  it('finds a read under a token that does not show what another session wrote under it', () => {
    const token = 'user-42'
    expect(found(wrote(0, 5, { session: 2, token }), read(2, 4, { token }))).toEqual(['read-your-writes (token)'])
    expect(found(wrote(0, 5, { session: 2, token }), read(2, 4, { token: 'user-43' }))).toEqual([])
    expect(found(wrote(0, 5, { session: 2, token }), read(2, 4))).toEqual([])
  })

  it('finds a read under a token that shows less than another session has seen under it', () => {
    const token = 'user-42'
    expect(found(read(0, 5, { session: 2, token }), read(2, 4, { token }))).toEqual(['monotonic-reads (token)'])
  })

  it('expects nothing of a read that had begun when the other operation ended', () => {
    const token = 'user-42'
    const write = wrote(0, 5, { session: 2, token, end: 10 })
    expect(found(write, read(9, 4, { token }))).toEqual([])
    expect(found(write, read(10, 4, { token }))).toEqual([])
    expect(found(write, read(10.001, 4, { token }))).toEqual(['read-your-writes (token)'])
  })

  it('expects nothing of a write whose outcome is unknown, whether it happened or not', () => {
    const unknown = wrote(0, 5, { acknowledged: false })
    expect(found(unknown, read(2, 4), read(4, 5))).toEqual([])
    // Once seen, it stays.
    expect(found(unknown, read(2, 5), read(4, 4))).toEqual(['monotonic-reads (session)'])
  })

  it('says of a read whether its server had not acknowledged yet what another one showed', () => {
    const early = read(2, 5, { values: [[R, 5, 3306]], server: 3307 })
    const write = wrote(0, 5, { session: 2, end: 6 })
    const told = (late: Read) =>
      verify([write, early, late]).map(({ guarantee, shownEarly }) => [guarantee, shownEarly])
    expect(told(read(4, 4))).toEqual([['monotonic-reads', true]])
    expect(told(read(7, 4))).toEqual([['monotonic-reads', false]])
    expect(told(read(4, 4, { server: 3308 }))).toEqual([['monotonic-reads', false]])
  })

  it('expects nothing of an eventual read, and nothing follows from it', () => {
    const level: Level = 'eventual'
    expect(found(wrote(0, 5), read(2, 4, { level }))).toEqual([])
    expect(found(read(0, 5, { level }), read(2, 4))).toEqual([])
    expect(found(wrote(0, 5), read(2, 4, { level }), read(4, 4))).toEqual(['read-your-writes (session)'])
  })

  it('expects of a strong read what it expects of any', () => {
    expect(found(wrote(0, 5), read(2, 4, { level: 'strong' }))).toEqual(['read-your-writes (session)'])
  })

  it('finds a read that does not show what others had written before its session began, or before it began itself', () => {
    const write = wrote(0, 5, { session: 2 })
    expect(found(write, read(4, 4, { sees: 2 }))).toEqual(['committed-reads (all)'])
    expect(found(write, read(4, 4, { sees: 1 }))).toEqual([])
    expect(found(write, read(4, 4, { sees: 0.5 }))).toEqual([])
    expect(found(write, read(4, 5, { sees: 2 }))).toEqual([])
    expect(found(write, read(4, 4, { sees: 4, level: 'global' }))).toEqual(['committed-reads (all)'])
    expect(found(write, read(4, 4, { sees: 2, level: 'eventual' }))).toEqual([])
    expect(found({ ...write, acknowledged: false }, read(4, 4, { sees: 2 }))).toEqual([])
  })

  it('finds a primary that has lost a write', () => {
    expect(found(wrote(0, 5), wrote(2, 5, { session: 2 }))).toEqual(['lost-write (all)'])
    expect(found(wrote(0, 5), wrote(0, 6, { session: 2 }), wrote(2, 7))).toEqual([])
  })

  it('does not depend on the order in which operations were recorded', () => {
    expect(found(read(2, 4), wrote(0, 5))).toEqual(['read-your-writes (session)'])
  })

  it('reports one broken guarantee for each register of a read, and says what is wrong', () => {
    const [violation, ...others] = verify([wrote(0, 5), read(2, 6), read(4, 4)])
    expect(others).toEqual([])
    expect(describeViolation(violation)).toBe(
      'read-your-writes (session): register 1 is 4 and not 5: read of session 1 at 4.0-5.0 ms on 3306 (session) after ' +
        'write of session 1 at 0.0-1.0 ms',
    )
  })
})
