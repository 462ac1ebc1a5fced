import { expect, it } from 'vitest'
import { RetiredRows } from '../../../../src/control/workers/retired-rows.js'
import type { DigestRow, ErrorRow } from '../../../../src/shared/worker-tables.js'

function digest(name: string, lastSeen: number): DigestRow {
  return {
    hostgroup: 0,
    schema: 'test',
    user: 'app',
    client: '',
    digest: name,
    text: 'SELECT ?',
    count: 1,
    firstSeen: lastSeen,
    lastSeen,
    sumUs: 5,
    minUs: 5,
    maxUs: 5,
    rowsAffected: 0,
    rowsSent: 1,
    errors: 0,
  }
}

const ERROR: ErrorRow = {
  hostgroup: 0,
  server: 'a:1',
  user: 'app',
  client: '',
  schema: 'test',
  errno: 1054,
  count: 1,
  firstSeen: 1,
  lastSeen: 1,
  lastError: 'Unknown column',
}

it('what workers hand over is told until it is reset', () => {
  const rows = new RetiredRows()
  rows.take('digests', [digest('a', 1)], 10)
  rows.take('errors', [ERROR], 10)
  expect(rows.report('digests', false)).toEqual([digest('a', 1)])
  expect(rows.report('digests', true)).toEqual([digest('a', 1)])
  expect(rows.report('digests', false)).toEqual([])
  expect(rows.report('errors', false)).toEqual([ERROR])
  expect(rows.report('users', false)).toEqual([])
})

it('rows of the same are added before any is left out, and those that were counted in last stay', () => {
  const rows = new RetiredRows()
  for (let at = 1; at <= 6; at++) rows.take('digests', [digest(at % 2 === 0 ? 'even' : 'odd', at)], 2)
  expect(rows.report('digests', false)).toMatchObject([
    { digest: 'even', count: 3, lastSeen: 6 },
    { digest: 'odd', count: 3, lastSeen: 5 },
  ])
  rows.take('digests', [digest('new', 9)], 2)
  expect(rows.report('digests', false)).toMatchObject([{ digest: 'new' }, { digest: 'even' }])
})
