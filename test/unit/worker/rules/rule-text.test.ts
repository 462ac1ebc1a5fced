import { describe, expect, it } from 'vitest'
import { readText, writeText } from '../../../../src/worker/rules/rule-text.js'

describe('a text that rules look at', () => {
  it.each([
    ['ASCII', Buffer.from('SELECT 1')],
    ['UTF-8', Buffer.from("SELECT 'größer', '日本'")],
    ['another character set', Buffer.from("SELECT 'gr\xf6\xdfer'", 'latin1')],
    [
      'bytes of a BLOB',
      Buffer.concat([Buffer.from("INSERT INTO t VALUES (_binary '"), Buffer.from([0, 255, 192, 128, 39])]),
    ],
  ])('of %s goes back to the bytes that it came from', (_name, bytes) => {
    const text = readText(bytes, 0, bytes.length)
    expect(writeText(text, bytes)).toEqual(bytes)
    expect(writeText(text.replace('SELECT', 'select'), bytes)).toEqual(
      Buffer.from(bytes.toString('latin1').replace('SELECT', 'select'), 'latin1'),
    )
  })

  it('is not rewritten with characters that it cannot have', () => {
    const bytes = Buffer.from("SELECT '\xf6'", 'latin1')
    expect(writeText("SELECT '\xf6\xe9'", bytes)).toEqual(Buffer.from("SELECT '\xf6\xe9'", 'latin1'))
    expect(writeText("SELECT '日'", bytes)).toBeNull()
  })
})
