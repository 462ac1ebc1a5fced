import { describe, expect, it } from 'vitest'
import { ExecutePacket, preparePacket, QUIT_PACKET, queryPacket } from '../../../../bench/load/packets.js'

describe('prepared packets', () => {
  it('are whole commands with their headers', () => {
    expect(queryPacket('BEGIN').toString('hex')).toBe(`06000000${'03'}${Buffer.from('BEGIN').toString('hex')}`)
    expect(preparePacket('DO ?').toString('hex')).toBe(`05000000${'16'}${Buffer.from('DO ?').toString('hex')}`)
    expect(QUIT_PACKET.toString('hex')).toBe('0100000001')
  })

  it('execute a statement with one integer, byte by byte as the manual has it', () => {
    const execute = new ExecutePacket(0x01020304)
    const expected =
      '12000000' + // 18 bytes, sequence 0
      '17' + // COM_STMT_EXECUTE
      '04030201' + // statement id
      '00' + // no cursor
      '01000000' + // iterations
      '00' + // nothing is NULL
      '01' + // types follow
      '0300' + // MYSQL_TYPE_LONG, signed
      'd2040000' // 1234
    expect(execute.with(1234).toString('hex')).toBe(expected)
    expect(execute.with(-1).subarray(-4).toString('hex')).toBe('ffffffff')
  })
})
