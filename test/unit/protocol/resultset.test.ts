import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  type BinaryValue,
  Capability,
  ColumnFlag,
  type ColumnInput,
  decodeBinaryRow,
  decodeColumnDefinition,
  decodeStmtExecute,
  decodeTextRow,
  encodeBinaryResultSet,
  encodeBinaryRow,
  encodeColumnDefinition,
  encodeErr,
  encodePrepareResponse,
  encodeStmtExecute,
  encodeTextResultSet,
  FieldType,
  ProtocolError,
  ResultSetDecoder,
  ServerStatus,
} from '../../../protocol/index.js'
import { framed } from '../../wire/follow.js'

const CLASSIC = Capability.PROTOCOL_41
const MODERN = CLASSIC | Capability.DEPRECATE_EOF | Capability.SESSION_TRACK

/** What a decoder says about framed packets, in short. */
function read(bytes: Buffer, capabilities: number, startSequence = 1) {
  const decoder = new ResultSetDecoder(capabilities)
  const events: string[] = []
  let sequence = startSequence
  for (const packet of framed([bytes])) {
    expect(packet.sequence).toBe(sequence++ & 0xff)
    const event = decoder.payload(packet.payload)
    if (event?.type === 'columns') events.push(`columns ${event.columns.map(({ name }) => name).join(',')}`)
    else if (event?.type === 'row') {
      const cells = decodeTextRow(event.payload, decoder.columns.length)
      events.push(`row ${cells.map((cell) => (cell === null ? 'NULL' : cell.toString())).join(',')}`)
    } else if (event?.type === 'ok') events.push(`ok ${event.ok.statusFlags} ${event.ok.warnings} ${event.last}`)
    else if (event !== null) events.push(event.type)
  }
  expect(decoder.ended).toBe(events.at(-1)?.endsWith('true') ?? false)
  return events
}

describe('a result whose columns end with CURSOR_EXISTS', () => {
  const statusFlags = ServerStatus.AUTOCOMMIT | ServerStatus.CURSOR_EXISTS
  const whole = framed([encodeTextResultSet([{ name: 'a' }], [['1']], CLASSIC, { statusFlags })])
  const types = (packets: typeof whole, decoder: ResultSetDecoder) =>
    packets.map(({ payload }) => decoder.payload(payload)?.type)

  it('goes on with its rows: a procedure has a cursor of its own open', () => {
    const decoder = new ResultSetDecoder(CLASSIC)
    expect(types(whole, decoder)).toEqual([undefined, 'columns', undefined, 'row', 'ok'])
    expect(decoder.ended).toBe(true)
  })

  it('is over where the execution has asked for a cursor', () => {
    const decoder = new ResultSetDecoder(CLASSIC, 0, true)
    expect(types(whole.slice(0, 3), decoder)).toEqual([undefined, 'columns', 'ok'])
    expect(decoder.ended).toBe(true)
  })
})

describe('text result sets', () => {
  for (const [name, capabilities] of Object.entries({ CLASSIC, MODERN })) {
    it(`are read as they were written (${name})`, () => {
      const rows = [
        ['1', null],
        [Buffer.from('2'), 'é'],
        ['', 'x'.repeat(70_000)],
      ]
      const options = { warnings: 3, startSequence: 254 }
      const bytes = encodeTextResultSet([{ name: 'a' }, { name: 'b' }], rows, capabilities, options)
      expect(read(bytes, capabilities, 254)).toEqual([
        'columns a,b',
        'row 1,NULL',
        'row 2,é',
        `row ,${'x'.repeat(70_000)}`,
        'ok 2 3 true',
      ])
    })

    it(`may have no rows (${name})`, () => {
      expect(read(encodeTextResultSet([{ name: 'a' }], [], capabilities), capabilities)).toEqual([
        'columns a',
        'ok 2 0 true',
      ])
    })

    it(`can follow each other (${name})`, () => {
      const statusFlags = ServerStatus.AUTOCOMMIT | ServerStatus.MORE_RESULTS_EXISTS
      const first = encodeTextResultSet([{ name: 'a' }], [['1']], capabilities, { statusFlags })
      const startSequence = 1 + framed([first]).length
      const second = encodeTextResultSet([{ name: 'b' }], [['2']], capabilities, { startSequence })
      expect(read(Buffer.concat([first, second]), capabilities)).toEqual([
        'columns a',
        'row 1',
        'ok 10 0 false',
        'columns b',
        'row 2',
        'ok 2 0 true',
      ])
    })
  }

  it('end with an error where one comes in the middle of the rows', () => {
    const decoder = new ResultSetDecoder(MODERN)
    const packets = framed([encodeTextResultSet([{ name: 'a' }], [['1']], MODERN)]).slice(0, 3)
    for (const { payload } of packets) decoder.payload(payload)
    const err = { errno: 1317, sqlState: '70100', message: 'Query execution was interrupted' }
    expect(decoder.payload(encodeErr(err))).toEqual({ type: 'err', err, last: true })
    expect(() => decoder.payload(encodeErr(err))).toThrow(ProtocolError)
  })

  it('refuse rows that are too short or too long', () => {
    expect(() => decodeTextRow(Buffer.from('\x01a'), 2)).toThrow(ProtocolError)
    expect(() => decodeTextRow(Buffer.from('\x01a\x01b'), 1)).toThrow(ProtocolError)
  })
})

