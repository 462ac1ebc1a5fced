import { describe, expect, it } from 'vitest'
import { Capability, Command, frame } from '../../../protocol/index.js'
import { Hint, StatementKind } from '../../../src/sql/index.js'
import { COMMAND_RULES, CommandInHand } from '../../../src/worker/command.js'
import { addressedTo, type PreparedStatement, prepareOn, Statements } from '../../../src/worker/statements.js'
import { err, prepareOk } from './answers.js'
import { fakeBackend } from './fixture.js'

const LONG = Buffer.of(0x03, 0x00)
const TEXT = Buffer.of(0xfd, 0x00)

function prepareCommand(sql: string): CommandInHand {
  const packet = frame(Buffer.concat([Buffer.of(Command.STMT_PREPARE), Buffer.from(sql)]), 0)
  const command = new CommandInHand()
  command.take(packet, 4, packet.length, COMMAND_RULES.get(Command.STMT_PREPARE)!, 0)
  command.kind = StatementKind.read
  command.hint = Hint.none
  return command
}

function prepared(parameterCount: number): PreparedStatement {
  const statement = new Statements().add(prepareCommand('SELECT 1'))
  statement.parameterCount = parameterCount
  return statement
}

interface ExecuteParts {
  id?: number
  flags?: number
  nulls: Buffer
  /** null: the new-params-bound flag is 0. */
  types: readonly Buffer[] | null
  values: Buffer
  /** With query attributes: parameter count behind the iteration count. */
  count?: number
}

function execute({ id = 1, flags = 0, nulls, types, values, count }: ExecuteParts): Buffer {
  const head = Buffer.alloc(10)
  head[0] = Command.STMT_EXECUTE
  head.writeUInt32LE(id, 1)
  head[5] = flags
  head.writeUInt32LE(1, 6)
  return frame(
    Buffer.concat([
      head,
      count === undefined ? Buffer.alloc(0) : Buffer.of(count),
      nulls,
      Buffer.of(types === null ? 0 : 1),
      ...(types ?? []),
      values,
    ]),
    0,
  )
}

const NULLS = Buffer.of(0)
const VALUES = Buffer.from([7, 0, 0, 0, 1, 0x78])
const WITH_TYPES = { nulls: NULLS, types: [LONG, TEXT], values: VALUES }
const WITHOUT_TYPES = { nulls: NULLS, types: null, values: VALUES }

describe('a packet for a server', () => {
  it("has the server's id in place of the client's, whatever the command", () => {
    const statement = prepared(0)
    const { backend } = fakeBackend()
    statement.serverIds.set(backend, 0x01020304)
    const reset = frame(Buffer.from([Command.STMT_RESET, 1, 0, 0, 0]), 0)
    expect(addressedTo(reset, statement, backend, false)).toEqual(
      frame(Buffer.from([Command.STMT_RESET, 4, 3, 2, 1]), 0),
    )
    const run = execute({ nulls: Buffer.alloc(0), types: null, values: Buffer.alloc(0) })
    const head = addressedTo(Buffer.from(run), statement, backend, true)
    expect(head.readUInt32LE(5)).toBe(0x01020304)
    expect(head.length).toBe(run.length)
  })

  it('gets the types that another server was given, once', () => {
    const statement = prepared(2)
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    statement.serverIds.set(first, 11).set(second, 22)
    expect(addressedTo(execute(WITH_TYPES), statement, first, true)).toEqual(execute({ ...WITH_TYPES, id: 11 }))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, first, true)).toEqual(execute({ ...WITHOUT_TYPES, id: 11 }))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second, true)).toEqual(execute({ ...WITH_TYPES, id: 22 }))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second, true)).toEqual(execute({ ...WITHOUT_TYPES, id: 22 }))
  })

  it('types that changed are new to every other server', () => {
    const statement = prepared(2)
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    statement.serverIds.set(first, 11).set(second, 22)
    addressedTo(execute(WITH_TYPES), statement, first, true)
    addressedTo(execute(WITHOUT_TYPES), statement, second, true)
    const changed = { ...WITH_TYPES, types: [TEXT, TEXT] }
    addressedTo(execute(changed), statement, second, true)
    expect(addressedTo(execute(WITHOUT_TYPES), statement, first, true)).toEqual(execute({ ...changed, id: 11 }))
  })

  it('a packet that is used again later keeps the types apart from it', () => {
    const statement = prepared(2)
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    statement.serverIds.set(first, 11).set(second, 22)
    const packet = execute(WITH_TYPES)
    addressedTo(packet, statement, first, true)
    packet.fill(0xaa)
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second, true)).toEqual(execute({ ...WITH_TYPES, id: 22 }))
  })

  it('with query attributes the types have names and the count of the packet holds', () => {
    const statement = prepared(1)
    const capabilities = Capability.QUERY_ATTRIBUTES
    const first = fakeBackend('a', { capabilities }).backend
    const second = fakeBackend('b', { capabilities }).backend
    statement.serverIds.set(first, 11).set(second, 22)
    const named = (type: Buffer, name: string) => Buffer.concat([type, Buffer.of(name.length), Buffer.from(name)])
    const parts = { flags: 0x08, count: 2, nulls: NULLS, values: VALUES }
    const bound = { ...parts, types: [named(LONG, ''), named(TEXT, 'trace')] }
    addressedTo(execute(bound), statement, first, true)
    expect(addressedTo(execute({ ...parts, types: null }), statement, second, true)).toEqual(
      execute({ ...bound, id: 22 }),
    )
  })

  it('a cut packet is passed on as it is: the server will say what is wrong with it', () => {
    const statement = prepared(200)
    const { backend } = fakeBackend()
    statement.serverIds.set(backend, 11)
    const whole = execute(WITH_TYPES)
    for (let length = 14; length < whole.length; length++) {
      const cut = Buffer.from(whole.subarray(0, length))
      expect(addressedTo(Buffer.from(cut), statement, backend, true).length).toBe(length)
    }
    expect(statement.types).toBeNull()
  })
})

