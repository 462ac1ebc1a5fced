import { describe, expect, it } from 'vitest'
import { confirmWriter, type WriterWatch, writerVerdict } from '../../../../src/control/topology/writer-confirmation.js'
import { monotonicMs } from '../../../../src/shared/clock.js'
import { MAX_FAILURES, READER, row, World, WRITER } from './topology-world.js'

const twoServers = (): World => new World([row('a', WRITER), row('b', READER)])

/** Nothing here is older than what is judged. */
const verdict = (world: World, server: string, sinceMs = 0) => writerVerdict(world.state, server, sinceMs)

describe('who is named the new primary', () => {
  it('is it when it is writable and has the role', () => {
    const world = twoServers().writable('a').replica('b')
    expect(verdict(world, 'a')).toEqual({ kind: 'writer', hostgroup: WRITER })
    expect(verdict(world, 'b')).toEqual({ kind: 'other', why: 'read_only = 1 on b' })
    world.replica('a').writable('b')
    expect(verdict(world, 'b')).toEqual({ kind: 'writer', hostgroup: WRITER })
    expect(verdict(world, 'a')).toEqual({ kind: 'other', why: 'read_only = 1 on a' })
  })

  it('is not it beside a writer that is still writable, and it is said why', () => {
    const world = twoServers().writable('a').replica('b').writable('b').writable('a')
    expect(verdict(world, 'b')).toEqual({
      kind: 'other',
      why: expect.stringMatching(/^b: read_only = 0 while a is the writer/),
    })
  })

  it('is not it when it does not answer, cannot be watched, or was not looked at since', () => {
    const world = twoServers().writable('a')
    world.see({ kind: 'failed', server: 'a', reason: 'connection refused' })
    expect(verdict(world, 'a')).toEqual({ kind: 'other', why: 'a does not answer: connection refused' })
    world.see({ kind: 'blind', server: 'a', reason: 'access denied' })
    expect(verdict(world, 'a')).toEqual({ kind: 'other', why: 'a cannot be watched: access denied' })
    world.writable('a')
    expect(verdict(world, 'a', world.nowMs + 1)).toEqual({ kind: 'other', why: 'a could not be looked at in time' })
  })

  it('is nobody when it is in no pair', () => {
    const world = new World([
      row('a', WRITER),
      row('b', READER),
      row('c', 7),
      row('d', READER, { status: 'OFFLINE_HARD' }),
    ])
    for (const server of ['c', 'd', 'nobody']) expect(verdict(world, server)).toEqual({ kind: 'unknown' })
  })
})

describe('the wait for it', () => {
  /** A control plane in whose place the test sees things; what it is told to look at is in `looks`. */
  function watch(world: World) {
    const looks: string[] = []
    const listeners = new Set<() => void>()
    const plane: WriterWatch = {
      topology: () => world.state,
      check: (server) => looks.push(server),
      onObserved: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const saw = (): void => {
      for (const listener of listeners) listener()
    }
    return { plane, looks, listeners, saw }
  }

  it('ends with the observation that makes it the writer, and looks at all of the pair meanwhile', async () => {
    const world = twoServers().writable('a').replica('b')
    world.nowMs = monotonicMs() + 60_000 // observations are newer than the question
    const { plane, looks, listeners, saw } = watch(world)
    const answer = confirmWriter('b', 60_000, plane)
    expect(looks).toEqual(['a', 'b'])
    for (let i = 0; i < MAX_FAILURES; i++) world.see({ kind: 'failed', server: 'a', reason: 'gone' })
    saw()
    world.writable('b')
    saw()
    expect(await answer).toEqual({ kind: 'writer', hostgroup: WRITER })
    expect(listeners.size).toBe(0)
  })

  it('ends after its time with the reason', async () => {
    const world = twoServers().writable('a').replica('b')
    world.nowMs = monotonicMs() + 60_000
    world.replica('b')
    const { plane, listeners } = watch(world)
    expect(await confirmWriter('b', 5, plane)).toEqual({ kind: 'other', why: 'read_only = 1 on b' })
    expect(listeners.size).toBe(0)
  })

  it('does not begin for a server that nobody knows', async () => {
    const { plane, looks } = watch(twoServers())
    expect(await confirmWriter('nobody', 60_000, plane)).toEqual({ kind: 'unknown' })
    expect(looks).toEqual([])
  })
})