describe('column definitions', () => {
  it('of which only the name is given are those of a string', () => {
    expect(decodeColumnDefinition(encodeColumnDefinition({ name: 'a' }))).toMatchObject({
      catalog: 'def',
      name: 'a',
      type: FieldType.VAR_STRING,
      collation: 45,
      decimals: 31,
    })
  })

  it('of numbers have the binary collation', () => {
    const bytes = encodeColumnDefinition({ name: 'n', type: FieldType.LONGLONG, flags: ColumnFlag.NOT_NULL })
    expect(decodeColumnDefinition(bytes)).toMatchObject({ collation: 63, flags: 1, decimals: 0 })
  })
})

/** Every type with values and, by hand, the bytes of one of them. */
const TYPES: [ColumnInput, BinaryValue[], string][] = [
  [{ name: 'tiny', type: FieldType.TINY }, [-1, 0, -128, 127], 'ff'],
  [{ name: 'utiny', type: FieldType.TINY, flags: ColumnFlag.UNSIGNED }, [255, 0], 'ff'],
  [{ name: 'short', type: FieldType.SHORT }, [-2, 32_767], 'feff'],
  [{ name: 'year', type: FieldType.YEAR, flags: ColumnFlag.UNSIGNED }, [2024, 0], 'e807'],
  [{ name: 'int24', type: FieldType.INT24 }, [-70_000], '90eefeff'],
  [{ name: 'long', type: FieldType.LONG }, [-2_147_483_648, 5], '00000080'],
  [{ name: 'ulong', type: FieldType.LONG, flags: ColumnFlag.UNSIGNED }, [4_294_967_295], 'ffffffff'],
  [
    { name: 'big', type: FieldType.LONGLONG },
    [-1, 2n ** 62n, -(2n ** 63n), -9_007_199_254_740_991],
    'ffffffffffffffff',
  ],
  [{ name: 'ubig', type: FieldType.LONGLONG, flags: ColumnFlag.UNSIGNED }, [2n ** 64n - 1n, 7], 'ffffffffffffffff'],
  [{ name: 'float', type: FieldType.FLOAT }, [1.5], '0000c03f'],
  [{ name: 'double', type: FieldType.DOUBLE }, [-2.25], '00000000000002c0'],
  [{ name: 'decimal', type: FieldType.NEWDECIMAL }, [Buffer.from('12.50')], '0531322e3530'],
  [{ name: 'blob', type: FieldType.BLOB }, [Buffer.of(0, 255), Buffer.alloc(0)], '0200ff'],
  [{ name: 'bit', type: FieldType.BIT }, [Buffer.of(10)], '010a'],
  [{ name: 'date', type: FieldType.DATE }, ['2024-02-29', '0000-00-00'], '04e807021d'],
  [
    { name: 'datetime', type: FieldType.DATETIME, decimals: 6 },
    ['2024-02-29 12:34:56.789000', '2024-02-29 00:00:00.000000'],
    '0be807021d0c2238080a0c00',
  ],
  [
    { name: 'seconds', type: FieldType.DATETIME, decimals: 0 },
    ['2024-02-29 12:34:56', '0000-00-00 00:00:00'],
    '07e807021d0c2238',
  ],
  [{ name: 'time', type: FieldType.TIME, decimals: 0 }, ['-112:34:56', '00:00:00', '838:59:59'], '080104000000102238'],
  [
    { name: 'fraction', type: FieldType.TIME, decimals: 3 },
    ['-00:00:00.500', '00:00:00.000'],
    '0c010000000000000020a10700',
  ],
]

