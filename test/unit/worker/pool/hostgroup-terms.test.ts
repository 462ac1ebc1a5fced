import { expect, it } from 'vitest'
import type { HostgroupAttributes, Limits } from '../../../../src/shared/snapshot.js'
import { HostgroupTerms } from '../../../../src/worker/pool/hostgroup-terms.js'
import { serverEntry, snapshotOf } from '../fixture.js'

const SERVERS = [serverEntry('a', 0), serverEntry('b', 1), serverEntry('c', 1), serverEntry('c', 2)]

function termsOf(hostgroupAttributes: HostgroupAttributes[], more: Partial<Limits> = {}): HostgroupTerms {
  const snapshot = snapshotOf(SERVERS)
  return new HostgroupTerms({ ...snapshot, hostgroupAttributes, limits: { ...snapshot.limits, ...more } })
}

it('a hostgroup has what its attributes say, and otherwise what holds for all', () => {
  const all = { freeConnectionsPct: 20, connectionWarming: true, throttleConnectionsPerSecToHostgroup: 50 }
  const own = { hostgroup: 1, freeConnectionsPct: 60, connectionWarming: false, throttleConnectionsPerSec: 5 }
  const terms = termsOf([own, { hostgroup: 2, throttleConnectionsPerSec: 7 }], all)
  expect([0, 1, 2].map((hostgroup) => terms.openingsPerSecond(hostgroup))).toEqual([50, 5, 7])
  expect([0, 1, 2].map((hostgroup) => terms.isWarmed(hostgroup))).toEqual([true, false, true])
  expect([terms.freeConnectionsPct('a:3306'), terms.freeConnectionsPct('b:3306')]).toEqual([20, 60])
})

it('of a server in several hostgroups as many idle connections are kept as the one that wants most says', () => {
  const pctOfC = (one: number, two: number): number =>
    termsOf([
      { hostgroup: 1, freeConnectionsPct: one },
      { hostgroup: 2, freeConnectionsPct: two },
    ]).freeConnectionsPct('c:3306')
  expect([pctOfC(0, 40), pctOfC(40, 0), pctOfC(0, 0)]).toEqual([40, 40, 0])
})

it('nothing is warmed where no hostgroup with servers wants it', () => {
  expect(termsOf([]).warmsAny).toBe(false)
  expect(termsOf([{ hostgroup: 9, connectionWarming: true }]).warmsAny).toBe(false)
  expect(termsOf([{ hostgroup: 2, connectionWarming: true }]).warmsAny).toBe(true)
})
