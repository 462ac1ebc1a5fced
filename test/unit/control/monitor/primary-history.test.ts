import { describe, expect, it } from 'vitest'
import {
  GTID_ORDER,
  mariadbExecuted,
  mariadbWritten,
  PrimaryHistory,
} from '../../../../src/control/monitor/primary-history.js'
import { type GtidSet, parseGtidSet } from '../../../../src/shared/gtid.js'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const upTo = (last: number) => `${UUID}:1-${last}`

type History = PrimaryHistory<GtidSet>
const record = (polls: History, text: string, asked: number, answered: number) =>
  polls.record(text, () => parseGtidSet(text, 'mysql'), asked, answered)

/** Polls at 1000, 1250 and 1500 that found 5, 9 and 9 transactions; each answer took 2 ms. */
function history(): History {
  const polls: History = new PrimaryHistory(GTID_ORDER)
  for (const [asked, last] of [
    [1000, 5],
    [1250, 9],
    [1500, 9],
  ]) {
    record(polls, upTo(last), asked, asked + 2)
  }
  return polls
}

const compare = (polls: History, text: string, polledMs = 1510) =>
  polls.compare(text, parseGtidSet(text, 'mysql'), polledMs)

describe('what a replica covers', () => {
  it('is the last time the primary was asked and had no more than the replica has', () => {
    expect(compare(history(), upTo(9))).toEqual({ coversPrimaryAt: 1500, behindMs: 0 })
    expect(compare(history(), upTo(20))).toEqual({ coversPrimaryAt: 1500, behindMs: 0 })
    expect(compare(history(), upTo(5))).toEqual({ coversPrimaryAt: 1000, behindMs: 1510 - 1252 })
    expect(compare(history(), upTo(8))).toEqual({ coversPrimaryAt: 1000, behindMs: 1510 - 1252 })
  })

  it('is unknown when it lacks something of everything that was seen', () => {
    expect(compare(history(), upTo(4))).toEqual({ coversPrimaryAt: -1, behindMs: 1510 - 1002 })
    expect(compare(new PrimaryHistory(GTID_ORDER), upTo(4))).toEqual({ coversPrimaryAt: -1, behindMs: 0 })
  })

  it('is unknown while the primary has no GTIDs', () => {
    const polls = history()
    record(polls, '', 1750, 1752)
    expect(compare(polls, upTo(9))).toEqual({ coversPrimaryAt: -1, behindMs: 0 })
  })

  it('reaches back as far as 256 different answers', () => {
    const polls: History = new PrimaryHistory(GTID_ORDER)
    for (let n = 1; n <= 300; n++) record(polls, upTo(n), n * 10, n * 10 + 1)
    expect(compare(polls, upTo(45), 3010)).toMatchObject({ coversPrimaryAt: 450 })
    expect(compare(polls, upTo(44), 3010)).toEqual({ coversPrimaryAt: -1, behindMs: 3010 - 451 })
  })
})

describe('what a MariaDB replica is sure to have', () => {
  it.each([
    ['as far as it has applied', '0-2-40', '0-2-40', '0-2-40'],
    ['without a binary log', '', '0-2-40', '0-2-40'],
    ['with writes of its own: they prove nothing about its source', '0-9-99', '0-2-40', '0-2-40'],
    ['with a domain of its own', '0-2-40,7-9-3', '0-2-40', '0-2-40,7-9-3'],
    ['that was the primary and has not replicated yet', '0-1-50', '', '0-1-50'],
    ['nothing', '', '', ''],
  ])('%s', (_, binlog, slave, executed) => {
    expect(mariadbExecuted(binlog, slave)).toBe(executed)
  })
})

describe('what a MariaDB primary can have shown', () => {
  it.each([
    ['its own binary log', '0-1-50', '', '0-1-50'],
    ['that was a replica: its own writes too', '0-1-50', '0-2-40', '0-1-50'],
    ['that was a replica without log_slave_updates, and has not written yet', '0-1-30', '0-2-40', '0-2-40'],
    ['nothing', '', '', ''],
  ])('%s', (_, binlog, slave, written) => {
    expect(mariadbWritten(binlog, slave)).toBe(written)
  })
})
