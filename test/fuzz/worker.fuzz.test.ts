import type { Socket } from 'node:net'
import { expect } from 'vitest'
import { Answer, Command, encodeProxyHeader, encodeStmtExecute, FieldType, frame } from '../../protocol/index.js'
import { newGlobalCounters } from '../../src/shared/counters.js'
import { StatementKind } from '../../src/sql/index.js'
import { ZstdFrameError, zstdContentSize } from '../../src/worker/backend/zstd-frame.js'
import type { ClientAddress } from '../../src/worker/client/client-address.js'
import { ClientSocket } from '../../src/worker/client/client-socket.js'
import { Opening } from '../../src/worker/client/opening.js'
import { Relay } from '../../src/worker/execution/relay.js'
import { COMMAND_RULES, CommandInHand } from '../../src/worker/session/command.js'
import { killedId, withKilledId } from '../../src/worker/session/kill-command.js'
import { AnswerNotes, learnFromOk } from '../../src/worker/state/session-learn.js'
import { SessionState } from '../../src/worker/state/session-state.js'
import { PacketWidener } from '../../src/worker/statements/packet-widener.js'
import { SharedStatements } from '../../src/worker/statements/shared-statement.js'
import { addressedTo } from '../../src/worker/statements/statement-packets.js'
import { Statements } from '../../src/worker/statements/statements.js'
import { FakeSocket, fakeBackend } from '../unit/worker/fixture.js'
import { anyPayload, corpus, FuzzFile, outcome, randomPieces } from './fuzz.js'
import type { Random } from './random.js'

/* What the worker reads of its clients' and servers' bytes itself, beyond the protocol library. */

const counters = newGlobalCounters()
const sharedStatements = new SharedStatements(counters, 10)
const HERE: ClientAddress = { host: '192.0.2.7', port: 4000, local: false, endpoints: null }

function commandOf(packet: Buffer, code: number): CommandInHand {
  const command = new CommandInHand()
  command.take(packet, 4, packet.length, COMMAND_RULES.get(code)!, 0)
  return command
}

const file = new FuzzFile('worker')

