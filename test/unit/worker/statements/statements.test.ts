import { describe, expect, it } from 'vitest'
import { Capability, Command, frame } from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import { Hint, StatementKind } from '../../../../src/sql/index.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import { dropStatements } from '../../../../src/worker/backend/drop-statements.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { SharedStatements } from '../../../../src/worker/statements/shared-statement.js'
import { addressedTo as address } from '../../../../src/worker/statements/statement-packets.js'
import { type PreparedStatement, Statements } from '../../../../src/worker/statements/statements.js'
import { fakeBackend } from '../fixture.js'

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

function newStatements() {
  const counters = newGlobalCounters()
  const sharedStatements = new SharedStatements(counters, 100)
  return { counters, sharedStatements, statements: new Statements({ counters, sharedStatements }) }
}

const state = new SessionState('test')

/** A statement that these servers have. */
function prepared(parameterCount: number, ...servers: (readonly [Backend, number])[]): PreparedStatement {
  const { statements } = newStatements()
  const statement = statements.add(prepareCommand('SELECT 1'), state)
  statement.parameterCount = parameterCount
  for (const [backend, id] of servers) statements.prepared(statement, backend, id, 0)
  return statement
}

function addressedTo(packet: Buffer, statement: PreparedStatement, backend: Backend): Buffer {
  return address(packet, statement, statement.on(backend)!, false).bytes
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
    const { backend } = fakeBackend()
    const statement = prepared(0, [backend, 0x01020304])
    const reset = frame(Buffer.from([Command.STMT_RESET, 1, 0, 0, 0]), 0)
    expect(addressedTo(reset, statement, backend)).toEqual(frame(Buffer.from([Command.STMT_RESET, 4, 3, 2, 1]), 0))
    const run = execute({ nulls: Buffer.alloc(0), types: null, values: Buffer.alloc(0) })
    const head = addressedTo(Buffer.from(run), statement, backend)
    expect(head.readUInt32LE(5)).toBe(0x01020304)
    expect(head.length).toBe(run.length)
  })

  it('gets the types that another server was given, once', () => {
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    const statement = prepared(2, [first, 11], [second, 22])
    expect(addressedTo(execute(WITH_TYPES), statement, first)).toEqual(execute({ ...WITH_TYPES, id: 11 }))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, first)).toEqual(execute({ ...WITHOUT_TYPES, id: 11 }))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second)).toEqual(execute({ ...WITH_TYPES, id: 22 }))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second)).toEqual(execute({ ...WITHOUT_TYPES, id: 22 }))
  })

  it('types that changed are new to every other server', () => {
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    const statement = prepared(2, [first, 11], [second, 22])
    addressedTo(execute(WITH_TYPES), statement, first)
    addressedTo(execute(WITHOUT_TYPES), statement, second)
    const changed = { ...WITH_TYPES, types: [TEXT, TEXT] }
    addressedTo(execute(changed), statement, second)
    expect(addressedTo(execute(WITHOUT_TYPES), statement, first)).toEqual(execute({ ...changed, id: 11 }))
  })

  it('a packet that is used again later keeps the types apart from it', () => {
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    const statement = prepared(2, [first, 11], [second, 22])
    const packet = execute(WITH_TYPES)
    addressedTo(packet, statement, first)
    packet.fill(0xaa)
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second)).toEqual(execute({ ...WITH_TYPES, id: 22 }))
  })

  it('with query attributes the types have names and the count of the packet holds', () => {
    const capabilities = Capability.QUERY_ATTRIBUTES
    const first = fakeBackend('a', { capabilities }).backend
    const second = fakeBackend('b', { capabilities }).backend
    const statement = prepared(1, [first, 11], [second, 22])
    const named = (type: Buffer, name: string) => Buffer.concat([type, Buffer.of(name.length), Buffer.from(name)])
    const parts = { flags: 0x08, count: 2, nulls: NULLS, values: VALUES }
    const bound = { ...parts, types: [named(LONG, ''), named(TEXT, 'trace')] }
    addressedTo(execute(bound), statement, first)
    expect(addressedTo(execute({ ...parts, types: null }), statement, second)).toEqual(execute({ ...bound, id: 22 }))
  })

  it('a cut packet is passed on as it is: the server will say what is wrong with it', () => {
    const { backend } = fakeBackend()
    const statement = prepared(200, [backend, 11])
    const whole = execute(WITH_TYPES)
    for (let length = 14; length < whole.length; length++) {
      const cut = Buffer.from(whole.subarray(0, length))
      expect(addressedTo(Buffer.from(cut), statement, backend).length).toBe(length)
    }
    expect(statement.types).toBeNull()
  })
})

