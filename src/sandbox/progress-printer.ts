import type { Progress } from './types.js'

/** What is needed of a stream; process.stderr has it. */
export interface ProgressStream {
  isTTY?: boolean
  write(text: string): unknown
}

const CLEAR_LINE = '\r\x1b[K'
const PERCENT_STEP = 25

/**
 * Shows progress to people: in a terminal one line that moves on per step, elsewhere plain lines, with the percentage at most
 * every {@link PERCENT_STEP} points.
 */
export function progressPrinter(stream: ProgressStream): Progress {
  let shown = ''
  let lastMessage = ''
  return ({ message, percent }) => {
    const isNew = message !== lastMessage
    lastMessage = message
    const line = percent === undefined ? message : `${message} ${roundPercent(percent, stream.isTTY)}%`
    if (line === shown) return
    shown = line
    if (!stream.isTTY) stream.write(`${line}\n`)
    else if (percent === undefined) stream.write(`${CLEAR_LINE}${line}\n`)
    else stream.write(`${isNew ? '' : CLEAR_LINE}${line}${percent >= 100 ? '\n' : ''}`)
  }
}

function roundPercent(percent: number, isFine = false): number {
  const step = isFine ? 1 : PERCENT_STEP
  return Math.floor(percent / step) * step
}
