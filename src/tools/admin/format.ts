import type { AdminAnswer } from '../admin-client.js'
import { displayWidth, padEnd, printable } from '../terminal-text.js'

/** table: for people; vertical: one line per column; batch: tabs, for scripts, as mysql's; json: one line per statement. */
export type OutputFormat = 'table' | 'vertical' | 'batch' | 'json'

type RowsAnswer = Extract<AdminAnswer, { kind: 'rows' }>

/**
 * Text of an answer, with its line end; empty when there is nothing to say.
 * @param tookMs for people who wait: adds how many rows and how long; null: it does not
 */
export function formatAnswer(answer: AdminAnswer, format: OutputFormat, tookMs: number | null): string {
  const time = tookMs === null ? '' : ` (${(tookMs / 1000).toFixed(2)} sec)`
  if (answer.kind === 'done') {
    if (format === 'json') return `${JSON.stringify({ affectedRows: answer.affectedRows, info: answer.info })}\n`
    if (tookMs === null) return ''
    const info = answer.info === '' ? '' : `${printable(answer.info)}\n`
    return `Query OK, ${plural(answer.affectedRows, 'row')} affected${time}\n${info}\n`
  }
  if (format === 'json') return jsonLine(answer)
  if (format === 'batch') return batch(answer)
  if (answer.rows.length === 0) return tookMs === null ? '' : `Empty set${time}\n\n`
  const text = format === 'vertical' ? vertical(answer) : table(answer)
  return tookMs === null ? text : `${text}${plural(answer.rows.length, 'row')} in set${time}\n\n`
}

function table({ columns, rows }: RowsAnswer): string {
  const head = columns.map(printable)
  const cells = rows.map((row) => row.map(shown))
  const widths = head.map((name, column) =>
    cells.reduce((width, row) => Math.max(width, displayWidth(row[column])), displayWidth(name)),
  )
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const line = (row: readonly string[]): string =>
    `|${row.map((cell, column) => ` ${padEnd(cell, widths[column])} `).join('|')}|`
  return `${[rule, line(head), rule, ...cells.map(line), rule].join('\n')}\n`
}

/** Values keep their line ends here: this is the form for long texts. */
function vertical({ columns, rows }: RowsAnswer): string {
  const head = columns.map(printable)
  const width = Math.max(...head.map(displayWidth))
  const stars = '*'.repeat(27)
  const lines = rows.flatMap((row, index) => [
    `${stars} ${index + 1}. row ${stars}`,
    ...row.map((cell, column) => {
      const value = cell === null ? 'NULL' : cell.split(/\r?\n/).map(printable).join('\n')
      return `${' '.repeat(width - displayWidth(head[column]))}${head[column]}: ${value}`
    }),
  ])
  return `${lines.join('\n')}\n`
}

function batch({ columns, rows }: RowsAnswer): string {
  if (rows.length === 0) return ''
  const lines = [columns, ...rows].map((row) => row.map((cell) => (cell === null ? 'NULL' : escaped(cell))).join('\t'))
  return `${lines.join('\n')}\n`
}

/** As `mysql --batch` does (manual, "mysql Client Options"). */
function escaped(cell: string): string {
  return cell.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\0', '\\0')
}

/** An array of objects. A second column of a name that is taken (`SELECT hostgroup, *`) gets a number. */
function jsonLine({ columns, rows }: RowsAnswer): string {
  const names: string[] = []
  for (const column of columns) {
    let name = column
    for (let number = 2; names.includes(name); number++) name = `${column}_${number}`
    names.push(name)
  }
  return `${JSON.stringify(rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))))}\n`
}

function shown(cell: string | null): string {
  return cell === null ? 'NULL' : printable(cell)
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