describe('the statements of a session', () => {
  const packetFor = (id: number) => {
    const packet = Buffer.alloc(9)
    packet.writeUInt32LE(id, 5)
    return packet
  }

  it('are found by the id that the client was given; -1 is the last one prepared, as in MariaDB', () => {
    const statements = new Statements()
    const first = statements.add(prepareCommand('SELECT 1'))
    const second = statements.add(prepareCommand('SELECT 2'))
    expect(first.id).not.toBe(second.id)
    expect(statements.find(packetFor(first.id), 4)).toBe(first)
    expect(statements.find(packetFor(0xffffffff), 4)).toBe(second)
    expect(statements.find(packetFor(99), 4)).toBeNull()
    expect(statements.find(Buffer.alloc(8), 4)).toBeNull()
    statements.remove(second)
    expect(statements.find(packetFor(second.id), 4)).toBeNull()
    expect(statements.find(packetFor(0xffffffff), 4)).toBeNull()
  })

  it('keep their text, not the buffer it came in', () => {
    const command = prepareCommand('SELECT 1')
    const statement = new Statements().add(command)
    command.buffer.fill(0)
    expect(statement.packet.toString('latin1')).toContain('SELECT 1')
  })

  it('forget what a lost connection knew, and nothing else', () => {
    const statements = new Statements()
    const statement = statements.add(prepareCommand('SELECT ?'))
    const [gone, stays] = [fakeBackend('a').backend, fakeBackend('b').backend]
    statement.serverIds.set(gone, 1).set(stays, 2)
    statement.typesKnownTo.add(gone).add(stays)
    statement.cursorOn = gone
    statements.forgetBackend(gone)
    expect([...statement.serverIds.keys()]).toEqual([stays])
    expect([...statement.typesKnownTo]).toEqual([stays])
    expect(statement.cursorOn).toBeNull()
  })

  it('are limited in number, with the error that a server gives', () => {
    const statements = new Statements()
    const command = prepareCommand('SELECT 1')
    for (let i = 0; i < 16_382; i++) statements.add(command)
    expect(() => statements.add(command)).toThrow(expect.objectContaining({ errno: 1461, sqlState: '42000' }))
    statements.clear()
    expect(statements.size).toBe(0)
  })
})

describe('preparing on a further server', () => {
  it("sends the client's own packet and keeps the server's id", async () => {
    const statement = prepared(0)
    const { backend, socket } = fakeBackend()
    const done = prepareOn(statement, backend)
    expect(socket.written).toEqual([statement.packet])
    const answer = prepareOk(77)
    backend.receive(answer, answer.length)
    await done
    expect(statement.serverIds.get(backend)).toBe(77)
  })

  it("throws the server's refusal", async () => {
    const statement = prepared(0)
    const { backend } = fakeBackend()
    const done = prepareOn(statement, backend)
    const answer = err(1146, "Table 'x' doesn't exist")
    backend.receive(answer, answer.length)
    await expect(done).rejects.toMatchObject({ code: 'prepare-refused', errno: 1146 })
    expect(statement.serverIds.size).toBe(0)
  })
})
