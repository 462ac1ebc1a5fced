import { describe, expect, it } from 'vitest'
import { allot, type ShareNeed } from '../../../../src/control/workers/share-allotment.js'

/** share, used, waiting; all have the same even part. */
const needs = (even: number, ...all: [share: number, used: number, waiting: number][]): ShareNeed[] =>
  all.map(([share, used, waiting]) => ({ even, share, used, waiting }))

describe("a server's connections among workers", () => {
  it.each<[string, number, ShareNeed[], boolean, number[]]>([
    ['stay where they are while nobody waits', 10, needs(5, [8, 1, 0], [2, 2, 0]), false, [8, 2]],
    ['go to who waits, from what nobody uses', 10, needs(5, [5, 1, 0], [5, 5, 3]), false, [2, 8]],
    ['are not moved where there is room already', 10, needs(5, [4, 0, 0], [5, 5, 1]), false, [4, 6]],
    ['may all be lent', 3, needs(1, [2, 0, 0], [1, 1, 2]), false, [0, 3]],
    ['are shared fairly by those that want more than there is', 10, needs(5, [9, 9, 4], [1, 1, 9]), false, [5, 5]],
    ['do not go beyond what a modest one wants', 10, needs(5, [9, 9, 4], [1, 1, 2]), false, [7, 3]],
    ['that cannot be divided go to the first', 3, needs(1, [1, 1, 5], [2, 2, 5]), false, [2, 1]],
    ['fewer than workers go to the first ones', 1, needs(0, [0, 0, 1], [1, 1, 0], [0, 0, 1]), false, [1, 0, 0]],
    ['go back to even parts after a while', 10, needs(5, [8, 1, 0], [2, 2, 0]), true, [5, 5]],
    ['stay with who uses them', 10, needs(5, [8, 8, 0], [2, 0, 0]), true, [8, 2]],
    ['shrink with the limit', 4, needs(2, [5, 5, 0], [5, 1, 0]), false, [3, 1]],
    ['grow with the limit', 12, needs(6, [3, 3, 0], [2, 2, 0]), false, [6, 6]],
  ])('%s', (_, max, all, settle, expected) => {
    expect(allot(max, all, settle)).toEqual(expected)
  })
})
