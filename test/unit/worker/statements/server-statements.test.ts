import { describe, expect, it } from 'vitest'
import { Command, frame, MariadbCapability } from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import type { WorkerContext } from '../../../../src/worker/context.js'
import { SessionBackends } from '../../../../src/worker/pool/session-backends.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { makeRoom, prepareOn } from '../../../../src/worker/statements/server-statements.js'
import { SharedStatements } from '../../../../src/worker/statements/shared-statement.js'
import { type PreparedStatement, Statements } from '../../../../src/worker/statements/statements.js'
import { err, ok, prepareOk } from '../answers.js'
import { type FakeSocket, fakeBackend } from '../fixture.js'

function world(schema = 'test') {
  const counters = newGlobalCounters()
  const sharedStatements = new SharedStatements(counters, 100)
  const statements = new Statements({ counters, sharedStatements })
  const state = new SessionState(schema)
  const backends = new SessionBackends(
    {} as WorkerContext,
    {} as never,
    state,
    { backendGone: () => {}, backendTaken: () => {} },
    true,
  )
  const prepare = (statement: PreparedStatement, backend: Backend, maxStmtsPerConnection = 10): Promise<void> => {
    const parseKey = statements.parseState(state).key
    return prepareOn(statement, backend, { backends, statements, counters, maxStmtsPerConnection, parseKey })
  }
  return { counters, statements, state, prepare }
}

function prepareCommand(sql: string, streamed = false): CommandInHand {
  const packet = frame(Buffer.concat([Buffer.of(Command.STMT_PREPARE), Buffer.from(sql)]), 0)
  const command = new CommandInHand()
  command.take(packet, 4, packet.length, COMMAND_RULES.get(Command.STMT_PREPARE)!, 0)
  command.streamed = streamed
  return command
}

/** A connection that has the session's state. */
function current(state: SessionState, name = 'a') {
  const fake = fakeBackend(name)
  fake.backend.applied.take(state)
  return fake
}

/** Commands written so far, as text behind the command byte. */
function written(socket: FakeSocket): string[] {
  return socket.written.map((packet) => `${packet[4]} ${packet.toString('latin1', 5)}`)
}

async function answerAll(backend: Backend, done: Promise<unknown>, ...answers: Buffer[]): Promise<void> {
  for (const answer of answers) {
    // What is asked next has been written by then.
    await new Promise((resolve) => setImmediate(resolve))
    backend.receive(answer, answer.length)
  }
  await done
}

describe('preparing on a further server', () => {
  it("sends the client's own packet and keeps the server's id", async () => {
    const { statements, state, prepare } = world()
    const statement = statements.add(prepareCommand('SELECT 1'), state)
    const { backend, socket } = current(state)
    const done = prepare(statement, backend)
    await answerAll(backend, done, prepareOk(77))
    expect(socket.written).toEqual([statement.shared.packet])
    expect(statement.on(backend)?.id).toBe(77)
  })

  it("throws the server's refusal", async () => {
    const { statements, state, prepare } = world()
    const statement = statements.add(prepareCommand('SELECT 1'), state)
    const { backend } = current(state)
    const done = prepare(statement, backend)
    const refused = expect(done).rejects.toMatchObject({ code: 'prepare-refused', errno: 1146 })
    await answerAll(backend, Promise.resolve(), err(1146, "Table 'x' doesn't exist"))
    await refused
    expect(statement.shared.openOn.size).toBe(0)
  })

  it('reads the text as when it was prepared first, whatever schema and sql_mode the session has moved to', async () => {
    const { statements, state, prepare } = world('first')
    const statement = statements.add(prepareCommand('SELECT "a" FROM t'), state)
    state.setSchema('second')
    state.setVariable('sql_mode', 'ANSI_QUOTES')
    const { backend, socket } = current(state)
    await answerAll(backend, prepare(statement, backend), ok(), ok(), prepareOk(7))
    expect(written(socket)).toEqual(['2 first', '3 SET SESSION sql_mode = DEFAULT', '22 SELECT "a" FROM t'])
    expect(backend.applied.schema).toBe('first')
    expect(backend.applied.isCurrent(state)).toBe(false)
  })

  it('a text of which only the beginning is known cannot be prepared elsewhere, and says so', async () => {
    const { statements, state, prepare } = world()
    const statement = statements.add(prepareCommand('SELECT 1', true), state)
    await expect(prepare(statement, current(state).backend)).rejects.toMatchObject({ errno: 1243 })
  })
})

