import { describe, expect, it } from 'vitest'
import {
  Capability,
  Command,
  CursorType,
  decodeBinaryRow,
  decodePrepareOk,
  encodeStmtExecute,
  FieldType,
  frame,
  MariadbCapability,
  ResultSetDecoder,
} from '../../../../protocol/index.js'
import { newGlobalCounters } from '../../../../src/shared/counters.js'
import type { Execution } from '../../../../src/worker/execution/execution.js'
import type { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { executeOwn, isAnsweredAsOwn, prepareOwn } from '../../../../src/worker/session/own-answers.js'
import type { OwnStatement } from '../../../../src/worker/session/own-statement.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { SharedStatements } from '../../../../src/worker/statements/shared-statement.js'
import { Statements } from '../../../../src/worker/statements/statements.js'
import { snapshotOf, USER } from '../fixture.js'

const READ: OwnStatement = { reads: true, name: 'level' }
const SET: OwnStatement = { reads: false, value: '?', isParameter: true }
const view = { snapshot: snapshotOf([]) } as unknown as TopologyView

function preparedAs(own: OwnStatement, capabilities: number = Capability.DEPRECATE_EOF, mariadbCapabilities = 0) {
  const command = new CommandInHand()
  const facts = new SessionFacts(USER)
  const execution = { command, facts, text: { capabilities, mariadbCapabilities } } as unknown as Execution
  const counters = newGlobalCounters()
  const statements = new Statements({ counters, sharedStatements: new SharedStatements(counters, 10) })
  take(command, Buffer.concat([Buffer.of(Command.STMT_PREPARE), Buffer.from(JSON.stringify(own))]))
  const statement = statements.add(command, new SessionState(''))
  const answer = payloads(prepareOwn(own, statement, execution))
  const execute = (payload: Buffer) => {
    take(command, payload)
    return executeOwn(own, statement, execution, view)
  }
  return { answer, execute, facts, statement, capabilities, mariadbCapabilities }
}

function take(command: CommandInHand, payload: Buffer): void {
  const packet = frame(payload, 0)
  command.take(packet, 4, packet.length, COMMAND_RULES.get(payload[0])!, 0)
}

function payloads(packets: Buffer | string | Error): Buffer[] {
  if (!Buffer.isBuffer(packets)) throw packets
  const found: Buffer[] = []
  for (let at = 0; at < packets.length; at += 4 + packets.readUIntLE(at, 3)) {
    found.push(packets.subarray(at + 4, at + 4 + packets.readUIntLE(at, 3)))
  }
  return found
}

const text = (value: string) => [{ type: FieldType.VAR_STRING, unsigned: false, value: Buffer.from(value) }]

describe("a prepared SELECT of Sluice's variable", () => {
  const dialects: readonly (readonly [string, number, number])[] = [
    ['classic', 0, 0],
    ['DEPRECATE_EOF', Capability.DEPRECATE_EOF, 0],
    ["MariaDB's metadata", Capability.DEPRECATE_EOF, MariadbCapability.EXTENDED_METADATA],
  ]
  it.each(dialects)('is a binary result set (%s)', (_name, capabilities, mariadbCapabilities) => {
    const { answer, execute, facts } = preparedAs(READ, capabilities, mariadbCapabilities)
    expect(decodePrepareOk(answer[0], capabilities)).toMatchObject({
      statementId: 1,
      columnCount: 1,
      parameterCount: 0,
    })
    for (const level of [null, 'strong'] as const) {
      facts.consistency.level = level
      const decoder = new ResultSetDecoder(capabilities, mariadbCapabilities, true)
      const rows: unknown[][] = []
      // A cursor is asked for, and none is opened.
      const packets = execute(encodeStmtExecute(1, [], capabilities, CursorType.READ_ONLY))
      for (const payload of payloads(packets as Buffer)) {
        const event = decoder.payload(payload)
        if (event?.type === 'row') rows.push(decodeBinaryRow(event.payload, decoder.columns).map(String))
      }
      expect(decoder.ended).toBe(true)
      expect(decoder.columns.map(({ name }) => name)).toEqual(['level'])
      expect(rows).toEqual([[level ?? 'session']])
    }
  })
})

describe("a prepared SET of Sluice's variable", () => {
  it('takes its parameter, whose type comes only once', () => {
    const { answer, execute, facts, capabilities } = preparedAs(SET)
    expect(decodePrepareOk(answer[0])).toMatchObject({ columnCount: 0, parameterCount: 1 })
    const first = encodeStmtExecute(1, text('eventual'), capabilities)
    expect(execute(first)).toBe('ok')
    expect(facts.consistency.level).toBe('eventual')
    // Behind the statement's id, flags and iterations, a byte of NULLs: no new types, and the value.
    const again = Buffer.concat([first.subarray(0, 11), Buffer.of(0, 6), Buffer.from('strong')])
    expect(execute(again)).toBe('ok')
    expect(facts.consistency.level).toBe('strong')
  })

  it('refuses what is no level, and what it cannot read', () => {
    const { execute, facts, capabilities } = preparedAs(SET)
    expect(execute(encodeStmtExecute(1, text('often'), capabilities))).toMatchObject({ errno: 1231 })
    expect(execute(encodeStmtExecute(1, [{ ...text('')[0], value: null }], capabilities))).toMatchObject({
      errno: 1231,
    })
    expect(execute(encodeStmtExecute(1, text('strong'), capabilities).subarray(0, -3))).toMatchObject({ errno: 1210 })
    // Its types were never sent.
    const { execute: other } = preparedAs(SET)
    expect(other(Buffer.from([Command.STMT_EXECUTE, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]))).toMatchObject({ errno: 1210 })
    expect(facts.consistency.level).toBeNull()
  })

  it('has no answer to data that is sent ahead, and none in bulk', () => {
    const { execute } = preparedAs(SET)
    expect(execute(Buffer.from([Command.STMT_SEND_LONG_DATA, 1, 0, 0, 0, 0, 0, 0x78]))).toBe('silence')
    expect(execute(Buffer.from([Command.STMT_BULK_EXECUTE, 1, 0, 0, 0, 0, 0]))).toMatchObject({ errno: 1295 })
    expect([Command.STMT_RESET, Command.STMT_FETCH, Command.STMT_CLOSE].some(isAnsweredAsOwn)).toBe(false)
  })

  it('with its value in the text has no parameter; DEFAULT takes the level back', () => {
    const { execute, facts, capabilities } = preparedAs({ reads: false, value: 'token', isParameter: false })
    expect(execute(encodeStmtExecute(1, [], capabilities))).toBe('ok')
    expect(facts.consistency.level).toBe('token')
    const back = preparedAs({ reads: false, value: null, isParameter: false })
    back.facts.consistency.level = 'strong'
    expect(back.execute(encodeStmtExecute(1, [], capabilities))).toBe('ok')
    expect(back.facts.consistency.level).toBeNull()
  })
})
