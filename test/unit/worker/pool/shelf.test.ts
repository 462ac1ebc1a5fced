import { expect, it } from 'vitest'
import { Shelf } from '../../../../src/worker/pool/shelf.js'
import { Keep } from '../../../../src/worker/state/residue.js'
import { fakeBackend } from '../fixture.js'

const at = (restedAt: number) => Object.assign(fakeBackend().backend, { restedAt })

it('gives connections of ended sessions first, the one used last before all', () => {
  const shelf = new Shelf()
  const [resting, older, newer] = [at(0), at(1), at(2)]
  shelf.putResting(resting, Keep.nothing)
  shelf.putFree(older)
  shelf.putFree(newer)
  expect([shelf.best(5), shelf.size]).toEqual([newer, 3])
  shelf.remove(newer)
  shelf.remove(older)
  expect([shelf.best(5), shelf.size, older.shelf]).toEqual([resting, 1, null])
})

it('takes from the session that has been away for longest, and least from those that may still ask', () => {
  const shelf = new Shelf()
  const [asks, first, second] = [at(0), at(1), at(2)]
  shelf.putResting(asks, Keep.insertId)
  shelf.putResting(first, Keep.nothing)
  shelf.putResting(second, Keep.nothing)
  for (const expected of [first, second, asks]) {
    expect(shelf.best(5)).toBe(expected)
    shelf.remove(expected)
  }
  expect(shelf.best(5)).toBeNull()
})

it('leaves what nothing else can tell to its session until the time is over', () => {
  const shelf = new Shelf()
  const backend = at(10)
  shelf.putResting(backend, Keep.diagnostics)
  expect([shelf.best(5000), shelf.overdue(1009, 1000), shelf.overdue(1010, 1000)]).toEqual([null, null, backend])
  expect([shelf.coldest(1009, 1000), shelf.coldest(1010, 1000)]).toEqual([null, backend])
})

it('neither gives nor closes what is kept until a time', () => {
  const shelf = new Shelf()
  for (const put of [
    (one: ReturnType<typeof at>) => shelf.putFree(one),
    (one: ReturnType<typeof at>) => shelf.putResting(one, Keep.nothing),
  ]) {
    const backend = Object.assign(at(0), { keepUntil: 100 })
    put(backend)
    expect([shelf.best(99), shelf.coldest(99, 0), shelf.best(100), shelf.coldest(100, 0)]).toEqual([
      null,
      null,
      backend,
      backend,
    ])
    shelf.remove(backend)
  }
})

it("closes the one that has been nobody's for longest first", () => {
  const shelf = new Shelf()
  const [resting, older, newer] = [at(0), at(1), at(2)]
  shelf.putResting(resting, Keep.nothing)
  shelf.putFree(older)
  shelf.putFree(newer)
  expect(shelf.coldest(5, 0)).toBe(older)
  expect([...shelf]).toEqual([older, newer, resting])
})
