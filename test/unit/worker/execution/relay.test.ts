import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Answer, Capability, type ErrPacket, encodeErr, frame, type OkPacket } from '../../../../protocol/index.js'
import { ClientSocket } from '../../../../src/worker/client/client-socket.js'
import { Relay, type RelayListener } from '../../../../src/worker/execution/relay.js'
import { FakeSocket, fakeBackend } from '../fixture.js'

const CAPABILITIES = Capability.PROTOCOL_41 | Capability.SESSION_TRACK | Capability.DEPRECATE_EOF

/** A command in flight whose answer is relayed to a client. */
function relaying(reworded: (err: ErrPacket) => ErrPacket | null = () => null) {
  const told: string[] = []
  const socket = new FakeSocket()
  const listener: RelayListener = {
    relayedOk: (ok: OkPacket) => ok,
    refused: () => false,
    reworded,
    keptFromClient: () => told.push('kept'),
    prepared: () => {},
    infileRequested: () => {},
    answered: () => told.push('answered'),
    displaced: () => {},
    heldUp: () => {},
    answerLost: (_backend, reason) => told.push(`lost: ${reason}`),
    crashed: (error) => told.push(`crashed: ${(error as Error).name}`),
  }
  const { backend } = fakeBackend('a', { capabilities: CAPABILITIES })
  const relay = new Relay(new ClientSocket(socket as unknown as Socket, false), CAPABILITIES, listener)
  backend.move('busy')
  backend.begin(relay, Answer.results)
  return { told, socket, relay, receive: (bytes: Buffer) => backend.receive(bytes, bytes.length), backend }
}

describe('what a server sends', () => {
  it('whose session state is malformed costs its connection, and is not held against the client', () => {
    const { told, receive, backend } = relaying()
    // OK, SESSION_STATE_CHANGED, state of 3 bytes: a schema of 1 byte whose name says that it has 9
    receive(Buffer.from('0c000001000000024000000003010109', 'hex'))
    expect(told).toEqual([expect.stringMatching(/^lost: the server broke the protocol/)])
    expect(backend.state).toBe('closed')
  })

  it('whose session state is right is an answer', () => {
    const { told, receive } = relaying()
    receive(Buffer.from('0e0000010000000240000000050103026462', 'hex'))
    expect(told).toEqual(['answered'])
  })

  it('as an error can be told in other words, also behind a result', () => {
    const words = { errno: 1792, sqlState: '25006', message: 'not here' }
    const first = Buffer.from('0700000100000008000000', 'hex')
    for (const before of [Buffer.alloc(0), first]) {
      const { told, receive, socket } = relaying((err) => (err.errno === 1290 ? words : null))
      const sequence = before.length === 0 ? 1 : 2
      receive(Buffer.concat([before, frame(encodeErr({ ...words, errno: 1290, message: 'a longer text' }), sequence)]))
      expect(told).toEqual(['answered'])
      expect(Buffer.concat(socket.written)).toEqual(Buffer.concat([before, frame(encodeErr(words), sequence)]))
    }
  })

  it('as an error that has no other words arrives as it was', () => {
    const { receive, socket } = relaying()
    const packet = frame(encodeErr({ errno: 1062, sqlState: '23000', message: "Duplicate entry 'ä'" }), 1)
    receive(packet)
    expect(Buffer.concat(socket.written)).toEqual(packet)
  })
})

describe('an answer whose end is held', () => {
  const more = Buffer.from('0700000100000008000000', 'hex')
  const last = Buffer.from('0700000200000000000000', 'hex')

  it('arrives but for its end, which comes when it is given', () => {
    const { relay, receive, socket, told, backend } = relaying()
    relay.begin(backend, null, true)
    receive(Buffer.from(more))
    expect(Buffer.concat(socket.written)).toEqual(more)
    const chunk = Buffer.from(last)
    receive(chunk)
    // What it was read into is read into again.
    chunk.fill(0)
    expect(told).toEqual(['answered'])
    expect(Buffer.concat(socket.written)).toEqual(more)
    relay.giveEnd()
    expect(Buffer.concat(socket.written)).toEqual(Buffer.concat([more, last]))
    relay.giveEnd()
    expect(Buffer.concat(socket.written)).toEqual(Buffer.concat([more, last]))
  })

  it('that is an error or tells of session state is held all the same', () => {
    const state = Buffer.from('0e0000010000000240000000050103026462', 'hex')
    const error = frame(encodeErr({ errno: 1064, sqlState: '42000', message: 'no' }), 1)
    for (const packet of [state, error]) {
      const { relay, receive, socket, told, backend } = relaying()
      relay.begin(backend, null, true)
      receive(Buffer.from(packet))
      expect([told, socket.written]).toEqual([['answered'], []])
      relay.giveEnd()
      expect(Buffer.concat(socket.written).length).toBeGreaterThan(0)
    }
  })

  it('is not held the next time, unless that is asked for again', () => {
    const { relay, receive, socket, backend } = relaying()
    relay.begin(backend, null, true)
    receive(Buffer.from('0700000100000000000000', 'hex'))
    relay.giveEnd()
    socket.written.length = 0
    relay.begin(backend)
    backend.begin(relay, Answer.results)
    receive(Buffer.from('0700000100000000000000', 'hex'))
    expect(socket.written).toHaveLength(1)
  })
})
