import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PendingAnswers } from '../../../../src/worker/cache/pending-answers.js'
import { TableMark } from '../../../../src/worker/cache/table-marks.js'

describe('answers that are waited for', () => {
  let now = 0
  let answers: PendingAnswers

  beforeEach(() => {
    vi.useFakeTimers()
    now = 1_000
    answers = new PendingAnswers(() => now)
  })
  afterEach(() => void vi.useRealTimers())

  /** Whether a wait is over by now. */
  const watch = (wait: Promise<void>): { over: boolean } => {
    const seen = { over: false }
    void wait.then(() => {
      seen.over = true
    })
    return seen
  }

  it('of all who ask the same one asks a server, until its answer has come', async () => {
    const pending = answers.begin('k', [])!
    expect(answers.begin('k', [])).toBeNull()
    expect(answers.begin('other', [])).not.toBeNull()
    expect(answers.find('k')).toBe(pending)
    const waits = [watch(pending.over(1_000)), watch(pending.over(1_000))]
    await vi.advanceTimersByTimeAsync(999)
    expect(waits).toEqual([{ over: false }, { over: false }])
    pending.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(waits).toEqual([{ over: true }, { over: true }])
    expect(vi.getTimerCount()).toBe(0)
    expect(answers.find('k')).toBeNull()
    expect(answers.size).toBe(1)
    expect(answers.begin('k', [])).not.toBeNull()
  })

  it('an end that is told twice does not end what another one has begun since', () => {
    const first = answers.begin('k', [])!
    first.end()
    const second = answers.begin('k', [])!
    first.end()
    expect(answers.find('k')).toBe(second)
    expect(second.isOver).toBe(false)
  })

  it('a wait is over after its time, and then waits for nothing more', async () => {
    const pending = answers.begin('k', [])!
    const wait = watch(pending.over(50))
    await vi.advanceTimersByTimeAsync(50)
    expect(wait.over).toBe(true)
    expect(pending.isOver).toBe(false)
    pending.end()
    expect(watch(pending.over(1_000))).toEqual({ over: false })
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('an answer that may lack a write is not waited for from when that is known', () => {
    const mark = new TableMark(500)
    const fresh = answers.begin('fresh', [mark])!
    fresh.sent(501)
    expect(answers.find('fresh')?.asOf).toBe(501)
    expect(fresh.isCurrent).toBe(true)
    answers.begin('old', [mark])!.sent(500)
    expect(answers.find('old')).toBeNull()
    mark.begin()
    expect(fresh.isCurrent).toBe(false)
    answers.begin('written', [mark])!.sent(2_000)
    expect(answers.find('written')).toBeNull()
  })

  it('a thousand wait for one answer, no more', () => {
    const pending = answers.begin('k', [])!
    for (let i = 0; i < 1_000; i++) void pending.over(1_000)
    expect(answers.find('k')).toBeNull()
    pending.end()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('what was waited for in vain is not for a second, whoever asks for it', () => {
    answers.begin('k', [])
    answers.begin('other', [])
    answers.inVain('k')
    expect(answers.find('k')).toBeNull()
    expect(answers.find('other')).not.toBeNull()
    now += 999
    expect(answers.find('k')).toBeNull()
    now += 2
    expect(answers.find('k')).not.toBeNull()
  })
})
