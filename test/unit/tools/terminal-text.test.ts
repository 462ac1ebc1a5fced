import { describe, expect, it } from 'vitest'
import { clip, displayWidth, padEnd, padStart, printable } from '../../../src/tools/terminal-text.js'

describe('text in a terminal', () => {
  it.each<[string, number]>([
    ['abc', 3],
    ['äöü', 3],
    ['e\u0301', 1],
    ['日本', 4],
    ['👍', 2],
    ['', 0],
  ])('%j takes %i columns', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  it('is cut by columns, never through a wide character', () => {
    expect(clip('abcdef', 4)).toBe('abc…')
    expect(clip('abcd', 4)).toBe('abcd')
    expect(clip('日本語', 4)).toBe('日…')
    expect(clip('日本', 4)).toBe('日本')
    expect(clip('abc', 0)).toBe('')
    expect(padEnd('日', 4)).toBe('日  ')
    expect(padStart('日', 4)).toBe('  日')
  })

  it('cannot control the terminal, whatever a client has sent', () => {
    expect(printable('\u001b[2Jx\u0007')).toBe('\\u{1b}[2Jx\\u{7}')
    expect(printable('a\nb\tc\rd')).toBe('a\\nb\\tc\\rd')
    expect(printable('\u009b31m \u202eabc')).toBe('\\u{9b}31m \\u{202e}abc')
    expect(printable('grün 日本')).toBe('grün 日本')
  })
})
