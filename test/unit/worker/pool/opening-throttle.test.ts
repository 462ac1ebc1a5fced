import { expect, it } from 'vitest'
import { OpeningThrottle } from '../../../../src/worker/pool/opening-throttle.js'

function openedWithin(throttle: OpeningThrottle, hostgroup: number, from: number, to: number): number {
  let opened = 0
  for (let now = from; now < to; now++) {
    while (throttle.mayOpen(hostgroup, now)) {
      throttle.opened(hostgroup, now)
      opened++
    }
  }
  return opened
}

it('allows a second of connections at once, then as many per second as configured', () => {
  const throttle = new OpeningThrottle(() => 10)
  expect(openedWithin(throttle, 0, 0, 1)).toBe(10)
  expect(openedWithin(throttle, 0, 1, 5001)).toBe(50)
})

it('saves up no more than a second of connections', () => {
  const throttle = new OpeningThrottle(() => 10)
  throttle.opened(0, 0)
  expect(openedWithin(throttle, 0, 60_000, 60_001)).toBe(10)
})

it('counts each hostgroup by itself, and follows a new limit', () => {
  let limit = 2
  const throttle = new OpeningThrottle(() => limit)
  expect(openedWithin(throttle, 0, 0, 1)).toBe(2)
  expect(openedWithin(throttle, 1, 0, 1)).toBe(2)
  limit = 1000
  expect(openedWithin(throttle, 0, 1, 1001)).toBe(1000)
})

it('shares a limit that is smaller than the number of workers, and loses nothing of one that is no multiple of it', () => {
  const quarter = new OpeningThrottle(() => 1 / 4)
  expect(openedWithin(quarter, 0, 0, 1)).toBe(1)
  expect(openedWithin(quarter, 0, 1, 20_101)).toBe(5)
  const half = new OpeningThrottle(() => 5 / 2)
  openedWithin(half, 0, 0, 1)
  expect(openedWithin(half, 0, 1, 20_101)).toBe(50)
})
