import { number, spread } from './format.js'
import { describeLoad, type Report, tableOf } from './report.js'

const GAP = '  '

/** The report for a terminal. */
export function toText(report: Report): string {
  const { headings, rows } = tableOf(report, { spread, number })
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column].length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join(GAP)
      .trimEnd()
  return [
    `${report.workload}: ${report.summary}`,
    `${report.servers}; ${describeLoad(report)}`,
    '',
    line(headings),
    ...rows.map(line),
    '',
  ].join('\n')
}
