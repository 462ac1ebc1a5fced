import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  BulkFlag,
  BulkIndicator,
  Capability,
  decodeColumnCount,
  decodeColumnDefinition,
  decodeEof,
  decodeErr,
  decodeOk,
  decodePrepareOk,
  decodeStmtBulkExecute,
  decodeStmtExecute,
  decodeTextRow,
  encodeColumnCount,
  encodeColumnDefinition,
  encodeEof,
  encodeErr,
  encodeOk,
  encodePrepareOk,
  encodeQuery,
  encodeStmtBulkExecute,
  encodeTextRow,
  FieldType,
  queryTextOffset,
  ResponseEvent,
  readStatementId,
  ServerStatus,
} from '../../protocol/index.js'
import { type Capture, type Exchange, loadCaptures } from './capture.js'
import { Describer } from './describe.js'
import { ANSWER, follow, framed, pieces } from './follow.js'

const bytesOf = (exchange: Exchange, from: 'client' | 'server') =>
  Buffer.concat(exchange.packets.filter((packet) => packet.from === from).map(({ hex }) => Buffer.from(hex, 'hex')))
const notesOf = (exchange: Exchange) => exchange.packets.filter(({ from }) => from === 'server').map(({ note }) => note)
const isBinary = ({ name }: Exchange) => name.startsWith('COM_STMT')

/** Whole, and byte by byte, and in pieces that cut packets in odd places. */
const CUTS: Record<string, (bytes: Buffer) => Buffer[]> = {
  whole: (bytes) => [bytes],
  'byte by byte': (bytes) => pieces(bytes, 1),
  'in pieces of 7 bytes': (bytes) => pieces(bytes, 7),
}

for (const { file, capture } of loadCaptures()) {
  if (file.endsWith('-login.json')) continue
  const negotiated = {
    capabilities: Number.parseInt(capture.capabilities, 16),
    mariadbCapabilities: Number.parseInt(capture.mariadbCapabilities, 16),
  }

  describe(`${file} (${capture.server}): ${capture.title}`, () => {
    for (const [cut, chunksOf] of Object.entries(CUTS)) {
      it(`every packet says what its note says, read ${cut}`, () => {
        const describer = new Describer(negotiated)
        for (const exchange of capture.exchanges) {
          const payloads = framed(chunksOf(bytesOf(exchange, 'server'))).map(({ payload }) => payload)
          const lines = describer.answer(exchange.answer, payloads, isBinary(exchange))
          expect(lines, exchange.name).toEqual(notesOf(exchange))
        }
      })

      it(`the follower passes every byte on and finds the end, read ${cut}`, () => {
        for (const exchange of capture.exchanges) {
          if (exchange.answer === 'none' || exchange.answer === 'login') continue
          const bytes = bytesOf(exchange, 'server')
          const { capabilities, mariadbCapabilities } = negotiated
          const result = follow(ANSWER[exchange.answer], chunksOf(bytes), capabilities, mariadbCapabilities)
          expect(result.output.toString('hex'), exchange.name).toBe(bytes.toString('hex'))
          expect(result.follower.ended, exchange.name).toBe(true)
          expect(factsOfFollower(result), exchange.name).toMatchObject(factsOfNotes(notesOf(exchange)))
        }
      })
    }

    it('our encoders give the same bytes as the server', () => {
      let encoded = 0
      for (const exchange of capture.exchanges) {
        for (const { payload, note } of framedWithNotes(exchange)) {
          const again = encodeAgain(payload, note, exchange, capture)
          if (again === undefined) continue
          encoded++
          expect(again.toString('hex'), `${exchange.name}: ${note}`).toBe(payload.toString('hex'))
        }
      }
      expect(encoded).toBeGreaterThan(80)
    })

    it('commands of the client are understood', () => {
      for (const exchange of capture.exchanges) {
        const [{ payload }] = framed([bytesOf(exchange, 'client')])
        if (payload[0] !== 3) continue
        const start = queryTextOffset(payload, 0, payload.length, negotiated.capabilities)
        const sql = payload.toString('utf8', start)
        expect(sql).toMatch(/^[A-Z]/)
        expect(encodeQuery(sql, negotiated.capabilities).subarray(4)).toEqual(payload)
      }
    })

    it('parameters are read, with types and with those of before', () => {
      const find = (start: string) => capture.exchanges.find(({ name }) => name.startsWith(start))!
      const payloadOf = (exchange: Exchange) => framed([bytesOf(exchange, 'client')])[0].payload
      const prepared = framed([bytesOf(find('COM_STMT_PREPARE of a SELECT with two'), 'server')])[0].payload
      const context = { parameterCount: 2, capabilities: negotiated.capabilities }
      const first = decodeStmtExecute(payloadOf(find("COM_STMT_EXECUTE with 'x' and 2")), context)
      expect(first.statementId).toBe(readStatementId(prepared, 0))
      expect(first.newParamsBound).toBe(true)
      expect(first.parameters).toEqual([
        { type: FieldType.VAR_STRING, unsigned: false, name: '', value: Buffer.from('x') },
        { type: FieldType.LONG, unsigned: false, name: '', value: 2 },
      ])
      const second = payloadOf(find('COM_STMT_EXECUTE with the types of before'))
      const types = first.parameters
      expect(decodeStmtExecute(second, { ...context, types })).toMatchObject({
        statementId: first.statementId,
        newParamsBound: false,
        parameters: [{ value: null }, { value: 1 }],
      })
      expect(() => decodeStmtExecute(second, context)).toThrow('none are known from before')
    })

    const bulk = capture.exchanges.filter(({ name }) => name.startsWith('COM_STMT_BULK_EXECUTE'))
    it.runIf(bulk.length > 0)('bulk executions are read and written, with types and with those of before', () => {
      const [first, second] = bulk.map((exchange) => framed([bytesOf(exchange, 'client')])[0].payload)
      const types = [
        { type: FieldType.LONG, unsigned: false },
        { type: FieldType.VAR_STRING, unsigned: false },
      ]
      const read = decodeStmtBulkExecute(first, 2)
      expect(read).toMatchObject({ flags: BulkFlag.SEND_TYPES, types })
      expect(read.rows).toEqual([
        [{ value: 100 }, { value: Buffer.from('a') }],
        [{ value: 101 }, { indicator: BulkIndicator.NULL }],
      ])
      expect(encodeStmtBulkExecute(read)).toEqual(first)
      const again = decodeStmtBulkExecute(second, 2, types)
      expect(again.rows).toEqual([[{ value: 102 }, { indicator: BulkIndicator.DEFAULT }]])
      expect(encodeStmtBulkExecute(again)).toEqual(second)
    })
  })
}

