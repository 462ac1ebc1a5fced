import { describe, expect, it } from 'vitest'
import { Capability, Command, encodeStmtExecute, FieldType, PayloadWriter } from '../../../../protocol/index.js'
import { parseLagMs } from '../../../../src/shared/durations.js'
import { formatGtidSet } from '../../../../src/shared/gtid.js'
import { Classifier, EMPTY_CATALOGUE } from '../../../../src/sql/index.js'
import {
  hasWishes,
  type Wishes,
  wishesOf,
  wishesOfExecute,
  wishesOfQuery,
} from '../../../../src/worker/consistency/wishes.js'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const OTHER = 'aaaaaaaa-71ca-11e1-9e33-c80aa9429562'

function of(sql: string): Wishes | null {
  const bytes = Buffer.from(sql)
  const found = new Classifier().classify(bytes, 0, bytes.length, {
    flavor: 'mysql',
    ansiQuotes: false,
    noBackslashEscapes: false,
    truncated: false,
    schema: '',
    catalogue: EMPTY_CATALOGUE,
  })
  return hasWishes(found) ? wishesOf(found, bytes, 'mysql') : null
}

describe('hints', () => {
  it('of consistency are none where a comment does not ask for any', () => {
    for (const sql of ['SELECT 1', '/* consistency=strong */ SELECT 1', '/* sluice: primary */ SELECT 1'])
      expect(of(sql), sql).toBeNull()
  })

  it.each<[string, Partial<Wishes>]>([
    ['/* sluice: consistency=EVENTUAL */ SELECT 1', { level: 'eventual' }],
    ['/* sluice: causal=user-42 */ SELECT 1', { causal: 'user-42', level: null }],
    [
      'SELECT 1 /* sluice: causal=a consistency=strong, max_lag=500ms */',
      { causal: 'a', level: 'strong', maxLagMs: 500 },
    ],
    ['/* sluice: max_lag=5s */ SELECT 1', { maxLagMs: 5000 }],
    ['/* sluice: consistency=sometimes */ SELECT 1', { level: 'strong', unknown: 'consistency=sometimes' }],
    ['/* sluice: max_lag=soon */ SELECT 1', { level: 'strong', unknown: 'max_lag=soon' }],
    ['/* sluice: position=nonsense */ SELECT 1', { level: 'strong', position: null, unknown: 'position=nonsense' }],
  ])('%s', (sql, expected) => {
    expect(of(sql)).toMatchObject(expected)
  })

  it('name a position with all its sources, to the next blank', () => {
    const wishes = of(`/* sluice: position=${OTHER}:1-5:7,${UUID}:1-3 causal=k */ SELECT 1`)
    expect(formatGtidSet(wishes!.position!)).toBe(`${UUID}:1-3,${OTHER}:1-5:7`)
    expect(wishes!.causal).toBe('k')
  })
})

describe('query attributes', () => {
  const { QUERY_ATTRIBUTES } = Capability

  function query(attributes: Readonly<Record<string, string>>): Buffer {
    const names = Object.keys(attributes)
    const writer = new PayloadWriter().u8(Command.QUERY).lenenc(names.length).lenenc(1)
    writer.bytes(Buffer.alloc(Math.ceil(names.length / 8))).u8(1)
    for (const name of names) writer.u16(FieldType.VAR_STRING).lenencString(name)
    for (const name of names) writer.lenencString(attributes[name])
    return Buffer.concat([writer.take(), Buffer.from('SELECT 1')])
  }

  it('of a query count more than its comments', () => {
    const payload = query({ sluice_consistency: 'eventual', traceparent: '00-1', SLUICE_CAUSAL: 'key' })
    const wishes = wishesOfQuery(
      of('/* sluice: consistency=strong max_lag=1s */ SELECT 1'),
      payload,
      0,
      payload.length,
      QUERY_ATTRIBUTES,
      'mysql',
    )
    expect(wishes).toMatchObject({ level: 'eventual', causal: 'key', maxLagMs: 1000 })
  })

  it('that are for others ask for nothing', () => {
    const payload = query({ traceparent: '00-1' })
    expect(wishesOfQuery(null, payload, 0, payload.length, QUERY_ATTRIBUTES, 'mysql')).toBeNull()
  })

  it('of an execution stand behind its parameters', () => {
    const text = { type: FieldType.VAR_STRING, unsigned: false }
    const parameters = [
      { ...text, value: Buffer.from('sluice_causal') },
      { ...text, name: 'sluice_causal', value: Buffer.from('key') },
    ]
    const payload = encodeStmtExecute(1, parameters, QUERY_ATTRIBUTES)
    expect(wishesOfExecute(null, payload, 1, QUERY_ATTRIBUTES, 'mysql')).toMatchObject({ causal: 'key' })
    expect(wishesOfExecute(null, payload.subarray(0, 20), 1, QUERY_ATTRIBUTES, 'mysql')).toBeNull()
  })
})

describe('a time', () => {
  it.each([
    ['500ms', 500],
    ['5s', 5000],
    ['5', 5000],
    ['0.5', 500],
    ['1.5S', 1500],
    ['0', 0],
    ['', -1],
    ['5m', -1],
    ['-1', -1],
    ['1e3', -1],
    ['999999999999', -1],
  ])('%j is %d ms', (text, ms) => {
    expect(parseLagMs(text)).toBe(ms)
  })
})
