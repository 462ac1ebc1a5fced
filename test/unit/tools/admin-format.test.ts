import { describe, expect, it } from 'vitest'
import { formatAnswer } from '../../../src/tools/admin/format.js'
import type { AdminAnswer } from '../../../src/tools/admin-client.js'

const ROWS: AdminAnswer = {
  kind: 'rows',
  columns: ['host', 'note'],
  rows: [
    ['日本', null],
    ['b', 'tab\there'],
  ],
}
const NONE: AdminAnswer = { kind: 'rows', columns: ['a'], rows: [] }
const DONE: AdminAnswer = { kind: 'done', affectedRows: 1, info: '' }

describe('answers of the admin port', () => {
  it('are tables for people, with what came and how long it took', () => {
    expect(formatAnswer(ROWS, 'table', 12)).toBe(
      [
        '+------+-----------+',
        '| host | note      |',
        '+------+-----------+',
        '| 日本 | NULL      |',
        '| b    | tab\\there |',
        '+------+-----------+',
        '2 rows in set (0.01 sec)',
        '',
        '',
      ].join('\n'),
    )
    expect(formatAnswer(NONE, 'table', 1000)).toBe('Empty set (1.00 sec)\n\n')
    expect(formatAnswer(DONE, 'table', 0)).toBe('Query OK, 1 row affected (0.00 sec)\n\n')
  })

  it('are one line per column where that is asked for, long texts with their lines', () => {
    const answer: AdminAnswer = { kind: 'rows', columns: ['a', 'long'], rows: [['1', 'x\ny\u001b']] }
    expect(formatAnswer(answer, 'vertical', null)).toBe(
      `${'*'.repeat(27)} 1. row ${'*'.repeat(27)}\n   a: 1\nlong: x\ny\\u{1b}\n`,
    )
  })

  it("are mysql's tab-separated lines for scripts, nothing where nothing came", () => {
    expect(formatAnswer(ROWS, 'batch', null)).toBe('host\tnote\n日本\tNULL\nb\ttab\\there\n')
    expect(formatAnswer(NONE, 'batch', null)).toBe('')
    expect(formatAnswer(DONE, 'batch', null)).toBe('')
  })

  it('are one JSON text each, columns of one name told apart', () => {
    const twice: AdminAnswer = { kind: 'rows', columns: ['a', 'a', 'a_2'], rows: [['1', '2', null]] }
    expect(JSON.parse(formatAnswer(twice, 'json', null))).toEqual([{ a: '1', a_2: '2', a_2_2: null }])
    expect(formatAnswer(NONE, 'json', null)).toBe('[]\n')
    expect(formatAnswer(DONE, 'json', null)).toBe('{"affectedRows":1,"info":""}\n')
  })
})