function framedWithNotes(exchange: Exchange) {
  const notes = notesOf(exchange)
  return framed([bytesOf(exchange, 'server')]).map(({ payload }, i) => ({ payload, note: notes[i] }))
}

/** What the notes say in numbers, in the words of the follower. */
function factsOfNotes(notes: string[]) {
  const last = notes.at(-1)!
  const count = (word: string) => notes.filter((note) => note.startsWith(word)).length
  const err = /^err (\d+)/.exec(last)
  const events: number[] = []
  for (const note of notes) {
    if (note.startsWith('err')) events.push(ResponseEvent.error)
    else if (note.startsWith('file')) events.push(ResponseEvent.localInfile)
    else if (note.startsWith('prepared')) events.push(ResponseEvent.prepared)
    else if (note.endsWith('}')) events.push(ResponseEvent.sessionState)
  }
  const flags = /^(?:ok|end|cursor) (\S+)/.exec(last)?.[1].split('+') ?? []
  const names = Object.entries(ServerStatus).filter(([name]) => flags.includes(name))
  return {
    rows: count('row '),
    errno: err === null ? 0 : Number(err[1]),
    events,
    ...(flags.length > 0 && { flags: names.reduce((mask, [, flag]) => mask | flag, 0) }),
    ...(last.startsWith('ok') && { affectedRows: Number(/affected=(\d+)/.exec(last)?.[1] ?? 0) }),
  }
}

function factsOfFollower({ follower, events }: ReturnType<typeof follow>) {
  return {
    rows: follower.rows,
    errno: follower.errno,
    events,
    flags: follower.statusFlags & ~ServerStatus.SESSION_STATE_CHANGED,
    affectedRows: follower.affectedRows,
  }
}

/** The packet decoded and encoded again, where we have an encoder for what the note names. */
function encodeAgain(payload: Buffer, note: string, { answer, name }: Exchange, capture: Capture): Buffer | undefined {
  const capabilities = Number.parseInt(capture.capabilities, 16)
  const mariadbCapabilities = Number.parseInt(capture.mariadbCapabilities, 16)
  const [word] = note.split(' ', 1)
  const deprecateEof = (capabilities & Capability.DEPRECATE_EOF) !== 0
  switch (word) {
    case 'ok':
      return encodeOk(decodeOk(payload, capabilities), capabilities)
    case 'err':
      return encodeErr(decodeErr(payload), capabilities)
    case 'eof':
      return encodeEof(decodeEof(payload))
    case 'end':
    case 'cursor':
      return deprecateEof
        ? encodeOk(decodeOk(payload, capabilities), capabilities, 0xfe)
        : encodeEof(decodeEof(payload))
    case 'column':
      return encodeColumnDefinition(decodeColumnDefinition(payload, mariadbCapabilities), mariadbCapabilities)
    case 'columns': {
      if (note.endsWith('without metadata')) return undefined
      const { count } = decodeColumnCount(payload, capabilities, mariadbCapabilities)
      return encodeColumnCount(count, capabilities, mariadbCapabilities)
    }
    case 'prepared':
      return encodePrepareOk(decodePrepareOk(payload, capabilities), capabilities)
    case 'row':
      if (answer !== 'results' || name.startsWith('COM_STMT')) return undefined
      return encodeTextRow(decodeTextRow(payload, note.split(' | ').length))
    default:
      return undefined
  }
}
