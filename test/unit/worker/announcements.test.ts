import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CommitTimes } from '../../../src/shared/commit-times.js'
import { OthersWay } from '../../../src/worker/announcements.js'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-way-'))
  path = join(folder, 'times')
  CommitTimes.create(path)
  vi.spyOn(process, 'connected', 'get').mockReturnValue(true)
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

/** The way of one of several workers; `reach` answers its question whether it reaches all others. */
function worker(workers = 2) {
  const asked: ((reached: boolean) => void)[] = []
  const way = new OthersWay(
    () => workers,
    CommitTimes.open(path),
    () => new Promise((resolve) => asked.push(resolve)),
  )
  const reach = async (reached: boolean) => {
    asked.shift()!(reached)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { way, asked, reach }
}

describe('what other workers have announced', () => {
  it('has all come as long as nobody went on without having been heard', () => {
    const { way, asked } = worker()
    expect(way.hearsAll).toBe(true)
    expect(asked).toEqual([])
  })

  it('may be missing in every worker once one went on unheard, until that worker has reached all others', async () => {
    const [one, two] = [worker(), worker()]
    one.way.wentUnheard()
    for (const { way, asked, reach } of [one, two]) {
      expect([way.hearsAll, way.hearsAll]).toEqual([false, false])
      expect(asked).toHaveLength(1)
      await reach(false)
      expect(way.hearsAll).toBe(false)
      await reach(true)
      expect(way.hearsAll).toBe(true)
    }
  })

  it('may be missing still when somebody went on unheard after the question', async () => {
    const [one, two] = [worker(), worker()]
    one.way.wentUnheard()
    expect(two.way.hearsAll).toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 2)) // the clock has to go on
    one.way.wentUnheard()
    await two.reach(true)
    expect(two.way.hearsAll).toBe(false)
  })

  it('is of no matter for a worker that is alone, and may be missing without a control plane', () => {
    worker().way.wentUnheard()
    expect(worker(1).way.hearsAll).toBe(true)
    vi.spyOn(process, 'connected', 'get').mockReturnValue(false)
    expect(worker().way.hearsAll).toBe(false)
  })
})
