import { emitKeypressEvents } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'

/** Another screen, without a cursor; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const CLEAR_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** The terminal while `sluice top` has it. What was on it is back when it is left, however the process ends. */
export class Screen {
  private readonly input: ReadStream
  private readonly output: WriteStream
  private open = false
  private readonly restore = (): void => this.leave()

  constructor(input: ReadStream, output: WriteStream) {
    this.input = input
    this.output = output
  }

  enter(onKey: (name: string) => void, onResize: () => void): void {
    this.open = true
    emitKeypressEvents(this.input)
    this.input.setRawMode(true)
    this.input.on('keypress', (text: string | undefined, key: { name?: string; ctrl?: boolean } | undefined) => {
      if (key?.ctrl === true) onKey(`ctrl-${key.name}`)
      else onKey(text ?? key?.name ?? '')
    })
    this.input.resume()
    this.output.on('resize', onResize)
    this.output.write(ENTER)
    process.once('exit', this.restore)
  }

  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.output.columns ?? 80, rows: this.output.rows ?? 24 }
  }

  /** Over what is there, so that nothing flickers. */
  draw(lines: readonly string[]): void {
    if (!this.open) return
    this.output.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`)
  }

  leave(): void {
    if (!this.open) return
    this.open = false
    process.off('exit', this.restore)
    this.input.setRawMode(false)
    this.input.pause()
    this.output.write(LEAVE)
  }
}
