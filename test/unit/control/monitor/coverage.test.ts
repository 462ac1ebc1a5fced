import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { CoverageTracker } from '../../../../src/control/monitor/coverage.js'
import { dialectOf } from '../../../../src/control/monitor/monitor-queries.js'

const PRIMARY = Number.MAX_SAFE_INTEGER

const MARIADB = { gtidExecuted: '', gtidOwned: '', lacksGtids: false, logsApplied: false }

/** Servers `a`, `b` and `c` on MariaDB; answers take 1 ms. */
function tracker() {
  const coverage = new CoverageTracker(pino({ enabled: false }))
  const dialect = dialectOf('10.11.6-MariaDB')
  return {
    coverage,
    poll: (id: string, named: string | null, askedMs: number, binlog: string, slave: string, readOnly = id !== named) =>
      coverage.polled(id, named, {
        askedMs,
        answeredMs: askedMs + 1,
        dialect,
        state: { ...MARIADB, readOnly, mariadbPositions: { binlog, slave } },
        binlog: null,
        channels: [],
      }),
  }
}

describe('after a change of the primary', () => {
  it('what the new one has written counts, though it has applied no more than before', () => {
    const { poll } = tracker()
    poll('a', 'a', 100, '0-1-50', '')
    expect(poll('c', 'a', 110, '0-1-50', '0-1-50').coversPrimaryAt).toBe(100)
    expect(poll('b', 'b', 200, '0-2-55', '0-1-50')).toMatchObject({ gtidExecuted: '0-2-55', coversPrimaryAt: PRIMARY })
    expect(poll('c', 'b', 210, '0-1-50', '0-1-50').coversPrimaryAt).toBe(-1)
    expect(poll('c', 'b', 220, '0-2-55', '0-2-55').coversPrimaryAt).toBe(200)
  })

  it('what the new one has applied counts, though it is not in its binary log', () => {
    const { poll } = tracker()
    poll('b', 'b', 200, '0-2-30', '0-1-50')
    expect(poll('c', 'b', 210, '0-1-45', '0-1-45').coversPrimaryAt).toBe(-1)
    expect(poll('c', 'b', 220, '0-1-50', '0-1-50').coversPrimaryAt).toBe(200)
  })

  it('the old one covers nobody from the moment it is read-only, and the new one as far as it has applied', () => {
    const { poll } = tracker()
    poll('a', 'a', 100, '0-1-50', '0-2-10')
    expect(poll('a', 'a', 150, '0-1-50', '0-2-10', true)).toMatchObject({ primary: null, coversPrimaryAt: -1 })
    poll('b', 'b', 200, '0-2-55', '0-1-50')
    expect(poll('a', 'b', 210, '0-1-50', '0-1-50').coversPrimaryAt).toBe(-1)
    expect(poll('a', 'b', 220, '0-2-56', '0-2-56').coversPrimaryAt).toBe(200)
  })

  it('what was covered of one primary is asked anew of the next one', () => {
    const { poll } = tracker()
    poll('a', 'a', 100, '0-1-50', '')
    poll('c', 'a', 110, '0-1-50', '0-1-50')
    poll('b', 'b', 200, '0-2-55', '0-1-50')
    expect(poll('c', 'b', 210, '0-2-54', '0-2-54').coversPrimaryAt).toBe(-1)
  })
})

describe('a server whose data may have been replaced', () => {
  it('covers what it is seen to have from then on, as another incarnation', () => {
    const { coverage, poll } = tracker()
    poll('a', 'a', 100, '0-1-50', '')
    const before = poll('c', 'a', 110, '0-1-50', '0-1-50')
    coverage.doubt('c')
    const after = poll('c', 'a', 120, '0-1-49', '0-1-49')
    expect(after.coversPrimaryAt).toBe(-1)
    expect(after.incarnation).toBeGreaterThan(before.incarnation)
  })

  it('is found by what it lacks', () => {
    const { poll } = tracker()
    const before = poll('c', 'a', 110, '0-1-50', '0-1-50')
    expect(poll('c', 'a', 120, '0-1-51', '0-1-51').incarnation).toBe(before.incarnation)
    expect(poll('c', 'a', 130, '0-1-48', '0-1-48').incarnation).toBeGreaterThan(before.incarnation)
  })
})
