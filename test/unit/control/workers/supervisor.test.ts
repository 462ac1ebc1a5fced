import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DEFAULT_GREETING } from '../../../../src/control/monitor/greeting.js'
import { noCounters } from '../../../../src/control/workers/counters-merge.js'
import { PublishedRules } from '../../../../src/control/workers/published-rules.js'
import { Supervisor } from '../../../../src/control/workers/supervisor.js'
import type { RouteQuestion } from '../../../../src/shared/explanation.js'
import { SESSION_IDS } from '../../../../src/shared/ipc.js'
import {
  DEFAULT_CONSISTENCY,
  DEFAULT_DIGESTS,
  DEFAULT_QUERY_CACHE,
  type HealthReport,
  type Limits,
  type Snapshot,
} from '../../../../src/shared/snapshot.js'

/** Starting a process takes its time there. */
const A_BUSY_MACHINE = { timeout: 60_000 }
/** The shortest limit, and what a busy machine needs beyond it. */
const A_HANG = { timeout: 60_000 }
const FIXTURE = fileURLToPath(new URL('../fixtures/worker.mjs', import.meta.url))
const NO_HEALTH: HealthReport = { sequence: 0, servers: [] }

interface Behaviour {
  /** The worker of this number answers neither snapshots nor questions. */
  silent?: number
  diesAtOnce?: boolean
  /** The first worker that finds no file of this name makes it, and dies. */
  diesOnceIn?: string
  /** Tells its counters again and again, as real workers do. */
  reports?: boolean
  /** Does not end when told to. */
  stubborn?: boolean
  suspicious?: boolean
  /** The worker of this number tells the others that it is writing a table. */
  writes?: number
  /** The worker of this number cannot begin before it has asked for the query rules. */
  asksForRules?: number
  /** The worker of this number hears nothing of how to begin until it has been asked for its counters. */
  losesFirst?: number
}

const running: Supervisor[] = []
const logged: string[] = []
const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line).msg) })

afterEach(async () => {
  for (const supervisor of running.splice(0)) {
    supervisor.kill()
    await supervisor.whenAllExited()
  }
  logged.length = 0
})

async function supervise(workers: number, behaviour: Behaviour = {}) {
  const suspicions: string[] = []
  const events: string[] = []
  const supervisor = new Supervisor({
    workers,
    entry: FIXTURE,
    args: [JSON.stringify(behaviour)],
    commitTimes: '',
    log,
    rules: new PublishedRules(),
    onSuspicion: (server) => suspicions.push(server),
    onEvent: ({ what }) => events.push(what),
    onWorkersChanged: () => {},
  })
  running.push(supervisor)
  return { supervisor, port: await freePort(), suspicions, events }
}

function snapshot(version: number, port: number, limits: Partial<Limits> = {}): Snapshot {
  return {
    version,
    listen: [{ host: '127.0.0.1', port }],
    servers: [],
    facts: [],
    replicationHostgroups: [],
    users: [],
    passThrough: null,
    nativeHashes: {},
    greeting: DEFAULT_GREETING,
    readOnlyFunctions: [],
    limits: limits as Limits,
    multiplexing: true,
    exclusiveHostgroups: [],
    consistency: DEFAULT_CONSISTENCY,
    digests: DEFAULT_DIGESTS,
    queryCache: DEFAULT_QUERY_CACHE,
    tls: null,
    proxyProtocolNetworks: [],
    localInfile: true,
    compressionAlgorithms: ['zlib', 'zstd', 'uncompressed'],
    workers: 2,
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Which worker answers a connection; rejects when nobody does. */
function whoAnswers(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('data', (data) => resolve(Number(data.toString())))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an answer')))
  })
}

