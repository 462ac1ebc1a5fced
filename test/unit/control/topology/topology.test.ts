import { describe, expect, it } from 'vitest'
import { initialTopology, observe } from '../../../../src/control/topology/topology.js'
import { LAG_RECOVERY_MS } from '../../../../src/control/topology/topology-rows.js'
import type { Observed } from '../../../../src/control/topology/topology-types.js'
import { READER, row, World, WRITER } from './topology-world.js'

const three = () => [row('a', WRITER), row('b', READER), row('c', READER)]
/** a is the writer, b and c replicate. */
const running = () => new World(three()).writable('a').replica('b').replica('c')

describe('roles follow read_only', () => {
  it('servers begin where the configuration has them', () => {
    expect(new World(three()).rows()).toEqual(['0:a', '1:b', '1:c'])
  })

  it('a planned switchover moves both servers, whichever is seen first', () => {
    const oldFirst = running().replica('a').writable('b')
    expect(oldFirst.rows()).toEqual(['0:b', '1:a', '1:c'])
    const newFirst = running().writable('b').replica('a')
    expect(newFirst.rows()).toEqual(['0:b', '1:a', '1:c'])
    expect(newFirst.log().some((line) => line.includes('refused'))).toBe(false)
  })

  it('a new writable server makes the monitor look at the old writer at once', () => {
    expect(running().writable('b').effects).toContainEqual({ kind: 'check', server: 'a' })
  })

  it('when the writer turns read-only and nobody follows, the writer hostgroup is empty', () => {
    expect(running().replica('a').rows()).toEqual(['1:a', '1:b', '1:c'])
  })

  it('the old writer gets its role back when it turns writable again', () => {
    expect(running().replica('a').writable('a').rows()).toEqual(['0:a', '1:b', '1:c'])
  })

  it('a configuration that puts all servers into the writer hostgroup is sorted out by read_only', () => {
    const world = new World([row('a', WRITER), row('b', WRITER), row('c', WRITER)])
    expect(world.rows()).toEqual(['0:a', '1:b', '1:c'])
    expect(world.replica('a').replica('c').writable('b').rows()).toEqual(['0:b', '1:a', '1:c'])
  })

  it('a configuration without a writer waits until every server was seen, then takes the one that replicates nothing', () => {
    const world = new World([row('a', READER), row('b', READER), row('c', READER)])
    expect(
      world
        .writable('a', true)
        .writable('b')
        .rows()
        .filter((one) => one.startsWith('0')),
    ).toEqual([])
    expect(world.replica('c').rows()[0]).toBe('0:b')
  })

  it('weight and limits of the row travel with the server, a row of its own in the new hostgroup wins', () => {
    const world = new World([
      row('a', WRITER, { weight: 5, maxConnections: 7 }),
      row('b', READER, { weight: 10, comment: 'reader row' }),
      row('b', WRITER, { weight: 20, comment: 'writer row' }),
    ])
    world.replica('a').writable('b')
    expect(world.state.entries).toMatchObject([
      { id: 'b', hostgroup: WRITER, weight: 20, comment: 'writer row' },
      { id: 'a', hostgroup: READER, weight: 5, maxConnections: 7 },
    ])
  })

  it('servers of hostgroups without a pair stay where they are', () => {
    const world = new World([...three(), row('d', 7)])
    expect(world.writable('d').rows()).toContain('7:d')
  })
})

describe('a second writable server', () => {
  it('is refused while the writer is writable, loudly and once', () => {
    const world = running().writable('b').writable('a').writable('b').writable('b')
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED', '1:c'])
    expect(world.reason('b')).toBe('read_only = 0 while a is the writer: set read_only=1 on b and make it replicate')
    expect(world.log().filter((line) => line.includes('refused as a second writer'))).toHaveLength(1)
  })

  it('is refused when it is an old primary that comes back writable', () => {
    const world = running().fails('a').writable('b')
    expect(world.rows()).toEqual(['0:b', '1:a SHUNNED', '1:c'])
    world.writable('a').writable('b').writable('a')
    expect(world.rows()).toEqual(['0:b', '1:a SHUNNED', '1:c'])
    expect(world.reason('a')).toContain('while b is the writer')
    expect(world.replica('a').later(LAG_RECOVERY_MS).replica('a').rows()).toEqual(['0:b', '1:a', '1:c'])
  })

  it('waits as long as the writer has failed less often than the limit', () => {
    const world = running().fails('a', 2).writable('b')
    expect(world.rows()[0]).toBe('0:a')
    expect(world.fails('a', 1).writable('b').rows()[0]).toBe('0:b')
  })

  it('that still replicates is a replica without read_only=1: it serves reads and is not promoted by an outage', () => {
    const world = running().writable('b', true).writable('a').writable('b', true)
    expect(world.rows()).toEqual(['0:a', '1:b', '1:c'])
    const fresh = new World(three()).writable('a').writable('b', true).replica('c').fails('a').writable('b', true)
    expect(fresh.rows()).toEqual(['0:a SHUNNED', '1:b', '1:c'])
  })

  it('that replicates but was seen read-only before was promoted by somebody: it follows a dead writer', () => {
    expect(running().fails('a').writable('b', true).rows()).toEqual(['0:b', '1:a SHUNNED', '1:c'])
  })

  it('follows a writer that was dead from the start when it is the only one', () => {
    const world = new World(three()).fails('a').replica('c').writable('b')
    expect(world.rows()).toEqual(['0:b', '1:a SHUNNED', '1:c'])
  })
})

