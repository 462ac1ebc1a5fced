import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { BINLOG_ORDER, binlogPosition } from '../../../../src/control/monitor/binlog-position.js'
import { CoverageTracker, type PositionPoll } from '../../../../src/control/monitor/coverage.js'
import { dialectOf } from '../../../../src/control/monitor/monitor-queries.js'

/** A place as `FILE:POSITION`, in the log of the server with this UUID. */
function place(server: string, text: string) {
  const [file = '', offset] = text.split(':')
  return binlogPosition(server, file, Number(offset))
}

/** Servers without GTIDs, each of which has its name as its server_uuid; answers take 1 ms. */
function servers() {
  const tracker = new CoverageTracker(pino({ enabled: false }))
  const state = { gtidExecuted: '', gtidOwned: '', mariadbPositions: null, lacksGtids: true, logsApplied: true }
  const poll = (id: string, primary: string | null, askedMs: number, found: Partial<PositionPoll>, more = {}) =>
    tracker.polled(id, primary, {
      askedMs,
      answeredMs: askedMs + 1,
      dialect: dialectOf('8.0.36'),
      state: { ...state, readOnly: id !== primary, ...more },
      binlog: null,
      channels: [],
      ...found,
    })
  const channel = (source: string, at: string) => ({ executed: place(source, at) })
  return {
    tracker,
    /** The primary `a`, or another one, at this place of its log. */
    wrote: (askedMs: number, at: string, of = 'a') => poll(of, of, askedMs, { binlog: place(of, at) }),
    /** The replica `c` at this place of its source's log. */
    applied: (askedMs: number, at: string, source = 'a', primary: string | null = 'a') =>
      poll('c', primary, askedMs, { channels: [channel(source, at)] }),
    poll,
    channel,
  }
}

describe('places in one log', () => {
  it.each([
    ['b.000001:200', 'b.000001:200', true],
    ['b.000001:201', 'b.000001:200', true],
    ['b.000001:199', 'b.000001:200', false],
    ['b.000002:4', 'b.000001:900', true],
    ['b.000010:4', 'b.000009:900', true],
    ['b.1000000:4', 'b.999999:900', true],
    ['b.000001:900', 'b.000002:4', false],
    ['other.000009:900', 'b.000001:4', false],
  ])('%s has all that is before %s: %s', (outer, inner, has) => {
    expect(BINLOG_ORDER.contains(place('a', outer)!, place('a', inner)!)).toBe(has)
    expect(BINLOG_ORDER.contains(place('a', outer)!, place('x', inner)!)).toBe(false)
  })

  it.each(['', 'binlog', 'binlog.abc:4', 'b.000001:0', ':4'])('“%s” is none', (text) => {
    expect(place('a', text)).toBeNull()
  })

  it('a server that does not say who it is has none', () => {
    expect(binlogPosition('', 'b.000001', 4)).toBeNull()
  })
})

describe('a replica without GTIDs', () => {
  it('covers the last moment at which its source had written no more than it has applied', () => {
    const { wrote, applied } = servers()
    wrote(100, 'b.000001:500')
    wrote(200, 'b.000001:700')
    wrote(300, 'b.000001:700')
    expect(applied(310, 'b.000001:499').coversPrimaryAt).toBe(-1)
    expect(applied(320, 'b.000001:500').coversPrimaryAt).toBe(100)
    expect(applied(330, 'b.000001:699').coversPrimaryAt).toBe(100)
    expect(applied(340, 'b.000001:700').coversPrimaryAt).toBe(300)
    wrote(400, 'b.000002:158')
    expect(applied(410, 'b.000001:900').coversPrimaryAt).toBe(300)
    expect(applied(420, 'b.000002:158')).toMatchObject({ coversPrimaryAt: 400, toldByLog: true, gtidExecuted: '' })
  })

  it('is told to be behind by nobody: a place is as old as the last checkpoint of its appliers', () => {
    const { wrote, applied } = servers()
    wrote(100, 'b.000001:500')
    expect(applied(5000, 'b.000001:400').behindMs).toBe(0)
  })

  it('keeps what it covers between two looks at the logs', () => {
    const { wrote, applied, poll } = servers()
    wrote(100, 'b.000001:500')
    applied(110, 'b.000001:500')
    poll('a', 'a', 150, { binlog: undefined, channels: undefined })
    expect(poll('c', 'a', 160, { binlog: undefined, channels: undefined })).toMatchObject({
      coversPrimaryAt: 100,
      toldByLog: true,
    })
  })

  it.each<[string, (world: ReturnType<typeof servers>) => { coversPrimaryAt: number; toldByLog: boolean }]>([
    ['has another source than the primary', ({ applied }) => applied(110, 'b.000009:900', 'x')],
    [
      'has two channels from the primary',
      ({ poll, channel }) =>
        poll('c', 'a', 110, { channels: [channel('a', 'b.000009:900'), channel('a', 'b.000009:900')] }),
    ],
    ['applies a log of another name', ({ applied }) => applied(110, 'other.000009:900')],
    ['does not replicate', ({ poll }) => poll('c', 'a', 110, { channels: [] })],
    ['may not be asked', ({ poll }) => poll('c', 'a', 110, { channels: null })],
    ['has no primary', ({ applied }) => applied(110, 'b.000009:900', 'a', null)],
    [
      'has a primary without a binary log',
      ({ poll, applied }) => {
        poll('a', 'a', 105, { binlog: null })
        return applied(110, 'b.000009:900')
      },
    ],
    [
      'has a primary that applies what it does not log',
      ({ poll, applied, channel }) => {
        const found = { binlog: place('a', 'b.000001:500'), channels: [channel('x', 'b.000001:4')] }
        poll('a', 'a', 105, found, { logsApplied: false })
        return applied(110, 'b.000009:900')
      },
    ],
    [
      'has a primary whose sources are not known, and that may apply what it does not log',
      ({ poll, applied }) => {
        poll('a', 'a', 105, { binlog: place('a', 'b.000001:500'), channels: null }, { logsApplied: false })
        return applied(110, 'b.000009:900')
      },
    ],
    [
      'has a primary that gives GTIDs',
      ({ poll, applied }) => {
        poll('a', 'a', 105, { binlog: place('a', 'b.000001:500') }, { lacksGtids: false })
        return applied(110, 'b.000009:900')
      },
    ],
  ])('is unknown when it %s', (_, look) => {
    const world = servers()
    world.wrote(100, 'b.000001:500')
    expect(look(world).coversPrimaryAt).toBe(-1)
  })

  it('is told by its channel from the primary, whatever others it has', () => {
    const { wrote, poll, channel } = servers()
    wrote(100, 'b.000001:500')
    const channels = [channel('x', 'b.000001:4'), channel('a', 'b.000001:500')]
    expect(poll('c', 'a', 110, { channels }).coversPrimaryAt).toBe(100)
  })

  it('is told where the primary is a replica itself, as long as that logs what it applies', () => {
    const { poll, applied, channel } = servers()
    poll('a', 'a', 100, { binlog: place('a', 'b.000001:500'), channels: [channel('x', 'b.000007:4')] })
    expect(applied(110, 'b.000001:500').coversPrimaryAt).toBe(100)
  })
})

