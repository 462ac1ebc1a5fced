import { describe, expect, it } from 'vitest'
import { readPool, resetPool } from '../../../../src/control/admin/tables/connection-pool.js'
import { transactionsIn } from '../../../../src/control/admin/tables/gtid-count.js'
import { hostAndPort } from '../../../../src/control/admin/tables/server-id.js'
import { newServerCounters } from '../../../../src/shared/counters.js'
import { fixtureView } from './fixture.js'

describe('transactionsIn', () => {
  it.each([
    ['', 0],
    ['3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5', 5],
    ['3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7:nightly:1-3, 3e11fa47-71ca-11e1-9e33-c80aa9429563:9', 10],
    ['0-1-40', 40],
    ['0-1-40,1-2-2', 42],
  ])('counts %s', (position, count) => {
    expect(transactionsIn(position)).toBe(count)
  })
})

describe('hostAndPort', () => {
  it.each([
    ['db1:3306', ['db1', 3306]],
    ['[2001:db8::1]:3306', ['2001:db8::1', 3306]],
    ['/run/mysqld/mysqld.sock', ['/run/mysqld/mysqld.sock', 0]],
  ])('splits %s', (id, parts) => {
    expect(hostAndPort(id)).toEqual(parts)
  })
})

describe('stats_mysql_connection_pool_reset', () => {
  it('shows what the other table shows and lets both begin again from 0, gauges excepted', () => {
    const counted = newServerCounters('127.0.0.1:3307', 0)
    Object.assign(counted, { connUsed: 2, connOk: 9, bytesSent: 700, queriesGtidSync: 3 })
    counted.byClass.read.queries = 5
    const base = fixtureView()
    const view = { ...base, counters: () => ({ ...base.counters(), servers: [structuredClone(counted)] }) }
    const before = readPool(view)
    expect(resetPool(view)).toEqual(before)
    counted.connOk += 1
    counted.byClass.write.queries += 3
    counted.queriesGtidSync += 4
    //                                                 used free ok err max queries gtid sent recv latency
    expect(readPool(view)[0].slice(4)).toEqual([2, 0, 1, 0, 0, 3, 4, 0, 0, 250])
    expect(before[0].slice(4)).toEqual([2, 0, 9, 0, 0, 5, 3, 700, 0, 250])
  })
})
