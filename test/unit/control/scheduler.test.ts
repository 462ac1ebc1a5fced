import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { type ScheduledTask, Scheduler } from '../../../src/control/scheduler.js'

const SOON = { timeout: 20_000, interval: 20 }
const folder = mkdtempSync(join(tmpdir(), 'sluice-scheduler-'))
const logged: { msg: string; output?: string }[] = []
const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) })
let scheduler = new Scheduler(log)
let last = 0

afterEach(() => {
  scheduler.stop()
  scheduler = new Scheduler(log)
  logged.length = 0
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function script(body: string, mode = 0o755): string {
  const path = join(folder, `script${++last}.sh`)
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, mode)
  return path
}

const task = (filename: string, more: Partial<ScheduledTask> = {}): ScheduledTask => ({
  id: 1,
  active: true,
  intervalMs: 100,
  filename,
  args: [],
  ...more,
})

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
const messages = () => logged.map(({ msg }) => msg)

describe('a scheduled program', () => {
  it('runs again and again with its arguments as they are, through no shell, and what it says is logged', async () => {
    const out = join(folder, 'runs')
    const path = script(`echo "$# $1 $2" >> ${out}; echo said`)
    scheduler.configure([task(path, { args: ['a b', '$(id); x'] })])
    await vi.waitFor(() => expect(textOf(out).split('\n').length).toBeGreaterThan(3), SOON)
    expect(new Set(textOf(out).trim().split('\n'))).toEqual(new Set(['2 a b $(id); x']))
    await vi.waitFor(() => expect(logged.some(({ output }) => output === 'said\n')).toBe(true), SOON)
  })

  it('never runs twice at once, and ends with what it started when the scheduler stops', async () => {
    const out = join(folder, 'slow')
    const path = script(`echo $$ >> ${out}; sleep 600 & echo $! >> ${out}; wait`)
    scheduler.configure([task(path)])
    await vi.waitFor(() => expect(textOf(out).trim().split('\n').length).toBe(2), SOON)
    const passed = join(folder, 'passed')
    scheduler.configure([task(path), task(script(`echo x >> ${passed}`), { id: 2 })])
    await vi.waitFor(() => expect(textOf(passed).length).toBeGreaterThan(5), SOON)
    const pids = textOf(out).trim().split('\n').map(Number)
    expect(pids.length).toBe(2)
    scheduler.stop()
    for (const pid of pids) await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), SOON)
  })

  it('that takes too long is ended', async () => {
    scheduler = new Scheduler(log, 200)
    const path = script('sleep 600')
    scheduler.configure([task(path)])
    const said = `scheduler: ${path}: took longer than 200 ms and was ended`
    await vi.waitFor(() => expect(messages()).toContain(said), SOON)
  })

  it('has what is wrong with it logged once, until that changes', async () => {
    const gate = join(folder, 'gate')
    const runs = join(folder, 'gated')
    const path = script(`echo x >> ${runs}; test -e ${gate} || exit 3`)
    scheduler.configure([task(path)])
    await vi.waitFor(() => expect(textOf(runs).length).toBeGreaterThan(6), SOON)
    expect(messages()).toEqual([`scheduler: ${path}: ended with status 3`])
    writeFileSync(gate, '')
    await vi.waitFor(() => expect(messages()[1]).toBe(`scheduler: ${path} works again`), SOON)
  })

  it.each([
    ['that is not there', () => join(folder, 'nowhere'), 'no such file'],
    ['that is not executable', () => script('true', 0o644), 'is not executable (EACCES)'],
    ['that is a folder', () => folder, 'is no file'],
  ])('%s is told, and does no harm', async (_name, make, problem) => {
    const path = make()
    scheduler.configure([task(path)])
    await vi.waitFor(() => expect(messages()).toEqual([`scheduler: ${path}: ${problem}`]), SOON)
  })

  it('that is not active does not run, and one that was taken away runs no more', async () => {
    const [off, on, other] = ['off', 'on', 'other'].map((name) => join(folder, name)) as [string, string, string]
    const tasks = [
      task(script(`echo x >> ${off}`), { active: false }),
      task(script(`echo x >> ${on}`), { id: 2 }),
      task(script(`echo x >> ${other}`), { id: 3 }),
    ]
    scheduler.configure(tasks)
    await vi.waitFor(() => expect(textOf(on).length).toBeGreaterThan(1), SOON)
    scheduler.configure([tasks[0]!, tasks[2]!])
    const before = textOf(on)
    const otherBefore = textOf(other).length
    await vi.waitFor(() => expect(textOf(other).length).toBeGreaterThan(otherBefore + 6), SOON)
    // One run may have been under way.
    expect(textOf(on).length - before.length).toBeLessThanOrEqual(2)
    expect(textOf(off)).toBe('')
  })
})
