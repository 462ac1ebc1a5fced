import { describe, expect, it } from 'vitest'
import { FUNCTION_EFFECT_ROW } from '../../../src/sql/function-effects.js'
import {
  GRAMMAR_BOTH,
  GRAMMAR_MARIADB,
  GRAMMAR_MYSQL,
  NATIVE_BOTH,
  NATIVE_MARIADB,
  NATIVE_MYSQL,
} from '../../../src/sql/function-names.js'
import { VOCABULARY } from '../../../src/sql/vocabulary.js'
import { hashStep, WordTable } from '../../../src/sql/words.js'
import { classify } from './options.js'

const names = (list: string): string[] => list.split(/\s+/).filter((name) => name !== '')
const isUnknown = (text: string, flavor: 'mysql' | 'mariadb'): boolean =>
  classify(text, { flavor }).effects.includes('unknownFunction')

describe('built-in functions', () => {
  it('are known on the flavours that have them', () => {
    for (const name of names(NATIVE_BOTH + GRAMMAR_BOTH)) {
      expect(isUnknown(`SELECT ${name}(1)`, 'mysql'), name).toBe(false)
      expect(isUnknown(`SELECT ${name.toUpperCase()}(1)`, 'mariadb'), name).toBe(false)
    }
    for (const name of names(NATIVE_MYSQL + GRAMMAR_MYSQL))
      expect(isUnknown(`SELECT ${name}(1)`, 'mysql'), name).toBe(false)
    for (const name of names(NATIVE_MARIADB + GRAMMAR_MARIADB)) {
      expect(isUnknown(`SELECT ${name}(1)`, 'mariadb'), name).toBe(false)
    }
  })

  it('of the other flavour alone may be stored functions here', () => {
    const mysql = new Set(names(NATIVE_BOTH + GRAMMAR_BOTH + NATIVE_MYSQL + GRAMMAR_MYSQL))
    const mariadb = new Set(names(NATIVE_BOTH + GRAMMAR_BOTH + NATIVE_MARIADB + GRAMMAR_MARIADB))
    for (const name of names(NATIVE_MARIADB)) {
      if (!mysql.has(name)) expect(isUnknown(`SELECT ${name}(1)`, 'mysql'), name).toBe(true)
    }
    for (const name of names(NATIVE_MYSQL)) {
      if (!mariadb.has(name)) expect(isUnknown(`SELECT ${name}(1)`, 'mariadb'), name).toBe(true)
    }
  })

  it('with effects are all built in somewhere, so that no effect is lost to a misspelt name', () => {
    const all = new Set(
      names([NATIVE_BOTH, NATIVE_MYSQL, NATIVE_MARIADB, GRAMMAR_BOTH, GRAMMAR_MYSQL, GRAMMAR_MARIADB].join(' ')),
    )
    const gone = ['encrypt', 'password']
    for (const name of FUNCTION_EFFECT_ROW.keys()) expect(all.has(name) || gone.includes(name), name).toBe(true)
  })

  it('qualified by a schema are never the built-in ones', () => {
    for (const name of ['abs', 'sleep', 'count', 'now'])
      expect(isUnknown(`SELECT db.${name}(1)`, 'mysql'), name).toBe(true)
  })
})

describe('the table of words', () => {
  const find = (table: WordTable, word: string): number => {
    const bytes = Buffer.from(word)
    let hash = 0
    for (const byte of bytes) hash = hashStep(hash, byte)
    return table.find(bytes, 0, bytes.length, hash)
  }

  it('finds words in any case, and only whole ones', () => {
    expect(find(VOCABULARY, 'select')).not.toBe(0)
    expect(find(VOCABULARY, 'SeLeCt')).toBe(find(VOCABULARY, 'select'))
    for (const word of ['selec', 'selects', '', 'sele_t', 'sele\u0003t']) expect(find(VOCABULARY, word), word).toBe(0)
  })

  it('joins the bits of a word that is added twice', () => {
    const table = new WordTable()
    table.add('abc', 1)
    table.add('abc', 4)
    table.add('abd', 2)
    expect([find(table, 'ABC'), find(table, 'abd'), find(table, 'ab')]).toEqual([5, 2, 0])
  })
})
