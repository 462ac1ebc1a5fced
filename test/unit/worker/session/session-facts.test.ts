import { describe, expect, it } from 'vitest'
import { parseGtidSet } from '../../../../src/shared/gtid.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { Hold, Pin, pinNames, SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { fakeBackend, serverEntry, snapshotOf, USER } from '../fixture.js'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const IN_TRANSACTION = 0x0001 | 0x0002

const replica = () => new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)])).online(1)[0]

describe('pins', () => {
  it('hold as long as one of them does', () => {
    const facts = new SessionFacts(USER)
    const { backend } = fakeBackend()
    facts.addPin(Pin.transaction, backend)
    facts.addPin(Pin.temporaryTable, backend)
    facts.removePin(Pin.transaction)
    expect(facts.pinned).toBe(backend)
    expect(pinNames(facts.pins)).toEqual(['temporary table'])
    facts.removePin(Pin.temporaryTable)
    expect(facts.pinned).toBeNull()
  })

  it('each has a name of its own', () => {
    const names = Object.values(Pin).map((pin) => pinNames(pin))
    expect(names.every((of) => of.length === 1)).toBe(true)
    expect(new Set(names.flat()).size).toBe(Object.keys(Pin).length)
  })

  it('a connection that is lost takes pins and transaction with it, and leaves a word for the client', () => {
    const facts = new SessionFacts(USER)
    const { backend } = fakeBackend()
    facts.statusFlags = IN_TRANSACTION
    facts.addPin(Pin.transaction, backend)
    facts.addPin(Pin.advisoryLock, backend)
    facts.loseConnection(backend, 'ECONNRESET')
    expect(facts).toMatchObject({ pins: 0, pinned: null, inTransaction: false, autocommit: true })
    expect(facts.lost).toBe('transaction, GET_LOCK on primary:3306 lost: ECONNRESET')
  })
})

describe('a reset', () => {
  it('is as after a login, but for what the session wrote', () => {
    const facts = new SessionFacts(USER)
    const { backend } = fakeBackend()
    facts.consistency.wrote(5, `${UUID}:1`, 'mysql')
    facts.statusFlags = 0x0001
    facts.addPin(Pin.lockTables, backend)
    facts.last = backend
    facts.addHold(Hold.nextTransaction | Hold.userVariables, backend)
    facts.reset()
    expect(facts).toMatchObject({
      pins: 0,
      pinned: null,
      last: null,
      lost: '',
      autocommit: true,
      inTransaction: false,
      holds: 0,
      heldOn: null,
      nextTransactionSet: false,
      userVariablesOnPrimary: false,
    })
    expect(facts.consistency.hasWritten(replica())).toBe(false)
  })
})

describe('own writes', () => {
  it('GTIDs of several writes add up, and a server needs them all', () => {
    const facts = new SessionFacts(USER)
    facts.consistency.wrote(5, `${UUID}:1`, 'mysql')
    facts.consistency.wrote(6, `${UUID}:3`, 'mysql')
    const server = replica()
    server.gtids = parseGtidSet(`${UUID}:3`, 'mysql')
    expect(facts.consistency.hasWritten(server)).toBe(false)
    server.gtids = parseGtidSet(`${UUID}:1-3`, 'mysql')
    expect(facts.consistency.hasWritten(server)).toBe(true)
  })

  it('one write without a GTID leaves only the time to go by, whatever GTIDs come before and after it', () => {
    for (const order of [
      ['', `${UUID}:2`],
      [`${UUID}:1`, ''],
      [`${UUID}:1`, '', `${UUID}:2`],
    ]) {
      const facts = new SessionFacts(USER)
      order.forEach((gtids, index) => {
        facts.consistency.wrote(5 + index, gtids, 'mysql')
      })
      const server = replica()
      server.gtids = parseGtidSet(`${UUID}:1-100`, 'mysql')
      expect(facts.consistency.hasWritten(server)).toBe(false)
      server.coversPrimaryAt = 5 + order.length
      expect(facts.consistency.hasWritten(server)).toBe(true)
    }
  })

  it('a server that had them once is asked again only after the next write', () => {
    const facts = new SessionFacts(USER)
    facts.consistency.wrote(5, '', 'mysql')
    const server = replica()
    server.coversPrimaryAt = 6
    expect(facts.consistency.hasWritten(server)).toBe(true)
    server.coversPrimaryAt = -1
    expect(facts.consistency.hasWritten(server)).toBe(true)
    facts.consistency.wrote(7, '', 'mysql')
    expect(facts.consistency.hasWritten(server)).toBe(false)
  })

  it('positions of MariaDB count per domain', () => {
    const facts = new SessionFacts(USER)
    facts.consistency.wrote(5, '0-1-10', 'mariadb')
    const server = replica()
    server.gtids = parseGtidSet('0-1-9,1-1-100', 'mariadb')
    expect(facts.consistency.hasWritten(server)).toBe(false)
    // Another server's transaction of that number need not come behind it.
    server.gtids = parseGtidSet('0-2-10', 'mariadb')
    expect(facts.consistency.hasWritten(server)).toBe(false)
    server.gtids = parseGtidSet('0-1-10', 'mariadb')
    expect(facts.consistency.hasWritten(server)).toBe(true)
  })

  it('a session that wrote nothing reads anywhere', () => {
    expect(new SessionFacts(USER).consistency.hasWritten(replica())).toBe(true)
  })

  it('a session that writes for ever keeps few GTIDs, and is still shown none of its older writes too early', () => {
    const facts = new SessionFacts(USER)
    // Every other number, as when other sessions write in between: the set cannot fold them.
    for (let i = 1; i <= 1000; i++) facts.consistency.wrote(i, `${UUID}:${2 * i}`, 'mysql')
    const set = facts.consistency.writtenGtids
    expect(set?.flavor === 'mysql' && [...set.intervals.values()].flat().length).toBeLessThanOrEqual(128)
    const server = replica()
    server.gtids = parseGtidSet(`${UUID}:1900-2000`, 'mysql')
    expect(facts.consistency.hasWritten(server)).toBe(false)
    server.coversPrimaryAt = 999
    expect(facts.consistency.hasWritten(server)).toBe(true)
  })
})
