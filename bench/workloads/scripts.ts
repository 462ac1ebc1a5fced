import type { Random } from '../stats/random.js'
import type { Script } from './workload.js'

/** An operation of one command, drawn from a fixed set of packets. */
export function oneOf(packets: readonly Buffer[], random: Random): Script {
  return {
    first: () => packets[random.below(packets.length)],
    following: () => null,
  }
}

/** Operations of several commands; `compose` returns the packets of the next one. */
export function sequence(compose: () => readonly Buffer[]): Script {
  let packets: readonly Buffer[] = []
  let next = 0
  return {
    first() {
      packets = compose()
      next = 1
      return packets[0]
    },
    following: () => (next < packets.length ? packets[next++] : null),
  }
}

/** `count` packets made by `make(1)` to `make(count)`. */
export function packetsFor(count: number, make: (key: number) => Buffer): Buffer[] {
  return Array.from({ length: count }, (_, index) => make(index + 1))
}
