/** A statement as it was typed, without what ended it. */
export interface TypedStatement {
  readonly sql: string
  /** Ended by `\G`: one line per column. */
  readonly vertical: boolean
}

const CLOSING: Readonly<Record<string, string>> = {
  "'": "'",
  '"': '"',
  '`': '`',
  '[': ']',
  '/*': '*/',
  '--': '\n',
  '#': '\n',
}

/**
 * Cuts typed text into statements, as the mysql client does: at `;`, `\g` and `\G`, but not within quotes, names in
 * back-ticks or brackets, and comments. `\c` throws away what was typed so far. Quotes are those of the admin port: a
 * backslash is a plain character, a quote within a text is doubled (which reads as two texts side by side here).
 */
export class StatementSplitter {
  private text = ''
  /** What closes what is open; empty: nothing is. */
  private awaited = ''
  private opened = ''
  private hasContent = false

  /** Takes one line without its end; returns the statements that it completes. */
  push(line: string): TypedStatement[] {
    const done: TypedStatement[] = []
    const chunk = `${line}\n`
    for (let at = 0; at < chunk.length; ) at += this.step(chunk, at, done)
    return done
  }

  /** What was typed without an end, if it is more than blanks and comments. */
  finish(): TypedStatement[] {
    const rest = this.hasContent ? [{ sql: this.text.trim(), vertical: false }] : []
    this.clear()
    return rest
  }

  clear(): void {
    this.text = ''
    this.awaited = ''
    this.opened = ''
    this.hasContent = false
  }

  /** Whether a statement has been begun. */
  get pending(): boolean {
    return this.hasContent || this.awaited !== ''
  }

  /** The quote or comment that is still open: `'`, `"`, a back-tick, `[` or `/*`; empty when none is. */
  get open(): string {
    return this.awaited === '\n' ? '' : this.opened
  }

  /** Returns how many characters it has taken. */
  private step(chunk: string, at: number, done: TypedStatement[]): number {
    if (this.awaited !== '') return this.within(chunk, at)
    const two = chunk.slice(at, at + 2)
    if (two === '\\c') {
      this.clear()
      return 2
    }
    if (chunk[at] === ';') return this.end(done, false, 1)
    if (two === '\\G' || two === '\\g') return this.end(done, two === '\\G', 2)
    const opening = openingAt(chunk, at)
    if (opening !== null) {
      this.opened = opening
      this.awaited = CLOSING[opening]
      if (this.awaited !== '\n' && opening !== '/*') this.hasContent = true
      if (chunk.startsWith('/*!', at) || chunk.startsWith('/*M!', at)) this.hasContent = true
    } else if (chunk[at].trim() !== '') {
      this.hasContent = true
    }
    const taken = opening?.length ?? 1
    this.text += chunk.slice(at, at + taken)
    return taken
  }

  private within(chunk: string, at: number): number {
    const close = chunk.indexOf(this.awaited, at)
    const end = close < 0 ? chunk.length : close + this.awaited.length
    this.text += chunk.slice(at, end)
    if (close >= 0) {
      this.awaited = ''
      this.opened = ''
    }
    return end - at
  }

  private end(done: TypedStatement[], vertical: boolean, taken: number): number {
    if (this.hasContent) done.push({ sql: this.text.trim(), vertical })
    this.clear()
    return taken
  }
}

function openingAt(chunk: string, at: number): string | null {
  const one = chunk[at]
  if (one === '/' && chunk[at + 1] === '*') return '/*'
  if (one === '-' && chunk[at + 1] === '-' && /^\s?$/.test(chunk.slice(at + 2, at + 3))) return '--'
  return one !== '/' && one !== '-' && one in CLOSING ? one : null
}
