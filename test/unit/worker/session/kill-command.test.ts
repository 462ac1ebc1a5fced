import { describe, expect, it } from 'vitest'
import { Command, encodeCommand, encodeQuery } from '../../../../protocol/index.js'
import { Classifier } from '../../../../src/sql/index.js'
import { CommandInHand, Handling } from '../../../../src/worker/session/command.js'
import { killedId, killsStatementOnly, withKilledId } from '../../../../src/worker/session/kill-command.js'

const RULE = { handling: Handling.text, kind: 0, answer: 0 }

function killQuery(sql: string): CommandInHand {
  const packet = encodeQuery(sql, 0)
  const command = new CommandInHand()
  command.take(packet, 4, packet.length, RULE, 0)
  const found = new Classifier().classify(packet, 5, packet.length, {
    flavor: 'mariadb',
    ansiQuotes: false,
    noBackslashEscapes: false,
    truncated: false,
    schema: '',
    catalogue: { readsAtMost: () => false },
    ignoreSpace: false,
    backslashTrailBytes: false,
  })
  command.kind = found.kind
  command.argumentStart = found.argumentStart
  command.argumentEnd = found.argumentEnd
  return command
}

function processKill(id: number): CommandInHand {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(id)
  const packet = encodeCommand(Command.PROCESS_KILL, payload)
  const command = new CommandInHand()
  command.take(packet, 4, packet.length, RULE, 0)
  return command
}

describe('KILL', () => {
  it.each([
    ['KILL 1073741889', 1073741889, 'KILL 7'],
    ['kill query 12', 12, 'kill query 7'],
    ['/* who */ KILL CONNECTION /* what */ 12 ; ', 12, '/* who */ KILL CONNECTION /* what */ 7 ; '],
    ['KILL SOFT QUERY 12', 12, 'KILL SOFT QUERY 7'],
  ])('%j names a session by number, and goes on with the id that a server has for it', (sql, id, rewritten) => {
    const command = killQuery(sql)
    expect(killedId(command, 5)).toBe(id)
    expect(withKilledId(command, 7)).toEqual(encodeQuery(rewritten, 0))
  })

  it.each([
    ['KILL CONNECTION_ID()', 'KILL 7'],
    ['kill query connection_id ( ) ;', 'kill query 7 ;'],
    ['/* me */ KILL CONNECTION CONNECTION_ID()', '/* me */ KILL CONNECTION 7'],
  ])('%j names the session itself', (sql, rewritten) => {
    const command = killQuery(sql)
    expect(killedId(command, 5)).toBe(5)
    expect(withKilledId(command, 7)).toEqual(encodeQuery(rewritten, 0))
  })

  it.each([
    'KILL CONNECTION_ID() + 1',
    'KILL @id',
    'KILL (SELECT 1)',
    'KILL USER app',
    'KILL 99999999999999999999',
    'SELECT 12',
  ])('%j names none that could be looked for', (sql) => {
    expect(killedId(killQuery(sql), 5)).toBe(-1)
  })

  it('as a command names a session by its 32 bits', () => {
    expect(killedId(processKill(4_000_000_000), 5)).toBe(4_000_000_000)
    expect(withKilledId(processKill(12), 7)).toEqual(processKill(7).packet())
    const cut = processKill(12)
    cut.end -= 1
    expect(killedId(cut, 5)).toBe(-1)
  })

  it('ends the statement alone where it says QUERY', () => {
    expect(killsStatementOnly(killQuery('KILL QUERY 1'))).toBe(true)
    expect(killsStatementOnly(killQuery('KILL 1'))).toBe(false)
    expect(killsStatementOnly(processKill(1))).toBe(false)
  })
})