file.describe(() => {
  file.target('any packet that names a prepared statement is addressed to its server, and to it alone', (random) => {
    const { backend } = fakeBackend('a', { capabilities: random.once(2) ? 0 : random.u32() })
    const statements = new Statements({ counters, sharedStatements })
    const prepare = commandOf(frame(Buffer.from('\x16SELECT ?, ?'), 0), Command.STMT_PREPARE)
    prepare.kind = StatementKind.read
    const statement = statements.add(prepare, new SessionState('test'))
    statement.parameterCount = random.pick([0, 1, 2, 9, 300, 65_535])
    statements.prepared(statement, backend, 0x01020304, 0)
    for (let n = 0; n < 3; n++) {
      const payload = random.once(3) ? anyPayload(random) : executePayload(random, backend.capabilities)
      payload[0] = random.pick([
        Command.STMT_EXECUTE,
        Command.STMT_BULK_EXECUTE,
        Command.STMT_RESET,
        Command.STMT_FETCH,
      ])
      const packet = frame(random.note(payload), 0)
      // In front of other bytes, as in a chunk.
      const chunk = Buffer.concat([packet, random.noise(20)])
      const found = statements.find(chunk, 4, packet.length, true)
      if (payload.length < 5) expect(found).toBeNull()
      if (payload.length < 5) continue
      const { bytes } = addressedTo(chunk.subarray(0, packet.length), statement, statement.on(backend)!, false)
      expect(bytes.readUInt32LE(5)).toBe(0x01020304)
      expect(bytes.readUIntLE(0, 3)).toBe(bytes.length - 4)
      expect(bytes.length).toBeLessThanOrEqual(packet.length + (statement.types?.length ?? 0))
    }
    statements.clear()
  })

  file.target('bytes are put into a command the same way however it is cut', (random) => {
    const payload = random.note(random.noise(2 + random.below(60)))
    const at = 1 + random.below(payload.length - 1)
    const insert = random.note(random.noise(random.below(20)))
    const widener = new PacketWidener(at + 4, insert)
    const parts = randomPieces(random, frame(payload, 0)).map((piece) => Buffer.from(widener.push(piece)))
    const expected = frame(Buffer.concat([payload.subarray(0, at), insert, payload.subarray(at)]), 0)
    expect(Buffer.concat(parts).toString('hex')).toBe(expected.toString('hex'))
  })

  file.target('the opening of a connection is the same however it is cut, and keeps what is no header', (random) => {
    const endpoints = {
      family: 'tcp4',
      sourceAddress: '203.0.113.9',
      sourcePort: 1,
      destinationAddress: '192.0.2.1',
      destinationPort: 6033,
    } as const
    const header = encodeProxyHeader(random.once(2) ? 1 : 2, random.once(5) ? null : endpoints)
    const start = random.once(4) ? Buffer.alloc(0) : random.once(2) ? random.mutate(header) : header
    const bytes = random.note(Buffer.concat([start, frame(anyPayload(random), 1)]))
    const trusted = random.once(2)
    const open = (pieces: Buffer[]): unknown =>
      outcome(() => {
        const opening = new Opening(HERE, trusted)
        const rest: Buffer[] = []
        let read = false
        for (const piece of pieces) {
          const left: Buffer | null = read ? piece : opening.take(piece)
          read ||= left !== null
          if (left !== null) rest.push(left)
        }
        return { rest: Buffer.concat(rest).toString('hex'), host: opening.client.host }
      })
    expect(open(randomPieces(random, bytes))).toEqual(open([bytes]))
  })

  file.target("a KILL's packet", (random) => {
    const packet = frame(
      random.note(Buffer.concat([Buffer.of(Command.PROCESS_KILL), random.noise(random.below(9))])),
      0,
    )
    const command = commandOf(packet, Command.PROCESS_KILL)
    const id = killedId(command, 1)
    expect(id === -1).toBe(packet.length < 9)
    if (id >= 0) expect(withKilledId(command, 77).readUInt32LE(5)).toBe(77)
  })

  file.target('the header of a zstd frame', (random) => {
    const bytes = random.note(Buffer.concat([Buffer.from('28b52ffd', 'hex'), random.noise(random.below(16))]))
    try {
      expect(zstdContentSize(random.once(2) ? bytes : random.mutate(bytes))).toBeGreaterThanOrEqual(-1)
    } catch (error) {
      expect(error).toBeInstanceOf(ZstdFrameError)
    }
  })

  file.target(
    "whatever a server sends, the relay's client gets whole packets or the connection is given up",
    (random) => {
      const { capabilities, mariadbCapabilities, packets } = random.pick(corpus)
      const { backend } = fakeBackend('a', { capabilities, mariadbCapabilities })
      const told: string[] = []
      const state = new SessionState('test')
      const notes = new AnswerNotes()
      const relay = new Relay(new ClientSocket(new FakeSocket() as unknown as Socket, false), capabilities, {
        relayedOk: (ok) => learnFromOk(ok, backend, state, notes, random.once(2)),
        refused: () => random.once(4),
        reworded: (err) => (random.once(2) ? { ...err, errno: 1792 } : null),
        keptFromClient: () => told.push('end'),
        prepared: (packet, idAt) => packet.writeUInt32LE(7, idAt),
        infileRequested: () => backend.follower.infileSent(),
        answered: () => told.push('end'),
        displaced: () => {},
        heldUp: () => {},
        answerLost: () => told.push('lost'),
        crashed: (error) => {
          throw error
        },
      })
      backend.move('busy')
      backend.begin(relay, random.pick(Object.values(Answer)))
      const answer = packets.filter(({ from }) => from === 'server').map(({ bytes }) => bytes)
      const changed = answer.map((bytes) =>
        random.once(3) ? frame(random.mutate(bytes.subarray(4)), bytes[3]) : bytes,
      )
      for (const piece of randomPieces(random, random.note(Buffer.concat(changed))))
        backend.receive(piece, piece.length)
      expect(told.filter((what) => what === 'end').length).toBeLessThanOrEqual(1)
      if (told.includes('lost')) expect(backend.state).toBe('closed')
    },
  )
})

/** An execution of a statement with up to three parameters, changed now and then. */
function executePayload(random: Random, capabilities: number): Buffer {
  const parameters = Array.from({ length: random.below(4) }, () =>
    random.once(2)
      ? { type: FieldType.LONG, unsigned: false, value: random.below(100) }
      : { type: FieldType.VAR_STRING, unsigned: false, value: random.noise(random.below(10)) },
  )
  const payload = encodeStmtExecute(1, parameters, capabilities)
  return random.once(2) ? random.mutate(payload) : payload
}