describe('a bulk execution for a server', () => {
  const bulk = (id: number, flags: number, types: readonly Buffer[], rows: string) => {
    const fixed = Buffer.alloc(7)
    fixed[0] = Command.STMT_BULK_EXECUTE
    fixed.writeUInt32LE(id, 1)
    fixed.writeUInt16LE(flags, 5)
    return frame(Buffer.concat([fixed, ...types, Buffer.from(rows)]), 0)
  }
  const types = [LONG, TEXT]

  it('gets the types that were bound last, by an execution of either kind', () => {
    const [first, second] = [fakeBackend('a').backend, fakeBackend('b').backend]
    const statement = prepared(2, [first, 11], [second, 22])
    expect(addressedTo(bulk(1, 128, types, 'rows'), statement, first)).toEqual(bulk(11, 128, types, 'rows'))
    expect(addressedTo(bulk(1, 64, [], 'more'), statement, first)).toEqual(bulk(11, 64, [], 'more'))
    expect(addressedTo(bulk(1, 64, [], 'more'), statement, second)).toEqual(bulk(22, 192, types, 'more'))
    expect(addressedTo(execute(WITHOUT_TYPES), statement, second)).toEqual(execute({ ...WITHOUT_TYPES, id: 22 }))
  })

  it('can be sent again to a third server after that', () => {
    const [first, second, third] = ['a', 'b', 'c'].map((name) => fakeBackend(name).backend)
    const statement = prepared(2, [first, 11], [second, 22], [third, 33])
    addressedTo(bulk(1, 128, types, 'rows'), statement, first)
    const packet = bulk(1, 0, [], 'more')
    expect(addressedTo(packet, statement, second)).toEqual(bulk(22, 128, types, 'more'))
    expect(addressedTo(packet, statement, third)).toEqual(bulk(33, 128, types, 'more'))
  })

  it('a cut one is passed on as it is', () => {
    const { backend } = fakeBackend()
    const statement = prepared(2, [backend, 11])
    const whole = bulk(1, 128, types, '')
    for (let length = 9; length < whole.length; length++) {
      expect(addressedTo(Buffer.from(whole.subarray(0, length)), statement, backend).length).toBe(length)
    }
    expect(statement.types).toBeNull()
  })
})

