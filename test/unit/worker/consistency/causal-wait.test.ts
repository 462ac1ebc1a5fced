import { describe, expect, it, vi } from 'vitest'
import { encodeTextResultSet } from '../../../../protocol/index.js'
import { monotonicMs } from '../../../../src/shared/clock.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import { parseGtidSet } from '../../../../src/shared/gtid.js'
import { DEFAULT_CONSISTENCY, type Flavor } from '../../../../src/shared/snapshot.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import { type CatchUp, catchUp } from '../../../../src/worker/consistency/causal-wait.js'
import { SessionConsistency } from '../../../../src/worker/consistency/session-consistency.js'
import type { WorkerContext } from '../../../../src/worker/context.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { fakeBackend, serverEntry, snapshotOf } from '../fixture.js'

const COLUMNS = ['a', 'b', 'c'].map((name) => ({ name }))
const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const STATUS = { statusFlags: 2, mariadbCapabilities: 0 }

/** A connection to a server that answers each question with the same row, and the questions. */
function connection(name: string, hostgroup: number, flavor: Flavor, row: readonly string[]) {
  const { backend, socket } = fakeBackend(name, { hostgroup })
  backend.target = { ...backend.target, flavor }
  const asked: string[] = []
  let hangs = false
  socket.write = (bytes: Buffer) => {
    asked.push(bytes.subarray(5).toString('latin1'))
    const answer = encodeTextResultSet(COLUMNS.slice(0, row.length), [[...row]], 0, STATUS)
    if (!hangs) queueMicrotask(() => backend.receive(answer, answer.length))
    return true
  }
  const hang = (): void => {
    hangs = true
  }
  return { backend, asked, hang }
}

/** A session that has read on the primary, and one replica. */
function world(flavor: Flavor, primaryTells: readonly string[], replicaTells: string, causalWaitMs = 60_000) {
  const servers = [serverEntry('primary', 0), serverEntry('replica', 1)]
  const { greeting } = snapshotOf(servers)
  const settings = { ...DEFAULT_CONSISTENCY, causalWaitMs }
  const view = new TopologyView(snapshotOf(servers, { greeting: { ...greeting, flavor }, consistency: settings }))
  const [candidate] = view.online(1)
  candidate.gtids = parseGtidSet('', flavor)
  const consistency = new SessionConsistency(0)
  consistency.sawOnPrimary(1)
  const primary = connection('primary', 0, flavor, primaryTells)
  const replica = connection('replica', 1, flavor, [replicaTells])
  const rested: Backend[] = []
  const session = {
    stays: true,
    command: { level: 'session', causal: '', wishes: null, waited: false },
    facts: { consistency },
    backends: { get: () => primary.backend, has: () => session.stays },
    letRest: (backend: Backend) => rested.push(backend),
  } as unknown as CatchUp & { stays: boolean }
  const spare: Backend[] = []
  const pool = {
    wake: (_: Backend) => {},
    borrow: ({ target }: Candidate) => spare.find((backend) => backend.target.host === target.host) ?? null,
    release: () => {},
  }
  const context = { view, pool, counters: newGlobalCounters(), causal: null } as unknown as WorkerContext
  const wait = (gtids: string | null, since = Number.POSITIVE_INFINITY) =>
    catchUp(candidate, replica.backend, { gtids, byReport: false, since }, session, context)
  const waitForReport = () => {
    candidate.gtids = null
    const wanted = { gtids: null, byReport: true, since: Number.POSITIVE_INFINITY }
    return catchUp(candidate, replica.backend, wanted, session, context)
  }
  let reports = 0
  const report = (coversPrimaryAt: number) => {
    const health = { id: 'replica:3306', alive: true, lagMs: 0, lagReason: '', gtidExecuted: '', incarnation: 1 }
    view.applyHealth({ sequence: ++reports, servers: [{ ...health, toldByLog: true, coversPrimaryAt }] })
  }
  return { wait, waitForReport, report, candidate, consistency, primary, replica, spare, session, rested }
}