describe('binary rows', () => {
  for (const [column, values, firstBytes] of TYPES) {
    const columns = [decodeColumnDefinition(encodeColumnDefinition(column))]

    it(`have ${column.name} values as a server writes them`, () => {
      expect(encodeBinaryRow([values[0]], columns).toString('hex')).toBe(`0000${firstBytes}`)
      for (const value of values) expect(decodeBinaryRow(encodeBinaryRow([value], columns), columns)).toEqual([value])
    })
  }

  it('have NULL where their bitmap says so', () => {
    const columns = TYPES.map(([column]) => decodeColumnDefinition(encodeColumnDefinition(column)))
    for (let shift = 0; shift < 3; shift++) {
      const row = TYPES.map(([, values], i) => (i % 3 === shift ? null : values[0]))
      expect(decodeBinaryRow(encodeBinaryRow(row, columns), columns)).toEqual(row)
    }
  })

  it('are refused when they are cut or too long', () => {
    const columns = TYPES.map(([column]) => decodeColumnDefinition(encodeColumnDefinition(column)))
    const row = encodeBinaryRow(
      TYPES.map(([, values]) => values[0]),
      columns,
    )
    for (let end = 0; end < row.length; end++) {
      expect(() => decodeBinaryRow(row.subarray(0, end), columns)).toThrow(ProtocolError)
    }
    expect(() => decodeBinaryRow(Buffer.concat([row, Buffer.alloc(1)]), columns)).toThrow(ProtocolError)
  })

  it('come in result sets', () => {
    const bytes = encodeBinaryResultSet([{ name: 'n', type: FieldType.LONG }], [[5], [null]], MODERN)
    const decoder = new ResultSetDecoder(MODERN)
    const rows: unknown[] = []
    for (const { payload } of framed([bytes])) {
      const event = decoder.payload(payload)
      if (event?.type === 'row') rows.push(decodeBinaryRow(event.payload, decoder.columns))
    }
    expect(rows).toEqual([[5], [null]])
  })
})

describe('the answer to COM_STMT_PREPARE', () => {
  it('has an EOF behind each group for classic clients only', () => {
    const columns = [{ name: 'a' }, { name: 'b' }]
    const count = (capabilities: number, parameters: ColumnInput[]) =>
      framed([encodePrepareResponse(7, parameters, columns, capabilities)]).length
    expect(count(CLASSIC, [{ name: '?' }])).toBe(1 + 2 + 3)
    expect(count(MODERN, [{ name: '?' }])).toBe(1 + 1 + 2)
    expect(count(CLASSIC, [])).toBe(1 + 3)
  })
})

describe('COM_STMT_EXECUTE', () => {
  const parameters = TYPES.map(([{ type = 0, flags = 0, decimals }, values]) => ({
    type,
    unsigned: (flags & ColumnFlag.UNSIGNED) !== 0,
    value: type === FieldType.DATETIME || type === FieldType.TIME ? null : values[0],
    decimals,
  }))

  for (const capabilities of [CLASSIC, CLASSIC | Capability.QUERY_ATTRIBUTES]) {
    it(`brings values of all types (capabilities ${capabilities.toString(16)})`, () => {
      const payload = encodeStmtExecute(9, parameters, capabilities)
      const decoded = decodeStmtExecute(payload, { parameterCount: parameters.length, capabilities })
      expect(decoded.statementId).toBe(9)
      expect(decoded.parameters.map(({ value }) => value)).toEqual(parameters.map(({ value }) => value))
    })

    it(`leaves out what was sent as long data (capabilities ${capabilities.toString(16)})`, () => {
      const text = { type: FieldType.BLOB, unsigned: false, value: Buffer.from('a') }
      const withBoth = encodeStmtExecute(9, [text, text], capabilities)
      const withOne = withBoth.subarray(0, -2)
      const hasLongData = (index: number) => index === 1
      const decoded = decodeStmtExecute(withOne, { parameterCount: 2, capabilities, hasLongData })
      expect(decoded.parameters.map(({ value }) => value)).toEqual([Buffer.from('a'), null])
    })
  }

  it('may have query attributes behind the parameters', () => {
    const capabilities = CLASSIC | Capability.QUERY_ATTRIBUTES
    const number = { type: FieldType.LONG, unsigned: false, value: 1 }
    const payload = encodeStmtExecute(9, [number, { ...number, name: 'trace', value: 2 }], capabilities)
    expect(decodeStmtExecute(payload, { parameterCount: 1, capabilities }).parameters).toMatchObject([
      { name: '', value: 1 },
      { name: 'trace', value: 2 },
    ])
  })
})
