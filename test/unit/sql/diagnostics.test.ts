import { describe, expect, it } from 'vitest'
import { diagnosticsTargets, type LexicalOptions } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

function targets(text: string, options: Partial<LexicalOptions> = {}): string[] {
  const buffer = Buffer.from(`xx${text}yy`)
  return diagnosticsTargets(buffer, 2, buffer.length - 2, { ...OPTIONS, ...options })
}

describe('variables that GET DIAGNOSTICS sets', () => {
  it.each<[string, string[]]>([
    ['GET DIAGNOSTICS @n = NUMBER', ['n']],
    ['get current diagnostics @N=NUMBER, @`odd name` = ROW_COUNT;', ['n', 'odd name']],
    ["GET DIAGNOSTICS CONDITION 1 @'a' = MESSAGE_TEXT, @b = MYSQL_ERRNO -- @c = x", ['a', 'b']],
    ['GET DIAGNOSTICS CONDITION @number @text = MESSAGE_TEXT', ['text']],
    ['GET DIAGNOSTICS CONDITION @n @n = MYSQL_ERRNO, @n = CLASS_ORIGIN', ['n']],
    ['GET DIAGNOSTICS local = NUMBER', []],
    ['GET DIAGNOSTICS @n', []],
  ])('%s', (text, expected) => {
    expect(targets(text)).toEqual(expected)
  })
})
