import { describe, expect, it } from 'vitest'
import { Answer, encodeQuery, ResponseEvent } from '../../../../protocol/index.js'
import type { Backend, Exchange } from '../../../../src/worker/backend/backend.js'
import type { BackendState } from '../../../../src/worker/backend/backend-state.js'
import { runSetup } from '../../../../src/worker/backend/setup-exchange.js'
import { err, ok, prepareOk, resultSet } from '../answers.js'
import { fakeBackend } from '../fixture.js'

/** Writes down what it is told, all bytes of its answer together. */
class Recorder implements Exchange {
  readonly events: string[] = []
  bytes = Buffer.alloc(0)
  readonly name: string
  readonly log: string[]

  constructor(name = '', log: string[] = []) {
    this.name = name
    this.log = log
  }

  received(chunk: Buffer, from: number, event: number, { follower }: Backend): void {
    const { carry, plainEnd, edge, edgeStart, edgeEnd } = follower
    this.bytes = Buffer.concat([this.bytes, carry ?? Buffer.alloc(0), chunk.subarray(from, plainEnd)])
    if (event === ResponseEvent.more || event === ResponseEvent.end) return
    this.bytes = Buffer.concat([this.bytes, edge.subarray(edgeStart - 4, edgeEnd)])
  }

  finished(): void {
    this.log.push(`${this.name} finished`)
  }

  lost(_backend: Backend, reason: string): void {
    this.log.push(`${this.name} lost: ${reason}`)
  }

  crashed(error: unknown): void {
    this.log.push(`${this.name} crashed: ${(error as Error).message}`)
  }
}

function owned() {
  const fake = fakeBackend()
  const log: string[] = []
  fake.backend.owner = {
    backendMoved: (backend: Backend, from: BackendState) => log.push(`${from} -> ${backend.state}`),
    backendClosed: (_backend, reason) => log.push(`closed: ${reason}`),
  }
  return { ...fake, log }
}

/** Feeds bytes in pieces of `size`. */
function feed(backend: Backend, bytes: Buffer, size = bytes.length): void {
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, at + size))
    backend.receive(piece, piece.length)
  }
}

describe('answers', () => {
  it.each([1, 2, 3, 5, 7, 64, 100_000])(
    'come whole and in the order of the commands, in pieces of %i bytes',
    (size) => {
      const { backend, log } = owned()
      const exchanges = ['a', 'b', 'c', 'd'].map((name) => new Recorder(name, log))
      const answers = [resultSet('one', 'two'), ok(), err(1064, 'syntax'), resultSet()]
      for (const exchange of exchanges) backend.begin(exchange)
      expect(backend.depth).toBe(4)
      feed(backend, Buffer.concat(answers), size)
      expect(backend.depth).toBe(0)
      expect(log).toEqual(['a finished', 'b finished', 'c finished', 'd finished'])
      exchanges.forEach((exchange, index) => {
        expect(exchange.bytes).toEqual(answers[index])
      })
    },
  )

  it('each is followed by the rules of its own command', () => {
    const { backend, log } = owned()
    backend.begin(new Recorder('prepare', log), Answer.prepare)
    backend.begin(new Recorder('statistics', log), Answer.single)
    backend.begin(new Recorder('query', log))
    const statistics = Buffer.from('\x0a\0\0\x01Uptime: 12', 'latin1')
    feed(backend, Buffer.concat([prepareOk(9), statistics, resultSet('x')]))
    expect(log).toEqual(['prepare finished', 'statistics finished', 'query finished'])
  })

  it('a command can be put in flight from within the end of the one before', () => {
    const { backend, log } = owned()
    const second = new Recorder('second', log)
    const first = new Recorder('first', log)
    first.finished = () => {
      log.push('first finished')
      backend.begin(second)
    }
    backend.begin(first)
    feed(backend, ok())
    expect(backend.depth).toBe(1)
    feed(backend, resultSet('x'), 3)
    expect(log).toEqual(['first finished', 'second finished'])
    expect(second.bytes).toEqual(resultSet('x'))
  })
})

