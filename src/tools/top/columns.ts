import { clip, displayWidth, padEnd, padStart, printable } from '../terminal-text.js'

/** One column of a section. */
export interface Column<T> {
  readonly title: string
  readonly align: 'left' | 'right'
  /** Columns are left out from the highest number on when the window is narrow; 0: never. */
  readonly optional: number
  /** Cut to so many columns. */
  readonly widthMax?: number
  /** Takes the width that is left. There is one at most, the last. */
  readonly rest?: true
  value(item: T): string
}

/** What the column that takes the rest needs at least. */
const REST_WIDTH_MIN = 24
const GAP = '  '

/** Title and lines, all of at most `width` columns; columns that do not fit are left out. */
export function layOut<T>(columns: readonly Column<T>[], items: readonly T[], width: number): string[] {
  let kept = columns.map((column) => {
    const cells = items.map((item) => clip(printable(column.value(item)), column.widthMax ?? width))
    const own = Math.max(displayWidth(column.title), ...cells.map(displayWidth))
    return { column, cells, width: column.rest ? Math.min(own, REST_WIDTH_MIN) : own }
  })
  const needed = (): number => kept.reduce((sum, one) => sum + one.width, GAP.length * (kept.length - 1))
  while (needed() > width) {
    const least = Math.max(...kept.map(({ column }) => column.optional))
    if (least === 0) break
    kept = kept.filter(({ column }) => column.optional !== least)
  }
  const last = kept.at(-1)
  if (last?.column.rest) last.width += Math.max(0, width - needed())
  const line = (cellOf: (one: (typeof kept)[number]) => string): string =>
    kept
      .map((one) => (one.column.align === 'left' ? padEnd : padStart)(clip(cellOf(one), one.width), one.width))
      .join(GAP)
      .trimEnd()
  const lines = [line(({ column }) => column.title), ...items.map((_, index) => line(({ cells }) => cells[index]))]
  return lines.map((text) => clip(text, width))
}
