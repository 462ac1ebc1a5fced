import { describe, expect, it } from 'vitest'
import { DEFAULT_CONSISTENCY, type HealthReport, type ServerHealth } from '../../../../src/shared/snapshot.js'
import { findOnline, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { serverEntry, snapshotOf } from '../fixture.js'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'

function report(sequence: number, more: Partial<ServerHealth>): HealthReport {
  const health = {
    id: 'replica:3306',
    alive: true,
    lagMs: 0,
    lagReason: '',
    gtidExecuted: '',
    toldByLog: false,
    coversPrimaryAt: -1,
    incarnation: 1,
  }
  return { sequence, servers: [{ ...health, ...more }] }
}

const view = () => new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)]))

describe('a snapshot', () => {
  it('only servers that are ONLINE can be chosen', () => {
    const of = new TopologyView(
      snapshotOf([
        serverEntry('primary', 0),
        serverEntry('shunned', 1, { status: 'SHUNNED' }),
        serverEntry('soft', 1, { status: 'OFFLINE_SOFT' }),
        serverEntry('hard', 1, { status: 'OFFLINE_HARD' }),
        serverEntry('replica', 1),
      ]),
    )
    expect(of.online(1).map(({ entry }) => entry.host)).toEqual(['replica'])
    expect(of.online(9)).toEqual([])
    expect(of.readerOf(0)).toBe(1)
    expect(of.readerOf(1)).toBe(-1)
    expect(findOnline(of, 'shunned:3306')).toBeNull()
    expect(findOnline(of, 'replica:3306')?.entry.host).toBe('replica')
  })

  it('keeps what is known of a server that stays where it is, and forgets it when it moves', () => {
    const of = view()
    of.applyHealth(report(1, { gtidExecuted: `${UUID}:1-5`, coversPrimaryAt: 9, lagMs: 20 }))
    of.online(1)[0].target.known.breaker.failed(0, 0, false)
    of.applySnapshot(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1, { weight: 5 })], { version: 2 }))
    expect(of.online(1)[0]).toMatchObject({ coversPrimaryAt: 9, lagMs: 20, gtidText: `${UUID}:1-5` })
    expect(of.online(1)[0].target.known.breaker.isAvoided(1)).toBe(true)
    of.applySnapshot(snapshotOf([serverEntry('replica', 0), serverEntry('primary', 1)], { version: 3 }))
    expect(of.online(0)[0]).toMatchObject({ coversPrimaryAt: -1, gtidText: '' })
    expect(of.online(0)[0].target.known.breaker.isAvoided(1)).toBe(false)
  })

  it('of a hostgroup with more servers ONLINE than it may have none can be chosen, and what is known of them is kept', () => {
    const servers = ['a', 'b'].map((name) => serverEntry(name, 1))
    const limited = (max: number) => ({ hostgroupAttributes: [{ hostgroup: 1, maxOnlineServers: max }] })
    const of = new TopologyView(snapshotOf(servers, limited(1)))
    expect([of.online(1), of.crowdOf(1), findOnline(of, 'a:3306')]).toEqual([[], { online: 2, max: 1 }, null])
    of.applyHealth(report(1, { id: 'a:3306', lagMs: 70 }))
    of.applySnapshot(snapshotOf(servers, limited(2)))
    expect([of.online(1).map(({ lagMs }) => lagMs), of.crowdOf(1)]).toEqual([[70, null], null])
    of.applySnapshot(snapshotOf([servers[0], { ...servers[1], status: 'SHUNNED' }], limited(1)))
    expect(of.online(1).map(({ entry }) => entry.host)).toEqual(['a'])
  })

  it('a server that was set aside comes back without the mark that it refused a connection', () => {
    const of = view()
    of.online(1)[0].target.known.breaker.failed(0, 0, false)
    of.applySnapshot(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1, { status: 'SHUNNED' })]))
    of.applySnapshot(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)]))
    expect(of.online(1)[0].target.known.breaker.isAvoided(1)).toBe(false)
  })

  it('tells which hostgroups may be written to', () => {
    const of = new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('other', 5)]))
    expect([0, 1, 5].map((hostgroup) => of.isWriter(hostgroup))).toEqual([true, false, true])
    const unpaired = new TopologyView(snapshotOf([serverEntry('primary', 0)], { replicationHostgroups: [] }))
    expect(unpaired.isWriter(0)).toBe(true)
  })
})

