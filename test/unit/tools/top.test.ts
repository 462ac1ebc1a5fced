import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { ReadStream, WriteStream } from 'node:tty'
import { describe, expect, it } from 'vitest'
import { displayWidth } from '../../../src/tools/terminal-text.js'
import { bytes, count, duration, percent } from '../../../src/tools/top/figures.js'
import { type Frame, frameOf, topDigests } from '../../../src/tools/top/frame.js'
import { type DigestReading, type Reading, type ServerReading, takeReading } from '../../../src/tools/top/reading.js'
import { choose, parseInterval } from '../../../src/tools/top/run.js'
import { Screen } from '../../../src/tools/top/screen.js'
import { INITIAL_CHOICES, render, renderHelp, type Surroundings, shares } from '../../../src/tools/top/view.js'
import { Random } from '../../fuzz/random.js'

function server(more: Partial<ServerReading> = {}): ServerReading {
  const counted = { used: 2, free: 3, errors: 0, queries: 100, bytesSent: 1000, bytesReceived: 3000 }
  const identity = { hostgroup: '0', server: '10.0.0.1:3306', role: 'writer', status: 'ONLINE', reason: '', lagMs: 0 }
  return { ...identity, ...counted, ...more }
}

function digest(more: Partial<DigestReading> = {}): DigestReading {
  const identity = { hostgroup: '1', schema: 'shop', user: 'app', digest: '0xAA' }
  return { ...identity, count: 10, sumUs: 1_000_000, maxUs: 500_000, rowsSent: 20, rowsAffected: 0, ...more }
}

function reading(more: Partial<Reading> = {}): Reading {
  return {
    atMs: 1000,
    uptimeS: 100,
    globals: new Map([['Questions', 1000]]),
    servers: [server()],
    digests: [digest()],
    sessions: [],
    sessionsTotal: 0,
    sessionsBusy: 0,
    ...more,
  }
}

describe('what happened between two readings', () => {
  const later = reading({
    atMs: 3000,
    uptimeS: 102,
    globals: new Map([['Questions', 1500]]),
    servers: [server({ queries: 300, bytesSent: 2000, bytesReceived: 4000, errors: 4 }), server({ hostgroup: '1' })],
    digests: [
      digest({ count: 30, sumUs: 4_000_000, rowsSent: 100 }),
      digest({ digest: '0xBB', count: 2, sumUs: 1_000_000 }),
      digest({ digest: '0xCC', count: 7, sumUs: 7 }),
    ],
  })
  const before = reading({ digests: [digest(), digest({ digest: '0xCC', count: 7, sumUs: 7 })] })

  it('is told per second', () => {
    const frame = frameOf(before, later)
    expect(frame).toMatchObject({ intervalS: 2, sinceStart: false, queriesPerS: 250 })
    expect(frame.servers[0]).toMatchObject({ queriesPerS: 100, bytesPerS: 1000, errorsPerS: 2 })
    expect(frame.servers[1].queriesPerS).toBe(50) // not there before: all it has counted
  })

  it('is told of the statements that ran, with their share of the time', () => {
    const lines = topDigests(frameOf(before, later).digests, 'time', 10)
    expect(lines.map((line) => [line.digest, line.callsPerS, line.averageUs, line.load, line.share])).toEqual([
      ['0xAA', 10, 150_000, 1.5, 0.75],
      ['0xBB', 1, 500_000, 0.5, 0.25],
    ])
    expect(lines[0].rowsPerCall).toBe(4)
    expect(topDigests(frameOf(before, later).digests, 'average', 1)[0].digest).toBe('0xBB')
  })

  it('begins anew when statistics were emptied or another process answers', () => {
    const emptied = frameOf(reading({ digests: [digest({ count: 50, sumUs: 9_000_000 })] }), later)
    expect(emptied.digests.find((line) => line.digest === '0xAA')).toMatchObject({ callsPerS: 15, averageUs: 4e6 / 30 })
    const restarted = frameOf(reading({ uptimeS: 5000, globals: new Map([['Questions', 9999]]) }), later)
    expect(restarted).toMatchObject({ sinceStart: true, intervalS: 102 })
    expect(restarted.queriesPerS).toBeCloseTo(1500 / 102)
  })

  it('is since the start when there is one reading', () => {
    expect(frameOf(null, reading())).toMatchObject({ sinceStart: true, intervalS: 100, queriesPerS: 10 })
  })
})

