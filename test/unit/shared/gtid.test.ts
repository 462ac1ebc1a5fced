import { describe, expect, it } from 'vitest'
import {
  addGtids,
  addGtidsInOrder,
  containsGtid,
  formatGtidSet,
  gtidSetContains,
  gtidSetFollows,
  gtidSetIsEmpty,
  type MysqlGtidSet,
  parseGtidSet,
} from '../../../src/shared/gtid.js'

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const B = '4350f323-7565-4e59-8763-4b1b83a0ce0e'

function mysql(text: string): MysqlGtidSet {
  return parseGtidSet(text, 'mysql') as MysqlGtidSet
}

describe('MySQL GTID sets', () => {
  it.each([
    ['', ''],
    [`${A}:1`, `${A}:1`],
    [`${A}:1-5`, `${A}:1-5`],
    [`${A.toUpperCase()}:1-5`, `${A}:1-5`],
    [`${A}:1-3:4-5:7`, `${A}:1-5:7`],
    [`${A}:7:1-3`, `${A}:1-3:7`],
    [`${A}:5-10:1-20`, `${A}:1-20`],
    [`${A}:1-3:10-12:20:5-15`, `${A}:1-3:5-15:20`],
    [`${A}:4-3`, ''],
    [`${B}:1-2,\n${A}:1-5`, `${A}:1-5,${B}:1-2`],
    [`${A}:1,${A}:2`, `${A}:1-2`],
    [` ${A} : 1 - 5 , ${B}:3`, `${A}:1-5,${B}:3`],
    [`${A}:1-5:maintenance:1-3:7`, `${A}:1-5,${A}:maintenance:1-3:7`],
    [`${A}:Nightly_2:1:Other:2`, `${A}:nightly_2:1,${A}:other:2`],
    [`,${A}:1,`, `${A}:1`],
  ])('%j is read as %j', (text, normal) => {
    expect(formatGtidSet(mysql(text))).toBe(normal)
    expect(formatGtidSet(mysql(normal))).toBe(normal)
  })

  it.each([
    ['nonsense'],
    [A],
    [`${A}:`],
    [`${A}:x-5:`],
    [`${A}:1-`],
    [`${A}:1 ${B}:1`],
    [`${A}:99999999999999999`],
    [`${A}:${'t'.repeat(33)}:1`],
    [`${A.slice(0, 35)}:1`],
  ])('%j is refused, naming the position', (text) => {
    expect(() => mysql(text)).toThrow(/^GTID set: expected .* at position \d+/)
  })

  it.each([
    [`${A}:1-5`, `${A}:2-3`, true],
    [`${A}:1-5`, `${A}:1-6`, false],
    [`${A}:1-5:7-9`, `${A}:5-7`, false],
    [`${A}:1-5:7-9`, `${A}:2:8-9`, true],
    [`${A}:1-5`, `${B}:1`, false],
    [`${A}:1-5,${B}:1-9`, `${B}:9`, true],
    [`${A}:1-5`, '', true],
    ['', `${A}:1`, false],
    [`${A}:1-5:tag:1-5`, `${A}:tag:5`, true],
    [`${A}:1-5`, `${A}:tag:5`, false],
    [`${A}:tag:1-5`, `${A}:5`, false],
  ])('%j contains %j: %s', (outer, inner, expected) => {
    expect(gtidSetContains(mysql(outer), mysql(inner))).toBe(expected)
  })

  it('grow by one transaction at a time into one interval', () => {
    const set = mysql('')
    for (const n of [3, 1, 2, 5, 4]) addGtids(set, `${A}:${n}`)
    expect(formatGtidSet(set)).toBe(`${A}:1-5`)
    addGtids(set, `${A}:tag:1`)
    expect(containsGtid(set, A.toUpperCase(), '', 5)).toBe(true)
    expect(containsGtid(set, A, '', 6)).toBe(false)
    expect(containsGtid(set, A, 'TAG', 1)).toBe(true)
    expect(containsGtid(set, B, '', 1)).toBe(false)
  })

  it('agree with plain sets of numbers on random input', () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
    let state = seed
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    for (let round = 0; round < 300; round++) {
      const sets = [0, 1].map(() => {
        const set = mysql('')
        const model = new Set<number>()
        for (let i = random(12); i > 0; i--) {
          const first = 1 + random(40)
          const last = first + random(6)
          addGtids(set, `${A}:${first}-${last}`)
          for (let n = first; n <= last; n++) model.add(n)
        }
        return { set, model }
      })
      const [outer, inner] = sets
      const where = `seed ${seed}, round ${round}`
      expect(gtidSetContains(outer.set, inner.set), where).toBe([...inner.model].every((n) => outer.model.has(n)))
      for (let n = 1; n < 50; n++) expect(containsGtid(outer.set, A, '', n), where).toBe(outer.model.has(n))
      expect(formatGtidSet(mysql(formatGtidSet(outer.set))), where).toBe(formatGtidSet(outer.set))
    }
  })
})

