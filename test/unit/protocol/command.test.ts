import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  BulkFlag,
  BulkIndicator,
  Capability,
  Command,
  CommandName,
  commandText,
  decodeFieldList,
  decodeProcessKill,
  decodeQueryAttributes,
  decodeSetOption,
  decodeStmtBulkExecute,
  encodeCommand,
  encodeQuery,
  encodeStmtBulkExecute,
  FieldType,
  ProtocolError,
  patchStatementId,
  queryTextOffset,
  readStatementId,
} from '../../../protocol/index.js'

const ATTRIBUTES = Capability.QUERY_ATTRIBUTES
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('commands', () => {
  it('are framed with the number 0', () => {
    expect(encodeCommand(Command.PING).toString('hex')).toBe('010000000e')
    expect(encodeCommand(Command.INIT_DB, Buffer.from('a')).toString('hex')).toBe('020000000261')
  })

  it('have names', () => {
    expect(CommandName[Command.QUERY]).toBe('COM_QUERY')
    expect(CommandName[Command.STMT_BULK_EXECUTE]).toBe('COM_STMT_BULK_EXECUTE')
    expect(CommandName[0x77]).toBeUndefined()
  })

  it('with one argument give it as it was sent', () => {
    expect(commandText(Buffer.from('\x02shop')).toString()).toBe('shop')
    expect(decodeProcessKill(hex('0c 2a000000'))).toBe(42)
    expect(decodeSetOption(hex('1b 0100'))).toBe(1)
    expect(decodeFieldList(Buffer.from('\x04t\0%'))).toEqual({ table: Buffer.from('t'), wildcard: Buffer.from('%') })
    expect(() => decodeProcessKill(hex('0e'))).toThrow(ProtocolError)
  })
})

describe('the text of COM_QUERY', () => {
  const offset = (payload: Buffer, capabilities: number) => {
    // In the middle of a buffer, as it comes in.
    const around = Buffer.concat([hex('aaaa'), payload, hex('00000000000000000000')])
    const at = queryTextOffset(around, 2, 2 + payload.length, capabilities)
    return at < 0 ? at : at - 2
  }

  it('begins behind the command without query attributes', () => {
    expect(offset(Buffer.from('\x03SELECT 1'), 0)).toBe(1)
    expect(encodeQuery('SELECT 1', 0).toString('latin1')).toBe('\x09\0\0\0\x03SELECT 1')
  })

  it('begins behind an empty block of attributes', () => {
    const payload = encodeQuery('SELECT 1', ATTRIBUTES).subarray(4)
    expect(payload).toEqual(Buffer.from('\x03\x00\x01SELECT 1'))
    expect(offset(payload, ATTRIBUTES)).toBe(3)
  })

  it('begins behind attributes of all types', () => {
    // As the mysql client sends after `query_attributes traceparent 00-1`: one string; then a NULL and a number.
    const block = hex('03 01 02 01 fe00 01 61 0600 01 62 0380 01 63 0378797a ffffffff')
    const payload = Buffer.concat([hex('03'), block, Buffer.from('SELECT 1')])
    expect(offset(payload, ATTRIBUTES)).toBe(1 + block.length)
    expect(decodeQueryAttributes(payload, 0, payload.length, ATTRIBUTES)).toEqual({
      sqlStart: 1 + block.length,
      attributes: [
        { name: 'a', type: FieldType.STRING, unsigned: false, value: Buffer.from('xyz') },
        { name: 'b', type: FieldType.NULL, unsigned: false, value: null },
        { name: 'c', type: FieldType.LONG, unsigned: true, value: 0xffffffff },
      ],
    })
  })

  it('is nowhere when the attributes are malformed', () => {
    const wrong = [
      '03',
      '03 00',
      '03 00 02',
      '03 01 01 00 00',
      '03 01 01 00 01 fe00 01 61 05 78',
      '03 01 01 00 01 f300 00 00',
      '03 fb',
    ]
    for (const payload of wrong) {
      expect(offset(hex(payload), ATTRIBUTES), payload).toBe(-1)
      const bytes = hex(payload)
      expect(() => decodeQueryAttributes(bytes, 0, bytes.length, ATTRIBUTES)).toThrow(ProtocolError)
    }
  })

  it('is not searched for when a huge number of attributes is announced', () => {
    expect(offset(hex('03 fe ffffffffffff1f00 01 00'), ATTRIBUTES)).toBe(-1)
  })
})

describe('statement ids', () => {
  it('are read and replaced in place', () => {
    const buffer = hex('aa 17 01000000 00')
    expect(readStatementId(buffer, 1)).toBe(1)
    patchStatementId(buffer, 1, 0xfffffffe)
    expect(buffer).toEqual(hex('aa 17 feffffff 00'))
    expect(readStatementId(buffer, 1)).toBe(0xfffffffe)
  })
})

describe('COM_STMT_BULK_EXECUTE', () => {
  const types = [
    { type: FieldType.LONG, unsigned: false },
    { type: FieldType.VAR_STRING, unsigned: false },
  ]
  const rows = [
    [{ value: 7 }, { value: Buffer.from('a') }],
    [{ indicator: BulkIndicator.NULL }, { indicator: BulkIndicator.DEFAULT }],
  ]

  it('has its types behind the flags, and an indicator before each value', () => {
    const flags = BulkFlag.SEND_TYPES | BulkFlag.SEND_UNIT_RESULTS
    const bytes = encodeStmtBulkExecute({ statementId: 5, flags, types, rows })
    expect(bytes.toString('hex')).toBe('fa05000000c0000300fd00' + '0007000000' + '000161' + '0102')
    expect(decodeStmtBulkExecute(bytes, 2)).toEqual({ statementId: 5, flags, types, rows })
  })

  it('without types those of the execution before hold', () => {
    const bytes = encodeStmtBulkExecute({ statementId: 5, flags: 0, types, rows })
    expect(decodeStmtBulkExecute(bytes, 2, types).rows).toEqual(rows)
    expect(() => decodeStmtBulkExecute(bytes, 2)).toThrow(ProtocolError)
    for (let end = 8; end < bytes.length - 2; end++) {
      if (end === bytes.length - 2) continue
      expect(() => decodeStmtBulkExecute(bytes.subarray(0, end), 2, types)).toThrow(ProtocolError)
    }
  })
})