describe('a reading', () => {
  it('joins the tables of the admin port, whatever columns are added to them', async () => {
    const tables: Record<string, Record<string, string>[]> = {
      stats_mysql_connection_pool: [
        { hostgroup: '1', srv_host: '::1', srv_port: '3306', status: 'SHUNNED', ConnUsed: '1', Queries: '5', new: 'x' },
      ],
      'SHOW TOPOLOGY': [
        { hostgroup: '1', server: '[::1]:3306', role: 'reader', status_reason: 'lag', lag_ms: '1500', lag_reason: '' },
      ],
      stats_mysql_global: [{ Variable_Name: 'ProxySQL_Uptime', Variable_Value: '7' }],
      stats_mysql_processlist: [
        {
          SessionID: '9',
          srv_host: '',
          srv_port: '',
          cli_host: '',
          cli_port: '0',
          total: '40',
          busy: '3',
          time_ms: '12',
        },
      ],
    }
    const found = await takeReading({
      query: async (sql) => {
        const rows = Object.entries(tables).find(([name]) => sql.includes(name))?.[1] ?? []
        const columns = Object.keys(rows.at(0) ?? {})
        return { kind: 'rows', columns, rows: rows.map((row) => columns.map((name) => row[name])) }
      },
    })
    expect(found).toMatchObject({ uptimeS: 7, sessionsTotal: 40, sessionsBusy: 3, digests: [] })
    expect(found.servers[0]).toMatchObject({
      server: '[::1]:3306',
      role: 'reader',
      reason: 'lag',
      lagMs: 1500,
      queries: 5,
    })
    expect(found.sessions[0]).toMatchObject({ id: '9', server: '', timeMs: 12 })
  })
})

describe('the screen', () => {
  const around: Surroundings = {
    columns: 100,
    rows: 30,
    colour: false,
    endpoint: 'admin@127.0.0.1:6032',
    version: '0.1.0',
    texts: new Map([['0xAA', 'SELECT * FROM orders WHERE id = ?\n\u001b[2J']]),
    trouble: '',
    clock: '03:00:00',
  }
  const session = (number: number) => ({
    id: String(number),
    user: 'app',
    schema: 'shop',
    client: '10.1.1.1:5000',
    hostgroup: '1',
    server: '10.0.0.2:3306',
    command: number % 3 === 0 ? 'Sleep' : 'Query',
    timeMs: number,
    info: `SELECT ${number}`,
  })
  const busy = (more: Partial<Reading> = {}): Frame =>
    frameOf(null, reading({ sessions: Array.from({ length: 20 }, (_, index) => session(index)), ...more }))

  it('says first what is wrong', () => {
    const servers = [
      server({ status: 'SHUNNED', reason: 'connection refused' }),
      server({ hostgroup: '1', role: 'reader' }),
    ]
    const text = render(busy({ servers }), INITIAL_CHOICES, { ...around, trouble: 'connection lost' }).slice(0, 5)
    expect(text.slice(2)).toEqual([
      'connection lost',
      'NO WRITER IS ONLINE: writes wait or fail',
      '1 server not ONLINE: 10.0.0.1:3306',
    ])
  })

  it('shows statements by their text, which cannot control the terminal', () => {
    const text = render(busy(), INITIAL_CHOICES, { ...around, columns: 200 }).join('\n')
    expect(text).toContain('SELECT * FROM orders WHERE id = ?\\n\\u{1b}[2J')
  })

  it('shows one section alone, idle sessions where they are wanted', () => {
    const lines = render(busy(), { ...INITIAL_CHOICES, only: 'sessions', idle: true }, around)
    expect(lines.some((line) => line.startsWith('SERVERS'))).toBe(false)
    expect(lines.filter((line) => line.includes('Sleep'))).toHaveLength(7)
    expect(render(busy(), INITIAL_CHOICES, around).some((line) => line.includes('Sleep'))).toBe(false)
  })

  it('fits any window', () => {
    const seed = String(Date.now())
    const random = new Random(seed)
    for (let round = 0; round < 200; round++) {
      const columns = 1 + random.below(200)
      const rows = 1 + random.below(60)
      const servers = Array.from({ length: random.below(30) }, () => server({ reason: '日本'.repeat(40) }))
      const lines = render(busy({ servers }), INITIAL_CHOICES, { ...around, columns, rows })
      const widest = Math.max(...lines.map(displayWidth))
      expect({ seed, columns, rows, fits: lines.length <= rows && widest <= columns }).toMatchObject({ fits: true })
      expect(renderHelp({ ...around, columns, rows }).length).toBeLessThanOrEqual(rows)
    }
  })

  it('gives each section what it needs, and what is left to those that need more', () => {
    expect(shares([5, 20, 4], 40)).toEqual([5, 20, 4])
    expect(shares([5, 100, 4], 40)).toEqual([5, 31, 4])
    expect(shares([50, 50, 4], 40)).toEqual([18, 18, 4])
    expect(shares([5, 5, 5], 0)).toEqual([0, 0, 0])
  })

  it('is left as it was found', () => {
    const written: string[] = []
    const raw: boolean[] = []
    const input = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => raw.push(on) })
    const output = Object.assign(new EventEmitter(), {
      columns: 90,
      rows: 20,
      write: (text: string) => written.push(text),
    })
    const screen = new Screen(input as unknown as ReadStream, output as unknown as WriteStream)
    const keys: string[] = []
    const before = process.listenerCount('exit')
    screen.enter(
      (key) => keys.push(key),
      () => {},
    )
    input.write('q\x03')
    screen.draw(['a', 'b'])
    screen.leave()
    screen.leave()
    expect(screen.size).toEqual({ columns: 90, rows: 20 })
    expect(keys).toEqual(['q', 'ctrl-c'])
    expect(raw).toEqual([true, false])
    expect(written.at(0)).toContain('\x1b[?1049h')
    expect(written.at(1)).toBe('\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J')
    expect(written.slice(2)).toEqual(['\x1b[?25h\x1b[?1049l'])
    expect(process.listenerCount('exit')).toBe(before)
  })
})

