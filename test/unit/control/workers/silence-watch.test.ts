import { describe, expect, it } from 'vitest'
import type { WorkerState } from '../../../../src/control/view.js'
import { watchForSilence } from '../../../../src/control/workers/silence-watch.js'

class Worker {
  readonly state: WorkerState
  killedFor: string | null = null
  kills = 0
  asked = 0
  private silentLooks = 0

  constructor(state: WorkerState) {
    this.state = state
  }

  lookAt(): number {
    return ++this.silentLooks
  }

  heard(): void {
    this.silentLooks = 0
  }

  askForCounters(): void {
    this.asked++
  }

  kill(why: string): void {
    this.kills++
    this.killedFor = why
  }
}

function look(workers: readonly Worker[], times: number, limitMs = 10_000): void {
  for (let i = 0; i < times; i++) watchForSilence(workers, limitMs)
}

describe('workers that tell nothing', () => {
  it('are killed once, when their time is over', () => {
    const worker = new Worker('serving')
    look([worker], 10)
    expect(worker.kills).toBe(0)
    look([worker], 3)
    expect(worker).toMatchObject({ kills: 1, killedFor: 'told nothing for 10 s' })
  })

  it('are left alone when they have told anything meanwhile', () => {
    const worker = new Worker('serving')
    for (let i = 0; i < 5; i++) {
      look([worker], 10)
      worker.heard()
    }
    expect(worker.kills).toBe(0)
  })

  it('have more time while they start, and are asked for a sign', () => {
    const worker = new Worker('starting')
    look([worker], 30)
    expect(worker).toMatchObject({ kills: 0, asked: 30 })
    look([worker], 1)
    expect(worker.kills).toBe(1)
  })

  it('are killed while they drain, too', () => {
    const worker = new Worker('draining')
    look([worker], 11)
    expect(worker.kills).toBe(1)
  })

  it('are never killed without a limit', () => {
    const workers = [new Worker('serving'), new Worker('starting')]
    look(workers, 1000, 0)
    expect(workers.map(({ kills }) => kills)).toEqual([0, 0])
  })
})