describe('a read that asks the primary how far it is', () => {
  it.each<[Flavor, readonly string[], string]>([
    ['mysql', ['0', `${UUID}:5#47`, `${UUID}:1-4`], '0'],
    ['mariadb', ['0', '0-2-40', '0-1-50'], '0-1-50'],
    ['mariadb', ['OFF', '0-2-40', '0-1-30'], '0-2-40'],
  ])('on %s, which tells %j, goes to a replica that has it', async (flavor, tells, reached) => {
    const { wait, candidate, consistency, replica } = world(flavor, tells, reached)
    expect(consistency.isMetBy(candidate)).toBe(false)
    expect(await wait(null)).toBe(true)
    expect(consistency.isMetBy(candidate)).toBe(true)
    expect(replica.asked[0]).toContain(flavor === 'mysql' ? `${UUID}:1-5` : reached)
  })

  it('asks once for all who need no more than what is told, and again for who needs what came later', async () => {
    const { wait, primary, replica } = world('mysql', ['0', '', `${UUID}:1-5`], '0')
    const before = monotonicMs()
    expect(await wait(null, before - 1)).toBe(true)
    expect(await wait(null, before - 1)).toBe(true)
    expect([primary.asked.length, replica.asked.length]).toEqual([1, 2])
    expect(await wait(null, monotonicMs())).toBe(true)
    expect(primary.asked).toHaveLength(2)
    expect(await wait(null)).toBe(true)
    expect(primary.asked).toHaveLength(3)
  })

  it('leaves a connection alone that its session, which has ended meanwhile, has no more', async () => {
    const { wait, primary, replica, session, rested } = world('mysql', ['0', '', `${UUID}:1-5`], '0')
    const waiting = wait(null)
    session.stays = false
    expect(await waiting).toBe(false)
    expect([primary.asked.length, replica.asked.length]).toEqual([1, 0])
    expect(rested).toEqual([])
  })

  it('in vain lets the next one wait as soon as the replica is seen to have caught up', async () => {
    const { wait, candidate, replica, spare } = world('mysql', ['0', '', `${UUID}:1-5`], '1')
    spare.push(connection('replica', 1, 'mysql', ['0']).backend)
    expect(await wait(null)).toBe(false)
    expect(replica.asked).toHaveLength(1)
    expect(candidate.target.known.noWaitUntil).toBeGreaterThan(monotonicMs())
    await vi.waitFor(() => expect(candidate.target.known.noWaitUntil).toBe(-1))
    expect(candidate.target.known.reachedAt).toBeGreaterThan(0)
  })

  it('does not wait longer than causal_wait for a primary that hangs', async () => {
    const { wait, primary, replica, session } = world('mysql', ['0', '', `${UUID}:1-5`], '0', 20)
    primary.hang()
    expect(await wait(null)).toBe(false)
    expect([primary.asked.length, replica.asked.length]).toEqual([1, 0])
    expect(session.command.waited).toBe(true)
  })

  it.each<[Flavor, readonly string[]]>([
    ['mysql', ['1', '', `${UUID}:1-5`]],
    ['mariadb', ['1', '', '0-1-50']],
    ['mariadb', ['NO_LOCK_NO_ADMIN', '', '0-1-50']],
  ])('on %s does not believe one that is read-only: its successor may have written more', async (flavor, tells) => {
    const { wait, candidate, consistency, replica } = world(flavor, tells, '0')
    expect(await wait(null)).toBe(false)
    expect(consistency.isMetBy(candidate)).toBe(false)
    expect(replica.asked).toEqual([])
  })
})

describe('a read that waits, without GTIDs, for a report of what a replica has', () => {
  it('goes there with the first one of a moment after it began to wait, and asks nobody', async () => {
    const { waitForReport, report, candidate, consistency, primary, replica } = world('mysql', [], '')
    const before = monotonicMs()
    let outcome: boolean | null = null
    const waiting = waitForReport().then((met) => {
      outcome = met
    })
    for (const covered of [before - 1, -1, before]) {
      report(covered)
      await new Promise((resolve) => setImmediate(resolve))
      expect(outcome).toBeNull()
    }
    report(monotonicMs() + 1)
    await waiting
    expect(outcome).toBe(true)
    expect(consistency.isMetBy(candidate)).toBe(true)
    expect([...primary.asked, ...replica.asked]).toEqual([])
  })

  it('goes to the primary after causal_wait, and nobody else waits for that replica for a while', async () => {
    const { waitForReport, report, candidate, session } = world('mysql', [], '', 20)
    const waiting = waitForReport()
    report(1)
    expect(await waiting).toBe(false)
    expect(session.command.waited).toBe(true)
    expect(candidate.target.known.noWaitUntil).toBeGreaterThan(0)
  })
})

describe('a replica that was waited for', () => {
  it('has the transaction of that number, not another one of the same (MariaDB)', async () => {
    const { wait, candidate, consistency } = world('mariadb', [], '0-1-55')
    consistency.wrote(2, '0-2-50', 'mariadb')
    expect(await wait('0-2-50')).toBe(false)
    expect(consistency.isCaughtUp(candidate.target.known)).toBe(false)
  })
})