describe('workers', () => {
  it('listen when the start is over, have taken the snapshot, and answer clients', async () => {
    const { supervisor, port } = await supervise(2)
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await supervisor.publish(snapshot(1, port))
    const workers = supervisor.workers()
    expect(workers).toMatchObject([
      { number: 1, state: 'serving', ackedVersion: 1 },
      { number: 2, state: 'serving', ackedVersion: 1 },
    ])
    expect(workers.map(({ pid }) => pid)).toContain(await whoAnswers(port))
  })

  it('listen when there is room, which is made once, when they are ready', A_BUSY_MACHINE, async () => {
    const { supervisor, port } = await supervise(2)
    let isReady = (): void => {}
    const ready = new Promise<void>((resolve) => {
      isReady = resolve
    })
    let leave = (): void => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    const makeRoom = vi.fn(() => {
      isReady()
      return left
    })
    const started = supervisor.start(snapshot(1, port), NO_HEALTH, makeRoom)
    await ready
    await expect(whoAnswers(port)).rejects.toThrow('ECONNREFUSED')
    leave()
    await started
    expect(await whoAnswers(port)).toBeGreaterThan(0)
    expect(makeRoom).toHaveBeenCalledOnce()
  })

  it('do not start where no room can be made', A_BUSY_MACHINE, async () => {
    const { supervisor, port } = await supervise(2)
    const makeRoom = (): Promise<void> => Promise.reject(new Error('in use'))
    await expect(supervisor.start(snapshot(1, port), NO_HEALTH, makeRoom)).rejects.toThrow('in use')
    await supervisor.whenAllExited()
    await expect(whoAnswers(port)).rejects.toThrow('ECONNREFUSED')
  })

  it('acknowledge each snapshot before its publication is over', async () => {
    const { supervisor, port } = await supervise(2)
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await supervisor.publish(snapshot(2, port))
    expect(supervisor.workers().map(({ ackedVersion }) => ackedVersion)).toEqual([2, 2])
  })

  it('that crash are replaced, say why in the log, and do not disturb the others', async () => {
    const { supervisor, port } = await supervise(2)
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    const [first, second] = supervisor.workers()
    process.kill(first.pid, 'SIGKILL')
    await vi.waitFor(() => {
      const [replacement] = supervisor.workers()
      expect(replacement.pid).not.toBe(first.pid)
      expect(replacement.state).toBe('serving')
    }, A_BUSY_MACHINE)
    expect(supervisor.workers()[1].pid).toBe(second.pid)
    expect(logged.join('\n')).toContain(`worker 1 (pid ${first.pid}) ended with signal SIGKILL; another starts now`)
    await supervisor.publish(snapshot(2, port))
    expect(supervisor.workers()[0].ackedVersion).toBe(2)
  })

  it('that hang do not hold a publication back once they are gone', async () => {
    const { supervisor, port } = await supervise(2, { silent: 2 })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    const published = supervisor.publish(snapshot(2, port))
    process.kill(supervisor.workers()[1].pid, 'SIGKILL')
    await published
  })

  it('that hang are killed and replaced, which is one line of the log; no other is', A_HANG, async () => {
    const { supervisor, port } = await supervise(2, { reports: true })
    await supervisor.start(snapshot(1, port, { workerHangMs: 3000 }), NO_HEALTH)
    const [first, second] = supervisor.workers()
    process.kill(first.pid, 'SIGSTOP')
    await vi.waitFor(() => {
      const [replacement] = supervisor.workers()
      expect(replacement.pid).not.toBe(first.pid)
      expect(replacement.state).toBe('serving')
    }, A_HANG)
    expect(supervisor.workers()[1].pid).toBe(second.pid)
    expect(logged).toEqual([
      `worker 1 (pid ${first.pid}) ended with signal SIGKILL: it told nothing for 3 s; another starts now`,
    ])
  })

  it('that hang while they drain without a limit are killed, too', A_HANG, async () => {
    const { supervisor, port } = await supervise(1, { stubborn: true })
    await supervisor.start(snapshot(1, port, { workerHangMs: 3000 }), NO_HEALTH)
    await supervisor.drain(null)
    expect(logged).toEqual(['worker 1 ended with signal SIGKILL: it told nothing for 3 s'])
  })

  it('that hang are named to whoever waits for their answer', A_HANG, async () => {
    const { supervisor, port } = await supervise(1, { silent: 1 })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    const question: RouteQuestion = { sql: 'SELECT 1', user: '', schema: '', session: 0 }
    const [flushed, explained] = await Promise.allSettled([
      supervisor.flushQueryCache(),
      supervisor.explainRoute(question),
    ])
    expect(flushed).toMatchObject({
      reason: { message: 'worker 1 does not answer; it forgets its answers when it does' },
    })
    expect(explained).toMatchObject({ value: { problem: 'worker 1 does not answer' } })
    await vi.waitFor(async () => {
      const killed = supervisor.killSession(SESSION_IDS.first + SESSION_IDS.workersMax + 1, false)
      await expect(killed).rejects.toThrow('worker 1 does not answer')
    }, A_HANG)
  })

  it('pass on what they suspect', async () => {
    const { supervisor, port, suspicions } = await supervise(1, { suspicious: true })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await vi.waitFor(() => expect(suspicions).toContain('db:3306'))
  })
})

describe('a worker that has to ask for the query rules first', () => {
  it('is told all the same what others are writing, before it serves', A_BUSY_MACHINE, async () => {
    const { supervisor, port, suspicions } = await supervise(2, { writes: 1, asksForRules: 2 })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await vi.waitFor(() => expect(suspicions).toContain('shop.t'), A_BUSY_MACHINE)
  })
})

