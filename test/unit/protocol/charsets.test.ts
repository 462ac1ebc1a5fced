import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  collationById,
  collationIdByName,
  decodeText,
  defaultCollationOfCharset,
  encodeText,
  handshakeCollation,
} from '../../../protocol/index.js'

const idsOf = (family: 'mysql' | 'mariadb', from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => from + i).filter((id) => collationById(id, family) !== undefined)

describe('collations', () => {
  it('have the ids that the servers list', () => {
    expect(collationById(8)).toEqual({ id: 8, name: 'latin1_swedish_ci', charset: 'latin1' })
    expect(collationById(63)).toEqual({ id: 63, name: 'binary', charset: 'binary' })
    expect(collationById(255)).toEqual({ id: 255, name: 'utf8mb4_0900_ai_ci', charset: 'utf8mb4' })
    expect(collationById(2304, 'mariadb')).toEqual({ id: 2304, name: 'utf8mb4_uca1400_ai_ci', charset: 'utf8mb4' })
    expect(collationById(3271, 'mariadb')?.name).toBe('utf32_uca1400_croatian_nopad_as_cs')
    expect(collationById(100)).toBeUndefined()
  })

  it('are as many as the servers have', () => {
    // MySQL 9.7 has 286, all below 324; MariaDB 11.8 has 1288, of which 920 are from 2048 on.
    expect(idsOf('mysql', 1, 324)).toHaveLength(286)
    expect(idsOf('mariadb', 2048, 4096)).toHaveLength(920)
  })

  it('are found by their names in both directions', () => {
    for (const family of ['mysql', 'mariadb'] as const) {
      for (const id of idsOf(family, 1, 248))
        expect(collationIdByName(collationById(id, family)!.name, family)).toBe(id)
    }
  })

  it('of Croatian have different ids in the two families', () => {
    expect(collationIdByName('utf8mb4_croatian_ci', 'mysql')).toBe(245)
    expect(collationIdByName('utf8mb4_croatian_ci', 'mariadb')).toBe(608)
    expect(collationById(245, 'mariadb')?.name).toBe('utf8mb4_croatian_mysql561_ci')
  })

  it('are understood with their old names and in upper case', () => {
    expect(collationIdByName('utf8_general_ci')).toBe(33)
    expect(collationIdByName('UTF8MB4_BIN')).toBe(46)
    expect(collationIdByName('nonsense')).toBeUndefined()
  })

  it('have a default per character set', () => {
    expect(defaultCollationOfCharset('utf8mb4')).toBe(255)
    expect(defaultCollationOfCharset('utf8mb4', 'mariadb')).toBe(45)
    expect(defaultCollationOfCharset('utf8')).toBe(33)
    expect(defaultCollationOfCharset('LATIN1')).toBe(8)
    expect(defaultCollationOfCharset('gb18030', 'mariadb')).toBeUndefined()
  })

  it('above 255 become one that a handshake can carry', () => {
    expect(handshakeCollation(45)).toBe(45)
    expect(handshakeCollation(2304)).toBe(255)
    expect(handshakeCollation(608)).toBe(255)
    expect(handshakeCollation(1032)).toBe(8)
  })
})

describe('text', () => {
  it('is latin1 for latin1 and UTF-8 for all else', () => {
    expect(decodeText(Buffer.of(0xe9), 8)).toBe('é')
    expect(decodeText(Buffer.of(0xc3, 0xa9), 255)).toBe('é')
    expect(encodeText('é', 8)).toEqual(Buffer.of(0xe9))
    expect(encodeText('é', 33)).toEqual(Buffer.of(0xc3, 0xa9))
  })
})
