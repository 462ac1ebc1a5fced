import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { cpuMicrosOf, parseStat, processTree, residentBytesOf } from '../../../../bench/system/processes.js'

describe('CPU time and memory from /proc', () => {
  it('reads a line whose command name has blanks and brackets', () => {
    const line =
      '4242 (a (b) c) S 17 4242 4242 0 -1 4194560 900 0 0 0 150 50 9 9 20 0 11 0 5000 700000000 2500 1844674407 1 1 0'
    expect(parseStat(line)).toEqual({ pid: 4242, parent: 17, cpuMicros: 2_000_000, residentBytes: 2500 * 4096 })
  })

  it('counts the CPU time of this process as the operating system does', () => {
    const { user, system } = process.cpuUsage()
    const before = cpuMicrosOf([process.pid])
    const end = performance.now() + 200
    while (performance.now() < end);
    const used = process.cpuUsage({ user, system })
    const counted = cpuMicrosOf([process.pid]) - before
    expect(Math.abs(counted - used.user - used.system)).toBeLessThan(60_000)
  })

  it('includes children and grandchildren, and forgets who is gone', async () => {
    const shell = spawn('/bin/sh', ['-c', 'sleep 30 & echo started; wait'], { detached: true })
    await once(shell.stdout, 'data')
    const shellPid = shell.pid as number
    const tree = processTree([shellPid])
    expect(tree).toHaveLength(2)
    expect(tree.some(({ parent }) => parent === shellPid)).toBe(true)
    expect(processTree([process.pid]).length).toBeGreaterThanOrEqual(3)
    expect(residentBytesOf([shellPid])).toBeGreaterThan(0)
    const exit = once(shell, 'exit')
    process.kill(-shellPid, 'SIGKILL')
    await exit
    expect(processTree([shellPid])).toEqual([])
    expect(cpuMicrosOf([])).toBe(0)
  })
})
