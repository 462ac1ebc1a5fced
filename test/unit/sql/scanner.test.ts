import { describe, expect, it } from 'vitest'
import { ALL_VERSIONS, Scanner, T } from '../../../src/sql/scanner.js'
import type { LexicalOptions } from '../../../src/sql/types.js'
import { OPTIONS } from './options.js'

const NAMES = Object.keys(T)

/** The tokens of a text, each as `type:text`, up to the end or the first bad one. */
function tokens(text: string, options: Partial<LexicalOptions> = {}, threshold = ALL_VERSIONS): string[] {
  const scanner = new Scanner()
  const buffer = Buffer.from(text)
  scanner.reset(buffer, 0, buffer.length, { ...OPTIONS, ...options }, threshold, null)
  const found: string[] = []
  for (;;) {
    const type = scanner.next()
    if (type === T.end) return found
    found.push(`${NAMES[type]}:${buffer.toString('utf8', scanner.start, scanner.stop)}`)
    if (type === T.bad) return found
  }
}

describe('tokens', () => {
  it.each<[string, string[]]>([
    ['', []],
    ['a.b', ['word:a', 'dot:.', 'word:b']],
    ['a.1b', ['word:a', 'dot:.', 'word:1b']],
    ['a.1', ['word:a', 'dot:.', 'number:1']],
    [
      '1.5 .5 5. 1e5 1e+5 1.5e-3',
      ['number:1.5', 'number:.5', 'number:5.', 'number:1e5', 'number:1e+5', 'number:1.5e-3'],
    ],
    ['..5 t..5 1..5', ['dot:.', 'dot:.', 'number:5', 'word:t', 'dot:.', 'dot:.', 'number:5', 'number:1.', 'number:.5']],
    ['0x1F 0b01 0xG 0b2 1a 1e', ['number:0x1F', 'number:0b01', 'word:0xG', 'word:0b2', 'word:1a', 'word:1e']],
    ["'a''b' 'a\\'b' \"c\"\"d\"", ["string:'a''b'", "string:'a\\'b'", 'string:"c""d"']],
    ['`a``b`', ['quoted:`a``b`']],
    ['$x _y ä', ['word:$x', 'word:_y', 'word:ä']],
    [
      "@a @`b c` @'d' @ @@x @@global.y @@`z`",
      [
        'userVariable:@a',
        'userVariable:@`b c`',
        "userVariable:@'d'",
        'userVariable:@',
        'systemVariable:@@x',
        'systemVariable:@@global.y',
        'systemVariable:@@`z`',
      ],
    ],
    ['a:=?', ['word:a', 'assign::=', 'placeholder:?']],
    ['(a,b);', ['open:(', 'word:a', 'comma:,', 'word:b', 'close:)', 'semicolon:;']],
    ['a--b', ['word:a', 'operator:-', 'operator:-', 'word:b']],
    ['a-- b', ['word:a']],
    ['a --\tb\nc', ['word:a', 'word:c']],
    ['a#b\nc', ['word:a', 'word:c']],
    ['a/*b*/c', ['word:a', 'word:c']],
    ['a/b*c', ['word:a', 'operator:/', 'word:b', 'operator:*', 'word:c']],
    ['/*/ a */ b', ['word:b']],
    ['/*! a */ b', ['word:a', 'word:b']],
    ['/*!80000 a /* c */ d */ b', ['word:a', 'word:d', 'word:b']],
    ['/*!123 a */', ['number:123', 'word:a']],
    ['/*!800001 a */', ['word:a']],
    ["'abc", ["bad:'abc"]],
    ['a /* b', ['word:a', 'bad:/* b']],
    ['/*! a', ['word:a', 'bad:']],
  ])('of %j', (text, expected) => {
    expect(tokens(text)).toEqual(expected)
  })

  it('of a comment for MariaDB exist on MariaDB alone', () => {
    expect(tokens('a /*M! b */')).toEqual(['word:a'])
    expect(tokens('a /*M! b */', { flavor: 'mariadb' })).toEqual(['word:a', 'word:b'])
    expect(tokens('a /*M!100100 b */', { flavor: 'mariadb' })).toEqual(['word:a', 'word:b'])
  })

  it('of a gated comment are skipped below its version, with one level of comments inside', () => {
    expect(tokens('a /*!80000 b /* c */ d */ e', {}, 70000)).toEqual(['word:a', 'word:e'])
    expect(tokens('a /*! b */ c', {}, 0)).toEqual(['word:a', 'word:b', 'word:c'])
  })

  it('are read again after unread', () => {
    const scanner = new Scanner()
    const buffer = Buffer.from('SELECT `a`')
    scanner.reset(buffer, 0, buffer.length, OPTIONS, ALL_VERSIONS, null)
    scanner.next()
    const { code } = scanner
    scanner.unread()
    expect([scanner.next(), scanner.code, scanner.next()]).toEqual([T.word, code, T.quoted])
  })
})
