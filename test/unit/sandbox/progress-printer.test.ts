import { describe, expect, it } from 'vitest'
import { progressPrinter } from '../../../src/sandbox/progress-printer.js'

function printed(isTTY: boolean): string {
  let text = ''
  const print = progressPrinter({ isTTY, write: (chunk: string) => (text += chunk) })
  print({ step: 'server', message: 'looking' })
  for (let percent = 0; percent <= 100; percent += 0.5) print({ step: 'download', message: 'loading', percent })
  print({ step: 'ready', message: 'done' })
  return text
}

describe('progress', () => {
  it('is a few plain lines where it is not a terminal', () => {
    expect(printed(false)).toBe('looking\nloading 0%\nloading 25%\nloading 50%\nloading 75%\nloading 100%\ndone\n')
  })

  it('moves on in one line in a terminal', () => {
    const lines = printed(true).split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[1]?.split('\r\x1b[K')).toHaveLength(101)
  })
})