describe('MariaDB positions', () => {
  it.each([
    ['', ''],
    ['0-1-100', '0-1-100'],
    ['1-2-7,0-1-100', '0-1-100,1-2-7'],
    ['0-1-100, 0-2-99', '0-1-100'],
  ])('%j is read as %j', (text, normal) => {
    expect(formatGtidSet(parseGtidSet(text, 'mariadb'))).toBe(normal)
  })

  it.each([['0-1'], ['0-1-'], ['a-b-c'], ['0-1-5;0-2-6'], [`${A}:1`]])('%j is refused', (text) => {
    expect(() => parseGtidSet(text, 'mariadb')).toThrow(RangeError)
  })

  it.each([
    ['0-1-100', '0-1-100', true],
    ['0-2-100', '0-1-99', false],
    ['0-2-100', '0-1-100', false],
    ['0-1-99', '0-1-100', false],
    ['0-1-100', '1-1-1', false],
    ['0-1-100,1-1-5', '1-1-5', true],
    ['0-1-100', '', true],
    ['', '0-1-1', false],
  ])('%j contains %j: %s', (outer, inner, expected) => {
    expect(gtidSetContains(parseGtidSet(outer, 'mariadb'), parseGtidSet(inner, 'mariadb'))).toBe(expected)
  })

  it.each([
    ['0-1-100', '0-1-99', true],
    ['0-2-100', '0-1-99', true],
    ['0-2-100', '0-1-100', false],
    ['0-1-99', '0-2-100', false],
    ['0-1-100', '0-1-100,1-1-1', false],
    ['0-1-100,1-1-1', '', true],
  ])('%j follows %j: %s', (later, earlier, expected) => {
    expect(gtidSetFollows(parseGtidSet(later, 'mariadb'), parseGtidSet(earlier, 'mariadb'))).toBe(expected)
  })

  it('take no transaction of which it is not known whether it comes before or after another one', () => {
    const set = parseGtidSet('0-1-5,1-1-1', 'mariadb')
    expect(addGtidsInOrder(set, '0-1-7,2-2-2')).toBe(true)
    expect(addGtidsInOrder(set, '0-1-6')).toBe(true)
    expect(addGtidsInOrder(set, '2-2-3,0-2-9')).toBe(false)
    expect(formatGtidSet(set)).toBe('0-1-7,1-1-1,2-2-2')
  })

  it('keep the furthest transaction of each domain', () => {
    const set = parseGtidSet('0-1-5', 'mariadb')
    addGtids(set, '0-2-4')
    addGtids(set, '1-1-1')
    expect(formatGtidSet(set)).toBe('0-1-5,1-1-1')
  })
})

it('sets of different flavors contain each other only when empty', () => {
  expect(gtidSetContains(parseGtidSet('0-1-5', 'mariadb'), mysql(`${A}:1`))).toBe(false)
  expect(gtidSetContains(parseGtidSet('0-1-5', 'mariadb'), mysql(''))).toBe(true)
  expect(gtidSetIsEmpty(mysql(''))).toBe(true)
  expect(gtidSetIsEmpty(parseGtidSet('0-1-5', 'mariadb'))).toBe(false)
})