describe('the start', () => {
  it('fails with the address when a worker cannot listen, and leaves no process', async () => {
    const { supervisor, port } = await supervise(2)
    const blocker = createServer().listen(port, '127.0.0.1')
    await expect(supervisor.start(snapshot(1, port), NO_HEALTH)).rejects.toThrow('listen: somewhere: EADDRINUSE')
    await supervisor.whenAllExited()
    expect(supervisor.workers().every(({ state }) => state === 'exited')).toBe(true)
    blocker.close()
  })

  it('starts a worker again that ends before it listens', A_BUSY_MACHINE, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-supervisor-'))
    const { supervisor, port } = await supervise(2, { diesOnceIn: join(folder, 'died') })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    rmSync(folder, { recursive: true })
    expect(supervisor.workers().map(({ number, state }) => [number, state])).toEqual([
      [1, 'serving'],
      [2, 'serving'],
    ])
    expect(logged.filter((line) => /ended with exit code 3; another starts/.test(line))).toHaveLength(1)
  })

  it(
    'tells a worker how to begin until it has heard that, whatever else it answers meanwhile',
    A_BUSY_MACHINE,
    async () => {
      const { supervisor, port } = await supervise(2, { losesFirst: 2 })
      await supervisor.start(snapshot(1, port), NO_HEALTH)
      expect(supervisor.workers().map(({ state }) => state)).toEqual(['serving', 'serving'])
    },
  )

  it('fails when workers end before they listen, again and again', A_BUSY_MACHINE, async () => {
    const { supervisor, port } = await supervise(1, { diesAtOnce: true })
    const start = supervisor.start(snapshot(1, port), NO_HEALTH)
    await expect(start).rejects.toThrow('worker 1 ended with exit code 3 before it listened')
    expect(logged.filter((line) => /another starts/.test(line))).toHaveLength(3)
    expect(supervisor.workers().map(({ state }) => state)).toEqual(['exited'])
  })
})

describe('counters', () => {
  it('are summed over workers; totals stay when a worker ends, gauges do not', async () => {
    const { supervisor, port } = await supervise(2)
    expect(supervisor.counters()).toEqual(noCounters())
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await supervisor.publish(snapshot(1, port))
    const both = { global: { questions: 20, clientConnectionsConnected: 2 }, cpuUs: 10 }
    await vi.waitFor(() => expect(supervisor.counters()).toMatchObject(both), A_BUSY_MACHINE)
    await supervisor.drain(1000)
    expect(supervisor.counters()).toMatchObject({
      global: { questions: 22, clientConnectionsConnected: 0, clientConnectionsCreated: 2 },
      residentBytes: 0,
      cpuUs: 10,
    })
  })
})

describe('counting now', () => {
  it('brings what each worker counts at this moment; one that does not answer within a second keeps what it told before', async () => {
    const { supervisor, port } = await supervise(2, { silent: 1 })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    const told = { global: { questions: 20 } }
    await vi.waitFor(() => expect(supervisor.counters()).toMatchObject(told), A_BUSY_MACHINE)
    await supervisor.countNow()
    expect(supervisor.counters()).toMatchObject({ global: { questions: 10 + 20 } })
  })
})

describe('the process list', () => {
  it('holds the sessions of all workers in order', async () => {
    const { supervisor, port } = await supervise(2)
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    expect((await supervisor.processlist()).map(({ sessionId }) => sessionId)).toEqual([98, 99])
  })

  it('comes without the worker that does not answer within a second', async () => {
    const { supervisor, port } = await supervise(2, { silent: 1 })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    expect((await supervisor.processlist()).map(({ threadId }) => threadId)).toEqual([2])
  })
})

describe('a drain', () => {
  it('ends when all workers have ended by themselves', async () => {
    const { supervisor, port } = await supervise(2)
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await supervisor.drain(5000)
    expect(supervisor.workers().map(({ state }) => state)).toEqual(['exited', 'exited'])
    await expect(whoAnswers(port)).rejects.toThrow('ECONNREFUSED')
  })

  it('does not wait for workers that do not listen yet', async () => {
    const { supervisor, port } = await supervise(2)
    const start = expect(supervisor.start(snapshot(1, port), NO_HEALTH)).rejects.toThrow('before it listened')
    const began = performance.now()
    await supervisor.drain(20_000)
    expect(performance.now() - began).toBeLessThan(5000)
    await start
  })

  it('kills workers that have not ended a second after the limit', async () => {
    const { supervisor, port } = await supervise(1, { stubborn: true })
    await supervisor.start(snapshot(1, port), NO_HEALTH)
    await supervisor.drain(100)
    expect(logged.join('\n')).toContain('worker 1 ended with signal SIGKILL: it had not finished in time')
  })
})
