import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  CompressedFrameReader,
  CompressedFrameWriter,
  encodeQuery,
  frame,
  type ProtocolError,
  zlibCompressor,
} from '../../../../protocol/index.js'
import { ClientCompression } from '../../../../src/worker/client/client-compression.js'
import { FakeSocket } from '../fixture.js'

const compression = { compressor: zlibCompressor, level: 6 }

/** A client's connection, and what a session would see of it. */
function connection() {
  const socket = new FakeSocket()
  const received: Buffer[] = []
  const errors: ProtocolError[] = []
  const hooks = { onReceived: (): void => {} }
  const client = new ClientCompression(socket as unknown as Socket, compression, {
    received: (bytes) => {
      received.push(Buffer.from(bytes))
      hooks.onReceived()
    },
    broken: (error) => errors.push(error),
  })
  /** Sequence numbers and bytes of what was written since the last call. */
  const sent = (): { sequences: number[]; bytes: Buffer } => {
    const reader = new CompressedFrameReader(zlibCompressor)
    reader.push(Buffer.concat(socket.written.splice(0)))
    const sequences: number[] = []
    const parts: Buffer[] = []
    for (let bytes = reader.next(); bytes !== null; bytes = reader.next()) {
      if (reader.frameBegins) sequences.push(reader.sequence)
      parts.push(bytes)
    }
    return { sequences, bytes: Buffer.concat(parts) }
  }
  return { socket, client, received, errors, hooks, sent }
}

/** The frames of a command or of a part of one. */
function framesOf(bytes: Buffer, sequence = 0): Buffer {
  const writer = new CompressedFrameWriter(zlibCompressor)
  writer.sequence = sequence
  return writer.encode(bytes)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('frames to the client', () => {
  it('go on with the numbers of the command that they answer', async () => {
    const { client, received, sent } = connection()
    const query = encodeQuery(`select ${'1,'.repeat(100_000)}1`, 0)
    client.received(framesOf(query))
    client.commandTaken()
    expect(Buffer.concat(received).equals(query)).toBe(true)
    client.write(Buffer.from('answer'))
    await turn()
    expect(sent()).toEqual({ sequences: [4], bytes: Buffer.from('answer') })
    client.received(framesOf(encodeQuery('select 1', 0)))
    client.commandTaken()
    client.write(Buffer.from('another'))
    await turn()
    expect(sent().sequences).toEqual([1])
  })

  it('take together what is written in one turn, up to 64 KiB', async () => {
    const { client, sent, socket } = connection()
    client.received(framesOf(encodeQuery('select 1', 0)))
    client.commandTaken()
    for (let i = 0; i < 100; i++) client.write(Buffer.alloc(100, i))
    expect(socket.written).toEqual([])
    await turn()
    const { sequences, bytes } = sent()
    expect([sequences, bytes.length]).toEqual([[1], 10_000])
    client.write(Buffer.alloc(70_000))
    expect(sent().sequences).toEqual([2, 3])
  })

  it('begin at 0 with a goodbye that answers nothing', async () => {
    const { client, sent } = connection()
    client.received(framesOf(encodeQuery('select 1', 0)))
    client.commandTaken()
    client.write(Buffer.from('answer'))
    client.writeUnasked(Buffer.from('goodbye'))
    client.end()
    expect(sent()).toEqual({ sequences: [1, 0], bytes: Buffer.from('answergoodbye') })
  })

  it('answer the right one of two commands that came at once', async () => {
    const { client, sent, received, hooks } = connection()
    // A session takes a command as soon as it has come, unless it is still busy with another one.
    hooks.onReceived = () => {
      if (received.length === 1) client.commandTaken()
    }
    const [one, two] = [encodeQuery('select 1', 0), encodeQuery(`select '${'2'.repeat(70_000)}'`, 0)]
    client.received(Buffer.concat([framesOf(one), framesOf(two)]))
    expect(Buffer.concat(received).equals(Buffer.concat([one, two]))).toBe(true)
    client.write(Buffer.alloc(70_000))
    await turn()
    expect(sent().sequences).toEqual([1, 2])
    client.commandTaken()
    client.write(Buffer.from('the other'))
    await turn()
    expect(sent().sequences).toEqual([2])
  })
})

describe('frames of the client', () => {
  it('may go on after the server has asked for a file, and the answer goes on after them', async () => {
    const { client, sent, errors } = connection()
    client.received(framesOf(encodeQuery('load data local', 0)))
    client.commandTaken()
    client.write(Buffer.from('which file'))
    await turn()
    expect(sent().sequences).toEqual([1])
    client.received(framesOf(frame(Buffer.from('content'), 2), 2))
    client.received(framesOf(frame(Buffer.alloc(0), 3), 3))
    client.write(Buffer.from('ok'))
    await turn()
    expect(sent().sequences).toEqual([4])
    expect(errors).toEqual([])
  })

  it('wait undecompressed while the session does not read, and come when it does', async () => {
    const { client, received, hooks } = connection()
    hooks.onReceived = () => client.pause()
    const packet = frame(Buffer.alloc(1000), 0)
    client.received(Buffer.concat([framesOf(packet), framesOf(packet), framesOf(packet)]))
    expect(received.length).toBe(1)
    client.resume()
    await turn()
    expect(received.length).toBe(2)
    client.resume()
    await turn()
    expect(received.length).toBe(3)
  })

  it.each([
    ['the first of a connection', [], 5],
    ['one that goes on with a command', [0], 3],
    ['one that begins again within a packet', [0], 0],
  ])('are refused with 1156 where %s has a wrong number', (_what, before, wrong) => {
    const { client, errors, received } = connection()
    const part = encodeQuery('select 1', 0).subarray(0, 6)
    for (const sequence of before) client.received(framesOf(part, sequence))
    client.received(framesOf(part, wrong))
    expect(errors).toMatchObject([{ code: 'out-of-order', errno: 1156, sqlState: '08S01' }])
    expect(received.length).toBe(before.length)
    client.received(framesOf(part, before.length))
    expect([errors.length, received.length]).toEqual([1, before.length])
  })

  it('that were not compressed as they say end the connection with 1157', () => {
    const { client, errors } = connection()
    const bytes = framesOf(encodeQuery(`select '${'x'.repeat(200)}'`, 0))
    bytes[4] = 100
    client.received(bytes)
    expect(errors).toMatchObject([{ code: 'bad-compression', errno: 1157 }])
  })
})
