import { describe, expect, it } from 'vitest'
import { Command, frame } from '../../../../protocol/index.js'
import { Effect, StatementKind } from '../../../../src/sql/index.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { type Asking, askInsertId, asksBack, asksOfLast, recall } from '../../../../src/worker/state/recall.js'
import { CLEARS_DIAGNOSTICS, Residue } from '../../../../src/worker/state/residue.js'
import { ok, resultSet } from '../answers.js'
import { type FakeSocket, fakeBackend, USER } from '../fixture.js'

function command(effects: number, kind: number = StatementKind.read, code: number = Command.QUERY): CommandInHand {
  const taken = new CommandInHand()
  const packet = frame(Buffer.of(code), 0)
  taken.take(packet, 4, packet.length, COMMAND_RULES.get(code)!, 0)
  taken.kind = kind
  taken.effects = effects
  return taken
}

/** A session whose last statement, a write of one row with an id, ran on `home`; it asks with `effects` now. */
function asking(effects: number, kind?: number) {
  const { backend: home } = fakeBackend('home')
  const { backend: other, socket } = fakeBackend('other')
  const residue = new Residue()
  const follower = { errno: 0, warnings: 0, affectedRows: 1, lastInsertId: 7, rows: 0 }
  residue.learn(command(0, StatementKind.write), { follower } as unknown as Backend)
  residue.insertIdOn = home
  const facts = new SessionFacts(USER)
  facts.last = home
  return { asking: { command: command(effects, kind), facts, residue } satisfies Asking, home, other, socket }
}

/** Texts of what was written. */
function sent(socket: FakeSocket): string[] {
  return socket.written.map((packet) => packet.toString('latin1', 5))
}

/** The server answers whatever it is asked with OK, until what waits for it is done. */
async function answering(backend: Backend, done: Promise<void>): Promise<void> {
  let isDone = false
  const ended = done.finally(() => {
    isDone = true
  })
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve))
    if (backend.depth === 0) continue
    const bytes = ok()
    backend.receive(bytes, bytes.length)
  }
  await ended
}

describe('a question about what came before', () => {
  it.each([
    ['ROW_COUNT()', Effect.readsRowCount],
    ['FOUND_ROWS()', Effect.readsFoundRows],
    ['@@warning_count', Effect.readsDiagnostics],
    ['LAST_INSERT_ID()', Effect.readsLastInsertId],
  ])('%s is known on the connection where it happened alone', (_name, effect) => {
    const { asking: asker, home, other } = asking(effect)
    expect([asksBack(asker, home), asksBack(asker, other)]).toEqual([false, true])
  })

  it('is none of other statements, and preparing asks nothing', () => {
    const { asking: asker, other } = asking(0)
    expect(asksBack(asker, other)).toBe(false)
    const preparing = { ...asker, command: command(Effect.readsLastInsertId, undefined, Command.STMT_PREPARE) }
    expect(asksBack(preparing, other)).toBe(false)
  })

  it('could be answered with what others have left, where a statement without a table keeps that: it is cleared before', async () => {
    const { asking: asker, home, other, socket } = asking(0)
    for (const backend of [home, other]) backend.leftDiagnostics = true
    expect([asksBack(asker, home), asksBack(asker, other)]).toEqual([false, true])
    await answering(other, recall(asker, other))
    expect(sent(socket)).toEqual([CLEARS_DIAGNOSTICS])
    expect(asksBack(asker, other)).toBe(false)
  })

  it('is every SHOW WARNINGS, and may be in what a procedure does', () => {
    expect(asksOfLast({ kind: StatementKind.diagnostics, effects: 0 })).toBe(true)
    const { asking: asker, other } = asking(0, StatementKind.call)
    expect(asksBack(asker, other)).toBe(true)
  })
})

describe('a connection that is asked about what happened elsewhere', () => {
  it('is made to know ROW_COUNT() by a statement that leaves the same', async () => {
    const { asking: asker, other, socket } = asking(Effect.readsRowCount)
    await answering(other, recall(asker, other))
    expect(sent(socket)).toEqual([asker.residue.reproduction])
    expect(other.state).toBe('idle')
  })

  it('is told LAST_INSERT_ID() once it is known, and knows it from then on', async () => {
    const { asking: asker, other, socket } = asking(Effect.readsLastInsertId)
    let tell: (id: string) => void = () => {}
    asker.residue.lastInsertId = new Promise((resolve) => {
      tell = resolve
    })
    const done = answering(other, recall(asker, other))
    await new Promise((resolve) => setImmediate(resolve))
    expect(sent(socket)).toEqual([])
    tell('42')
    await done
    expect(sent(socket)).toEqual(['SET last_insert_id = 42'])
    expect(asksBack(asker, other)).toBe(false)
  })

  it('that nobody can ask any more is 0, as in a new session', async () => {
    const { asking: asker, other, socket } = asking(Effect.readsLastInsertId)
    expect(asker.residue.lastInsertId).toBe('unknown')
    await answering(other, recall(asker, other))
    expect(sent(socket)).toEqual(['SET last_insert_id = 0'])
  })

  it('is told the count again behind the id, also where the last statement ran there', async () => {
    const { asking: asker, other, socket } = asking(Effect.readsRowCount | Effect.readsLastInsertId)
    asker.residue.lastInsertId = '42'
    asker.facts.last = other
    await answering(other, recall(asker, other))
    expect(sent(socket)).toEqual(['SET last_insert_id = 42', asker.residue.reproduction])
  })

  it('and is lost tells so', async () => {
    const { asking: asker, other } = asking(Effect.readsRowCount)
    const done = recall(asker, other)
    other.destroy('gone')
    await expect(done).rejects.toThrow('gone')
    expect(other.state).toBe('closed')
  })
})

describe('LAST_INSERT_ID() of a connection that is about to be given away', () => {
  it('is asked for at once, so that the question comes before what others send', async () => {
    const { backend, socket } = fakeBackend()
    const id = askInsertId(backend)
    expect(sent(socket)).toEqual(['SELECT LAST_INSERT_ID()'])
    const bytes = resultSet('99')
    backend.receive(bytes, bytes.length)
    expect(await id).toBe('99')
  })

  it('is 0 where the connection is lost', async () => {
    const { backend } = fakeBackend()
    const id = askInsertId(backend)
    backend.destroy('gone')
    expect(await id).toBe('0')
  })
})