describe('statements on one connection', () => {
  it('over the limit the one that was not used for longest is closed there', async () => {
    const { statements, state, prepare, counters } = world()
    const { backend, socket } = current(state)
    const all = ['SELECT 1', 'SELECT 2', 'SELECT 3'].map((sql) => statements.add(prepareCommand(sql), state))
    await answerAll(backend, prepare(all[0], backend, 2), prepareOk(1))
    await answerAll(backend, prepare(all[1], backend, 2), prepareOk(2))
    all[0].on(backend)?.touch()
    await answerAll(backend, prepare(all[2], backend, 2), prepareOk(3))
    expect(all.map((statement) => statement.on(backend)?.id)).toEqual([1, undefined, 3])
    expect(socket.written.at(-2)).toEqual(frame(Buffer.of(Command.STMT_CLOSE, 2, 0, 0, 0), 0))
    expect(counters).toMatchObject({ comBackendStmtClose: 1, comBackendStmtPrepare: 3, stmtServerActiveTotal: 2 })
  })

  it('never one with an open cursor, with parameters sent ahead, or whose text is not known', () => {
    const { statements, state } = world()
    const { backend, socket } = current(state)
    const [cursor, data, long, other] = [0, 1, 2, 3].map((n) =>
      statements.add(prepareCommand(`SELECT ${n}`, n === 2), state),
    )
    for (const [id, statement] of [cursor, data, long, other].entries()) {
      statements.prepared(statement, backend, id, 0)
    }
    cursor.cursorOn = backend
    data.longDataOn = backend
    makeRoom(backend, 0)
    expect(socket.written).toEqual([frame(Buffer.of(Command.STMT_CLOSE, 3, 0, 0, 0), 0)])
    expect(backend.statements.length).toBe(3)
  })
})

describe('column definitions that a MariaDB leaves out', () => {
  const CACHED = MariadbCapability.CACHE_METADATA

  for (const [name, text, other] of [
    ['utf8mb4', 'SELECT * FROM t', 'latin1'],
    ['latin1', 'SELECT * FROM t', 'utf8mb4'],
    ['utf8mb4', "SELECT 'ä' FROM t", 'utf8mb3'],
    ['utf8mb3', "SELECT 'ä' FROM t", 'utf8mb4'],
    ['utf8mb4', "SELECT '😀' FROM t", '46'],
  ]) {
    it(`a server whose definitions differ from those the client has is made to send them: ${text} in ${name}`, async () => {
      const { statements, state, prepare } = world()
      const statement = statements.add(prepareCommand(text), state)
      const { backend, socket } = fakeBackend('a', { mariadbCapabilities: CACHED })
      backend.applied.take(state)
      statement.metadata = 1
      statement.columnCount = 1
      const charset = Buffer.concat([
        frame(Buffer.of(1, 1), 1),
        frame(definition('@@character_set_client'), 2),
        frame(Buffer.of(0xfe, 0, 0, 2, 0), 3),
        frame(Buffer.concat([Buffer.of(name.length), Buffer.from(name)]), 4),
        frame(Buffer.of(0xfe, 0, 0, 2, 0), 5),
      ])
      const answer = (id: number) =>
        Buffer.concat([
          frame(Buffer.of(0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), 1),
          frame(definition('a'), 2),
          frame(Buffer.of(0xfe, 0, 0, 2, 0), 3),
        ])
      await answerAll(backend, prepare(statement, backend), answer(1), charset, ok(), answer(2), ok())
      expect(written(socket)).toEqual([
        `22 ${Buffer.from(text).toString('latin1')}`,
        '25 \x01\x00\x00\x00',
        '3 SELECT @@character_set_client',
        `3 SET character_set_client = ${other}`,
        `22 ${Buffer.from(text).toString('latin1')}`,
        `3 SET character_set_client = ${name}`,
      ])
      expect(statement.on(backend)?.id).toBe(2)
      expect(statement.isReadyOn(backend)).toBe(true)
      statement.metadata = 2
      expect(statement.isReadyOn(backend)).toBe(false)
    })
  }
})

function definition(name: string): Buffer {
  const names = ['def', '', '', '', name, ''].map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]))
  return Buffer.concat([...names, Buffer.of(12, 45, 0, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0)])
}
