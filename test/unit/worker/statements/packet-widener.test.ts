import { describe, expect, it } from 'vitest'
import { frame } from '../../../../protocol/index.js'
import { PacketWidener } from '../../../../src/worker/statements/packet-widener.js'
import { seededRandom } from '../fixture.js'

const MAX = 0xffffff

function widened(payload: Buffer, at: number, insert: Buffer, cut: () => number): Buffer {
  const widener = new PacketWidener(at + 4, insert)
  const stream = frame(payload, 0)
  const parts: Buffer[] = []
  for (let from = 0; from < stream.length; ) {
    const to = Math.min(stream.length, from + cut())
    parts.push(widener.push(stream.subarray(from, to)))
    from = to
  }
  return Buffer.concat(parts)
}

/** Not `toEqual`: the difference of two buffers of 16 MB takes minutes to print. */
function expectSame(found: Buffer, expected: Buffer): void {
  expect(found.length).toBe(expected.length)
  expect(found.equals(expected)).toBe(true)
}

describe('bytes that are inserted into a command', () => {
  const insert = Buffer.from('inserted')
  const AT = 12

  it.each([
    ['one packet', 100],
    ['one packet that becomes full', MAX - insert.length],
    ['one packet that becomes two', MAX - 3],
    ['a full packet and an empty one', MAX],
    ['two packets', MAX + 50],
    ['two packets of which the second becomes full', 2 * MAX - insert.length],
    ['two packets that become three', 2 * MAX - 1],
  ])('%s: the packets are those of the longer command', (_name, size) => {
    const payload = Buffer.alloc(size, 0x61)
    payload.write('end', size - 3)
    const expected = frame(Buffer.concat([payload.subarray(0, AT), insert, payload.subarray(AT)]), 0)
    for (const piece of [1 << 26, 65_536, 1_000_003]) {
      expectSame(
        widened(payload, AT, insert, () => piece),
        expected,
      )
    }
  })

  it('whatever pieces the command comes in', () => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const random = seededRandom(seed)
    for (let i = 0; i < 200; i++) {
      const payload = Buffer.from(Array.from({ length: 20 + Math.floor(random() * 100) }, (_, n) => n & 0xff))
      const at = 1 + Math.floor(random() * (payload.length - 1))
      const expected = frame(Buffer.concat([payload.subarray(0, at), insert, payload.subarray(at)]), 0)
      const found = widened(payload, at, insert, () => 1 + Math.floor(random() * 9))
      expect(found.equals(expected), `seed ${seed}, round ${i}`).toBe(true)
    }
  })
})