describe('the end of a connection', () => {
  it('an ERR that answers no command is the server saying goodbye: its text is the reason', () => {
    const { backend, socket, log } = owned()
    feed(backend, Buffer.concat([err(4031, 'The client was disconnected by the server because of inactivity')]))
    expect(socket.destroyed).toBe(true)
    expect(backend.state).toBe('closed')
    expect(log[0]).toBe('idle -> closed')
    expect(log[1]).toContain('The client was disconnected by the server because of inactivity')
    expect(log).toHaveLength(2)
  })

  it('other bytes that answer no command end the connection too, also behind an answer', () => {
    const { backend, socket, log } = owned()
    backend.begin(new Recorder('a', log))
    feed(backend, Buffer.concat([ok(), ok()]))
    expect(socket.destroyed).toBe(true)
    expect(log[0]).toBe('a finished')
    expect(log.at(-1)).toContain('bytes that answer no command')
  })

  it('bytes that cannot be an answer end the connection and lose what is in flight', () => {
    const { backend, socket, log } = owned()
    backend.begin(new Recorder('a', log))
    feed(backend, Buffer.from([0, 0, 0, 1]))
    expect(socket.destroyed).toBe(true)
    expect(log.find((line) => line.startsWith('a lost'))).toContain('the server broke the protocol')
  })

  it.each(['error', 'close'] as const)(
    'on %s all commands in flight are told in order, then the owner, once',
    (event) => {
      const { backend, socket, log } = owned()
      for (const name of ['a', 'b', 'c']) backend.begin(new Recorder(name, log))
      feed(backend, resultSet('x').subarray(0, 20))
      socket.emit(event, new Error('read ECONNRESET'))
      socket.emit('close')
      const reason = event === 'error' ? 'read ECONNRESET' : 'the server closed the connection'
      expect(log).toEqual([
        'idle -> closed',
        ...['a', 'b', 'c'].map((name) => `${name} lost: ${reason}`),
        `closed: ${reason}`,
      ])
      expect(backend.depth).toBe(0)
    },
  )

  it('bytes that come after the end are nobody’s', () => {
    const { backend, log } = owned()
    const exchange = new Recorder('a', log)
    backend.begin(exchange)
    backend.destroy('test')
    feed(backend, ok())
    expect(exchange.bytes).toHaveLength(0)
    expect(log.filter((line) => line.startsWith('a'))).toEqual(['a lost: test'])
  })

  it('quit says COM_QUIT once and then waits for the server', () => {
    const { backend, socket, log } = owned()
    backend.quit()
    backend.quit()
    expect(socket.written).toEqual([Buffer.from([1, 0, 0, 0, 1])])
    expect(backend.state).toBe('closing')
    socket.emit('close')
    expect(log).toEqual(['idle -> closing', 'closing -> closed', 'closed: the server closed the connection'])
  })
})

describe('where an answer was cut', () => {
  const whole = resultSet('first', 'second')
  /** Ends of the packets, by position, with their sequence numbers. */
  const packetEnds = new Map<number, number>([[0, 0]])
  for (let at = 0; at < whole.length; at += 4 + whole.readUIntLE(at, 3)) {
    packetEnds.set(at + 4 + whole.readUIntLE(at, 3), whole[at + 3])
  }

  it.each([1, 2, 3, 1000])(
    'the follower knows whether a packet may follow and with which number, in pieces of %i',
    (size) => {
      for (let cut = 0; cut < whole.length; cut++) {
        const { backend } = fakeBackend()
        const exchange = new Recorder()
        backend.begin(exchange)
        feed(backend, whole.subarray(0, cut), size)
        const passedOn = exchange.bytes.length
        expect(exchange.bytes).toEqual(whole.subarray(0, passedOn))
        expect(backend.follower.atBoundary, `cut at ${cut}`).toBe(packetEnds.has(passedOn))
        if (!packetEnds.has(passedOn)) continue
        expect(backend.follower.sequence, `cut at ${cut}, passed on ${passedOn}`).toBe(packetEnds.get(passedOn))
      }
    },
  )
})

it('a mistake of ours in one exchange ends that exchange, and the connection with it', () => {
  const { backend, socket, log } = owned()
  const exchange = new Recorder('a', log)
  exchange.finished = () => {
    throw new Error('a mistake')
  }
  backend.begin(exchange)
  feed(backend, ok())
  expect(log).toContain('a crashed: a mistake')
  expect(socket.destroyed).toBe(true)
})

describe("a command of Sluice's own", () => {
  it('resolves with the error that answered it, and rejects when the connection is lost', async () => {
    const { backend, socket } = fakeBackend()
    const refused = runSetup(backend, encodeQuery('SET x = 1', 0))
    const fine = runSetup(backend, encodeQuery('SET y = 1', 0))
    const lost = runSetup(backend, encodeQuery('SET z = 1', 0))
    expect(socket.written).toHaveLength(3)
    feed(backend, Buffer.concat([err(1193, 'Unknown system variable'), ok()]))
    expect((await refused).error).toMatchObject({ errno: 1193 })
    expect((await fine).error).toBeNull()
    socket.emit('close')
    await expect(lost).rejects.toThrow('the server closed the connection')
  })
})
