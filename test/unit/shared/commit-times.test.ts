import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { monotonicMs } from '../../../src/shared/clock.js'
import { CommitTimes } from '../../../src/shared/commit-times.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-commits-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const newFile = () => join(folder, 'new', `commits-${++files}`)

describe('the times of commits', () => {
  it('of a proxy that starts are its start: what was written before is not known', () => {
    const path = newFile()
    const before = monotonicMs()
    CommitTimes.create(path)
    const latest = CommitTimes.open(path).latest(0, Number.MAX_VALUE)
    expect(latest).toBeGreaterThanOrEqual(before)
    expect(latest).toBeLessThanOrEqual(monotonicMs())
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('are known to every process that has the file, by hostgroup', () => {
    const path = newFile()
    CommitTimes.create(path)
    const [one, other] = [CommitTimes.open(path), CommitTimes.open(path)]
    const now = monotonicMs() + 1000
    one.note(10, now)
    expect([one, other].map((times) => times.latest(10, now + 1))).toEqual([now, now])
    expect(other.latest(11, now + 1)).toBeLessThan(now)
    other.note(10, now + 5)
    expect(one.latest(10, now + 9)).toBe(now + 5)
  })

  it('are never later than they are asked for: those of before the machine was started anew say nothing', () => {
    const path = newFile()
    CommitTimes.create(path)
    const times = CommitTimes.open(path)
    times.note(0, 9e9)
    const now = monotonicMs()
    expect(times.latest(0, now)).toBe(now)
  })

  it('are those of now while the file is being made anew, and for who cannot open it', () => {
    const path = newFile()
    CommitTimes.create(path)
    const times = CommitTimes.open(path)
    truncateSync(path)
    expect(times.latest(0, 77)).toBe(77)
    expect(() => CommitTimes.open(`${path}-missing`)).toThrow('ENOENT')
    const unknown = CommitTimes.unknown()
    unknown.note(3, 5)
    expect([unknown.latest(3, 77), unknown.latest(4, 78)]).toEqual([77, 78])
  })

  it('of a process that is alone are those of its own writes', () => {
    const alone = CommitTimes.open('')
    expect(alone.latest(0, 100)).toBe(-1)
    alone.note(0, 50)
    expect([alone.latest(0, 100), alone.latest(1, 100)]).toEqual([50, -1])
  })
})