describe('keys and flags', () => {
  it('choose order and section', () => {
    expect(choose(INITIAL_CHOICES, 'a').order).toBe('average')
    expect(choose(INITIAL_CHOICES, '2').only).toBe('digests')
    expect(choose({ ...INITIAL_CHOICES, only: 'digests' }, '0').only).toBeNull()
    expect(choose(INITIAL_CHOICES, ' ').paused).toBe(true)
    expect(choose(INITIAL_CHOICES, 'toString')).toBe(INITIAL_CHOICES)
  })

  it.each([
    ['1s', 1000],
    ['500ms', 500],
    ['2', 2000],
    ['0.5', 500],
    ['5m', 300_000],
  ])('an interval of %s is %i ms', (text, ms) => {
    expect(parseInterval(text)).toBe(ms)
  })

  it.each(['0', '50ms', '2h', 'soon', '', '-1s', '61m'])('refuses an interval of "%s"', (text) => {
    expect(() => parseInterval(text)).toThrow(/^--interval: expected a time from 100ms to 60m such as 1s, got /)
  })
})

describe('figures', () => {
  it('take six columns at most', () => {
    expect([0, 0.01, 0.4, 12.34, 99.96, 812, 1234, 45_678, 999_600, 3.1e6, 2e9].map(count)).toEqual([
      '0',
      '<0.1',
      '0.4',
      '12.3',
      '100',
      '812',
      '1.2k',
      '46k',
      '1.0M',
      '3.1M',
      '2.0G',
    ])
    expect([0, 999, 1500, 3.2e6, 7e9].map(bytes)).toEqual(['0B', '999B', '1.5kB', '3.2MB', '7.0GB'])
    expect([0, 812, 1234, 45_678, 3.4e6, 312e6, 11_040e6, 183_600e6].map(duration)).toEqual([
      '0us',
      '812us',
      '1.2ms',
      '46ms',
      '3.4s',
      '5m12s',
      '3h04m',
      '2d03h',
    ])
    expect(percent(0.756)).toBe('76%')
  })
})