describe('what is known begins anew', () => {
  it('when the primary may have been restarted', () => {
    const { tracker, wrote, applied } = servers()
    wrote(100, 'b.000001:500')
    applied(110, 'b.000001:500')
    tracker.doubt('a')
    expect(applied(210, 'b.000001:900').coversPrimaryAt).toBe(-1)
    wrote(300, 'b.000002:158')
    expect(applied(310, 'b.000001:900').coversPrimaryAt).toBe(-1)
    expect(applied(320, 'b.000002:158').coversPrimaryAt).toBe(300)
  })

  it('when the replica may have been restarted: its place of before counts no more', () => {
    const { tracker, wrote, applied, poll } = servers()
    wrote(100, 'b.000001:500')
    applied(110, 'b.000001:500')
    tracker.doubt('c')
    const unseen = poll('c', 'a', 210, { channels: undefined })
    expect(unseen).toMatchObject({ coversPrimaryAt: -1, toldByLog: false })
    expect(applied(220, 'b.000001:400').coversPrimaryAt).toBe(-1)
    expect(applied(230, 'b.000001:500').coversPrimaryAt).toBe(100)
  })

  it('when the replica has less than before, as another incarnation', () => {
    const { wrote, applied } = servers()
    wrote(100, 'b.000001:500')
    const before = applied(110, 'b.000001:500')
    const after = applied(120, 'b.000001:300')
    expect(after.coversPrimaryAt).toBe(-1)
    expect(after.incarnation).toBeGreaterThan(before.incarnation)
    expect(applied(130, 'b.000001:300').coversPrimaryAt).toBe(-1)
  })

  it('when the log does (RESET BINARY LOGS AND GTIDS): a place of before is in another log, wherever it lies', () => {
    const { wrote, applied } = servers()
    applied(90, 'b.000001:2000')
    wrote(100, 'b.000001:9000')
    applied(110, 'b.000001:2000')
    wrote(200, 'b.000001:158')
    expect(applied(210, 'b.000001:3000').coversPrimaryAt).toBe(-1)
    expect(applied(220, 'b.000001:9000').coversPrimaryAt).toBe(-1)
    wrote(300, 'b.000001:400')
    expect(applied(310, 'b.000001:9000')).toMatchObject({ coversPrimaryAt: -1, toldByLog: false })
    // The replica is pointed at the new log.
    applied(320, 'b.000001:158')
    expect(applied(330, 'b.000001:158').coversPrimaryAt).toBe(200)
    expect(applied(340, 'b.000001:400').coversPrimaryAt).toBe(300)
  })

  it('also when the replica is pointed at the new log before the primary is looked at', () => {
    const { wrote, applied } = servers()
    wrote(100, 'b.000001:9000')
    applied(110, 'b.000001:2000')
    applied(150, 'b.000001:158')
    wrote(200, 'b.000001:158')
    expect(applied(210, 'b.000001:158').coversPrimaryAt).toBe(200)
  })

  it('with a new primary, and once more when the old one comes back', () => {
    const { wrote, applied, poll } = servers()
    wrote(100, 'b.000001:500')
    expect(applied(110, 'b.000001:500').coversPrimaryAt).toBe(100)
    wrote(200, 'b.000004:700', 'n')
    expect(applied(210, 'b.000001:900', 'a', 'n').coversPrimaryAt).toBe(-1)
    expect(applied(220, 'b.000004:699', 'n', 'n').coversPrimaryAt).toBe(-1)
    expect(applied(230, 'b.000004:700', 'n', 'n').coversPrimaryAt).toBe(200)
    poll('a', 'n', 240, { channels: [] })
    expect(applied(250, 'b.000001:950', 'a', 'a').coversPrimaryAt).toBe(-1)
    wrote(300, 'b.000001:950')
    expect(applied(310, 'b.000001:950', 'a', 'a').coversPrimaryAt).toBe(300)
  })
})
