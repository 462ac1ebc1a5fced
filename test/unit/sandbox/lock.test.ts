import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from '../../../src/sandbox/lock.js'
import { processRef } from '../../../src/sandbox/proc.js'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lock-'))
  path = join(folder, 'the.lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a lock', () => {
  it('is held by one at a time', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      inside++
      most = Math.max(most, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
    }
    await Promise.all(Array.from({ length: 5 }, () => withLock(path, {}, work)))
    expect(most).toBe(1)
    expect(readdirSync(folder)).toEqual([])
  })

  it('is given back when the work fails', async () => {
    const failing = withLock(path, {}, () => Promise.reject(new Error('no luck')))
    await expect(failing).rejects.toThrow('no luck')
    expect(await withLock(path, {}, async () => 'mine')).toBe('mine')
  })

  it('of a process that has died is taken over', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    writeFileSync(path, JSON.stringify({ pid, startTime: '1' }))
    writeFileSync(`${path}.${pid}.left-by-it`, '')
    expect(await withLock(path, {}, async () => 'mine')).toBe('mine')
    expect(readdirSync(folder)).toEqual([])
  })

  it('of a living process is waited for, which is said once, until the caller gives up', async () => {
    const holder = processRef(process.ppid)!
    writeFileSync(path, JSON.stringify(holder))
    const cancel = new AbortController()
    const waits: number[] = []
    const onWait = ({ pid }: { pid: number }) => {
      waits.push(pid)
      setTimeout(() => cancel.abort(new Error('enough')), 250)
    }
    await expect(withLock(path, { signal: cancel.signal, onWait }, async () => 'mine')).rejects.toThrow()
    expect(waits).toEqual([process.ppid])
    expect(existsSync(path)).toBe(true)
  })
})
