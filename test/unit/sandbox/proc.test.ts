import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import {
  isAlive,
  isStopped,
  processesWithArgument,
  processRef,
  signalProcess,
  waitForExit,
} from '../../../src/sandbox/proc.js'

async function startSleeper(marker: string) {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', marker], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('spawn', resolve))
  return processRef(child.pid!)!
}

describe('a process', () => {
  it('is known by its start time: another one with the same id is never signalled', async () => {
    const sleeper = await startSleeper('known')
    const former = { pid: sleeper.pid, startTime: String(Number(sleeper.startTime) - 1) }
    expect(isAlive(former)).toBe(false)
    expect(signalProcess(former, 'SIGKILL')).toBe(false)
    expect(isAlive(sleeper)).toBe(true)
    expect(signalProcess(sleeper, 'SIGKILL')).toBe(true)
    expect(await waitForExit(sleeper, 30_000)).toBe(true)
    expect(signalProcess(sleeper, 'SIGKILL')).toBe(false)
  })

  it('is seen to be stopped and to go on', async () => {
    const sleeper = await startSleeper('stopped')
    signalProcess(sleeper, 'SIGSTOP')
    await expect.poll(() => isStopped(sleeper), { timeout: 10_000 }).toBe(true)
    expect(isAlive(sleeper)).toBe(true)
    signalProcess(sleeper, 'SIGCONT')
    await expect.poll(() => isStopped(sleeper), { timeout: 10_000 }).toBe(false)
    signalProcess(sleeper, 'SIGKILL')
    expect(await waitForExit(sleeper, 30_000)).toBe(true)
  })

  it('is found by the beginning of an argument', async () => {
    const marker = `--marker=${process.pid}-${Date.now()}/`
    const sleeper = await startSleeper(`${marker}data`)
    // On a busy machine its arguments appear a moment after it does.
    await expect.poll(() => processesWithArgument(marker), { timeout: 10_000 }).toEqual([sleeper])
    signalProcess(sleeper, 'SIGKILL')
    expect(await waitForExit(sleeper, 30_000)).toBe(true)
    expect(processesWithArgument(marker)).toEqual([])
  })

  it('that does not end in time is reported as still there', async () => {
    expect(await waitForExit(processRef(process.pid)!, 30)).toBe(false)
  })
})