describe('servers that do not answer', () => {
  it('are SHUNNED after the configured number of failures in a row, and ONLINE after one success', () => {
    const world = running().fails('b', 2)
    expect(world.rows()).toEqual(['0:a', '1:b', '1:c'])
    expect(world.replica('b').fails('b', 2).rows()).toEqual(['0:a', '1:b', '1:c'])
    expect(world.fails('b', 1).rows()).toEqual(['0:a', '1:b SHUNNED', '1:c'])
    expect(world.reason('b')).toBe('does not answer: connection refused')
    expect(world.replica('b').rows()).toEqual(['0:a', '1:b', '1:c'])
  })

  it('keep their role', () => {
    expect(running().fails('a').rows()).toEqual(['0:a SHUNNED', '1:b', '1:c'])
    expect(running().fails('a').writable('a').rows()).toEqual(['0:a', '1:b', '1:c'])
  })

  it('that do not let the monitor look keep role and status as a writer, and lose reads as a replica', () => {
    const blind = (server: string) => ({ kind: 'blind', server, reason: 'monitor: Access denied' }) as const
    expect(running().see(blind('a')).rows()).toEqual(['0:a', '1:b', '1:c'])
    const world = running().see(blind('b'))
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED', '1:c'])
    expect(world.reason('b')).toBe('monitor: Access denied')
  })

  it('that never let the monitor look serve no reads as replicas, and the log says why', () => {
    const reason = "monitor: Access denied for user 'monitor'@'localhost' (using password: YES)"
    const world = new World(three())
    for (const server of ['a', 'b', 'c']) world.see({ kind: 'blind', server, reason })
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED', '1:c SHUNNED'])
    expect(world.log().filter((line) => line.includes('a: ') && line.includes(reason))).toHaveLength(1)
    expect(world.see({ kind: 'blind', server: 'a', reason }).log()).toHaveLength(world.log().length)
  })

  it('that are not configured change nothing', () => {
    const world = running()
    const before = world.state
    expect(world.replica('nobody').state).toBe(before)
  })
})

describe('replication lag', () => {
  const limited = () =>
    new World([row('a', WRITER, { maxReplicationLag: 2 }), row('b', READER, { maxReplicationLag: 2 })])
      .writable('a')
      .replica('b')

  it('over the limit sets a replica aside until it was under it for a moment', () => {
    const world = limited().replica('b', 2001)
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED'])
    expect(world.reason('b')).toBe('replication lag is over 2 s')
    world.replica('b', 100)
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED'])
    world.later(LAG_RECOVERY_MS / 2).replica('b', 3000)
    world.later(LAG_RECOVERY_MS / 2).replica('b', 100)
    expect(
      world
        .later(LAG_RECOVERY_MS - 10)
        .replica('b', 100)
        .rows(),
    ).toEqual(['0:a', '1:b SHUNNED'])
    expect(world.later(10).replica('b', 100).rows()).toEqual(['0:a', '1:b'])
  })

  it('of any size is fine without a limit', () => {
    expect(running().replica('b', 10_000_000).rows()).toEqual(['0:a', '1:b', '1:c'])
  })

  it('that is not known because replication is broken sets a replica aside whatever the limit', () => {
    const world = running().replica('b', null, 'replication applier is stopped: duplicate key')
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED', '1:c'])
    expect(world.reason('b')).toBe('replication applier is stopped: duplicate key')
  })

  it('never sets the writer aside', () => {
    const world = limited()
    world.see({ kind: 'answered', server: 'a', readOnly: false, replicating: true, lagMs: 99_000, lagReason: '' })
    expect(world.rows()).toEqual(['0:a', '1:b'])
  })

  it('says nothing new while the server does not answer', () => {
    const world = limited()
      .replica('b', 5000)
      .fails('b', 1)
      .later(LAG_RECOVERY_MS * 2)
      .fails('b', 1)
    expect(world.rows()).toEqual(['0:a', '1:b SHUNNED'])
  })

  it('outside replication pairs only counts for a server that replicates and has a limit', () => {
    const world = new World([row('d', 7), row('e', 8, { maxReplicationLag: 1 })], [])
    world.writable('d').replica('e', 500)
    expect(world.rows()).toEqual(['7:d', '8:e'])
    expect(world.replica('e', 1500).rows()).toEqual(['7:d', '8:e SHUNNED'])
  })
})