describe('a health report', () => {
  it('is ignored when it is older than one already seen', () => {
    const of = view()
    of.applyHealth(report(5, { coversPrimaryAt: 50 }))
    of.applyHealth(report(4, { coversPrimaryAt: 40 }))
    of.applyHealth(report(5, { coversPrimaryAt: 41 }))
    expect(of.online(1)[0].coversPrimaryAt).toBe(50)
    of.applyHealth(report(6, { coversPrimaryAt: 60 }))
    expect(of.online(1)[0].coversPrimaryAt).toBe(60)
  })

  it('a GTID set that cannot be read counts as not known, and one of an unknown server changes nothing', () => {
    const of = view()
    of.applyHealth(report(1, { gtidExecuted: 'nonsense' }))
    expect(of.online(1)[0].gtids).toBeNull()
    of.applyHealth(report(2, { id: 'stranger:1', gtidExecuted: `${UUID}:1` }))
    expect(of.online(1)[0].gtids).toBeNull()
    of.applyHealth(report(3, { gtidExecuted: `${UUID}:1` }))
    expect(of.online(1)[0].gtids).not.toBeNull()
    of.applyHealth(report(4, { gtidExecuted: '' }))
    expect(of.online(1)[0].gtids).toBeNull()
  })
})

describe('the time after which replicas are taken to have everything', () => {
  const consistency = { ...DEFAULT_CONSISTENCY, pinMs: 500 }
  const pinned = () =>
    new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)], { consistency }))

  it('counts where servers have no GTIDs, when it is configured', () => {
    const of = pinned()
    of.applyHealth(report(1, { id: 'primary:3306', coversPrimaryAt: Number.MAX_SAFE_INTEGER }))
    expect(of.pinMs(0)).toBe(500)
    expect(view().pinMs(0)).toBeNull()
  })

  it('does not count where they have, also while a new primary has not told them yet', () => {
    const of = pinned()
    const servers = ['primary', 'replica'].map((name) => report(1, { id: `${name}:3306`, gtidExecuted: `${UUID}:1-5` }))
    of.applyHealth({ sequence: 1, servers: servers.flatMap(({ servers }) => servers) })
    expect(of.pinMs(0)).toBeNull()
    const swapped = [serverEntry('replica', 0), serverEntry('primary', 1)]
    of.applySnapshot(snapshotOf(swapped, { version: 2, consistency }))
    expect(of.online(0)[0].gtidText).toBe('')
    expect(of.pinMs(0)).toBeNull()
  })

  it('does not count where a place in the binary log tells what replicas have, also while a new primary’s has not told it yet', () => {
    const of = pinned()
    of.applyHealth(report(1, { toldByLog: true, coversPrimaryAt: 100 }))
    expect(of.pinMs(0)).toBeNull()
    of.applyHealth(report(2, { toldByLog: false, coversPrimaryAt: -1 }))
    expect(of.pinMs(0)).toBeNull()
  })
})

describe('waiting for news', () => {
  it('calls back once, at the next snapshot or report, unless it was forgotten', () => {
    const of = view()
    const calls: string[] = []
    const forgotten = () => calls.push('forgotten')
    of.onceChanged(() => calls.push('first'))
    of.onceChanged(forgotten)
    of.forget(forgotten)
    of.applyHealth(report(1, {}))
    of.applyHealth(report(2, {}))
    expect(calls).toEqual(['first'])
  })

  it('who waits again while being called is called at the next news, not at this one', () => {
    const of = view()
    let calls = 0
    const again = () => {
      calls++
      if (calls < 3) of.onceChanged(again)
    }
    of.onceChanged(again)
    of.applySnapshot(of.snapshot)
    expect(calls).toBe(1)
    of.applySnapshot(of.snapshot)
    expect(calls).toBe(2)
  })
})