describe('the statements of a session', () => {
  const END = 9
  const packetFor = (id: number) => {
    const packet = Buffer.alloc(END)
    packet.writeUInt32LE(id, 5)
    return packet
  }

  it('are found by the id that the client was given; -1 is the last one prepared, in MariaDB only', () => {
    const { statements } = newStatements()
    const first = statements.add(prepareCommand('SELECT 1'), state)
    const second = statements.add(prepareCommand('SELECT 2'), state)
    expect(first.id).not.toBe(second.id)
    expect(statements.find(packetFor(first.id), 4, END, true)).toBe(first)
    expect(statements.find(packetFor(0xffffffff), 4, END, true)).toBe(second)
    expect(statements.find(packetFor(0xffffffff), 4, END, false)).toBeNull()
    expect(statements.find(packetFor(99), 4, END, true)).toBeNull()
    expect(statements.find(Buffer.alloc(8), 4, 8, true)).toBeNull()
    statements.close(second)
    expect(statements.find(packetFor(second.id), 4, END, true)).toBeNull()
    expect(statements.find(packetFor(0xffffffff), 4, END, true)).toBeNull()
  })

  it('are not named by what follows a packet that is too short', () => {
    const { statements } = newStatements()
    statements.add(prepareCommand('SELECT 1'), state)
    // COM_STMT_EXECUTE without an id; the length of the COM_PING behind it is no id either.
    const chunk = Buffer.from('0100000017010000000e', 'hex')
    expect(statements.find(chunk, 4, 5, false)).toBeNull()
  })

  it('keep their text, not the buffer it came in', () => {
    const command = prepareCommand('SELECT 1')
    const statement = newStatements().statements.add(command, state)
    command.buffer.fill(0)
    expect(statement.shared.packet.toString('latin1')).toContain('SELECT 1')
  })

  it('forget what a lost connection had, and nothing else; what was sent ahead stays lost', () => {
    const { statements, counters } = newStatements()
    const statement = statements.add(prepareCommand('SELECT ?'), state)
    const [gone, stays] = [fakeBackend('a').backend, fakeBackend('b').backend]
    statements.prepared(statement, gone, 1, 0)
    statements.prepared(statement, stays, 2, 0)
    statement.longDataOn = gone
    gone.destroy('test')
    dropStatements(gone)
    expect(statement.on(gone)).toBeNull()
    expect(statement.on(stays)?.id).toBe(2)
    expect(gone.statements).toEqual([])
    expect(statement.boundTo?.state).toBe('closed')
    expect(counters).toMatchObject({ stmtClientActiveTotal: 1, stmtServerActiveTotal: 1 })
  })

  it('are limited in number, with the error that a server gives', () => {
    const { statements } = newStatements()
    const command = prepareCommand('SELECT 1')
    for (let i = 0; i < 16_382; i++) statements.add(command, state)
    expect(() => statements.add(command, state)).toThrow(expect.objectContaining({ errno: 1461, sqlState: '42000' }))
    statements.clear()
    expect(statements.size).toBe(0)
  })

  it('leave nothing behind at the end, on no server and in no count', () => {
    const { statements, counters } = newStatements()
    const { backend } = fakeBackend()
    for (const sql of ['SELECT 1', 'SELECT 1', 'SELECT 2']) {
      statements.prepared(statements.add(prepareCommand(sql), state), backend, 1, 0)
    }
    expect(counters).toMatchObject({ stmtClientActiveTotal: 3, stmtClientActiveUnique: 2 })
    // Who prepares what a connection has already has it anew.
    expect(counters).toMatchObject({ stmtServerActiveTotal: 2, stmtServerActiveUnique: 2 })
    statements.clear()
    expect(backend.statements).toEqual([])
    expect(counters).toMatchObject({ stmtClientActiveTotal: 0, stmtClientActiveUnique: 0 })
    expect(counters).toMatchObject({ stmtServerActiveTotal: 0, stmtServerActiveUnique: 0 })
  })
})

describe('texts that sessions share', () => {
  it('the same text is held once, however many sessions prepare it', () => {
    const { counters, sharedStatements } = newStatements()
    const sessions = Array.from({ length: 5000 }, () => new Statements({ counters, sharedStatements }))
    const shared = sessions.map((statements) => statements.add(prepareCommand('SELECT 1'), state).shared)
    expect(new Set(shared).size).toBe(1)
    expect(counters).toMatchObject({ stmtCached: 1, stmtClientActiveTotal: 5000, stmtClientActiveUnique: 1 })
  })

  it('not where it means something else: another schema, sql_mode or classification', () => {
    const { counters, sharedStatements } = newStatements()
    const prepare = (command: CommandInHand, under: SessionState) =>
      new Statements({ counters, sharedStatements }).add(command, under)
    const ansi = new SessionState('test')
    ansi.setVariable('sql_mode', 'ANSI_QUOTES')
    const write = prepareCommand('SELECT 1')
    write.kind = StatementKind.write
    prepare(prepareCommand('SELECT 1'), state)
    prepare(prepareCommand('SELECT 1'), new SessionState('other'))
    prepare(prepareCommand('SELECT 1'), ansi)
    prepare(write, state)
    expect(counters.stmtCached).toBe(4)
  })

  it('are kept after their last use up to the limit, and are counted in bytes until they go', () => {
    const counters = newGlobalCounters()
    const sharedStatements = new SharedStatements(counters, 2)
    const statements = new Statements({ counters, sharedStatements })
    const first = statements.add(prepareCommand('SELECT 1'), state)
    const { bytes } = first.shared
    for (const sql of ['SELECT 2', 'SELECT 3']) statements.close(statements.add(prepareCommand(sql), state))
    expect(counters).toMatchObject({ stmtCached: 2, stmtTextBytes: 3 * bytes })
    statements.close(first)
    expect(counters).toMatchObject({ stmtCached: 2, stmtTextBytes: 2 * bytes })
    sharedStatements.max = 1
    expect(counters).toMatchObject({ stmtCached: 1, stmtTextBytes: bytes })
    expect(statements.add(prepareCommand('SELECT 3'), state).shared.bytes).toBe(bytes)
    expect(counters).toMatchObject({ stmtCached: 1, stmtTextBytes: bytes })
  })
})