describe('configured states and new configurations', () => {
  it('what the operator took out of service stays out, whatever is seen', () => {
    const world = new World([row('a', WRITER), row('b', READER, { status: 'OFFLINE_SOFT' })]).writable('a').replica('b')
    expect(world.rows()).toEqual(['0:a', '1:b OFFLINE_SOFT'])
  })

  it('an OFFLINE_HARD server is no candidate for the writer', () => {
    const world = new World([row('a', WRITER), row('b', READER, { status: 'OFFLINE_HARD' })]).replica('a').writable('b')
    expect(world.rows()).toEqual(['1:a', '1:b OFFLINE_HARD'])
  })

  it('new rules keep roles and what is known of servers that stay', () => {
    const world = running().replica('a').writable('b')
    world.reload([row('a', WRITER), row('b', READER), row('d', READER)])
    expect(world.rows()).toEqual(['0:b', '1:a', '1:d'])
    expect(world.log()).toContain('c: removed from hostgroup 1 (configuration)')
    expect(world.log()).toContain('d: added to hostgroup 1 (configuration)')
  })

  it('changes come as one event each with server, change and reason, and a snapshot to publish', () => {
    const world = running().fails('b')
    expect(world.effects).toEqual([
      {
        kind: 'log',
        level: 'warn',
        event: expect.objectContaining({ server: 'b', why: 'does not answer: connection refused' }),
      },
      { kind: 'publish' },
    ])
    expect(world.replica('c').effects).toEqual([])
  })
})

describe('a hostgroup with more servers ONLINE than max_num_online_servers', () => {
  const servers = ['a', 'b'].map((name) => row(name, 7))
  const hostgroupAttributes = [{ hostgroup: 7, maxOnlineServers: 1 }]

  it('is told of when that begins, at the start too, and when it is over', () => {
    const world = new World(servers, [], { hostgroupAttributes })
    world.writable('a')
    expect(world.log()).toEqual(['hostgroup 7 is not used (2 servers are ONLINE there, max_num_online_servers is 1)'])
    world.writable('b').fails('b').writable('b')
    expect(world.log().filter((line) => line.startsWith('hostgroup'))).toEqual([
      'hostgroup 7 is not used (2 servers are ONLINE there, max_num_online_servers is 1)',
      'hostgroup 7 is used again (over: 2 servers are ONLINE there, max_num_online_servers is 1)',
      'hostgroup 7 is not used (2 servers are ONLINE there, max_num_online_servers is 1)',
    ])
  })
})

describe('what is observed at once', () => {
  it('is judged once, each server by all that was seen of it', () => {
    const servers = Array.from({ length: 100 }, (_, at) => row(`db${at}`, 9))
    const state = initialTopology({ servers, replicationHostgroups: [], maxFailures: 3 })
    const failed = (server: string, atMs: number): Observed => ({
      observation: { kind: 'failed', server, reason: 'refused' },
      atMs,
    })
    const observations = servers.flatMap(({ id }, at) => [1, 2, ...(at < 50 ? [3] : [])].map((ms) => failed(id, ms)))
    const { state: next, effects } = observe(state, [...observations, failed('nobody', 4)], {
      monotonicMs: 9,
      dateMs: 9,
    })
    expect(next.entries.map(({ status }) => status)).toEqual(servers.map((_, at) => (at < 50 ? 'SHUNNED' : 'ONLINE')))
    expect(next.nodes.get('db0')).toMatchObject({ failures: 3, observedMs: 3 })
    expect(effects.filter(({ kind }) => kind === 'log')).toHaveLength(50)
    expect(effects.filter(({ kind }) => kind === 'publish')).toHaveLength(1)
  })
})
