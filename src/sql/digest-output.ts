/** Frames of lists that are open at the same time; lists nested deeper are written out in full. */
const FRAMES_MAX = 64

const COMMA = 0x2c
const ELLIPSIS = Buffer.from(',...')

/**
 * The normalised text while it is written. It knows the lists that are open, and drops an element that reads like the
 * one before it: `1,2,3` has become `?,?,?` and ends as `?,...`.
 */
export class DigestOutput {
  bytes = new Uint8Array(4096)
  length = 0
  private frames = 0
  private readonly depths = new Int32Array(FRAMES_MAX)
  /** Whether the list ends with its parenthesis (IN) or with the first thing that is no row (VALUES). */
  private readonly rows = new Uint8Array(FRAMES_MAX)
  private readonly elementStart = new Int32Array(FRAMES_MAX)
  private readonly separator = new Int32Array(FRAMES_MAX)
  private readonly keptStart = new Int32Array(FRAMES_MAX)
  private readonly keptEnd = new Int32Array(FRAMES_MAX)
  private readonly folded = new Uint8Array(FRAMES_MAX)

  reset(): void {
    this.length = 0
    this.frames = 0
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.grow(1)
    this.bytes[this.length++] = value
  }

  copy(from: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (this.length + size > this.bytes.length) this.grow(size)
    // Tokens are short: a loop beats a subarray and a set.
    for (let i = 0; i < size; i++) this.bytes[this.length + i] = from[start + i] as number
    this.length += size
  }

  /** A list begins at the current end of the text, at this depth of parentheses. `rows`: those of VALUES. */
  openList(depth: number, rows: boolean): void {
    if (this.frames === FRAMES_MAX) return
    const frame = this.frames++
    this.depths[frame] = depth
    this.rows[frame] = rows ? 1 : 0
    this.elementStart[frame] = this.length
    this.separator[frame] = -1
    this.keptStart[frame] = -1
    this.folded[frame] = 0
  }

  /** Whether the innermost list is one of rows whose elements stand at this depth. */
  inRows(depth: number): boolean {
    const frame = this.frames - 1
    return frame >= 0 && this.rows[frame] === 1 && this.depths[frame] === depth
  }

  /** Whether the innermost list has its elements at this depth. */
  inList(depth: number): boolean {
    return this.frames > 0 && this.depths[this.frames - 1] === depth
  }

  /** The innermost list's element begins here, behind the blank that was just written. */
  startElement(): void {
    this.elementStart[this.frames - 1] = this.length
  }

  /** Writes the comma between two elements of the innermost list. */
  nextElement(): void {
    this.endElement()
    const frame = this.frames - 1
    this.separator[frame] = this.length
    this.byte(COMMA)
    this.elementStart[frame] = this.length
  }

  closeList(): void {
    this.endElement()
    this.frames--
  }

  /** The text breaks off: of the outermost list that has an element, what follows that one is taken to be alike. */
  cutLists(): void {
    for (let frame = 0; frame < this.frames; frame++) {
      if ((this.keptStart[frame] as number) < 0) continue
      this.frames = frame
      this.length = this.keptEnd[frame] as number
      this.copy(ELLIPSIS, 0, ELLIPSIS.length)
      return
    }
  }

  private endElement(): void {
    const frame = this.frames - 1
    const start = this.elementStart[frame] as number
    if (!this.repeats(frame, start)) {
      this.keptStart[frame] = start
      this.keptEnd[frame] = this.length
      this.folded[frame] = 0
      return
    }
    this.length = this.separator[frame] as number
    if (this.folded[frame] === 1) return
    this.copy(ELLIPSIS, 0, ELLIPSIS.length)
    this.folded[frame] = 1
  }

  private repeats(frame: number, start: number): boolean {
    const kept = this.keptStart[frame] as number
    const size = this.length - start
    if (kept < 0 || size === 0 || (this.keptEnd[frame] as number) - kept !== size) return false
    for (let i = 0; i < size; i++) if (this.bytes[kept + i] !== this.bytes[start + i]) return false
    return true
  }

  private grow(by: number): void {
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + by))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}
